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

static void window_empty(struct edge_window *window) {
    histogram_done(&window->duration);
    histogram_done(&window->client_duration);
    for (unsigned i = 0; i < window->endpoint_count; i++)
        histogram_done(&window->endpoints[i].duration);
    memset(window, 0, sizeof(*window));
}

void edges_done(struct edges *edges) {
    for (size_t i = 0; i < edges->table.capacity; i++) {
        struct edge *edge = edges->table.slots[i].value;
        if (edge)
            window_empty(&edge->window);
        free(edge);
    }
    table_done(&edges->table);
}

static uint64_t key_of(const struct edge *edge) {
    struct {
        uint64_t client, server;
        uint32_t protocol, port;
    } key = {edge->client.id, edge->server.id, edge->protocol, edge->server_port};
    uint64_t hash = XXH3_64bits(&key, sizeof(key));
    return hash ? hash : 1;
}

struct edge *edges_get(struct edges *edges, const struct edge *like) {
    uint64_t id = key_of(like);
    struct edge *edge = table_get(&edges->table, id);
    if (edge)
        return edge;
    edge = malloc(sizeof(*edge));
    if (!edge || table_put(&edges->table, id, edge)) {
        edges->refused++;
        free(edge);
        return NULL;
    }
    *edge = *like;
    edge->id = id;
    return edge;
}

static bool silent(const struct edge *edge) {
    const struct edge_window *w = &edge->window;
    return !(w->calls || w->waiting || w->no_response || w->lost || w->connects || w->failures[0].count ||
             w->request_bytes || w->response_bytes || w->client_duration.count || edge->open_connections ||
             edge->in_flight);
}

void edges_each(const struct edges *edges, void (*visit)(void *context, const struct edge *edge), void *context) {
    for (size_t i = 0; i < edges->table.capacity; i++) {
        const struct edge *edge = edges->table.slots[i].value;
        if (edge && !silent(edge))
            visit(context, edge);
    }
}

void edges_empty(struct edges *edges) {
    for (size_t i = 0; i < edges->table.capacity; i++) {
        struct edge *edge = edges->table.slots[i].value;
        if (edge)
            window_empty(&edge->window);
    }
}

void edge_add_failure(struct edge *edge, int error) {
    struct errno_count *failures = edge->window.failures;
    for (int i = 0; i < ERRNO_LIMIT; i++) {
        if (!failures[i].count)
            failures[i].error = error;
        if (failures[i].error == error || i == ERRNO_LIMIT - 1) {
            failures[i].count++;
            return;
        }
    }
}

struct endpoint *edge_endpoint(struct edge *edge, const char *operation, const char *name) {
    struct edge_window *window = &edge->window;
    uint64_t hash = XXH3_64bits(name, strlen(name)) ^ XXH3_64bits(operation, strlen(operation)) * 3;
    for (unsigned i = 0; i < window->endpoint_count; i++)
        if (window->endpoints[i].hash == hash)
            return &window->endpoints[i];
    if (window->endpoint_count > ENDPOINT_LIMIT)
        return &window->endpoints[ENDPOINT_LIMIT];
    bool other = window->endpoint_count == ENDPOINT_LIMIT;
    struct endpoint *endpoint = &window->endpoints[window->endpoint_count++];
    endpoint->hash = other ? 0 : hash;
    snprintf(endpoint->operation, sizeof(endpoint->operation), "%s", other ? "" : operation);
    snprintf(endpoint->name, sizeof(endpoint->name), "%s", other ? "other" : name);
    return endpoint;
}
