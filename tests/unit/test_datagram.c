/* SPDX-License-Identifier: Apache-2.0 */
#include "connection_harness.h"

#define QUERY "\x12\x34\1\0\0\1\0\0\0\0\0\0\3www\1x\0\0\1\0\1"
#define OTHER "\x56\x78\1\0\0\1\0\0\0\0\0\0\3ftp\1x\0\0\1\0\1"
#define ANSWER "\x12\x34\x81\x80\0\1\0\0\0\0\0\0\3www\1x\0\0\1\0\1"
#define NO_NAME "\x12\x34\x81\x83\0\1\0\0\0\0\0\0\3www\1x\0\0\1\0\1"

struct udp {
    uint64_t cookie;
    uint8_t address[4]; /* bound to; zeroes: nothing */
    uint16_t port;
    uint32_t netns, process, lost;
};

static void opens(struct world *world, const struct udp *udp) {
    struct record_opened record = {.kind = RECORD_OPENED,
                                   .family = 2,
                                   .transport = TRANSPORT_UDP,
                                   .time = world->now,
                                   .cookie = udp->cookie,
                                   .owner = {.tgid = udp->process, .netns = udp->netns},
                                   .local_port = udp->port};
    memcpy(record.local_address, udp->address, 4);
    connections_opened(world->connections, &record);
}

static void moves(struct world *world, const struct udp *udp, bool egress, const uint8_t peer[4], uint16_t port,
                  bool client, const char *bytes, size_t length) {
    struct record_datagram record = {.kind = RECORD_DATAGRAM,
                                     .captured = length,
                                     .time = world->now += 1000000,
                                     .cookie = udp->cookie,
                                     .peer_port = port,
                                     .family = 2,
                                     .egress = egress,
                                     .role = client ? ROLE_CLIENT : ROLE_SERVER,
                                     .proof = PROOF_FIRST,
                                     .length = length,
                                     .lost = udp->lost};
    memcpy(record.peer_address, peer, 4);
    uint8_t *exact = malloc(length);
    memcpy(exact, bytes, length);
    connections_datagram(world->connections, &record, exact);
    free(exact);
}

#define SENDS(world, udp, peer, port, client, text) moves(world, udp, true, peer, port, client, text, sizeof(text) - 1)
#define RECEIVES(world, udp, peer, port, client, text)                                                                 \
    moves(world, udp, false, peer, port, client, text, sizeof(text) - 1)

/* The kernel's entry of a session, which began at `since`. */
static void entry(struct world *world, const struct udp *udp, const uint8_t peer[4], uint16_t port, bool client,
                  uint64_t sent, uint64_t received, uint64_t since, bool last) {
    struct session_key key = {.cookie = udp->cookie, .port = port, .family = 2};
    struct session_totals totals = {.datagrams_sent = sent / 100,
                                    .datagrams_received = received / 100,
                                    .bytes_sent = sent,
                                    .bytes_received = received,
                                    .first_time = since,
                                    .last_time = world->now,
                                    .role = client ? ROLE_CLIENT : ROLE_SERVER,
                                    .proof = PROOF_FIRST};
    memcpy(key.address, peer, 4);
    connections_session(world->connections, &key, &totals, last);
}

static void totals(struct world *world, const struct udp *udp, const uint8_t peer[4], uint16_t port, bool client,
                   uint64_t sent, uint64_t received) {
    entry(world, udp, peer, port, client, sent, received, 1, false);
}

static void closes(struct world *world, const struct udp *udp) {
    struct record_closed record = {
        .kind = RECORD_CLOSED, .transport = TRANSPORT_UDP, .time = world->now, .cookie = udp->cookie};
    connections_closed(world->connections, &record);
}

static const uint8_t here[4] = {127, 0, 0, 1}, far[4] = {192, 0, 2, 7};

