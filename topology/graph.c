/* SPDX-License-Identifier: Apache-2.0 */
#include "graph.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "graph_store.h"

#define HOUR_NS 3600000000000ULL

static uint64_t clock_now(void) {
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

int graph_new(const struct graph_options *options, struct graph **ret_graph) {
    struct graph *graph = calloc(1, sizeof(*graph));
    if (!graph)
        return -ENOMEM;
    pthread_mutex_init(&graph->lock, NULL);
    graph->memory_bytes = options->memory_bytes ? options->memory_bytes : 32 << 20;
    graph->keep_ns = options->keep_ns ? options->keep_ns : HOUR_NS;
    graph->now = options->now ? options->now : clock_now;
    graph->began = graph->now();
    *ret_graph = graph;
    return 0;
}

void graph_free(struct graph *graph) {
    if (!graph)
        return;
    for (size_t i = 0; i < graph->count; i++)
        free(graph->windows[i].bytes);
    free(graph->windows);
    for (size_t i = 0; i < graph->known.capacity; i++)
        free(graph->known.slots[i].value);
    table_done(&graph->known);
    pthread_mutex_destroy(&graph->lock);
    free(graph);
}

static struct known *known_edge(struct graph *graph, const struct edge *edge) {
    struct known *known = table_get(&graph->known, edge->id);
    if (!known) {
        known = calloc(1, sizeof(*known));
        if (!known || table_put(&graph->known, edge->id, known)) {
            graph->counters.memory_refused++;
            free(known);
            return NULL;
        }
        graph->bytes += sizeof(*known);
    }
    known->id = edge->id;
    known->client = edge->client;
    known->server = edge->server;
    known->protocol = edge->protocol;
    known->server_port = edge->server_port;
    known->seen_port = edge->seen_port;
    memcpy(known->address, edge->address, sizeof(known->address));
    known->family = edge->family;
    known->transport = edge->transport;
    known->client_here |= edge->client_here;
    known->server_here |= edge->server_here;
    known->proof = edge->proof;
    return known;
}

/* Edges whose windows are all gone. Removal moves entries, so ids are gathered first. */
static void forget_edges(struct graph *graph) {
    uint64_t oldest = graph->count ? graph->windows[0].start : UINT64_MAX;
    uint64_t *ids = calloc(graph->known.count + 1, sizeof(*ids));
    size_t count = 0;
    for (size_t i = 0; ids && i < graph->known.capacity; i++) {
        const struct known *known = graph->known.slots[i].value;
        if (known && known->last_seen < oldest)
            ids[count++] = known->id;
    }
    for (size_t i = 0; i < count; i++) {
        free(table_remove(&graph->known, ids[i]));
        graph->bytes -= sizeof(struct known);
    }
    free(ids);
}

static void drop_oldest(struct graph *graph, size_t count) {
    for (size_t i = 0; i < count; i++) {
        graph->bytes -= graph->windows[i].size;
        free(graph->windows[i].bytes);
    }
    graph->count -= count;
    memmove(graph->windows, graph->windows + count, graph->count * sizeof(*graph->windows));
    if (count)
        forget_edges(graph);
}

/* The newest window always stays. */
static void shrink(struct graph *graph) {
    uint64_t newest = graph->windows[graph->count - 1].start;
    size_t old = 0, evicted = 0, bytes = graph->bytes;
    while (old + 1 < graph->count && graph->windows[old].start + graph->keep_ns <= newest)
        bytes -= graph->windows[old++].size;
    while (old + evicted + 1 < graph->count && bytes > graph->memory_bytes)
        bytes -= graph->windows[old + evicted++].size;
    graph->counters.windows_evicted += evicted;
    drop_oldest(graph, old + evicted);
}

/* The place for a window that starts then: its running form if there is one. NULL when memory is refused. */
static struct kept *place(struct graph *graph, uint64_t start) {
    size_t at = graph->count;
    while (at && graph->windows[at - 1].start > start)
        at--;
    if (at && graph->windows[at - 1].start == start)
        return &graph->windows[at - 1];
    if (graph->count == graph->capacity) {
        size_t capacity = graph->capacity ? graph->capacity * 2 : 512;
        struct kept *bigger = realloc(graph->windows, capacity * sizeof(*bigger));
        if (!bigger)
            return NULL;
        graph->windows = bigger;
        graph->capacity = capacity;
    }
    memmove(graph->windows + at + 1, graph->windows + at, (graph->count - at) * sizeof(*graph->windows));
    graph->windows[at] = (struct kept){.start = start};
    graph->count++;
    return &graph->windows[at];
}

static void add_totals(struct kept *kept, const struct edge_window *window) {
    kept->calls += window->calls;
    kept->red += window->server_error + window->timeout + window->no_response;
    for (int i = 0; i < ERRNO_LIMIT; i++)
        kept->red += window->failures[i].count;
    kept->lost += window->lost;
    kept->transferred += window->request_bytes + window->response_bytes;
}

struct packing {
    struct graph *graph;
    struct kept *kept;
    struct packed packed;
};

static void pack(void *context, const struct edge *edge) {
    struct packing *packing = context;
    struct graph *graph = packing->graph;
    if (packing->packed.length > graph->memory_bytes / 2) {
        graph->counters.edges_left_out++;
        return;
    }
    struct known *known = known_edge(graph, edge);
    if (!known)
        return;
    if (packed_edge(&packing->packed, edge)) {
        graph->counters.memory_refused++;
        return;
    }
    if (known->last_seen < packing->kept->start)
        known->last_seen = packing->kept->start;
    add_totals(packing->kept, &edge->window);
}

static void keep(struct graph *graph, const struct window *window, const struct edges *edges, bool final) {
    struct kept *kept = place(graph, window->start);
    if (!kept) {
        graph->counters.memory_refused++;
        return;
    }
    if (kept->final)
        return; /* a window is written once */
    struct packing packing = {graph, kept, {0}};
    graph->bytes -= kept->size;
    free(kept->bytes);
    uint64_t end = window->start + window->length, now = graph->now();
    *kept = (struct kept){.start = window->start, .length = window->length, .final = final};
    kept->from = graph->began > kept->start && graph->began < end ? graph->began : kept->start;
    kept->to = now > kept->from && now < end ? now : end;
    edges_each(edges, pack, &packing);
    struct packed packed = packing.packed;
    uint8_t *fitting = packed.length ? realloc(packed.bytes, packed.length) : NULL;
    kept->bytes = fitting ? fitting : packed.bytes;
    kept->size = packed.length;
    graph->bytes += kept->size;
    shrink(graph);
}

void graph_window(struct graph *graph, const struct window *window, const struct edges *edges, bool final) {
    pthread_mutex_lock(&graph->lock);
    keep(graph, window, edges, final);
    graph->generation++;
    pthread_mutex_unlock(&graph->lock);
}

uint64_t graph_generation(struct graph *graph) {
    pthread_mutex_lock(&graph->lock);
    uint64_t generation = graph->generation;
    pthread_mutex_unlock(&graph->lock);
    return generation;
}

void graph_counters(struct graph *graph, struct graph_counters *ret_counters) {
    pthread_mutex_lock(&graph->lock);
    *ret_counters = graph->counters;
    ret_counters->windows = graph->count;
    ret_counters->bytes = graph->bytes;
    pthread_mutex_unlock(&graph->lock);
}
