/* SPDX-License-Identifier: Apache-2.0 */
#include "packet_side.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "claim.h"
#include "interface_json.h"
#include "packets.h"
#include "reasons.h"
#include "sockets.h"
#include "translations.h"

struct packet_side {
    struct packet_side_options options;
    struct reasons *reasons;
    struct sockets *sockets;
    struct packets *packets;
    struct interfaces *interfaces;
    struct translations *translations; /* NULL: there are none, or they cannot be read */
    struct flows *flows;
    uint64_t rounds_failed;
};

static uint64_t now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

/* ---- interfaces, on their thread ---- */

static void appeared(void *context, const struct interface_key *key, int link_netnsid) {
    const struct packet_side *side = context;
    packets_set_link(side->packets, key, link_netnsid);
}

static void vanished(void *context, const struct interface_key *key) {
    const struct packet_side *side = context;
    packets_forget(side->packets, key);
}

static bool counted(void *context, const struct interface_key *key, struct interface_totals *ret_totals) {
    const struct packet_side *side = context;
    return !packets_totals(side->packets, key, ret_totals);
}

/* ---- life ---- */

static int follow_interfaces(struct packet_side *side, char *error, size_t error_size) {
    struct interfaces_options options = {
        .scope = side->options.scope,
        .include = side->options.include,
        .exclude = side->options.exclude,
        .clean = side->options.clean,
        .programs = {packets_program(side->packets, FLOW_INGRESS), packets_program(side->packets, FLOW_EGRESS)},
        .appeared = appeared,
        .vanished = vanished,
        .counted = counted,
        .context = side};
    return interfaces_new(&options, &side->interfaces, error, error_size);
}

int packet_side_attach(const struct packet_side_options *options, const struct live *live,
                       struct packet_side **ret_side, char *error, size_t error_size) {
    struct packet_side *side = calloc(1, sizeof(*side));
    if (!side) {
        snprintf(error, error_size, "out of memory");
        return -ENOMEM;
    }
    side->options = *options;
    struct packets_options packets = {.flows_max = options->flows_max,
                                      .only_netns = options->scope == SCOPE_OWN ? claim_own_netns() : 0,
                                      .sockets = live_sockets(live)};
    int result = reasons_new(&side->reasons);
    if (!result)
        result = sockets_new(&side->sockets);
    if (result)
        snprintf(error, error_size, "out of memory");
    packets.reasons = side->reasons;
    if (!result)
        result = packets_new(&packets, &side->packets, error, error_size);
    if (!result)
        result = follow_interfaces(side, error, error_size);
    if (result) {
        packet_side_free(side);
        return result;
    }
    translations_new(claim_own_netns(), &side->translations);
    *ret_side = side;
    return 0;
}

static bool interface_of(void *context, uint32_t netns, uint32_t ifindex, struct hop_interface *ret_interface) {
    const struct packet_side *side = context;
    return interfaces_get(side->interfaces, netns, ifindex, ret_interface);
}

/* ---- words, from any thread ---- */

static const char *drop_reason(void *context, uint32_t reason) {
    return reasons_drop(((const struct packet_side *)context)->reasons, reason);
}

static const char *place(void *context, uint64_t location) {
    return reasons_place(((const struct packet_side *)context)->reasons, location);
}

static const char *reset_reason(void *context, uint32_t reason) {
    return reasons_reset(((const struct packet_side *)context)->reasons, reason);
}

static enum drop_class class_of(void *context, uint32_t reason, uint64_t location) {
    return reasons_class(((const struct packet_side *)context)->reasons, reason, location);
}

static const char *drop_text(void *context, uint32_t reason, uint64_t location) {
    return reasons_text(((const struct packet_side *)context)->reasons, reason, location);
}

static const char *hook_name(void *context, uint8_t hook) {
    (void)context;
    return reasons_hook(hook);
}

int packet_side_begin(struct packet_side *side, const struct namer *namer) {
    if (!side)
        return 0;
    struct flows_options options = {.namer = *namer,
                                    .packets = {.context = side,
                                                .interface = interface_of,
                                                .drop_reason = drop_reason,
                                                .place = place,
                                                .reset_reason = reset_reason,
                                                .drop_class = class_of,
                                                .drop_text = drop_text,
                                                .hook = hook_name},
                                    /* Of most connections two flows or more are seen. */
                                    .limit = side->options.flows_max / 2};
    memcpy(options.conn_id_key, side->options.conn_id_key, sizeof(options.conn_id_key));
    return flows_new(&options, &side->flows);
}

