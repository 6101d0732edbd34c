/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "topology/graph.h"
#include "topology/packed.h"

#define SECOND 1000000000ULL
#define T0 (1795390800ULL * SECOND)

static uint64_t time_now = T0;
static uint64_t fake_now(void) {
    return time_now;
}

static struct graph *new_graph(size_t memory) {
    struct graph *graph;
    struct graph_options options = {.memory_bytes = memory, .now = fake_now};
    time_now = T0;
    assert_int_equal(graph_new(&options, &graph), 0);
    return graph;
}

static struct edge *edge_between(struct edges *edges, uint64_t client, uint64_t server, enum protocol_id protocol) {
    struct edge like = {.client = {.id = client, .name = "web", .kind = "process"},
                        .server = {.id = server, .name = "api", .kind = "container"},
                        .protocol = protocol,
                        .server_port = 80,
                        .family = 4,
                        .address = {127, 0, 0, 1},
                        .client_here = true,
                        .server_here = true};
    return edges_get(edges, &like);
}

/* Hands the window that begins `second` after T0 to the graph, and empties the edges. */
static void window_ends(struct graph *graph, struct edges *edges, uint64_t second) {
    struct window window = {T0 + second * SECOND, 10 * SECOND};
    time_now = window.start + window.length;
    graph_window(graph, &window, edges, true);
    edges_empty(edges);
}

static const json_t *only_edge(const json_t *map) {
    assert_int_equal(json_array_size(json_object_get(map, "edges")), 1);
    return json_array_get(json_object_get(map, "edges"), 0);
}

static long long integer(const json_t *object, const char *key) {
    assert_true(json_is_integer(json_object_get(object, key)));
    return json_integer_value(json_object_get(object, key));
}

static double real(const json_t *object, const char *key) {
    assert_true(json_is_number(json_object_get(object, key)));
    return json_number_value(json_object_get(object, key));
}

static void windows_of_a_range_add_up(void **state) {
    (void)state;
    struct graph *graph = new_graph(0);
    struct edges edges;
    edges_init(&edges, 100);
    for (uint64_t i = 0; i < 12; i++) {
        struct edge *edge = edge_between(&edges, 1, 2, PROTOCOL_HTTP);
        edge->window.calls = 100;
        edge->window.server_error = 3;
        edge->window.timeout = 1;
        edge->window.no_response = 1;
        edge->window.client_error = 20;
        edge->window.request_bytes = 1000;
        for (uint8_t address = 0; address < (i == 8 ? 7 : 3); address++)
            address_set_add(&edge->window.clients, (uint8_t[16]){10, 0, 0, address});
        for (int call = 0; call < 100; call++)
            histogram_add(&edge->window.duration, 1000000);
        edge_add_failure(&edge->window, ECONNREFUSED, 1);
        window_ends(graph, &edges, i * 10);
    }
    json_t *map = graph_map(graph, (struct graph_range){.length = 60 * SECOND});
    const json_t *edge = only_edge(map);
    assert_int_equal(integer(edge, "calls"), 600);
    assert_true(real(edge, "rate") == 10.0);
    assert_int_equal(integer(json_object_get(edge, "errors"), "client_error"), 120);
    assert_int_equal(integer(json_object_get(edge, "connect_failures"), "ECONNREFUSED"), 6);
    /* 5 of 100 calls and one failed connect, of 101 attempts; client errors take no part. */
    assert_true(fabs(real(edge, "error_share") - 6.0 / 101) < 1e-9);
    assert_true(fabs(real(edge, "client_error_share") - 0.2) < 1e-9);
    assert_int_equal(integer(json_object_get(edge, "duration"), "p95"), 1000000);
    assert_int_equal(integer(json_object_get(edge, "bytes"), "request"), 6000);
    assert_int_equal(json_array_size(json_object_get(map, "nodes")), 2);
    assert_int_equal(integer(edge, "client_addresses"), 7);
    json_decref(map);

    map = graph_map(graph, (struct graph_range){.to = T0 + 30 * SECOND, .length = 20 * SECOND});
    assert_int_equal(integer(only_edge(map), "calls"), 200);
    assert_int_equal(integer(map, "from"), (long long)(T0 + 10 * SECOND));
    assert_int_equal(integer(map, "to"), (long long)(T0 + 30 * SECOND));
    json_decref(map);
    edges_done(&edges);
    graph_free(graph);
}

