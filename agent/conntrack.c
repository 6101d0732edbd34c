/* SPDX-License-Identifier: Apache-2.0 */
#include "conntrack.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MESSAGE_BYTES = 1 << 16, RECEIVE_S = 2 };

struct conntrack {
    struct mnl_socket *socket;
    uint32_t netns, sequence;
};

struct reading {
    uint32_t netns;
    void (*visit)(void *context, const struct nat_pair *pair);
    void *context;
};

/* ---- one connection ---- */

struct slots {
    const struct nlattr **table;
    unsigned most;
};

static int keep_attribute(const struct nlattr *attribute, void *data) {
    const struct slots *slots = data;
    if (mnl_attr_get_type(attribute) <= slots->most)
        slots->table[mnl_attr_get_type(attribute)] = attribute;
    return MNL_CB_OK;
}

static void split(const struct nlattr *nest, const struct nlattr **ret_table, unsigned most) {
    struct slots slots = {ret_table, most};
    mnl_attr_parse_nested(nest, keep_attribute, &slots);
}

static bool read_address(const struct nlattr *attribute, size_t length, uint8_t *ret_address) {
    if (!attribute || mnl_attr_get_payload_len(attribute) != length)
        return false;
    memcpy(ret_address, mnl_attr_get_payload(attribute), length);
    return true;
}

static uint16_t read_port(const struct nlattr *attribute) {
    return attribute && mnl_attr_get_payload_len(attribute) == sizeof(uint16_t) ? ntohs(mnl_attr_get_u16(attribute))
                                                                                : 0;
}

/* ICMP has an identifier in the place of ports; flows have it in both. */
static void read_ports(const struct nlattr *const *proto, struct nat_tuple *ret_tuple) {
    const struct nlattr *id = proto[CTA_PROTO_ICMP_ID] ? proto[CTA_PROTO_ICMP_ID] : proto[CTA_PROTO_ICMPV6_ID];
    ret_tuple->source_port = read_port(id ? id : proto[CTA_PROTO_SRC_PORT]);
    ret_tuple->destination_port = read_port(id ? id : proto[CTA_PROTO_DST_PORT]);
}

static bool read_tuple(const struct nlattr *nest, uint8_t *ret_family, uint8_t *ret_protocol,
                       struct nat_tuple *ret_tuple) {
    const struct nlattr *tuple[CTA_TUPLE_MAX + 1] = {0}, *ip[CTA_IP_MAX + 1] = {0}, *proto[CTA_PROTO_MAX + 1] = {0};
    if (!nest)
        return false;
    split(nest, tuple, CTA_TUPLE_MAX);
    if (!tuple[CTA_TUPLE_IP] || !tuple[CTA_TUPLE_PROTO])
        return false;
    split(tuple[CTA_TUPLE_IP], ip, CTA_IP_MAX);
    split(tuple[CTA_TUPLE_PROTO], proto, CTA_PROTO_MAX);
    if (!proto[CTA_PROTO_NUM] || mnl_attr_get_payload_len(proto[CTA_PROTO_NUM]) != 1)
        return false;
    *ret_protocol = mnl_attr_get_u8(proto[CTA_PROTO_NUM]);
    *ret_family = ip[CTA_IP_V4_SRC] ? 4 : 6;
    read_ports(proto, ret_tuple);
    if (*ret_family == 4)
        return read_address(ip[CTA_IP_V4_SRC], 4, ret_tuple->source) &&
               read_address(ip[CTA_IP_V4_DST], 4, ret_tuple->destination);
    return read_address(ip[CTA_IP_V6_SRC], 16, ret_tuple->source) &&
           read_address(ip[CTA_IP_V6_DST], 16, ret_tuple->destination);
}

static bool is_mirror(const struct nat_tuple *one, const struct nat_tuple *other) {
    return !memcmp(one->source, other->destination, sizeof(one->source)) &&
           !memcmp(one->destination, other->source, sizeof(one->destination)) &&
           one->source_port == other->destination_port && one->destination_port == other->source_port;
}

