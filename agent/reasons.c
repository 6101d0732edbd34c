/* SPDX-License-Identifier: Apache-2.0 */
#include "reasons.h"

#include <bpf/btf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    NAMES_MOST = 512,       /* of one enumeration; the kernel has some 130 reasons */
    PLACES_MOST = 512,      /* addresses at which packets were dropped */
    FUNCTION_MOST = 1 << 16 /* bytes of a function; what lies farther from a symbol belongs to none */
};

struct names {
    char *names[NAMES_MOST]; /* by number, without prefix */
};

struct place {
    uint64_t location;
    char name[64]; /* empty: no symbol */
    bool resolved;
};

struct reasons {
    struct names drops, resets;
    struct drop_settings settings;
    int symbols; /* descriptor of /proc/kallsyms; negative: not to be had */
    bool hidden; /* it shows no addresses */
    pthread_mutex_t lock;
    struct place places[PLACES_MOST];
    size_t place_count, pending;
    time_t resolved; /* when symbols were last read */
};

/* ---- what the names mean ---- */

/*
 * Drops that healthy traffic has, seen with TCP, UDP and ICMP between namespaces, on loopback, over bridges and NAT:
 * they are left out in the kernel.
 */
static const char *const silent[] = {"NOT_DROPPED_YET", "CONSUMED"};
/* Of TCP segments without data: keepalives, window probes, old acknowledgements, a FIN whose socket is closed, too. */
static const char *const bare[] = {"NOT_SPECIFIED", "QUEUE_PURGE", "TCP_OLD_SEQUENCE", "TCP_OLD_ACK",
                                   "TCP_RFC7323_PAWS_ACK"};
/* Echo replies for raw sockets: each has its copy, and then nobody is left. */
static const char silent_place[] = "ping_rcv";

