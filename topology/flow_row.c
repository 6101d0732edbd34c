/* SPDX-License-Identifier: Apache-2.0 */
#include "flow_row.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ALL (ROW_CONNECTION | ROW_HOP | ROW_GROUP)
#define ONE (ROW_CONNECTION | ROW_HOP)
#define CONNECTION (ROW_CONNECTION | ROW_GROUP)
#define FIELD(member, type, in, sums, help)                                                                            \
    { #member, type, offsetof(struct flow_row, member), in, sums, help }

const struct field flow_fields[] = {
    FIELD(conn_id, FIELD_TEXT, ONE, false, "the connection, at every hop and host the same"),
    FIELD(edge_id, FIELD_TEXT, ONE, false, "the edge it is counted on"),
    FIELD(transport, FIELD_TEXT, ONE, false, "tcp, udp, icmp, ..."),
    FIELD(state, FIELD_TEXT, ROW_CONNECTION, false, "of its TCP socket, as ss has it"),
    FIELD(client, FIELD_TEXT, ONE, false, "who opened it, by name"),
    FIELD(server, FIELD_TEXT, ONE, false, "whom it leads to, by name"),
    FIELD(client_address, FIELD_ADDRESS, ONE, false, "the client's own"),
    FIELD(client_port, FIELD_NUMBER, ONE, false, "the client's own"),
    FIELD(server_address, FIELD_ADDRESS, ONE, false, "the server's own, behind any NAT seen"),
    FIELD(server_port, FIELD_NUMBER, ONE, false, "the server's own, behind any NAT seen"),
    FIELD(seen_address, FIELD_ADDRESS, ROW_CONNECTION, false, "what the client connected to"),
    FIELD(seen_port, FIELD_NUMBER, ROW_CONNECTION, false, "what the client connected to"),
    FIELD(client_pid, FIELD_NUMBER, ONE, false, "process of the client's socket, if here"),
    FIELD(server_pid, FIELD_NUMBER, ONE, false, "process of the server's socket, if here"),
    FIELD(connections, FIELD_COUNT, ROW_GROUP, true, "in a group (with --hops: its hops)"),
    FIELD(packets, FIELD_COUNT, ALL, true, "both ways, where they start"),
    FIELD(packets_out, FIELD_COUNT, CONNECTION, true, "from the client"),
    FIELD(packets_in, FIELD_COUNT, CONNECTION, true, "from the server"),
    FIELD(segments, FIELD_COUNT, ALL, true, "packets as they are on the wire"),
    FIELD(bytes, FIELD_BYTES, ALL, true, "both ways, with the headers"),
    FIELD(bytes_out, FIELD_BYTES, CONNECTION, true, "from the client"),
    FIELD(bytes_in, FIELD_BYTES, CONNECTION, true, "from the server"),
    FIELD(recent_packets, FIELD_COUNT, ALL, true, "of the running window"),
    FIELD(recent_bytes, FIELD_BYTES, ALL, true, "of the running window"),
    FIELD(retransmits, FIELD_COUNT, ALL, true, "segments that a socket here sent again"),
    FIELD(repeats, FIELD_COUNT, ALL, true, "packets whose data had been seen before"),
    FIELD(out_of_order, FIELD_COUNT, ALL, true, "packets that fill a hole"),
    FIELD(holes, FIELD_COUNT, ALL, true, "jumps ahead in the stream"),
    FIELD(zero_windows, FIELD_COUNT, ALL, true, "packets that ask the peer to stop"),
    FIELD(resets, FIELD_COUNT, ALL, true, "packets with RST"),
    FIELD(drops, FIELD_COUNT, ALL, true, "packets that this host's kernel dropped"),
    FIELD(drop_reason, FIELD_TEXT, ONE, false, "why most of them were"),
    FIELD(drop_place, FIELD_TEXT, ONE, false, "the kernel's function that did"),
    FIELD(lost, FIELD_COUNT, CONNECTION, true, "segments seen at the first hop and not at the last"),
    FIELD(connect, FIELD_DURATION, ONE, false, "from SYN to SYN-ACK"),
    FIELD(rtt, FIELD_DURATION, ONE, false, "round trip, as the sender's TCP has it"),
    FIELD(min_rtt, FIELD_DURATION, ONE, false, "the least of these"),
    FIELD(cwnd, FIELD_COUNT, ONE, false, "congestion window, in segments"),
    FIELD(mss, FIELD_BYTES, ONE, false, "of the SYN"),
    FIELD(client_unread, FIELD_BYTES, ROW_CONNECTION, false, "received, and not read by the client"),
    FIELD(server_unread, FIELD_BYTES, ROW_CONNECTION, false, "received, and not read by the server"),
    FIELD(age, FIELD_DURATION, ONE, false, "since its first packet"),
    FIELD(idle, FIELD_DURATION, ONE, false, "since its last packet"),
    FIELD(duration, FIELD_DURATION, ONE, false, "from first to last packet"),
    FIELD(hops, FIELD_COUNT, ONE, false, "interfaces on its way from the client"),
    FIELD(order, FIELD_COUNT, ROW_HOP, false, "which of these it is"),
    FIELD(interface, FIELD_TEXT, ROW_HOP, false, "its name"),
    FIELD(ifindex, FIELD_NUMBER, ROW_HOP, false, "its number"),
    FIELD(namespace, FIELD_TEXT, ROW_HOP, false, "network namespace: host, or a container"),
    FIELD(kind, FIELD_TEXT, ROW_HOP, false, "veth, bridge, physical, ..."),
    FIELD(direction, FIELD_TEXT, ROW_HOP, false, "ingress or egress"),
    FIELD(sender, FIELD_TEXT, ROW_HOP, false, "client or server"),
    FIELD(source, FIELD_ADDRESS, ROW_HOP, false, "as in the packets there"),
    FIELD(source_port, FIELD_NUMBER, ROW_HOP, false, "as in the packets there"),
    FIELD(destination, FIELD_ADDRESS, ROW_HOP, false, "as in the packets there"),
    FIELD(destination_port, FIELD_NUMBER, ROW_HOP, false, "as in the packets there"),
    FIELD(from_before, FIELD_DURATION, ROW_HOP, false, "from the hop before to this one"),
    FIELD(vlan, FIELD_NUMBER, ROW_HOP, false, "outermost tag"),
    FIELD(tunnel, FIELD_TEXT, ROW_HOP, false, "these are packets inside: vxlan, geneve, gre, ipip"),
    FIELD(tunnel_id, FIELD_NUMBER, ROW_HOP, false, "VNI or key"),
    FIELD(ttl, FIELD_NUMBER, ROW_HOP, false, "the least seen"),
    FIELD(mtu, FIELD_BYTES, ROW_HOP, false, "of the interface"),
    FIELD(largest, FIELD_BYTES, ROW_HOP, false, "largest packet on the wire, without the link's header"),
    {0},
};

/* ---- what both kinds have ---- */

void flow_row_empty(struct flow_row *row) {
    memset(row, 0, sizeof(*row));
    for (const struct field *field = flow_fields; field->name; field++)
        if (!field_is_text(field))
            *(uint64_t *)((char *)row + field->offset) = FIELD_UNKNOWN;
}

static void add(uint64_t *sum, uint64_t value) {
    *sum = (*sum == FIELD_UNKNOWN ? 0 : *sum) + value;
}

static void set_known(uint64_t *field, uint64_t value) {
    if (value)
        *field = value;
}

static void set_name(char *name, const struct edge_end *end) {
    if (end->id)
        snprintf(name, ROW_NAME_LENGTH, "%s", edge_end_name(end));
}

static void set_identity(struct flow_row *row, const struct flow_view *view) {
    if (!row->conn_id[0])
        snprintf(row->conn_id, sizeof(row->conn_id), "%s", view->conn_id ? view->conn_id : "");
    if (view->edge_id)
        snprintf(row->edge_id, sizeof(row->edge_id), "%016" PRIx64, view->edge_id);
    flow_transport(&view->key, row->transport, sizeof(row->transport));
}

/* Names and processes, whichever hop knows them. */
static void set_ends(struct flow_row *row, const struct flow_view *view) {
    const struct flow_end *source = &view->flow.source_end, *destination = &view->flow.destination_end;
    set_name(view->forward ? row->client : row->server, &view->source);
    set_name(view->forward ? row->server : row->client, &view->destination);
    set_known(view->forward ? &row->client_pid : &row->server_pid, source->owner.tgid);
    set_known(view->forward ? &row->server_pid : &row->client_pid, destination->owner.tgid);
}

static void set_client(struct flow_row *row, const uint8_t *address, uint16_t port, const struct flow_key *key) {
    flow_address(address, key->family, row->client_address, sizeof(row->client_address));
    if (flow_has_ports(key))
        row->client_port = port;
}

static void set_server(struct flow_row *row, const uint8_t *address, uint16_t port, const struct flow_key *key) {
    flow_address(address, key->family, row->server_address, sizeof(row->server_address));
    if (flow_has_ports(key))
        row->server_port = port;
}

/* The sender's readings, where its socket is at hand. */
static void set_socket(struct flow_row *row, const struct flow *flow) {
    if (!flow->socket_time)
        return;
    set_known(&row->rtt, flow->srtt_us * 1000ULL);
    set_known(&row->min_rtt, flow->min_rtt_us * 1000ULL);
    set_known(&row->cwnd, flow->cwnd);
}

static uint64_t set_drops(struct flow_row *row, const struct flow_view *view, uint64_t most) {
    for (size_t i = 0; i < view->drop_count; i++) {
        const struct drop_view *drop = &view->drops[i];
        add(&row->drops, drop->packets);
        if (drop->packets <= most)
            continue;
        most = drop->packets;
        snprintf(row->drop_reason, sizeof(row->drop_reason), "%s", flow_drop_name(drop));
        snprintf(row->drop_place, sizeof(row->drop_place), "%s", drop->place ? drop->place : "");
    }
    return most;
}

static void set_times(struct flow_row *row, uint64_t first, uint64_t last, uint64_t now) {
    row->age = now > first ? now - first : 0;
    row->idle = now > last ? now - last : 0;
    row->duration = last > first ? last - first : 0;
}

/* ---- a hop ---- */

static void set_place(struct flow_row *row, const struct flow_view *view) {
    const struct flow_key *key = &view->key;
    const char *tunnel = flow_tunnel_name(key->tunnel);
    snprintf(row->interface, sizeof(row->interface), "%s", view->hop.name);
    snprintf(row->namespace, sizeof(row->namespace), "%s", view->hop.namespace_name);
    snprintf(row->kind, sizeof(row->kind), "%s", view->hop.kind);
    snprintf(row->direction, sizeof(row->direction), "%s", flow_way_name(key->way));
    snprintf(row->sender, sizeof(row->sender), "%s", !view->direction_known ? "" : view->forward ? "client" : "server");
    snprintf(row->tunnel, sizeof(row->tunnel), "%s", tunnel ? tunnel : "");
    row->ifindex = key->ifindex;
    set_known(&row->order, view->order);
    set_known(&row->hops, view->hops);
    set_known(&row->from_before, view->from_before_ns);
    set_known(&row->vlan, key->vlan);
    set_known(&row->mtu, view->hop.mtu);
    set_known(&row->largest, view->flow.largest);
    if (tunnel)
        row->tunnel_id = key->tunnel_id;
    if (key->family)
        row->ttl = view->flow.ttl_min;
}

static void set_tuple(struct flow_row *row, const struct flow_view *view) {
    const struct flow_key *key = &view->key;
    flow_address(key->source, key->family, row->source, sizeof(row->source));
    flow_address(key->destination, key->family, row->destination, sizeof(row->destination));
    if (flow_has_ports(key)) {
        row->source_port = key->source_port;
        row->destination_port = key->destination_port;
    }
    set_client(row, view->forward ? key->source : key->destination,
               view->forward ? key->source_port : key->destination_port, key);
    set_server(row, view->forward ? key->destination : key->source,
               view->forward ? key->destination_port : key->source_port, key);
}

static void set_counts(struct flow_row *row, const struct flow_view *view) {
    const struct flow *flow = &view->flow;
    row->packets = flow->packets;
    row->segments = flow->segments;
    row->bytes = flow->bytes;
    row->recent_packets = view->since.packets;
    row->recent_bytes = view->since.bytes;
    row->drops = 0;
    set_drops(row, view, 0);
    if (strcmp(row->transport, "tcp"))
        return;
    row->repeats = flow->repeats;
    row->out_of_order = flow->out_of_order;
    row->holes = flow->holes;
    row->zero_windows = flow->zero_windows;
    row->resets = flow->rst;
    if (flow->socket_time)
        row->retransmits = flow->total_retransmits;
    set_known(&row->mss, flow->mss);
    set_known(&row->connect, view->rtt_ns);
}

void flow_row_of_hop(const struct flow_view *view, uint64_t now, struct flow_row *ret_row) {
    flow_row_empty(ret_row);
    set_identity(ret_row, view);
    set_ends(ret_row, view);
    set_place(ret_row, view);
    set_tuple(ret_row, view);
    set_counts(ret_row, view);
    set_socket(ret_row, &view->flow);
    set_times(ret_row, view->flow.first_time, view->flow.last_time, now);
}

/* ---- a connection ---- */

void flow_gather_begin(struct flow_gather *gather) {
    memset(gather, 0, sizeof(*gather));
    flow_row_empty(&gather->row);
    gather->row.drops = 0;
    gather->first_time = UINT64_MAX;
}

/* The first hop of a way is where its packets start. */
static void add_start(struct flow_gather *gather, const struct flow_view *view) {
    struct flow_row *row = &gather->row;
    const struct flow *flow = &view->flow;
    const struct flow_key *key = &view->key;
    add(&row->packets, flow->packets);
    add(&row->segments, flow->segments);
    add(&row->bytes, flow->bytes);
    add(&row->recent_packets, view->since.packets);
    add(&row->recent_bytes, view->since.bytes);
    add(view->forward ? &row->packets_out : &row->packets_in, flow->packets);
    add(view->forward ? &row->bytes_out : &row->bytes_in, flow->bytes);
    gather->ways[!view->forward].first_segments = flow->segments;
    if (view->forward) {
        set_client(row, key->source, key->source_port, key);
        flow_address(key->destination, key->family, row->seen_address, sizeof(row->seen_address));
        if (flow_has_ports(key))
            row->seen_port = key->destination_port;
        set_known(&row->hops, view->hops);
        set_known(&row->mss, flow->mss);
        set_known(&row->connect, view->rtt_ns);
    }
}

/* The last hop of a way, as far as is known, is nearest to whom it leads to. */
static void add_end(struct flow_gather *gather, const struct flow_view *view) {
    const struct flow_key *key = &view->key;
    gather->ways[!view->forward].last_segments = view->flow.segments;
    if (view->forward)
        set_server(&gather->row, key->destination, key->destination_port, key);
    if (!view->forward && !gather->ways[0].hops) { /* nothing was seen of the client's packets */
        if (gather->ways[1].hops == 1)
            set_server(&gather->row, key->source, key->source_port, key);
        set_client(&gather->row, key->destination, key->destination_port, key);
    }
}

static uint32_t larger(uint32_t a, uint32_t b) {
    return a > b ? a : b;
}

static void add_most(struct flow *most, const struct flow *flow) {
    most->repeats = larger(most->repeats, flow->repeats);
    most->out_of_order = larger(most->out_of_order, flow->out_of_order);
    most->holes = larger(most->holes, flow->holes);
    most->zero_windows = larger(most->zero_windows, flow->zero_windows);
    most->rst = larger(most->rst, flow->rst);
    if (flow->socket_time) {
        most->socket_time = flow->socket_time;
        most->total_retransmits = larger(most->total_retransmits, flow->total_retransmits);
    }
}

static void add_sockets(struct flow_row *row, const struct flow_view *view) {
    const struct socket_view *client = view->forward ? view->source_socket : view->destination_socket;
    const struct socket_view *server = view->forward ? view->destination_socket : view->source_socket;
    const struct socket_view *one = client ? client : server;
    if (client)
        row->client_unread = client->receive_queue;
    if (server)
        row->server_unread = server->receive_queue;
    const char *state = one && !strcmp(row->transport, "tcp") ? flow_tcp_state_name(one->state) : NULL;
    if (state)
        snprintf(row->state, sizeof(row->state), "%s", state);
}

void flow_gather_add(struct flow_gather *gather, const struct flow_view *view) {
    struct flow_gather_way *way = &gather->ways[!view->forward];
    struct flow_row *row = &gather->row;
    set_identity(row, view);
    set_ends(row, view);
    if (!way->hops++)
        add_start(gather, view);
    add_end(gather, view);
    add_most(&way->most, &view->flow);
    add_sockets(row, view);
    if (view->forward || row->rtt == FIELD_UNKNOWN)
        set_socket(row, &view->flow);
    gather->drop_most = set_drops(row, view, gather->drop_most);
    if (view->flow.first_time < gather->first_time)
        gather->first_time = view->flow.first_time;
    if (view->flow.last_time > gather->last_time)
        gather->last_time = view->flow.last_time;
}

static void add_way(struct flow_row *row, const struct flow_gather_way *way) {
    if (way->hops > 1)
        add(&row->lost, way->first_segments > way->last_segments ? way->first_segments - way->last_segments : 0);
    if (!way->hops || strcmp(row->transport, "tcp"))
        return;
    add(&row->repeats, way->most.repeats);
    add(&row->out_of_order, way->most.out_of_order);
    add(&row->holes, way->most.holes);
    add(&row->zero_windows, way->most.zero_windows);
    add(&row->resets, way->most.rst);
    if (way->most.socket_time)
        add(&row->retransmits, way->most.total_retransmits);
}

const struct flow_row *flow_gather_row(struct flow_gather *gather, uint64_t now) {
    add_way(&gather->row, &gather->ways[0]);
    add_way(&gather->row, &gather->ways[1]);
    set_times(&gather->row, gather->first_time, gather->last_time, now);
    return &gather->row;
}
