/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is asked of the graph. Every answer adds up the packed windows of a range, edge by edge, and writes the sums
 * as jansson objects; docs/api.md names the fields. A share is a part of calls and failed connects together; without
 * either it is absent.
 */
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/record.h"
#include "graph_store.h"
#include "json_text.h"

#define STALE_NS (5 * 60 * 1000000000ULL) /* an edge that says nothing stays on the map this long, faded */
enum { SERIES_POINTS = 360 };

/* One edge added up over a range. */
struct slot {
    const struct known *known;
    struct edge_sum sum;
    uint64_t last_window; /* start of the last window that held it */
    uint32_t open_before; /* connections that were open when the range began */
    bool stale;           /* nothing in the range */
};

struct sums {
    struct table slots; /* edge id -> struct slot */
    size_t first, last; /* windows, [first, last) */
    uint64_t from, to;
    double seconds; /* watched */
};

static void select_windows(const struct graph *graph, struct graph_range range, struct sums *sums) {
    size_t last = graph->count;
    while (range.to && last > 1 && graph->windows[last - 1].start >= range.to)
        last--;
    sums->first = sums->last = last;
    if (!last)
        return;
    uint64_t to = graph->windows[last - 1].to;
    do
        sums->first--;
    while (sums->first &&
           graph->windows[sums->first - 1].start + graph->windows[sums->first - 1].length / 2 + range.length >= to);
    sums->from = graph->windows[sums->first].from;
    sums->to = to;
    for (size_t i = sums->first; i < last; i++)
        sums->seconds += (double)(graph->windows[i].to - graph->windows[i].from) / 1e9;
}

static struct slot *slot_of(const struct graph *graph, struct sums *sums, uint64_t id) {
    struct slot *slot = table_get(&sums->slots, id);
    if (slot)
        return slot;
    slot = calloc(1, sizeof(*slot));
    if (!slot || !(slot->known = table_get(&graph->known, id)) || table_put(&sums->slots, id, slot)) {
        free(slot);
        return NULL;
    }
    return slot;
}

static void add_window(const struct graph *graph, struct sums *sums, const struct kept *kept, bool with_endpoints) {
    struct packed_cursor block = packed_block(kept->bytes, kept->size), edge;
    for (uint64_t id; (id = packed_next(&block, &edge));) {
        struct slot *slot = slot_of(graph, sums, id);
        if (!slot)
            continue;
        packed_merge(edge, &slot->sum, with_endpoints);
        slot->last_window = kept->start;
    }
}

/* Open connections of the window before the range: those that the range did not see open. */
static void add_open_before(const struct graph *graph, struct sums *sums) {
    if (!sums->first)
        return;
    const struct kept *kept = &graph->windows[sums->first - 1];
    struct packed_cursor block = packed_block(kept->bytes, kept->size), edge;
    for (uint64_t id; (id = packed_next(&block, &edge));) {
        struct slot *slot = table_get(&sums->slots, id);
        struct edge_sum before = {0};
        packed_merge(edge, &before, false);
        if (slot)
            slot->open_before = before.open_connections;
        edge_sum_done(&before);
    }
}

static void add_stale(const struct graph *graph, struct sums *sums) {
    for (size_t i = 0; i < graph->known.capacity; i++) {
        const struct known *known = graph->known.slots[i].value;
        if (!known || known->last_seen >= sums->from || known->last_seen + STALE_NS < sums->from ||
            table_get(&sums->slots, known->id))
            continue;
        struct slot *slot = slot_of(graph, sums, known->id);
        if (slot)
            slot->stale = true;
    }
}

static void sums_fill(const struct graph *graph, struct graph_range range, bool with_endpoints, struct sums *sums) {
    select_windows(graph, range, sums);
    for (size_t i = sums->first; i < sums->last; i++)
        add_window(graph, sums, &graph->windows[i], with_endpoints);
    add_open_before(graph, sums);
    add_stale(graph, sums);
    for (size_t i = 0; sums->last && i < sums->slots.capacity; i++) {
        struct slot *slot = sums->slots.slots[i].value;
        if (slot && slot->last_window != graph->windows[sums->last - 1].start)
            slot->sum.open_connections = slot->sum.in_flight = 0;
    }
}