static const struct meaning {
    const char *name;
    enum drop_class class;
    const char *text;
} meanings[] = {
    {"NO_SOCKET", DROP_NO_SOCKET, "nobody listens at that address and port"},
    {"SOCKET_CLOSE", DROP_NORMAL, "the socket was closed with data unread"},
    {"SOCKET_FILTER", DROP_PROGRAM, "the socket's own filter refused it"},
    {"SOCKET_RCVBUFF", DROP_SOCKET_FULL, "the socket's receive buffer was full: the application does not read"},
    {"SOCKET_BACKLOG", DROP_SOCKET_FULL, "the socket's backlog was full: the application holds it too long"},
    {"PROTO_MEM", DROP_SOCKET_FULL, "the memory for sockets of that protocol was used up"},
    {"PKT_TOO_SMALL", DROP_OTHER, "it was cut short"},
    {"TCP_CSUM", DROP_CHECKSUM, "its TCP checksum was wrong"},
    {"UDP_CSUM", DROP_CHECKSUM, "its UDP checksum was wrong"},
    {"IP_CSUM", DROP_CHECKSUM, "its IP header's checksum was wrong"},
    {"ICMP_CSUM", DROP_CHECKSUM, "its ICMP checksum was wrong"},
    {"SKB_CSUM", DROP_CHECKSUM, "its checksum could not be computed"},
    {"NETFILTER_DROP", DROP_NETFILTER, "a firewall rule dropped it (netfilter)"},
    {"OTHERHOST", DROP_NORMAL, "it was addressed to another host's MAC address"},
    {"IP_INHDR", DROP_OTHER, "its IP header was not acceptable"},
    {"IP_RPFILTER", DROP_RP_FILTER, "the way back to its source leads elsewhere (rp_filter)"},
    {"UNICAST_IN_L2_MULTICAST", DROP_OTHER, "it came by link-layer multicast for a unicast address"},
    {"XFRM_POLICY", DROP_NETFILTER, "an IPsec policy forbids it"},
    {"IP_NOPROTO", DROP_NO_SOCKET, "nobody takes that IP protocol"},
    {"IP_OUTNOROUTES", DROP_NO_ROUTE, "there was no route to its destination"},
    {"IP_INNOROUTES", DROP_NO_ROUTE, "there was no route to its destination"},
    {"IP_INADDRERRORS", DROP_NO_ROUTE, "there was no route to its destination, or a route that forbids it"},
    {"IP_LOCAL_SOURCE", DROP_RP_FILTER, "it came from outside with an address of this host as its source"},
    {"IP_INVALID_SOURCE", DROP_RP_FILTER, "its source cannot be one"},
    {"IP_LOCALNET", DROP_NO_ROUTE, "it came from outside for 127.0.0.0/8"},
    {"IP_INVALID_DEST", DROP_NO_ROUTE, "its destination cannot be one"},
    {"PKT_TOO_BIG", DROP_TOO_BIG, "it was larger than the next link's MTU and must not be fragmented"},
    {"IPV6DISABLED", DROP_NO_ROUTE, "IPv6 is switched off there"},
    {"BPF_CGROUP_EGRESS", DROP_PROGRAM, "a program at the sender's cgroup refused it"},
    {"NEIGH_CREATEFAIL", DROP_NEIGHBOUR, "no neighbour entry could be made for the next hop"},
    {"NEIGH_FAILED", DROP_NEIGHBOUR, "nobody answered for the next hop's address (ARP or neighbour discovery)"},
    {"NEIGH_QUEUEFULL", DROP_NEIGHBOUR, "too many packets waited for the next hop's address"},
    {"NEIGH_DEAD", DROP_NEIGHBOUR, "the next hop's neighbour entry was gone"},
    {"NEIGH_HH_FILLFAIL", DROP_NEIGHBOUR, "the next hop's link-layer header could not be written"},
    {"TC_EGRESS", DROP_PROGRAM, "a TC filter at the interface's egress dropped it"},
    {"TC_INGRESS", DROP_PROGRAM, "a TC filter at the interface's ingress dropped it"},
    {"XDP", DROP_PROGRAM, "an XDP program dropped it"},
    {"TAP_FILTER", DROP_PROGRAM, "the TAP device's filter refused it"},
    {"TAP_TXFILTER", DROP_PROGRAM, "the TAP device's filter refused it"},
    {"SECURITY_HOOK", DROP_PROGRAM, "a security module refused it"},
    {"QDISC_DROP", DROP_QUEUE_FULL, "the interface's queue was full (its queueing discipline dropped it)"},
    {"QDISC_OVERLIMIT", DROP_QUEUE_FULL, "the interface's queue was full (its queueing discipline dropped it)"},
    {"QDISC_CONGESTED", DROP_QUEUE_FULL, "the interface's queueing discipline dropped it against congestion"},
    {"CPU_BACKLOG", DROP_QUEUE_FULL, "the CPU's input queue was full (net.core.netdev_max_backlog)"},
    {"FULL_RING", DROP_QUEUE_FULL, "the device's ring was full: whoever reads it does not keep up"},
    {"QUEUE_PURGE", DROP_NORMAL, "its queue was emptied"},
    {"DEV_READY", DROP_OTHER, "the device was not up"},
    {"DEV_HDR", DROP_OTHER, "the device could not write its header"},
    {"NOMEM", DROP_OTHER, "there was no memory"},
    {"HDR_TRUNC", DROP_OTHER, "it was cut short"},
    {"UNHANDLED_PROTO", DROP_NORMAL, "nobody takes that link-layer protocol"},
    {"TCP_LISTEN_OVERFLOW", DROP_LISTEN_FULL, "the listener's queue was full: the application does not accept"},
    {"TCP_REQQFULLDROP", DROP_LISTEN_FULL, "the listener's queue of half-open connections was full"},
    {"TCP_REQQFULL", DROP_LISTEN_FULL, "the listener's queue of half-open connections was full"},
    {"TCP_FLAGS", DROP_OTHER, "its TCP flags made no sense in that state"},
    {"TCP_ABORT_ON_DATA", DROP_NORMAL, "it was data for a connection that its application had closed"},
    {"TCP_ZEROWINDOW", DROP_SOCKET_FULL, "the receiver's window was closed: the application does not read"},
    {"TCP_OLD_DATA", DROP_NORMAL, "its data had come before"},
    {"TCP_OVERWINDOW", DROP_SOCKET_FULL, "its data lay beyond the receiver's window"},
    {"TCP_OFOMERGE", DROP_NORMAL, "its data had come before, out of order"},
    {"TCP_RFC7323_PAWS", DROP_OTHER, "its timestamp was older than one seen (PAWS)"},
    {"TCP_RFC7323_PAWS_ACK", DROP_NORMAL, "an acknowledgement was overtaken (PAWS)"},
    {"TCP_OLD_SEQUENCE", DROP_NORMAL, "it lay before what was received"},
    {"TCP_INVALID_SEQUENCE", DROP_OTHER, "its sequence number lay outside of the window"},
    {"TCP_INVALID_END_SEQUENCE", DROP_OTHER, "its end lay outside of the window"},
    {"TCP_INVALID_ACK_SEQUENCE", DROP_OTHER, "it acknowledged what was never sent"},
    {"TCP_RESET", DROP_NORMAL, "it was a reset, and did its work"},
    {"TCP_INVALID_SYN", DROP_NORMAL, "it was a SYN, or its answer once more, for an open connection"},
    {"TCP_CLOSE", DROP_NORMAL, "its connection was closed"},
    {"TCP_FASTOPEN", DROP_OTHER, "it failed the rules of TCP Fast Open"},
    {"TCP_OLD_ACK", DROP_NORMAL, "it acknowledged what was acknowledged before"},
    {"TCP_TOO_OLD_ACK", DROP_OTHER, "it acknowledged what lies far back"},
    {"TCP_ACK_UNSENT_DATA", DROP_OTHER, "it acknowledged what was not sent yet"},
    {"TCP_OFO_QUEUE_PRUNE", DROP_SOCKET_FULL, "the queue of data out of order was emptied for want of memory"},
    {"TCP_OFO_DROP", DROP_SOCKET_FULL, "there was no memory for data out of order"},
    {"TCP_MINTTL", DROP_OTHER, "its TTL was below what the socket demands"},
    {"TCP_MD5NOTFOUND", DROP_OTHER, "it bore no MD5 signature, and the socket demands one"},
    {"TCP_MD5UNEXPECTED", DROP_OTHER, "it bore an MD5 signature that nobody asked for"},
    {"TCP_MD5FAILURE", DROP_OTHER, "its MD5 signature was wrong"},
    {"DUP_FRAG", DROP_OTHER, "that fragment had come before"},
    {"FRAG_REASM_TIMEOUT", DROP_OTHER, "other fragments of it never came"},
    {"FRAG_TOO_FAR", DROP_OTHER, "too many other packets came between its fragments"},
    {"VXLAN_VNI_NOT_FOUND", DROP_NO_ROUTE, "no VXLAN of that number is here"},
    {"VXLAN_INVALID_HDR", DROP_OTHER, "its VXLAN header was wrong"},
    {"NO_TX_TARGET", DROP_NO_ROUTE, "the device knew nobody to send it to"},
    {"BRIDGE_INGRESS_STP_STATE", DROP_OTHER, "the bridge's port does not forward (spanning tree)"},
    {"BRIDGE_NON_FORWARDING_STATE", DROP_OTHER, "the bridge's port does not forward (spanning tree)"},
    {"NEIGH_UNRESOLVED", DROP_NEIGHBOUR, "nobody answered for the next hop's address"},
};