static void test_both_ends_make_one_edge(void **unused) {
    (void)unused;
    struct world world;
    world_open(&world);
    struct udp client = {1, {0}, 41000, 1, CLIENT_PROCESS, 0}, server = {2, {0}, 53, 1, SERVER_PROCESS, 0};
    opens(&world, &client);
    opens(&world, &server);
    SENDS(&world, &client, here, 53, true, QUERY);
    RECEIVES(&world, &server, here, 41000, false, QUERY);
    SENDS(&world, &server, here, 41000, false, NO_NAME);
    RECEIVES(&world, &client, here, 53, true, NO_NAME);
    totals(&world, &client, here, 53, true, 1000, 2000);
    totals(&world, &server, here, 41000, false, 2000, 1000);
    connections_sessions_shown(world.connections);
    closes(&world, &client);
    closes(&world, &server);
    world_next_window(&world);
    assert_int_equal(world_edges(&world), 1);
    const struct edge *edge = world_edge(&world, PROTOCOL_DNS);
    assert_int_equal(edge->transport, TRANSPORT_UDP);
    assert_int_equal(edge->client.id, CLIENT_PROCESS);
    assert_int_equal(edge->server.id, SERVER_PROCESS);
    assert_int_equal(edge->server_port, 53);
    assert_int_equal(edge->window.calls, 1);
    assert_int_equal(edge->window.client_error, 1);
    assert_int_equal(edge->window.no_response, 0);
    assert_int_equal(edge->window.duration.sum, 1000000);
    assert_int_equal(edge->window.client_duration.sum, 3000000);
    assert_int_equal(edge->window.connects, 1);
    assert_int_equal(edge->window.request_bytes, 1000);
    assert_int_equal(edge->window.response_bytes, 2000);
    assert_int_equal(edge->window.request_datagrams, 10);
    assert_int_equal(edge->in_flight, 0);
    assert_int_equal(edge->open_connections, 0);
    world_close(&world);
}

static void test_a_client_alone_makes_a_half_edge_and_totals_are_deltas(void **unused) {
    (void)unused;
    struct world world;
    world_open(&world);
    struct udp client = {1, {0}, 41000, 1, CLIENT_PROCESS, 0};
    opens(&world, &client);
    SENDS(&world, &client, far, 53, true, QUERY);
    SENDS(&world, &client, far, 53, true, OTHER);
    RECEIVES(&world, &client, far, 53, true, ANSWER);
    totals(&world, &client, far, 53, true, 300, 100);
    world_next_window(&world);
    const struct edge *edge = world_edge(&world, PROTOCOL_DNS);
    assert_false(edge->server_here);
    assert_int_equal(edge->window.calls, 1);
    assert_int_equal(edge->window.client_duration.sum, 2000000);
    assert_int_equal(edge->window.request_bytes, 300);
    assert_int_equal(edge->in_flight, 1);
    assert_int_equal(edge->open_connections, 1);
    totals(&world, &client, far, 53, true, 400, 100);
    closes(&world, &client);
    world_next_window(&world);
    edge = world_edge(&world, PROTOCOL_DNS);
    assert_int_equal(edge->window.request_bytes, 100);
    assert_int_equal(edge->window.response_bytes, 0);
    assert_int_equal(edge->window.no_response, 1);
    assert_int_equal(edge->window.connects, 0);
    assert_int_equal(edge->in_flight, 0);
    world_close(&world);
}

static void test_a_query_without_an_answer_is_a_timeout(void **unused) {
    (void)unused;
    struct world world;
    world_open(&world);
    struct udp client = {1, {0}, 41000, 1, CLIENT_PROCESS, 0};
    opens(&world, &client);
    SENDS(&world, &client, far, 53, true, QUERY);
    uint64_t timeouts = 0;
    for (int i = 0; i < 4; i++) {
        totals(&world, &client, far, 53, true, 100, 0);
        world_next_window(&world);
        timeouts += world_edge(&world, PROTOCOL_DNS) ? world_edge(&world, PROTOCOL_DNS)->window.timeout : 0;
    }
    assert_int_equal(timeouts, 1);
    closes(&world, &client);
    world_next_window(&world);
    assert_null(world_edge(&world, PROTOCOL_DNS));
    world_close(&world);
}

