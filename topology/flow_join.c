/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which connection a flow belongs to.
 *
 * The pair of initial sequence numbers is proof: the same through any NAT and in any namespace. The client's number
 * alone is good for an attempt, near in time and with an end in common. A tuple is good for what is neither: it must
 * mean the same thing in both namespaces, and the flow must not be older than the connection. What is doubtful stays
 * alone.
 */
#include <netinet/in.h>
#include <string.h>

#include "flow_store.h"

#define SECOND_NS 1000000000ULL
#define ATTEMPT_NS (130 * SECOND_NS) /* a SYN is sent again with the same number for that long */
#define SLACK_NS SECOND_NS           /* by which clocks and reading may differ */
#define CLOSED_NS (120 * SECOND_NS)  /* what comes later on a closed connection's tuple is another one */

enum { CHAIN_LIMIT = 256, NAT_DEPTH = 3, FOUND_LIMIT = 32 };

enum flow_level flow_isn(const struct flows *flows, const struct flow_entry *entry, uint64_t *ret_isn) {
    const struct flow *flow = &entry->flow;
    const struct flow_end *ends[2] = {&flow->source_end, &flow->destination_end};
    if (entry->key.protocol != IPPROTO_TCP)
        return LEVEL_TUPLE;
    *ret_isn = flow->isn;
    if (flow->flags & FLOW_ISN_CLIENT && flow->flags & FLOW_ISN_SERVER && flow->isn)
        return LEVEL_PAIR;
    if (flow->flags & FLOW_ISN_CLIENT)
        return LEVEL_CLIENT;
    for (int i = 0; i < 2; i++) {
        const struct flow_socket *socket =
            ends[i]->state == END_SOCKET ? table_get(&flows->sockets, ends[i]->cookie) : NULL;
        if (socket && socket->view.isn) {
            *ret_isn = socket->view.isn;
            return LEVEL_PAIR;
        }
    }
    return LEVEL_TUPLE;
}

/* ---- by the client's number ---- */

static bool ends_in_common(const struct flow_tuple *one, const struct flow_tuple *two) {
    return one->source.port == two->source.port || flow_address_equal(&one->source, &two->source) ||
           flow_address_equal(&one->destination, &two->destination);
}

static bool has_end_of(const struct flow_trail *trail, const struct flow_tuple *tuple) {
    struct flow_tuple turned = flow_tuple_turned(tuple);
    for (const struct flow_node *node = trail->nodes; node; node = node->next)
        if (ends_in_common(&node->tuple, tuple) || ends_in_common(&node->tuple, &turned))
            return true;
    return false;
}

struct flow_trail *flow_find_attempt(const struct flows *flows, uint32_t client_isn, const struct flow_tuple *tuple,
                                     uint64_t time) {
    int looked = 0;
    struct flow_trail *trail = table_get(&flows->by_client, (uint64_t)client_isn | 1ULL << 32);
    for (; trail && looked < CHAIN_LIMIT; trail = trail->alike, looked++) {
        uint64_t apart = time > trail->first_time ? time - trail->first_time : trail->first_time - time;
        if (trail->family == tuple->family && apart < ATTEMPT_NS && has_end_of(trail, tuple))
            return trail;
    }
    return NULL;
}

/* ---- by tuple ---- */

static bool is_closed(const struct flow_trail *trail) {
    for (const struct flow_entry *entry = trail->entries; entry; entry = entry->next)
        if (entry->flow.rst || entry->flow.fin)
            return true;
    return false;
}

static bool was_there(const struct flow_trail *trail, uint64_t first, uint64_t last) {
    if (last + SLACK_NS < trail->first_time)
        return false;
    if (first <= trail->last_time + SLACK_NS || trail->protocol != IPPROTO_TCP)
        return true;
    return first <= trail->last_time + CLOSED_NS || !is_closed(trail);
}

static bool in_reach(const struct flows *flows, const struct flow_trail *trail, uint32_t netns) {
    for (const struct flow_entry *entry = trail->entries; entry; entry = entry->next)
        if (flow_same_world(flows, entry->key.netns, netns))
            return true;
    return !trail->entries;
}

static bool is_near(const struct flow_trail *trail, uint32_t netns) {
    for (const struct flow_entry *entry = trail->entries; entry; entry = entry->next) {
        const struct flow_interface *interface = entry->interface;
        if (entry->key.netns == netns || (interface && interface->known && interface->hop.peer_netns == netns))
            return true;
    }
    return false;
}