/* Programs are detached before the maps that they write to go. */
void packet_side_free(struct packet_side *side) {
    if (!side)
        return;
    interfaces_free(side->interfaces);
    translations_free(side->translations);
    packets_free(side->packets);
    sockets_free(side->sockets);
    reasons_free(side->reasons);
    flows_free(side->flows);
    free(side);
}

/* ---- a round ---- */

static void on_interface(void *context, const struct interface_key *key, const struct interface_totals *totals) {
    flows_interface(context, key, totals);
}

static void on_flow(void *context, const struct flow_key *key, const struct flow *flow, bool last) {
    flows_see(context, key, flow, last);
}

static void on_drop(void *context, const struct drop_key *key, const struct drop_totals *totals) {
    flows_drop(context, key, totals);
}

static void on_trouble(void *context, const struct trouble *trouble, size_t size) {
    flows_trouble(context, trouble, size);
}

static void on_translation(void *context, const struct nat_pair *pair) {
    flows_nat(context, pair);
}

static void on_socket(void *context, const struct socket_view *socket) {
    flows_socket(context, socket);
}

void packet_side_round(struct packet_side *side, bool sockets) {
    if (!side || !side->flows)
        return;
    const struct packets_sink sink = {side->flows, on_interface, on_flow, on_drop, on_trouble};
    uint64_t now = now_ns();
    side->rounds_failed += packets_show(side->packets, &sink, now) < 0;
    translations_show(side->translations, on_translation, side->flows);
    if (packets_flow_count(side->packets)) /* for the next round; a host where nothing moves is left alone */
        translations_ask(side->translations);
    if (sockets)
        sockets_show(side->sockets, side->packets, on_socket, side->flows);
    flows_shown(side->flows, now);
}

void packet_side_look(struct packet_side *side) {
    if (side)
        interfaces_look(side->interfaces);
}

struct flows *packet_side_flows(struct packet_side *side) {
    return side ? side->flows : NULL;
}

struct interfaces *packet_side_interfaces(struct packet_side *side) {
    return side ? side->interfaces : NULL;
}

json_t *packet_side_json(struct packet_side *side) {
    return interface_json(packet_side_interfaces(side), side ? side->packets : NULL);
}

/* ---- its health ---- */

size_t packet_side_counters(struct packet_side *side, struct counter *counters) {
    uint64_t kernel[PACKET_COUNTER_KINDS] = {0};
    struct flows_counters flows = {0};
    struct interfaces_counters interfaces = {0};
    if (side && side->flows) {
        packets_counters(side->packets, kernel);
        flows_counters(side->flows, &flows);
        interfaces_counters(side->interfaces, &interfaces);
    }
    const struct counter own[] = {
        {"flows_evicted", flows.evicted},
        {"flows_refused", flows.memory_refused},
        {"drops_unmatched", flows.drops_unmatched},
        {"packets_unplaced", flows.packets_unplaced},
        {"placements_forgotten", flows.placements_forgotten},
        {"interface_events_lost", interfaces.events_lost},
        {"interfaces_not_attached", interfaces.not_attached},
        {"namespaces_not_entered", interfaces.not_entered},
        {"filters_cleaned", interfaces.cleaned},
        {"packet_rounds_failed", side ? side->rounds_failed : 0},
    };
    enum { OWN = sizeof(own) / sizeof(*own) };
    _Static_assert(OWN + PACKET_COUNTER_KINDS <= (size_t)PACKET_SIDE_COUNTERS, "PACKET_SIDE_COUNTERS is too small");
    memcpy(counters, own, sizeof(own));
    for (int i = 0; i < PACKET_COUNTER_KINDS; i++)
        counters[OWN + i] = (struct counter){packets_counter_name(i), kernel[i]};
    return OWN + PACKET_COUNTER_KINDS;
}

const struct live_program *packet_side_programs(const struct packet_side *side, size_t *ret_count) {
    *ret_count = 0;
    return side ? packets_programs(side->packets, ret_count) : NULL;
}
