/* SPDX-License-Identifier: Apache-2.0 */
/* Trails: what belongs to one connection, and by what it is found. */
#include <stdlib.h>
#include <string.h>

#include "flow_store.h"

/* ---- lists ---- */

static void unlink_age(struct flows *flows, struct flow_trail *trail) {
    if (trail->older)
        trail->older->newer = trail->newer;
    else
        flows->oldest = trail->newer;
    if (trail->newer)
        trail->newer->older = trail->older;
    else
        flows->newest = trail->older;
}

static void append_age(struct flows *flows, struct flow_trail *trail) {
    trail->older = flows->newest;
    trail->newer = NULL;
    if (flows->newest)
        flows->newest->newer = trail;
    else
        flows->oldest = trail;
    flows->newest = trail;
}

void flow_trail_touch(struct flows *flows, struct flow_trail *trail) {
    unlink_age(flows, trail);
    append_age(flows, trail);
}

void flow_trail_moved(struct flows *flows, struct flow_trail *trail, uint64_t first, uint64_t last) {
    if (!trail->first_time || (first && first < trail->first_time))
        trail->first_time = first;
    if (last <= trail->last_time)
        return;
    trail->last_time = last;
    flow_trail_touch(flows, trail);
}

/* ---- by what it is found ---- */

static uint64_t client_key(uint64_t isn) {
    return isn >> 32 | 1ULL << 32;
}

static void forget_isn(struct flows *flows, struct flow_trail *trail) {
    if (trail->isn_known & FLOW_SERVER_KNOWN && table_get(&flows->by_pair, trail->isn) == trail)
        table_remove(&flows->by_pair, trail->isn);
    if (!(trail->isn_known & FLOW_CLIENT_KNOWN))
        return;
    uint64_t key = client_key(trail->isn);
    struct flow_trail *first = table_get(&flows->by_client, key);
    struct flow_trail **at = &first;
    while (*at && *at != trail)
        at = &(*at)->alike;
    if (*at)
        *at = trail->alike;
    if (first)
        table_put(&flows->by_client, key, first);
    else
        table_remove(&flows->by_client, key);
    trail->alike = NULL;
}

void flow_trail_set_isn(struct flows *flows, struct flow_trail *trail, uint64_t isn, uint8_t known) {
    if (trail->isn_known == known && trail->isn == isn)
        return;
    forget_isn(flows, trail);
    trail->isn = isn;
    trail->isn_known = known;
    if (known & FLOW_SERVER_KNOWN && isn && !table_get(&flows->by_pair, isn) && table_put(&flows->by_pair, isn, trail))
        flows->counters.memory_refused++;
    if (!(known & FLOW_CLIENT_KNOWN))
        return;
    trail->alike = table_get(&flows->by_client, client_key(isn));
    if (table_put(&flows->by_client, client_key(isn), trail)) {
        trail->alike = NULL;
        flows->counters.memory_refused++;
    }
}

struct flow_node *flow_nodes(const struct flows *flows, const struct flow_tuple *ordered, uint32_t netns) {
    uint32_t scope = flow_tuple_scope(ordered, netns);
    return table_get(&flows->by_tuple, flow_tuple_hash(ordered, scope, flows->seed));
}

struct flow_node *flow_trail_node(struct flows *flows, struct flow_trail *trail, const struct flow_tuple *tuple,
                                  uint32_t netns) {
    struct flow_tuple ordered = flow_tuple_ordered(tuple);
    uint32_t scope = flow_tuple_scope(&ordered, netns);
    for (struct flow_node *node = trail->nodes; node; node = node->next)
        if (node->scope == scope && flow_tuple_equal(&node->tuple, &ordered))
            return node;
    struct flow_node *node = calloc(1, sizeof(*node));
    if (!node)
        return NULL;
    node->tuple = ordered;
    node->scope = scope;
    node->trail = trail;
    node->hash = flow_tuple_hash(&ordered, scope, flows->seed);
    node->alike = table_get(&flows->by_tuple, node->hash);
    if (table_put(&flows->by_tuple, node->hash, node)) {
        free(node);
        return NULL;
    }
    node->next = trail->nodes;
    trail->nodes = node;
    return node;
}

static void node_free(struct flows *flows, struct flow_node *node) {
    struct flow_node *first = table_get(&flows->by_tuple, node->hash);
    struct flow_node **at = &first;
    while (*at && *at != node)
        at = &(*at)->alike;
    if (*at)
        *at = node->alike;
    if (first)
        table_put(&flows->by_tuple, node->hash, first);
    else
        table_remove(&flows->by_tuple, node->hash);
    free(node);
}

/* ---- life ---- */

/* The one that was silent longest makes room. */
static void evict(struct flows *flows) {
    if (!flows->oldest)
        return;
    flows->counters.evicted++;
    flow_trail_free(flows, flows->oldest);
}

