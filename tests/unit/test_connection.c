/* SPDX-License-Identifier: Apache-2.0 */
#include "connection_harness.h"

#define GET "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

static void exchange(struct world *world, struct socket *server) {
    socket_receives(world, server, GET);
    world->now += 1000000;
    socket_sends(world, server, OK);
}

static void test_both_ends_make_one_edge(void **unused) {
    (void)unused;
    struct world world;
    world_open(&world);
    struct socket client = socket_of(1, 77, ROLE_CLIENT, 80), server = socket_of(2, 77, ROLE_SERVER, 80);
    socket_opens(&world, &client);
    socket_opens(&world, &server);
    exchange(&world, &server);
    exchange(&world, &server);
    socket_closes(&world, &client);
    socket_closes(&world, &server);
    world_next_window(&world);
    assert_int_equal(world_edges(&world), 1);
    const struct edge *edge = world_edge(&world, PROTOCOL_HTTP);
    assert_int_equal(edge->client.id, CLIENT_PROCESS);
    assert_int_equal(edge->server.id, SERVER_PROCESS);
    assert_int_equal(edge->window.calls, 2);
    assert_int_equal(edge->window.duration.sum, 2000000);
    assert_int_equal(edge->window.connects, 1);
    assert_int_equal(edge->window.request_bytes, 2 * strlen(GET));
    assert_int_equal(edge->window.response_bytes, 2 * strlen(OK));
    assert_int_equal(edge->open_connections, 0);
    world_close(&world);
}

static void test_a_call_counts_where_it_ended(void **unused) {
    (void)unused;
    struct world world;
    world_open(&world);
    struct socket server = socket_of(2, 77, ROLE_SERVER, 80);
    socket_opens(&world, &server);
    world.now = 10 * SECOND - 500000;
    socket_receives(&world, &server, GET);
    world.now = 10 * SECOND + 500000; /* the record comes before anybody said that a window ended */
    socket_sends(&world, &server, OK);
    assert_int_equal(world.edges.sequence, 1);
    world_next_window(&world);
    assert_int_equal(world_edge(&world, PROTOCOL_HTTP)->window.calls, 0);
    assert_int_equal(world_edge(&world, PROTOCOL_HTTP)->in_flight, 1);
    world_next_window(&world);
    assert_int_equal(world_edge(&world, PROTOCOL_HTTP)->window.calls, 1);
    assert_int_equal(world_edge(&world, PROTOCOL_HTTP)->in_flight, 0);
    world_close(&world);
}

static void test_a_silent_connection_is_on_the_map_and_moves_with_its_verdict(void **unused) {
    (void)unused;
    struct world world;
    world_open(&world);
    struct socket server = socket_of(2, 77, ROLE_SERVER, 80);
    server.proof = PROOF_LISTEN; /* found open */
    socket_opens(&world, &server);
    world_next_window(&world);
    assert_int_equal(world_edge(&world, PROTOCOL_UNKNOWN)->open_connections, 1);
    exchange(&world, &server);
    world_next_window(&world);
    assert_int_equal(world_edges(&world), 1);
    assert_int_equal(world_edge(&world, PROTOCOL_HTTP)->open_connections, 1);
    assert_int_equal(world_edge(&world, PROTOCOL_HTTP)->window.connects, 0);
    world_next_window(&world);
    assert_int_equal(world_edge(&world, PROTOCOL_HTTP)->open_connections, 1); /* and says nothing */
    socket_closes(&world, &server);
    world_next_window(&world);
    assert_null(world_edge(&world, PROTOCOL_HTTP));
    world_close(&world);
}