static void test_an_answer_that_did_not_fit_the_ring_makes_a_lost_call(void **unused) {
    (void)unused;
    struct world world;
    world_open(&world);
    struct udp server = {2, {0}, 53, 1, SERVER_PROCESS, 0};
    opens(&world, &server);
    RECEIVES(&world, &server, far, 41000, false, QUERY);
    server.lost = 1; /* the answer */
    RECEIVES(&world, &server, far, 41001, false, QUERY);
    SENDS(&world, &server, far, 41001, false, ANSWER);
    closes(&world, &server);
    world_next_window(&world);
    const struct edge *edge = world_edge(&world, PROTOCOL_DNS);
    assert_int_equal(edge->window.calls, 1);
    assert_int_equal(edge->window.lost, 1);
    assert_int_equal(edge->window.no_response, 0);
    world_close(&world);
}

static void test_the_first_datagram_seen_may_be_an_answer(void **unused) {
    (void)unused;
    struct world world;
    world_open(&world);
    struct udp client = {1, {0}, 41000, 1, CLIENT_PROCESS, 0};
    opens(&world, &client);
    RECEIVES(&world, &client, far, 53, false, ANSWER); /* the kernel takes the sender for the client */
    SENDS(&world, &client, far, 53, false, QUERY);
    RECEIVES(&world, &client, far, 53, false, ANSWER);
    totals(&world, &client, far, 53, false, 100, 200);
    world_next_window(&world);
    const struct edge *edge = world_edge(&world, PROTOCOL_DNS);
    assert_int_equal(world_edges(&world), 1);
    assert_true(edge->client_here && !edge->server_here);
    assert_int_equal(edge->server_port, 53);
    assert_int_equal(edge->window.calls, 1);
    assert_int_equal(edge->window.request_bytes, 100);
    world_close(&world);
}

/* The same ports and loopback addresses in two network namespaces at once. */
static void test_loopback_is_joined_within_a_namespace_only(void **unused) {
    (void)unused;
    struct world world;
    world_open(&world);
    struct udp clients[2] = {{1, {0}, 41000, 1, 101, 0}, {2, {0}, 41000, 2, 102, 0}};
    struct udp servers[2] = {{3, {0}, 53, 1, 201, 0}, {4, {0}, 53, 2, 202, 0}};
    for (int i = 0; i < 2; i++) {
        opens(&world, &clients[i]);
        opens(&world, &servers[i]);
        SENDS(&world, &clients[i], here, 53, true, QUERY);
    }
    for (int i = 0; i < 2; i++) {
        RECEIVES(&world, &servers[i], here, 41000, false, QUERY);
        SENDS(&world, &servers[i], here, 41000, false, ANSWER);
    }
    world_next_window(&world);
    assert_int_equal(world_edges(&world), 2);
    for (size_t i = 0; i < world.merged.table.capacity; i++) {
        const struct edge *edge = world.merged.table.slots[i].value;
        if (edge)
            assert_int_equal(edge->server.id - edge->client.id, 100);
    }
    world_close(&world);
}

static const uint8_t client_address[4] = {10, 0, 0, 1}, server_address[4] = {10, 0, 0, 2};

/* Two namespaces with the same private network: only what was sent first tells who speaks with whom. */
static void ambiguous(bool alike, size_t expected_both) {
    struct world world;
    world_open(&world);
    struct udp clients[2] = {{1, {10, 0, 0, 1}, 41000, 1, 101, 0}, {2, {10, 0, 0, 1}, 41000, 2, 102, 0}};
    struct udp servers[2] = {{3, {10, 0, 0, 2}, 53, 3, 201, 0}, {4, {10, 0, 0, 2}, 53, 4, 202, 0}};
    for (int i = 0; i < 2; i++) {
        opens(&world, &clients[i]);
        opens(&world, &servers[i]);
    }
    SENDS(&world, &clients[0], server_address, 53, true, QUERY);
    if (alike)
        SENDS(&world, &clients[1], server_address, 53, true, QUERY);
    else
        SENDS(&world, &clients[1], server_address, 53, true, OTHER);
    RECEIVES(&world, &servers[0], client_address, 41000, false, QUERY);
    SENDS(&world, &servers[0], client_address, 41000, false, ANSWER);
    world_next_window(&world);
    size_t both = 0;
    for (size_t i = 0; i < world.merged.table.capacity; i++) {
        const struct edge *edge = world.merged.table.slots[i].value;
        if (edge && edge->client_here && edge->server_here) {
            both++;
            assert_int_equal(edge->client.id, 101);
            assert_int_equal(edge->server.id, 201);
        }
    }
    assert_int_equal(both, expected_both);
    world_close(&world);
}

