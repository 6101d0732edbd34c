/* SPDX-License-Identifier: Apache-2.0 */
#include "chains.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <limits.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bpf/flow.h"

enum {
    CHAINS_MOST = 4096,
    JUMPS_MOST = 16384,
    HOOKS = 32, /* values of enum drop_hook, the bridge's included */
    TEXT_BYTES = 256,
    NAME_BYTES = 64,
    MESSAGE_BYTES = 1 << 16,
};

struct chains {
    char text[2][HOOKS][TEXT_BYTES]; /* [0] IPv4, [1] IPv6; names parted by ", " */
    unsigned count[2][HOOKS];
    char said[2][HOOKS][TEXT_BYTES + 8]; /* what chains_at gives */
};

static void add_name(struct chains *chains, unsigned six, unsigned hook, const char *name) {
    char *text = chains->text[six][hook];
    size_t length = strlen(text);
    snprintf(text + length, TEXT_BYTES - length, "%s%s", length ? ", " : "", name);
    chains->count[six][hook]++;
}

/* ---- nftables ---- */

struct chain {
    uint8_t family;
    bool base, drops;
    uint32_t hook;
    char table[NAME_BYTES], name[NAME_BYTES];
};

struct ruleset {
    struct chain *list;
    size_t count;
    struct {
        uint16_t from, to;
    } * jumps;
    size_t jump_count;
};

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
    if (nest)
        mnl_attr_parse_nested(nest, keep_attribute, &slots);
}

static void copy_text(char *into, size_t size, const struct nlattr *attribute) {
    snprintf(into, size, "%.*s", (int)mnl_attr_get_payload_len(attribute), mnl_attr_get_str(attribute));
}

static bool is_text(const struct nlattr *attribute, const char *text) {
    char found[NAME_BYTES];
    if (!attribute)
        return false;
    copy_text(found, sizeof(found), attribute);
    return !strcmp(found, text);
}

static uint32_t number(const struct nlattr *attribute, uint32_t otherwise) {
    return attribute && mnl_attr_get_payload_len(attribute) == 4 ? ntohl(mnl_attr_get_u32(attribute)) : otherwise;
}

static int see_chain(const struct nlmsghdr *header, void *data) {
    struct ruleset *rules = data;
    const struct nlattr *chain[NFTA_CHAIN_MAX + 1] = {0}, *hook[NFTA_HOOK_MAX + 1] = {0};
    struct slots slots = {chain, NFTA_CHAIN_MAX};
    mnl_attr_parse(header, sizeof(struct nfgenmsg), keep_attribute, &slots);
    if (!chain[NFTA_CHAIN_TABLE] || !chain[NFTA_CHAIN_NAME] || rules->count == CHAINS_MOST)
        return MNL_CB_OK;
    struct chain *one = &rules->list[rules->count++];
    *one = (struct chain){.family = ((const struct nfgenmsg *)mnl_nlmsg_get_payload(header))->nfgen_family};
    copy_text(one->table, sizeof(one->table), chain[NFTA_CHAIN_TABLE]);
    copy_text(one->name, sizeof(one->name), chain[NFTA_CHAIN_NAME]);
    split(chain[NFTA_CHAIN_HOOK], hook, NFTA_HOOK_MAX);
    one->base = hook[NFTA_HOOK_HOOKNUM];
    one->hook = number(hook[NFTA_HOOK_HOOKNUM], 0);
    one->drops = one->base && number(chain[NFTA_CHAIN_POLICY], NF_ACCEPT) == NF_DROP;
    return MNL_CB_OK;
}

static struct chain *find_chain(struct ruleset *rules, uint8_t family, const struct nlattr *table,
                                const struct nlattr *name) {
    for (size_t i = 0; i < rules->count && table && name; i++) {
        struct chain *chain = &rules->list[i];
        if (chain->family == family && is_text(table, chain->table) && is_text(name, chain->name))
            return chain;
    }
    return NULL;
}

static void see_verdict(struct ruleset *rules, struct chain *chain, const struct nlattr *table,
                        const struct nlattr *data) {
    const struct nlattr *value[NFTA_DATA_MAX + 1] = {0}, *verdict[NFTA_VERDICT_MAX + 1] = {0};
    split(data, value, NFTA_DATA_MAX);
    split(value[NFTA_DATA_VERDICT], verdict, NFTA_VERDICT_MAX);
    if (!verdict[NFTA_VERDICT_CODE])
        return;
    const int32_t code = (int32_t)number(verdict[NFTA_VERDICT_CODE], NF_ACCEPT);
    if (code == NF_DROP || (code > 0 && (code & NF_VERDICT_MASK) == NF_QUEUE))
        chain->drops = true;
    const struct chain *target = find_chain(rules, chain->family, table, verdict[NFTA_VERDICT_CHAIN]);
    if (!target || rules->jump_count == JUMPS_MOST)
        return;
    rules->jumps[rules->jump_count].from = chain - rules->list;
    rules->jumps[rules->jump_count++].to = target - rules->list;
}