static void a_running_window_is_replaced_until_it_is_final(void **state) {
    (void)state;
    struct graph *graph = new_graph(0);
    struct edges edges;
    edges_init(&edges, 100);
    struct window window = {T0, 10 * SECOND};
    struct edge *edge = edge_between(&edges, 1, 2, PROTOCOL_HTTP);
    for (uint64_t i = 1; i <= 5; i++) {
        edge->window.calls = i * 10;
        time_now = T0 + i * SECOND;
        graph_window(graph, &window, &edges, false);
        json_t *map = graph_map(graph, (struct graph_range){.length = 60 * SECOND});
        assert_int_equal(integer(only_edge(map), "calls"), (long long)(i * 10));
        assert_true(real(only_edge(map), "rate") == 10.0);
        assert_true(json_is_true(json_object_get(map, "running")));
        json_decref(map);
    }
    edge->window.calls = 77;
    window_ends(graph, &edges, 0);
    edge->window.calls = 1000;
    window_ends(graph, &edges, 0);
    json_t *map = graph_map(graph, (struct graph_range){.length = 60 * SECOND});
    assert_int_equal(integer(only_edge(map), "calls"), 77);
    assert_true(json_is_false(json_object_get(map, "running")));
    json_decref(map);
    edges_done(&edges);
    graph_free(graph);
}

static void the_oldest_windows_go_first_and_are_counted(void **state) {
    (void)state;
    struct graph *graph = new_graph(20000);
    struct edges edges;
    struct graph_counters counters;
    edges_init(&edges, 1000);
    for (uint64_t i = 0; i < 100; i++) {
        for (uint64_t client = 1; client <= 10; client++)
            edge_between(&edges, 1000 * i + client, 2, PROTOCOL_REDIS)->window.calls = 1;
        window_ends(graph, &edges, i * 10);
        graph_counters(graph, &counters);
        assert_true(counters.bytes <= 20000);
        assert_true(counters.windows >= 1);
        assert_int_equal(counters.windows + counters.windows_evicted, i + 1);
    }
    assert_true(counters.windows_evicted > 50);
    json_t *map = graph_map(graph, (struct graph_range){.length = 3600 * SECOND});
    assert_int_equal(json_array_size(json_object_get(map, "edges")), 10 * counters.windows);
    json_decref(map);
    edges_done(&edges);
    graph_free(graph);
}

static void a_window_larger_than_the_memory_leaves_edges_out(void **state) {
    (void)state;
    struct graph *graph = new_graph(4000);
    struct edges edges;
    struct graph_counters counters;
    edges_init(&edges, 1000);
    for (uint64_t client = 1; client <= 500; client++)
        edge_between(&edges, client, 1000, PROTOCOL_REDIS)->window.calls = 1;
    window_ends(graph, &edges, 0);
    graph_counters(graph, &counters);
    json_t *map = graph_map(graph, (struct graph_range){.length = SECOND});
    assert_true(counters.edges_left_out > 0);
    assert_int_equal(json_array_size(json_object_get(map, "edges")) + counters.edges_left_out, 500);
    json_decref(map);
    edges_done(&edges);
    graph_free(graph);
}

