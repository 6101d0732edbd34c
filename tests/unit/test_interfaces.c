/* SPDX-License-Identifier: Apache-2.0 */
/* What netlink says of an interface, which interfaces are wanted, and a real pair of veths where the kernel gives one.
 */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <libmnl/libmnl.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include "agent/interfaces.h"
#include "agent/link.h"
#include "agent/netlink.h"

/* ---- messages ---- */

static char buffer[NETLINK_MESSAGE_BYTES];

static struct nlmsghdr *link_message(unsigned char family, unsigned short hardware, const char *name) {
    struct nlmsghdr *message = netlink_begin(buffer, RTM_NEWLINK, 0);
    struct ifinfomsg *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));
    header->ifi_family = family;
    header->ifi_index = 7;
    header->ifi_type = hardware;
    mnl_attr_put_strz(message, IFLA_IFNAME, name);
    mnl_attr_put_u32(message, IFLA_MTU, 1400);
    mnl_attr_put_u32(message, IFLA_LINK, 9);
    return message;
}

static void put_kind(struct nlmsghdr *message, const char *kind) {
    struct nlattr *info = mnl_attr_nest_start(message, IFLA_LINKINFO);
    mnl_attr_put_strz(message, IFLA_INFO_KIND, kind);
    mnl_attr_nest_end(message, info);
}

static void a_veth_is_read(void **state) {
    (void)state;
    struct link link;
    struct rtnl_link_stats64 counters = {.rx_packets = 1, .tx_packets = 2, .rx_bytes = 3, .tx_bytes = 4};
    struct nlmsghdr *message = link_message(AF_UNSPEC, ARPHRD_ETHER, "veth0");
    put_kind(message, "veth");
    mnl_attr_put_u32(message, IFLA_LINK_NETNSID, 5);
    mnl_attr_put_u32(message, IFLA_MASTER, 3);
    mnl_attr_put(message, IFLA_STATS64, sizeof(counters), &counters);
    assert_true(link_read(message, &link));
    assert_string_equal(link.name, "veth0");
    assert_string_equal(link.kind, "veth");
    assert_int_equal(link.ifindex, 7);
    assert_int_equal(link.mtu, 1400);
    assert_int_equal(link.master, 3);
    assert_int_equal(link.peer, 9);
    assert_int_equal(link.peer_nsid, 5);
    assert_int_equal(link.packets[FLOW_INGRESS], 1);
    assert_int_equal(link.packets[FLOW_EGRESS], 2);
    assert_int_equal(link.bytes[FLOW_INGRESS], 3);
    assert_int_equal(link.bytes[FLOW_EGRESS], 4);
    assert_false(link.xdp);
}

static void what_a_vlan_stands_on_is_no_peer(void **state) {
    (void)state;
    struct link link;
    struct nlmsghdr *message = link_message(AF_UNSPEC, ARPHRD_ETHER, "eth0.7");
    put_kind(message, "vlan");
    assert_true(link_read(message, &link));
    assert_int_equal(link.peer, 0);
    assert_int_equal(link.peer_nsid, -1);
}

static void kinds_without_a_name_are_told_apart(void **state) {
    (void)state;
    struct link link;
    assert_true(link_read(link_message(AF_UNSPEC, ARPHRD_LOOPBACK, "lo"), &link));
    assert_string_equal(link.kind, "loopback");
    assert_true(link_read(link_message(AF_UNSPEC, ARPHRD_ETHER, "eth0"), &link));
    assert_string_equal(link.kind, "physical");
}

/* A port that leaves its bridge is told as RTM_DELLINK of that family; the interface stays. */
static void a_bridge_that_speaks_of_its_port_is_passed_over(void **state) {
    (void)state;
    struct link link;
    assert_false(link_read(link_message(AF_BRIDGE, ARPHRD_ETHER, "veth0"), &link));
}

static void a_message_that_is_cut_is_passed_over(void **state) {
    (void)state;
    struct link link;
    struct nlmsghdr *message = netlink_begin(buffer, RTM_NEWLINK, 0);
    mnl_nlmsg_put_extra_header(message, sizeof(struct ifinfomsg) - 4);
    assert_false(link_read(message, &link));
    message = link_message(AF_UNSPEC, ARPHRD_ETHER, "veth0"); /* an attribute longer than the message */
    ((struct nlattr *)((char *)message + message->nlmsg_len - 8))->nla_len = 4000;
    assert_true(link_read(message, &link));
    assert_string_equal(link.name, "veth0");
}

/* ---- patterns ---- */