static void sums_done(struct sums *sums) {
    for (size_t i = 0; i < sums->slots.capacity; i++) {
        struct slot *slot = sums->slots.slots[i].value;
        if (slot)
            edge_sum_done(&slot->sum);
        free(slot);
    }
    table_done(&sums->slots);
}

static void set_integer(json_t *object, const char *key, uint64_t value) {
    json_object_set_new(object, key, json_integer((json_int_t)value));
}

static void set_text(json_t *object, const char *key, const char *text) {
    json_object_set_new(object, key, json_text(text));
}

static void set_id(json_t *object, const char *key, uint64_t id) {
    char text[17];
    snprintf(text, sizeof(text), "%016" PRIx64, id);
    json_object_set_new(object, key, json_string(text));
}

static json_t *quantiles(const struct histogram *histogram) {
    json_t *object = json_object();
    set_integer(object, "count", histogram->count);
    set_integer(object, "p50", histogram_quantile(histogram, 0.5));
    set_integer(object, "p95", histogram_quantile(histogram, 0.95));
    set_integer(object, "p99", histogram_quantile(histogram, 0.99));
    set_integer(object, "max", histogram->max);
    return object;
}

/* What the packet side saw; nothing where it was not at work. */
static void set_packets(json_t *object, const struct edge_sum *sum) {
    if (!sum->has_packets)
        return;
    json_t *packets = json_object(), *drops = json_object();
    set_integer(packets, "request", sum->request_packets);
    set_integer(packets, "response", sum->response_packets);
    json_object_set_new(object, "packets", packets);
    set_integer(object, "retransmits", sum->retransmits);
    set_integer(object, "zero_windows", sum->zero_windows);
    set_integer(object, "dropped", sum->dropped);
    for (int i = 0; i < DROP_LIMIT && sum->drops[i].reason[0]; i++)
        set_integer(drops, sum->drops[i].reason, sum->drops[i].packets);
    json_object_set_new(object, "drops", drops);
    if (sum->rtt.count)
        json_object_set_new(object, "rtt", quantiles(&sum->rtt));
    if (sum->connect_latency.count)
        json_object_set_new(object, "connect_latency", quantiles(&sum->connect_latency));
}

/* Rate, errors, durations and bytes: what edges, nodes and totals have in common. */
static void set_red(json_t *object, const struct edge_sum *sum, double seconds) {
    uint64_t attempts = sum->calls + sum->failed;
    json_t *errors = json_object();
    set_integer(errors, "client_error", sum->client_error);
    set_integer(errors, "server_error", sum->server_error);
    set_integer(errors, "timeout", sum->timeout);
    set_integer(errors, "no_response", sum->no_response);
    set_integer(errors, "connect", sum->failed);
    set_integer(object, "calls", sum->calls);
    json_object_set_new(object, "errors", errors);
    if (seconds > 0)
        json_object_set_new(object, "rate", json_real((double)sum->calls / seconds));
    /* Without calls to measure against, failed connects are a part of all connects. */
    uint64_t whole = sum->calls ? attempts : sum->connects + sum->failed;
    if (whole)
        json_object_set_new(object, "error_share", json_real((double)edge_sum_red(sum) / (double)whole));
    if (sum->calls)
        json_object_set_new(object, "client_error_share", json_real((double)sum->client_error / (double)sum->calls));
    if (sum->duration.count)
        json_object_set_new(object, "duration", quantiles(&sum->duration));
    if (sum->client_duration.count)
        json_object_set_new(object, "client_duration", quantiles(&sum->client_duration));
    json_t *bytes = json_object();
    set_integer(bytes, "request", sum->request_bytes);
    set_integer(bytes, "response", sum->response_bytes);
    json_object_set_new(object, "bytes", bytes);
    set_integer(object, "connects", sum->connects);
    set_integer(object, "open_connections", sum->open_connections);
    set_integer(object, "in_flight", sum->in_flight);
    set_integer(object, "waiting", sum->waiting);
    set_integer(object, "lost", sum->lost);
    set_integer(object, "late", sum->late);
    set_packets(object, sum);
}

