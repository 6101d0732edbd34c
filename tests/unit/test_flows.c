/* SPDX-License-Identifier: Apache-2.0 */
#include "flow_harness.h"

/* Two namespaces, 2 and 3, at a bridge (interface 5) of the host, 1. */
static void bridged(void) {
    network_size = 0;
    has_interface(1, 5, "br0", "bridge");
    has_veth(2, 2, "eth0", 1, 10, "veth2", 5);
    has_veth(3, 2, "eth0", 1, 11, "veth3", 5);
}

static const struct hop_at over_bridge[] = {
    {2, 2, FLOW_EGRESS, "10.0.0.2:40000", "10.0.0.3:80", 0, 0},
    {1, 10, FLOW_INGRESS, "10.0.0.2:40000", "10.0.0.3:80", 0, 0},
    {1, 11, FLOW_EGRESS, "10.0.0.2:40000", "10.0.0.3:80", 0, 0},
    {3, 2, FLOW_INGRESS, "10.0.0.2:40000", "10.0.0.3:80", 0, 0},
};

static void test_hops_over_a_bridge_are_one_connection_in_order(void **unused) {
    (void)unused;
    bridged();
    struct flows *flows = new_flows(0);
    struct talk talk = {.protocol = IPPROTO_TCP,
                        .client_isn = 1000,
                        .server_isn = 2000,
                        .packets = 7,
                        .client_tgid = 1,
                        .server_tgid = 2,
                        .client_cookie = 11,
                        .server_cookie = 12};
    see_talk(flows, &talk, over_bridge, 4);
    flows_shown(flows, START_NS + 1000 * MS);
    assert_string_equal(shape_of(flows), "2.2e 1.10i 1.11e 3.2i / 3.2e 1.11i 1.10e 2.2i");
    const struct flow_view *view = all_of(flows)->views;
    for (int i = 0; i < 8; i++) {
        assert_int_equal(view[i].order, i % 4 + 1);
        assert_int_equal(view[i].hops, 4);
        assert_true(view[i].direction_known && !view[i].conn_id_local);
        assert_string_equal(view[i].source.name, i < 4 ? "client" : "server");
        assert_string_equal(view[i].destination.name, i < 4 ? "server" : "client");
        assert_int_equal(view[i].from_before_ns, i % 4 ? 10 * US : 0);
    }
    assert_int_equal(view[0].rtt_ns, 230 * US);
    assert_int_equal(view[3].rtt_ns, 170 * US);
    assert_int_equal(view[4].rtt_ns, 170 * US);
    flows_free(flows);
}

/* From outside to a port of host 1 that is published for namespace 3. */
static const struct hop_at published[] = {
    {1, 3, FLOW_INGRESS, "198.51.100.7:50000", "192.0.2.1:8080", 0, 0},
    {1, 5, FLOW_EGRESS, "198.51.100.7:50000", "172.18.0.3:80", 0, 0},
    {1, 11, FLOW_EGRESS, "198.51.100.7:50000", "172.18.0.3:80", 0, 0},
    {3, 2, FLOW_INGRESS, "198.51.100.7:50000", "172.18.0.3:80", 0, 0},
};

static void test_rewriting_does_not_part_a_connection(void **unused) {
    (void)unused;
    bridged();
    struct flows *flows = new_flows(0);
    struct talk talk = {.protocol = IPPROTO_TCP,
                        .client_isn = 5,
                        .server_isn = 6,
                        .packets = 3,
                        .client_tgid = 1,
                        .server_tgid = 2,
                        .client_cookie = 11,
                        .server_cookie = 12};
    see_talk(flows, &talk, published, 4);
    flows_shown(flows, START_NS + 1000 * MS);
    assert_string_equal(shape_of(flows), "1.3i 1.5e 1.11e 3.2i / 3.2e 1.11i 1.5i 1.3e");
    assert_string_equal(all_of(flows)->views[0].destination.name, "server"); /* though no lookup found it there */
    assert_string_equal(all_of(flows)->views[4].source.name, "server");
    flows_free(flows);
}

