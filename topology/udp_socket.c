/* SPDX-License-Identifier: Apache-2.0 */
#include "udp_socket.h"

#include <stdlib.h>
#include <string.h>

#include "server.h"

enum { LOOK_LIMIT = 256 }; /* sockets of one port that are looked at */

static uint64_t key_of(uint16_t port) {
    return (uint64_t)port | 1 << 16;
}

struct udp_socket *udp_sockets_get(struct udp_sockets *sockets, uint64_t cookie) {
    struct udp_socket *socket = table_get(&sockets->by_cookie, cookie);
    if (socket)
        return socket;
    socket = calloc(1, sizeof(*socket));
    if (!socket || table_put(&sockets->by_cookie, cookie, socket)) {
        free(socket);
        return NULL;
    }
    socket->cookie = cookie;
    return socket;
}

static void unlink_port(struct udp_sockets *sockets, struct udp_socket *socket) {
    if (socket->next)
        socket->next->previous = socket->previous;
    if (socket->previous)
        socket->previous->next = socket->next;
    else if (socket->next)
        table_put(&sockets->by_port, key_of(socket->port), socket->next);
    else if (table_get(&sockets->by_port, key_of(socket->port)) == socket)
        table_remove(&sockets->by_port, key_of(socket->port));
    socket->previous = socket->next = NULL;
}

void udp_sockets_bind(struct udp_sockets *sockets, struct udp_socket *socket, const uint8_t *address, uint8_t family,
                      uint16_t port) {
    unlink_port(sockets, socket);
    memcpy(socket->address, address, 16);
    socket->family = family;
    socket->port = port;
    struct udp_socket *first = table_get(&sockets->by_port, key_of(port));
    if (!port || table_put(&sockets->by_port, key_of(port), socket)) /* without memory it is only not found */
        return;
    socket->next = first;
    if (first)
        first->previous = socket;
}

void udp_sockets_close(struct udp_sockets *sockets, struct udp_socket *socket) {
    unlink_port(sockets, socket);
    socket->closed = true;
}

void udp_sockets_free(struct udp_sockets *sockets, struct udp_socket *socket) {
    unlink_port(sockets, socket);
    table_remove(&sockets->by_cookie, socket->cookie);
    free(socket);
}

void udp_sockets_done(struct udp_sockets *sockets) {
    for (size_t i = 0; i < sockets->by_cookie.capacity; i++)
        free(sockets->by_cookie.slots[i].value);
    table_done(&sockets->by_cookie);
    table_done(&sockets->by_port);
}

bool udp_socket_may_have(const struct udp_socket *socket, const uint8_t *address) {
    static const uint8_t zeroes[16];
    return !memcmp(socket->address, zeroes, 16) || !memcmp(socket->address, address, 16);
}

static bool may_serve(const struct udp_socket *socket, const struct conversation *c, bool local) {
    if (socket->cookie == c->client.cookie || (socket->family == 4 && c->family == 6))
        return false;
    return (!local || socket->owner.netns == c->netns) && udp_socket_may_have(socket, c->server_address);
}

bool udp_sockets_may_serve(const struct udp_sockets *sockets, const struct conversation *c) {
    bool local = address_is_local(c->server_address, c->family);
    int looked = 0;
    for (const struct udp_socket *socket = table_get(&sockets->by_port, key_of(c->seen_port));
         socket && looked < LOOK_LIMIT; socket = socket->next, looked++)
        if (may_serve(socket, c, local))
            return true;
    return false;
}

const struct edge_end *udp_sockets_server(const struct udp_sockets *sockets, const struct conversation *c,
                                          const struct edge_end *served, bool *ret_instances) {
    const struct edge_end *found = NULL;
    bool local = address_is_local(c->server_address, c->family);
    int looked = 0;
    *ret_instances = false;
    for (const struct udp_socket *socket = table_get(&sockets->by_port, key_of(c->seen_port)); socket;
         socket = socket->next) {
        const struct edge_end *owner = socket->party.owner;
        if (++looked > LOOK_LIMIT)
            return NULL;
        if (!owner || !may_serve(socket, c, local))
            continue;
        if (found && found->id != owner->id)
            return NULL;
        *ret_instances |= found && found->instance != owner->instance;
        found = owner;
    }
    return local || (found && served && served->id == found->id) ? found : NULL;
}