static void see_expression(struct ruleset *rules, struct chain *chain, const struct nlattr *table,
                           const struct nlattr *nest) {
    const struct nlattr *expression[NFTA_EXPR_MAX + 1] = {0};
    split(nest, expression, NFTA_EXPR_MAX);
    const struct nlattr *name = expression[NFTA_EXPR_NAME], *data = expression[NFTA_EXPR_DATA];
    if (is_text(name, "immediate")) {
        const struct nlattr *immediate[NFTA_IMMEDIATE_MAX + 1] = {0};
        split(data, immediate, NFTA_IMMEDIATE_MAX);
        see_verdict(rules, chain, table, immediate[NFTA_IMMEDIATE_DATA]);
    } else if (is_text(name, "lookup")) {
        const struct nlattr *lookup[NFTA_LOOKUP_MAX + 1] = {0};
        split(data, lookup, NFTA_LOOKUP_MAX);
        if (lookup[NFTA_LOOKUP_DREG] && number(lookup[NFTA_LOOKUP_DREG], 1) == NFT_REG_VERDICT)
            chain->drops = true; /* a verdict map: what it holds is not looked at */
    } else if (is_text(name, "target")) {
        const struct nlattr *target[NFTA_TARGET_MAX + 1] = {0};
        split(data, target, NFTA_TARGET_MAX);
        if (is_text(target[NFTA_TARGET_NAME], "REJECT") || is_text(target[NFTA_TARGET_NAME], "NFQUEUE"))
            chain->drops = true;
    } else if (is_text(name, "reject") || is_text(name, "queue"))
        chain->drops = true;
}

struct rule_at {
    struct ruleset *rules;
    struct chain *chain;
    const struct nlattr *table;
};

static int see_list_element(const struct nlattr *attribute, void *data) {
    const struct rule_at *at = data;
    if (mnl_attr_get_type(attribute) == NFTA_LIST_ELEM)
        see_expression(at->rules, at->chain, at->table, attribute);
    return MNL_CB_OK;
}

static int see_rule(const struct nlmsghdr *header, void *data) {
    struct ruleset *rules = data;
    const struct nlattr *rule[NFTA_RULE_MAX + 1] = {0};
    struct slots slots = {rule, NFTA_RULE_MAX};
    mnl_attr_parse(header, sizeof(struct nfgenmsg), keep_attribute, &slots);
    struct rule_at at = {rules, NULL, rule[NFTA_RULE_TABLE]};
    at.chain = find_chain(rules, ((const struct nfgenmsg *)mnl_nlmsg_get_payload(header))->nfgen_family,
                          rule[NFTA_RULE_TABLE], rule[NFTA_RULE_CHAIN]);
    if (at.chain && rule[NFTA_RULE_EXPRESSIONS])
        mnl_attr_parse_nested(rule[NFTA_RULE_EXPRESSIONS], see_list_element, &at);
    return MNL_CB_OK;
}

static int dump(struct mnl_socket *socket, uint16_t type, mnl_cb_t visit, void *context) {
    uint8_t request[MNL_NLMSG_HDRLEN + sizeof(struct nfgenmsg)];
    struct nlmsghdr *header = mnl_nlmsg_put_header(request);
    struct nfgenmsg *general = mnl_nlmsg_put_extra_header(header, sizeof(*general));
    uint8_t *answer = malloc(MESSAGE_BYTES);
    int more = answer ? 1 : -ENOMEM;
    header->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | type;
    header->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    header->nlmsg_seq = type;
    general->nfgen_family = AF_UNSPEC;
    general->version = NFNETLINK_V0;
    if (more > 0 && mnl_socket_sendto(socket, header, header->nlmsg_len) < 0)
        more = -errno;
    while (more > 0) {
        ssize_t got = mnl_socket_recvfrom(socket, answer, MESSAGE_BYTES);
        more = got < 0 ? -errno : mnl_cb_run(answer, (size_t)got, type, mnl_socket_get_portid(socket), visit, context);
        if (got >= 0 && more < 0)
            more = -errno;
    }
    free(answer);
    return more;
}

