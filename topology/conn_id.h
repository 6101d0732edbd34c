/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What names a TCP connection outside this process: SipHash-2-4 of the client's and the server's initial sequence
 * number, each in network order, with a key that all agents share. The same at both ends, whatever NAT is between;
 * the numbers themselves stay inside, since whoever knows them can forge segments.
 */
#ifndef WEFT_TOPOLOGY_CONN_ID_H
#define WEFT_TOPOLOGY_CONN_ID_H

#include <stdint.h>

/* `isn`: client's << 32 | server's. As a number whose 16 hex digits are the hash's eight bytes in their order. */
uint64_t conn_id(const uint8_t key[16], uint64_t isn);

#endif
