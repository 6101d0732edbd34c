/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is the client, and in which order the hops stand.
 *
 * A handshake passes the hops in their order; so does the first packet of what was seen to begin. Without either,
 * interfaces say it: a veth is followed by its peer, a bridge's port by the bridge, an arrival by a departure.
 */
#include <netinet/in.h>
#include <string.h>

#include "flow_store.h"

#define SECOND_NS 1000000000ULL

/* ---- who is the client ---- */

static struct flow_node *node_of(const struct flow_trail *trail, const struct flow_tuple *tuple) {
    struct flow_tuple ordered = flow_tuple_ordered(tuple);
    struct flow_node *node = trail->nodes;
    while (node && !flow_tuple_equal(&node->tuple, &ordered))
        node = node->next;
    return node;
}

static void set_client(struct flow_node *node, const struct flow_address *client) {
    if (node && node->client == CLIENT_UNKNOWN)
        node->client = flow_address_equal(&node->tuple.source, client) ? CLIENT_FIRST : CLIENT_SECOND;
}

static bool by_handshake(struct flow_trail *trail) {
    bool found = false;
    for (const struct flow_entry *entry = trail->entries; entry; entry = entry->next) {
        struct flow_tuple tuple = flow_tuple_of(&entry->key);
        uint32_t flags = entry->flow.flags & (FLOW_FROM_CLIENT | FLOW_FROM_SERVER);
        if (flags != FLOW_FROM_CLIENT && flags != FLOW_FROM_SERVER) /* not known, or opened by both ends */
            continue;
        set_client(node_of(trail, &tuple), flags == FLOW_FROM_CLIENT ? &tuple.source : &tuple.destination);
        found = true;
    }
    return found;
}

static bool by_conntrack(const struct flows *flows, struct flow_node *node) {
    uint64_t hash = flow_tuple_hash(&node->tuple, 0, flows->seed);
    const struct flow_nat *nat = table_get(&flows->nat_tuples, hash);
    for (int looked = 0; nat && looked < 64; looked++) {
        const struct nat_pair *pair = &nat->pair;
        struct flow_tuple original =
            flow_tuple_make(pair->family, pair->protocol, pair->original.source, pair->original.source_port,
                            pair->original.destination, pair->original.destination_port);
        struct flow_tuple reply =
            flow_tuple_make(pair->family, pair->protocol, pair->reply.source, pair->reply.source_port,
                            pair->reply.destination, pair->reply.destination_port);
        if (flow_tuple_equal(&nat->original, &node->tuple)) {
            set_client(node, &original.source);
            return true;
        }
        if (flow_tuple_equal(&nat->reply, &node->tuple)) {
            set_client(node, &reply.destination);
            return true;
        }
        nat = nat->alike[nat->hashes[1] == hash];
    }
    return false;
}

/* A listener's port is the server's. */
static bool by_listener(const struct flow_trail *trail) {
    bool found = false;
    for (const struct flow_entry *entry = trail->entries; entry; entry = entry->next) {
        struct flow_tuple tuple = flow_tuple_of(&entry->key);
        struct flow_node *node = node_of(trail, &tuple);
        if (entry->flow.source_end.state == END_LISTENER)
            set_client(node, &tuple.destination);
        else if (entry->flow.destination_end.state == END_LISTENER)
            set_client(node, &tuple.source);
        else
            continue;
        found = true;
    }
    return found;
}

/* What has no handshake: whoever spoke first. */
static bool by_first_packet(const struct flows *flows, struct flow_trail *trail) {
    const struct flow_entry *first = NULL;
    for (const struct flow_entry *entry = trail->entries; entry; entry = entry->next)
        if (!first || entry->flow.first_time < first->flow.first_time)
            first = entry;
    if (!first || trail->protocol == IPPROTO_TCP)
        return false;
    struct flow_tuple tuple = flow_tuple_of(&first->key);
    set_client(node_of(trail, &tuple), &tuple.source);
    return first->flow.first_time > flows->began;
}