/* Another one stands where this one would: the same hop, or a socket elsewhere sends from that address. */
static bool contradicts(const struct flow_trail *trail, const struct flow_entry *entry) {
    const struct flow_end *from = &entry->flow.source_end;
    for (const struct flow_entry *other = trail->entries; other; other = other->next) {
        const struct flow_end *end = &other->flow.source_end;
        if (other == entry)
            continue;
        if (!other->gone && !entry->gone && !memcmp(&other->key, &entry->key, sizeof(entry->key)))
            return true;
        if (from->state == END_SOCKET && end->state == END_SOCKET && from->cookie != end->cookie &&
            other->key.netns != entry->key.netns && !memcmp(other->key.source, entry->key.source, 16) &&
            other->key.source_port == entry->key.source_port)
            return true;
    }
    return false;
}

struct found {
    struct flow_trail *trails[FOUND_LIMIT];
    unsigned count;
};

static void found_add(struct found *found, struct flow_trail *trail) {
    for (unsigned i = 0; i < found->count; i++)
        if (found->trails[i] == trail)
            return;
    if (found->count < FOUND_LIMIT)
        found->trails[found->count++] = trail;
}

static void find_same(const struct flows *flows, const struct flow_tuple *ordered, uint32_t netns,
                      struct found *found) {
    uint32_t scope = flow_tuple_scope(ordered, netns);
    int looked = 0;
    struct flow_node *node = flow_nodes(flows, ordered, netns);
    for (; node && looked < CHAIN_LIMIT; node = node->alike, looked++)
        if (node->scope == scope && flow_tuple_equal(&node->tuple, ordered))
            found_add(found, node->trail);
}

/* And the tuples that it is rewritten to or from. */
static void find_rewritten(const struct flows *flows, const struct flow_tuple *ordered, uint32_t netns, int depth,
                           struct found *found) {
    int looked = 0;
    find_same(flows, ordered, netns, found);
    if (depth == NAT_DEPTH)
        return;
    uint64_t hash = flow_tuple_hash(ordered, 0, flows->seed);
    const struct flow_nat *nat = table_get(&flows->nat_tuples, hash);
    while (nat && looked++ < CHAIN_LIMIT) {
        bool original = flow_tuple_equal(&nat->original, ordered), reply = flow_tuple_equal(&nat->reply, ordered);
        if ((original || reply) && flow_same_world(flows, nat->pair.netns, netns))
            find_rewritten(flows, original ? &nat->reply : &nat->original, netns, depth + 1, found);
        nat = nat->alike[nat->hashes[1] == hash];
    }
}

static struct flow_trail *choose(const struct flows *flows, const struct found *found, const struct flow_entry *entry) {
    struct flow_trail *best = NULL;
    bool best_near = false;
    for (unsigned i = 0; i < found->count; i++) {
        struct flow_trail *trail = found->trails[i];
        if (!was_there(trail, entry->flow.first_time, entry->flow.last_time) ||
            !in_reach(flows, trail, entry->key.netns) || contradicts(trail, entry))
            continue;
        bool near = is_near(trail, entry->key.netns);
        if (!best || near > best_near || (near == best_near && trail->first_time > best->first_time)) {
            best = trail;
            best_near = near;
        }
    }
    return best;
}

static struct flow_trail *find_for(const struct flows *flows, const struct flow_entry *entry) {
    struct flow_tuple tuple = flow_tuple_of(&entry->key), ordered = flow_tuple_ordered(&tuple);
    struct found found = {.count = 0};
    if (!entry->key.family) /* nothing says who speaks to whom */
        return NULL;
    find_rewritten(flows, &ordered, entry->key.netns, 0, &found);
    return choose(flows, &found, entry);
}

struct flow_trail *flow_find_tuple(const struct flows *flows, const struct flow_tuple *tuple, uint32_t netns,
                                   uint64_t time) {
    struct flow_tuple ordered = flow_tuple_ordered(tuple);
    struct found found = {.count = 0};
    struct flow_trail *best = NULL;
    bool best_near = false;
    find_same(flows, &ordered, netns, &found);
    for (unsigned i = 0; i < found.count; i++) {
        struct flow_trail *trail = found.trails[i];
        if (!was_there(trail, time, time) || (netns && !in_reach(flows, trail, netns)))
            continue;
        bool near = is_near(trail, netns);
        if (!best || near > best_near || (near == best_near && trail->first_time > best->first_time)) {
            best = trail;
            best_near = near;
        }
    }
    return best;
}

/* ---- joining ---- */

static struct flow_trail *make(struct flows *flows, const struct flow_entry *entry) {
    return flow_trail_new(flows, entry->key.family, entry->key.protocol);
}

/* One that this flow is of, though its numbers were not all known when it was made. */
static struct flow_trail *find_without_pair(struct flows *flows, const struct flow_entry *entry, uint64_t isn) {
    struct flow_tuple tuple = flow_tuple_of(&entry->key);
    uint64_t time = entry->flow.syn_time ? entry->flow.syn_time : entry->flow.first_time;
    struct flow_trail *trail = entry->trail;
    if (!trail)
        trail = flow_find_attempt(flows, isn >> 32, &tuple, time);
    if (trail && !(trail->isn_known & FLOW_SERVER_KNOWN) &&
        (!(trail->isn_known & FLOW_CLIENT_KNOWN) || trail->isn >> 32 == isn >> 32))
        return trail;
    trail = find_for(flows, entry);
    return trail && !trail->isn_known ? trail : NULL;
}

