/* SPDX-License-Identifier: Apache-2.0 */
#include "clsact.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "netlink.h"

/* "weft" in ASCII. What a running agent finds by these must have been left by a former one: docs/operations.md. */
#define HANDLE 0x77656674U
#define NAME "weft"
#define NAME_OWN_QDISC "weft-qdisc" /* the clsact qdisc is weft's, too */

enum { PRIORITIES = 16 /* tried, from 1 */, FILTERS_OWN = 2 * PRIORITIES };

/* ---- messages ---- */

static struct nlmsghdr *begin(void *buffer, uint16_t type, uint16_t flags, uint32_t ifindex, uint32_t parent) {
    struct nlmsghdr *message = netlink_begin(buffer, type, flags);
    struct tcmsg *tc = mnl_nlmsg_put_extra_header(message, sizeof(*tc));
    tc->tcm_family = AF_UNSPEC;
    tc->tcm_ifindex = (int)ifindex;
    tc->tcm_parent = parent;
    return message;
}

static struct tcmsg *header_of(struct nlmsghdr *message) {
    return mnl_nlmsg_get_payload(message);
}

static uint32_t parent_of(enum flow_way way) {
    return TC_H_MAKE(TC_H_CLSACT, way == FLOW_INGRESS ? TC_H_MIN_INGRESS : TC_H_MIN_EGRESS);
}

static bool is_text(const struct nlattr *attribute, const char *text) {
    return attribute && mnl_attr_get_payload_len(attribute) == strlen(text) + 1 &&
           !memcmp(mnl_attr_get_payload(attribute), text, strlen(text) + 1);
}

/* ---- the qdisc ---- */

static int take_kind(const struct nlmsghdr *message, void *context) {
    const struct nlattr *table[TCA_MAX + 1];
    bool *is_clsact = context;
    netlink_attributes(mnl_nlmsg_get_payload_offset(message, sizeof(struct tcmsg)),
                       mnl_nlmsg_get_payload_len(message) - sizeof(struct tcmsg), table, TCA_MAX);
    *is_clsact = is_text(table[TCA_KIND], "clsact");
    return MNL_CB_OK;
}

static struct nlmsghdr *qdisc_message(void *buffer, uint16_t type, uint16_t flags, uint32_t ifindex) {
    struct nlmsghdr *message = begin(buffer, type, flags, ifindex, TC_H_CLSACT);
    if (type != RTM_GETQDISC) {
        header_of(message)->tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0);
        mnl_attr_put_strz(message, TCA_KIND, "clsact");
    }
    return message;
}

int clsact_ensure(struct mnl_socket *socket, uint32_t ifindex, bool *ret_made) {
    char buffer[NETLINK_MESSAGE_BYTES];
    bool is_clsact = false;
    int result =
        netlink_ask(socket, qdisc_message(buffer, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, ifindex), NULL, NULL);
    *ret_made = !result;
    if (result != -EEXIST)
        return result;
    result = netlink_ask(socket, qdisc_message(buffer, RTM_GETQDISC, NLM_F_ECHO, ifindex), take_kind, &is_clsact);
    return result ? result : is_clsact ? 0 : -EADDRINUSE;
}

/* ---- filters ---- */

/* Filters of one parent, in the order in which the kernel asks them. */
struct filters {
    uint32_t ifindex; /* 0: whatever it is */
    struct own {
        uint32_t ifindex, info;
    } own[FILTERS_OWN];
    unsigned own_count, others;
    bool other_first; /* another one stands before weft's first */
    bool own_qdisc;
};

static int take_filter(const struct nlmsghdr *message, void *context) {
    const struct nlattr *table[TCA_MAX + 1], *options[TCA_BPF_MAX + 1] = {NULL};
    const struct tcmsg *tc = mnl_nlmsg_get_payload(message);
    struct filters *filters = context;
    if (!tc->tcm_handle) /* the priority itself, which goes with its last filter */
        return MNL_CB_OK;
    netlink_attributes(mnl_nlmsg_get_payload_offset(message, sizeof(*tc)),
                       mnl_nlmsg_get_payload_len(message) - sizeof(*tc), table, TCA_MAX);
    if (is_text(table[TCA_KIND], "bpf") && table[TCA_OPTIONS])
        netlink_attributes(mnl_attr_get_payload(table[TCA_OPTIONS]), mnl_attr_get_payload_len(table[TCA_OPTIONS]),
                           options, TCA_BPF_MAX);
    bool own_qdisc = is_text(options[TCA_BPF_NAME], NAME_OWN_QDISC);
    bool own = tc->tcm_handle == HANDLE && (own_qdisc || is_text(options[TCA_BPF_NAME], NAME));
    if (!own) {
        filters->others++;
        filters->other_first |= !filters->own_count;
        return MNL_CB_OK;
    }
    filters->own_qdisc |= own_qdisc;
    if (filters->own_count < FILTERS_OWN)
        filters->own[filters->own_count++] = (struct own){(uint32_t)tc->tcm_ifindex, tc->tcm_info};
    return MNL_CB_OK;
}

