/* SPDX-License-Identifier: Apache-2.0 */
#include "flows.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "flow_store.h"

#define SECOND_NS 1000000000ULL

enum { LIMIT = 65536, LEAST_LIMIT = 16 };

int flows_new(const struct flows_options *options, struct flows **ret_flows) {
    struct flows *flows = calloc(1, sizeof(*flows));
    if (!flows)
        return -ENOMEM;
    flows->options = *options;
    if (!options->limit)
        flows->options.limit = LIMIT;
    else if (options->limit < LEAST_LIMIT)
        flows->options.limit = LEAST_LIMIT;
    flows->entries.limit = flows->options.limit * 2;
    flows->drops.limit = FLOW_DROPS_MAX;
    flows->sockets.limit = FLOW_SOCKETS_MAX;
    flows->nats.limit = FLOW_NATS_MAX;
    flows->interfaces.limit = FLOW_INTERFACES_MAX;
    flows->troubles = calloc(FLOW_TROUBLES_MAX, sizeof(*flows->troubles));
    if (!flows->troubles) {
        free(flows);
        return -ENOMEM;
    }
    if (getrandom(&flows->seed, sizeof(flows->seed), 0) != sizeof(flows->seed))
        flows->seed = (uintptr_t)flows; /* whoever sends packets cannot know it either */
    pthread_mutex_init(&flows->mutex, NULL);
    pthread_mutex_init(&flows->placed_mutex, NULL);
    flows->round = 1;
    *ret_flows = flows;
    return 0;
}

static void free_values(struct table *table) {
    for (size_t i = 0; i < table->capacity; i++)
        free(table->slots[i].value);
    table_done(table);
}

static void free_lone_entries(struct flows *flows) {
    for (size_t i = 0; i < flows->entries.capacity; i++)
        free(flows->entries.slots[i].value);
    table_done(&flows->entries);
}

void flows_free(struct flows *flows) {
    if (!flows)
        return;
    while (flows->oldest)
        flow_trail_free(flows, flows->oldest);
    free_lone_entries(flows);
    free_values(&flows->drops);
    free_values(&flows->sockets);
    free_values(&flows->interfaces);
    flow_nats_done(flows);
    flow_worlds_done(flows);
    table_done(&flows->by_pair);
    table_done(&flows->by_client);
    table_done(&flows->by_tuple);
    table_done(&flows->by_peer);
    free(flows->pending);
    free(flows->troubles);
    free(flows->placed);
    pthread_mutex_destroy(&flows->mutex);
    pthread_mutex_destroy(&flows->placed_mutex);
    free(flows);
}

/* ---- interfaces ---- */

static struct flow_interface *interface_of(struct flows *flows, uint32_t netns, uint32_t ifindex) {
    uint64_t key = (uint64_t)netns << 32 | ifindex;
    struct flow_interface *interface = table_get(&flows->interfaces, key);
    if (interface || !key)
        return interface;
    interface = calloc(1, sizeof(*interface));
    if (!interface || table_put(&flows->interfaces, key, interface)) {
        free(interface);
        flows->counters.memory_refused++;
        return NULL;
    }
    interface->key = (struct interface_key){netns, ifindex};
    interface->hop.netns = netns;
    interface->hop.ifindex = ifindex;
    interface->seen = flows->now;
    return interface;
}

void flows_interface(struct flows *flows, const struct interface_key *key, const struct interface_totals *totals) {
    pthread_mutex_lock(&flows->mutex);
    struct flow_interface *interface = interface_of(flows, key->netns, key->ifindex);
    if (interface) {
        interface->totals = *totals;
        interface->seen = flows->now;
    }
    pthread_mutex_unlock(&flows->mutex);
}

/* What netlink knows by now. */
static void interfaces_shown(struct flows *flows) {
    const struct flows_namer *namer = &flows->options.packets;
    for (size_t i = 0; i < flows->interfaces.capacity;) {
        struct flow_interface *interface = flows->interfaces.slots[i].value;
        struct hop_interface hop;
        if (interface && !interface->entries && interface->seen + FLOW_KEEP_NS < flows->now) {
            table_remove(&flows->interfaces, flows->interfaces.slots[i].key);
            free(interface);
            continue;
        }
        if (interface && namer->interface &&
            namer->interface(namer->context, interface->key.netns, interface->key.ifindex, &hop)) {
            interface->hop = hop;
            interface->known = true;
        }
        i++;
    }
    flow_worlds(flows);
}

/* ---- flows ---- */

static uint64_t entry_hash(const struct flows *flows, const struct flow_key *key, uint32_t generation) {
    uint64_t hash = XXH3_64bits_withSeed(key, sizeof(*key), flows->seed ^ generation);
    return hash ? hash : 1;
}

