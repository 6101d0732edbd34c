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
    entry(&world, &client, far, 53, true, 400, 100, 1, true);
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
    connections_sessions_shown(world.connections);
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

/* ---- ends that are told late ---- */

/* A window ends as a worker sees it: the kernel's totals are read, and only later is the window given out. */
static void window_ends(struct world *world) {
    world->sequence++;
    world->now = world->sequence * 10 * SECOND;
    connections_settle(world->connections, world->now - CONNECTION_GRACE_NS);
    struct window_clock clock = world_clock(world);
    edges_plan(&world->edges, &clock);
}

static void window_is_given_out(struct world *world) {
    connections_sessions_shown(world->connections);
    world->now += 2 * SECOND;
    connections_settle(world->connections, world->now - CONNECTION_GRACE_NS);
    connections_tick(world->connections, world->now);
    edges_clear(&world->merged);
    edges_merge(&world->merged, &world->edges, EDGES_ENDED);
}

static void assert_one_edge(const struct world *world, uint64_t request, uint64_t response, uint32_t connects) {
    assert_int_equal(world_edges(world), 1);
    const struct edge *edge = edge_between(world, CLIENT_PROCESS, SERVER_PROCESS);
    assert_moved(edge, request, response, connects);
    assert_true(edge->client_here && edge->server_here);
}

/* The totals that are read when the window ends are ahead of the ring, in which the client stands yet. */
static void test_totals_of_a_client_that_the_ring_has_not_told_wait_for_it(void **unused) {
    (void)unused;
    for (int opened = 0; opened < 2; opened++) {
        struct world world;
        world_open(&world);
        struct udp client = {1, {0}, 41000, 1, CLIENT_PROCESS, 0}, server = {2, {0}, 443, 1, SERVER_PROCESS, 0};
        opens(&world, &server);
        if (opened)
            opens(&world, &client);
        world.now = 9 * SECOND;
        window_ends(&world);
        uint64_t since = world.now -= 1000;
        entry(&world, &server, here, 41000, false, 200, 100, since, false);
        entry(&world, &client, here, 443, true, 100, 200, since,
              false); /* of a socket that is not known yet, perhaps */
        opens(&world, &client);
        SENDS(&world, &client, here, 443, true, SECRET);
        RECEIVES(&world, &server, here, 41000, false, SECRET);
        window_is_given_out(&world);
        assert_one_edge(&world, 100, 200, 1);
        assert_int_equal(connections_losses(world.connections)->unknown_socket, 0);
        entry(&world, &client, here, 443, true, 200, 300, since, false);
        entry(&world, &server, here, 41000, false, 300, 200, since, false);
        world_next_window(&world);
        assert_one_edge(&world, 100, 100, 0);
        world_close(&world);
    }
}

/* The port had another client before, so the server's session is older than this window. */
static void test_totals_of_a_port_used_again_wait_for_the_client(void **unused) {
    (void)unused;
    struct world world;
    world_open(&world);
    struct udp server = {9, {0}, 443, 1, SERVER_PROCESS, 0};
    struct udp clients[2] = {{1, {0}, 41000, 1, CLIENT_PROCESS, 0}, {2, {0}, 41000, 1, CLIENT_PROCESS, 0}};
    opens(&world, &server);
    visit(&world, &clients[0], &server, true, 1000, 2000);
    window_ends(&world);
    world.now -= 1000;
    totals(&world, &server, here, 41000, false, 2700, 1300);
    visit(&world, &clients[1], &server, false, 300, 700);
    window_is_given_out(&world);
    assert_one_edge(&world, 1300, 2700, 2);
    world_close(&world);
}

