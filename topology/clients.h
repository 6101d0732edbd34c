/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many different unresolved clients a server may have on the map: what comes beyond the limit is `other`.
 *
 * Shared by all workers, behind one mutex that is taken once per connection and window. A client that was not seen for
 * some windows makes room for a new one.
 */
#ifndef WEFT_TOPOLOGY_CLIENTS_H
#define WEFT_TOPOLOGY_CLIENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct clients;
int clients_new(size_t limit_per_server, struct clients **ret_clients); /* negative errno */
void clients_free(struct clients *clients);

/* Whether this client of this server stands for itself in the window `sequence`. */
bool clients_admit(struct clients *clients, uint64_t server, uint64_t client, uint32_t sequence);

#endif
