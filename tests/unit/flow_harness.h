/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Made-up networks for tests of topology/flows.h and path.h: interfaces, and flows as hooks at them would count them.
 *
 * Times are milliseconds or microseconds after an arbitrary start. One network at a time.
 */
#ifndef WEFT_TESTS_FLOW_HARNESS_H
#define WEFT_TESTS_FLOW_HARNESS_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "topology/flows.h"

#define START_NS 1000000000000ULL
#define MS 1000000ULL
#define US 1000ULL

/* ---- interfaces ---- */

static struct hop_interface network[64];
static unsigned network_size;

static struct hop_interface *has_interface(uint32_t netns, uint32_t ifindex, const char *name, const char *kind) {
    struct hop_interface *interface = &network[network_size++];
    memset(interface, 0, sizeof(*interface));
    interface->netns = netns;
    interface->ifindex = ifindex;
    interface->mtu = 1500;
    interface->watched = true;
    snprintf(interface->name, sizeof(interface->name), "%s", name);
    snprintf(interface->kind, sizeof(interface->kind), "%s", kind);
    snprintf(interface->namespace_name, sizeof(interface->namespace_name), netns == 1 ? "host" : "ns%u", netns);
    return interface;
}

static inline void has_veth(uint32_t netns, uint32_t ifindex, const char *name, uint32_t peer_netns,
                            uint32_t peer_ifindex, const char *peer_name, uint32_t peer_master) {
    struct hop_interface *one = has_interface(netns, ifindex, name, "veth");
    one->peer_netns = peer_netns;
    one->peer_ifindex = peer_ifindex;
    struct hop_interface *two = has_interface(peer_netns, peer_ifindex, peer_name, "veth");
    two->peer_netns = netns;
    two->peer_ifindex = ifindex;
    two->master = peer_master;
}

static bool find_interface(void *context, uint32_t netns, uint32_t ifindex, struct hop_interface *ret_interface) {
    (void)context;
    for (unsigned i = 0; i < network_size; i++)
        if (network[i].netns == netns && network[i].ifindex == ifindex) {
            *ret_interface = network[i];
            return true;
        }
    return false;
}

/* ---- names ---- */

enum {
    REASON_OTHER = 2,
    REASON_NO_SOCKET,
    REASON_NETFILTER,
    REASON_NO_ROUTE,
    REASON_LISTEN,
    REASON_TOO_BIG,
    REASON_QUEUE,
    REASON_FULL
};

static const char *reason_name(void *context, uint32_t reason) {
    static const char *const names[] = {NULL,
                                        NULL,
                                        "NOT_SPECIFIED",
                                        "NO_SOCKET",
                                        "NETFILTER_DROP",
                                        "IP_OUTNOROUTES",
                                        "TCP_LISTEN_OVERFLOW",
                                        "PKT_TOO_BIG",
                                        "QDISC_DROP",
                                        "SOCKET_RCVBUFF"};
    (void)context;
    return reason < sizeof(names) / sizeof(names[0]) ? names[reason] : NULL;
}

static enum drop_class reason_class(void *context, uint32_t reason, uint64_t location) {
    static const enum drop_class classes[] = {
        [REASON_NO_SOCKET] = DROP_NO_SOCKET, [REASON_NETFILTER] = DROP_NETFILTER, [REASON_NO_ROUTE] = DROP_NO_ROUTE,
        [REASON_LISTEN] = DROP_LISTEN_FULL,  [REASON_TOO_BIG] = DROP_TOO_BIG,     [REASON_QUEUE] = DROP_QUEUE_FULL,
        [REASON_FULL] = DROP_SOCKET_FULL};
    (void)context;
    (void)location;
    return reason < sizeof(classes) / sizeof(classes[0]) ? classes[reason] : DROP_OTHER;
}

static const char *hook_name(void *context, uint8_t hook) {
    static const char *const names[] = {NULL, "PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"};
    (void)context;
    return hook < 6 ? names[hook] : NULL;
}

/* A process is called by its id; an address by itself. */
static struct edge_end name_owner(void *context, const struct record_owner *owner, const char *command) {
    static const char *const names[] = {"", "client", "server", "proxy", "other", "client", "server", "x7", "x8", "x9"};
    (void)context;
    (void)command;
    const char *name = names[owner->tgid % 10];
    return (struct edge_end){
        .id = 100 + owner->tgid, .name = name, .kind = "process", .executable = name, .pid = owner->tgid};
}

