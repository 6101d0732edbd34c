/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an edge did in one window, packed into few bytes, so that an hour of windows fits in memory.
 *
 * A packed edge is its length, its id, and then numbers in base 128 (LEB128), most of which are small: an idle edge
 * takes 30 bytes where struct edge_window takes 4 KiB. packed_edge appends one; packed_next walks a block of them;
 * packed_merge adds one to a running sum. Blocks are trusted: only packed_edge writes them.
 */
#ifndef WEFT_TOPOLOGY_PACKED_H
#define WEFT_TOPOLOGY_PACKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "edge.h"

enum { DROP_LENGTH = 48 };

struct packed { /* a growing block; free(bytes) */
    uint8_t *bytes;
    size_t length, capacity;
};

struct packed_cursor {
    const uint8_t *at, *end;
};

struct drop_sum {
    char reason[DROP_LENGTH];
    uint64_t packets;
};

/* An endpoint of a sum; the sum owns it. */
struct endpoint_sum {
    char operation[16];
    char name[ENDPOINT_LENGTH];
    uint64_t calls, errors;
    struct histogram duration;
};

/* Windows of one edge added up. Zeroed to begin with; edge_sum_done frees. */
struct edge_sum {
    uint64_t calls, client_error, server_error, timeout, no_response, waiting, lost, late;
    uint64_t request_bytes, response_bytes, connects, failed;
    uint32_t open_connections, in_flight; /* of the window added last */
    uint32_t client_addresses;            /* most of any one window; windows may share them, so they are not added */
    bool client_addresses_more;           /* there were more than were counted */
    struct errno_count failures[ERRNO_LIMIT];
    struct histogram duration, client_duration;
    struct endpoint_sum *endpoints;
    size_t endpoint_count, endpoint_capacity;
    bool has_packets; /* the packet side was at work: what follows is known */
    uint64_t request_packets, response_packets, retransmits, zero_windows, dropped;
    struct histogram rtt, connect_latency;
    struct drop_sum drops[DROP_LIMIT]; /* the last one takes the rest, as `other` */
};

int packed_edge(struct packed *packed, const struct edge *edge); /* -ENOMEM: nothing appended */
struct packed_cursor packed_block(const uint8_t *bytes, size_t length);
/* The next edge's id, and a cursor over its numbers; 0 at the end. */
uint64_t packed_next(struct packed_cursor *block, struct packed_cursor *ret_edge);
/* Adds the edge to the sum; its endpoints only on demand. */
void packed_merge(struct packed_cursor edge, struct edge_sum *sum, bool with_endpoints);

/* Calls, and connects that failed: those that the map colours. */
static inline uint64_t edge_sum_red(const struct edge_sum *sum) {
    return sum->server_error + sum->timeout + sum->no_response + sum->failed;
}
void edge_sum_add(struct edge_sum *into, const struct edge_sum *from); /* all but endpoints and gauges */
void edge_sum_done(struct edge_sum *sum);

#endif