static void test_one_tuple_in_two_namespaces_is_two_connections(void **unused) {
    (void)unused;
    network_size = 0;
    has_interface(2, 2, "eth0", "veth");
    has_interface(3, 2, "eth0", "veth");
    static const struct hop_at one[] = {{2, 2, FLOW_EGRESS, "10.0.0.2:40000", "10.0.0.3:80", 0, 0}};
    static const struct hop_at two[] = {{3, 2, FLOW_EGRESS, "10.0.0.2:40000", "10.0.0.3:80", 0, 0}};
    struct flows *flows = new_flows(0);
    struct talk talk = {.protocol = IPPROTO_TCP, .client_isn = 5, .server_isn = 6, .packets = 3};
    see_hops(flows, &talk, one, 1);
    talk.client_isn = 7;
    see_hops(flows, &talk, two, 1);
    flows_shown(flows, START_NS + 1000 * MS);
    assert_string_equal(shape_of(flows), "2.2e | 3.2e");
    flows_free(flows);
}

/* Without numbers: apart, where nothing connects the two namespaces; and loopback always. */
static void test_equal_tuples_without_numbers_are_joined_only_where_packets_can_pass(void **unused) {
    (void)unused;
    struct talk talk = {.protocol = IPPROTO_UDP, .packets = 3};
    static const struct hop_at one[] = {{2, 2, FLOW_EGRESS, "10.0.0.2:40000", "10.0.0.3:53", 0, 0}};
    static const struct hop_at two[] = {{7, 2, FLOW_EGRESS, "10.0.0.2:40000", "10.0.0.3:53", 0, 0}};
    static const struct hop_at lo2[] = {{2, 1, FLOW_EGRESS, "127.0.0.1:40000", "127.0.0.1:53", 0, 0}};
    static const struct hop_at lo3[] = {{3, 1, FLOW_EGRESS, "127.0.0.1:40000", "127.0.0.1:53", 0, 0}};
    bridged();
    has_veth(7, 2, "eth0", 8, 2, "eth0", 0); /* a world of their own */
    struct flows *flows = new_flows(0);
    struct interface_totals totals = {.packets = {0}};
    for (unsigned i = 0; i < network_size; i++)
        flows_interface(flows, &(struct interface_key){network[i].netns, network[i].ifindex}, &totals);
    see_hops(flows, &talk, one, 1);
    talk.time_ns = 1; /* the id of such a connection has its tuple and its first moment */
    see_hops(flows, &talk, two, 1);
    see_hops(flows, &talk, lo2, 1);
    see_hops(flows, &talk, lo3, 1);
    flows_shown(flows, START_NS + 1000 * MS);
    assert_string_equal(shape_of(flows), "2.2e | 7.2e | 2.1e | 3.1e");
    flows_free(flows);
}

static void test_udp_is_joined_by_tuple(void **unused) {
    (void)unused;
    bridged();
    struct flows *flows = new_flows(0);
    struct talk talk = {.protocol = IPPROTO_UDP, .packets = 3, .client_tgid = 1, .client_cookie = 11};
    see_talk(flows, &talk, over_bridge, 4);
    flows_shown(flows, START_NS + 1000 * MS);
    assert_string_equal(shape_of(flows), "2.2e 1.10i 1.11e 3.2i / 3.2e 1.11i 1.10e 2.2i");
    assert_true(all_of(flows)->views[0].conn_id_local && all_of(flows)->views[0].direction_known);
    flows_free(flows);
}

static struct nat_pair pair_of(uint8_t protocol, uint32_t netns, const char *client, const char *server,
                               const char *new_client, const char *new_server) {
    struct nat_pair pair;
    memset(&pair, 0, sizeof(pair));
    struct flow_key original = key_at(1, 1, 0, protocol, client, server);
    struct flow_key reply = key_at(1, 1, 0, protocol, new_server, new_client);
    pair.family = original.family;
    pair.protocol = protocol;
    pair.netns = netns;
    memcpy(pair.original.source, original.source, 16);
    memcpy(pair.original.destination, original.destination, 16);
    pair.original.source_port = original.source_port;
    pair.original.destination_port = original.destination_port;
    memcpy(pair.reply.source, reply.source, 16);
    memcpy(pair.reply.destination, reply.destination, 16);
    pair.reply.source_port = reply.source_port;
    pair.reply.destination_port = reply.destination_port;
    return pair;
}