static void windows_older_than_an_hour_are_forgotten(void **state) {
    (void)state;
    struct graph *graph = new_graph(0);
    struct edges edges;
    struct graph_counters counters;
    edges_init(&edges, 100);
    edge_between(&edges, 7, 2, PROTOCOL_HTTP)->window.calls = 1;
    window_ends(graph, &edges, 0);
    for (uint64_t i = 1; i < 400; i++) {
        edge_between(&edges, 1, 2, PROTOCOL_HTTP)->window.calls = 1;
        window_ends(graph, &edges, i * 10);
    }
    graph_counters(graph, &counters);
    assert_int_equal(counters.windows, 360);
    assert_int_equal(counters.windows_evicted, 0);
    assert_null(graph_node(graph, 7, (struct graph_range){.length = SECOND}));
    json_t *node = graph_node(graph, 1, (struct graph_range){.length = SECOND});
    assert_non_null(node);
    json_decref(node);
    edges_done(&edges);
    graph_free(graph);
}

static void a_silent_edge_fades_before_it_goes(void **state) {
    (void)state;
    struct graph *graph = new_graph(0);
    struct edges edges;
    edges_init(&edges, 100);
    edge_between(&edges, 1, 2, PROTOCOL_HTTP)->window.calls = 5;
    window_ends(graph, &edges, 0);
    window_ends(graph, &edges, 60);
    json_t *map = graph_map(graph, (struct graph_range){.length = 10 * SECOND});
    assert_true(json_is_true(json_object_get(only_edge(map), "stale")));
    assert_int_equal(integer(only_edge(map), "calls"), 0);
    json_decref(map);
    window_ends(graph, &edges, 1000);
    map = graph_map(graph, (struct graph_range){.length = 10 * SECOND});
    assert_int_equal(json_array_size(json_object_get(map, "edges")), 0);
    json_decref(map);
    edges_done(&edges);
    graph_free(graph);
}

static void what_is_opaque_has_a_share_and_a_reason(void **state) {
    (void)state;
    struct graph *graph = new_graph(0);
    struct edges edges;
    edges_init(&edges, 100);
    const enum protocol_id kinds[] = {PROTOCOL_HTTP, PROTOCOL_TLS, PROTOCOL_UNKNOWN};
    for (size_t i = 0; i < 3; i++) {
        struct edge *edge = edge_between(&edges, 1, 2, kinds[i]);
        edge->window.connects = i + 1;
        edge->window.response_bytes = 100 * (i + 1);
        edge->open_connections = 1;
    }
    window_ends(graph, &edges, 0);
    json_t *map = graph_map(graph, (struct graph_range){.length = SECOND});
    const json_t *opaque = json_object_get(map, "opaque");
    assert_true(fabs(real(opaque, "connection_share") - 5.0 / 6) < 1e-9);
    assert_true(fabs(real(opaque, "byte_share") - 5.0 / 6) < 1e-9);
    const json_t *reasons = json_object_get(opaque, "reasons");
    assert_int_equal(json_array_size(reasons), 2);
    assert_string_equal(json_string_value(json_object_get(json_array_get(reasons, 0), "reason")), "tls");
    assert_int_equal(integer(json_array_get(reasons, 0), "connections"), 2);
    json_decref(map);
    /* The connections that were open when the range began are part of it, though nothing connects. */
    window_ends(graph, &edges, 10);
    map = graph_map(graph, (struct graph_range){.length = SECOND});
    assert_true(fabs(real(json_object_get(map, "opaque"), "connection_share") - 2.0 / 3) < 1e-9);
    json_decref(map);
    edges_done(&edges);
    graph_free(graph);
}

static void an_edge_without_calls_is_red_by_its_connects(void **state) {
    (void)state;
    struct graph *graph = new_graph(0);
    struct edges edges;
    edges_init(&edges, 100);
    struct edge *edge = edge_between(&edges, 1, 2, PROTOCOL_UNKNOWN);
    edge->window.connects = 3;
    edge_add_failure(&edge->window, ETIMEDOUT, 1);
    window_ends(graph, &edges, 0);
    json_t *map = graph_map(graph, (struct graph_range){.length = SECOND});
    assert_true(fabs(real(only_edge(map), "error_share") - 0.25) < 1e-9);
    json_decref(map);
    edges_done(&edges);
    graph_free(graph);
}

