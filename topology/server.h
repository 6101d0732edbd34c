/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was last seen to serve at an address and port, so that a refused connect turns the edge red that the answered
 * ones made, and a connection of unknown protocol is put where its server's others are. A loopback address is known
 * within its network namespace. Private to topology/.
 */
#ifndef WEFT_TOPOLOGY_SERVER_H
#define WEFT_TOPOLOGY_SERVER_H

#include "engine.h"

enum { SERVERS_KNOWN = 16384 };

struct known_server {
    struct edge_end end;
    uint16_t port;             /* its own, behind any NAT */
    enum protocol_id protocol; /* PROTOCOL_UNKNOWN: none yet */
    bool here;                 /* its socket was on this host */
};

struct server_address {
    const uint8_t *address;
    uint8_t family, transport; /* 4 or 6; enum transport */
    uint16_t port;
    uint32_t netns;
};

struct known_server *server_find(struct engine *engine, struct server_address at);
/* The server of that edge. Its protocol stays if the edge's is PROTOCOL_UNKNOWN. Counted if it cannot be remembered. */
void server_remember(struct engine *engine, struct server_address at, const struct edge *edge);

bool address_is_local(const uint8_t *address, uint8_t family); /* loopback or link-local: means one thing per netns */

#endif