/* Masquerade of namespace 2 to the world outside. */
static const struct hop_at masqueraded[] = {
    {2, 2, FLOW_EGRESS, "10.0.0.2:40000", "198.51.100.7:443", 0, 0},
    {1, 10, FLOW_INGRESS, "10.0.0.2:40000", "198.51.100.7:443", 0, 0},
    {1, 5, FLOW_INGRESS, "10.0.0.2:40000", "198.51.100.7:443", 0, 0},
    {1, 3, FLOW_EGRESS, "192.0.2.1:61000", "198.51.100.7:443", 0, 0},
};
static const char masqueraded_shape[] = "2.2e 1.10i 1.5i 1.3e / 1.3i 1.5e 1.10e 2.2i";

static void test_conntrack_joins_what_has_no_numbers(void **unused) {
    (void)unused;
    for (int protocol = 0; protocol < 2; protocol++)
        for (int late = 0; late < 2; late++) {
            bridged();
            has_interface(1, 3, "eth0", "physical");
            struct flows *flows = new_flows(0);
            struct talk talk = {.protocol = protocol ? IPPROTO_TCP : IPPROTO_UDP, .packets = 3};
            struct nat_pair pair =
                pair_of(talk.protocol, 1, "10.0.0.2:40000", "198.51.100.7:443", "192.0.2.1:61000", "198.51.100.7:443");
            if (!late)
                flows_nat(flows, &pair);
            see_talk(flows, &talk, masqueraded, 4);
            flows_shown(flows, START_NS + 1000 * MS);
            if (late) {
                assert_non_null(strstr(shape_of(flows), "|")); /* nothing says that they are one */
                flows_nat(flows, &pair);
                see_talk(flows, &talk, masqueraded, 4);
                flows_shown(flows, START_NS + 2000 * MS);
            }
            assert_string_equal(shape_of(flows), masqueraded_shape);
            flows_free(flows);
        }
}

/* Found open on both sides of a rewriting, without conntrack: sockets know the numbers of either end. */
static void test_sockets_join_what_was_open_before(void **unused) {
    (void)unused;
    bridged();
    struct flows *flows = new_flows(0);
    struct talk talk = {.protocol = IPPROTO_TCP,
                        .packets = 3,
                        .client_tgid = 1,
                        .server_tgid = 2,
                        .client_cookie = 11,
                        .server_cookie = 12};
    struct socket_view client = {.cookie = 11, .isn = 77, .family = 4, .protocol = IPPROTO_TCP, .state = 1};
    struct socket_view server = {.cookie = 12, .isn = 77, .family = 4, .protocol = IPPROTO_TCP, .state = 1};
    flows_socket(flows, &client);
    flows_socket(flows, &server);
    see_talk(flows, &talk, published, 4);
    flows_shown(flows, START_NS + 1000 * MS);
    const struct collected *all = all_of(flows);
    assert_int_equal(all->count, 8);
    for (unsigned i = 1; i < all->count; i++)
        assert_string_equal(all->conn_ids[i], all->conn_ids[0]);
    assert_string_equal(shape_of(flows), "1.3i 1.5e 1.11e 3.2i / 3.2e 1.11i 1.5i 1.3e");
    flows_free(flows);
}

static void test_an_attempt_without_an_answer_is_one_through_nat(void **unused) {
    (void)unused;
    bridged();
    has_interface(1, 3, "eth0", "physical");
    struct flows *flows = new_flows(0);
    struct talk talk = {.protocol = IPPROTO_TCP, .client_isn = 99, .packets = 1};
    see_hops(flows, &talk, masqueraded, 4);
    flows_shown(flows, START_NS + 1000 * MS);
    assert_string_equal(shape_of(flows), "2.2e 1.10i 1.5i 1.3e");
    /* And when the answer comes, it stays one. */
    talk.server_isn = 100;
    talk.packets = 3;
    see_talk(flows, &talk, masqueraded, 4);
    flows_shown(flows, START_NS + 2000 * MS);
    assert_string_equal(shape_of(flows), masqueraded_shape);
    flows_free(flows);
}

static void test_equal_numbers_of_strangers_do_not_join_attempts(void **unused) {
    (void)unused;
    bridged();
    struct flows *flows = new_flows(0);
    struct talk talk = {.protocol = IPPROTO_TCP, .client_isn = 99, .packets = 1};
    static const struct hop_at other[] = {{3, 2, FLOW_EGRESS, "10.9.0.3:41111", "10.8.0.8:25", 0, 0}};
    see_hops(flows, &talk, over_bridge, 4);
    see_hops(flows, &talk, other, 1);
    flows_shown(flows, START_NS + 1000 * MS);
    assert_string_equal(shape_of(flows), "2.2e 1.10i 1.11e 3.2i | 3.2e");
    flows_free(flows);
}

