/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How `memory_max` is shared out. Pure.
 *
 * What is taken off first has a fixed size: the program with its libraries and threads, the kernel's maps, the rings.
 * The rest is split by fixed shares, and a share divided by what one entry takes gives the length of its table. So the
 * ceiling holds however many connections, edges and names there are: a full table refuses, and counts what it refused.
 * What one takes is that of a large one, not of the largest thinkable: an edge with three endpoints, a name with its
 * program and two instances.
 */
#ifndef WEFT_AGENT_LIMITS_H
#define WEFT_AGENT_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct limits_request {
    uint64_t memory_max;
    uint64_t ring_size;          /* bytes of one ring */
    uint64_t ring_count;         /* 0: one for every 8 CPUs, as far as they take a quarter of memory_max */
    uint64_t connections, edges; /* 0: from the share */
    bool packets;                /* are watched */
    uint64_t flows;              /* 0: from the share */
    uint64_t queues;             /* bytes that sinks were given */
    unsigned sinks;              /* with a queue, and not told how large: from the share */
    unsigned cpus;
};

struct limits {
    uint64_t program, kernel_maps, rings; /* bytes, off the top */
    uint64_t ring_count;
    uint64_t connections, connection_bytes; /* how many at most, and bytes of each */
    uint64_t held;                          /* bytes, within those: of what waits on connections */
    uint64_t edges, edge_bytes;
    uint64_t names, name_bytes;
    uint64_t flows, flow_bytes; /* 0: packets are not watched */
    uint64_t graph, sinks;      /* bytes: the last hour on the page; records that wait for a sink */
    uint64_t queue;             /* bytes, within `sinks`, for each sink that was not told; 0: there is none */
};

/* -ENOSPC: it does not fit; `ret_minimum` is the memory_max with which it would. */
int limits_derive(const struct limits_request *request, struct limits *ret_limits, uint64_t *ret_minimum);

#endif