static void test_without_a_verdict_it_is_where_its_servers_others_are(void **unused) {
    (void)unused;
    struct world world;
    world_open(&world);
    struct socket first = socket_of(2, 77, ROLE_SERVER, 80), second = socket_of(3, 78, ROLE_SERVER, 80);
    socket_opens(&world, &first);
    exchange(&world, &first);
    socket_opens(&world, &second);
    socket_closes(&world, &second); /* never spoke */
    world_next_window(&world);
    assert_int_equal(world_edges(&world), 1);
    assert_int_equal(world_edge(&world, PROTOCOL_HTTP)->window.connects, 2);
    struct socket client = socket_of(4, 79, ROLE_CLIENT, 80);
    struct record_opened failed = opened_of(&world, &client);
    failed.error = 111;
    connections_failed(world.connections, &failed);
    world_next_window(&world);
    for (size_t i = 0; i < world.merged.table.capacity; i++) {
        const struct edge *edge = world.merged.table.slots[i].value;
        if (edge && edge->window.failures[0].count)
            assert_true(edge->protocol == PROTOCOL_HTTP && edge->server.id == SERVER_PROCESS);
    }
    world_close(&world);
}

static void test_an_unanswered_call_times_out_once_in_its_window(void **unused) {
    (void)unused;
    struct world world;
    world_open(&world);
    struct socket server = socket_of(2, 77, ROLE_SERVER, 80);
    socket_opens(&world, &server);
    socket_receives(&world, &server, GET); /* at 1 s: a timeout at 31 s */
    for (int i = 0; i < 3; i++) {
        world_next_window(&world);
        assert_int_equal(world_edge(&world, PROTOCOL_HTTP)->window.timeout, 0);
    }
    world_next_window(&world);
    assert_int_equal(world_edge(&world, PROTOCOL_HTTP)->window.timeout, 1);
    assert_int_equal(world_edge(&world, PROTOCOL_HTTP)->window.calls, 1);
    socket_sends(&world, &server, OK);
    world_next_window(&world);
    assert_int_equal(world_edge(&world, PROTOCOL_HTTP)->window.calls, 0);
    assert_int_equal(world_edge(&world, PROTOCOL_HTTP)->in_flight, 0);
    world_close(&world);
}

#define PING "*1\r\n$4\r\nPING\r\n"
#define PONG "+PONG\r\n"

static void test_a_lost_answer_of_a_pipeline_is_as_many_lost_calls(void **unused) {
    (void)unused;
    struct world world;
    world_open(&world);
    struct socket server = socket_of(2, 77, ROLE_SERVER, 6379);
    socket_opens(&world, &server);
    socket_receives(&world, &server, PING);
    socket_sends(&world, &server, PONG);
    socket_receives(&world, &server, PING PING PING PING);
    server.offsets[1] += strlen(PONG) * 4; /* found the ring full */
    server.lost++, server.turn++;
    server.egress = 1;
    socket_receives(&world, &server, PING);
    socket_sends(&world, &server, PONG);
    world_next_window(&world);
    const struct edge *edge = world_edge(&world, PROTOCOL_REDIS);
    assert_int_equal(edge->window.calls, 2);
    assert_int_equal(edge->window.lost, 4);
    world_close(&world);
}

static void test_answers_to_commands_that_were_not_shown_are_lost_calls(void **unused) {
    (void)unused;
    struct world world;
    world_open(&world);
    struct socket server = socket_of(2, 77, ROLE_SERVER, 6379);
    socket_opens(&world, &server);
    socket_receives(&world, &server, PING);
    socket_sends(&world, &server, PONG);
    /* Three commands, of which the hook showed the first: the answers tell of the others. */
    socket_moves_some(&world, &server, false, PING PING PING, 3 * strlen(PING), strlen(PING));
    socket_sends(&world, &server, PONG PONG PONG);
    world_next_window(&world);
    const struct edge *edge = world_edge(&world, PROTOCOL_REDIS);
    assert_int_equal(edge->window.calls, 2);
    assert_int_equal(edge->window.lost, 2);
    assert_int_equal(connections_losses(world.connections)->unmatched_responses, 2);
    world_close(&world);
}

static void test_a_half_edge_tells_some_connections_and_counts_addresses(void **unused) {
    (void)unused;
    struct world world;
    world_open(&world);
    for (uint64_t i = 0; i < 10; i++) {
        struct socket server = socket_of(100 + i, 1000 + i, ROLE_SERVER, 80);
        struct record_opened opened = opened_of(&world, &server);
        opened.remote_address[3] = i % 5;
        connections_opened(world.connections, &opened);
        exchange(&world, &server);
    }
    world_next_window(&world);
    const struct edge *edge = world_edge(&world, PROTOCOL_HTTP);
    assert_int_equal(world_edges(&world), 1);
    assert_int_equal(edge->window.calls, 10);
    assert_int_equal(edge->window.join_count, JOIN_LIMIT);
    assert_int_equal(edge->window.joins[0].isn, 1000);
    assert_int_equal(edge->window.joins[0].client_port, 40000);
    assert_int_equal(edge->window.clients.count, 5);
    world_close(&world);
}

