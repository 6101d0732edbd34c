/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flows as rows of a table: one for each connection, or one for each hop and direction of it. flow_fields says what a
 * row has; filters, columns, sorting and grouping go by it.
 *
 *   struct flow_gather gather; per connection: flow_gather_begin, flow_gather_add for each view, flow_gather_row
 *
 * Pure; any thread.
 */
#ifndef WEFT_TOPOLOGY_FLOW_ROW_H
#define WEFT_TOPOLOGY_FLOW_ROW_H

#include "field.h"
#include "flow_text.h"
#include "flows.h"

enum flow_row_kind { ROW_CONNECTION = 1, ROW_HOP = 2, ROW_GROUP = 4 };
enum { ROW_NAME_LENGTH = 64, ROW_REASON_LENGTH = 48 };

struct flow_row {
    char conn_id[20], edge_id[20], transport[FLOW_TRANSPORT_LENGTH], state[12];
    char client[ROW_NAME_LENGTH], server[ROW_NAME_LENGTH];
    char client_address[FLOW_ADDRESS_LENGTH], server_address[FLOW_ADDRESS_LENGTH], seen_address[FLOW_ADDRESS_LENGTH];
    char drop_reason[ROW_REASON_LENGTH], drop_place[ROW_REASON_LENGTH];
    uint64_t client_port, server_port, seen_port, client_pid, server_pid;
    uint64_t packets, packets_out, packets_in, segments, bytes, bytes_out, bytes_in, recent_packets, recent_bytes;
    uint64_t retransmits, repeats, out_of_order, holes, zero_windows, resets, drops, lost;
    uint64_t connect, rtt, min_rtt, cwnd, mss, client_unread, server_unread;
    uint64_t age, idle, duration, hops, connections;
    uint64_t sequence; /* for whoever keeps rows in order; no field */
    /* Of a hop alone. */
    char interface[16], namespace[ROW_NAME_LENGTH], kind[16], direction[8], sender[8], tunnel[8];
    char source[FLOW_ADDRESS_LENGTH], destination[FLOW_ADDRESS_LENGTH];
    uint64_t ifindex, order, source_port, destination_port, from_before, vlan, tunnel_id, ttl, mtu, largest;
};

extern const struct field flow_fields[];

void flow_row_empty(struct flow_row *row); /* nothing is known */
/* `now`: CLOCK_MONOTONIC ns. */
void flow_row_of_hop(const struct flow_view *view, uint64_t now, struct flow_row *ret_row);

/* What is known of one way of a connection so far. */
struct flow_gather_way {
    unsigned hops;
    uint64_t first_segments, last_segments; /* at its first hop, at its last */
    struct flow most;                       /* each counter as the hop had it that counted most */
};
struct flow_gather {
    struct flow_row row;
    struct flow_gather_way ways[2]; /* from the client, from the server */
    uint64_t first_time, last_time, drop_most;
};
void flow_gather_begin(struct flow_gather *gather);
void flow_gather_add(struct flow_gather *gather, const struct flow_view *view); /* hops in their order */
const struct flow_row *flow_gather_row(struct flow_gather *gather, uint64_t now);

#endif