static struct edge_end name_address(void *context, const uint8_t *address, int family, uint16_t port) {
    static char texts[16][64];
    static unsigned next;
    char *text = texts[next++ % 16];
    (void)context;
    (void)port;
    inet_ntop(family == 4 ? AF_INET : AF_INET6, address, text, 64);
    return (struct edge_end){.id = 1, .name = text, .kind = "address"};
}

static struct edge_end name_client(void *context, const uint8_t *address, int family) {
    return name_address(context, address, family, 0);
}

static struct flows *new_flows(size_t limit) {
    struct flows_options options = {
        .namer = {.owner = name_owner, .server = name_address, .client = name_client},
        .packets = {.interface = find_interface,
                    .drop_reason = reason_name,
                    .drop_class = reason_class,
                    .hook = hook_name},
        .limit = limit,
    };
    struct flows *made = NULL;
    assert_int_equal(flows_new(&options, &made), 0);
    flows_shown(made, START_NS - 5000 * MS); /* the agent is older than what it sees */
    return made;
}

/* ---- tuples: "10.0.0.1:80", "[fd00::1]:80" ---- */

static uint8_t parse_end(const char *text, uint8_t address[16], uint16_t *ret_port) {
    char copy[64], *colon;
    snprintf(copy, sizeof(copy), "%s", text);
    memset(address, 0, 16);
    colon = strrchr(copy, ':');
    *ret_port = (uint16_t)atoi(colon + 1);
    *colon = 0;
    if (copy[0] != '[') {
        assert_int_equal(inet_pton(AF_INET, copy, address), 1);
        return 4;
    }
    copy[strlen(copy) - 1] = 0;
    assert_int_equal(inet_pton(AF_INET6, copy + 1, address), 1);
    return 6;
}

static struct flow_key key_at(uint32_t netns, uint32_t ifindex, enum flow_way way, uint8_t protocol, const char *source,
                              const char *destination) {
    struct flow_key key;
    memset(&key, 0, sizeof(key));
    key.family = parse_end(source, key.source, &key.source_port);
    parse_end(destination, key.destination, &key.destination_port);
    key.netns = netns;
    key.ifindex = ifindex;
    key.way = way;
    key.protocol = protocol;
    return key;
}

/* ---- one connection over several hops ---- */

struct hop_at {
    uint32_t netns, ifindex;
    enum flow_way way;
    const char *client, *server; /* as they are called here */
    uint64_t packets;            /* 0: as many as the hop before */
    uint8_t tunnel;
};

struct talk {
    uint8_t protocol;
    uint32_t client_isn, server_isn; /* 0 and 0: no handshake was seen */
    uint64_t time_ns;                /* of the first packet, after START_NS */
    uint64_t packets;                /* each way */
    uint32_t client_tgid, server_tgid;
    uint64_t client_cookie, server_cookie;
    uint32_t generation;
    bool ended;
};

static struct flow flow_of(const struct talk *talk, bool forward, unsigned hop, uint64_t packets) {
    struct flow flow;
    memset(&flow, 0, sizeof(flow));
    bool tcp = talk->protocol == IPPROTO_TCP && (talk->client_isn || talk->server_isn);
    uint64_t time = START_NS + talk->time_ns + hop * 10 * US + (forward ? 0 : 200 * US);
    flow.packets = flow.segments = packets;
    flow.bytes = packets * 100;
    flow.first_time = time;
    flow.last_time = time + 50 * MS;
    flow.ttl_min = flow.ttl_max = 64;
    flow.largest = 1500;
    flow.generation = talk->generation;
    if (!tcp)
        return flow;
    flow.isn = (uint64_t)talk->client_isn << 32 | talk->server_isn;
    flow.flags = FLOW_SYN_SEEN | FLOW_ISN_CLIENT | (talk->server_isn ? FLOW_ISN_SERVER : 0) |
                 (forward ? FLOW_FROM_CLIENT : FLOW_FROM_SERVER);
    flow.syn = 1;
    if (forward) {
        flow.syn_time = time;
        flow.ack_time = talk->server_isn ? time + 400 * US : 0;
    } else {
        flow.syn_ack_time = time;
    }
    flow.fin = talk->ended;
    return flow;
}

static void set_end(struct flow_end *end, uint32_t tgid, uint64_t cookie, uint32_t netns) {
    end->state = cookie ? END_SOCKET : END_NONE;
    end->cookie = cookie;
    end->owner = (struct record_owner){.tgid = tgid, .start_time = tgid, .cgroup_id = tgid, .netns = netns};
}

