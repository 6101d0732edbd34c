/* SPDX-License-Identifier: Apache-2.0 */
#include "flow_text.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

static const char *named_protocol(uint8_t protocol) {
    switch (protocol) {
    case IPPROTO_TCP:
        return "tcp";
    case IPPROTO_UDP:
        return "udp";
    case IPPROTO_ICMP:
        return "icmp";
    case IPPROTO_ICMPV6:
        return "icmpv6";
    case IPPROTO_SCTP:
        return "sctp";
    case IPPROTO_GRE:
        return "gre";
    case IPPROTO_IPIP:
        return "ipip";
    case IPPROTO_IPV6:
        return "sit";
    case IPPROTO_ESP:
        return "esp";
    case IPPROTO_IGMP:
        return "igmp";
    default:
        return NULL;
    }
}

void flow_transport(const struct flow_key *key, char *ret_text, size_t size) {
    const char *name = key->family ? named_protocol(key->protocol) : "ethernet";
    if (name)
        snprintf(ret_text, size, "%s", name);
    else
        snprintf(ret_text, size, "ip-%u", key->protocol);
}

void flow_address(const uint8_t *address, uint8_t family, char *ret_text, size_t size) {
    *ret_text = '\0';
    if (family == 4 || family == 6)
        inet_ntop(family == 4 ? AF_INET : AF_INET6, address, ret_text, (socklen_t)size);
}

static const char *name_at(const char *const *names, size_t count, uint8_t index) {
    return index < count ? names[index] : NULL;
}
#define NAME_AT(names, index) name_at(names, sizeof(names) / sizeof(*(names)), index)

const char *flow_way_name(uint8_t way) {
    return way == FLOW_INGRESS ? "ingress" : "egress";
}

const char *flow_tunnel_name(uint8_t tunnel) {
    static const char *const names[] = {NULL, "vxlan", "geneve", "gre", "ipip"};
    return NAME_AT(names, tunnel);
}

const char *flow_hook_name(uint8_t hook) {
    static const char *const names[] = {NULL,     "PREROUTING",  "INPUT",   "FORWARD",
                                        "OUTPUT", "POSTROUTING", "INGRESS", "EGRESS"};
    static const char *const bridge[] = {NULL,
                                         "bridge PREROUTING",
                                         "bridge INPUT",
                                         "bridge FORWARD",
                                         "bridge OUTPUT",
                                         "bridge POSTROUTING",
                                         "bridge INGRESS",
                                         "bridge EGRESS"};
    return hook < DROP_HOOK_BRIDGE ? NAME_AT(names, hook) : NAME_AT(bridge, hook - DROP_HOOK_BRIDGE);
}

const char *flow_end_state_name(uint8_t state) {
    static const char *const names[] = {NULL, "socket", "listener", "none"};
    return NAME_AT(names, state);
}

const char *flow_tcp_state_name(uint8_t state) {
    static const char *const names[] = {NULL,         "ESTAB",     "SYN-SENT", "SYN-RECV",   "FIN-WAIT-1",
                                        "FIN-WAIT-2", "TIME-WAIT", "CLOSE",    "CLOSE-WAIT", "LAST-ACK",
                                        "LISTEN",     "CLOSING",   "SYN-RECV"};
    return NAME_AT(names, state);
}

const char *flow_drop_name(const struct drop_view *drop) {
    return drop->reason ? drop->reason : drop->place ? drop->place : "unknown";
}

bool flow_has_ports(const struct flow_key *key) {
    return key->family && (key->protocol == IPPROTO_TCP || key->protocol == IPPROTO_UDP ||
                           key->protocol == IPPROTO_SCTP || key->protocol == IPPROTO_UDPLITE);
}

bool flow_icmp(const struct flow_key *key, struct flow_icmp *ret_icmp) {
    if (!key->family || (key->protocol != IPPROTO_ICMP && key->protocol != IPPROTO_ICMPV6))
        return false;
    bool echo = key->source_port == key->destination_port;
    *ret_icmp = echo ? (struct flow_icmp){.echo = true, .identifier = key->source_port}
                     : (struct flow_icmp){.type = key->source_port >> 8, .code = key->source_port & 0xff};
    return true;
}