/* A server that is behind with reading: it is known by its socket, and its session comes in a later window. */
static void test_a_server_that_has_not_read_yet_is_known_by_its_socket(void **unused) {
    (void)unused;
    struct world world;
    world_open(&world);
    struct udp client = {1, {0}, 41000, 1, CLIENT_PROCESS, 0}, server = {2, {0}, 443, 1, SERVER_PROCESS, 0};
    opens(&world, &server); /* bound; it has not read */
    opens(&world, &client);
    SENDS(&world, &client, here, 443, true, SECRET);
    window_ends(&world);
    world.now -= 1000;
    totals(&world, &client, here, 443, true, 100, 0);
    window_is_given_out(&world);
    assert_one_edge(&world, 100, 0, 1);
    uint64_t id = edge_between(&world, CLIENT_PROCESS, SERVER_PROCESS)->id;
    RECEIVES(&world, &server, here, 41000, false, SECRET);
    SENDS(&world, &server, here, 41000, false, SECRET);
    totals(&world, &server, here, 41000, false, 100, 100);
    totals(&world, &client, here, 443, true, 100, 100);
    world_next_window(&world);
    assert_one_edge(&world, 0, 100, 0);
    assert_int_equal(edge_between(&world, CLIENT_PROCESS, SERVER_PROCESS)->id, id);
    assert_int_equal(connections_traffic(world.connections)->all.bytes, 200);
    world_close(&world);
}

/* The client was told first: of a server's socket that nobody has told of, its address is all that is known. */
static void test_a_client_told_before_its_server_moves_to_it(void **unused) {
    (void)unused;
    struct world world;
    world_open(&world);
    struct udp client = {1, {0}, 41000, 1, CLIENT_PROCESS, 0}, server = {2, {0}, 443, 1, SERVER_PROCESS, 0};
    opens(&world, &client);
    SENDS(&world, &client, here, 443, true, SECRET);
    totals(&world, &client, here, 443, true, 100, 0);
    opens(&world, &server); /* within the same window that is enough */
    world_next_window(&world);
    assert_one_edge(&world, 100, 0, 1);
    world_close(&world);

    world_open(&world);
    opens(&world, &client);
    SENDS(&world, &client, here, 443, true, SECRET);
    totals(&world, &client, here, 443, true, 100, 0);
    world_next_window(&world);
    assert_moved(edge_between(&world, CLIENT_PROCESS, 0x50000000u + 1 * 65536u + 443), 100, 0, 1);
    opens(&world, &server);
    RECEIVES(&world, &server, here, 41000, false, SECRET);
    totals(&world, &server, here, 41000, false, 300, 100);
    totals(&world, &client, here, 443, true, 100, 300);
    world_next_window(&world);
    assert_one_edge(&world, 0, 300, 0);
    world_close(&world);
}

/* Sends once and is gone. */
static void fires(struct world *world, const struct udp *client, const uint8_t peer[4], uint16_t port) {
    opens(world, client);
    SENDS(world, client, peer, port, true, SECRET);
    entry(world, client, peer, port, true, 100, 0, client->cookie, true);
    closes(world, client);
}

/* `passes`: between the client's end and the server's reading. */
static void fired(uint64_t passes, bool window) {
    struct world world;
    world_open(&world);
    struct udp client = {1, {0}, 41000, 1, CLIENT_PROCESS, 0}, server = {2, {0}, 8125, 1, SERVER_PROCESS, 0};
    opens(&world, &server);
    world.now = window ? 9 * SECOND : 5 * SECOND; /* it is waited for some seconds */
    fires(&world, &client, here, 8125);
    world.now += passes;
    connections_settle(world.connections, world.now - CONNECTION_GRACE_NS);
    if (window) {
        window_ends(&world);
        window_is_given_out(&world);
        assert_one_edge(&world, 100, 0, 1);
    }
    RECEIVES(&world, &server, here, 41000, false, SECRET);
    totals(&world, &server, here, 41000, false, 0, 100);
    world_next_window(&world);
    if (window)
        assert_one_edge(&world, 0, 0, 0); /* the server's session is open */
    else
        assert_one_edge(&world, 100, 0, 1);
    assert_int_equal(connections_traffic(world.connections)->all.bytes, 100);
    world_close(&world);
}

static void test_a_client_that_is_gone_before_its_server_reads_counts_once(void **unused) {
    (void)unused;
    fired(0, false);
    fired(SECOND, false);
    fired(4 * SECOND, false);
    fired(0, true);
}