static void set_failures(json_t *object, const struct edge_sum *sum) {
    if (!sum->failures[0].count)
        return;
    json_t *failures = json_object();
    for (int i = 0; i < ERRNO_LIMIT && sum->failures[i].count; i++) {
        const char *name = strerrorname_np(sum->failures[i].error);
        set_integer(failures, name ? name : "UNKNOWN", sum->failures[i].count);
    }
    json_object_set_new(object, "connect_failures", failures);
}

static const char *observed_at(const struct known *known) {
    return known->client_here && known->server_here ? "both" : known->server_here ? "server" : "client";
}

static json_t *edge_object(const struct slot *slot, double seconds) {
    static const char *const proofs[] = {"none", "connect", "accept", "listen", "first"};
    const struct known *known = slot->known;
    const char *protocol = protocol_name(known->protocol);
    const char *transport = known->transport == TRANSPORT_UDP ? "udp" : "tcp";
    char address[INET6_ADDRSTRLEN] = "";
    json_t *object = json_object();
    inet_ntop(known->family == 4 ? AF_INET : AF_INET6, known->address, address, sizeof(address));
    set_id(object, "id", known->id);
    set_id(object, "client", known->client.id);
    set_id(object, "server", known->server.id);
    set_integer(object, "server_port", known->server_port);
    set_text(object, "seen_address", address);
    set_integer(object, "seen_port", known->seen_port);
    set_text(object, "protocol", protocol ? protocol : transport);
    set_text(object, "transport", transport);
    json_object_set_new(object, "tls", json_boolean(known->protocol == PROTOCOL_TLS));
    set_text(object, "observed_at", observed_at(known));
    set_text(object, "direction_proof", proofs[known->proof < 5 ? known->proof : 0]);
    set_integer(object, "last_seen", known->last_seen);
    if (slot->stale)
        json_object_set_new(object, "stale", json_true());
    set_red(object, &slot->sum, seconds);
    set_failures(object, &slot->sum);
    if (slot->sum.client_addresses)
        set_integer(object, "client_addresses", slot->sum.client_addresses);
    if (slot->sum.client_addresses_more)
        json_object_set_new(object, "client_addresses_more", json_true());
    return object;
}

/* A workload, and everything that is asked of it as a server. */
struct node {
    uint64_t id;
    struct edge_end end;
    struct edge_sum served;
    bool fresh; /* an edge of its is not stale */
};

static struct node *node_of(struct table *nodes, const struct edge_end *end) {
    struct node *node = table_get(nodes, end->id);
    if (node)
        return node;
    node = calloc(1, sizeof(*node));
    if (!node || table_put(nodes, end->id, node)) {
        free(node);
        return NULL;
    }
    node->id = end->id;
    node->end = *end;
    return node;
}

static void add_nodes(const struct sums *sums, struct table *nodes) {
    for (size_t i = 0; i < sums->slots.capacity; i++) {
        const struct slot *slot = sums->slots.slots[i].value;
        if (!slot)
            continue;
        struct node *client = node_of(nodes, &slot->known->client), *server = node_of(nodes, &slot->known->server);
        if (client)
            client->fresh |= !slot->stale;
        if (!server)
            continue;
        server->fresh |= !slot->stale;
        edge_sum_add(&server->served, &slot->sum);
        server->served.open_connections += slot->sum.open_connections;
        server->served.in_flight += slot->sum.in_flight;
    }
}

