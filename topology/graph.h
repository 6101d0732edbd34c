/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The graph: the last hour of windows in memory, and what the page and `weft map` ask of it.
 *
 * Life cycle: graph_new -> graph_window as windows run and end -> graph_map, graph_edge, graph_node, graph_timeline
 * from any thread -> graph_free. One mutex; a query holds it while it adds windows up, for milliseconds.
 *
 * Each window is one packed block (topology/packed.h). When the blocks are larger than `memory_bytes`, the oldest go
 * first and are counted; when a single window is, its last edges are left out and counted. Names are borrowed from
 * the edges' owners, who keep them as long as the process lives.
 *
 * A running window (`final` false) is replaced by the next one of the same start. Rates are per second of time that
 * was watched: the first and the running window hold less than their length.
 */
#ifndef WEFT_TOPOLOGY_GRAPH_H
#define WEFT_TOPOLOGY_GRAPH_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "edge.h"

struct graph;

struct graph_options {
    size_t memory_bytes;   /* of packed windows and what is known of their edges; 0: 32 MiB */
    uint64_t keep_ns;      /* 0: an hour */
    uint64_t (*now)(void); /* Unix ns; NULL: CLOCK_REALTIME */
};

struct graph_counters {
    uint64_t windows_evicted; /* before their hour was over, for want of memory */
    uint64_t edges_left_out;  /* of one window, because it alone was larger than the memory */
    uint64_t memory_refused;
    size_t windows, bytes; /* kept now */
};

/* Windows that end after `to - length` and start before `to`; Unix ns, ns. `to` 0: now. At least one window. */
struct graph_range {
    uint64_t to, length;
};

int graph_new(const struct graph_options *options, struct graph **ret_graph); /* negative errno */
void graph_free(struct graph *graph);

/* What the edges hold of this window. `edges` is read during the call alone. */
void graph_window(struct graph *graph, const struct window *window, const struct edges *edges, bool final);

uint64_t graph_generation(struct graph *graph); /* rises with every graph_window */
void graph_counters(struct graph *graph, struct graph_counters *ret_counters);

/*
 * New references; fields are those of docs/api.md. NULL when memory is refused, and from graph_edge and graph_node
 * also when the last hour does not know the id.
 */
json_t *graph_map(struct graph *graph, struct graph_range range);
json_t *graph_edge(struct graph *graph, uint64_t id, struct graph_range range);
json_t *graph_node(struct graph *graph, uint64_t id, struct graph_range range);
json_t *graph_timeline(struct graph *graph);

#endif
