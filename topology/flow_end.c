/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is at the ends of a connection. A hop sees one end's socket at most; what any of them saw holds for all of them,
 * also where an address was rewritten and the lookup found nothing.
 */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "flow_store.h"

#define SECOND_NS 1000000000ULL
#define SOCKET_KEEP_NS (60 * SECOND_NS) /* after it was last seen */
#define NAME_NS (10 * SECOND_NS)        /* a better name of an address may come */

enum { STATE_LISTEN = 10 };

uint64_t flow_peer_key(uint64_t cookie, const uint8_t *address, uint16_t port, uint64_t seed) {
    struct {
        uint64_t cookie, port;
        uint8_t address[16];
    } value = {.cookie = cookie, .port = port};
    memcpy(value.address, address, 16);
    uint64_t hash = XXH3_64bits_withSeed(&value, sizeof(value), seed);
    return hash ? hash : 1;
}

const struct flow_socket *flow_socket_of(const struct flows *flows, uint64_t cookie) {
    return table_get(&flows->sockets, cookie);
}

/* ---- as hops saw them ---- */

static void set_peer(struct flows *flows, struct flow_trail *trail, int side, const struct flow_address *peer) {
    uint64_t key = flow_peer_key(trail->cookies[side], peer->address, peer->port, flows->seed);
    if (trail->peer_keys[side] == key)
        return;
    if (table_get(&flows->by_peer, trail->peer_keys[side]) == trail)
        table_remove(&flows->by_peer, trail->peer_keys[side]);
    trail->peer_keys[side] = key;
    if (table_put(&flows->by_peer, key, trail))
        trail->peer_keys[side] = 0;
}

static void take(struct flows *flows, struct flow_trail *trail, int side, const struct flow_end *end,
                 const struct flow_address *peer) {
    if (end->state != END_SOCKET && end->state != END_LISTENER)
        return;
    if (end->owner.tgid && (end->state == END_SOCKET || !trail->owners[side].tgid))
        trail->owners[side] = end->owner;
    if (end->state == END_SOCKET && end->cookie) {
        trail->cookies[side] = end->cookie;
        set_peer(flows, trail, side, peer);
    }
}

void flow_ends(struct flows *flows, struct flow_trail *trail) {
    for (struct flow_entry *entry = trail->entries; entry; entry = entry->next) {
        struct flow_tuple tuple = flow_tuple_of(&entry->key);
        take(flows, trail, !entry->forward, &entry->flow.source_end, &tuple.destination);
        take(flows, trail, entry->forward, &entry->flow.destination_end, &tuple.source);
    }
    for (int side = 0; side < 2; side++) {
        const struct flow_socket *socket = flow_socket_of(flows, trail->cookies[side]);
        if (socket && socket->view.owner.tgid)
            trail->owners[side] = socket->view.owner;
    }
}

/* ---- as the iterator saw them ---- */

static void follow_queue(struct flow_socket *socket, const struct socket_view *view, uint64_t now) {
    if (!view->receive_queue)
        socket->waiting_since = 0;
    else if (!socket->waiting_since || view->receive_queue < socket->view.receive_queue)
        socket->waiting_since = now;
}

void flows_socket(struct flows *flows, const struct socket_view *view) {
    pthread_mutex_lock(&flows->mutex);
    struct flow_socket *socket = table_get(&flows->sockets, view->cookie);
    if (!socket) {
        socket = calloc(1, sizeof(*socket));
        if (!socket || table_put(&flows->sockets, view->cookie, socket)) {
            flows->counters.memory_refused++;
            free(socket);
            pthread_mutex_unlock(&flows->mutex);
            return;
        }
        socket->drops_before = view->drops;
    }
    follow_queue(socket, view, flows->now);
    uint64_t isn = view->isn ? view->isn : socket->view.isn;
    socket->view = *view;
    socket->view.isn = isn;
    socket->seen = flows->now;
    socket->fresh = true;
    pthread_mutex_unlock(&flows->mutex);
}