static void nodes_done(struct table *nodes) {
    for (size_t i = 0; i < nodes->capacity; i++) {
        struct node *node = nodes->slots[i].value;
        if (node)
            edge_sum_done(&node->served);
        free(node);
    }
    table_done(nodes);
}

static uint64_t instance_count(const struct workload *workload) {
    struct workload_facts facts;
    workload_facts(workload, &facts);
    return facts.instance_count + facts.instances_more;
}

static const char *name_of(const struct edge_end *end) {
    return end->workload ? end->workload->name : end->name;
}

/* Who it is, without what it does. */
static json_t *end_object(const struct edge_end *end) {
    json_t *object = json_object();
    set_id(object, "id", end->id);
    set_text(object, "name", name_of(end));
    set_text(object, "kind", end->kind);
    if (end->workload && end->workload->scope[0])
        set_text(object, "scope", end->workload->scope);
    if (end->executable && end->executable[0])
        set_text(object, "executable", end->executable);
    return object;
}

static json_t *node_object(const struct node *node, double seconds) {
    json_t *object = end_object(&node->end), *served = json_object();
    uint64_t instances = node->end.workload ? instance_count(node->end.workload) : 0;
    if (instances)
        set_integer(object, "instance_count", instances);
    if (!node->fresh)
        json_object_set_new(object, "stale", json_true());
    if (node->end.stale)
        json_object_set_new(object, "stale_name", json_true());
    set_red(served, &node->served, seconds);
    json_object_set_new(object, "served", served);
    return object;
}

static void set_known_text(json_t *object, const char *key, const char *text) {
    if (text[0])
        set_text(object, key, text);
}

static json_t *instance_object(const struct workload_instance *instance) {
    json_t *object = json_object();
    if (instance->pid)
        set_integer(object, "pid", instance->pid);
    set_known_text(object, "container", instance->container);
    set_known_text(object, "container_id", instance->container_id);
    set_known_text(object, "image", instance->image);
    set_known_text(object, "pod", instance->pod);
    return object;
}

/* The processes or containers behind a node, and what is known of their program. */
static void set_facts(json_t *object, const struct edge_end *end) {
    struct workload_facts facts;
    if (!end->workload)
        return;
    workload_facts(end->workload, &facts);
    json_t *instances = json_array();
    for (unsigned i = 0; i < facts.instance_count; i++)
        json_array_append_new(instances, instance_object(&facts.instances[i]));
    json_object_set_new(object, "instances", instances);
    set_integer(object, "instances_more", facts.instances_more);
    set_known_text(object, "script", facts.program.script);
    set_known_text(object, "build_id", facts.program.build_id);
    set_known_text(object, "language", facts.program.language);
    set_known_text(object, "language_version", facts.program.language_version);
    set_known_text(object, "tls_library", facts.program.tls_library);
    set_known_text(object, "runtime", facts.runtime);
    if (end->workload->inferred)
        json_object_set_new(object, "inferred", json_true());
}

/* What weft counts but cannot read: why, and how much of everything that is. */
struct opaque {
    uint64_t connections, bytes;
};

static void add_opaque(json_t *reasons, const char *reason, const char *text, struct opaque part, struct opaque all) {
    if (!part.connections && !part.bytes)
        return;
    json_t *object = json_object();
    set_text(object, "reason", reason);
    set_text(object, "text", text);
    set_integer(object, "connections", part.connections);
    set_integer(object, "bytes", part.bytes);
    if (all.connections)
        json_object_set_new(object, "connection_share", json_real((double)part.connections / (double)all.connections));
    if (all.bytes)
        json_object_set_new(object, "byte_share", json_real((double)part.bytes / (double)all.bytes));
    json_array_append_new(reasons, object);
}

