/* SPDX-License-Identifier: Apache-2.0 */
#include "json_flow.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "topology/flow_text.h"

static void known_text(struct writer *out, const char *name, const char *text) {
    if (text && text[0])
        writer_member_string(out, name, text);
}

static void known_number(struct writer *out, const char *name, uint64_t value) {
    if (value)
        writer_member_unsigned(out, name, value);
}

static void known_time(struct writer *out, const char *name, const struct json_clocks *clocks, uint64_t monotonic) {
    if (monotonic)
        writer_member_unsigned(out, name, clocks->now - clocks->monotonic + monotonic);
}

static void hop(struct writer *out, const struct flow_view *view) {
    const struct flow_key *key = &view->key;
    const char *tunnel = flow_tunnel_name(key->tunnel);
    writer_key(out, "hop");
    writer_text(out, "{");
    known_text(out, "interface", view->hop.name);
    writer_member_unsigned(out, "ifindex", key->ifindex);
    writer_member_unsigned(out, "netns", key->netns);
    known_text(out, "namespace", view->hop.namespace_name);
    known_text(out, "kind", view->hop.kind);
    writer_member_string(out, "direction", flow_way_name(key->way));
    if (view->order) {
        writer_member_unsigned(out, "order", view->order);
        writer_member_unsigned(out, "hops", view->hops);
    }
    known_number(out, "mtu", view->hop.mtu);
    known_number(out, "vlan", key->vlan);
    if (tunnel) {
        writer_member_string(out, "tunnel", tunnel);
        writer_member_unsigned(out, "tunnel_id", key->tunnel_id);
    }
    if (view->hop.shadowed)
        writer_member_bool(out, "shadowed", true);
    writer_text(out, "}");
}

static void process(struct writer *out, const struct record_owner *owner, const struct edge_end *end) {
    if (!owner->tgid)
        return;
    writer_key(out, "process");
    writer_text(out, "{");
    writer_member_unsigned(out, "pid", owner->tgid);
    known_text(out, "executable", end->executable);
    writer_text(out, "}");
}

static void named(struct writer *out, const struct edge_end *end) {
    struct workload_instance instance;
    if (!end->id)
        return;
    writer_member_hex(out, "id", end->id);
    writer_member_string(out, "name", edge_end_name(end));
    writer_member_string(out, "kind", end->kind);
    if (end->stale)
        writer_member_bool(out, "stale", true);
    if (end->workload && end->instance && workload_instance(end->workload, end->instance, &instance))
        json_container(out, &instance);
}

/* `socket` says where its socket is, as this hop could see: absent if nobody looked. */
static void end(struct writer *out, const char *name, const struct flow_view *view, bool source) {
    const struct flow_key *key = &view->key;
    const struct flow_end *stamped = source ? &view->flow.source_end : &view->flow.destination_end;
    const struct edge_end *end = source ? &view->source : &view->destination;
    char address[FLOW_ADDRESS_LENGTH];
    flow_address(source ? key->source : key->destination, key->family, address, sizeof(address));
    writer_key(out, name);
    writer_text(out, "{");
    named(out, end);
    known_text(out, "address", address);
    if (flow_has_ports(key))
        writer_member_unsigned(out, "port", source ? key->source_port : key->destination_port);
    known_text(out, "socket", flow_end_state_name(stamped->state));
    process(out, &stamped->owner, end);
    writer_text(out, "}");
}

/* The sender's socket, where it is here. */
static void sender_socket(struct writer *out, const struct flow_view *view) {
    const struct flow *flow = &view->flow;
    const struct socket_view *seen = view->source_socket;
    if (!flow->socket_time && !seen)
        return;
    writer_key(out, "socket");
    writer_text(out, "{");
    if (seen) {
        known_text(out, "state", seen->protocol == IPPROTO_TCP ? flow_tcp_state_name(seen->state) : NULL);
        writer_member_unsigned(out, "receive_queue", seen->receive_queue);
        writer_member_unsigned(out, "send_queue", seen->send_queue);
        if (seen->frozen)
            writer_member_bool(out, "frozen", true);
    }
    if (flow->socket_time) {
        known_number(out, "rtt", flow->srtt_us * 1000ULL);
        known_number(out, "min_rtt", flow->min_rtt_us * 1000ULL);
        writer_member_unsigned(out, "cwnd", flow->cwnd);
        writer_member_unsigned(out, "lost", flow->lost);
        writer_member_unsigned(out, "segments_out", flow->segments_out);
    }
    writer_text(out, "}");
}