/* Their datagrams are alike and wait at the server, and all of them are gone. */
static void test_clients_that_had_one_port_in_turn_are_joined_in_turn(void **unused) {
    (void)unused;
    struct world world;
    world_open(&world);
    struct udp server = {9, {0}, 8125, 1, SERVER_PROCESS, 0};
    opens(&world, &server);
    for (uint64_t i = 1; i <= 3; i++)
        fires(&world, &(struct udp){i, {0}, 41000, 1, 100 + i, 0}, here, 8125);
    for (int i = 0; i < 3; i++)
        RECEIVES(&world, &server, here, 41000, false, SECRET);
    totals(&world, &server, here, 41000, false, 0, 300);
    world_next_window(&world);
    assert_int_equal(world_edges(&world), 3);
    for (uint32_t i = 1; i <= 3; i++)
        assert_moved(edge_between(&world, 100 + i, SERVER_PROCESS), 100, 0, 1);
    world_close(&world);
}

static void test_a_client_that_is_gone_and_whose_server_is_not_here_is_a_half_edge(void **unused) {
    (void)unused;
    struct world world;
    world_open(&world);
    fires(&world, &(struct udp){1, {0}, 41000, 1, CLIENT_PROCESS, 0}, far, 8125);
    world_next_window(&world);
    assert_int_equal(world_edges(&world), 1);
    const struct edge *edge = edge_between(&world, CLIENT_PROCESS, 0x50000000u + 7 * 65536u + 8125);
    assert_moved(edge, 100, 0, 1);
    assert_true(!edge->server_here);
    assert_int_equal(edge->open_connections, 0);
    world_close(&world);
}

/* ---- whose a server's address is ---- */

/* Who is at the other end of a datagram to `peer` when those two sockets are bound, and neither has read. */
static uint64_t server_of(const struct udp *one, const struct udp *other, const uint8_t peer[4]) {
    struct world world;
    world_open(&world);
    struct udp client = {1, {0}, 41000, 1, CLIENT_PROCESS, 0};
    opens(&world, one);
    if (other)
        opens(&world, other);
    opens(&world, &client);
    SENDS(&world, &client, peer, 443, true, SECRET);
    totals(&world, &client, peer, 443, true, 100, 0);
    world_next_window(&world);
    assert_int_equal(world_edges(&world), 1);
    const struct edge *edge = world_edge(&world, PROTOCOL_UNKNOWN);
    assert_int_equal(edge->server_here, edge->server.kind[0] == 'p');
    uint64_t id = edge->server.id;
    world_close(&world);
    return id;
}

static void test_a_loopback_address_is_of_who_is_bound_there(void **unused) {
    (void)unused;
    const uint64_t nobody = 0x50000000u + 1 * 65536u + 443;
    struct udp any = {2, {0}, 443, 1, 201, 0}, exact = {3, {127, 0, 0, 1}, 443, 1, 201, 0};
    struct udp elsewhere = {4, {127, 0, 0, 2}, 443, 1, 201, 0}, apart = {5, {0}, 443, 2, 201, 0};
    struct udp port = {6, {0}, 444, 1, 201, 0}, rival = {7, {0}, 443, 1, 202, 0}, worker = {8, {0}, 443, 1, 201, 0};
    assert_int_equal(server_of(&any, NULL, here), 201);
    assert_int_equal(server_of(&exact, NULL, here), 201);
    assert_int_equal(server_of(&elsewhere, NULL, here), nobody);
    assert_int_equal(server_of(&apart, NULL, here), nobody); /* another network namespace */
    assert_int_equal(server_of(&port, NULL, here), nobody);
    assert_int_equal(server_of(&any, &rival, here), nobody); /* SO_REUSEPORT: either may get it */
    assert_int_equal(server_of(&any, &worker, here), 201);
    assert_int_equal(server_of(&any, &apart, here), 201);
}