static void test_a_tuple_used_again_is_another_connection(void **unused) {
    (void)unused;
    bridged();
    struct flows *flows = new_flows(0);
    struct talk talk = {.protocol = IPPROTO_TCP, .client_isn = 1, .server_isn = 2, .packets = 5, .ended = true};
    see_talk(flows, &talk, over_bridge, 4);
    flows_shown(flows, START_NS + 1000 * MS);
    struct talk next = {
        .protocol = IPPROTO_TCP, .client_isn = 3, .server_isn = 4, .packets = 9, .generation = 1, .time_ns = 1500 * MS};
    /* The kernel tells what the former one came to, and shows the next. */
    struct trouble_reused reused;
    memset(&reused, 0, sizeof(reused));
    reused.trouble.kind = TROUBLE_REUSED;
    reused.key = key_at(2, 2, FLOW_EGRESS, IPPROTO_TCP, "10.0.0.2:40000", "10.0.0.3:80");
    talk.packets = 6;
    reused.flow = flow_of(&talk, true, 0, 6);
    flows_trouble(flows, &reused.trouble, sizeof(reused));
    see_talk(flows, &next, over_bridge, 4);
    flows_shown(flows, START_NS + 3000 * MS);
    const struct collected *all = all_of(flows);
    assert_int_equal(all->count, 16);
    assert_int_equal(all->views[0].flow.packets, 6);
    assert_int_equal(all->views[1].flow.packets, 5);
    assert_int_equal(all->views[8].flow.packets, 9);
    assert_string_not_equal(all->conn_ids[0], all->conn_ids[8]);
    flows_free(flows);
}

static void test_what_the_kernel_forgot_while_idle_goes_on(void **unused) {
    (void)unused;
    bridged();
    struct flows *flows = new_flows(0);
    struct talk talk = {.protocol = IPPROTO_TCP, .client_isn = 1, .server_isn = 2, .packets = 5};
    see_talk(flows, &talk, over_bridge, 4);
    flows_shown(flows, START_NS + 1000 * MS);
    flows_shown(flows, START_NS + 2000 * MS); /* not shown: deleted */
    struct talk later = {.protocol = IPPROTO_TCP, .packets = 2, .time_ns = 60000 * MS};
    see_talk(flows, &later, over_bridge, 4);
    flows_shown(flows, START_NS + 61000 * MS);
    const struct collected *all = all_of(flows);
    assert_int_equal(all->count, 8);
    for (int i = 0; i < 8; i++)
        assert_int_equal(all->views[i].flow.packets, 7);
    assert_int_equal(all->views[0].flow.syn, 1);
    flows_free(flows);
}

/* Inside a tunnel and outside of it: hops of one connection. What carries it is another one. */
static void test_a_tunnel_has_hops_of_its_own_and_the_inner_ones(void **unused) {
    (void)unused;
    network_size = 0;
    has_interface(2, 3, "vxlan0", "vxlan");
    has_interface(3, 3, "vxlan0", "vxlan");
    has_veth(2, 2, "eth0", 3, 2, "eth0", 0);
    static const struct hop_at inner[] = {
        {2, 3, FLOW_EGRESS, "10.1.0.2:40000", "10.1.0.3:80", 0, 0},
        {2, 2, FLOW_EGRESS, "10.1.0.2:40000", "10.1.0.3:80", 0, TUNNEL_VXLAN},
        {3, 2, FLOW_INGRESS, "10.1.0.2:40000", "10.1.0.3:80", 0, TUNNEL_VXLAN},
        {3, 3, FLOW_INGRESS, "10.1.0.2:40000", "10.1.0.3:80", 0, 0},
    };
    static const struct hop_at outer[] = {
        {2, 2, FLOW_EGRESS, "192.0.2.2:51111", "192.0.2.3:4789", 0, 0},
        {3, 2, FLOW_INGRESS, "192.0.2.2:51111", "192.0.2.3:4789", 0, 0},
    };
    for (int seen = 0; seen < 2; seen++) { /* with its handshake, and without */
        struct flows *flows = new_flows(0);
        struct talk talk = {.protocol = IPPROTO_TCP,
                            .client_isn = seen,
                            .server_isn = 2 * seen,
                            .packets = 4,
                            .client_tgid = 1,
                            .client_cookie = 11};
        struct talk carrier = {.protocol = IPPROTO_UDP, .packets = 4};
        see_talk(flows, &talk, inner, 4);
        see_hops(flows, &carrier, outer, 2);
        flows_shown(flows, START_NS + 1000 * MS);
        const char *shape = shape_of(flows);
        assert_non_null(strstr(shape, "2.3e 2.2e 3.2i 3.3i / 3.3e 3.2e 2.2i 2.3i"));
        assert_non_null(strstr(shape, "2.2e 3.2i"));
        assert_int_equal(all_of(flows)->count, 10);
        flows_free(flows);
    }
}