/* Where the kernel gives no reason (none before Linux 5.17, and less than today's till some years later). */
static const struct meaning place_meanings[] = {
    {"nf_hook_slow", DROP_NETFILTER, "a firewall rule dropped it (netfilter)"},
    {"nf_hook_slow_list", DROP_NETFILTER, "a firewall rule dropped it (netfilter)"},
    {"nft_do_chain", DROP_NETFILTER, "a firewall rule dropped it (netfilter)"},
    {"ip_forward", DROP_OTHER, "it could not be forwarded: its TTL was used up, or it was too large"},
    {"ip6_forward", DROP_OTHER, "it could not be forwarded: its hop limit was used up, or it was too large"},
    {"ip_error", DROP_NO_ROUTE, "there was no route to its destination"},
    {"ip6_pkt_drop", DROP_NO_ROUTE, "there was no route to its destination"},
    {"tcp_v4_rcv", DROP_NO_SOCKET, "no socket takes it"},
    {"tcp_v6_rcv", DROP_NO_SOCKET, "no socket takes it"},
    {"__udp4_lib_rcv", DROP_NO_SOCKET, "nobody listens at that address and port, or its checksum was wrong"},
    {"__udp6_lib_rcv", DROP_NO_SOCKET, "nobody listens at that address and port, or its checksum was wrong"},
    {"udp_queue_rcv_one_skb", DROP_SOCKET_FULL, "the socket's receive buffer was full: the application does not read"},
    {"udpv6_queue_rcv_one_skb", DROP_SOCKET_FULL,
     "the socket's receive buffer was full: the application does not read"},
    {"enqueue_to_backlog", DROP_QUEUE_FULL, "the CPU's input queue was full (net.core.netdev_max_backlog)"},
    {"arp_error_report", DROP_NEIGHBOUR, "nobody answered for the next hop's address (ARP)"},
    {"ndisc_error_report", DROP_NEIGHBOUR, "nobody answered for the next hop's address (neighbour discovery)"},
    {"__neigh_event_send", DROP_NEIGHBOUR, "too many packets waited for the next hop's address"},
    {"tcp_rcv_established", DROP_NORMAL, "TCP was done with it"},
    {"tcp_rcv_state_process", DROP_NORMAL, "TCP was done with it"},
    {"tcp_v4_do_rcv", DROP_NORMAL, "TCP was done with it"},
    {"tcp_v6_do_rcv", DROP_NORMAL, "TCP was done with it"},
    {"skb_queue_purge", DROP_NORMAL, "its queue was emptied"},
    {"skb_rbtree_purge", DROP_NORMAL, "its queue was emptied"},
    {"inet_sock_destruct", DROP_NORMAL, "the socket was closed with data unread"},
};