static json_t *opaque_object(const struct sums *sums) {
    struct opaque all = {0}, tls = {0}, unknown = {0};
    for (size_t i = 0; i < sums->slots.capacity; i++) {
        const struct slot *slot = sums->slots.slots[i].value;
        if (!slot)
            continue;
        struct opaque *part = slot->known->protocol == PROTOCOL_TLS       ? &tls
                              : slot->known->protocol == PROTOCOL_UNKNOWN ? &unknown
                                                                          : NULL;
        uint64_t connections = slot->open_before + slot->sum.connects;
        uint64_t bytes = slot->sum.request_bytes + slot->sum.response_bytes;
        all.connections += connections;
        all.bytes += bytes;
        if (part) {
            part->connections += connections;
            part->bytes += bytes;
        }
    }
    json_t *object = json_object(), *reasons = json_array();
    struct opaque both = {tls.connections + unknown.connections, tls.bytes + unknown.bytes};
    set_integer(object, "connections", both.connections);
    set_integer(object, "bytes", both.bytes);
    if (all.connections)
        json_object_set_new(object, "connection_share", json_real((double)both.connections / (double)all.connections));
    if (all.bytes)
        json_object_set_new(object, "byte_share", json_real((double)both.bytes / (double)all.bytes));
    add_opaque(reasons, "tls", "encrypted (TLS)", tls, all);
    add_opaque(reasons, "unknown", "protocol not recognised", unknown, all);
    json_object_set_new(object, "reasons", reasons);
    return object;
}

static json_t *totals_object(const struct sums *sums) {
    struct edge_sum total = {0};
    for (size_t i = 0; i < sums->slots.capacity; i++) {
        const struct slot *slot = sums->slots.slots[i].value;
        if (!slot)
            continue;
        edge_sum_add(&total, &slot->sum);
        total.open_connections += slot->sum.open_connections;
        total.in_flight += slot->sum.in_flight;
    }
    json_t *object = json_object();
    set_red(object, &total, sums->seconds);
    edge_sum_done(&total);
    return object;
}

static json_t *range_object(const struct graph *graph, const struct sums *sums) {
    json_t *object = json_object();
    set_integer(object, "version", 1);
    set_integer(object, "from", sums->from);
    set_integer(object, "to", sums->to);
    json_object_set_new(object, "seconds", json_real(sums->seconds));
    if (graph->count)
        set_integer(object, "oldest", graph->windows[0].from);
    if (sums->last)
        json_object_set_new(object, "running", json_boolean(!graph->windows[sums->last - 1].final));
    return object;
}

json_t *graph_map(struct graph *graph, struct graph_range range) {
    struct sums sums = {0};
    struct table nodes = {0};
    pthread_mutex_lock(&graph->lock);
    sums_fill(graph, range, false, &sums);
    add_nodes(&sums, &nodes);
    json_t *map = range_object(graph, &sums), *list = json_array(), *edges = json_array();
    for (size_t i = 0; i < nodes.capacity; i++)
        if (nodes.slots[i].value)
            json_array_append_new(list, node_object(nodes.slots[i].value, sums.seconds));
    for (size_t i = 0; i < sums.slots.capacity; i++)
        if (sums.slots.slots[i].value)
            json_array_append_new(edges, edge_object(sums.slots.slots[i].value, sums.seconds));
    json_object_set_new(map, "nodes", list);
    json_object_set_new(map, "edges", edges);
    json_object_set_new(map, "totals", totals_object(&sums));
    json_object_set_new(map, "opaque", opaque_object(&sums));
    pthread_mutex_unlock(&graph->lock);
    nodes_done(&nodes);
    sums_done(&sums);
    return map;
}