static void test_interfaces_tell_the_order_where_time_does_not(void **unused) {
    (void)unused;
    bridged();
    struct flows *flows = new_flows(0);
    struct talk talk = {.protocol = IPPROTO_TCP, .packets = 4, .client_tgid = 1, .client_cookie = 11};
    for (int i = 3; i >= 0; i--) { /* the last hop was attached first */
        talk.time_ns = (uint64_t)(4 - i) * 3000 * MS;
        talk.client_cookie = i ? 0 : 11;
        see_hops(flows, &talk, &over_bridge[i], 1);
    }
    flows_shown(flows, START_NS + 20000 * MS);
    assert_string_equal(shape_of(flows), "2.2e 1.10i 1.11e 3.2i");
    assert_int_equal(all_of(flows)->views[1].from_before_ns, 0);
    flows_free(flows);
}

static void test_drops_are_of_their_hop(void **unused) {
    (void)unused;
    bridged();
    struct flows *flows = new_flows(0);
    struct talk talk = {.protocol = IPPROTO_TCP, .client_isn = 99, .packets = 3};
    see_hops(flows, &talk, over_bridge, 2);
    see_drop(flows, 1, 10, REASON_NETFILTER, DROP_HOOK_FORWARD, "10.0.0.2:40000", "10.0.0.3:80", 3, 2, 99, 10 * MS);
    see_drop(flows, 9, 9, REASON_QUEUE, 0, "10.5.0.5:1", "10.5.0.6:2", 4, 16, 0, 10 * MS); /* of nothing known */
    flows_shown(flows, START_NS + 1000 * MS);
    const struct collected *all = all_of(flows);
    assert_int_equal(all->views[0].drop_count, 0);
    assert_int_equal(all->views[1].drop_count, 1);
    assert_string_equal(all->drops[1][0].reason, "NETFILTER_DROP");
    assert_int_equal(all->drops[1][0].packets, 3);
    struct flows_counters counters;
    flows_counters(flows, &counters);
    assert_int_equal(counters.drops_unmatched, 4);
    /* The tuple serves another connection: what the first one lost stays with it. */
    struct talk next = {
        .protocol = IPPROTO_TCP, .client_isn = 500, .packets = 1, .generation = 1, .time_ns = 200000 * MS};
    see_hops(flows, &next, over_bridge, 2);
    see_drop(flows, 1, 10, REASON_NETFILTER, DROP_HOOK_FORWARD, "10.0.0.2:40000", "10.0.0.3:80", 8, 2, 500,
             200001 * MS);
    flows_shown(flows, START_NS + 201000 * MS);
    all = all_of(flows);
    assert_int_equal(all->count, 4);
    assert_int_equal(all->drops[1][0].packets, 3);
    assert_int_equal(all->drops[3][0].packets, 5);
    flows_free(flows);
}

static unsigned visited;
static uint64_t since_sum;
static void count_visit(void *context, const struct flow_view *view) {
    (void)context;
    visited++;
    since_sum += view->since.packets;
}

static void test_a_window_has_what_moved(void **unused) {
    (void)unused;
    bridged();
    struct flows *flows = new_flows(0);
    struct talk talk = {.protocol = IPPROTO_TCP, .client_isn = 1, .server_isn = 2, .packets = 5};
    for (int round = 1; round <= 3; round++) {
        visited = 0;
        since_sum = 0;
        talk.packets = round == 3 ? 7 : 5;
        see_talk(flows, &talk, over_bridge, 4);
        flows_shown(flows, START_NS + (uint64_t)round * 1000 * MS);
        flows_window(flows, count_visit, NULL);
        assert_int_equal(visited, round == 2 ? 0 : 8);
        assert_int_equal(since_sum, round == 1 ? 40 : round == 2 ? 0 : 16);
    }
    flows_free(flows);
}