static const struct {
    const char *name, *text;
} reset_meanings[] = {
    {"NO_SOCKET", "nobody listens there"},
    {"TCP_ABORT_ON_CLOSE", "the application closed its socket with data unread"},
    {"TCP_ABORT_ON_LINGER", "the application closed its socket with SO_LINGER at zero"},
    {"TCP_ABORT_ON_DATA", "data came after the application had closed its socket"},
    {"TCP_ABORT_ON_MEMORY", "too many orphaned sockets, or no memory for them"},
    {"TCP_KEEPALIVE_TIMEOUT", "the peer answered no keepalive"},
    {"TCP_DISCONNECT_WITH_DATA", "the application disconnected with data unsent"},
    {"TCP_STATE", "the connection was taken down in a state that has no orderly close"},
    {"TCP_TIMEWAIT_SOCKET", "the connection was over already (TIME_WAIT)"},
    {"TCP_INVALID_ACK_SEQUENCE", "it acknowledged what was never sent"},
    {"TCP_OLD_ACK", "it acknowledged what lies far back"},
    {"TCP_TOO_OLD_ACK", "it acknowledged what lies far back"},
    {"TCP_ACK_UNSENT_DATA", "it acknowledged what was not sent yet"},
    {"TCP_FLAGS", "its TCP flags made no sense in that state"},
    {"INVALID_SYN", "a SYN came for an open connection"},
    {"TCP_RFC7323_PAWS", "its timestamp was older than one seen"},
    {"ERROR", "an error of the connection"},
};

