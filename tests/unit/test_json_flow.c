/* SPDX-License-Identifier: Apache-2.0 */
/* Flow records and the packet fields of edges, as jansson reads them. */
#include <inttypes.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "flow_samples.h"
#include "sinks/json_flow.h"
#include "topology/flow_text.h"

#define UNIX_NOW 1795390800000000000ULL
static const struct window window = {1795390790000000000, 10000000000};
static const struct json_clocks clocks = {.now = UNIX_NOW, .monotonic = 7000000000};

static json_t *parsed(const struct writer *writer) {
    json_error_t error;
    json_t *value = json_loadb(writer->bytes, writer->length, JSON_REJECT_DUPLICATES, &error);
    if (!value)
        fail_msg("%s: %.*s", error.text, (int)writer->length, writer->bytes);
    assert_int_equal(writer->bytes[writer->length - 1], '\n');
    return value;
}

static json_t *record_of(const struct flow_view *view) {
    struct writer writer = {0};
    struct agent_stamp stamp = {.id = 1, .boot = 2, .host = "h"};
    json_flow(&writer, &stamp, &window, &clocks, view);
    json_t *record = parsed(&writer);
    assert_int_equal(stamp.sequence, 1);
    writer_done(&writer);
    return record;
}

/* hop.order: a path of names. NULL: absent. */
static json_t *at(json_t *record, const char *path) {
    char name[40];
    while (record && *path) {
        size_t length = strcspn(path, ".");
        snprintf(name, sizeof(name), "%.*s", (int)length, path);
        record = json_object_get(record, name);
        path += length + (path[length] == '.');
    }
    return record;
}

static void expect_text(json_t *record, const char *path, const char *expected) {
    if (!json_is_string(at(record, path)))
        fail_msg("no %s", path);
    assert_string_equal(json_string_value(at(record, path)), expected);
}

static void expect_number(json_t *record, const char *path, uint64_t expected) {
    if (!json_is_integer(at(record, path)))
        fail_msg("no %s", path);
    assert_int_equal(json_integer_value(at(record, path)), expected);
}

static void expect_absent(json_t *record, const char *path) {
    if (at(record, path))
        fail_msg("%s is there", path);
}

static void a_flow_says_what_came_in_the_window(void **state) {
    (void)state;
    struct flow_view view = sample_flow();
    json_t *record = record_of(&view);
    expect_text(record, "record", "flow");
    expect_number(record, "version", 1);
    expect_number(record, "window_start", window.start);
    expect_text(record, "conn_id", "8c0e4d0000000001");
    expect_text(record, "edge_id", "000000000000c11e");
    expect_text(record, "transport", "tcp");
    expect_text(record, "sender", "client");
    expect_text(record, "hop.interface", "veth0");
    expect_text(record, "hop.direction", "egress");
    expect_number(record, "hop.order", 1);
    expect_text(record, "source.name", "web");
    expect_text(record, "source.address", "10.0.0.2");
    expect_number(record, "source.port", 41000);
    expect_number(record, "source.process.pid", 4711);
    expect_text(record, "source.process.executable", "/usr/bin/node");
    expect_text(record, "source.socket", "socket");
    expect_text(record, "destination.socket", "none");
    expect_number(record, "destination.port", 5432);
    expect_number(record, "packets", 12);
    expect_number(record, "segments", 14);
    expect_number(record, "bytes", 3110);
    expect_number(record, "tcp.syn", 1);
    /* Two seconds before `clocks`. */
    expect_number(record, "first_time", UNIX_NOW - 2000000000);
    assert_int_equal(json_flow_key(&view), 0x8c0e4d0000000001);
    json_decref(record);
}

/* Never a made-up zero. */
static void what_is_not_known_is_absent(void **state) {
    (void)state;
    static const char *const unknown[] = {
        "conn_id",       "conn_id_local",  "edge_id",       "sender",          "hop.order", "hop.interface",
        "hop.namespace", "hop.kind",       "hop.vlan",      "hop.tunnel",      "hop.mtu",   "source.id",
        "source.name",   "source.process", "source.socket", "tcp.retransmits", "tcp.rtt",   "tcp.mss",
        "socket",        "drops",          "drop_places",   "from_before",     "icmp",      "hop.shadowed"};
    struct flow_view view = sample_flow();
    view.conn_id = "";
    view.edge_id = 0;
    view.direction_known = false;
    view.order = view.hops = 0;
    memset(&view.hop, 0, sizeof(view.hop));
    view.source = (struct edge_end){0};
    view.flow.source_end = (struct flow_end){0};
    json_t *record = record_of(&view);
    for (size_t i = 0; i < sizeof(unknown) / sizeof(*unknown); i++)
        expect_absent(record, unknown[i]);
    expect_number(record, "hop.ifindex", 7);
    expect_number(record, "tcp.zero_windows", 0); /* counted, and none */
    struct flow_view other = view;
    other.key.destination_port++;
    assert_true(json_flow_key(&view) && json_flow_key(&view) != json_flow_key(&other));
    json_decref(record);
}