static int parse(const struct nlmsghdr *header, struct nat_pair *ret_pair) {
    const struct nlattr *attributes[CTA_MAX + 1] = {0};
    struct slots slots = {attributes, CTA_MAX};
    struct nat_pair pair = {0};
    uint8_t family, protocol;
    mnl_attr_parse(header, sizeof(struct nfgenmsg), keep_attribute, &slots);
    if (!read_tuple(attributes[CTA_TUPLE_ORIG], &pair.family, &pair.protocol, &pair.original) ||
        !read_tuple(attributes[CTA_TUPLE_REPLY], &family, &protocol, &pair.reply) || family != pair.family ||
        protocol != pair.protocol || is_mirror(&pair.original, &pair.reply))
        return 0;
    *ret_pair = pair;
    return 1;
}

int conntrack_parse(const void *message, size_t size, struct nat_pair *ret_pair) {
    const struct nlmsghdr *header = message;
    if (size < sizeof(*header) || !mnl_nlmsg_ok(header, (int)size) ||
        header->nlmsg_len < MNL_NLMSG_HDRLEN + sizeof(struct nfgenmsg) ||
        header->nlmsg_type != (NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW))
        return 0;
    return parse(header, ret_pair);
}

/* ---- the table ---- */

static int show_message(const struct nlmsghdr *header, void *data) {
    const struct reading *reading = data;
    struct nat_pair pair;
    if (conntrack_parse(header, header->nlmsg_len, &pair)) {
        pair.netns = reading->netns;
        reading->visit(reading->context, &pair);
    }
    return MNL_CB_OK;
}

static int request(struct conntrack *conntrack) {
    uint8_t buffer[MNL_NLMSG_HDRLEN + sizeof(struct nfgenmsg)];
    struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
    struct nfgenmsg *general = mnl_nlmsg_put_extra_header(header, sizeof(*general));
    header->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET;
    header->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    header->nlmsg_seq = ++conntrack->sequence;
    general->nfgen_family = AF_UNSPEC;
    general->version = NFNETLINK_V0;
    return mnl_socket_sendto(conntrack->socket, header, header->nlmsg_len) < 0 ? -errno : 0;
}

/* What an earlier reading left, when it failed in between, has another number and is passed over by the callback. */
static int answer(struct conntrack *conntrack, struct reading *reading) {
    const unsigned port = mnl_socket_get_portid(conntrack->socket);
    uint8_t *buffer = malloc(MESSAGE_BYTES);
    int more = buffer ? 1 : -ENOMEM;
    while (more > 0) {
        ssize_t got = mnl_socket_recvfrom(conntrack->socket, buffer, MESSAGE_BYTES);
        more = got < 0 ? -errno : mnl_cb_run(buffer, (size_t)got, conntrack->sequence, port, show_message, reading);
        if (got >= 0 && more < 0)
            more = errno == ESRCH || errno == EPROTO ? 1 : -errno; /* of an earlier request */
    }
    free(buffer);
    return more;
}

int conntrack_show(struct conntrack *conntrack, void (*visit)(void *context, const struct nat_pair *pair),
                   void *context) {
    struct reading reading = {conntrack->netns, visit, context};
    int result = request(conntrack);
    return result ? result : answer(conntrack, &reading);
}

int conntrack_new(uint32_t netns, struct conntrack **ret_conntrack) {
    const struct timeval patience = {.tv_sec = RECEIVE_S};
    struct conntrack *conntrack = calloc(1, sizeof(*conntrack));
    if (!conntrack)
        return -ENOMEM;
    conntrack->netns = netns;
    conntrack->sequence = (uint32_t)time(NULL);
    conntrack->socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
    int result =
        conntrack->socket && !mnl_socket_bind(conntrack->socket, 0, MNL_SOCKET_AUTOPID) &&
                !setsockopt(mnl_socket_get_fd(conntrack->socket), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience))
            ? 0
            : -errno;
    if (result) {
        conntrack_free(conntrack);
        return result;
    }
    *ret_conntrack = conntrack;
    return 0;
}

void conntrack_free(struct conntrack *conntrack) {
    if (!conntrack)
        return;
    if (conntrack->socket)
        mnl_socket_close(conntrack->socket);
    free(conntrack);
}