static const struct meaning *meaning_of(const struct meaning *table, size_t count, const char *name) {
    for (size_t i = 0; i < count && name; i++)
        if (!strcmp(table[i].name, name))
            return &table[i];
    return NULL;
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- the kernel's types ---- */

static const char *without(const char *name, const char *prefix) {
    const size_t length = strlen(prefix);
    return strncmp(name, prefix, length) ? name : name + length;
}

static int read_enumeration(const struct btf *kernel, const char *type, const char *prefix, struct names *ret_names) {
    int id = btf__find_by_name_kind(kernel, type, BTF_KIND_ENUM);
    const struct btf_type *found = id > 0 ? btf__type_by_id(kernel, id) : NULL;
    const struct btf_enum *member = found ? btf_enum(found) : NULL;
    for (int i = 0; found && i < btf_vlen(found); i++) {
        const char *name = btf__name_by_offset(kernel, member[i].name_off);
        const uint32_t value = member[i].val;
        if (!name || value >= NAMES_MOST || ret_names->names[value])
            continue;
        if (!(ret_names->names[value] = strdup(without(without(name, prefix), "SKB_"))))
            return -ENOMEM;
    }
    return 0;
}

/* Arguments of the tracepoint, the hidden first one not counted. */
static int tracepoint_arguments(const struct btf *kernel, const char *type) {
    int id = btf__find_by_name_kind(kernel, type, BTF_KIND_TYPEDEF);
    const struct btf_type *found = id > 0 ? btf__type_by_id(kernel, id) : NULL;
    if (found)
        found = btf__type_by_id(kernel, found->type); /* a pointer */
    if (found && btf_is_ptr(found))
        found = btf__type_by_id(kernel, found->type);
    return found && btf_is_func_proto(found) ? btf_vlen(found) - 1 : 0;
}

static bool is_among(const char *name, const char *const *list, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (!strcmp(list[i], name))
            return true;
    return false;
}

static void sort_reasons(struct reasons *reasons) {
    reasons->settings.bare[0] = 1; /* before Linux 5.17 there are none, which is 0 */
    for (uint32_t i = 0; i < 256; i++) {
        const char *name = reasons->drops.names[i];
        if (!name)
            continue;
        if (!strcmp(name, "NETFILTER_DROP"))
            reasons->settings.netfilter_reason = i;
        if (is_among(name, silent, COUNT(silent)))
            reasons->settings.silent[i / 64] |= 1ULL << i % 64;
        if (is_among(name, bare, COUNT(bare)))
            reasons->settings.bare[i / 64] |= 1ULL << i % 64;
    }
}

static int read_types(struct reasons *reasons) {
    struct btf *kernel = btf__load_vmlinux_btf();
    if (!kernel)
        return 0;
    int result = read_enumeration(kernel, "skb_drop_reason", "SKB_DROP_REASON_", &reasons->drops);
    if (!result)
        result = read_enumeration(kernel, "sk_rst_reason", "SK_RST_REASON_", &reasons->resets);
    reasons->settings.has_socket = tracepoint_arguments(kernel, "btf_trace_kfree_skb") > 3;
    btf__free(kernel);
    sort_reasons(reasons);
    return result;
}

/* ---- the kernel's symbols ---- */

/* Functions that call a netfilter hook. A name with a suffix (.isra.0, .constprop.0) is the same function. */
static const struct {
    const char *function;
    unsigned hook;
} callers[] = {
    {"nf_hook_slow_list", DROP_HOOK_BEHIND},
    {"ip_rcv", DROP_HOOK_PREROUTING},
    {"ip_sublist_rcv", DROP_HOOK_PREROUTING},
    {"ip_list_rcv", DROP_HOOK_PREROUTING},
    {"ipv6_rcv", DROP_HOOK_PREROUTING},
    {"ip6_sublist_rcv", DROP_HOOK_PREROUTING},
    {"ipv6_list_rcv", DROP_HOOK_PREROUTING},
    {"br_nf_pre_routing", DROP_HOOK_PREROUTING},
    {"br_nf_pre_routing_ipv6", DROP_HOOK_PREROUTING},
    {"ip_local_deliver", DROP_HOOK_INPUT},
    {"ip6_input", DROP_HOOK_INPUT},
    {"ip6_mc_input", DROP_HOOK_INPUT},
    {"ip_forward", DROP_HOOK_FORWARD},
    {"ip6_forward", DROP_HOOK_FORWARD},
    {"ipmr_queue_xmit", DROP_HOOK_FORWARD},
    {"ip6mr_forward2", DROP_HOOK_FORWARD},
    {"br_nf_forward", DROP_HOOK_FORWARD},
    {"br_nf_forward_ip", DROP_HOOK_FORWARD},
    {"__ip_local_out", DROP_HOOK_OUTPUT},
    {"ip_local_out", DROP_HOOK_OUTPUT},
    {"raw_send_hdrinc", DROP_HOOK_OUTPUT},
    {"raw_sendmsg", DROP_HOOK_OUTPUT},
    {"__ip6_local_out", DROP_HOOK_OUTPUT},
    {"ip6_local_out", DROP_HOOK_OUTPUT},
    {"ip6_xmit", DROP_HOOK_OUTPUT},
    {"rawv6_send_hdrinc", DROP_HOOK_OUTPUT},
    {"rawv6_sendmsg", DROP_HOOK_OUTPUT},
    {"ndisc_send_skb", DROP_HOOK_OUTPUT},
    {"mld_sendpack", DROP_HOOK_OUTPUT},
    {"igmp6_send", DROP_HOOK_OUTPUT},
    {"ip_output", DROP_HOOK_POSTROUTING},
    {"ip_mc_output", DROP_HOOK_POSTROUTING},
    {"ip6_output", DROP_HOOK_POSTROUTING},
    {"xfrm4_output", DROP_HOOK_POSTROUTING},
    {"xfrm6_output", DROP_HOOK_POSTROUTING},
    {"br_nf_post_routing", DROP_HOOK_POSTROUTING},
    {"__netif_receive_skb_core", DROP_HOOK_INGRESS},
    {"__dev_queue_xmit", DROP_HOOK_EGRESS},
    {"br_handle_frame", DROP_HOOK_BRIDGE | DROP_HOOK_PREROUTING},
    {"br_pass_frame_up", DROP_HOOK_BRIDGE | DROP_HOOK_INPUT},
    {"__br_forward", DROP_HOOK_BRIDGE | DROP_HOOK_FORWARD}, /* and the bridge's own frames: there OUTPUT */
    {"br_forward_finish", DROP_HOOK_BRIDGE | DROP_HOOK_POSTROUTING},
};

struct symbol {
    uint64_t address;
    uint32_t name; /* offset in text */
};
struct symbols {
    struct symbol *list;
    size_t count, room;
    char *text;
    size_t length, size;
};

static void symbols_done(struct symbols *symbols) {
    free(symbols->list);
    free(symbols->text);
    *symbols = (struct symbols){0};
}

/* The whole file, as it is now. */
static int read_text(int fd, struct symbols *symbols) {
    for (;;) {
        if (symbols->size - symbols->length < 1 << 16) {
            size_t size = symbols->size ? symbols->size * 2 : 1 << 22;
            char *text = realloc(symbols->text, size);
            if (!text)
                return -ENOMEM;
            symbols->text = text;
            symbols->size = size;
        }
        ssize_t got =
            pread(fd, symbols->text + symbols->length, symbols->size - symbols->length - 1, (off_t)symbols->length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (!got)
            break;
        symbols->length += got;
    }
    symbols->text[symbols->length] = '\0';
    return symbols->length ? 0 : -ENODATA;
}

static int add_symbol(struct symbols *symbols, uint64_t address, const char *name) {
    if (symbols->count == symbols->room) {
        size_t room = symbols->room ? symbols->room * 2 : 1 << 16;
        struct symbol *list = realloc(symbols->list, room * sizeof(*list));
        if (!list)
            return -ENOMEM;
        symbols->list = list;
        symbols->room = room;
    }
    symbols->list[symbols->count++] = (struct symbol){address, (uint32_t)(name - symbols->text)};
    return 0;
}

/* "ffffffff81000000 T _text\t[module]": functions only. Names are ended in place. */
static int parse_line(struct symbols *symbols, char *line) {
    char *end, *name;
    uint64_t address = strtoull(line, &end, 16);
    if (*end != ' ' || !strchr("tTwW", end[1]) || end[2] != ' ' || !address)
        return 0;
    name = end + 3;
    name[strcspn(name, " \t\n")] = '\0';
    return add_symbol(symbols, address, name);
}

static int compare_symbols(const void *a, const void *b) {
    const struct symbol *one = a, *other = b;
    return (one->address > other->address) - (one->address < other->address);
}

/* -ENOKEY: there are no addresses in it. */
static int symbols_read(int fd, struct symbols *symbols) {
    int result = fd < 0 ? -ENOKEY : read_text(fd, symbols);
    for (char *line = symbols->text, *next; !result && line && *line; line = next) {
        char *end = strchr(line, '\n');
        next = end ? end + 1 : line + strlen(line);
        result = parse_line(symbols, line);
    }
    if (!result && !symbols->count)
        result = -ENOKEY;
    if (!result)
        qsort(symbols->list, symbols->count, sizeof(*symbols->list), compare_symbols);
    return result;
}

/* Index of the last symbol at or before; of several names for one address, any. */
static size_t symbol_before(const struct symbols *symbols, uint64_t address) {
    size_t low = 0, high = symbols->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (symbols->list[middle].address <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low - 1; /* SIZE_MAX: none */
}

static const char *symbol_name(const struct symbols *symbols, size_t i) {
    return symbols->text + symbols->list[i].name;
}

static uint64_t symbol_end(const struct symbols *symbols, size_t i) {
    const uint64_t start = symbols->list[i].address;
    while (i < symbols->count && symbols->list[i].address == start)
        i++;
    return i < symbols->count ? symbols->list[i].address : start + 4096;
}

static bool is_function(const char *symbol, const char *function) {
    const size_t length = strlen(function);
    return !strncmp(symbol, function, length) && (!symbol[length] || symbol[length] == '.') &&
           !strstr(symbol + length, ".cold");
}

static void find_hooks(struct reasons *reasons, const struct symbols *symbols) {
    size_t used = 0;
    for (size_t i = 0; i < symbols->count; i++) {
        const char *name = symbol_name(symbols, i);
        const uint64_t start = symbols->list[i].address, end = symbol_end(symbols, i);
        if (is_function(name, "nf_hook_slow")) {
            reasons->settings.netfilter_start = start;
            reasons->settings.netfilter_end = end;
        }
        if (is_function(name, silent_place)) {
            reasons->settings.silent_place.start = start;
            reasons->settings.silent_place.end = end;
        }
        for (size_t j = 0; j < COUNT(callers) && used < HOOK_PLACES; j++)
            if (is_function(name, callers[j].function))
                reasons->settings.places[used++] = (struct hook_place){start, end, callers[j].hook};
    }
}

/* ---- places ---- */

static struct place *find_place(struct reasons *reasons, uint64_t location) {
    for (size_t i = 0; i < reasons->place_count; i++)
        if (reasons->places[i].location == location)
            return &reasons->places[i];
    return NULL;
}

void reasons_note(struct reasons *reasons, uint64_t location) {
    pthread_mutex_lock(&reasons->lock);
    if (location && !find_place(reasons, location) && reasons->place_count < PLACES_MOST) {
        reasons->places[reasons->place_count++] = (struct place){.location = location};
        reasons->pending++;
    }
    pthread_mutex_unlock(&reasons->lock);
}

static void name_place(const struct symbols *symbols, struct place *place) {
    size_t i = symbol_before(symbols, place->location);
    place->resolved = true;
    if (i == SIZE_MAX || place->location - symbols->list[i].address > FUNCTION_MOST)
        return;
    const char *name = symbol_name(symbols, i);
    snprintf(place->name, sizeof(place->name), "%.*s", (int)strcspn(name, "."), name);
}

void reasons_resolve(struct reasons *reasons) {
    struct symbols symbols = {0};
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (!reasons->pending || reasons->hidden || now.tv_sec == reasons->resolved)
        return;
    reasons->resolved = now.tv_sec;
    int result = symbols_read(reasons->symbols, &symbols);
    pthread_mutex_lock(&reasons->lock);
    for (size_t i = 0; i < reasons->place_count && !result; i++)
        if (!reasons->places[i].resolved)
            name_place(&symbols, &reasons->places[i]);
    if (!result)
        reasons->pending = 0;
    pthread_mutex_unlock(&reasons->lock);
    symbols_done(&symbols);
}

/* A place that was named is not changed any more, so that the pointer stays good. */
const char *reasons_place(struct reasons *reasons, uint64_t location) {
    pthread_mutex_lock(&reasons->lock);
    const struct place *place = find_place(reasons, location);
    const char *name = place && place->name[0] ? place->name : NULL;
    pthread_mutex_unlock(&reasons->lock);
    return name;
}

bool reasons_places_known(const struct reasons *reasons, const char **ret_why) {
    *ret_why = reasons->symbols < 0 ? "/proc/kallsyms cannot be read"
               : reasons->hidden    ? "/proc/kallsyms shows no addresses (sysctl kernel.kptr_restrict, or CAP_SYSLOG)"
                                    : NULL;
    return !*ret_why;
}

/* ---- */

int reasons_new(struct reasons **ret_reasons) {
    struct symbols symbols = {0};
    struct reasons *reasons = calloc(1, sizeof(*reasons));
    if (!reasons)
        return -ENOMEM;
    pthread_mutex_init(&reasons->lock, NULL);
    reasons->symbols = open("/proc/kallsyms", O_RDONLY | O_CLOEXEC);
    int result = read_types(reasons);
    if (!result) {
        result = symbols_read(reasons->symbols, &symbols);
        reasons->hidden = result != 0;
        if (!result)
            find_hooks(reasons, &symbols);
        else if (result != -ENOMEM)
            result = 0;
        symbols_done(&symbols);
    }
    if (result) {
        reasons_free(reasons);
        return result;
    }
    *ret_reasons = reasons;
    return 0;
}

void reasons_free(struct reasons *reasons) {
    if (!reasons)
        return;
    for (size_t i = 0; i < NAMES_MOST; i++) {
        free(reasons->drops.names[i]);
        free(reasons->resets.names[i]);
    }
    if (reasons->symbols >= 0)
        close(reasons->symbols);
    pthread_mutex_destroy(&reasons->lock);
    free(reasons);
}

void reasons_settings(const struct reasons *reasons, struct drop_settings *ret_settings) {
    *ret_settings = reasons->settings;
}

const char *reasons_drop(const struct reasons *reasons, uint32_t reason) {
    return reason && reason < NAMES_MOST ? reasons->drops.names[reason] : NULL;
}

const char *reasons_reset(const struct reasons *reasons, uint32_t reason) {
    return reason < NAMES_MOST ? reasons->resets.names[reason] : NULL;
}

static const struct meaning *meaning_at(struct reasons *reasons, uint32_t reason, uint64_t location) {
    const char *name = reasons_drop(reasons, reason);
    if (!name || !strcmp(name, "NOT_SPECIFIED"))
        return meaning_of(place_meanings, COUNT(place_meanings), reasons_place(reasons, location));
    return meaning_of(meanings, COUNT(meanings), name);
}

/* A used up TTL has no reason of its own: it is a header that was not acceptable, where packets are forwarded. */
static bool is_ttl(struct reasons *reasons, uint32_t reason, uint64_t location) {
    const char *name = reasons_drop(reasons, reason), *place = reasons_place(reasons, location);
    return name && place && !strcmp(name, "IP_INHDR") &&
           (!strcmp(place, "ip_forward") || !strcmp(place, "ip6_forward"));
}

enum drop_class reasons_class(struct reasons *reasons, uint32_t reason, uint64_t location) {
    const struct meaning *meaning = meaning_at(reasons, reason, location);
    return is_ttl(reasons, reason, location) ? DROP_TTL : meaning ? meaning->class : DROP_OTHER;
}

const char *reasons_text(struct reasons *reasons, uint32_t reason, uint64_t location) {
    const struct meaning *meaning = meaning_at(reasons, reason, location);
    return is_ttl(reasons, reason, location) ? "its TTL was used up: it went round in circles, or too far"
           : meaning                         ? meaning->text
                                             : NULL;
}

const char *reasons_reset_text(const struct reasons *reasons, uint32_t reason) {
    const char *name = reasons_reset(reasons, reason);
    for (size_t i = 0; i < COUNT(reset_meanings) && name; i++)
        if (!strcmp(reset_meanings[i].name, name))
            return reset_meanings[i].text;
    return NULL;
}

const char *reasons_hook(uint8_t hook) {
    static const char *const names[] = {NULL,     "PREROUTING",  "INPUT",   "FORWARD",
                                        "OUTPUT", "POSTROUTING", "ingress", "egress"};
    static const char *const bridged[] = {
        NULL, "bridge PREROUTING", "bridge INPUT", "bridge FORWARD", "bridge OUTPUT", "bridge POSTROUTING"};
    if (hook & DROP_HOOK_BRIDGE)
        return (hook & 15) < COUNT(bridged) ? bridged[hook & 15] : NULL;
    return hook < COUNT(names) ? names[hook] : NULL;
}