/* One point of a series: some windows in a row added up. */
static void add_point(json_t *series, uint64_t time, double seconds, const struct edge_sum *sum) {
    const struct histogram *histogram = sum->duration.count ? &sum->duration : &sum->client_duration;
    static const struct {
        const char *name;
        double quantile;
    } lines[] = {{"p50", 0.5}, {"p95", 0.95}, {"p99", 0.99}};
    json_array_append_new(json_object_get(series, "time"), json_integer((json_int_t)time));
    json_array_append_new(json_object_get(series, "rate"), json_real((double)sum->calls / seconds));
    json_array_append_new(json_object_get(series, "errors"), json_real((double)edge_sum_red(sum) / seconds));
    json_array_append_new(json_object_get(series, "client_errors"), json_real((double)sum->client_error / seconds));
    json_array_append_new(json_object_get(series, "bytes"),
                          json_real((double)(sum->request_bytes + sum->response_bytes) / seconds));
    for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++)
        json_array_append_new(json_object_get(series, lines[i].name),
                              histogram->count
                                  ? json_integer((json_int_t)histogram_quantile(histogram, lines[i].quantile))
                                  : json_null());
}

static json_t *series_new(void) {
    static const char *const names[] = {"time", "rate", "errors", "client_errors", "bytes", "p50", "p95", "p99"};
    json_t *series = json_object();
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        json_object_set_new(series, names[i], json_array());
    return series;
}

/* The whole hour of every edge that `wanted` says yes to; at most SERIES_POINTS points, each of some windows. */
static json_t *series_object(const struct graph *graph, bool (*wanted)(const struct known *known, uint64_t id),
                             uint64_t id) {
    json_t *series = series_new();
    size_t together = (graph->count + SERIES_POINTS - 1) / SERIES_POINTS;
    for (size_t first = 0; first < graph->count; first += together) {
        struct edge_sum sum = {0};
        double seconds = 0;
        for (size_t i = first; i < graph->count && i < first + together; i++) {
            const struct kept *kept = &graph->windows[i];
            struct packed_cursor block = packed_block(kept->bytes, kept->size), edge;
            for (uint64_t edge_id; (edge_id = packed_next(&block, &edge));) {
                const struct known *known = table_get(&graph->known, edge_id);
                if (known && wanted(known, id))
                    packed_merge(edge, &sum, false);
            }
            seconds += (double)(kept->to - kept->from) / 1e9;
        }
        if (seconds > 0)
            add_point(series, graph->windows[first].from, seconds, &sum);
        edge_sum_done(&sum);
    }
    return series;
}

static bool is_edge(const struct known *known, uint64_t id) {
    return known->id == id;
}

static bool is_served_by(const struct known *known, uint64_t id) {
    return known->server.id == id;
}

static int more_calls(const void *left, const void *right) {
    const struct endpoint_sum *a = left, *b = right;
    return (a->calls < b->calls) - (a->calls > b->calls);
}

static json_t *endpoints_array(struct edge_sum *sum, double seconds) {
    json_t *array = json_array();
    if (sum->endpoint_count)
        qsort(sum->endpoints, sum->endpoint_count, sizeof(*sum->endpoints), more_calls);
    for (size_t i = 0; i < sum->endpoint_count; i++) {
        const struct endpoint_sum *endpoint = &sum->endpoints[i];
        json_t *object = json_object();
        set_text(object, "endpoint", endpoint->name);
        if (endpoint->operation[0])
            set_text(object, "operation", endpoint->operation);
        set_integer(object, "calls", endpoint->calls);
        set_integer(object, "errors", endpoint->errors);
        if (seconds > 0)
            json_object_set_new(object, "rate", json_real((double)endpoint->calls / seconds));
        if (endpoint->duration.count)
            json_object_set_new(object, "duration", quantiles(&endpoint->duration));
        json_array_append_new(array, object);
    }
    return array;
}

/* An edge that the range does not hold, but the hour does. */
static struct slot *slot_or_stale(const struct graph *graph, struct sums *sums, uint64_t id) {
    struct slot *slot = table_get(&sums->slots, id);
    if (slot)
        return slot;
    slot = slot_of(graph, sums, id);
    if (slot)
        slot->stale = true;
    return slot;
}