static struct flow_trail *of_pair(struct flows *flows, const struct flow_entry *entry, uint64_t isn) {
    struct flow_trail *trail = table_get(&flows->by_pair, isn);
    if (trail)
        return trail;
    trail = find_without_pair(flows, entry, isn);
    if (!trail)
        trail = make(flows, entry);
    if (trail)
        flow_trail_set_isn(flows, trail, isn, FLOW_CLIENT_KNOWN | FLOW_SERVER_KNOWN);
    return trail;
}

static struct flow_trail *of_client(struct flows *flows, const struct flow_entry *entry, uint64_t isn) {
    struct flow_tuple tuple = flow_tuple_of(&entry->key);
    uint64_t time = entry->flow.syn_time ? entry->flow.syn_time : entry->flow.first_time;
    struct flow_trail *trail = flow_find_attempt(flows, isn >> 32, &tuple, time);
    if (!trail && (trail = make(flows, entry)))
        flow_trail_set_isn(flows, trail, isn & 0xffffffff00000000ULL, FLOW_CLIENT_KNOWN);
    return trail;
}

/* All of `from` is of `into`, as far as numbers go. */
static bool may_merge(const struct flow_trail *into, const struct flow_trail *from) {
    if (from->isn_known & FLOW_SERVER_KNOWN)
        return false;
    return !from->isn_known || (into->isn_known && into->isn >> 32 == from->isn >> 32);
}

static void join(struct flows *flows, struct flow_entry *entry, enum flow_level level, uint64_t isn) {
    if (entry->trail) /* so that it is not the one that makes room */
        flow_trail_touch(flows, entry->trail);
    struct flow_trail *trail = level == LEVEL_PAIR     ? of_pair(flows, entry, isn)
                               : level == LEVEL_CLIENT ? of_client(flows, entry, isn)
                                                       : find_for(flows, entry);
    if (!trail)
        trail = make(flows, entry);
    if (!trail || trail == entry->trail)
        return;
    struct flow_trail *former = entry->trail;
    if (former && may_merge(trail, former)) {
        flow_trail_merge(flows, trail, former);
        return;
    }
    if (former)
        flow_trail_detach(entry);
    if (!flow_trail_attach(flows, trail, entry))
        flow_entry_free(flows, entry);
}

static void join_level(struct flows *flows, enum flow_level level) {
    for (size_t i = 0; i < flows->pending_count; i++) {
        struct flow_entry *entry = table_get(&flows->entries, flows->pending[i]);
        uint64_t isn = 0;
        if (!entry || !entry->pending || flow_isn(flows, entry, &isn) != level)
            continue;
        entry->pending = false;
        entry->level = level;
        join(flows, entry, level, isn);
    }
}

/* ---- what conntrack says of those that were joined without it ---- */

static bool has_pair(const struct flow_trail *trail) {
    return trail->isn_known & FLOW_SERVER_KNOWN;
}

static void join_rewritten(struct flows *flows, const struct flow_nat *nat) {
    struct found one = {.count = 0}, two = {.count = 0};
    find_same(flows, &nat->original, nat->pair.netns, &one);
    find_same(flows, &nat->reply, nat->pair.netns, &two);
    for (unsigned i = 0; i < one.count; i++)
        for (unsigned j = 0; j < two.count; j++) {
            struct flow_trail *into = one.trails[i], *from = two.trails[j];
            if (into == from || !into || !from || (has_pair(into) && has_pair(from)))
                continue;
            if (has_pair(from)) {
                into = from;
                from = one.trails[i];
            }
            if (!was_there(into, from->first_time, from->last_time) || !may_merge(into, from))
                continue;
            flow_trail_merge(flows, into, from);
            for (unsigned k = 0; k < one.count; k++)
                if (one.trails[k] == from)
                    one.trails[k] = NULL;
            for (unsigned k = 0; k < two.count; k++)
                if (two.trails[k] == from)
                    two.trails[k] = NULL;
        }
}

static void join_nats(struct flows *flows) {
    for (size_t i = 0; i < flows->nats.capacity; i++) {
        struct flow_nat *nat = flows->nats.slots[i].value;
        if (!nat || !nat->fresh)
            continue;
        nat->fresh = false;
        join_rewritten(flows, nat);
    }
}

void flow_join_all(struct flows *flows) {
    for (enum flow_level level = LEVEL_PAIR; level > LEVEL_NONE; level--)
        join_level(flows, level);
    flows->pending_count = 0;
    join_nats(flows);
}