/* ---- edges ---- */

static struct edge *edge_in(struct edges *merged) {
    struct edge like = {.client = {.id = 1}, .server = {.id = 2}, .server_port = 80};
    return edges_get(merged, &like);
}

static void test_edges_get_what_their_connections_moved_once(void **unused) {
    (void)unused;
    bridged();
    struct flows *flows = new_flows(0);
    struct edges merged;
    edges_init(&merged, 10);
    struct edge *edge = edge_in(&merged);
    struct talk talk = {.protocol = IPPROTO_TCP, .client_isn = 1, .server_isn = 2, .packets = 5};
    see_talk(flows, &talk, over_bridge, 4);
    see_drop(flows, 1, 10, REASON_NETFILTER, DROP_HOOK_FORWARD, "10.0.0.2:40000", "10.0.0.3:80", 2, 16, 0, 10 * MS);
    flows_shown(flows, START_NS + 1000 * MS);
    flows_add_to_edges(flows, &merged);
    assert_null(edge->window.packets); /* no worker has placed it */
    struct flows_counters counters;
    flows_counters(flows, &counters);
    assert_int_equal(counters.packets_waiting, 10);
    struct flow_placement placement = {.edge_id = edge->id, .isn = 1ULL << 32 | 2, .time = START_NS};
    flows_edge(flows, &placement);
    for (int look = 0; look < 2; look++)
        flows_add_to_edges(flows, &merged);
    assert_non_null(edge->window.packets);
    assert_int_equal(edge->window.packets->request, 5);
    assert_int_equal(edge->window.packets->response, 5);
    assert_int_equal(edge->window.packets->connect_latency.count, 1);
    assert_int_equal(edge->window.packets->connect_latency.sum, 230 * US);
    assert_int_equal(edge->window.packets->drops[0].packets, 2);
    talk.packets = 8;
    see_talk(flows, &talk, over_bridge, 4);
    flows_shown(flows, START_NS + 2000 * MS);
    flows_add_to_edges(flows, &merged);
    assert_int_equal(edge->window.packets->request, 8);
    assert_int_equal(edge->window.packets->connect_latency.count, 1);
    flows_counters(flows, &counters);
    assert_int_equal(counters.packets_waiting, 0);
    edges_done(&merged);
    flows_free(flows);
}

static void test_udp_is_placed_by_socket_and_peer(void **unused) {
    (void)unused;
    bridged();
    struct flows *flows = new_flows(0);
    struct edges merged;
    edges_init(&merged, 10);
    struct edge *edge = edge_in(&merged);
    struct talk talk = {.protocol = IPPROTO_UDP, .packets = 5, .client_cookie = 11};
    static const struct hop_at other[] = {{2, 2, FLOW_EGRESS, "10.0.0.2:40000", "10.0.0.9:80", 0, 0}};
    see_hops(flows, &talk, over_bridge, 4);
    see_hops(flows, &talk, other, 1); /* the same socket to somebody else */
    struct flow_placement placement = {.edge_id = edge->id,
                                       .client_cookie = 11,
                                       .family = 4,
                                       .protocol = IPPROTO_UDP,
                                       .server_port = 80,
                                       .time = START_NS};
    memcpy(placement.server_address, (uint8_t[]){10, 0, 0, 3}, 4);
    flows_edge(flows, &placement);
    flows_shown(flows, START_NS + 1000 * MS);
    flows_add_to_edges(flows, &merged);
    assert_int_equal(edge->window.packets->request, 5);
    edges_done(&merged);
    flows_free(flows);
}

/* ---- bounds ---- */

