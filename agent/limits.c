/* SPDX-License-Identifier: Apache-2.0 */
#include "limits.h"

#include <errno.h>

#include "bpf/record.h"

/* Measured: tests/unit/test_limits.c holds them against the real tables, docs/operations.md says how. */
static const uint64_t MIB = 1 << 20;
static const uint64_t PROGRAM = 24 << 20;     /* text, libraries, stacks, what a window is rendered in */
static const uint64_t KERNEL_MAPS = 24 << 20; /* every map but the rings and what hangs on sockets */
static const uint64_t CONNECTION_BYTES = 704, HELD_BYTES = 320; /* itself, and what waits on it on average */
static const uint64_t EDGE_BYTES = 10240, NAME_BYTES = 2560;
static const uint64_t LEAST_QUEUE = 256 << 10, MOST_QUEUE = 16 << 20; /* the most is what a sink has by itself */

/* One flow: in the kernel's table, here, and its part of a connection of two flows. */
static const uint64_t FLOW_BYTES = 1536;

/* Hundredths of what is left after the fixed parts: without packets, and with them. */
static const struct shares {
    unsigned connections, edges, names, graph, sinks, flows;
} all_shares[2] = {{40, 15, 10, 20, 15, 0}, {32, 12, 8, 15, 13, 20}};

/* Less is no use on any host. */
enum {
    LEAST_CONNECTIONS = 4096,
    LEAST_EDGES = 256,
    LEAST_NAMES = 512,
    LEAST_FLOWS = 4096,
    MOST_CONNECTIONS = 1000000,
    MOST_EDGES = 100000,
    MOST_NAMES = 1000000,
    MOST_FLOWS = 1000000
};

static uint64_t most(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

static uint64_t least(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

static uint64_t rings(const struct limits_request *request) {
    if (request->ring_count)
        return request->ring_count;
    uint64_t count = 1, fit = request->memory_max / 4 / request->ring_size;
    while (count < RINGS_MAX && count * 8 < request->cpus && count * 2 <= fit)
        count *= 2; /* the kernel side picks a ring by a mask */
    return count;
}

/* What must be left for a share of so many hundredths to hold `count` entries. */
static uint64_t rest_for(uint64_t count, uint64_t bytes, unsigned hundredths) {
    return (count * bytes * 100 + hundredths - 1) / hundredths;
}

static uint64_t minimum(const struct limits_request *request, uint64_t fixed) {
    uint64_t connections = request->connections ? request->connections : LEAST_CONNECTIONS;
    uint64_t edges = request->edges ? request->edges : LEAST_EDGES;
    uint64_t flows = request->flows ? request->flows : LEAST_FLOWS;
    const struct shares *shares = &all_shares[request->packets];
    uint64_t rest = rest_for(connections, CONNECTION_BYTES + HELD_BYTES, shares->connections);
    rest = most(rest, rest_for(edges, EDGE_BYTES, shares->edges));
    rest = most(rest, rest_for(LEAST_NAMES, NAME_BYTES, shares->names));
    rest = most(rest, rest_for(request->queues + request->sinks * LEAST_QUEUE, 1, shares->sinks));
    if (request->packets)
        rest = most(rest, rest_for(flows, FLOW_BYTES, shares->flows));
    return (fixed + rest + MIB - 1) / MIB * MIB;
}

int limits_derive(const struct limits_request *request, struct limits *ret_limits, uint64_t *ret_minimum) {
    struct limits limits = {.program = PROGRAM, .kernel_maps = KERNEL_MAPS, .ring_count = rings(request)};
    limits.rings = limits.ring_count * request->ring_size;
    uint64_t fixed = limits.program + limits.kernel_maps + limits.rings;
    *ret_minimum = minimum(request, fixed);
    if (request->memory_max < *ret_minimum)
        return -ENOSPC;
    uint64_t hundredth = (request->memory_max - fixed) / 100;
    const struct shares *shares = &all_shares[request->packets];
    limits.connection_bytes = CONNECTION_BYTES + HELD_BYTES;
    limits.edge_bytes = EDGE_BYTES;
    limits.name_bytes = NAME_BYTES;
    limits.connections = request->connections
                             ? request->connections
                             : least(hundredth * shares->connections / limits.connection_bytes, MOST_CONNECTIONS);
    limits.edges = request->edges ? request->edges : least(hundredth * shares->edges / EDGE_BYTES, MOST_EDGES);
    limits.held = limits.connections * HELD_BYTES;
    limits.names = least(hundredth * shares->names / NAME_BYTES, MOST_NAMES);
    limits.graph = hundredth * shares->graph;
    limits.sinks = hundredth * shares->sinks;
    if (request->packets) {
        limits.flow_bytes = FLOW_BYTES;
        limits.flows = request->flows ? request->flows : least(hundredth * shares->flows / FLOW_BYTES, MOST_FLOWS);
    }
    if (request->sinks)
        limits.queue = least((limits.sinks - request->queues) / request->sinks, MOST_QUEUE);
    *ret_limits = limits;
    return 0;
}
