/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "topology/edge.h"

/* Windows of 10 that begin at 0, 10, 20. */
static struct window_clock clock_at(uint32_t sequence) {
    return (struct window_clock){
        .window = {sequence * 10, 10}, .sequence = sequence, .start = sequence * 10, .end = sequence * 10 + 10};
}

static void plan(struct edges *edges, uint32_t sequence) {
    struct window_clock clock = clock_at(sequence);
    edges_plan(edges, &clock);
}

static struct edge *edge_to(struct edges *edges, uint64_t server) {
    struct edge like = {.client = {.id = 1}, .server = {.id = server}, .server_port = 80};
    return edges_get(edges, &like);
}

static void call(struct edges *edges, struct edge *edge, uint64_t ended) {
    struct edge_window *window = edges_window_of_call(edges, edge, ended);
    window->calls++;
    histogram_add(&window->duration, 1000000);
    edge_endpoint(window, "GET", "/")->calls++;
}

static const struct edge *only(const struct edges *edges) {
    const struct edge *found = NULL;
    for (size_t i = 0; i < edges->table.capacity; i++)
        if (edges->table.slots[i].value) {
            assert_null(found);
            found = edges->table.slots[i].value;
        }
    return found;
}

static void test_a_call_is_in_the_window_in_which_it_ended(void **unused) {
    (void)unused;
    struct edges edges, merged;
    edges_init(&edges, 10);
    edges_init(&merged, 10);
    plan(&edges, 0);
    struct edge *edge = edge_to(&edges, 2);
    call(&edges, edge, 3);
    edge->open_connections = 4;
    plan(&edges, 1);
    edge->open_connections = 5;
    call(&edges, edge, 12);
    call(&edges, edge, 9); /* drained only now */
    edges_merge(&merged, &edges, EDGES_ENDED);
    assert_int_equal(only(&merged)->window.calls, 2);
    assert_int_equal(only(&merged)->open_connections, 4);
    assert_int_equal(only(&merged)->window.duration.count, 2);
    edges_clear(&merged);
    call(&edges, edge, 8); /* its window is written */
    plan(&edges, 2);
    edges_merge(&merged, &edges, EDGES_ENDED);
    assert_int_equal(only(&merged)->window.calls, 2);
    assert_int_equal(only(&merged)->window.late, 1);
    assert_int_equal(only(&merged)->window.endpoints[0].calls, 2);
    edges_done(&merged);
    edges_done(&edges);
}

static void test_a_worker_that_is_ahead_of_the_plan_agrees_with_it(void **unused) {
    (void)unused;
    struct edges edges, merged;
    edges_init(&edges, 10);
    edges_init(&merged, 10);
    plan(&edges, 0);
    struct edge *edge = edge_to(&edges, 2);
    call(&edges, edge, 9);
    edges_next(&edges); /* a record of the next window came before the plan did */
    call(&edges, edge, 10);
    plan(&edges, 1);
    edges_merge(&merged, &edges, EDGES_ENDED);
    assert_int_equal(only(&merged)->window.calls, 1);
    assert_int_equal(only(&merged)->window.late, 0);
    edges_done(&merged);
    edges_done(&edges);
}

static void test_the_running_window_stays_when_it_is_looked_at(void **unused) {
    (void)unused;
    struct edges edges, merged;
    edges_init(&edges, 10);
    edges_init(&merged, 10);
    plan(&edges, 0);
    call(&edges, edge_to(&edges, 2), 3);
    for (int look = 0; look < 2; look++) {
        edges_merge(&merged, &edges, EDGES_RUNNING);
        assert_int_equal(only(&merged)->window.calls, 1);
        edges_clear(&merged);
    }
    edges_done(&merged);
    edges_done(&edges);
}

static void test_workers_add_up(void **unused) {
    (void)unused;
    struct edges merged, workers[3];
    edges_init(&merged, 10);
    for (int i = 0; i < 3; i++) {
        edges_init(&workers[i], 10);
        plan(&workers[i], 0);
        struct edge *edge = edge_to(&workers[i], 2);
        for (int n = 0; n <= i; n++)
            call(&workers[i], edge, 5);
        edge_add_failure(&edge->window, 111, 2);
        edge->in_flight = 1;
        for (int n = 0; n < 12; n++) { /* 36 endpoints in all: 20 and the others */
            char name[ENDPOINT_LENGTH];
            snprintf(name, sizeof(name), "/%d", i * 12 + n);
            edge_endpoint(&edge->window, "GET", name)->calls++;
        }
        plan(&workers[i], 1);
        edges_merge(&merged, &workers[i], EDGES_ENDED);
        edges_done(&workers[i]);
    }
    const struct edge *sum = only(&merged);
    uint64_t endpoint_calls = 0;
    for (unsigned i = 0; i < sum->window.endpoint_count; i++)
        endpoint_calls += sum->window.endpoints[i].calls;
    assert_int_equal(sum->window.calls, 6);
    assert_int_equal(sum->window.duration.count, 6);
    assert_int_equal(sum->window.failures[0].count, 6);
    assert_int_equal(sum->in_flight, 3);
    assert_int_equal(sum->window.endpoint_count, ENDPOINT_LIMIT + 1);
    assert_string_equal(sum->window.endpoints[ENDPOINT_LIMIT].name, "other");
    assert_int_equal(endpoint_calls, 6 + 36);
    edges_done(&merged);
}