static void test_memory_is_bounded_and_what_goes_is_counted(void **unused) {
    (void)unused;
    bridged();
    struct flows *flows = new_flows(100);
    struct flows_counters counters;
    for (uint32_t i = 1; i <= 1000; i++) {
        char client[32];
        snprintf(client, sizeof(client), "10.0.0.2:%u", 10000 + i);
        struct hop_at hops[4];
        for (int k = 0; k < 4; k++) {
            hops[k] = over_bridge[k];
            hops[k].client = client;
        }
        struct talk talk = {
            .protocol = IPPROTO_TCP, .client_isn = i, .server_isn = 100000 + i, .packets = 1, .time_ns = i * MS};
        see_talk(flows, &talk, hops, 4);
        if (i % 10 == 0)
            flows_shown(flows, START_NS + i * MS);
    }
    flows_counters(flows, &counters);
    assert_true(counters.connections <= 100 && counters.connections > 10);
    assert_int_equal(counters.evicted + counters.connections, 1000);
    assert_true(counters.packets_unplaced + counters.packets_waiting == 2000);
    for (int i = 0; i < 3; i++) /* what is over is kept for five minutes */
        flows_shown(flows, START_NS + 400000 * MS);
    flows_counters(flows, &counters);
    assert_int_equal(counters.connections, 0);
    flows_free(flows);
}

/* Bytes that no hook would write: nothing breaks, and nothing grows without end. */
static void test_hostile_values(void **unused) {
    (void)unused;
    bridged();
    struct flows *flows = new_flows(64);
    uint64_t random = 88172645463325252u;
    uint8_t noise[sizeof(struct flow_key) + sizeof(struct flow) + sizeof(struct trouble_reused)] = {0};
    for (int i = 0; i < 4000; i++) {
        for (size_t k = 0; k < sizeof(noise); k++) {
            random ^= random << 13, random ^= random >> 7, random ^= random << 17;
            noise[k] = i % 3 ? (uint8_t)(random & 3) : (uint8_t)random;
        }
        struct flow_key key;
        struct flow flow;
        struct trouble_reused reused;
        struct drop_key drop;
        struct drop_totals totals;
        struct nat_pair pair;
        struct socket_view view;
        memcpy(&key, noise, sizeof(key));
        memcpy(&flow, noise + sizeof(key), sizeof(flow));
        memcpy(&reused, noise, sizeof(reused));
        memcpy(&drop, noise, sizeof(drop));
        memcpy(&totals, noise + 60, sizeof(totals));
        memcpy(&pair, noise + 20, sizeof(pair));
        memcpy(&view, noise + 40, offsetof(struct socket_view, frozen));
        view.frozen = i & 1;
        key.ifindex %= 16;
        flows_see(flows, &key, &flow, i % 5 == 0);
        flows_drop(flows, &drop, &totals);
        flows_nat(flows, &pair);
        flows_socket(flows, &view);
        reused.trouble.kind = (uint32_t)i % 8;
        flows_trouble(flows, &reused.trouble, i % 2 ? sizeof(reused) : sizeof(reused.trouble));
        if (i % 100 == 0) {
            flows_shown(flows, START_NS + (uint64_t)i * MS);
            visited = 0;
            flows_each(flows, count_visit, NULL);
            assert_true(visited <= 128);
        }
    }
    flows_free(flows);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hops_over_a_bridge_are_one_connection_in_order),
        cmocka_unit_test(test_rewriting_does_not_part_a_connection),
        cmocka_unit_test(test_one_tuple_in_two_namespaces_is_two_connections),
        cmocka_unit_test(test_equal_tuples_without_numbers_are_joined_only_where_packets_can_pass),
        cmocka_unit_test(test_udp_is_joined_by_tuple),
        cmocka_unit_test(test_conntrack_joins_what_has_no_numbers),
        cmocka_unit_test(test_sockets_join_what_was_open_before),
        cmocka_unit_test(test_an_attempt_without_an_answer_is_one_through_nat),
        cmocka_unit_test(test_equal_numbers_of_strangers_do_not_join_attempts),
        cmocka_unit_test(test_a_tuple_used_again_is_another_connection),
        cmocka_unit_test(test_what_the_kernel_forgot_while_idle_goes_on),
        cmocka_unit_test(test_a_tunnel_has_hops_of_its_own_and_the_inner_ones),
        cmocka_unit_test(test_interfaces_tell_the_order_where_time_does_not),
        cmocka_unit_test(test_drops_are_of_their_hop),
        cmocka_unit_test(test_a_window_has_what_moved),
        cmocka_unit_test(test_edges_get_what_their_connections_moved_once),
        cmocka_unit_test(test_udp_is_placed_by_socket_and_peer),
        cmocka_unit_test(test_memory_is_bounded_and_what_goes_is_counted),
        cmocka_unit_test(test_hostile_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