static void tcp(struct writer *out, const struct flow_view *view) {
    const struct flow *since = &view->since;
    if (!view->key.family || view->key.protocol != IPPROTO_TCP)
        return;
    writer_key(out, "tcp");
    writer_text(out, "{");
    writer_member_unsigned(out, "syn", since->syn);
    writer_member_unsigned(out, "fin", since->fin);
    writer_member_unsigned(out, "rst", since->rst);
    writer_member_unsigned(out, "data", since->payload_packets);
    if (view->flow.socket_time)
        writer_member_unsigned(out, "retransmits", since->total_retransmits);
    writer_member_unsigned(out, "repeats", since->repeats);
    writer_member_unsigned(out, "out_of_order", since->out_of_order);
    writer_member_unsigned(out, "holes", since->holes);
    writer_member_unsigned(out, "zero_windows", since->zero_windows);
    writer_member_unsigned(out, "ecn_echo", since->ecn_echo);
    writer_member_unsigned(out, "congestion_window_reduced", since->congestion_window_reduced);
    known_number(out, "mss", view->flow.mss);
    known_number(out, "rtt", view->rtt_ns);
    writer_text(out, "}");
}

static void icmp(struct writer *out, const struct flow_key *key) {
    struct flow_icmp icmp;
    if (!flow_icmp(key, &icmp))
        return;
    writer_key(out, "icmp");
    writer_text(out, "{");
    if (icmp.echo) {
        writer_member_unsigned(out, "identifier", icmp.identifier);
    } else {
        writer_member_unsigned(out, "type", icmp.type);
        writer_member_unsigned(out, "code", icmp.code);
    }
    writer_text(out, "}");
}

/* Several places may share a reason: added up at the first of them. */
static void drop_reasons(struct writer *out, const struct flow_view *view) {
    writer_key(out, "drops");
    writer_text(out, "{");
    for (size_t i = 0; i < view->drop_count; i++) {
        uint64_t packets = 0;
        bool first = true;
        for (size_t j = 0; j < view->drop_count; j++) {
            if (strcmp(flow_drop_name(&view->drops[j]), flow_drop_name(&view->drops[i])))
                continue;
            first &= j >= i;
            packets += view->drops[j].since;
        }
        if (first && packets)
            writer_member_unsigned(out, flow_drop_name(&view->drops[i]), packets);
    }
    writer_text(out, "}");
}

static void drops(struct writer *out, const struct flow_view *view) {
    uint64_t dropped = 0;
    for (size_t i = 0; i < view->drop_count; i++)
        dropped += view->drops[i].since;
    if (!dropped)
        return;
    drop_reasons(out, view);
    writer_key(out, "drop_places");
    writer_text(out, "[");
    for (size_t i = 0; i < view->drop_count; i++) {
        const struct drop_view *drop = &view->drops[i];
        if (!drop->since)
            continue;
        writer_comma(out);
        writer_text(out, "{");
        writer_member_string(out, "reason", flow_drop_name(drop));
        known_text(out, "text", drop->text);
        known_text(out, "place", drop->place);
        known_text(out, "hook", flow_hook_name(drop->hook));
        known_text(out, "chains", drop->chains);
        writer_member_unsigned(out, "packets", drop->since);
        writer_text(out, "}");
    }
    writer_text(out, "]");
}

static void network(struct writer *out, const struct flow_view *view) {
    const struct flow *flow = &view->flow;
    if (!view->key.family)
        return;
    writer_member_unsigned(out, "ttl_min", flow->ttl_min);
    writer_member_unsigned(out, "ttl_max", flow->ttl_max);
    writer_member_unsigned(out, "largest", flow->largest);
    writer_member_bool(out, "dont_fragment", flow->flags & FLOW_DONT_FRAGMENT);
    known_number(out, "fragments", view->since.fragments);
    known_number(out, "ecn_ce", view->since.ecn_ce);
}

static void identity(struct writer *out, const struct flow_view *view) {
    char transport[FLOW_TRANSPORT_LENGTH];
    flow_transport(&view->key, transport, sizeof(transport));
    known_text(out, "conn_id", view->conn_id);
    if (view->conn_id_local)
        writer_member_bool(out, "conn_id_local", true);
    if (view->edge_id)
        writer_member_hex(out, "edge_id", view->edge_id);
    writer_member_string(out, "transport", transport);
    if (!view->key.family)
        writer_member_unsigned(out, "ethertype", view->key.source_port);
    if (view->direction_known)
        writer_member_string(out, "sender", view->forward ? "client" : "server");
}

void json_flow(struct writer *out, struct agent_stamp *stamp, const struct window *window,
               const struct json_clocks *clocks, const struct flow_view *view) {
    const struct flow *since = &view->since;
    json_head(out, "flow", stamp);
    json_window(out, window);
    identity(out, view);
    hop(out, view);
    end(out, "source", view, true);
    end(out, "destination", view, false);
    known_time(out, "first_time", clocks, view->flow.first_time);
    known_time(out, "last_time", clocks, view->flow.last_time);
    writer_member_unsigned(out, "packets", since->packets);
    writer_member_unsigned(out, "segments", since->segments);
    writer_member_unsigned(out, "bytes", since->bytes);
    network(out, view);
    known_number(out, "from_before", view->from_before_ns);
    tcp(out, view);
    icmp(out, &view->key);
    sender_socket(out, view);
    drops(out, view);
    json_tail(out);
}

uint64_t json_flow_key(const struct flow_view *view) {
    if (view->conn_id && view->conn_id[0])
        return strtoull(view->conn_id, NULL, 16);
    return XXH3_64bits(&view->key, sizeof(view->key));
}
