/* SPDX-License-Identifier: Apache-2.0 */
/* Plays the kernel: records of connections, into a `struct connections` whose names are numbers. */
#ifndef WEFT_TESTS_UNIT_CONNECTION_HARNESS_H
#define WEFT_TESTS_UNIT_CONNECTION_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "topology/connection.h"

#define SECOND 1000000000ULL
#define CLIENT_PROCESS 11
#define SERVER_PROCESS 22

struct world {
    struct edges edges, merged;
    struct connections *connections;
    struct clients *clients;
    uint32_t sequence;
    uint64_t now;
};

static struct edge_end world_owner(void *context, const struct record_owner *owner, const char *command) {
    (void)context, (void)command;
    return (struct edge_end){.id = owner->tgid, .name = "process", .kind = "process", .executable = "/bin/x"};
}

static struct edge_end world_server(void *context, const uint8_t *address, int family, uint16_t port) {
    (void)context, (void)family;
    return (struct edge_end){.id = 0x50000000u + address[3] * 65536u + port, .name = "address", .kind = "address"};
}

static struct edge_end world_client(void *context, const uint8_t *address, int family) {
    (void)context, (void)family;
    return (struct edge_end){.id = 0x60000000u + address[2], .name = "group", .kind = "group"};
}

static inline struct window_clock world_clock(const struct world *world) {
    return (struct window_clock){.window = {world->sequence * 10 * SECOND, 10 * SECOND},
                                 .sequence = world->sequence,
                                 .start = world->sequence * 10 * SECOND,
                                 .end = world->sequence * 10 * SECOND + 10 * SECOND};
}

/* `clients`: limit per server; 0: none. */
static inline void world_open_with(struct world *world, size_t clients) {
    *world = (struct world){.now = SECOND};
    edges_init(&world->edges, 1000);
    edges_init(&world->merged, 1000);
    struct window_clock clock = world_clock(world);
    edges_plan(&world->edges, &clock);
    struct connection_options options = {
        .namer = {.owner = world_owner, .server = world_server, .client = world_client},
        .edges = &world->edges,
        .limit = 1000000,
        .call_timeout_ns = 30 * SECOND,
    };
    if (clients)
        assert_int_equal(clients_new(clients, &world->clients), 0);
    options.clients = world->clients;
    assert_int_equal(connections_new(&options, &world->connections), 0);
}

static inline void world_open(struct world *world) {
    world_open_with(world, 0);
}

static inline void world_close(struct world *world) {
    connections_free(world->connections);
    clients_free(world->clients);
    edges_done(&world->edges);
    edges_done(&world->merged);
}

/* The running window ends; it stands in `merged`. */
static inline void world_next_window(struct world *world) {
    world->sequence++;
    world->now = world->sequence * 10 * SECOND;
    connections_settle(world->connections, UINT64_MAX);
    struct window_clock clock = world_clock(world);
    edges_plan(&world->edges, &clock);
    connections_tick(world->connections, world->now);
    edges_clear(&world->merged);
    edges_merge(&world->merged, &world->edges, EDGES_ENDED);
}

/* The edge of that protocol in the window that ended last; NULL if it had nothing to say. */
static inline const struct edge *world_edge(const struct world *world, enum protocol_id protocol) {
    for (size_t i = 0; i < world->merged.table.capacity; i++) {
        const struct edge *edge = world->merged.table.slots[i].value;
        if (edge && edge->protocol == protocol && !edge_silent(edge))
            return edge;
    }
    return NULL;
}

static inline size_t world_edges(const struct world *world) {
    size_t count = 0;
    for (size_t i = 0; i < world->merged.table.capacity; i++)
        count += world->merged.table.slots[i].value && !edge_silent(world->merged.table.slots[i].value);
    return count;
}

/* An end of a connection from 10.0.0.1:40000 to 10.0.0.2:port. */
struct socket {
    uint64_t cookie, isn;
    uint8_t role, proof;
    uint16_t port;
    uint64_t offsets[2]; /* received, sent */
    uint32_t turn, lost;
    int egress; /* of the last operation; -1: none yet */
    uint64_t last_time;
};

static inline struct socket socket_of(uint64_t cookie, uint64_t isn, uint8_t role, uint16_t port) {
    return (struct socket){.cookie = cookie,
                           .isn = isn,
                           .role = role,
                           .proof = role == ROLE_CLIENT ? PROOF_CONNECT : PROOF_ACCEPT,
                           .port = port,
                           .egress = -1};
}

static inline struct record_opened opened_of(const struct world *world, const struct socket *socket) {
    struct record_opened record = {
        .kind = RECORD_OPENED,
        .family = 2,
        .role = socket->role,
        .proof = socket->proof,
        .time = world->now,
        .cookie = socket->cookie,
        .isn = socket->isn,
        .owner.tgid = socket->role == ROLE_CLIENT ? CLIENT_PROCESS : SERVER_PROCESS,
        .local_address = {10, 0, 0, socket->role == ROLE_CLIENT ? 1 : 2},
        .remote_address = {10, 0, 0, socket->role == ROLE_CLIENT ? 2 : 1},
        .local_port = socket->role == ROLE_CLIENT ? 40000 : socket->port,
        .remote_port = socket->role == ROLE_CLIENT ? socket->port : 40000,
    };
    return record;
}

static inline void socket_opens(struct world *world, const struct socket *socket) {
    struct record_opened record = opened_of(world, socket);
    connections_opened(world->connections, &record);
}

/* `shown` of `length` bytes are copied. */
static inline void socket_moves_some(struct world *world, struct socket *socket, bool egress, const char *bytes,
                                     size_t length, size_t shown) {
    bool first = socket->egress != (int)egress;
    struct record_data record = {
        .kind = RECORD_DATA,
        .captured = shown,
        .time = world->now,
        .cookie = socket->cookie,
        .offset = socket->offsets[egress],
        .other_offset = socket->offsets[!egress],
        .previous_turn_end = first ? socket->last_time : 0,
        .length = length,
        .turn = socket->turn += first,
        .lost = socket->lost,
        .egress = egress,
        .first = first,
    };
    uint8_t *exact = malloc(shown ? shown : 1);
    memcpy(exact, bytes, shown);
    connections_data(world->connections, &record, exact);
    free(exact);
    socket->offsets[egress] += length;
    socket->egress = egress;
    socket->last_time = world->now;
}

static inline void socket_sends(struct world *world, struct socket *socket, const char *text) {
    socket_moves_some(world, socket, true, text, strlen(text), strlen(text));
}

static inline void socket_receives(struct world *world, struct socket *socket, const char *text) {
    socket_moves_some(world, socket, false, text, strlen(text), strlen(text));
}

static inline void socket_closes(struct world *world, struct socket *socket) {
    struct record_closed record = {
        .kind = RECORD_CLOSED,
        .time = world->now,
        .cookie = socket->cookie,
        .bytes_sent = socket->offsets[1],
        .bytes_received = socket->offsets[0],
        .last_time = socket->last_time,
        .lost = socket->lost,
    };
    connections_closed(world->connections, &record);
}

#endif