/* What a chain can drop, whoever jumps to it can. Chains hang together without circles. */
static void spread(struct ruleset *rules) {
    for (bool changed = true; changed;) {
        changed = false;
        for (size_t i = 0; i < rules->jump_count; i++) {
            struct chain *from = &rules->list[rules->jumps[i].from];
            if (!from->drops && rules->list[rules->jumps[i].to].drops)
                from->drops = changed = true;
        }
    }
}

static void add_chain(struct chains *chains, const struct chain *chain) {
    const bool inet = chain->family == NFPROTO_INET, bridge = chain->family == NFPROTO_BRIDGE;
    unsigned hook = chain->hook + 1;
    char name[2 * NAME_BYTES + 16];
    if (chain->family == NFPROTO_NETDEV)
        hook = chain->hook ? DROP_HOOK_EGRESS : DROP_HOOK_INGRESS;
    else if (bridge)
        hook |= DROP_HOOK_BRIDGE;
    if (hook >= HOOKS)
        return;
    snprintf(name, sizeof(name), "%s%s %s", inet ? "inet " : bridge ? "bridge " : "", chain->table, chain->name);
    if (chain->family != NFPROTO_IPV6)
        add_name(chains, 0, hook, name);
    if (chain->family != NFPROTO_IPV4)
        add_name(chains, 1, hook, name);
}

static int read_nftables(struct chains *chains) {
    const struct timeval patience = {.tv_sec = 2};
    struct ruleset rules = {.list = calloc(CHAINS_MOST, sizeof(*rules.list)),
                            .jumps = calloc(JUMPS_MOST, sizeof(*rules.jumps))};
    struct mnl_socket *socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
    int result = rules.list && rules.jumps ? 0 : -ENOMEM;
    if (!result && (!socket || mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) ||
                    setsockopt(mnl_socket_get_fd(socket), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience))))
        result = -errno;
    if (!result)
        result = dump(socket, NFT_MSG_GETCHAIN, see_chain, &rules);
    if (!result)
        result = dump(socket, NFT_MSG_GETRULE, see_rule, &rules);
    spread(&rules);
    for (size_t i = 0; i < rules.count && !result; i++)
        if (rules.list[i].base && rules.list[i].drops)
            add_chain(chains, &rules.list[i]);
    if (socket)
        mnl_socket_close(socket);
    free(rules.list);
    free(rules.jumps);
    return result == -EINVAL || result == -EOPNOTSUPP || result == -EPROTONOSUPPORT ? 0 : result; /* no nftables here */
}

/* ---- iptables-legacy ---- */

/* The same for IPv4 and IPv6 but for the head of an entry. */
struct legacy {
    int family, level, get_info, get_entries;
    const char *names; /* of tables that are in use */
    size_t target_offset, next_offset, entry_size;
};
static const struct legacy legacies[] = {
    {AF_INET, IPPROTO_IP, IPT_SO_GET_INFO, IPT_SO_GET_ENTRIES, "/proc/thread-self/net/ip_tables_names",
     offsetof(struct ipt_entry, target_offset), offsetof(struct ipt_entry, next_offset), sizeof(struct ipt_entry)},
    {AF_INET6, IPPROTO_IPV6, IP6T_SO_GET_INFO, IP6T_SO_GET_ENTRIES, "/proc/thread-self/net/ip6_tables_names",
     offsetof(struct ip6t_entry, target_offset), offsetof(struct ip6t_entry, next_offset), sizeof(struct ip6t_entry)},
};
_Static_assert(sizeof(struct ipt_getinfo) == sizeof(struct ip6t_getinfo) &&
                   sizeof(struct ipt_get_entries) == sizeof(struct ip6t_get_entries),
               "IPv4 and IPv6 ask alike");

struct table_walk {
    const struct legacy *legacy;
    const uint8_t *entries;
    uint32_t size;
    bool *seen; /* by offset / 8: entries are so aligned */
};

static uint16_t field(const uint8_t *entry, size_t offset) {
    uint16_t value;
    memcpy(&value, entry + offset, sizeof(value));
    return value;
}

