/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "flow_harness.h"
#include "topology/path.h"

enum { SYN = 2, ACK = 16 };

/* Two namespaces, 2 and 3, at a bridge (interface 5) of the host, 1, which reaches the world by interface 3. */
static void bridged(void) {
    network_size = 0;
    has_interface(1, 5, "br0", "bridge");
    has_interface(1, 3, "eth0", "physical");
    has_veth(2, 2, "eth0", 1, 10, "veth2", 5);
    has_veth(3, 2, "eth0", 1, 11, "veth3", 5);
}

#define CLIENT "10.0.0.2:40000"
#define SERVER "10.0.0.3:80"

static struct hop_at over_bridge[4];

static void reset_hops(void) {
    static const struct hop_at hops[] = {
        {2, 2, FLOW_EGRESS, CLIENT, SERVER, 0, 0},
        {1, 10, FLOW_INGRESS, CLIENT, SERVER, 0, 0},
        {1, 11, FLOW_EGRESS, CLIENT, SERVER, 0, 0},
        {3, 2, FLOW_INGRESS, CLIENT, SERVER, 0, 0},
    };
    memcpy(over_bridge, hops, sizeof(hops));
}

static struct flows *flows;
static uint64_t now_ns;
static json_t *answer;

static int setup(void **unused) {
    (void)unused;
    bridged();
    reset_hops();
    flows = new_flows(0);
    now_ns = 3000 * MS;
    return 0;
}

static int teardown(void **unused) {
    (void)unused;
    json_decref(answer);
    answer = NULL;
    flows_free(flows);
    return 0;
}

static struct talk healthy(void) {
    return (struct talk){.protocol = IPPROTO_TCP,
                         .client_isn = 1000,
                         .server_isn = 2000,
                         .packets = 20,
                         .client_tgid = 1,
                         .server_tgid = 2,
                         .client_cookie = 11,
                         .server_cookie = 12};
}

static struct talk attempt(void) {
    return (struct talk){
        .protocol = IPPROTO_TCP, .client_isn = 1000, .packets = 3, .client_tgid = 1, .client_cookie = 11};
}

static void shown(void) {
    flows_shown(flows, START_NS + now_ns);
}

static const json_t *finding(const char *from, const char *to) {
    json_decref(answer);
    answer = path_find(flows, from, to, NULL);
    assert_non_null(answer);
    return json_object_get(answer, "finding");
}