static void an_edge_in_detail_has_endpoints_and_a_series(void **state) {
    (void)state;
    struct graph *graph = new_graph(0);
    struct edges edges;
    uint64_t id = 0;
    edges_init(&edges, 100);
    for (uint64_t i = 0; i < 6; i++) {
        struct edge *edge = edge_between(&edges, 1, 2, PROTOCOL_HTTP);
        id = edge->id;
        edge->window.calls = 10 * (i + 1);
        struct endpoint *endpoint = edge_endpoint(&edge->window, "GET", "/users/{id}");
        endpoint->calls = 4;
        endpoint->errors = 1;
        histogram_add(&endpoint->duration, 2000000);
        edge_endpoint(&edge->window, "GET", "/<b>")->calls = 9;
        window_ends(graph, &edges, i * 10);
    }
    json_t *answer = graph_edge(graph, id, (struct graph_range){.length = 60 * SECOND});
    const json_t *endpoints = json_object_get(json_object_get(answer, "edge"), "endpoints");
    assert_int_equal(json_array_size(endpoints), 2);
    assert_string_equal(json_string_value(json_object_get(json_array_get(endpoints, 0), "endpoint")), "/<b>");
    assert_int_equal(integer(json_array_get(endpoints, 1), "calls"), 24);
    assert_int_equal(integer(json_array_get(endpoints, 1), "errors"), 6);
    const json_t *series = json_object_get(answer, "series");
    assert_int_equal(json_array_size(json_object_get(series, "time")), 6);
    assert_true(json_number_value(json_array_get(json_object_get(series, "rate"), 5)) == 6.0);
    assert_true(json_is_null(json_array_get(json_object_get(series, "p95"), 0)));
    json_decref(answer);
    assert_null(graph_edge(graph, 12345, (struct graph_range){.length = SECOND}));
    edges_done(&edges);
    graph_free(graph);
}

static void a_node_has_edges_of_both_sides(void **state) {
    (void)state;
    struct graph *graph = new_graph(0);
    struct edges edges;
    edges_init(&edges, 100);
    edge_between(&edges, 1, 2, PROTOCOL_HTTP)->window.calls = 30;
    edge_between(&edges, 2, 3, PROTOCOL_REDIS)->window.calls = 50;
    window_ends(graph, &edges, 0);
    json_t *answer = graph_node(graph, 2, (struct graph_range){.length = SECOND});
    assert_int_equal(json_array_size(json_object_get(answer, "incoming")), 1);
    assert_int_equal(json_array_size(json_object_get(answer, "outgoing")), 1);
    assert_int_equal(integer(json_object_get(json_object_get(answer, "node"), "served"), "calls"), 30);
    json_decref(answer);
    edges_done(&edges);
    graph_free(graph);
}

static void names_that_are_no_text_still_make_an_answer(void **state) {
    (void)state;
    struct graph *graph = new_graph(0);
    struct edges edges;
    edges_init(&edges, 100);
    struct edge *edge = edge_between(&edges, 1, 2, PROTOCOL_HTTP);
    edge->client.name = "\xff<img src=x>";
    edge->window.calls = 1;
    window_ends(graph, &edges, 0);
    json_t *answer = graph_node(graph, 1, (struct graph_range){.length = SECOND});
    assert_string_equal(json_string_value(json_object_get(json_object_get(answer, "node"), "name")), "?<img src=x>");
    json_decref(answer);
    edges_done(&edges);
    graph_free(graph);
}