static void set_pending(struct flows *flows, struct flow_entry *entry) {
    if (entry->pending)
        return;
    if (flows->pending_count == flows->pending_capacity) {
        size_t capacity = flows->pending_capacity ? flows->pending_capacity * 2 : 256;
        uint64_t *bigger = realloc(flows->pending, capacity * sizeof(*bigger));
        if (!bigger) {
            flows->counters.memory_refused++;
            return;
        }
        flows->pending = bigger;
        flows->pending_capacity = capacity;
    }
    flows->pending[flows->pending_count++] = entry->hash;
    entry->pending = true;
}

static struct flow_entry *entry_new(struct flows *flows, const struct flow_key *key, const struct flow *flow,
                                    uint64_t hash) {
    while (flows->entry_count >= flows->entries.limit && flows->oldest) {
        flows->counters.evicted++;
        flow_trail_free(flows, flows->oldest);
    }
    struct flow_entry *entry = calloc(1, sizeof(*entry));
    if (!entry || table_put(&flows->entries, hash, entry)) {
        free(entry);
        flows->counters.memory_refused++;
        return NULL;
    }
    flows->entry_count++;
    entry->key = *key;
    entry->hash = hash;
    entry->flow = *flow;
    entry->interface = interface_of(flows, key->netns, key->ifindex);
    if (entry->interface)
        entry->interface->entries++;
    return entry;
}

/* The kernel forgot it while it was idle, and it went on: what was counted before still counts. */
static void carry_on(struct flow_entry *entry) {
    entry->carried.packets = entry->flow.packets;
    entry->carried.segments = entry->flow.segments;
    entry->carried.bytes = entry->flow.bytes;
#define X(name) entry->carried.name = entry->flow.name;
    FLOW_COUNTERS(X)
#undef X
    entry->carried.total_retransmits = 0; /* the socket's own count */
}

static void add_carried(struct flow *flow, const struct flow_entry *entry) {
    const struct flow *former = &entry->flow;
    flow->packets += entry->carried.packets;
    flow->segments += entry->carried.segments;
    flow->bytes += entry->carried.bytes;
#define X(name) flow->name += entry->carried.name;
    FLOW_COUNTERS(X)
#undef X
    flow->first_time = former->first_time;
    flow->flags |= former->flags;
    if (!flow->isn)
        flow->isn = former->isn;
    flow->syn_time = former->syn_time;
    flow->syn_ack_time = former->syn_ack_time;
    flow->ack_time = former->ack_time;
    if (!flow->socket_time) {
        flow->socket_time = former->socket_time;
        flow->srtt_us = former->srtt_us;
        flow->min_rtt_us = former->min_rtt_us;
        flow->total_retransmits = former->total_retransmits;
    }
    if (flow->source_end.state != END_SOCKET)
        flow->source_end = former->source_end;
    if (flow->destination_end.state != END_SOCKET)
        flow->destination_end = former->destination_end;
    if (former->largest > flow->largest)
        flow->largest = former->largest;
}

static bool is_another(const struct flow_entry *entry, const struct flow *flow) {
    return entry->gone && flow->first_time > entry->flow.last_time && entry->key.protocol == IPPROTO_TCP && flow->syn;
}

static void update(struct flows *flows, struct flow_entry *entry, const struct flow *flow) {
    struct flow now = *flow;
    if (entry->gone && flow->first_time > entry->flow.last_time)
        carry_on(entry);
    if (entry->carried.packets)
        add_carried(&now, entry);
    bool moved = now.packets != entry->flow.packets;
    bool known = now.flags != entry->flow.flags || now.source_end.state != entry->flow.source_end.state ||
                 now.destination_end.state != entry->flow.destination_end.state;
    if (entry->round != flows->round)
        entry->segments_before = entry->flow.segments;
    entry->flow = now;
    entry->gone = false;
    entry->round = flows->round;
    if (!entry->trail)
        return;
    if (moved)
        flow_trail_moved(flows, entry->trail, now.first_time, now.last_time);
    entry->trail->changed |= known;
}

/* Of what was evicted, the kernel still has all; what it had by the round before was counted then. */
static bool was_evicted(const struct flows *flows, const struct flow *flow) {
    return flows->counters.evicted && flow->first_time + 2 * SECOND_NS < flows->now;
}

static void skip_counts(struct flow_entry *entry) {
    entry->window.packets = entry->flow.packets;
    entry->window.segments = entry->flow.segments;
    entry->window.bytes = entry->flow.bytes;
#define X(name) entry->window.name = entry->flow.name;
    FLOW_COUNTERS(X)
#undef X
    entry->skipped = entry->flow.packets;
}