json_t *graph_edge(struct graph *graph, uint64_t id, struct graph_range range) {
    struct sums sums = {0};
    json_t *answer = NULL;
    pthread_mutex_lock(&graph->lock);
    sums_fill(graph, range, true, &sums);
    struct slot *slot = slot_or_stale(graph, &sums, id);
    if (slot) {
        json_t *edge = edge_object(slot, sums.seconds);
        json_object_set_new(edge, "client", end_object(&slot->known->client));
        json_object_set_new(edge, "server", end_object(&slot->known->server));
        json_object_set_new(edge, "endpoints", endpoints_array(&slot->sum, sums.seconds));
        answer = range_object(graph, &sums);
        json_object_set_new(answer, "edge", edge);
        json_object_set_new(answer, "series", series_object(graph, is_edge, id));
    }
    pthread_mutex_unlock(&graph->lock);
    sums_done(&sums);
    return answer;
}

/* Edges of one side of the node, each with its other end in full. */
static json_t *edges_of(const struct sums *sums, uint64_t id, bool incoming) {
    json_t *array = json_array();
    for (size_t i = 0; i < sums->slots.capacity; i++) {
        const struct slot *slot = sums->slots.slots[i].value;
        if (!slot || (incoming ? slot->known->server.id : slot->known->client.id) != id)
            continue;
        json_t *edge = edge_object(slot, sums->seconds);
        json_object_set_new(edge, "client", end_object(&slot->known->client));
        json_object_set_new(edge, "server", end_object(&slot->known->server));
        json_array_append_new(array, edge);
    }
    return array;
}

static const struct edge_end *known_node(const struct graph *graph, uint64_t id) {
    for (size_t i = 0; i < graph->known.capacity; i++) {
        const struct known *known = graph->known.slots[i].value;
        if (known && known->server.id == id)
            return &known->server;
        if (known && known->client.id == id)
            return &known->client;
    }
    return NULL;
}

json_t *graph_node(struct graph *graph, uint64_t id, struct graph_range range) {
    struct sums sums = {0};
    struct table nodes = {0};
    json_t *answer = NULL;
    pthread_mutex_lock(&graph->lock);
    sums_fill(graph, range, false, &sums);
    add_nodes(&sums, &nodes);
    const struct edge_end *end = known_node(graph, id);
    struct node *node = end ? node_of(&nodes, end) : NULL;
    if (node) {
        answer = range_object(graph, &sums);
        json_t *object = node_object(node, sums.seconds);
        set_facts(object, &node->end);
        json_object_set_new(answer, "node", object);
        json_object_set_new(answer, "incoming", edges_of(&sums, id, true));
        json_object_set_new(answer, "outgoing", edges_of(&sums, id, false));
        json_object_set_new(answer, "series", series_object(graph, is_served_by, id));
    }
    pthread_mutex_unlock(&graph->lock);
    nodes_done(&nodes);
    sums_done(&sums);
    return answer;
}

json_t *graph_timeline(struct graph *graph) {
    json_t *answer = json_object();
    static const char *const names[] = {"time", "rate", "errors", "lost", "bytes"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        json_object_set_new(answer, names[i], json_array());
    set_integer(answer, "version", 1);
    pthread_mutex_lock(&graph->lock);
    for (size_t i = 0; i < graph->count; i++) {
        const struct kept *kept = &graph->windows[i];
        double seconds = (double)(kept->to - kept->from) / 1e9;
        if (!(seconds > 0))
            continue;
        json_array_append_new(json_object_get(answer, "time"), json_integer((json_int_t)kept->from));
        json_array_append_new(json_object_get(answer, "rate"), json_real((double)kept->calls / seconds));
        json_array_append_new(json_object_get(answer, "errors"), json_real((double)kept->red / seconds));
        json_array_append_new(json_object_get(answer, "lost"), json_integer((json_int_t)kept->lost));
        json_array_append_new(json_object_get(answer, "bytes"), json_real((double)kept->transferred / seconds));
    }
    pthread_mutex_unlock(&graph->lock);
    return answer;
}
