/* SPDX-License-Identifier: Apache-2.0 */
#include "link.h"

#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "bpf/flow.h"
#include "netlink.h"

static uint32_t number(const struct nlattr *attribute) {
    return attribute && mnl_attr_get_payload_len(attribute) >= sizeof(uint32_t) ? mnl_attr_get_u32(attribute) : 0;
}

static void text(const struct nlattr *attribute, char *ret_text, size_t size) {
    if (attribute)
        snprintf(ret_text, size, "%.*s", (int)mnl_attr_get_payload_len(attribute),
                 (const char *)mnl_attr_get_payload(attribute));
}

static void read_kind(const struct nlattr *info, unsigned hardware, struct link *link) {
    const struct nlattr *table[IFLA_INFO_MAX + 1] = {NULL};
    if (info)
        netlink_attributes(mnl_attr_get_payload(info), mnl_attr_get_payload_len(info), table, IFLA_INFO_MAX);
    snprintf(link->kind, sizeof(link->kind), "%s", hardware == ARPHRD_LOOPBACK ? "loopback" : "physical");
    text(table[IFLA_INFO_KIND], link->kind, sizeof(link->kind));
}

static void read_counters(const struct nlattr *attribute, struct link *link) {
    struct rtnl_link_stats64 counters; /* not aligned in the message; longer in newer kernels */
    const size_t needed = offsetof(struct rtnl_link_stats64, rx_errors);
    if (!attribute || mnl_attr_get_payload_len(attribute) < needed)
        return;
    memcpy(&counters, mnl_attr_get_payload(attribute), needed);
    link->packets[FLOW_INGRESS] = counters.rx_packets;
    link->packets[FLOW_EGRESS] = counters.tx_packets;
    link->bytes[FLOW_INGRESS] = counters.rx_bytes;
    link->bytes[FLOW_EGRESS] = counters.tx_bytes;
}

static bool has_xdp(const struct nlattr *xdp) {
    const struct nlattr *table[IFLA_XDP_MAX + 1] = {NULL};
    if (xdp)
        netlink_attributes(mnl_attr_get_payload(xdp), mnl_attr_get_payload_len(xdp), table, IFLA_XDP_MAX);
    return table[IFLA_XDP_ATTACHED] && mnl_attr_get_u8(table[IFLA_XDP_ATTACHED]) != XDP_ATTACHED_NONE;
}

bool link_read(const struct nlmsghdr *message, struct link *ret_link) {
    const struct nlattr *table[IFLA_MAX + 1];
    const struct ifinfomsg *header = mnl_nlmsg_get_payload(message);
    if (mnl_nlmsg_get_payload_len(message) < sizeof(*header) || header->ifi_family != AF_UNSPEC)
        return false;
    netlink_attributes(mnl_nlmsg_get_payload_offset(message, sizeof(*header)),
                       mnl_nlmsg_get_payload_len(message) - sizeof(*header), table, IFLA_MAX);
    *ret_link = (struct link){.ifindex = (uint32_t)header->ifi_index,
                              .master = number(table[IFLA_MASTER]),
                              .mtu = number(table[IFLA_MTU]),
                              .peer_nsid = -1,
                              .xdp = has_xdp(table[IFLA_XDP])};
    text(table[IFLA_IFNAME], ret_link->name, sizeof(ret_link->name));
    read_kind(table[IFLA_LINKINFO], header->ifi_type, ret_link);
    read_counters(table[IFLA_STATS64], ret_link);
    if (!strcmp(ret_link->kind, "veth")) { /* of others, IFLA_LINK is what they stand on */
        ret_link->peer = number(table[IFLA_LINK]);
        if (table[IFLA_LINK_NETNSID])
            ret_link->peer_nsid = (int32_t)number(table[IFLA_LINK_NETNSID]);
    }
    return true;
}