/* Which end of its connection it is; -1: cannot be told. */
static int side_of(const struct flow_trail *trail, const struct socket_view *view) {
    struct flow_tuple tuple = flow_tuple_make(view->family, view->protocol, view->local_address, view->local_port,
                                              view->remote_address, view->remote_port);
    struct flow_tuple ordered = flow_tuple_ordered(&tuple);
    for (const struct flow_node *node = trail->nodes; node; node = node->next)
        if (flow_tuple_equal(&node->tuple, &ordered) && node->client != CLIENT_UNKNOWN)
            return (node->client == CLIENT_FIRST) == flow_tuple_equal(&tuple, &ordered) ? 0 : 1;
    return -1;
}

static void settle(struct flows *flows, const struct socket_view *view) {
    struct flow_trail *trail = table_get(&flows->by_pair, view->isn);
    if (!trail || trail->cookies[0] == view->cookie || trail->cookies[1] == view->cookie)
        return;
    int side = side_of(trail, view);
    if (side < 0 || trail->cookies[side])
        return;
    struct flow_tuple tuple = flow_tuple_make(view->family, view->protocol, view->local_address, view->local_port,
                                              view->remote_address, view->remote_port);
    trail->cookies[side] = view->cookie;
    if (view->owner.tgid)
        trail->owners[side] = view->owner;
    set_peer(flows, trail, side, &tuple.destination);
}

void flow_sockets_shown(struct flows *flows) {
    for (size_t i = 0; i < flows->sockets.capacity;) {
        struct flow_socket *socket = flows->sockets.slots[i].value;
        if (socket && socket->fresh)
            socket->seen = flows->now;
        if (socket && socket->seen + SOCKET_KEEP_NS < flows->now) {
            table_remove(&flows->sockets, socket->view.cookie); /* moves another one into this slot, perhaps */
            free(socket);
            continue;
        }
        if (socket && socket->fresh && socket->view.isn && socket->view.state != STATE_LISTEN)
            settle(flows, &socket->view);
        if (socket)
            socket->fresh = false;
        i++;
    }
}

/* ---- names ---- */

static const struct flow_node *any_node(const struct flow_trail *trail) {
    return trail->nodes;
}

/* The client's address where it starts, the server's where it ends. */
static bool address_of(const struct flow_trail *trail, int side, struct flow_address *ret_address) {
    const struct flow_entry *entry = trail->entries, *last = NULL;
    const struct flow_node *node = any_node(trail);
    for (; entry; entry = entry->next)
        if (entry->forward && (side == 1 || !last))
            last = entry;
    if (last) {
        struct flow_tuple tuple = flow_tuple_of(&last->key);
        *ret_address = side ? tuple.destination : tuple.source;
        return true;
    }
    if (!node)
        return false;
    bool first = (node->client == CLIENT_FIRST) == (side == 0);
    *ret_address = first ? node->tuple.source : node->tuple.destination;
    return true;
}

static void name_owner(const struct flows *flows, struct flow_trail *trail, int side) {
    const struct namer *namer = &flows->options.namer;
    static const char command[16];
    if (!memcmp(&trail->named[side], &trail->owners[side], sizeof(trail->named[side])))
        return;
    trail->named[side] = trail->owners[side];
    trail->ends[side] = namer->owner(namer->context, &trail->owners[side], command);
}

static void name_address(const struct flows *flows, struct flow_trail *trail, int side) {
    const struct namer *namer = &flows->options.namer;
    struct flow_address at;
    if ((trail->named_time[side] && flows->now < trail->named_time[side] + NAME_NS) || !trail->family ||
        !address_of(trail, side, &at))
        return;
    trail->named_time[side] = flows->now;
    if (side && namer->server)
        trail->ends[side] = namer->server(namer->context, at.address, trail->family, at.port);
    else if (!side && namer->client)
        trail->ends[side] = namer->client(namer->context, at.address, trail->family);
}

void flow_name_ends(struct flows *flows, struct flow_trail *trail) {
    for (int side = 0; side < 2; side++)
        if (trail->owners[side].tgid && flows->options.namer.owner)
            name_owner(flows, trail, side);
        else
            name_address(flows, trail, side);
}
