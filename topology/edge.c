/* SPDX-License-Identifier: Apache-2.0 */
#include "edge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

void edges_init(struct edges *edges, size_t limit) {
    *edges = (struct edges){.table.limit = limit};
}

/* ---- one window of one edge ---- */

static void packets_free(struct edge_packets *packets) {
    if (packets) {
        histogram_done(&packets->rtt);
        histogram_done(&packets->connect_latency);
    }
    free(packets);
}

void edge_window_empty(struct edge_window *window) {
    histogram_done(&window->duration);
    histogram_done(&window->client_duration);
    for (unsigned i = 0; i < window->endpoint_count; i++)
        histogram_done(&window->endpoints[i].duration);
    free(window->endpoints);
    free(window->joins);
    address_set_done(&window->clients);
    packets_free(window->packets);
    memset(window, 0, sizeof(*window));
}

static bool window_silent(const struct edge_window *w) {
    return !(w->calls || w->waiting || w->lost || w->connects || w->failures[0].count || w->request_bytes ||
             w->response_bytes || w->request_datagrams || w->response_datagrams || w->client_duration.count ||
             w->packets);
}

void edge_saw_instance(struct edge_instances *instances, uint64_t id) {
    for (uint32_t i = 0; i < instances->count; i++)
        if (instances->ids[i] == id)
            return;
    if (!id)
        return;
    if (instances->count < WORKLOAD_INSTANCES) {
        instances->ids[instances->count++] = id;
        return;
    }
    uint64_t hash = XXH3_64bits(&id, sizeof(id));
    instances->filter[hash / 64 % 8] |= 1ULL << hash % 64;
}

uint32_t edge_instances_more(const struct edge_instances *instances) {
    uint32_t more = 0;
    for (int i = 0; i < 8; i++)
        more += __builtin_popcountll(instances->filter[i]);
    return more;
}

static void instances_merge(struct edge_instances *into, const struct edge_instances *from) {
    for (uint32_t i = 0; i < from->count; i++)
        edge_saw_instance(into, from->ids[i]);
    for (int i = 0; i < 8; i++)
        into->filter[i] |= from->filter[i];
}

void edge_add_failure(struct edge_window *window, int error, uint32_t count) {
    struct errno_count *failures = window->failures;
    for (int i = 0; i < ERRNO_LIMIT; i++) {
        if (!failures[i].count)
            failures[i].error = error;
        if (failures[i].error == error || i == ERRNO_LIMIT - 1) {
            failures[i].count += count;
            return;
        }
    }
}

struct edge_packets *edge_packets(struct edge_window *window) {
    if (!window->packets)
        window->packets = calloc(1, sizeof(*window->packets));
    return window->packets;
}

void edge_add_drop(struct edge_packets *packets, const char *reason, uint64_t count) {
    struct edge_drop *drop = packets->drops, *last = drop + DROP_LIMIT - 1;
    while (drop < last && drop->reason && strcmp(drop->reason, reason))
        drop++;
    if (!drop->reason || strcmp(drop->reason, reason))
        drop->reason = drop == last ? "other" : reason;
    drop->packets += count;
}

static void packets_merge(struct edge_window *into, const struct edge_packets *from) {
    struct edge_packets *packets = from ? edge_packets(into) : NULL;
    if (!packets)
        return;
    packets->request += from->request;
    packets->response += from->response;
    packets->retransmits += from->retransmits;
    packets->zero_windows += from->zero_windows;
    histogram_merge(&packets->rtt, &from->rtt);
    histogram_merge(&packets->connect_latency, &from->connect_latency);
    for (int i = 0; i < DROP_LIMIT && from->drops[i].reason; i++)
        edge_add_drop(packets, from->drops[i].reason, from->drops[i].packets);
}

void edge_add_join(struct edge_window *window, const struct edge_join *join) {
    for (uint32_t i = 0; i < window->join_count; i++)
        if (window->joins[i].isn == join->isn)
            return;
    if (!window->joins)
        window->joins = calloc(JOIN_LIMIT, sizeof(*window->joins));
    if (window->joins && window->join_count < JOIN_LIMIT)
        window->joins[window->join_count++] = *join;
}

static struct endpoint *endpoint_append(struct edge_window *window, uint64_t hash, const char *operation,
                                        const char *name) {
    if (window->endpoint_count == window->endpoint_capacity) {
        uint32_t capacity = window->endpoint_capacity ? window->endpoint_capacity * 2 : 2;
        if (capacity > ENDPOINT_LIMIT + 1)
            capacity = ENDPOINT_LIMIT + 1;
        struct endpoint *bigger = realloc(window->endpoints, capacity * sizeof(*bigger));
        if (!bigger)
            return NULL;
        window->endpoints = bigger;
        window->endpoint_capacity = capacity;
    }
    struct endpoint *endpoint = &window->endpoints[window->endpoint_count++];
    memset(endpoint, 0, sizeof(*endpoint));
    endpoint->hash = hash;
    snprintf(endpoint->operation, sizeof(endpoint->operation), "%s", operation);
    snprintf(endpoint->name, sizeof(endpoint->name), "%s", name);
    return endpoint;
}