static void see(struct flows *flows, const struct flow_key *key, const struct flow *flow, bool last) {
    uint64_t hash = entry_hash(flows, key, flow->generation), isn;
    struct flow_entry *entry = table_get(&flows->entries, hash);
    if (entry && is_another(entry, flow)) { /* the former stays with its connection */
        table_remove(&flows->entries, hash);
        entry = NULL;
    }
    if (!entry) {
        entry = entry_new(flows, key, flow, hash);
        if (!entry)
            return;
        entry->round = flows->round;
        if (was_evicted(flows, flow))
            skip_counts(entry);
    } else {
        update(flows, entry, flow);
    }
    if (!entry->trail || flow_isn(flows, entry, &isn) > (enum flow_level)entry->level)
        set_pending(flows, entry);
    entry->gone = last;
}

void flows_see(struct flows *flows, const struct flow_key *key, const struct flow *flow, bool last) {
    pthread_mutex_lock(&flows->mutex);
    see(flows, key, flow, last);
    pthread_mutex_unlock(&flows->mutex);
}

void flows_drop(struct flows *flows, const struct drop_key *key, const struct drop_totals *totals) {
    pthread_mutex_lock(&flows->mutex);
    uint64_t hash = XXH3_64bits_withSeed(key, sizeof(*key), flows->seed);
    hash = hash ? hash : 1;
    struct flow_drop *drop = table_get(&flows->drops, hash);
    if (!drop) {
        drop = calloc(1, sizeof(*drop));
        if (!drop || table_put(&flows->drops, hash, drop)) {
            flows->counters.memory_refused++;
            free(drop);
            pthread_mutex_unlock(&flows->mutex);
            return;
        }
        drop->key = *key;
        drop->hash = hash;
        drop->current = true;
    }
    if (totals->packets < drop->totals.packets) /* the kernel's entry was made anew */
        drop->start = drop->before = drop->window = drop->placed = 0;
    drop->moved |= totals->packets != drop->totals.packets;
    drop->totals = *totals;
    drop->round = flows->round;
    pthread_mutex_unlock(&flows->mutex);
}

/* ---- troubles ---- */

void flows_trouble(struct flows *flows, const struct trouble *trouble, size_t size) {
    if (size < sizeof(*trouble))
        return;
    pthread_mutex_lock(&flows->mutex);
    if (trouble->kind == TROUBLE_REUSED && size >= sizeof(struct trouble_reused)) {
        const struct trouble_reused *reused = (const struct trouble_reused *)trouble;
        see(flows, &reused->key, &reused->flow, true);
    } else if (trouble->kind != TROUBLE_REUSED) {
        flows->troubles[flows->trouble_count++ % FLOW_TROUBLES_MAX] = (struct flow_trouble){.trouble = *trouble};
    }
    pthread_mutex_unlock(&flows->mutex);
}

/* ---- rounds ---- */

/* What was not shown is no longer in the kernel. */
static void mark_gone(struct flows *flows) {
    for (struct flow_trail *trail = flows->oldest; trail; trail = trail->newer)
        for (struct flow_entry *entry = trail->entries; entry; entry = entry->next)
            entry->gone |= entry->round != flows->round;
}

static bool is_over(const struct flows *flows, const struct flow_trail *trail) {
    for (const struct flow_entry *entry = trail->entries; entry; entry = entry->next)
        if (!entry->gone)
            return false;
    return trail->last_time + FLOW_KEEP_NS < flows->now;
}

static void settle(struct flows *flows) {
    for (struct flow_trail *trail = flows->oldest, *newer; trail; trail = newer) {
        newer = trail->newer;
        if (is_over(flows, trail)) {
            flow_trail_free(flows, trail);
            continue;
        }
        if (!trail->changed)
            continue;
        flow_order(flows, trail);
        flow_ends(flows, trail);
        flow_drops_place(trail);
        trail->changed = false;
    }
}

void flows_shown(struct flows *flows, uint64_t now) {
    pthread_mutex_lock(&flows->mutex);
    flows->now = now;
    interfaces_shown(flows);
    flow_join_all(flows);
    flow_drops_shown(flows);
    flow_troubles_shown(flows);
    mark_gone(flows);
    settle(flows);
    flow_sockets_shown(flows);
    flow_placed(flows);
    flow_nats_expire(flows);
    if (!flows->began)
        flows->began = now;
    flows->round++;
    flows->counters.connections = flows->trails;
    pthread_mutex_unlock(&flows->mutex);
}

void flows_counters(struct flows *flows, struct flows_counters *ret_counters) {
    pthread_mutex_lock(&flows->mutex);
    *ret_counters = flows->counters;
    ret_counters->packets_waiting = 0;
    for (const struct flow_trail *trail = flows->oldest; trail; trail = trail->newer)
        ret_counters->packets_waiting += flow_unplaced(trail);
    pthread_mutex_unlock(&flows->mutex);
}