static const char *text_of(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static void assert_finding(const char *code, const char *words) {
    const json_t *found = finding("client", "10.0.0.3:80");
    if (strcmp(text_of(found, "code"), code) != 0 || !strstr(text_of(found, "text"), words))
        fail_msg("%s: %s", text_of(found, "code"), text_of(found, "text"));
}

static json_t *hop(unsigned part, const char *way, size_t i) {
    return json_array_get(json_object_get(json_array_get(json_object_get(answer, "parts"), part), way), i);
}

static json_int_t number_of(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    assert_true(json_is_integer(value));
    return json_integer_value(value);
}

static struct trouble trouble_of(enum trouble_kind kind, uint32_t netns, const char *source, const char *destination) {
    struct flow_key key = key_at(netns, 0, 0, IPPROTO_TCP, source, destination);
    struct trouble trouble;
    memset(&trouble, 0, sizeof(trouble));
    trouble.kind = kind;
    trouble.family = key.family;
    trouble.protocol = IPPROTO_TCP;
    trouble.netns = netns;
    trouble.time = START_NS + 10 * MS;
    memcpy(trouble.source, key.source, 16);
    memcpy(trouble.destination, key.destination, 16);
    trouble.source_port = key.source_port;
    trouble.destination_port = key.destination_port;
    return trouble;
}

static void tell(struct trouble trouble) {
    flows_trouble(flows, &trouble, sizeof(trouble));
}

/* The server's host answers the SYN with a reset, which passes back over so many hops from `from` on. */
static void see_reset(unsigned from) {
    struct talk talk = attempt();
    for (unsigned i = from; i < 4; i++) {
        const struct hop_at *at = &over_bridge[3 - i];
        struct flow_key key = key_at(at->netns, at->ifindex, !at->way, IPPROTO_TCP, at->server, at->client);
        struct flow flow = flow_of(&talk, false, i, 1);
        flow.flags = FLOW_ISN_CLIENT;
        flow.syn = 0;
        flow.syn_ack_time = 0;
        flow.rst = 1;
        flows_see(flows, &key, &flow, false);
    }
}

static struct socket_view view_of(uint64_t cookie, uint32_t netns, const char *local, const char *remote) {
    struct flow_key key = key_at(netns, 0, 0, IPPROTO_TCP, local, remote);
    struct socket_view view = {.cookie = cookie,
                               .family = 4,
                               .protocol = IPPROTO_TCP,
                               .state = 1,
                               .netns = netns,
                               .local_port = key.source_port,
                               .remote_port = key.destination_port};
    memcpy(view.local_address, key.source, 16);
    memcpy(view.remote_address, key.destination, 16);
    return view;
}

/* ---- healthy ---- */

static void test_a_healthy_path_is_said_to_be_one(void **unused) {
    (void)unused;
    struct talk talk = healthy();
    see_talk(flows, &talk, over_bridge, 4);
    shown();
    assert_finding("ok", "client reaches server: 20 packets there, 20 back");
    assert_int_equal(json_integer_value(json_object_get(answer, "connections")), 1);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(number_of(hop(0, "hops", i), "packets"), 20);
        assert_int_equal(number_of(hop(0, "hops", i), "order"), i + 1);
    }
    assert_int_equal(number_of(hop(0, "hops", 1), "lost_after"), 0);
    assert_string_equal(text_of(hop(0, "hops", 2), "interface"), "veth3");
    assert_string_equal(text_of(json_object_get(hop(0, "hops", 3), "owner"), "name"), "server");
    /* However the two are called. */
    static const char *const calls[][2] = {
        {"client", "server"}, {"10.0.0.2", ":80"}, {"", "10.0.0.3"}, {"*", "server:80"}, {CLIENT, SERVER}};
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
        assert_string_equal(text_of(finding(calls[i][0], calls[i][1]), "code"), "ok");
    static const char *const others[][2] = {
        {"client", ":81"}, {"server", "client"}, {"10.0.0.4", ""}, {"client", "server:8"}, {"clien", "server"}};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_string_equal(text_of(finding(others[i][0], others[i][1]), "code"), "not_seen");
}

static void test_not_seen_says_what_is_watched(void **unused) {
    (void)unused;
    struct interface_totals totals = {.packets = {0}};
    flows_interface(flows, &(struct interface_key){1, 3}, &totals);
    shown();
    assert_finding("not_seen", "eth0");
}

static void test_rewriting_is_told(void **unused) {
    (void)unused;
    struct hop_at hops[] = {
        {1, 3, FLOW_INGRESS, "198.51.100.7:50000", "192.0.2.1:8080", 0, 0},
        {1, 5, FLOW_EGRESS, "198.51.100.7:50000", SERVER, 0, 0},
        {1, 11, FLOW_EGRESS, "198.51.100.7:50000", SERVER, 0, 0},
        {3, 2, FLOW_INGRESS, "198.51.100.7:50000", SERVER, 0, 0},
    };
    struct talk talk = healthy();
    talk.client_cookie = 0;
    see_talk(flows, &talk, hops, 4);
    shown();
    assert_string_equal(text_of(finding("198.51.100.7", ":8080"), "code"), "ok");
    const json_t *rewritten = json_object_get(hop(0, "hops", 1), "rewritten");
    assert_string_equal(text_of(rewritten, "kind"), "dnat");
    assert_string_equal(text_of(rewritten, "from"), "192.0.2.1:8080");
    assert_string_equal(text_of(rewritten, "to"), SERVER);
    assert_string_equal(text_of(rewritten, "namespace"), "host");
    assert_string_equal(text_of(json_object_get(hop(0, "reverse", 3), "rewritten"), "kind"), "snat");
    assert_null(json_object_get(hop(0, "hops", 2), "rewritten"));
}

/* ---- one fault each, and what looks like it ---- */