static void test_the_first_datagram_decides_or_they_stay_two(void **unused) {
    (void)unused;
    ambiguous(false, 1);
    ambiguous(true, 0);
}

static void test_what_is_not_understood_is_an_edge_of_its_bytes(void **unused) {
    (void)unused;
    struct world world;
    world_open(&world);
    struct udp server = {2, {0}, 443, 1, SERVER_PROCESS, 0};
    opens(&world, &server);
    for (uint16_t port = 1; port <= 1000; port++) {
        RECEIVES(&world, &server, far, port, false, "\xc3 a datagram of another protocol");
        totals(&world, &server, far, port, false, 500, 100);
    }
    connections_sessions_shown(world.connections);
    world_next_window(&world);
    assert_int_equal(world_edges(&world), 1);
    const struct edge *edge = world_edge(&world, PROTOCOL_UNKNOWN);
    assert_int_equal(edge->window.request_bytes, 100000);
    assert_int_equal(edge->window.connects, 1000);
    assert_int_equal(edge->open_connections, 1000);
    connections_sessions_shown(world.connections); /* the kernel holds none of them any more */
    world_next_window(&world);
    assert_int_equal(world_edges(&world), 0);
    world_close(&world);
}

#define SECRET "\xc3 a datagram of another protocol"

static const struct edge *edge_between(const struct world *world, uint32_t client, uint32_t server) {
    for (size_t i = 0; i < world->merged.table.capacity; i++) {
        const struct edge *edge = world->merged.table.slots[i].value;
        if (edge && !edge_silent(edge) && edge->client.id == client && edge->server.id == server)
            return edge;
    }
    return NULL;
}

static void assert_moved(const struct edge *edge, uint64_t request, uint64_t response, uint32_t connects) {
    assert_non_null(edge);
    assert_int_equal(edge->window.request_bytes, request);
    assert_int_equal(edge->window.response_bytes, response);
    assert_int_equal(edge->window.request_datagrams, request / 100);
    assert_int_equal(edge->window.response_datagrams, response / 100);
    assert_int_equal(edge->window.connects, connects);
}

/* A client that comes, is answered and goes, all within a window: the server's end is read when it is gone. */
static void visit(struct world *world, const struct udp *client, const struct udp *server, bool shown, uint64_t asked,
                  uint64_t answered) {
    opens(world, client);
    SENDS(world, client, here, server->port, true, SECRET);
    if (shown) {
        RECEIVES(world, server, here, client->port, false, SECRET);
        SENDS(world, server, here, client->port, false, SECRET);
    }
    RECEIVES(world, client, here, server->port, true, SECRET);
    entry(world, client, here, server->port, true, asked, answered, client->cookie, true);
    closes(world, client);
}