static void test_clients_beyond_the_limit_are_one(void **unused) {
    (void)unused;
    struct world world;
    world_open_with(&world, 4);
    for (uint64_t i = 0; i < 50; i++) {
        struct socket server = socket_of(100 + i, 1000 + i, ROLE_SERVER, 80);
        struct record_opened opened = opened_of(&world, &server);
        opened.remote_address[2] = i; /* each in another group */
        connections_opened(world.connections, &opened);
        exchange(&world, &server);
    }
    world_next_window(&world);
    uint64_t calls = 0, largest = 0;
    for (size_t i = 0; i < world.merged.table.capacity; i++) {
        const struct edge *edge = world.merged.table.slots[i].value;
        calls += edge ? edge->window.calls : 0;
        largest = edge && edge->window.clients.count > largest ? edge->window.clients.count : largest;
    }
    assert_int_equal(world_edges(&world), 5);
    assert_int_equal(calls, 50);
    assert_int_equal(largest, 46);
    assert_int_equal(connections_losses(world.connections)->clients_folded, 46);
    world_close(&world);
}

static void test_what_is_not_read_has_a_reason(void **unused) {
    (void)unused;
    struct world world;
    world_open(&world);
    struct socket read = socket_of(1, 71, ROLE_SERVER, 80), unknown = socket_of(2, 72, ROLE_SERVER, 81),
                  unseen = socket_of(3, 73, ROLE_SERVER, 82), blind = socket_of(4, 74, ROLE_SERVER, 83),
                  silent = socket_of(5, 75, ROLE_SERVER, 84);
    struct socket *all[] = {&read, &unknown, &unseen, &blind, &silent};
    for (int i = 0; i < 5; i++)
        socket_opens(&world, all[i]);
    exchange(&world, &read);
    socket_receives(&world, &unknown, "\x01\x02 what is this");
    unseen.offsets[0] = 5000;
    socket_moves_some(&world, &blind, false, "", 700, 0);
    for (int i = 0; i < 5; i++)
        socket_closes(&world, all[i]);
    const struct traffic *traffic = connections_traffic(world.connections);
    assert_int_equal(traffic->all.connections, 5);
    assert_int_equal(traffic->all.bytes, strlen(GET) + strlen(OK) + strlen("\x01\x02 what is this") + 5000 + 700);
    assert_int_equal(traffic->opaque[OPAQUE_UNKNOWN].connections, 1);
    assert_int_equal(traffic->opaque[OPAQUE_UNSEEN].connections, 1);
    assert_int_equal(traffic->opaque[OPAQUE_UNSEEN].bytes, 5000);
    assert_int_equal(traffic->opaque[OPAQUE_UNREADABLE].connections, 1);
    assert_int_equal(traffic->opaque[OPAQUE_UNREADABLE].bytes, 700);
    world_close(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_ends_make_one_edge),
        cmocka_unit_test(test_a_call_counts_where_it_ended),
        cmocka_unit_test(test_a_silent_connection_is_on_the_map_and_moves_with_its_verdict),
        cmocka_unit_test(test_without_a_verdict_it_is_where_its_servers_others_are),
        cmocka_unit_test(test_an_unanswered_call_times_out_once_in_its_window),
        cmocka_unit_test(test_a_lost_answer_of_a_pipeline_is_as_many_lost_calls),
        cmocka_unit_test(test_answers_to_commands_that_were_not_shown_are_lost_calls),
        cmocka_unit_test(test_a_half_edge_tells_some_connections_and_counts_addresses),
        cmocka_unit_test(test_clients_beyond_the_limit_are_one),
        cmocka_unit_test(test_what_is_not_read_has_a_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