static void test_dropped(void **unused) {
    (void)unused;
    struct talk talk = attempt();
    see_hops(flows, &talk, over_bridge, 2);
    see_drop(flows, 1, 10, REASON_NETFILTER, DROP_HOOK_FORWARD, CLIENT, SERVER, 3, SYN, 1000, 5 * MS);
    shown();
    assert_finding("dropped", "netfilter dropped 3 of 3 packets from client to 10.0.0.3 at veth2 in host (FORWARD");
    assert_int_equal(number_of(json_object_get(answer, "finding"), "order"), 2);
    assert_int_equal(json_array_size(json_object_get(hop(0, "hops", 1), "drops")), 1);
}

/* By a rule at the sender: no interface ever saw it. */
static void test_dropped_before_any_hop(void **unused) {
    (void)unused;
    see_drop(flows, 2, 2, REASON_NETFILTER, DROP_HOOK_OUTPUT, CLIENT, SERVER, 3, SYN, 1000, 5 * MS);
    shown();
    const json_t *found = finding("10.0.0.2", "10.0.0.3:80");
    assert_string_equal(text_of(found, "code"), "dropped");
    assert_int_equal(number_of(found, "order"), 0);
    assert_non_null(strstr(text_of(found, "text"), "OUTPUT"));
}

static void test_the_answer_is_dropped(void **unused) {
    (void)unused;
    struct talk talk = healthy();
    talk.packets = 2;
    see_hops(flows, &talk, over_bridge, 4);
    struct flow_key key = key_at(3, 2, FLOW_EGRESS, IPPROTO_TCP, SERVER, CLIENT);
    struct flow flow = flow_of(&talk, false, 0, 2);
    flows_see(flows, &key, &flow, false);
    see_drop(flows, 1, 11, REASON_NETFILTER, DROP_HOOK_FORWARD, SERVER, CLIENT, 2, SYN | ACK, 2000, 5 * MS);
    shown();
    const json_t *found = finding("client", "server");
    assert_string_equal(text_of(found, "direction"), "reverse");
}

static void test_rejected_by_icmp_and_by_reset(void **unused) {
    (void)unused;
    struct talk talk = attempt();
    talk.packets = 1;
    see_hops(flows, &talk, over_bridge, 2);
    see_drop(flows, 1, 10, REASON_NETFILTER, DROP_HOOK_FORWARD, CLIENT, SERVER, 1, SYN, 1000, 5 * MS);
    struct trouble icmp = trouble_of(TROUBLE_ICMP_ERROR, 2, CLIENT, SERVER);
    icmp.icmp_type = 3;
    icmp.icmp_code = 3;
    memcpy(icmp.icmp_sender, (uint8_t[]){10, 0, 0, 1}, 4);
    tell(icmp);
    shown();
    assert_finding("rejected", "10.0.0.1 rejected it");
    teardown(NULL);
    setup(NULL);
    see_hops(flows, &talk, over_bridge, 2);
    see_drop(flows, 1, 10, REASON_NETFILTER, DROP_HOOK_FORWARD, CLIENT, SERVER, 1, SYN, 1000, 5 * MS);
    see_reset(2);
    shown();
    assert_finding("rejected", "a reset that no socket sent");
}

static void test_no_route(void **unused) {
    (void)unused;
    see_drop(flows, 2, 0, REASON_NO_ROUTE, 0, CLIENT, SERVER, 1, SYN, 1000, 5 * MS);
    shown();
    assert_string_equal(text_of(finding("10.0.0.2", ":80"), "code"), "no_route");
    teardown(NULL);
    setup(NULL); /* a router says so */
    struct talk talk = attempt();
    see_hops(flows, &talk, over_bridge, 2);
    struct trouble icmp = trouble_of(TROUBLE_ICMP_ERROR, 2, CLIENT, SERVER);
    icmp.icmp_type = 3;
    icmp.icmp_code = 1;
    memcpy(icmp.icmp_sender, (uint8_t[]){10, 0, 0, 1}, 4);
    tell(icmp);
    shown();
    assert_finding("no_route", "10.0.0.1 has no route to it");
    teardown(NULL);
    setup(NULL); /* connect fails without a packet */
    struct flow_key key = key_at(2, 0, 0, IPPROTO_TCP, CLIENT, SERVER);
    struct flow_placement placement = {.edge_id = 5,
                                       .time = START_NS,
                                       .client_cookie = 11,
                                       .client_port = 40000,
                                       .server_port = 80,
                                       .family = 4,
                                       .protocol = IPPROTO_TCP,
                                       .netns = 2,
                                       .error = ENETUNREACH,
                                       .client = {.tgid = 1, .start_time = 1}};
    memcpy(placement.client_address, key.source, 16);
    memcpy(placement.server_address, key.destination, 16);
    flows_edge(flows, &placement);
    shown();
    assert_finding("no_route", "ENETUNREACH");
}

