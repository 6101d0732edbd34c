/* SPDX-License-Identifier: Apache-2.0 */
/* The graph's insides, shared by graph.c (what is kept) and graph_query.c (what is asked). */
#ifndef WEFT_TOPOLOGY_GRAPH_STORE_H
#define WEFT_TOPOLOGY_GRAPH_STORE_H

#include <pthread.h>

#include "graph.h"
#include "packed.h"

/* One window. `from` and `to` bound the time that was watched. */
struct kept {
    uint64_t start, length, from, to;
    bool final;
    uint8_t *bytes; /* owned */
    size_t size;
    uint64_t calls, red, lost, transferred; /* sums over its edges; bytes */
};

/* Who the ends of an edge are: what does not change from window to window. */
struct known {
    uint64_t id;
    struct edge_end client, server;
    enum protocol_id protocol;
    uint16_t server_port, seen_port;
    uint8_t address[16], family;
    uint8_t transport; /* enum transport of bpf/record.h */
    bool client_here, server_here;
    uint8_t proof;
    uint64_t last_seen; /* start of its last window */
};

struct graph {
    pthread_mutex_t lock;
    size_t memory_bytes;
    uint64_t keep_ns, began;
    uint64_t (*now)(void);
    struct kept *windows; /* by start, oldest first */
    size_t count, capacity;
    size_t bytes;       /* of all windows and known edges */
    struct table known; /* edge id -> struct known */
    uint64_t generation;
    struct graph_counters counters;
};

#endif
