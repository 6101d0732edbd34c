/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Edges: who calls whom, by protocol and server port, summed over a window.
 *
 * edges_get finds or makes the edge of a key and keeps it while it has open connections; what happens is added to its
 * `window`; edges_each shows every edge with something to say, edges_empty starts the next window. Bounded: beyond
 * the limit edges_get gives NULL and counts it. One worker thread owns a table.
 */
#ifndef WEFT_TOPOLOGY_EDGE_H
#define WEFT_TOPOLOGY_EDGE_H

#include <stdbool.h>
#include <stdint.h>

#include "histogram.h"
#include "protocols/protocol.h"
#include "table.h"
#include "workload.h"

enum { ERROR_KINDS = 4, ENDPOINT_LIMIT = 20, ERRNO_LIMIT = 8, ENDPOINT_LENGTH = 96 };

struct endpoint {
    uint64_t hash;
    char operation[16];
    char name[ENDPOINT_LENGTH];
    uint64_t calls, errors;
    struct histogram duration;
};

struct errno_count {
    int error;
    uint32_t count;
};

struct window {
    uint64_t start, length; /* Unix ns, ns */
};

/* What one window holds. Counts only; every record is a delta. */
struct edge_window {
    uint64_t calls, client_error, server_error, timeout, no_response, waiting, lost;
    uint64_t request_bytes, response_bytes, connects;
    struct errno_count failures[ERRNO_LIMIT];
    struct histogram duration, client_duration;    /* server's and client's; ns */
    struct endpoint endpoints[ENDPOINT_LIMIT + 1]; /* the last one sums the others */
    unsigned endpoint_count;
};

/* An end of an edge, as its owner names it. */
struct edge_end {
    uint64_t id;
    const char *name, *kind; /* borrowed, live as long as the process */
    const char *executable;
    uint32_t pid;                    /* 0: not a process here */
    const struct workload *workload; /* borrowed, as above; NULL in tests */
    uint64_t instance;               /* which of its instances (see workload_instance); 0: none, it is remote */
    bool stale;                      /* the name is that of an address's former owner */
};

struct edge {
    uint64_t id;
    struct edge_end client, server;
    enum protocol_id protocol;
    uint16_t server_port;
    uint8_t address[16], family; /* what the client connected to */
    bool client_here, server_here;
    uint8_t proof; /* enum direction_proof of bpf/record.h */
    uint32_t open_connections, in_flight;
    struct edge_window window;
};

struct edges {
    struct table table;
    uint64_t refused; /* edges beyond the limit */
};

void edges_init(struct edges *edges, size_t limit);
void edges_done(struct edges *edges);
/* The edge of (client, server, protocol, port); `like` gives the values of a new one. NULL when the table is full. */
struct edge *edges_get(struct edges *edges, const struct edge *like);
/* Every edge with something to say. */
void edges_each(const struct edges *edges, void (*visit)(void *context, const struct edge *edge), void *context);
void edges_empty(struct edges *edges); /* its windows */

void edge_add_failure(struct edge *edge, int error);
struct endpoint *edge_endpoint(struct edge *edge, const char *operation, const char *name);

#endif