static void test_no_listener(void **unused) {
    (void)unused;
    struct talk talk = attempt();
    talk.packets = 1;
    see_hops(flows, &talk, over_bridge, 4);
    see_reset(0);
    see_drop(flows, 3, 2, REASON_NO_SOCKET, 0, CLIENT, SERVER, 1, SYN, 1000, 5 * MS);
    tell(trouble_of(TROUBLE_RESET_SENT, 3, SERVER, CLIENT));
    shown();
    assert_finding("no_listener", "nobody listens");
    assert_int_equal(number_of(json_object_get(answer, "finding"), "order"), 4);
}

static void test_no_answer(void **unused) {
    (void)unused;
    struct talk talk = attempt();
    static const struct hop_at out[] = {
        {2, 2, FLOW_EGRESS, CLIENT, SERVER, 0, 0},
        {1, 10, FLOW_INGRESS, CLIENT, SERVER, 0, 0},
        {1, 3, FLOW_EGRESS, CLIENT, SERVER, 0, 0},
    };
    see_hops(flows, &talk, out, 3);
    shown();
    assert_finding("no_answer", "leave by eth0 in host, and nothing came back");
}

/* A moment after its only SYN: an answer may be on its way. */
static void test_a_young_attempt_is_no_fault_yet(void **unused) {
    (void)unused;
    struct talk talk = attempt();
    talk.packets = 1;
    talk.time_ns = now_ns - 100 * MS;
    see_hops(flows, &talk, over_bridge, 4);
    shown();
    assert_finding("ok", "");
}

static void test_listen_queue_full(void **unused) {
    (void)unused;
    struct talk talk = attempt();
    see_hops(flows, &talk, over_bridge, 4);
    struct socket_view listener = view_of(20, 3, "0.0.0.0:80", "0.0.0.0:0");
    listener.state = 10;
    listener.receive_queue = 6;
    listener.receive_queue_limit = 5;
    flows_socket(flows, &listener);
    see_drop(flows, 3, 2, REASON_LISTEN, 0, CLIENT, SERVER, 3, SYN, 1000, 5 * MS);
    shown();
    assert_finding("listen_queue_full", "the listener's queue had no room");
    teardown(NULL);
    setup(NULL); /* no such drop is told: the queue tells */
    see_hops(flows, &talk, over_bridge, 4);
    flows_socket(flows, &listener);
    shown();
    assert_finding("listen_queue_full", "6 connections of 5 wait");
    teardown(NULL);
    setup(NULL); /* a queue with room is not at fault */
    listener.receive_queue = 1;
    see_hops(flows, &talk, over_bridge, 4);
    flows_socket(flows, &listener);
    shown();
    assert_finding("no_answer", "");
}

static void test_peer_stalled(void **unused) {
    (void)unused;
    struct talk talk = healthy();
    struct socket_view server = view_of(12, 3, SERVER, CLIENT);
    server.receive_queue = 500;
    for (int frozen = 1; frozen >= 0; frozen--) {
        server.frozen = frozen;
        for (int round = 0; round < 6; round++) {
            see_talk(flows, &talk, over_bridge, 4);
            flows_socket(flows, &server);
            now_ns += 1000 * MS;
            shown();
        }
        assert_finding("peer_stalled", frozen ? "server is frozen or stopped: 500 bytes wait" : "server does not read");
        teardown(NULL);
        setup(NULL);
    }
    for (int round = 0; round < 6; round++) { /* one that is busy, and reads */
        server.receive_queue = 500 - (uint32_t)round * 10;
        see_talk(flows, &talk, over_bridge, 4);
        flows_socket(flows, &server);
        now_ns += 1000 * MS;
        shown();
    }
    assert_finding("ok", "");
}

