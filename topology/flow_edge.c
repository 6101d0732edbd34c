/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flows on their edges. What a connection moved before it was put on one waits, and is counted when it is; what never
 * gets there is counted as unplaced.
 */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "flow_store.h"

#define WAIT_NS 60000000000ULL /* for the flows of a connection that a worker has placed */
#define SHOWN_NS 2000000000ULL /* by then packets that there were have been shown */

/* ---- where workers put connections ---- */

void flows_edge(struct flows *flows, const struct flow_placement *placement) {
    pthread_mutex_lock(&flows->placed_mutex);
    if (flows->placed_count == flows->placed_capacity) {
        size_t capacity = flows->placed_capacity ? flows->placed_capacity * 2 : 256;
        struct flow_placement *bigger =
            capacity > FLOW_PLACED_MAX ? NULL : realloc(flows->placed, capacity * sizeof(*bigger));
        if (!bigger) {
            flows->placements_refused++;
            pthread_mutex_unlock(&flows->placed_mutex);
            return;
        }
        flows->placed = bigger;
        flows->placed_capacity = capacity;
    }
    flows->placed[flows->placed_count++] = *placement;
    pthread_mutex_unlock(&flows->placed_mutex);
}

static bool has_cookie(const struct flow_trail *trail, const struct flow_placement *placement) {
    const uint64_t *known = trail->cookies;
    bool differs = (known[0] && placement->client_cookie && known[0] != placement->client_cookie) ||
                   (known[1] && placement->server_cookie && known[1] != placement->server_cookie);
    return !differs;
}

static bool is_bound(const uint8_t *address) {
    static const uint8_t zeroes[16];
    return memcmp(address, zeroes, 16) != 0;
}

static struct flow_trail *find(const struct flows *flows, const struct flow_placement *placement) {
    struct flow_trail *trail = table_get(&flows->by_pair, placement->isn);
    const struct flow_placement *p = placement;
    if (trail || p->isn)
        return trail;
    if (p->client_cookie)
        trail =
            table_get(&flows->by_peer, flow_peer_key(p->client_cookie, p->server_address, p->server_port, flows->seed));
    if (!trail && p->server_cookie)
        trail =
            table_get(&flows->by_peer, flow_peer_key(p->server_cookie, p->client_address, p->client_port, flows->seed));
    if (trail || !is_bound(p->client_address) || !is_bound(p->server_address))
        return trail;
    struct flow_tuple tuple =
        flow_tuple_make(p->family, p->protocol, p->client_address, p->client_port, p->server_address, p->server_port);
    trail = flow_find_tuple(flows, &tuple, p->netns, p->time);
    return trail && has_cookie(trail, placement) ? trail : NULL;
}

/* A connect that failed without a packet. */
static struct flow_trail *make_failed(struct flows *flows, const struct flow_placement *p) {
    struct flow_tuple tuple =
        flow_tuple_make(p->family, p->protocol, p->client_address, p->client_port, p->server_address, p->server_port);
    struct flow_trail *trail = flow_trail_new(flows, p->family, p->protocol);
    struct flow_node *node = trail ? flow_trail_node(flows, trail, &tuple, p->netns) : NULL;
    if (!node)
        return trail;
    node->client = flow_address_equal(&node->tuple.source, &tuple.source) ? CLIENT_FIRST : CLIENT_SECOND;
    trail->direction_known = true;
    flow_trail_moved(flows, trail, p->time, p->time);
    return trail;
}

static void place(struct flow_trail *trail, const struct flow_placement *placement) {
    trail->edge_id = placement->edge_id;
    if (!placement->error)
        return;
    trail->error = placement->error;
    if (!trail->owners[0].tgid)
        trail->owners[0] = placement->client;
}

void flow_placed(struct flows *flows) {
    size_t kept = 0;
    pthread_mutex_lock(&flows->placed_mutex);
    for (size_t i = 0; i < flows->placed_count; i++) {
        const struct flow_placement *placement = &flows->placed[i];
        struct flow_trail *trail = find(flows, placement);
        if (!trail && placement->error && placement->time + SHOWN_NS < flows->now)
            trail = make_failed(flows, placement);
        if (trail)
            place(trail, placement);
        else if (placement->time + WAIT_NS > flows->now)
            flows->placed[kept++] = *placement;
        else
            flows->counters.placements_forgotten++;
    }
    flows->placed_count = kept;
    flows->counters.placements_forgotten += flows->placements_refused;
    flows->placements_refused = 0;
    pthread_mutex_unlock(&flows->placed_mutex);
}

/* ---- what they get ---- */

static const struct flow_entry *first_hop(const struct flow_trail *trail, int side) {
    const struct flow_entry *entry = trail->entries;
    while (entry && (entry->forward != !side || entry->branch))
        entry = entry->next;
    return entry;
}

/* The hop that counts for a direction. When another one takes its place, what that had before is not counted again. */
static const struct flow_entry *counting_hop(struct flow_trail *trail, int side) {
    const struct flow_entry *first = first_hop(trail, side);
    struct flow_share *share = &trail->shares[side];
    if (!first || share->hop == first->hash)
        return first;
    share->packets = share->hop ? first->flow.packets : first->skipped;
    if (share->hop || first->skipped)
        share->zero_windows = first->flow.zero_windows;
    share->hop = first->hash;
    return first;
}

