/* SPDX-License-Identifier: Apache-2.0 */
/* DNS over a stream, where each message has its length in front; protocol_dns is the same over datagrams. */
#ifndef WEFT_PROTOCOLS_DNS_H
#define WEFT_PROTOCOLS_DNS_H

#include "protocols/protocol.h"

extern const struct protocol protocol_dns_tcp;

#endif