static void reused(bool shown) {
    struct world world;
    world_open(&world);
    struct udp server = {9, {0}, 443, 1, SERVER_PROCESS, 0};
    struct udp clients[3] = {{1, {0}, 41000, 1, 101, 0}, {2, {0}, 41000, 1, 102, 0}, {3, {0}, 41000, 1, 101, 0}};
    opens(&world, &server);
    visit(&world, &clients[0], &server, true, 1000, 2000);
    visit(&world, &clients[1], &server, shown, 300, 700);
    visit(&world, &clients[2], &server, shown, 100, 100);
    totals(&world, &server, here, 41000, false, 2800, 1400); /* one session, to the kernel */
    connections_sessions_shown(world.connections);
    world_next_window(&world);
    assert_int_equal(world_edges(&world), 2);
    assert_moved(edge_between(&world, 101, SERVER_PROCESS), 1100, 2100, 2);
    assert_moved(edge_between(&world, 102, SERVER_PROCESS), 300, 700, 1);
    assert_int_equal(connections_traffic(world.connections)->all.bytes, 4200);
    totals(&world, &server, here, 41000, false, 2800, 1400);
    world_next_window(&world);
    assert_true(!edge_between(&world, 102, SERVER_PROCESS));
    const struct edge *edge = edge_between(&world, 101, SERVER_PROCESS);
    assert_true(!edge || !edge->window.request_bytes);
    world_close(&world);
}

/* Of a session's first datagrams alone the kernel shows any: later clients may be seen by the client's end only. */
static void test_a_port_that_is_used_again_is_joined_again(void **unused) {
    (void)unused;
    reused(true);
    reused(false);
}

static void test_a_port_used_again_may_lead_to_another_server(void **unused) {
    (void)unused;
    struct world world;
    world_open(&world);
    struct udp servers[2] = {{8, {0}, 443, 1, 201, 0}, {9, {0}, 443, 1, 202, 0}}; /* they share the port */
    struct udp clients[2] = {{1, {0}, 41000, 1, 101, 0}, {2, {0}, 41000, 1, 102, 0}};
    opens(&world, &servers[0]);
    opens(&world, &servers[1]);
    visit(&world, &clients[0], &servers[0], true, 1000, 2000);
    visit(&world, &clients[1], &servers[1], true, 300, 700);
    totals(&world, &servers[0], here, 41000, false, 2000, 1000);
    totals(&world, &servers[1], here, 41000, false, 700, 300);
    world_next_window(&world);
    assert_int_equal(world_edges(&world), 2);
    assert_moved(edge_between(&world, 101, 201), 1000, 2000, 1);
    assert_moved(edge_between(&world, 102, 202), 300, 700, 1);
    world_close(&world);
}

/* A resolver asks another one from the port that a local client of it had. */
static void test_a_port_used_again_for_somebody_far_away_is_not_joined(void **unused) {
    (void)unused;
    struct world world;
    world_open(&world);
    struct udp server = {9, {0}, 443, 1, SERVER_PROCESS, 0};
    struct udp near = {1, {0}, 41000, 1, 101, 0}, away = {2, {0}, 41000, 1, SERVER_PROCESS, 0};
    opens(&world, &server);
    visit(&world, &near, &server, true, 1000, 2000);
    opens(&world, &away);
    SENDS(&world, &away, far, 443, true, SECRET);
    totals(&world, &away, far, 443, true, 300, 700);
    totals(&world, &server, here, 41000, false, 2000, 1000);
    world_next_window(&world);
    assert_int_equal(world_edges(&world), 2);
    assert_moved(edge_between(&world, 101, SERVER_PROCESS), 1000, 2000, 1);
    assert_moved(edge_between(&world, SERVER_PROCESS, 0x50000000u + 7 * 65536u + 443), 300, 700, 1);
    world_close(&world);
}

static void test_a_server_started_again_is_joined_with_the_client_that_stayed(void **unused) {
    (void)unused;
    struct world world;
    world_open(&world);
    struct udp servers[2] = {{8, {0}, 443, 1, 201, 0}, {9, {0}, 443, 1, 202, 0}};
    struct udp client = {1, {0}, 41000, 1, CLIENT_PROCESS, 0};
    opens(&world, &client);
    for (int i = 0; i < 2; i++) {
        opens(&world, &servers[i]);
        if (i == 0)
            SENDS(&world, &client, here, 443, true, SECRET);
        RECEIVES(&world, &servers[i], here, 41000, false, SECRET);
        entry(&world, &servers[i], here, 41000, false, 500, 1000, servers[i].cookie, i == 0);
        if (i == 0)
            closes(&world, &servers[i]);
    }
    totals(&world, &client, here, 443, true, 2000, 1000);
    world_next_window(&world);
    assert_int_equal(world_edges(&world), 2);
    assert_moved(edge_between(&world, CLIENT_PROCESS, 201), 1000, 500, 1);
    assert_moved(edge_between(&world, CLIENT_PROCESS, 202), 1000, 500, 0);
    world_close(&world);
}