static void sockets_and_tunnels_are_told(void **state) {
    (void)state;
    struct socket_view seen = {
        .protocol = IPPROTO_TCP, .state = 1, .receive_queue = 5, .send_queue = 6, .frozen = true};
    struct flow_view view = sample_flow();
    view.flow.socket_time = 1;
    view.flow.srtt_us = 81;
    view.flow.cwnd = 10;
    view.since.total_retransmits = 3;
    view.rtt_ns = 81000;
    view.flow.mss = 1460;
    view.key.tunnel = TUNNEL_VXLAN;
    view.key.tunnel_id = 42;
    view.key.vlan = 100;
    view.source_socket = &seen;
    view.conn_id_local = true;
    view.from_before_ns = 9;
    json_t *record = record_of(&view);
    expect_number(record, "socket.rtt", 81000);
    expect_absent(record, "socket.min_rtt");
    expect_text(record, "socket.state", "ESTAB");
    expect_number(record, "socket.receive_queue", 5);
    assert_true(json_is_true(at(record, "socket.frozen")) && json_is_true(at(record, "conn_id_local")));
    expect_number(record, "tcp.retransmits", 3);
    expect_number(record, "tcp.rtt", 81000);
    expect_number(record, "tcp.mss", 1460);
    expect_text(record, "hop.tunnel", "vxlan");
    expect_number(record, "hop.tunnel_id", 42);
    expect_number(record, "hop.vlan", 100);
    expect_number(record, "from_before", 9);
    json_decref(record);
}

static void drops_of_one_reason_are_added_up(void **state) {
    (void)state;
    const struct drop_view drops[] = {
        {.reason = "NETFILTER_DROP", .place = "nf_hook_slow", .text = "by a rule", .hook = 2, .packets = 9, .since = 3},
        {.reason = "NO_SOCKET", .packets = 4, .since = 4},
        {.reason = "NETFILTER_DROP", .place = "nft_do_chain", .hook = 3, .packets = 5, .since = 2},
        {.reason = "OTHER", .packets = 7}, /* none in this window */
        {.place = "ip_forward", .packets = 1, .since = 1}};
    struct flow_view view = sample_flow();
    view.drops = drops;
    view.drop_count = 5;
    json_t *record = record_of(&view);
    assert_int_equal(json_object_size(at(record, "drops")), 3);
    expect_number(record, "drops.NETFILTER_DROP", 5);
    expect_number(record, "drops.NO_SOCKET", 4);
    expect_number(record, "drops.ip_forward", 1);
    json_t *places = at(record, "drop_places");
    assert_int_equal(json_array_size(places), 4);
    expect_text(json_array_get(places, 0), "hook", "INPUT");
    expect_text(json_array_get(places, 0), "text", "by a rule");
    expect_text(json_array_get(places, 2), "place", "nft_do_chain");
    expect_absent(json_array_get(places, 1), "place");
    json_decref(record);
}

static void what_is_not_tcp_says_what_it_is(void **state) {
    (void)state;
    struct flow_view view = sample_flow();
    view.key.protocol = IPPROTO_ICMPV6;
    view.key.family = 6;
    view.key.source_port = 1 << 8 | 4;
    view.key.destination_port = 0;
    json_t *record = record_of(&view);
    expect_text(record, "transport", "icmpv6");
    expect_number(record, "icmp.type", 1);
    expect_number(record, "icmp.code", 4);
    expect_absent(record, "source.port");
    expect_absent(record, "tcp");
    json_decref(record);
    view.key.source_port = view.key.destination_port = 77;
    record = record_of(&view);
    expect_number(record, "icmp.identifier", 77);
    json_decref(record);
    memset(&view.key, 0, sizeof(view.key));
    view.key.source_port = 0x0806;
    record = record_of(&view);
    expect_text(record, "transport", "ethernet");
    expect_number(record, "ethertype", 0x0806);
    expect_absent(record, "source.address");
    expect_absent(record, "ttl_min");
    json_decref(record);
    view.key.family = 4;
    view.key.protocol = 253;
    record = record_of(&view);
    expect_text(record, "transport", "ip-253");
    json_decref(record);
}

static void an_edge_says_what_packets_told(void **state) {
    (void)state;
    struct edge edge = {.id = 1, .family = 4, .client = {.name = "a", .kind = "process"}};
    edge.server = edge.client;
    struct agent_stamp stamp = {.host = "h"};
    struct writer writer = {0};
    json_edge(&writer, &stamp, &window, &edge);
    json_t *record = parsed(&writer);
    expect_absent(record, "packets");
    expect_absent(record, "retransmits");
    json_decref(record);
    struct edge_packets *packets = edge_packets(&edge.window);
    packets->request = 3;
    packets->retransmits = 2;
    histogram_add(&packets->connect_latency, 5000);
    edge_add_drop(packets, "NO_SOCKET", 6);
    writer_cut(&writer, 0);
    json_edge(&writer, &stamp, &window, &edge);
    record = parsed(&writer);
    expect_number(record, "packets.request", 3);
    expect_number(record, "packets.response", 0);
    expect_number(record, "retransmits", 2);
    expect_number(record, "connect_latency.sum", 5000);
    expect_absent(record, "rtt");
    expect_number(record, "drops.NO_SOCKET", 6);
    json_decref(record);
    writer_done(&writer);
    edge_window_empty(&edge.window);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flow_says_what_came_in_the_window), cmocka_unit_test(what_is_not_known_is_absent),
        cmocka_unit_test(sockets_and_tunnels_are_told),        cmocka_unit_test(drops_of_one_reason_are_added_up),
        cmocka_unit_test(what_is_not_tcp_says_what_it_is),     cmocka_unit_test(an_edge_says_what_packets_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