/* Of any other address that is no proof: it may be translated on its way, past a proxy that is bound to it. */
static void test_another_address_is_of_who_was_joined_there(void **unused) {
    (void)unused;
    struct udp any = {2, {0}, 443, 1, 201, 0}, exact = {3, {192, 0, 2, 7}, 443, 1, 201, 0};
    const uint64_t nobody = 0x50000000u + 7 * 65536u + 443;
    assert_int_equal(server_of(&any, NULL, far), nobody);
    assert_int_equal(server_of(&exact, NULL, far), nobody);

    struct world world;
    world_open(&world);
    struct udp client = {1, {0}, 41000, 2, CLIENT_PROCESS, 0}, next = {4, {0}, 41001, 2, CLIENT_PROCESS, 0};
    struct udp server = {2, {0}, 443, 1, SERVER_PROCESS, 0};
    opens(&world, &server);
    opens(&world, &client);
    SENDS(&world, &client, far, 443, true, SECRET);
    RECEIVES(&world, &server, client_address, 41000, false, SECRET);
    opens(&world, &next);
    SENDS(&world, &next, far, 443, true, SECRET);
    totals(&world, &next, far, 443, true, 100, 0);
    totals(&world, &client, far, 443, true, 100, 0);
    world_next_window(&world);
    assert_one_edge(&world, 200, 0, 2);
    world_close(&world);
}

static void test_a_socket_that_is_closed_serves_nobody(void **unused) {
    (void)unused;
    struct world world;
    world_open(&world);
    struct udp client = {1, {0}, 41000, 1, CLIENT_PROCESS, 0}, server = {2, {0}, 443, 1, SERVER_PROCESS, 0};
    opens(&world, &server);
    closes(&world, &server);
    opens(&world, &client);
    SENDS(&world, &client, here, 443, true, SECRET);
    totals(&world, &client, here, 443, true, 100, 0);
    world_next_window(&world);
    assert_null(edge_between(&world, CLIENT_PROCESS, SERVER_PROCESS));
    assert_moved(edge_between(&world, CLIENT_PROCESS, 0x50000000u + 1 * 65536u + 443), 100, 0, 1);
    world_close(&world);
}

/* Only a socket with one peer takes its totals along; those of others stand in the kernel's table. */
static void test_what_a_closed_socket_moved_with_several_peers_is_read_once_more(void **unused) {
    (void)unused;
    struct world world;
    world_open(&world);
    struct udp client = {1, {0}, 41000, 1, CLIENT_PROCESS, 0};
    struct session_key key = {.cookie = 1, .family = 2, .address = {192, 0, 2, 7}};
    struct session_totals moved = {.bytes_sent = 100, .datagrams_sent = 1, .last_time = world.now, .first_time = 1};
    opens(&world, &client);
    for (uint16_t port = 1; port <= 3; port++)
        SENDS(&world, &client, far, port, true, SECRET);
    closes(&world, &client);
    window_ends(&world);
    for (key.port = 1; key.port <= 3; key.port++) /* the kernel may forget them */
        assert_true(connections_session(world.connections, &key, &moved, false));
    window_is_given_out(&world);
    assert_int_equal(world_edges(&world), 3);
    for (uint32_t port = 1; port <= 3; port++)
        assert_moved(edge_between(&world, CLIENT_PROCESS, 0x50000000u + 7 * 65536u + port), 100, 0, 1);
    assert_int_equal(connections_losses(world.connections)->unknown_socket, 0);
    world_next_window(&world);
    assert_int_equal(world_edges(&world), 0);
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
        cmocka_unit_test(test_totals_of_a_client_that_the_ring_has_not_told_wait_for_it),
        cmocka_unit_test(test_totals_of_a_port_used_again_wait_for_the_client),
        cmocka_unit_test(test_a_server_that_has_not_read_yet_is_known_by_its_socket),
        cmocka_unit_test(test_a_client_told_before_its_server_moves_to_it),
        cmocka_unit_test(test_a_client_that_is_gone_before_its_server_reads_counts_once),
        cmocka_unit_test(test_clients_that_had_one_port_in_turn_are_joined_in_turn),
        cmocka_unit_test(test_a_client_that_is_gone_and_whose_server_is_not_here_is_a_half_edge),
        cmocka_unit_test(test_a_loopback_address_is_of_who_is_bound_there),
        cmocka_unit_test(test_another_address_is_of_who_was_joined_there),
        cmocka_unit_test(test_a_socket_that_is_closed_serves_nobody),
        cmocka_unit_test(test_what_a_closed_socket_moved_with_several_peers_is_read_once_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