/* Hash 0 is that of `other`. */
static struct endpoint *endpoint_at(struct edge_window *window, uint64_t hash, const char *operation,
                                    const char *name) {
    for (unsigned i = 0; i < window->endpoint_count; i++)
        if (window->endpoints[i].hash == hash)
            return &window->endpoints[i];
    if (window->endpoint_count < ENDPOINT_LIMIT)
        return endpoint_append(window, hash, operation, name);
    if (hash)
        return endpoint_at(window, 0, "", "other");
    return endpoint_append(window, 0, "", "other");
}

struct endpoint *edge_endpoint(struct edge_window *window, const char *operation, const char *name) {
    uint64_t hash = XXH3_64bits(name, strlen(name)) ^ XXH3_64bits(operation, strlen(operation)) * 3;
    return endpoint_at(window, hash ? hash : 1, operation, name);
}

static void endpoints_merge(struct edge_window *into, const struct edge_window *from) {
    for (unsigned i = 0; i < from->endpoint_count; i++) {
        const struct endpoint *add = &from->endpoints[i];
        struct endpoint *endpoint = endpoint_at(into, add->hash, add->operation, add->name);
        if (!endpoint)
            continue;
        endpoint->calls += add->calls;
        endpoint->errors += add->errors;
        histogram_merge(&endpoint->duration, &add->duration);
    }
}

static void window_merge(struct edge_window *into, const struct edge_window *from) {
    into->calls += from->calls;
    into->client_error += from->client_error;
    into->server_error += from->server_error;
    into->timeout += from->timeout;
    into->no_response += from->no_response;
    into->waiting += from->waiting;
    into->lost += from->lost;
    into->late += from->late;
    into->request_bytes += from->request_bytes;
    into->response_bytes += from->response_bytes;
    into->connects += from->connects;
    into->request_datagrams += from->request_datagrams;
    into->response_datagrams += from->response_datagrams;
    for (int i = 0; i < ERRNO_LIMIT && from->failures[i].count; i++)
        edge_add_failure(into, from->failures[i].error, from->failures[i].count);
    histogram_merge(&into->duration, &from->duration);
    histogram_merge(&into->client_duration, &from->client_duration);
    endpoints_merge(into, from);
    for (uint32_t i = 0; i < from->join_count; i++)
        edge_add_join(into, &from->joins[i]);
    address_set_merge(&into->clients, &from->clients);
    instances_merge(&into->client_instances, &from->client_instances);
    instances_merge(&into->server_instances, &from->server_instances);
    packets_merge(into, from->packets);
}

/* ---- the table ---- */

static void edge_free(struct edge *edge) {
    edge_window_empty(&edge->window);
    if (edge->previous)
        edge_window_empty(edge->previous);
    free(edge->previous);
    free(edge);
}

void edges_clear(struct edges *edges) {
    for (size_t i = 0; i < edges->table.capacity; i++)
        if (edges->table.slots[i].value)
            edge_free(edges->table.slots[i].value);
    table_done(&edges->table);
}

void edges_done(struct edges *edges) {
    edges_clear(edges);
}

static uint64_t key_of(const struct edge *edge) {
    struct {
        uint64_t client, server;
        uint32_t protocol;
        uint16_t port, transport;
    } key = {edge->client.id, edge->server.id, edge->protocol, edge->server_port, edge->transport};
    uint64_t hash = XXH3_64bits(&key, sizeof(key));
    return hash ? hash : 1;
}

static struct edge *edges_put(struct edges *edges, uint64_t id, const struct edge *like) {
    struct edge *edge = malloc(sizeof(*edge));
    if (!edge || table_put(&edges->table, id, edge)) {
        edges->refused++;
        free(edge);
        return NULL;
    }
    *edge = *like;
    edge->id = id;
    memset(&edge->window, 0, sizeof(edge->window));
    edge->previous = NULL;
    edge->open_connections = edge->in_flight = edge->references = edge->idle = 0;
    return edge;
}

struct edge *edges_get(struct edges *edges, const struct edge *like) {
    uint64_t id = key_of(like);
    struct edge *edge = table_get(&edges->table, id);
    return edge ? edge : edges_put(edges, id, like);
}

/* ---- windows ---- */

static struct edge_window *former_window(struct edge *edge) {
    if (!edge->previous)
        edge->previous = calloc(1, sizeof(*edge->previous));
    return edge->previous;
}

struct edge_window *edges_former(struct edges *edges, struct edge *edge) {
    (void)edges;
    struct edge_window *window = former_window(edge);
    return window ? window : &edge->window;
}

struct edge_window *edges_window_of_call(struct edges *edges, struct edge *edge, uint64_t time) {
    struct edge_window *window = edges_window(edges, edge, time);
    window->late += edges->length && (time >= edges->end || (time < edges->start && window == &edge->window));
    return window;
}

