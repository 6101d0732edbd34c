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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hops_over_a_bridge_are_one_connection_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