static void packing_loses_nothing(void **state) {
    (void)state;
    struct packed packed = {0};
    struct edge_sum sum = {0};
    uint64_t random = 88172645463325252u, calls = 0, bytes = 0, errors = 0, failed = 0;
    uint64_t retransmits = 0, dropped = 0;
    char reasons[2 * DROP_LIMIT][80];
    for (int i = 0; i < 2 * DROP_LIMIT; i++) /* the longer ones are cut */
        snprintf(reasons[i], sizeof(reasons[i]), "%c%0*d", 'A' + i, 4 * i, 0);
    struct histogram expected = {0};
    for (int i = 0; i < 200; i++) {
        struct edge edge = {.id = 42, .open_connections = (uint32_t)i};
        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        calls += edge.window.calls = random >> (random % 60);
        bytes += edge.window.response_bytes = random >> 3;
        failed += edge.window.failures[0].count = random % 3;
        edge.window.failures[0].error = ECONNREFUSED;
        if (i % 2) { /* more reasons than there is room for, in another order each time */
            struct edge_packets *packets = edge_packets(&edge.window);
            retransmits += packets->retransmits = random >> 8;
            histogram_add(&packets->rtt, 1000 + (random >> 30));
            for (int j = 0; j < 2 * DROP_LIMIT; j++, dropped++)
                edge_add_drop(packets, reasons[(random + j) % (2 * DROP_LIMIT)], 1);
        }
        for (unsigned j = 0; j < random % 40; j++) {
            char name[32];
            snprintf(name, sizeof(name), "/%u", j);
            struct endpoint *endpoint = edge_endpoint(&edge.window, "GET", name);
            endpoint->errors++;
            errors++;
            uint64_t value = 1000 + (random >> (20 + j));
            histogram_add(&endpoint->duration, value);
            histogram_add(&edge.window.duration, value);
            histogram_add(&expected, value);
        }
        assert_int_equal(packed_edge(&packed, &edge), 0);
        edge_window_empty(&edge.window);
    }
    struct packed_cursor block = packed_block(packed.bytes, packed.length), edge;
    int seen = 0;
    for (; packed_next(&block, &edge) == 42; seen++)
        packed_merge(edge, &sum, true);
    assert_int_equal(seen, 200);
    assert_true(sum.calls == calls && sum.response_bytes == bytes && sum.failed == failed);
    assert_int_equal(sum.open_connections, 199);
    assert_true(sum.has_packets && sum.retransmits == retransmits && sum.dropped == dropped);
    assert_int_equal(sum.rtt.count, 100);
    uint64_t by_reason = 0;
    for (int i = 0; i < DROP_LIMIT; i++)
        by_reason += sum.drops[i].packets;
    assert_true(by_reason == dropped && !strcmp(sum.drops[DROP_LIMIT - 1].reason, "other"));
    uint64_t endpoint_errors = 0, endpoint_values = 0;
    for (size_t i = 0; i < sum.endpoint_count; i++) {
        endpoint_errors += sum.endpoints[i].errors;
        endpoint_values += sum.endpoints[i].duration.count;
    }
    assert_int_equal(sum.endpoint_count, ENDPOINT_LIMIT + 1);
    assert_true(endpoint_errors == errors && endpoint_values == expected.count);
    assert_true(sum.duration.count == expected.count && sum.duration.sum == expected.sum);
    assert_memory_equal(sum.duration.counts, expected.counts, expected.length * sizeof(*expected.counts));
    histogram_done(&expected);
    edge_sum_done(&sum);
    free(packed.bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_of_a_range_add_up),
        cmocka_unit_test(a_running_window_is_replaced_until_it_is_final),
        cmocka_unit_test(the_oldest_windows_go_first_and_are_counted),
        cmocka_unit_test(a_window_larger_than_the_memory_leaves_edges_out),
        cmocka_unit_test(windows_older_than_an_hour_are_forgotten),
        cmocka_unit_test(a_silent_edge_fades_before_it_goes),
        cmocka_unit_test(what_is_opaque_has_a_share_and_a_reason),
        cmocka_unit_test(an_edge_without_calls_is_red_by_its_connects),
        cmocka_unit_test(an_edge_in_detail_has_endpoints_and_a_series),
        cmocka_unit_test(a_node_has_edges_of_both_sides),
        cmocka_unit_test(names_that_are_no_text_still_make_an_answer),
        cmocka_unit_test(packing_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