uint64_t flow_unplaced(const struct flow_trail *trail) {
    uint64_t sum = 0;
    for (int side = 0; side < 2; side++) {
        const struct flow_entry *first = first_hop(trail, side);
        if (first && !trail->shares[side].hop)
            sum += first->flow.packets - first->skipped;
        else if (first && trail->shares[side].hop == first->hash)
            sum += first->flow.packets - trail->shares[side].packets;
    }
    return sum;
}

/* Segments that one end sent again: its socket's word, else what its first hop saw twice. */
static uint64_t sent_again(const struct flows *flows, const struct flow_trail *trail, int side,
                           const struct flow_entry *first) {
    const struct flow_socket *socket = flow_socket_of(flows, trail->cookies[side]);
    uint64_t told = socket ? socket->view.retransmits : 0;
    if (!first)
        return told;
    if (first->flow.socket_time && first->flow.total_retransmits > told)
        told = first->flow.total_retransmits;
    return socket || first->flow.socket_time ? told : first->flow.repeats;
}

uint64_t flow_sent_again(const struct flows *flows, const struct flow_trail *trail, int side) {
    return sent_again(flows, trail, side, first_hop(trail, side));
}

static uint64_t take_sent_again(const struct flows *flows, struct flow_trail *trail, int side,
                                const struct flow_entry *first) {
    struct flow_share *share = &trail->shares[side];
    uint64_t now = sent_again(flows, trail, side, first), before = share->retransmits;
    bool from_the_start = first && first->flow.syn;
    if (now > before)
        share->retransmits = now;
    if (!share->sent_again_known && !from_the_start) /* it counts from before this agent's time */
        before = now;
    share->sent_again_known = true;
    return now > before ? now - before : 0;
}

static void add_times(struct flow_trail *trail, int side, const struct flow_entry *first, struct edge_packets *to) {
    struct flow_share *share = &trail->shares[side];
    if (first->flow.socket_time > share->rtt_time && first->flow.srtt_us) {
        share->rtt_time = first->flow.socket_time;
        histogram_add(&to->rtt, first->flow.srtt_us * 1000ULL);
    }
    const struct flow_entry *answer = side || trail->timed ? NULL : flow_other_way(trail, first);
    if (!answer || !first->flow.syn_time || answer->flow.syn_ack_time <= first->flow.syn_time)
        return;
    trail->timed = true;
    histogram_add(&to->connect_latency, answer->flow.syn_ack_time - first->flow.syn_time);
    if (!first->flow.socket_time && !answer->flow.socket_time && flow_rtt(trail, first))
        histogram_add(&to->rtt, flow_rtt(trail, first));
}

static void add_drops(const struct flows *flows, struct flow_trail *trail, struct edge_packets *to) {
    const struct flows_namer *namer = &flows->options.packets;
    for (struct flow_drop *drop = trail->drops; drop; drop = drop->next) {
        uint64_t packets = flow_drop_packets(drop);
        const char *reason = namer->drop_reason ? namer->drop_reason(namer->context, drop->key.reason) : NULL;
        if (packets > drop->placed)
            edge_add_drop(to, reason ? reason : "unknown", packets - drop->placed);
        drop->placed = packets;
    }
}

static bool has_news(const struct flow_trail *trail) {
    for (const struct flow_drop *drop = trail->drops; drop; drop = drop->next)
        if (flow_drop_packets(drop) > drop->placed)
            return true;
    for (int side = 0; side < 2; side++) {
        const struct flow_entry *first = first_hop(trail, side);
        if (first && (trail->shares[side].hop != first->hash || trail->shares[side].packets != first->flow.packets))
            return true;
    }
    return false;
}

static void add(const struct flows *flows, struct flow_trail *trail, struct edge_packets *to) {
    for (int side = 0; side < 2; side++) {
        const struct flow_entry *first = counting_hop(trail, side);
        struct flow_share *share = &trail->shares[side];
        to->retransmits += take_sent_again(flows, trail, side, first);
        if (!first)
            continue;
        *(side ? &to->response : &to->request) += first->flow.packets - share->packets;
        to->zero_windows += first->flow.zero_windows - share->zero_windows;
        share->packets = first->flow.packets;
        share->zero_windows = first->flow.zero_windows;
        add_times(trail, side, first, to);
    }
    add_drops(flows, trail, to);
}

void flows_add_to_edges(struct flows *flows, struct edges *merged) {
    pthread_mutex_lock(&flows->mutex);
    flow_placed(flows);
    for (struct flow_trail *trail = flows->oldest; trail; trail = trail->newer) {
        struct edge *edge = trail->edge_id && has_news(trail) ? table_get(&merged->table, trail->edge_id) : NULL;
        struct edge_packets *packets = edge ? edge_packets(&edge->window) : NULL;
        if (packets)
            add(flows, trail, packets);
    }
    pthread_mutex_unlock(&flows->mutex);
}