/* Another tuple of this connection has an end in common with this one, and is known. */
static bool by_relation(struct flow_trail *trail, struct flow_node *node) {
    for (const struct flow_node *other = trail->nodes; other; other = other->next) {
        if (other->client == CLIENT_UNKNOWN || other == node)
            continue;
        const struct flow_tuple *known = &other->tuple;
        const struct flow_address *client = other->client == CLIENT_FIRST ? &known->source : &known->destination;
        const struct flow_address *server = other->client == CLIENT_FIRST ? &known->destination : &known->source;
        const struct flow_tuple *tuple = &node->tuple;
        if (flow_address_equal(&tuple->source, client) || flow_address_equal(&tuple->destination, server) ||
            (tuple->source.port == client->port && tuple->destination.port != client->port))
            node->client = CLIENT_FIRST;
        else if (flow_address_equal(&tuple->destination, client) || flow_address_equal(&tuple->source, server) ||
                 tuple->destination.port == client->port)
            node->client = CLIENT_SECOND;
        else
            continue;
        return true;
    }
    return false;
}

/* Programs choose the ports that they serve at, and the kernel chooses those of clients, which are higher. */
static void by_port(struct flow_node *node) {
    node->client = node->tuple.source.port >= node->tuple.destination.port ? CLIENT_FIRST : CLIENT_SECOND;
}

static void find_client(const struct flows *flows, struct flow_trail *trail) {
    for (struct flow_node *node = trail->nodes; node && !trail->direction_known; node = node->next)
        node->client = CLIENT_UNKNOWN; /* what was guessed may be known by now */
    bool known = by_handshake(trail);
    for (struct flow_node *node = trail->nodes; node && !known; node = node->next)
        known = by_conntrack(flows, node);
    known = known || by_listener(trail) || by_first_packet(flows, trail) || trail->direction_known;
    trail->direction_known = known;
    for (struct flow_node *node = trail->nodes; node; node = node->next)
        if (node->client == CLIENT_UNKNOWN && !by_conntrack(flows, node) && !by_relation(trail, node) && !known)
            by_port(node);
    for (struct flow_node *node = trail->nodes; node; node = node->next) /* those before a known one in the list */
        if (node->client == CLIENT_UNKNOWN && !by_relation(trail, node))
            by_port(node);
}

static void set_directions(struct flow_trail *trail) {
    for (struct flow_entry *entry = trail->entries; entry; entry = entry->next) {
        struct flow_tuple tuple = flow_tuple_of(&entry->key);
        const struct flow_node *node = node_of(trail, &tuple);
        bool from_first = node && flow_address_equal(&node->tuple.source, &tuple.source);
        entry->forward = node && (node->client == CLIENT_FIRST) == from_first;
    }
}

/* ---- in which order ---- */

static uint64_t passed(const struct flow_entry *entry) {
    return entry->forward ? entry->flow.syn_time : entry->flow.syn_ack_time;
}

static bool began_here(const struct flows *flows, const struct flow_entry *entry) {
    return entry->key.protocol != IPPROTO_TCP && entry->flow.first_time > flows->began;
}

static uint64_t moment(const struct flow_entry *entry) {
    uint64_t time = passed(entry);
    return time ? time : entry->flow.first_time;
}

static void sort(struct flow_entry **entries, unsigned count) {
    for (unsigned i = 1; i < count; i++)
        for (unsigned j = i; j && moment(entries[j]) < moment(entries[j - 1]); j--) {
            struct flow_entry *entry = entries[j];
            entries[j] = entries[j - 1];
            entries[j - 1] = entry;
        }
}