static void patterns_are_of_names_and_kinds(void **state) {
    (void)state;
    static const char *const include[] = {"eth*", "kind:bridge", "kind:veth"}, *const exclude[] = {"veth-quiet*"};
    struct interfaces_options all = {0};
    struct interfaces_options some = {.include = {include, 3}, .exclude = {exclude, 1}};
    assert_true(interfaces_wanted(&all, "anything", "physical"));
    assert_true(interfaces_wanted(&some, "eth0", "physical"));
    assert_true(interfaces_wanted(&some, "docker0", "bridge"));
    assert_true(interfaces_wanted(&some, "veth12", "veth"));
    assert_false(interfaces_wanted(&some, "veth-quiet1", "veth"));
    assert_false(interfaces_wanted(&some, "wlan0", "physical"));
    assert_false(interfaces_wanted(&some, "bridge", "tun"));
}

/* ---- the kernel's own, in a namespace of the child's, where there is nothing but lo ---- */

static unsigned appeared_count, vanished_count;

static void appeared(void *context, const struct interface_key *key, int link_netnsid) {
    (void)context;
    (void)key;
    (void)link_netnsid;
    __atomic_add_fetch(&appeared_count, 1, __ATOMIC_SEQ_CST);
}

static void vanished(void *context, const struct interface_key *key) {
    (void)context;
    (void)key;
    __atomic_add_fetch(&vanished_count, 1, __ATOMIC_SEQ_CST);
}

struct found {
    struct hop_interface first, second;
    unsigned there;
};

static void find(void *context, const struct interface_view *view) {
    struct found *found = context;
    found->there++;
    if (!strcmp(view->hop.name, "first"))
        found->first = view->hop;
    if (!strcmp(view->hop.name, "second"))
        found->second = view->hop;
}

/* Waits for events; a minute only when something is broken. */
static bool until(struct interfaces *interfaces, struct found *found, bool (*is_so)(const struct found *found)) {
    for (int i = 0; i < 6000; i++) {
        *found = (struct found){0};
        interfaces_each(interfaces, find, found);
        if (is_so(found))
            return true;
        usleep(10000);
    }
    return false;
}

static bool know_each_other(const struct found *found) {
    return found->first.ifindex && found->first.peer_ifindex == found->second.ifindex && found->second.ifindex &&
           found->second.peer_ifindex == found->first.ifindex && found->first.peer_netns == found->second.netns;
}

static bool is_lo_alone(const struct found *found) {
    return found->there == 1;
}

static int watch_a_pair(void) {
    char error[256] = "";
    struct found found;
    struct hop_interface hop, first;
    struct interfaces *interfaces;
    const struct interfaces_options options = {.programs = {-1, -1}, .appeared = appeared, .vanished = vanished};
    if (unshare(CLONE_NEWNET))
        return 77;
    if (interfaces_new(&options, &interfaces, error, sizeof(error)))
        return fprintf(stderr, "%s\n", error), 1;
    if (!until(interfaces, &found, is_lo_alone) || appeared_count != 1)
        return 2;
    if (system("ip link add first type veth peer name second")) // NOLINT(cert-env33-c): of this test's own
        return 77;
    if (!until(interfaces, &found, know_each_other) || strcmp(found.first.kind, "veth") ||
        strcmp(found.first.namespace_name, "host"))
        return 3;
    first = found.first;
    if (system("ip link del first")) // NOLINT(cert-env33-c)
        return 4;
    if (!until(interfaces, &found, is_lo_alone) || vanished_count != 2)
        return 5;
    const uint32_t netns = first.netns;
    interfaces_name_namespace(interfaces, netns, "container web");
    if (!interfaces_get(interfaces, netns, first.ifindex, &hop) || strcmp(hop.name, "first") || hop.watched ||
        strcmp(hop.namespace_name, "container web"))
        return 6; /* it is remembered */
    interfaces_free(interfaces);
    return 0;
}

static void interfaces_come_and_go(void **state) {
    (void)state;
    int status;
    pid_t child = fork();
    if (!child)
        _exit(watch_a_pair());
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        skip(); /* no right to a namespace of its own, or no `ip` */
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_veth_is_read),
        cmocka_unit_test(what_a_vlan_stands_on_is_no_peer),
        cmocka_unit_test(kinds_without_a_name_are_told_apart),
        cmocka_unit_test(a_bridge_that_speaks_of_its_port_is_passed_over),
        cmocka_unit_test(a_message_that_is_cut_is_passed_over),
        cmocka_unit_test(patterns_are_of_names_and_kinds),
        cmocka_unit_test(interfaces_come_and_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