static void test_an_idle_edge_is_given_up_and_one_with_references_stays(void **unused) {
    (void)unused;
    struct edges edges, merged;
    edges_init(&edges, 100);
    edges_init(&merged, 100);
    plan(&edges, 0);
    call(&edges, edge_to(&edges, 2), 1);
    edge_to(&edges, 3)->references = 1;
    for (uint32_t sequence = 1; sequence <= EDGE_IDLE_WINDOWS; sequence++) {
        plan(&edges, sequence);
        edges_merge(&merged, &edges, EDGES_ENDED);
        assert_int_equal(edges.table.count, 2);
    }
    plan(&edges, EDGE_IDLE_WINDOWS + 1);
    assert_int_equal(edges.table.count, 1);
    assert_int_equal(only(&edges)->server.id, 3);
    assert_int_equal(edges.evicted_early, 0);
    edges_done(&merged);
    edges_done(&edges);
}

static void test_a_full_table_refuses_and_then_makes_room(void **unused) {
    (void)unused;
    struct edges edges;
    edges_init(&edges, 64);
    plan(&edges, 0);
    for (uint64_t server = 2; server < 2 + 64; server++)
        assert_non_null(edge_to(&edges, server));
    assert_null(edge_to(&edges, 1000));
    assert_int_equal(edges.refused, 1);
    plan(&edges, 1);
    assert_int_equal(edges.table.count, 0);
    assert_int_equal(edges.evicted_early, 64);
    assert_non_null(edge_to(&edges, 1000));
    edges_done(&edges);
}

static void test_transport_is_part_of_the_key(void **unused) {
    (void)unused;
    struct edges edges;
    edges_init(&edges, 0);
    struct edge tcp = {.server_port = 53}, udp = {.server_port = 53, .transport = 1};
    assert_ptr_not_equal(edges_get(&edges, &tcp), edges_get(&edges, &udp));
    edges_done(&edges);
}

/* Instances 1..20 by one worker, 11..30 by another: thirty, of which sixteen are listed. */
static void test_instances_are_listed_once_and_then_counted(void **state) {
    (void)state;
    struct edges one, other, merged;
    edges_init(&one, 10);
    edges_init(&other, 10);
    edges_init(&merged, 10);
    struct edge *edge = edge_to(&one, 7), *same = edge_to(&other, 7);
    call(&one, edge, 0);
    call(&other, same, 0);
    for (int round = 0; round < 2; round++)
        for (uint64_t id = 1; id <= 20; id++) {
            edge_saw_instance(&edge->window.client_instances, id);
            edge_saw_instance(&same->window.client_instances, id + 10);
        }
    edge_saw_instance(&edge->window.server_instances, 0); /* none */
    assert_int_equal(edge->window.client_instances.count, 16);
    assert_int_equal(edge_instances_more(&edge->window.client_instances), 4);
    edges_merge(&merged, &one, EDGES_RUNNING);
    edges_merge(&merged, &other, EDGES_RUNNING);
    const struct edge_window *window = &only(&merged)->window;
    assert_int_equal(window->client_instances.count, 16);
    assert_in_range(edge_instances_more(&window->client_instances), 13, 14); /* two may share a bit */
    assert_int_equal(window->server_instances.count, 0);
    edges_done(&one);
    edges_done(&other);
    edges_done(&merged);
}

static void test_the_window_before_is_shown_and_kept(void **state) {
    (void)state;
    struct edges edges, merged;
    edges_init(&edges, 10);
    edges_init(&merged, 10);
    plan(&edges, 0);
    struct edge *edge = edge_to(&edges, 2);
    edge->open_connections = 3;
    call(&edges, edge, 5);
    plan(&edges, 1);
    edge->open_connections = 1;
    for (int round = 0; round < 2; round++) {
        edges_merge(&merged, &edges, EDGES_FORMER);
        assert_int_equal(only(&merged)->window.calls, 1);
        assert_int_equal(only(&merged)->open_connections, 3);
        edges_clear(&merged);
    }
    assert_true(edges.previous_open);
    edges_merge(&merged, &edges, EDGES_ENDED);
    assert_int_equal(only(&merged)->window.calls, 1);
    edges_clear(&merged);
    edges_merge(&merged, &edges, EDGES_FORMER);
    assert_int_equal(merged.table.count, 0);
    edges_done(&edges);
    edges_done(&merged);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_window_before_is_shown_and_kept),
        cmocka_unit_test(test_a_call_is_in_the_window_in_which_it_ended),
        cmocka_unit_test(test_a_worker_that_is_ahead_of_the_plan_agrees_with_it),
        cmocka_unit_test(test_the_running_window_stays_when_it_is_looked_at),
        cmocka_unit_test(test_workers_add_up),
        cmocka_unit_test(test_an_idle_edge_is_given_up_and_one_with_references_stays),
        cmocka_unit_test(test_a_full_table_refuses_and_then_makes_room),
        cmocka_unit_test(test_transport_is_part_of_the_key),
        cmocka_unit_test(test_instances_are_listed_once_and_then_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