static bool times_tell(const struct flows *flows, struct flow_entry *const *entries, unsigned count) {
    uint64_t first = UINT64_MAX, last = 0;
    bool all_passed = true, all_began = true;
    for (unsigned i = 0; i < count; i++) {
        uint64_t time = entries[i]->flow.first_time;
        all_passed &= passed(entries[i]) != 0;
        all_began &= began_here(flows, entries[i]);
        first = time < first ? time : first;
        last = time > last ? time : last;
    }
    return all_passed || (all_began && last - first < SECOND_NS);
}

static const struct hop_interface *hop_of(const struct flow_entry *entry) {
    return entry->interface && entry->interface->known ? &entry->interface->hop : NULL;
}

static bool same_tuple(const struct flow_entry *one, const struct flow_entry *two) {
    struct flow_tuple first = flow_tuple_of(&one->key), second = flow_tuple_of(&two->key);
    return flow_tuple_equal(&first, &second);
}

/* How odd it would be for `next` to come right after. */
static unsigned oddness(const struct flow_entry *entry, const struct flow_entry *next) {
    const struct hop_interface *hop = hop_of(entry), *next_hop = hop_of(next);
    bool here = entry->key.netns == next->key.netns, out = entry->key.way == FLOW_EGRESS;
    unsigned rewritten = !same_tuple(entry, next);
    if (out && next->key.way == FLOW_INGRESS) {
        bool loop = here && entry->key.ifindex == next->key.ifindex;
        bool peer = hop && hop->peer_ifindex == next->key.ifindex && hop->peer_netns == next->key.netns;
        return peer || loop ? 0 : here || (hop && hop->peer_ifindex) ? 9 : 6;
    }
    if (!here)
        return 10;
    if (!out && next->key.way == FLOW_INGRESS)
        return (hop && hop->master == next->key.ifindex) || (entry->key.tunnel && !next->key.tunnel) ? 1 : 9;
    if (out)
        return (next_hop && next_hop->master == entry->key.ifindex) || (!entry->key.tunnel && next->key.tunnel) ? 1 : 9;
    bool across = hop && next_hop && hop->master && hop->master == next_hop->master; /* one bridge's ports */
    return next->key.tunnel ? 5 : across ? 2 : 3 + rewritten;
}

static unsigned oddness_first(const struct flow_entry *entry, struct flow_entry *const *entries, unsigned count) {
    if (entry->flow.source_end.state == END_SOCKET && entry->key.way == FLOW_EGRESS)
        return 0;
    for (unsigned i = 0; i < count; i++)
        if (entries[i] != entry && oddness(entries[i], entry) <= 2)
            return 2;
    return entry->key.way == FLOW_INGRESS ? 1 : 2;
}

static void walk(struct flow_entry **entries, unsigned count) {
    for (unsigned at = 0; at < count; at++) {
        unsigned best = at, least = UINT32_MAX;
        for (unsigned i = at; i < count; i++) {
            unsigned odd =
                at ? oddness(entries[at - 1], entries[i]) : oddness_first(entries[i], entries + at, count - at);
            bool earlier = moment(entries[i]) < moment(entries[best]);
            if (odd < least || (odd == least && earlier)) {
                best = i;
                least = odd;
            }
        }
        struct flow_entry *entry = entries[best];
        entries[best] = entries[at];
        entries[at] = entry;
    }
}

/* A bridge that does not know the way sends copies everywhere. Of two of its ports the one with less is no hop. */
static void find_branches(struct flow_entry **entries, unsigned count) {
    for (unsigned i = 0; i < count; i++)
        entries[i]->branch = false;
    for (unsigned i = 0; i < count; i++)
        for (unsigned j = 0; j < count; j++) {
            const struct hop_interface *one = hop_of(entries[i]), *two = hop_of(entries[j]);
            if (i != j && one && two && one->master && one->master == two->master && one->netns == two->netns &&
                entries[i]->key.way == FLOW_EGRESS && entries[j]->key.way == FLOW_EGRESS &&
                same_tuple(entries[i], entries[j]) && entries[i]->flow.segments < entries[j]->flow.segments)
                entries[i]->branch = true;
        }
    for (unsigned i = 0; i < count; i++)
        for (unsigned j = 0; j < count; j++)
            if (entries[i]->branch && entries[j]->key.way == FLOW_INGRESS && !oddness(entries[i], entries[j]))
                entries[j]->branch = true;
}