/* A child goes on with the socket of its parent: at either end. */
static void test_a_socket_that_changes_hands_moves_to_another_edge(void **unused) {
    (void)unused;
    struct world world;
    world_open(&world);
    struct udp client = {1, {0}, 41000, 1, 101, 0}, server = {2, {0}, 443, 1, 201, 0};
    opens(&world, &client);
    opens(&world, &server);
    SENDS(&world, &client, here, 443, true, SECRET);
    RECEIVES(&world, &server, here, 41000, false, SECRET);
    totals(&world, &server, here, 41000, false, 2000, 1000);
    client.process = 102;
    opens(&world, &client);
    totals(&world, &server, here, 41000, false, 2100, 1500);
    server.process = 202;
    opens(&world, &server);
    totals(&world, &server, here, 41000, false, 2400, 1600);
    totals(&world, &client, here, 443, true, 1600, 2400);
    world_next_window(&world);
    assert_int_equal(world_edges(&world), 3);
    assert_moved(edge_between(&world, 101, 201), 1000, 2000, 1);
    assert_moved(edge_between(&world, 102, 201), 500, 100, 0);
    assert_moved(edge_between(&world, 102, 202), 100, 300, 0);
    assert_int_equal(edge_between(&world, 101, 201)->open_connections, 0);
    assert_int_equal(edge_between(&world, 102, 202)->open_connections, 1);
    world_close(&world);
}

/* The kernel gives up an idle session at both ends, and begins new ones. */
static void test_ends_that_begin_again_count_once(void **unused) {
    (void)unused;
    struct world world;
    world_open(&world);
    struct udp client = {1, {0}, 41000, 1, CLIENT_PROCESS, 0}, server = {2, {0}, 443, 1, SERVER_PROCESS, 0};
    opens(&world, &client);
    opens(&world, &server);
    SENDS(&world, &client, here, 443, true, SECRET);
    RECEIVES(&world, &server, here, 41000, false, SECRET);
    for (uint64_t life = 1; life <= 2; life++) {
        entry(&world, &client, here, 443, true, 1000, 2000, life, false);
        entry(&world, &server, here, 41000, false, 2000, 1000, life, false);
    }
    world_next_window(&world);
    assert_int_equal(world_edges(&world), 1);
    assert_moved(edge_between(&world, CLIENT_PROCESS, SERVER_PROCESS), 2000, 4000, 1);
    world_close(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_ends_make_one_edge),
        cmocka_unit_test(test_a_client_alone_makes_a_half_edge_and_totals_are_deltas),
        cmocka_unit_test(test_a_query_without_an_answer_is_a_timeout),
        cmocka_unit_test(test_an_answer_that_did_not_fit_the_ring_makes_a_lost_call),
        cmocka_unit_test(test_the_first_datagram_seen_may_be_an_answer),
        cmocka_unit_test(test_loopback_is_joined_within_a_namespace_only),
        cmocka_unit_test(test_the_first_datagram_decides_or_they_stay_two),
        cmocka_unit_test(test_what_is_not_understood_is_an_edge_of_its_bytes),
        cmocka_unit_test(test_a_port_that_is_used_again_is_joined_again),
        cmocka_unit_test(test_a_port_used_again_may_lead_to_another_server),
        cmocka_unit_test(test_a_port_used_again_for_somebody_far_away_is_not_joined),
        cmocka_unit_test(test_a_server_started_again_is_joined_with_the_client_that_stayed),
        cmocka_unit_test(test_a_socket_that_changes_hands_moves_to_another_edge),
        cmocka_unit_test(test_ends_that_begin_again_count_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