static int list(struct mnl_socket *socket, uint32_t ifindex, enum flow_way way, struct filters *ret_filters) {
    char buffer[NETLINK_MESSAGE_BYTES];
    int result = -EINTR;
    for (int i = 0; i < 8 && result == -EINTR; i++) {
        *ret_filters = (struct filters){.ifindex = ifindex};
        result = netlink_ask(socket, begin(buffer, RTM_GETTFILTER, NLM_F_DUMP, ifindex, parent_of(way)), take_filter,
                             ret_filters);
    }
    return result;
}

static struct nlmsghdr *filter_message(void *buffer, uint16_t type, uint16_t flags, uint32_t ifindex, enum flow_way way,
                                       uint32_t info) {
    struct nlmsghdr *message = begin(buffer, type, flags, ifindex, parent_of(way));
    header_of(message)->tcm_handle = HANDLE;
    header_of(message)->tcm_info = info;
    mnl_attr_put_strz(message, TCA_KIND, "bpf");
    return message;
}

static int add_at(struct mnl_socket *socket, uint32_t ifindex, enum flow_way way, int program, bool made,
                  uint32_t priority) {
    char buffer[NETLINK_MESSAGE_BYTES];
    struct nlmsghdr *message = filter_message(buffer, RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL, ifindex, way,
                                              TC_H_MAKE(priority << 16, htons(ETH_P_ALL)));
    struct nlattr *options = mnl_attr_nest_start(message, TCA_OPTIONS);
    mnl_attr_put_u32(message, TCA_BPF_FD, (uint32_t)program);
    mnl_attr_put_strz(message, TCA_BPF_NAME, made ? NAME_OWN_QDISC : NAME);
    mnl_attr_put_u32(message, TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT);
    mnl_attr_nest_end(message, options);
    return netlink_ask(socket, message, NULL, NULL);
}

/* A priority belongs to one kind of filter and one protocol; within it the newest BPF filter is asked first. */
int clsact_add(struct mnl_socket *socket, uint32_t ifindex, enum flow_way way, int program, bool made) {
    int result = -EINVAL;
    for (uint32_t priority = 1; priority <= PRIORITIES && result == -EINVAL; priority++)
        result = add_at(socket, ifindex, way, program, made, priority);
    return result;
}

void clsact_drop(struct mnl_socket *socket, uint32_t ifindex) {
    char buffer[NETLINK_MESSAGE_BYTES];
    for (enum flow_way way = FLOW_INGRESS; way <= FLOW_EGRESS; way++) {
        struct filters filters;
        if (list(socket, ifindex, way, &filters) || filters.own_count || filters.others)
            return;
    }
    netlink_ask(socket, qdisc_message(buffer, RTM_DELQDISC, 0, ifindex), NULL, NULL);
}

static int remove_way(struct mnl_socket *socket, uint32_t ifindex, enum flow_way way, bool *own_qdisc) {
    char buffer[NETLINK_MESSAGE_BYTES];
    struct filters filters;
    int result = list(socket, ifindex, way, &filters);
    for (unsigned i = 0; i < filters.own_count && !result; i++)
        result = netlink_ask(socket, filter_message(buffer, RTM_DELTFILTER, 0, ifindex, way, filters.own[i].info), NULL,
                             NULL);
    *own_qdisc |= filters.own_qdisc;
    return result ? result : (int)filters.own_count;
}

int clsact_remove(struct mnl_socket *socket, uint32_t ifindex) {
    bool own_qdisc = false;
    int ingress = remove_way(socket, ifindex, FLOW_INGRESS, &own_qdisc);
    int egress = remove_way(socket, ifindex, FLOW_EGRESS, &own_qdisc);
    if (own_qdisc)
        clsact_drop(socket, ifindex);
    return ingress < 0 ? ingress : egress < 0 ? egress : ingress + egress;
}

bool clsact_preceded(struct mnl_socket *socket, uint32_t ifindex, enum flow_way way) {
    struct filters filters;
    return !list(socket, ifindex, way, &filters) && filters.own_count && filters.other_first;
}

/* ---- what a killed agent left ---- */

struct interfaces_seen {
    uint32_t *list;
    size_t count, room;
};

static int take_qdisc(const struct nlmsghdr *message, void *context) {
    const struct tcmsg *tc = mnl_nlmsg_get_payload(message);
    struct interfaces_seen *seen = context;
    bool is_clsact = false;
    take_kind(message, &is_clsact);
    if (!is_clsact)
        return MNL_CB_OK;
    if (seen->count == seen->room) {
        size_t room = seen->room ? seen->room * 2 : 64;
        uint32_t *more = realloc(seen->list, room * sizeof(*more));
        if (!more)
            return MNL_CB_ERROR;
        seen->list = more;
        seen->room = room;
    }
    seen->list[seen->count++] = (uint32_t)tc->tcm_ifindex;
    return MNL_CB_OK;
}

int clsact_find(struct mnl_socket *socket, void (*found)(void *context, uint32_t ifindex), void *context) {
    char buffer[NETLINK_MESSAGE_BYTES];
    struct interfaces_seen seen = {0};
    struct filters filters;
    int result = netlink_dump(socket, begin(buffer, RTM_GETQDISC, 0, 0, 0), take_qdisc, &seen);
    for (size_t i = 0; i < seen.count && !result; i++)
        for (enum flow_way way = FLOW_INGRESS; way <= FLOW_EGRESS; way++)
            if (!list(socket, seen.list[i], way, &filters) && filters.own_count) {
                found(context, seen.list[i]);
                break;
            }
    free(seen.list);
    return result;
}