static void test_mtu(void **unused) {
    (void)unused;
    struct talk talk = healthy();
    struct socket_view client = view_of(11, 2, CLIENT, SERVER);
    client.backoff = 4;
    client.send_queue = 9000;
    client.retransmits = 5;
    see_talk(flows, &talk, over_bridge, 4);
    flows_socket(flows, &client);
    see_drop(flows, 1, 10, REASON_TOO_BIG, 0, CLIENT, SERVER, 6, ACK, 5, 20 * MS);
    shown();
    assert_finding("mtu", "too narrow for 6");
    teardown(NULL);
    setup(NULL); /* one packet was too big, the path's size was found, and all goes on */
    client.backoff = 0;
    client.retransmits = 1;
    see_talk(flows, &talk, over_bridge, 4);
    flows_socket(flows, &client);
    see_drop(flows, 1, 10, REASON_TOO_BIG, 0, CLIENT, SERVER, 1, ACK, 5, 20 * MS);
    shown();
    assert_finding("ok", "");
}

/* Nothing tells of it but that large packets do not come through. */
static void test_mtu_without_a_word(void **unused) {
    (void)unused;
    struct talk talk = healthy();
    struct socket_view client = view_of(11, 2, CLIENT, SERVER);
    network[5].mtu = 1400; /* veth3, in host */
    for (int narrow = 1; narrow >= 0; narrow--) {
        for (unsigned i = 0; i < 4; i++) {
            struct flow_key key =
                key_at(over_bridge[i].netns, over_bridge[i].ifindex, over_bridge[i].way, IPPROTO_TCP, CLIENT, SERVER);
            struct flow flow = flow_of(&talk, true, i, i >= 2 && narrow ? 14 : 20);
            flow.largest = i >= 2 || !narrow ? 600 : 1500;
            if (i == 0)
                set_end(&flow.source_end, 1, 11, 2);
            flows_see(flows, &key, &flow, false);
        }
        see_answers(flows, &talk, over_bridge, 4);
        client.retransmits = narrow ? 5 : 0;
        flows_socket(flows, &client);
        shown();
        assert_finding(narrow ? "mtu" : "ok", narrow ? "1500 bytes do not fit" : "");
        if (narrow) {
            teardown(NULL);
            setup(NULL);
        }
    }
}

static void test_loss(void **unused) {
    (void)unused;
    struct talk talk = healthy();
    struct socket_view client = view_of(11, 2, CLIENT, SERVER);
    client.retransmits = 5;
    talk.packets = 105;
    over_bridge[2].packets = 100;
    see_talk(flows, &talk, over_bridge, 4);
    flows_socket(flows, &client);
    see_drop(flows, 1, 10, REASON_NETFILTER, DROP_HOOK_FORWARD, CLIENT, SERVER, 5, ACK, 5, 20 * MS);
    shown();
    assert_finding("loss", "netfilter dropped 5 of 105");
    assert_int_equal(number_of(hop(0, "hops", 1), "lost_after"), 5);
    assert_int_equal(number_of(hop(0, "hops", 0), "lost_after"), 0);
    teardown(NULL);
    setup(NULL); /* where no drop is told, hops are compared */
    over_bridge[2].packets = 100;
    see_talk(flows, &talk, over_bridge, 4);
    flows_socket(flows, &client);
    shown();
    assert_finding("loss", "5 of 105 segments were lost between veth2 in host and veth3 in host");
    teardown(NULL);
    setup(NULL); /* while packets are on their way, hops differ and nothing is sent again */
    over_bridge[2].packets = 100;
    see_talk(flows, &talk, over_bridge, 4);
    client.retransmits = 0;
    flows_socket(flows, &client);
    shown();
    assert_finding("ok", "");
}

