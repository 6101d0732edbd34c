/* SPDX-License-Identifier: Apache-2.0 */
#include "server.h"

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

bool address_is_local(const uint8_t *address, uint8_t family) {
    static const uint8_t loopback6[16] = {[15] = 1};
    if (family == 4)
        return address[0] == 127 || (address[0] == 169 && address[1] == 254);
    return !memcmp(address, loopback6, 16) || (address[0] == 0xfe && (address[1] & 0xc0) == 0x80);
}

static uint64_t key_of(struct server_address at) {
    struct {
        uint8_t address[16];
        uint32_t port, netns, transport;
    } key = {.port = at.port, .transport = at.transport};
    memcpy(key.address, at.address, at.family == 4 ? 4 : 16);
    key.netns = address_is_local(at.address, at.family) ? at.netns : 0;
    uint64_t hash = XXH3_64bits(&key, sizeof(key));
    return hash ? hash : 1;
}

struct known_server *server_find(struct engine *engine, struct server_address at) {
    return table_get(&engine->servers, key_of(at));
}

void server_remember(struct engine *engine, struct server_address at, const struct edge *edge) {
    uint64_t key = key_of(at);
    struct known_server *known = table_get(&engine->servers, key);
    if (!known) {
        known = calloc(1, sizeof(*known));
        if (!known || table_put(&engine->servers, key, known)) {
            free(known);
            engine->losses.servers_forgotten++;
            return;
        }
    }
    known->end = edge->server;
    known->port = edge->server_port;
    known->here = edge->server_here;
    if (edge->protocol != PROTOCOL_UNKNOWN)
        known->protocol = edge->protocol;
}