struct flow_trail *flow_trail_new(struct flows *flows, uint8_t family, uint8_t protocol) {
    if (flows->trails >= flows->options.limit)
        evict(flows);
    struct flow_trail *trail = calloc(1, sizeof(*trail));
    if (!trail) {
        flows->counters.memory_refused++;
        return NULL;
    }
    trail->serial = ++flows->serials;
    trail->family = family;
    trail->protocol = protocol;
    trail->changed = true;
    append_age(flows, trail);
    flows->trails++;
    return trail;
}

void flow_entry_free(struct flows *flows, struct flow_entry *entry) {
    if (table_get(&flows->entries, entry->hash) == entry)
        table_remove(&flows->entries, entry->hash);
    if (entry->interface)
        entry->interface->entries--;
    flows->entry_count--;
    free(entry);
}

static void drop_leave(struct flow_drop *drop) {
    drop->trail = NULL;
    drop->after = NULL;
    drop->next = NULL;
    drop->start = drop->totals.packets; /* what it had was that trail's */
    if (!drop->current)
        free(drop);
}

void flow_trail_free(struct flows *flows, struct flow_trail *trail) {
    if (!trail->edge_id)
        flows->counters.packets_unplaced += flow_unplaced(trail);
    for (struct flow_drop *drop = trail->drops, *next; drop; drop = next) {
        next = drop->next;
        drop_leave(drop);
    }
    for (struct flow_entry *entry = trail->entries, *next; entry; entry = next) {
        next = entry->next;
        flow_entry_free(flows, entry);
    }
    for (struct flow_node *node = trail->nodes, *next; node; node = next) {
        next = node->next;
        node_free(flows, node);
    }
    forget_isn(flows, trail);
    for (int side = 0; side < 2; side++)
        if (table_get(&flows->by_peer, trail->peer_keys[side]) == trail)
            table_remove(&flows->by_peer, trail->peer_keys[side]);
    unlink_age(flows, trail);
    flows->trails--;
    free(trail);
}

/* ---- what belongs to it ---- */

bool flow_trail_attach(struct flows *flows, struct flow_trail *trail, struct flow_entry *entry) {
    struct flow_tuple tuple = flow_tuple_of(&entry->key);
    if (trail->entry_count >= FLOW_HOPS_MAX || !flow_trail_node(flows, trail, &tuple, entry->key.netns)) {
        flows->counters.memory_refused++;
        return false;
    }
    entry->trail = trail;
    entry->next = trail->entries;
    trail->entries = entry;
    trail->entry_count++;
    trail->changed = true;
    flow_trail_moved(flows, trail, entry->flow.first_time, entry->flow.last_time);
    return true;
}

void flow_trail_detach(struct flow_entry *entry) {
    struct flow_trail *trail = entry->trail;
    struct flow_entry **at = &trail->entries;
    while (*at != entry)
        at = &(*at)->next;
    *at = entry->next;
    entry->trail = NULL;
    entry->next = NULL;
    trail->entry_count--;
    trail->changed = true;
    for (struct flow_drop *drop = trail->drops; drop; drop = drop->next)
        if (drop->after == entry)
            drop->after = NULL;
}

static void move_drops(struct flow_trail *into, struct flow_trail *from) {
    while (from->drops) {
        struct flow_drop *drop = from->drops;
        from->drops = drop->next;
        drop->next = into->drops;
        drop->trail = into;
        into->drops = drop;
    }
}

static void move_troubles(struct flows *flows, struct flow_trail *into, const struct flow_trail *from) {
    uint32_t count = 0;
    for (int i = 0; i <= TROUBLE_LISTEN_FULL; i++) {
        into->troubles[i] += from->troubles[i];
        count += from->troubles[i];
    }
    for (size_t i = 0; count && i < FLOW_TROUBLES_MAX; i++)
        if (flows->troubles[i].trail == from->serial)
            flows->troubles[i].trail = into->serial;
}

void flow_trail_merge(struct flows *flows, struct flow_trail *into, struct flow_trail *from) {
    if (into == from || into->entry_count + from->entry_count > FLOW_HOPS_MAX)
        return;
    while (from->entries) {
        struct flow_entry *entry = from->entries;
        flow_trail_detach(entry);
        if (!flow_trail_attach(flows, into, entry))
            flow_entry_free(flows, entry);
    }
    for (const struct flow_node *node = from->nodes; node; node = node->next) {
        struct flow_node *same = flow_trail_node(flows, into, &node->tuple, node->scope);
        if (same && same->client == CLIENT_UNKNOWN)
            same->client = node->client;
    }
    move_drops(into, from);
    if (!into->edge_id)
        into->edge_id = from->edge_id;
    move_troubles(flows, into, from);
    flow_trail_moved(flows, into, from->first_time, from->last_time);
    into->changed = true;
    flow_trail_free(flows, from);
}
