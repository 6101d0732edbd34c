/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Drops: of which connection, and after which hop.
 *
 * The kernel adds up drops by tuple. A tuple may serve one connection after the other: when a drop comes that is of
 * another one, what was counted before stays with the former.
 */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "flow_store.h"

enum { FLAG_SYN = 2, FLAG_ACK = 16 };

uint64_t flow_drop_packets(const struct flow_drop *drop) {
    return drop->totals.packets - drop->start;
}

static struct flow_tuple tuple_of(const struct drop_key *key) {
    return flow_tuple_make(key->family, key->protocol, key->source, key->source_port, key->destination,
                           key->destination_port);
}

/* ---- of which connection ---- */

static bool is_attempt(const struct flow_drop *drop) {
    return drop->key.protocol == IPPROTO_TCP && (drop->totals.tcp_flags & (FLAG_SYN | FLAG_ACK)) == FLAG_SYN;
}

/* A connection of which nothing but a dropped SYN was seen is one, too. */
static struct flow_trail *make_attempt(struct flows *flows, const struct flow_drop *drop,
                                       const struct flow_tuple *tuple) {
    struct flow_trail *trail = flow_trail_new(flows, drop->key.family, IPPROTO_TCP);
    struct flow_node *node = trail ? flow_trail_node(flows, trail, tuple, drop->key.netns) : NULL;
    if (!node)
        return trail;
    node->client = flow_address_equal(&node->tuple.source, &tuple->source) ? CLIENT_FIRST : CLIENT_SECOND;
    trail->direction_known = true;
    flow_trail_set_isn(flows, trail, (uint64_t)drop->totals.sequence << 32, FLOW_CLIENT_KNOWN);
    return trail;
}

static struct flow_trail *find(struct flows *flows, const struct flow_drop *drop) {
    struct flow_tuple tuple = tuple_of(&drop->key);
    uint64_t time = drop->totals.last_time;
    if (!drop->key.family)
        return NULL;
    if (!is_attempt(drop))
        return flow_find_tuple(flows, &tuple, drop->key.netns, time);
    struct flow_trail *trail = flow_find_attempt(flows, drop->totals.sequence, &tuple, time);
    return trail ? trail : make_attempt(flows, drop, &tuple);
}

/* What was counted so far stays with the former connection, under a copy. */
static void part(struct flow_drop *drop) {
    struct flow_trail *former = drop->trail;
    struct flow_drop **at = &former->drops, *copy = malloc(sizeof(*copy));
    while (*at != drop)
        at = &(*at)->next;
    uint64_t before = drop->before - drop->start;
    if (copy) {
        *copy = *drop;
        copy->current = false;
        copy->totals.packets = drop->start + before;
        *at = copy;
    } else {
        *at = drop->next;
    }
    drop->start = drop->before;
    drop->window = drop->placed = 0;
    drop->next = NULL;
    drop->trail = NULL;
    drop->after = NULL;
}

static void give(struct flow_drop *drop, struct flow_trail *trail) {
    drop->trail = trail;
    drop->next = trail->drops;
    trail->drops = drop;
    trail->changed = true;
}

static void match(struct flows *flows, struct flow_drop *drop) {
    struct flow_trail *trail = find(flows, drop);
    if (drop->trail && trail && drop->trail != trail)
        part(drop);
    if (trail && !drop->trail)
        give(drop, trail);
    if (trail) {
        trail->changed = true;
        flow_trail_moved(flows, trail, trail->entries ? 0 : drop->totals.first_time, drop->totals.last_time);
    }
}

static bool is_over(const struct flows *flows, const struct flow_drop *drop) {
    return drop->round != flows->round && drop->totals.last_time + FLOW_KEEP_NS < flows->now;
}

static void forget(struct flows *flows, struct flow_drop *drop) {
    table_remove(&flows->drops, drop->hash);
    drop->current = false;
    if (!drop->trail) {
        flows->drops_expired += flow_drop_packets(drop);
        free(drop);
    }
}

void flow_drops_shown(struct flows *flows) {
    uint64_t unmatched = flows->drops_expired;
    for (size_t i = 0; i < flows->drops.capacity;) {
        struct flow_drop *drop = flows->drops.slots[i].value;
        if (drop && is_over(flows, drop)) {
            forget(flows, drop); /* moves another one into this slot, perhaps */
            continue;
        }
        if (drop && (drop->moved || (!drop->trail && flow_drop_packets(drop))))
            match(flows, drop);
        if (drop) {
            drop->moved = false;
            drop->before = drop->totals.packets;
            unmatched += drop->trail ? 0 : flow_drop_packets(drop);
        }
        i++;
    }
    flows->counters.drops_unmatched = unmatched;
}

/* ---- at which hop ---- */

static bool same_direction(const struct flow_entry *entry, const struct flow_drop *drop) {
    struct flow_tuple one = flow_tuple_of(&entry->key), two = tuple_of(&drop->key);
    return entry->key.netns == drop->key.netns && flow_tuple_equal(&one, &two);
}

static enum drop_hook hook_of(const struct flow_drop *drop) {
    return drop->key.hook & ~DROP_HOOK_BRIDGE;
}

/* Before it leaves: what passed the last hop before that interface's way out. */
static bool is_on_its_way_out(enum drop_hook hook) {
    return hook == DROP_HOOK_OUTPUT || hook == DROP_HOOK_POSTROUTING || hook == DROP_HOOK_EGRESS;
}

/* Rewriting may come between: then the tuple is another one, in the same direction. */
static bool forward_of(const struct flow_trail *trail, const struct flow_drop *drop) {
    struct flow_tuple tuple = tuple_of(&drop->key), ordered = flow_tuple_ordered(&tuple);
    for (const struct flow_node *node = trail->nodes; node; node = node->next)
        if (flow_tuple_equal(&node->tuple, &ordered))
            return (node->client == CLIENT_FIRST) == flow_tuple_equal(&ordered, &tuple);
    return true;
}

static struct flow_entry *hop_before(struct flow_trail *trail, const struct flow_drop *drop) {
    struct flow_entry *at = NULL, *last_in = NULL, *out = NULL, *before_out = NULL, *last = NULL;
    for (struct flow_entry *entry = trail->entries; entry; entry = entry->next) {
        if (entry->forward != drop->forward || entry->key.netns != drop->key.netns || entry->branch) {
            if (entry->forward == drop->forward && !entry->branch)
                last = entry;
            continue;
        }
        bool here = entry->key.ifindex == drop->key.ifindex;
        if (here && entry->key.way == FLOW_INGRESS && same_direction(entry, drop))
            at = entry;
        if (here && entry->key.way == FLOW_EGRESS) {
            out = entry;
            before_out = last;
        }
        if (entry->key.way == FLOW_INGRESS)
            last_in = entry;
        last = entry;
    }
    if (hook_of(drop) == DROP_HOOK_OUTPUT)
        return NULL; /* its own sender's: before any hop of it */
    if (is_on_its_way_out(hook_of(drop)))
        return out ? before_out : last_in;
    return at ? at : out ? out : last_in;
}

void flow_drops_place(struct flow_trail *trail) {
    for (struct flow_drop *drop = trail->drops; drop; drop = drop->next) {
        drop->forward = forward_of(trail, drop);
        drop->after = hop_before(trail, drop);
    }
}
