/* SPDX-License-Identifier: Apache-2.0 */
/* Flows as they are shown. */
#include <stdio.h>
#include <string.h>

#include "conn_id.h"
#include "flow_store.h"

enum { DROPS_SHOWN = 32 };

struct shown {
    struct flow_view view;
    struct drop_view drops[DROPS_SHOWN];
    char conn_id[17];
};

static struct flow_counts counts_of(const struct flow *flow) {
    struct flow_counts counts = {.packets = flow->packets, .segments = flow->segments, .bytes = flow->bytes};
#define X(name) counts.name = flow->name;
    FLOW_COUNTERS(X)
#undef X
    return counts;
}

static void set_since(struct flow *since, const struct flow *flow, const struct flow_counts *before) {
    since->packets = flow->packets - before->packets;
    since->segments = flow->segments - before->segments;
    since->bytes = flow->bytes - before->bytes;
#define X(name) since->name = flow->name - before->name;
    FLOW_COUNTERS(X)
#undef X
}

/* The one of this entry; those lost before any hop stand with the first. */
static bool stands_here(const struct flow_drop *drop, const struct flow_entry *entry) {
    return drop->after ? drop->after == entry : entry->order == 1 && drop->forward == entry->forward;
}

static struct drop_view drop_view(const struct flows *flows, const struct flow_drop *drop) {
    const struct flows_namer *namer = &flows->options.packets;
    const struct drop_key *key = &drop->key;
    void *context = namer->context;
    return (struct drop_view){
        .reason = namer->drop_reason ? namer->drop_reason(context, key->reason) : NULL,
        .place = namer->place ? namer->place(context, key->location) : NULL,
        .text = namer->drop_text ? namer->drop_text(context, key->reason, key->location) : NULL,
        .chains = namer->chains && key->hook ? namer->chains(context, key->netns, key->family, key->hook) : NULL,
        .class = namer->drop_class ? namer->drop_class(context, key->reason, key->location) : DROP_OTHER,
        .hook = key->hook,
        .packets = flow_drop_packets(drop),
        .since = flow_drop_packets(drop) - drop->window,
    };
}

static void set_drops(const struct flows *flows, const struct flow_entry *entry, struct shown *shown) {
    size_t count = 0;
    for (const struct flow_drop *drop = entry->trail->drops; drop; drop = drop->next) {
        if (!stands_here(drop, entry) || !flow_drop_packets(drop))
            continue;
        if (count < DROPS_SHOWN) {
            shown->drops[count++] = drop_view(flows, drop);
            continue;
        }
        struct drop_view *last = &shown->drops[DROPS_SHOWN - 1]; /* and the rest */
        *last = (struct drop_view){.packets = last->packets + flow_drop_packets(drop),
                                   .since = last->since + flow_drop_packets(drop) - drop->window};
    }
    shown->view.drops = shown->drops;
    shown->view.drop_count = count;
}

static void set_conn_id(const struct flows *flows, const struct flow_trail *trail, struct shown *shown) {
    const uint8_t both = FLOW_CLIENT_KNOWN | FLOW_SERVER_KNOWN;
    uint64_t value = trail->isn;
    bool proven = (trail->isn_known & both) == both;
    if (!proven && trail->nodes) { /* its first tuple, and when it began */
        const struct flow_node *node = trail->nodes;
        while (node->next)
            node = node->next;
        value = flow_tuple_hash(&node->tuple, node->scope, 0) ^ trail->first_time;
    }
    snprintf(shown->conn_id, sizeof(shown->conn_id), "%016llx",
             (unsigned long long)conn_id(flows->options.conn_id_key, value));
    shown->view.conn_id = shown->conn_id;
    shown->view.conn_id_local = !proven;
}

static const struct socket_view *socket_of(const struct flows *flows, uint64_t cookie) {
    const struct flow_socket *socket = flow_socket_of(flows, cookie);
    return socket ? &socket->view : NULL;
}

static void fill(const struct flows *flows, const struct flow_trail *trail, const struct flow_entry *entry,
                 const struct flow_entry *before, struct shown *shown) {
    struct flow_view *view = &shown->view;
    int source = !entry->forward, destination = entry->forward;
    view->edge_id = trail->edge_id;
    view->key = entry->key;
    view->flow = entry->flow;
    memset(&view->since, 0, sizeof(view->since));
    set_since(&view->since, &entry->flow, &entry->window);
    view->hop = entry->interface ? entry->interface->hop : (struct hop_interface){.netns = entry->key.netns};
    view->order = entry->order;
    view->forward = entry->forward;
    view->direction_known = trail->direction_known;
    view->rtt_ns = flow_rtt(trail, entry);
    view->from_before_ns = before ? flow_from_before(flows, entry, before) : 0;
    view->source = trail->ends[source];
    view->destination = trail->ends[destination];
    view->source_socket = socket_of(flows, trail->cookies[source]);
    view->destination_socket = socket_of(flows, trail->cookies[destination]);
    set_drops(flows, entry, shown);
}

typedef void (*visitor)(void *context, const struct flow_view *view);

static bool moved(const struct flow_entry *entry) {
    if (entry->flow.packets != entry->window.packets)
        return true;
    for (const struct flow_drop *drop = entry->trail->drops; drop; drop = drop->next)
        if (stands_here(drop, entry) && flow_drop_packets(drop) != drop->window)
            return true;
    return false;
}

static void show(struct flows *flows, struct flow_trail *trail, bool only_moved, visitor visit, void *context) {
    struct shown shown;
    unsigned hops[2] = {0, 0};
    bool named = false;
    memset(&shown.view, 0, sizeof(shown.view));
    for (const struct flow_entry *entry = trail->entries; entry; entry = entry->next)
        hops[entry->forward]++;
    const struct flow_entry *before = NULL;
    for (const struct flow_entry *entry = trail->entries; entry; before = entry, entry = entry->next) {
        if (before && before->forward != entry->forward)
            before = NULL;
        if (only_moved && !moved(entry))
            continue;
        if (!named) {
            flow_name_ends(flows, trail);
            set_conn_id(flows, trail, &shown);
            named = true;
        }
        shown.view.hops = hops[entry->forward];
        fill(flows, trail, entry, before, &shown);
        visit(context, &shown.view);
    }
}

void flows_each(struct flows *flows, visitor visit, void *context) {
    pthread_mutex_lock(&flows->mutex);
    for (struct flow_trail *trail = flows->oldest; trail; trail = trail->newer)
        show(flows, trail, false, visit, context);
    pthread_mutex_unlock(&flows->mutex);
}

static void next_window(struct flow_trail *trail) {
    for (struct flow_entry *entry = trail->entries; entry; entry = entry->next)
        entry->window = counts_of(&entry->flow);
    for (struct flow_drop *drop = trail->drops; drop; drop = drop->next)
        drop->window = flow_drop_packets(drop);
}

void flows_window(struct flows *flows, visitor visit, void *context) {
    pthread_mutex_lock(&flows->mutex);
    for (struct flow_trail *trail = flows->oldest; trail; trail = trail->newer) {
        show(flows, trail, true, visit, context);
        next_window(trail);
    }
    pthread_mutex_unlock(&flows->mutex);
}