/* Of many connections some lose their SYN: that is loss, though the newest has not got through yet. */
static void test_loss_over_many_connections(void **unused) {
    (void)unused;
    for (uint32_t i = 0; i < 20; i++) {
        char client[32];
        snprintf(client, sizeof(client), "10.0.0.2:%u", 40000 + i);
        struct hop_at hops[4];
        for (int k = 0; k < 4; k++) {
            hops[k] = over_bridge[k];
            hops[k].client = client;
        }
        struct talk talk = i < 19 ? healthy() : attempt();
        talk.client_isn = 1000 + i;
        talk.server_isn = i < 19 ? 3000 + i : 0;
        talk.client_cookie = 100 + i;
        talk.server_cookie = 200 + i;
        talk.packets = i < 19 ? 5 : 1;
        talk.time_ns = i * 100 * MS;
        if (i < 19)
            see_talk(flows, &talk, hops, 4);
        else
            see_hops(flows, &talk, hops, 2);
        if (i == 3 || i == 19)
            see_drop(flows, 1, 10, REASON_NETFILTER, DROP_HOOK_FORWARD, client, SERVER, 1, SYN, 1000 + i, i * 100 * MS);
    }
    now_ns = 6000 * MS;
    shown();
    assert_finding("loss", "netfilter dropped 2 of");
    assert_int_equal(json_integer_value(json_object_get(answer, "connections")), 20);
}

static void test_two_drops_are_both_named(void **unused) {
    (void)unused;
    struct talk talk = healthy();
    see_talk(flows, &talk, over_bridge, 4);
    see_drop(flows, 1, 10, REASON_NETFILTER, DROP_HOOK_FORWARD, CLIENT, SERVER, 2, ACK, 5, 20 * MS);
    see_drop(flows, 3, 2, REASON_NETFILTER, DROP_HOOK_INPUT, CLIENT, SERVER, 1, ACK, 5, 20 * MS);
    shown();
    assert_finding("loss", "at veth2 in host (FORWARD");
    assert_finding("loss", "at eth0 in ns3 (INPUT");
    assert_int_equal(json_array_size(json_object_get(json_object_get(answer, "finding"), "causes")), 2);
}

static void test_a_reset_is_of_whoever_sent_it(void **unused) {
    (void)unused;
    for (int side = 0; side < 3; side++) { /* 2: a host between */
        struct talk talk = healthy();
        for (unsigned i = 0; i < 4; i++)
            for (int forward = 0; forward < 2; forward++) {
                const struct hop_at *at = &over_bridge[forward ? i : 3 - i];
                struct flow_key key = key_at(at->netns, at->ifindex, forward ? at->way : !at->way, IPPROTO_TCP,
                                             forward ? CLIENT : SERVER, forward ? SERVER : CLIENT);
                struct flow flow = flow_of(&talk, forward, i, 10);
                flow.rst = side == 2 ? !forward && i > 1 : forward == !side;
                if (i == 0)
                    set_end(&flow.source_end, forward ? 1 : 2, forward ? 11 : 12, at->netns);
                flows_see(flows, &key, &flow, false);
            }
        shown();
        assert_finding("reset", side == 2 ? "on the way, not by server" : side ? "server reset" : "client reset");
        teardown(NULL);
        setup(NULL);
    }
    struct talk talk = healthy();
    see_talk(flows, &talk, over_bridge, 4);
    shown();
    assert_finding("ok", "");
}

static void test_a_fault_that_is_over_is_not_told(void **unused) {
    (void)unused;
    struct talk talk = attempt();
    see_hops(flows, &talk, over_bridge, 2);
    see_drop(flows, 1, 10, REASON_NETFILTER, DROP_HOOK_FORWARD, CLIENT, SERVER, 3, SYN, 1000, 5 * MS);
    shown();
    assert_finding("dropped", "");
    for (int k = 0; k < 4; k++)
        over_bridge[k].client = "10.0.0.2:40001";
    struct talk later = healthy();
    later.client_isn = 7;
    later.time_ns = 10000 * MS;
    later.client_cookie = 21;
    see_talk(flows, &later, over_bridge, 4);
    now_ns = 12000 * MS;
    shown();
    assert_finding("ok", "");
}

/* ---- proxies ---- */