/* The hops of the client's direction; the server's passes the same ones the other way round. */
static inline void see_hops(struct flows *flows, const struct talk *talk, const struct hop_at *hops, unsigned count) {
    uint64_t packets = talk->packets;
    for (unsigned i = 0; i < count; i++) {
        const struct hop_at *at = &hops[i];
        struct flow_key key = key_at(at->netns, at->ifindex, at->way, talk->protocol, at->client, at->server);
        packets = at->packets ? at->packets : packets;
        struct flow flow = flow_of(talk, true, i, packets);
        key.tunnel = at->tunnel;
        if (i == 0)
            set_end(&flow.source_end, talk->client_tgid, talk->client_cookie, at->netns);
        if (i == count - 1)
            set_end(&flow.destination_end, talk->server_tgid, talk->server_cookie, at->netns);
        flows_see(flows, &key, &flow, false);
    }
}

static inline void see_answers(struct flows *flows, const struct talk *talk, const struct hop_at *hops,
                               unsigned count) {
    uint64_t packets = talk->packets;
    for (unsigned i = 0; i < count; i++) {
        const struct hop_at *at = &hops[count - 1 - i];
        struct flow_key key = key_at(at->netns, at->ifindex, !at->way, talk->protocol, at->server, at->client);
        struct flow flow = flow_of(talk, false, i, packets);
        key.tunnel = at->tunnel;
        if (i == 0)
            set_end(&flow.source_end, talk->server_tgid, talk->server_cookie, at->netns);
        flows_see(flows, &key, &flow, false);
    }
}

static inline void see_talk(struct flows *flows, const struct talk *talk, const struct hop_at *hops, unsigned count) {
    see_hops(flows, talk, hops, count);
    see_answers(flows, talk, hops, count);
}

static inline void see_drop(struct flows *flows, uint32_t netns, uint32_t ifindex, uint32_t reason, uint8_t hook,
                            const char *source, const char *destination, uint64_t packets, uint8_t tcp_flags,
                            uint32_t sequence, uint64_t time_ns) {
    struct flow_key key = key_at(netns, ifindex, 0, IPPROTO_TCP, source, destination);
    struct drop_key drop;
    memset(&drop, 0, sizeof(drop));
    memcpy(drop.source, key.source, 16);
    memcpy(drop.destination, key.destination, 16);
    drop.source_port = key.source_port;
    drop.destination_port = key.destination_port;
    drop.netns = netns;
    drop.ifindex = ifindex;
    drop.reason = reason;
    drop.hook = hook;
    drop.family = key.family;
    drop.protocol = IPPROTO_TCP;
    struct drop_totals totals = {.packets = packets,
                                 .segments = packets,
                                 .bytes = packets * 60,
                                 .first_time = START_NS + time_ns,
                                 .last_time = START_NS + time_ns,
                                 .sequence = sequence,
                                 .tcp_flags = tcp_flags};
    flows_drop(flows, &drop, &totals);
}

/* ---- what comes out ---- */

struct collected {
    struct flow_view views[64];
    char conn_ids[64][17];
    struct drop_view drops[64][4];
    unsigned count;
};

static void collect(void *context, const struct flow_view *view) {
    struct collected *collected = context;
    assert_true(collected->count < 64);
    unsigned i = collected->count++;
    collected->views[i] = *view;
    snprintf(collected->conn_ids[i], 17, "%s", view->conn_id);
    collected->views[i].conn_id = collected->conn_ids[i];
    for (size_t k = 0; k < view->drop_count && k < 4; k++)
        collected->drops[i][k] = view->drops[k];
    collected->views[i].drops = collected->drops[i];
}

static struct collected *all_of(struct flows *flows) {
    static struct collected collected;
    collected.count = 0;
    flows_each(flows, collect, &collected);
    return &collected;
}

/* "1.2e": namespace, interface, way; one after the other, in the order shown, connections parted by "|". */
static inline const char *shape_of(struct flows *flows) {
    static char text[1024];
    const struct collected *all = all_of(flows);
    text[0] = 0;
    for (unsigned i = 0; i < all->count; i++) {
        const struct flow_view *view = &all->views[i];
        const char *between = !i                                               ? ""
                              : strcmp(all->conn_ids[i], all->conn_ids[i - 1]) ? " | "
                              : view->forward != all->views[i - 1].forward     ? " / "
                                                                               : " ";
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%u.%u%c", between, view->key.netns,
                 view->key.ifindex, view->key.way == FLOW_EGRESS ? 'e' : 'i');
    }
    return text;
}

#endif