/* From this entry on, till `last` or the end of the chain: can a drop be reached? Jumps nest as chains do. */
static bool can_drop(const struct table_walk *walk, uint32_t at, uint32_t last, unsigned depth) {
    while (depth < 64 && at + walk->legacy->entry_size <= walk->size && !walk->seen[at / 8]) {
        const uint8_t *entry = walk->entries + at;
        const uint32_t target = at + field(entry, walk->legacy->target_offset),
                       next = at + field(entry, walk->legacy->next_offset);
        struct xt_standard_target standard;
        walk->seen[at / 8] = true;
        if (next <= at || target + sizeof(standard.target) > walk->size)
            return false;
        memset(&standard, 0, sizeof(standard));
        memcpy(&standard, walk->entries + target,
               target + sizeof(standard) <= walk->size ? sizeof(standard) : sizeof(standard.target));
        const char *name = standard.target.u.user.name;
        if (!strcmp(name, XT_ERROR_TARGET))
            return false; /* the next chain begins */
        if (!strcmp(name, "REJECT") || !strcmp(name, "NFQUEUE"))
            return true;
        if (!*name && (standard.verdict == -NF_DROP - 1 ||
                       (standard.verdict >= 0 && can_drop(walk, standard.verdict, UINT32_MAX, depth + 1))))
            return true;
        if (at == last)
            return false;
        at = next;
    }
    return false;
}

static const char *const hook_names[] = {"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"};

static void see_table(struct chains *chains, const struct legacy *legacy, const struct ipt_getinfo *info,
                      const struct ipt_get_entries *table) {
    struct table_walk walk = {legacy, (const uint8_t *)table->entrytable, info->size, NULL};
    char name[NAME_BYTES * 2];
    for (unsigned hook = 0; hook < NF_INET_NUMHOOKS; hook++) {
        if (!(info->valid_hooks & 1U << hook) || !(walk.seen = calloc(info->size / 8 + 1, sizeof(*walk.seen))))
            continue;
        if (can_drop(&walk, info->hook_entry[hook], info->underflow[hook], 0)) {
            snprintf(name, sizeof(name), "%s %s", info->name, hook_names[hook]);
            add_name(chains, legacy->family == AF_INET6, hook + 1, name);
        }
        free(walk.seen);
    }
}

static int read_table(struct chains *chains, const struct legacy *legacy, int fd,
                      const char name[static XT_TABLE_MAXNAMELEN]) {
    struct ipt_getinfo info = {0};
    socklen_t size = sizeof(info);
    memcpy(info.name, name, sizeof(info.name));
    if (getsockopt(fd, legacy->level, legacy->get_info, &info, &size))
        return -errno;
    size = sizeof(struct ipt_get_entries) + info.size;
    struct ipt_get_entries *table = calloc(1, size);
    if (!table)
        return -ENOMEM;
    memcpy(table->name, name, sizeof(table->name));
    table->size = info.size;
    int result = getsockopt(fd, legacy->level, legacy->get_entries, table, &size) ? -errno : 0;
    if (!result)
        see_table(chains, legacy, &info, table);
    free(table);
    return result == -EAGAIN ? 0 : result; /* it changed in between */
}

static int read_legacy(struct chains *chains, const struct legacy *legacy) {
    char name[XT_TABLE_MAXNAMELEN] = "";
    FILE *names = fopen(legacy->names, "re");
    if (!names)
        return 0;
    int fd = socket(legacy->family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW), result = fd < 0 ? -errno : 0;
    while (!result && fscanf(names, "%31s", name) == 1)
        result = read_table(chains, legacy, fd, name);
    if (fd >= 0)
        close(fd);
    fclose(names);
    return result;
}

/* ---- */

static void say(struct chains *chains) {
    for (unsigned six = 0; six < 2; six++)
        for (unsigned hook = 0; hook < HOOKS; hook++)
            snprintf(chains->said[six][hook], sizeof(chains->said[six][hook]), "%s%s",
                     chains->count[six][hook] > 1 ? "one of " : "", chains->text[six][hook]);
}

int chains_read(struct chains **ret_chains) {
    struct chains *chains = calloc(1, sizeof(*chains));
    if (!chains)
        return -ENOMEM;
    int result = read_nftables(chains);
    for (size_t i = 0; i < sizeof(legacies) / sizeof(legacies[0]) && !result; i++)
        result = read_legacy(chains, &legacies[i]);
    if (result) {
        chains_free(chains);
        return result;
    }
    say(chains);
    *ret_chains = chains;
    return 0;
}

void chains_free(struct chains *chains) {
    free(chains);
}

const char *chains_at(const struct chains *chains, uint8_t family, uint8_t hook) {
    const unsigned six = family == 6;
    return hook < HOOKS && chains->count[six][hook] ? chains->said[six][hook] : NULL;
}