static void test_a_proxy_makes_two_connections(void **unused) {
    (void)unused;
    static const struct hop_at one[] = {{2, 2, FLOW_EGRESS, CLIENT, "10.0.0.1:8080", 0, 0},
                                        {1, 10, FLOW_INGRESS, CLIENT, "10.0.0.1:8080", 0, 0}};
    static const struct hop_at two[] = {{1, 11, FLOW_EGRESS, "10.0.0.1:50000", SERVER, 0, 0},
                                        {3, 2, FLOW_INGRESS, "10.0.0.1:50000", SERVER, 0, 0}};
    struct talk first = healthy(), second = healthy();
    first.server_tgid = 3;
    first.server_cookie = 31;
    second.client_isn = 5;
    second.client_tgid = 3;
    second.client_cookie = 32;
    second.time_ns = 1 * MS;
    see_talk(flows, &first, one, 2);
    see_talk(flows, &second, two, 2);
    shown();
    const json_t *found = finding("client", "server");
    assert_string_equal(text_of(found, "code"), "ok");
    assert_non_null(strstr(text_of(found, "text"), "proxy is between"));
    assert_int_equal(json_array_size(json_object_get(answer, "parts")), 2);
    assert_string_equal(text_of(json_array_get(json_object_get(answer, "proxies"), 0), "name"), "proxy");
    assert_int_equal(json_array_size(json_object_get(json_array_get(json_object_get(answer, "parts"), 0), "hops")), 2);
    /* Whoever else that process may know, it is between these two only if it went there for this one. */
    assert_string_equal(text_of(finding("other", "server"), "code"), "not_seen");
}

static void test_a_tunnel_is_told_at_its_hops(void **unused) {
    (void)unused;
    network_size = 0;
    has_interface(2, 3, "vxlan0", "vxlan");
    has_interface(3, 3, "vxlan0", "vxlan");
    has_veth(2, 2, "eth0", 3, 2, "eth0", 0);
    static const struct hop_at inner[] = {
        {2, 3, FLOW_EGRESS, CLIENT, SERVER, 0, 0},
        {2, 2, FLOW_EGRESS, CLIENT, SERVER, 0, TUNNEL_VXLAN},
        {3, 2, FLOW_INGRESS, CLIENT, SERVER, 0, TUNNEL_VXLAN},
        {3, 3, FLOW_INGRESS, CLIENT, SERVER, 0, 0},
    };
    static const struct hop_at outer[] = {
        {2, 2, FLOW_EGRESS, "192.0.2.2:51111", "192.0.2.3:4789", 0, 0},
        {3, 2, FLOW_INGRESS, "192.0.2.2:51111", "192.0.2.3:4789", 0, 0},
    };
    struct talk talk = healthy(), carrier = {.protocol = IPPROTO_UDP, .packets = 20};
    see_talk(flows, &talk, inner, 4);
    see_hops(flows, &carrier, outer, 2);
    shown();
    assert_finding("ok", "");
    const json_t *tunnel = json_object_get(hop(0, "hops", 1), "tunnel");
    assert_string_equal(text_of(tunnel, "kind"), "vxlan");
    assert_string_equal(text_of(tunnel, "destination"), "192.0.2.3");
    assert_null(json_object_get(hop(0, "hops", 0), "tunnel"));
}

static void test_selectors_of_any_kind_do_no_harm(void **unused) {
    (void)unused;
    struct talk talk = healthy();
    see_talk(flows, &talk, over_bridge, 4);
    shown();
    static const char *const texts[] = {"",         ":",
                                        "::",       "[",
                                        "[]",       "[::1]:",
                                        "a:b:c",    ":0",
                                        ":65536",   ":99999999999999999999",
                                        "*:80",     "[fd00::1]:80",
                                        "\xff\xfe", NULL};
    for (int i = 0; i < 14; i++)
        for (int k = 0; k < 14; k++)
            finding(texts[i], texts[k]);
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        test(test_a_healthy_path_is_said_to_be_one),
        test(test_not_seen_says_what_is_watched),
        test(test_rewriting_is_told),
        test(test_dropped),
        test(test_dropped_before_any_hop),
        test(test_the_answer_is_dropped),
        test(test_rejected_by_icmp_and_by_reset),
        test(test_no_route),
        test(test_no_listener),
        test(test_no_answer),
        test(test_a_young_attempt_is_no_fault_yet),
        test(test_listen_queue_full),
        test(test_peer_stalled),
        test(test_mtu),
        test(test_mtu_without_a_word),
        test(test_loss),
        test(test_loss_over_many_connections),
        test(test_two_drops_are_both_named),
        test(test_a_reset_is_of_whoever_sent_it),
        test(test_a_fault_that_is_over_is_not_told),
        test(test_a_proxy_makes_two_connections),
        test(test_a_tunnel_is_told_at_its_hops),
        test(test_selectors_of_any_kind_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