static void order(const struct flows *flows, struct flow_entry **entries, unsigned count) {
    sort(entries, count);
    if (!times_tell(flows, entries, count))
        walk(entries, count);
    find_branches(entries, count);
    for (unsigned i = 0; i < count; i++)
        entries[i]->order = i + 1;
}

void flow_order(struct flows *flows, struct flow_trail *trail) {
    struct flow_entry *entries[2][FLOW_HOPS_MAX], **end = &trail->entries;
    unsigned count[2] = {0, 0};
    find_client(flows, trail);
    set_directions(trail);
    for (struct flow_entry *entry = trail->entries; entry; entry = entry->next)
        entries[!entry->forward][count[!entry->forward]++] = entry;
    for (int way = 0; way < 2; way++) {
        order(flows, entries[way], count[way]);
        for (unsigned i = 0; i < count[way]; i++) {
            *end = entries[way][i];
            end = &entries[way][i]->next;
        }
    }
    *end = NULL;
}

/* ---- between hops ---- */

uint64_t flow_from_before(const struct flows *flows, const struct flow_entry *entry, const struct flow_entry *before) {
    const struct flow *to = &entry->flow, *from = &before->flow;
    uint64_t start = 0, end = 0;
    if (passed(entry) && passed(before) && to->syn == from->syn) { /* else the first one was lost between them */
        start = passed(before);
        end = passed(entry);
    } else if (entry->forward && to->ack_time && from->ack_time) {
        start = from->ack_time;
        end = to->ack_time;
    } else if (began_here(flows, entry) && began_here(flows, before)) {
        start = from->first_time;
        end = to->first_time;
    }
    return end > start && end - start < SECOND_NS ? end - start : 0;
}

const struct flow_entry *flow_other_way(const struct flow_trail *trail, const struct flow_entry *entry) {
    for (const struct flow_entry *other = trail->entries; other; other = other->next)
        if (other->forward != entry->forward && other->key.netns == entry->key.netns &&
            other->key.ifindex == entry->key.ifindex && other->key.way != entry->key.way &&
            other->key.tunnel == entry->key.tunnel)
            return other;
    return NULL;
}

uint64_t flow_rtt(const struct flow_trail *trail, const struct flow_entry *entry) {
    const struct flow_entry *other = flow_other_way(trail, entry);
    if (!other)
        return 0;
    const struct flow *client = entry->forward ? &entry->flow : &other->flow;
    const struct flow *server = entry->forward ? &other->flow : &entry->flow;
    if (client->syn != 1 || !client->syn_time || server->syn_ack_time <= client->syn_time) /* of several: of which? */
        return 0;
    return server->syn_ack_time - client->syn_time;
}

bool flow_lost_after(const struct flows *flows, const struct flow_entry *entry, uint64_t *ret_segments) {
    uint64_t most = 0, sent = entry->segments_before;
    bool comparable = false;
    if (entry->branch)
        return false;
    if (entry->gone || entry->flow.last_time + SECOND_NS < flows->now) /* nothing of it is on its way */
        sent = entry->flow.segments;
    for (const struct flow_entry *later = entry->next; later && later->forward == entry->forward; later = later->next) {
        bool same_span = passed(entry) ? passed(later) != 0 : began_here(flows, entry) && began_here(flows, later);
        if (later->branch)
            continue;
        if (!same_span)
            return false;
        comparable = true;
        most = later->flow.segments > most ? later->flow.segments : most;
    }
    if (comparable)
        *ret_segments = sent > most ? sent - most : 0;
    return comparable;
}