/* What the edge has becomes its window before; true if there was anything. */
static bool edge_next(struct edge *edge) {
    struct edge_window *window = &edge->window;
    window->open_connections = edge->open_connections;
    window->in_flight = edge->in_flight;
    if (window_silent(window) && !window->open_connections && !window->in_flight) {
        edge_window_empty(window);
        return false;
    }
    struct edge_window *former = former_window(edge);
    if (!former) { /* without memory it stays where it is, and goes out with the next one */
        window->late = window->calls;
        return true;
    }
    *former = *window;
    memset(window, 0, sizeof(*window));
    return true;
}

static void evict(struct edges *edges) {
    bool crowded = edges->table.limit && edges->table.count * 8 >= edges->table.limit * 7;
    for (size_t i = 0; i < edges->table.capacity;) {
        struct edge *edge = edges->table.slots[i].value;
        if (!edge || edge->references || edge->idle < (crowded ? 1 : EDGE_IDLE_WINDOWS)) {
            i++;
            continue;
        }
        edges->evicted_early += edge->idle < EDGE_IDLE_WINDOWS;
        table_remove(&edges->table, edge->id); /* moves another into this slot, perhaps */
        edge_free(edge);
    }
}

void edges_next(struct edges *edges) {
    for (size_t i = 0; i < edges->table.capacity; i++) {
        struct edge *edge = edges->table.slots[i].value;
        if (edge)
            edge->idle = edge_next(edge) ? 0 : edge->idle + 1;
    }
    evict(edges);
    edges->start = edges->end;
    edges->end += edges->length; /* until edges_plan knows better */
    edges->sequence++;
    edges->previous_open = true;
}

static void drop_former(struct edges *edges) {
    for (size_t i = 0; i < edges->table.capacity; i++) {
        struct edge *edge = edges->table.slots[i].value;
        if (!edge || !edge->previous)
            continue;
        window_merge(&edge->window, edge->previous);
        edge->window.late += edge->previous->calls;
        edge_window_empty(edge->previous);
        free(edge->previous);
        edge->previous = NULL;
    }
    edges->previous_open = false;
}

void edges_plan(struct edges *edges, const struct window_clock *clock) {
    while (edges->sequence != clock->sequence && edges->length) {
        if (edges->previous_open) /* nobody came for it: what it holds goes out late */
            drop_former(edges);
        edges_next(edges);
    }
    edges->sequence = clock->sequence;
    edges->start = clock->start;
    edges->end = clock->end;
    edges->length = clock->window.length;
}

static void edge_merge(struct edges *into, struct edge *from, struct edge_window *window, enum edges_part part) {
    struct edge *edge = edges_get(into, from);
    if (!edge)
        return;
    edge->client_here |= from->client_here;
    edge->server_here |= from->server_here;
    edge->open_connections += part == EDGES_RUNNING ? from->open_connections : window->open_connections;
    edge->in_flight += part == EDGES_RUNNING ? from->in_flight : window->in_flight;
    if (part == EDGES_ENDED && window_silent(&edge->window)) {
        edge_window_empty(&edge->window);
        edge->window = *window;
        memset(window, 0, sizeof(*window));
        return;
    }
    window_merge(&edge->window, window);
}

static void merge_running(struct edges *into, struct edge *edge) {
    if (!window_silent(&edge->window) || edge->open_connections || edge->in_flight)
        edge_merge(into, edge, &edge->window, EDGES_RUNNING);
}

static void merge_former(struct edges *into, struct edge *edge) {
    if (edge->previous)
        edge_merge(into, edge, edge->previous, EDGES_FORMER);
}

static void merge_ended(struct edges *into, struct edge *edge) {
    if (!edge->previous)
        return;
    edge_merge(into, edge, edge->previous, EDGES_ENDED);
    edge_window_empty(edge->previous);
    free(edge->previous);
    edge->previous = NULL;
}

void edges_merge(struct edges *into, struct edges *from, enum edges_part part) {
    for (size_t i = 0; i < from->table.capacity; i++) {
        struct edge *edge = from->table.slots[i].value;
        if (edge && part == EDGES_RUNNING)
            merge_running(into, edge);
        else if (edge && part == EDGES_FORMER)
            merge_former(into, edge);
        else if (edge)
            merge_ended(into, edge);
    }
    if (part == EDGES_ENDED)
        from->previous_open = false;
}

bool edge_silent(const struct edge *edge) {
    return window_silent(&edge->window) && !edge->open_connections && !edge->in_flight;
}

void edges_each(const struct edges *edges, void (*visit)(void *context, const struct edge *edge), void *context) {
    for (size_t i = 0; i < edges->table.capacity; i++) {
        const struct edge *edge = edges->table.slots[i].value;
        if (edge && !edge_silent(edge))
            visit(context, edge);
    }
}

void edges_empty(struct edges *edges) {
    for (size_t i = 0; i < edges->table.capacity; i++) {
        struct edge *edge = edges->table.slots[i].value;
        if (edge)
            edge_window_empty(&edge->window);
    }
}
