/* SPDX-License-Identifier: Apache-2.0 */
#include "packets.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "entries.h"
#include "reasons.h"
#include "ring.h"
#include "sock.skel.h"
#include "tc.skel.h"
#include "topology/table.h"

#define SECOND 1000000000ULL

enum {
    FLOWS_MAX = 65536,
    IDLE_S = 60,
    CLOSED_SHARE = 12,  /* a flow that has seen its end waits this fraction of the time */
    CROWDED_SHARE = 12, /* the same for all, when the table is more than three quarters full */
};

enum hook { HOOK_INTERFACE, HOOK_CALLED, HOOK_TRACING, HOOK_SOCKETS };
enum { ESSENTIAL = PROGRAM_ESSENTIAL, NONE = PROGRAM_NONE };

/* Indices that other rows or the code name. */
enum { OWNED_SOCKETS = 8, HELD_SOCKETS };

/* Of HOOK_INTERFACE, `attached` says that the program is there to be attached; where, its user decides. */
static const struct program_row table[] = {
    {"packet_ingress", "packets that come in at interfaces", "no packet is seen", HOOK_INTERFACE, NONE, ESSENTIAL},
    {"packet_egress", "packets that go out at interfaces", "no packet is seen", HOOK_INTERFACE, NONE, ESSENTIAL},
    {"sweep", "flows that are over leave the table", "the table of flows would fill up", HOOK_CALLED, NONE, ESSENTIAL},
    {"packet_dropped", "packets that the kernel drops, and why", "where packets are lost is told, but not why",
     HOOK_TRACING, NONE, 0},
    {"segment_retransmitted", "segments that sockets send again",
     "retransmits are counted, but not told when they happen", HOOK_TRACING, NONE, 0},
    {"syn_ack_retransmitted", "SYN-ACKs that listeners send again",
     "clients that do not answer a listener are not told", HOOK_TRACING, NONE, 0},
    {"reset_sent", "resets that this host sends, and why", "who reset a connection is told by its packets only",
     HOOK_TRACING, NONE, 0},
    {"reset_received", "resets that sockets get", "who reset a connection is told by its packets only", HOOK_TRACING,
     NONE, 0},
    [OWNED_SOCKETS] = {"owned_sockets", "queues of sockets and listeners",
                       "sockets that no process holds any more are not shown", HOOK_SOCKETS, NONE, 0},
    [HELD_SOCKETS] = {"held_sockets", "the same by way of every process's files", "queues of sockets are not seen",
                      HOOK_SOCKETS, OWNED_SOCKETS, 0},
};
enum { PROGRAMS = sizeof(table) / sizeof(table[0]) };
_Static_assert((int)PROGRAMS <= (int)PROGRAM_SET_MOST, "rows of a set");

/* What userspace knows of an interface: the kernel's totals, and the sums of its flows. */
struct place {
    struct interface_key key;
    uint32_t slot;
    struct packets_balance balance[2];
    bool forgotten;
};

struct packets {
    struct tc_bpf *skeleton;
    struct program_set set;
    struct packets_options options;
    struct entries *flows, *drops;
    struct ring *troubles;
    int cpus;
    size_t totals_stride;   /* bytes from one CPU's totals to the next's */
    uint8_t *totals_buffer; /* all CPUs' */

    pthread_mutex_t lock; /* places */
    struct table places;
    bool slots[INTERFACES_MOST]; /* which are taken; 0 never is */
    size_t flow_count;
    uint64_t swept; /* time */

    const struct packets_sink *sink; /* during a round */
    uint64_t now;
    size_t round_flows;
};

static const char *const counter_names[] = {
    [COUNTER_FLOWS_FULL] = "flows_full",
    [COUNTER_INTERFACES_FULL] = "interfaces_full",
    [COUNTER_DROPS_FULL] = "drops_full",
    [COUNTER_DROPS_UNREADABLE] = "drops_unreadable",
    [COUNTER_DROPS_HOOK_UNTOLD] = "drops_hook_untold",
    [COUNTER_TROUBLES_LOST] = "troubles_lost",
    [COUNTER_REUSED_UNREPORTED] = "reused_unreported",
};
_Static_assert(sizeof(counter_names) / sizeof(counter_names[0]) == PACKET_COUNTER_KINDS, "each has a name");

const char *packets_counter_name(enum packet_counter counter) {
    return counter_names[counter];
}

/* ---- life ---- */

static void close_skeleton(void *context) {
    struct packets *packets = context;
    tc_bpf__destroy(packets->skeleton);
    packets->skeleton = NULL;
}

static struct bpf_object *open_skeleton(void *context) {
    struct packets *packets = context;
    packets->skeleton = tc_bpf__open();
    if (!packets->skeleton)
        return NULL;
    packets->skeleton->rodata->only_netns = packets->options.only_netns;
    if (packets->options.reasons)
        reasons_settings(packets->options.reasons, (struct drop_settings *)&packets->skeleton->rodata->drop_settings);
    bpf_map__set_max_entries(packets->skeleton->maps.flows, packets->options.flows_max);
    const struct sock_bpf *sockets = packets->options.sockets;
    int result = sockets ? bpf_map__reuse_fd(packets->skeleton->maps.owners, bpf_map__fd(sockets->maps.owners)) : 0;
    if (result) {
        close_skeleton(packets);
        errno = -result;
        return NULL;
    }
    return packets->skeleton->obj;
}

static int load_skeleton(void *context) {
    struct packets *packets = context;
    return tc_bpf__load(packets->skeleton);
}

/* Without the socket layer no socket has an owner, and the map of owners meets none. */
static bool is_needed(const struct program_set *set, int row) {
    const struct packets *packets = set->context;
    if (row == OWNED_SOCKETS)
        return packets->options.sockets;
    return row != HELD_SOCKETS || !packets->options.sockets || set->refused[OWNED_SOCKETS];
}

static const struct program_set_ops ops = {
    .rows = table,
    .count = PROGRAMS,
    .open = open_skeleton,
    .load = load_skeleton,
    .close = close_skeleton,
    .needed = is_needed,
};

static struct bpf_link *attach_one(struct packets *packets, int i) {
    union bpf_iter_link_info info = {.map.map_fd = bpf_map__fd(packets->skeleton->maps.owners)};
    LIBBPF_OPTS(bpf_iter_attach_opts, owned, .link_info = &info, .link_info_len = sizeof(info));
    struct bpf_program *program = program_set_at(&packets->set, i);
    if (table[i].hook == HOOK_TRACING)
        return bpf_program__attach(program);
    return bpf_program__attach_iter(program, i == OWNED_SOCKETS ? &owned : NULL);
}

static int attach(struct packets *packets, char *error, size_t error_size) {
    char reason[160];
    for (int i = 0; i < PROGRAMS; i++) {
        if (!program_set_wants(&packets->set, i))
            continue;
        const bool linked = table[i].hook == HOOK_TRACING || table[i].hook == HOOK_SOCKETS;
        if (linked)
            packets->set.links[i] = attach_one(packets, i);
        packets->set.list[i].attached = !linked || packets->set.links[i];
        if (packets->set.list[i].attached)
            continue;
        snprintf(reason, sizeof(reason), "cannot be attached: %s", strerror(errno));
        program_set_refuse(&packets->set, i, reason);
    }
    return program_set_require(&packets->set, error, error_size);
}

static int open_maps(struct packets *packets) {
    packets->cpus = libbpf_num_possible_cpus();
    if (packets->cpus < 0)
        return packets->cpus;
    packets->totals_stride = (sizeof(struct interface_totals) + 7) / 8 * 8;
    int fd = dup(bpf_map__fd(packets->skeleton->maps.troubles));
    int result = fd < 0 ? -errno : ring_new(fd, TROUBLES_BYTES, NULL, &packets->troubles);
    if (!result)
        result = entries_new(bpf_map__fd(packets->skeleton->maps.flows), sizeof(struct flow_key), sizeof(struct flow),
                             &packets->flows);
    packets->totals_buffer = calloc(packets->cpus, packets->totals_stride);
    if (!result && !packets->totals_buffer)
        result = -ENOMEM;
    if (!result)
        result = entries_new(bpf_map__fd(packets->skeleton->maps.drops), sizeof(struct drop_key),
                             sizeof(struct drop_totals), &packets->drops);
    return result;
}

int packets_new(const struct packets_options *options, struct packets **ret_packets, char *error, size_t error_size) {
    struct packets *packets = calloc(1, sizeof(*packets));
    if (!packets) {
        snprintf(error, error_size, "out of memory");
        return -ENOMEM;
    }
    packets->options = *options;
    if (!packets->options.flows_max)
        packets->options.flows_max = FLOWS_MAX;
    if (!packets->options.idle_ns)
        packets->options.idle_ns = IDLE_S * SECOND;
    pthread_mutex_init(&packets->lock, NULL);
    program_set_init(&packets->set, &ops, packets);
    int result = program_set_load(&packets->set, error, error_size);
    if (!result) {
        result = open_maps(packets);
        if (result)
            snprintf(error, error_size, "reading what packet programs count: %s", strerror(-result));
    }
    if (!result)
        result = attach(packets, error, error_size);
    if (result)
        packets_free(packets);
    else
        *ret_packets = packets;
    return result;
}

void packets_free(struct packets *packets) {
    if (!packets)
        return;
    for (size_t i = 0; i < packets->places.capacity; i++)
        free(packets->places.slots[i].value);
    table_done(&packets->places);
    entries_free(packets->flows);
    free(packets->totals_buffer);
    entries_free(packets->drops);
    ring_free(packets->troubles);
    program_set_done(&packets->set);
    pthread_mutex_destroy(&packets->lock);
    free(packets);
}

int packets_program(const struct packets *packets, enum flow_way way) {
    return bpf_program__fd(way == FLOW_INGRESS ? packets->skeleton->progs.packet_ingress
                                               : packets->skeleton->progs.packet_egress);
}

const struct live_program *packets_programs(const struct packets *packets, size_t *ret_count) {
    *ret_count = PROGRAMS;
    return packets->set.list;
}

/* ---- places ---- */

static struct place *place_of(struct packets *packets, const struct interface_key *key) {
    return table_get(&packets->places, (uint64_t)key->netns << 32 | key->ifindex);
}

static int clear_totals(struct packets *packets, uint32_t slot) {
    memset(packets->totals_buffer, 0, packets->cpus * packets->totals_stride);
    return bpf_map_update_elem(bpf_map__fd(packets->skeleton->maps.totals), &slot, packets->totals_buffer, BPF_ANY);
}

static int place_new(struct packets *packets, const struct interface_key *key, struct place **ret_place) {
    uint32_t slot = 1;
    while (slot < INTERFACES_MOST && packets->slots[slot])
        slot++;
    if (slot == INTERFACES_MOST)
        return -ENOSPC;
    struct place *place = calloc(1, sizeof(*place));
    int result = place ? clear_totals(packets, slot) : -ENOMEM;
    if (!result)
        result = table_put(&packets->places, (uint64_t)key->netns << 32 | key->ifindex, place);
    if (result) {
        free(place);
        return result;
    }
    place->key = *key;
    place->slot = slot;
    packets->slots[slot] = true;
    *ret_place = place;
    return 0;
}

static int set_link(struct packets *packets, const struct interface_key *interface, int link_netnsid) {
    __s32 id = link_netnsid;
    struct place *place = place_of(packets, interface);
    int result = place ? 0 : place_new(packets, interface, &place);
    if (result)
        return result;
    place->forgotten = false;
    const struct interface_place there = {.slot = place->slot};
    result = bpf_map_update_elem(bpf_map__fd(packets->skeleton->maps.interfaces), interface, &there, BPF_ANY);
    return result ? result
                  : bpf_map_update_elem(bpf_map__fd(packets->skeleton->maps.link_netns), interface, &id, BPF_ANY);
}

int packets_set_link(struct packets *packets, const struct interface_key *interface, int link_netnsid) {
    pthread_mutex_lock(&packets->lock);
    int result = set_link(packets, interface, link_netnsid);
    pthread_mutex_unlock(&packets->lock);
    return result;
}

void packets_forget(struct packets *packets, const struct interface_key *interface) {
    pthread_mutex_lock(&packets->lock);
    struct place *place = place_of(packets, interface);
    if (place)
        place->forgotten = true;
    bpf_map_delete_elem(bpf_map__fd(packets->skeleton->maps.interfaces), interface);
    bpf_map_delete_elem(bpf_map__fd(packets->skeleton->maps.link_netns), interface);
    pthread_mutex_unlock(&packets->lock);
}

static bool has_flows(const struct place *place) {
    return place->balance[FLOW_INGRESS].living.packets || place->balance[FLOW_EGRESS].living.packets;
}

/* Interfaces that are gone, whose last totals and flows have been shown. */
static void drop_forgotten(struct packets *packets) {
    for (size_t i = 0; i < packets->places.capacity; i++) {
        struct place *place = packets->places.slots[i].value;
        if (!place || !place->forgotten || has_flows(place))
            continue;
        packets->slots[place->slot] = false;
        table_remove(&packets->places, packets->places.slots[i].key);
        free(place);
        i--; /* another may have moved here */
    }
}

/* ---- a round ---- */

/* What each CPU has in a slot, added up. `buffer` has room for all of them. */
static int read_totals(const struct packets *packets, uint32_t slot, uint8_t *buffer,
                       struct interface_totals *ret_sum) {
    struct interface_totals sum = {0};
    if (bpf_map_lookup_elem(bpf_map__fd(packets->skeleton->maps.totals), &slot, buffer))
        return -errno;
    for (int cpu = 0; cpu < packets->cpus; cpu++) {
        const struct interface_totals *one = (const void *)(buffer + cpu * packets->totals_stride);
        for (int way = 0; way < 2; way++) {
            sum.packets[way] += one->packets[way];
            sum.bytes[way] += one->bytes[way];
            sum.overflow_packets[way] += one->overflow_packets[way];
            sum.overflow_bytes[way] += one->overflow_bytes[way];
            sum.malformed[way] += one->malformed[way];
        }
    }
    *ret_sum = sum;
    return 0;
}

int packets_totals(struct packets *packets, const struct interface_key *interface,
                   struct interface_totals *ret_totals) {
    uint8_t *buffer = calloc(packets->cpus, packets->totals_stride);
    int result = buffer ? -ENOENT : -ENOMEM;
    pthread_mutex_lock(&packets->lock);
    const struct place *place = table_get(&packets->places, (uint64_t)interface->netns << 32 | interface->ifindex);
    if (buffer && place)
        result = read_totals(packets, place->slot, buffer, ret_totals);
    pthread_mutex_unlock(&packets->lock);
    free(buffer);
    return result;
}

static int show_interface(struct packets *packets, struct place *place) {
    struct interface_totals sum;
    int result = read_totals(packets, place->slot, packets->totals_buffer, &sum);
    if (result)
        return result;
    for (int way = 0; way < 2; way++) {
        place->balance[way].total = (struct packets_sum){sum.packets[way], sum.bytes[way]};
        place->balance[way].overflow = (struct packets_sum){sum.overflow_packets[way], sum.overflow_bytes[way]};
    }
    packets->sink->interface(packets->sink->context, &place->key, &sum);
    return 0;
}

static int show_interfaces(struct packets *packets) {
    int result = 0;
    for (size_t i = 0; i < packets->places.capacity && !result; i++)
        if (packets->places.slots[i].value)
            result = show_interface(packets, packets->places.slots[i].value);
    return result;
}

static void add(struct packets_sum *sum, const struct flow *flow) {
    sum->packets += flow->packets;
    sum->bytes += flow->bytes;
}

static void show_flow(void *context, const void *key, const void *value) {
    struct packets *packets = context;
    const struct flow_key *flow_key = key;
    const struct flow *flow = value;
    bool gone = flow->leaving == FLOW_GONE;
    const struct interface_key interface = {.netns = flow_key->netns, .ifindex = flow_key->ifindex};
    struct place *place = flow_key->tunnel ? NULL : place_of(packets, &interface);
    if (place) {
        struct packets_balance *balance = &place->balance[flow_key->way & 1];
        add(gone ? &balance->deleted : &balance->living, flow);
    }
    packets->round_flows++;
    packets->sink->flow(packets->sink->context, flow_key, flow, gone);
    if (gone)
        bpf_map_delete_elem(bpf_map__fd(packets->skeleton->maps.flows), flow_key);
}

/* A packet dropped between the reading and the deletion of an entry that was silent for long goes with it. */
static void show_drop(void *context, const void *key, const void *value) {
    struct packets *packets = context;
    const struct drop_totals *totals = value;
    if (packets->options.reasons)
        reasons_note(packets->options.reasons, ((const struct drop_key *)key)->location);
    packets->sink->drop(packets->sink->context, key, totals);
    if (totals->last_time + packets->options.idle_ns < packets->now)
        bpf_map_delete_elem(bpf_map__fd(packets->skeleton->maps.drops), key);
}

static void show_trouble(void *context, const void *record, size_t size) {
    struct packets *packets = context;
    if (size >= sizeof(struct trouble))
        packets->sink->trouble(packets->sink->context, record, size);
}

/*
 * At most once a second: between two sweeps every program that ran during the first must have ended (bpf/tc/flow.h).
 */
static int sweep(struct packets *packets) {
    if (packets->now < packets->swept + SECOND)
        return 0;
    bool crowded = packets->flow_count > packets->options.flows_max / 4 * 3;
    uint64_t idle = packets->options.idle_ns;
    packets->swept = packets->now;
    packets->skeleton->bss->sweep_now = packets->now;
    packets->skeleton->bss->idle_ns = crowded ? idle / CROWDED_SHARE : idle;
    packets->skeleton->bss->closed_idle_ns = crowded ? 0 : idle / CLOSED_SHARE;
    LIBBPF_OPTS(bpf_test_run_opts, run);
    return bpf_prog_test_run_opts(bpf_program__fd(packets->skeleton->progs.sweep), &run) ? -errno : 0;
}

static void begin_sums(struct packets *packets) {
    for (size_t i = 0; i < packets->places.capacity; i++) {
        struct place *place = packets->places.slots[i].value;
        for (int way = 0; place && way < 2; way++)
            place->balance[way].living = (struct packets_sum){0};
    }
}

int packets_show(struct packets *packets, const struct packets_sink *sink, uint64_t now) {
    packets->sink = sink;
    packets->now = now;
    packets->round_flows = 0;
    ring_drain(packets->troubles, show_trouble, packets);
    int result = sweep(packets);
    pthread_mutex_lock(&packets->lock);
    begin_sums(packets);
    int flows = entries_each(packets->flows, show_flow, packets);
    int interfaces = show_interfaces(packets);
    int drops = entries_each(packets->drops, show_drop, packets);
    packets->flow_count = packets->round_flows;
    if (packets->options.reasons)
        reasons_resolve(packets->options.reasons);
    if (!flows)
        drop_forgotten(packets);
    pthread_mutex_unlock(&packets->lock);
    return result ? result : flows ? flows : interfaces ? interfaces : drops;
}

/* ---- sockets ---- */

static int read_all(int fd, void (*visit)(void *context, const struct socket_seen *socket), void *context) {
    struct socket_seen seen[64];
    size_t have = 0;
    for (;;) {
        ssize_t got = read(fd, (uint8_t *)seen + have, sizeof(seen) - have);
        if (got < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (got <= 0)
            return got ? -errno : 0;
        have += got;
        for (size_t i = 0; i < have / sizeof(seen[0]); i++)
            visit(context, &seen[i]);
        memmove(seen, (uint8_t *)seen + have / sizeof(seen[0]) * sizeof(seen[0]), have % sizeof(seen[0]));
        have %= sizeof(seen[0]);
    }
}

int packets_sockets(struct packets *packets, void (*visit)(void *context, const struct socket_seen *socket),
                    void *context) {
    const int row = packets->set.links[OWNED_SOCKETS] ? OWNED_SOCKETS : HELD_SOCKETS;
    if (!packets->set.links[row])
        return -EOPNOTSUPP;
    int fd = bpf_iter_create(bpf_link__fd(packets->set.links[row]));
    if (fd < 0)
        return -errno;
    int result = read_all(fd, visit, context);
    close(fd);
    return result;
}

/* ---- what is there ---- */

void packets_balance(struct packets *packets,
                     void (*visit)(void *context, const struct interface_key *interface, enum flow_way way,
                                   const struct packets_balance *balance),
                     void *context) {
    pthread_mutex_lock(&packets->lock);
    for (size_t i = 0; i < packets->places.capacity; i++) {
        const struct place *place = packets->places.slots[i].value;
        for (int way = 0; place && way < 2; way++)
            visit(context, &place->key, way, &place->balance[way]);
    }
    pthread_mutex_unlock(&packets->lock);
}

size_t packets_flow_count(const struct packets *packets) {
    return packets->flow_count;
}

void packets_counters(const struct packets *packets, uint64_t ret_counters[PACKET_COUNTER_KINDS]) {
    uint64_t *values = calloc(packets->cpus, sizeof(*values));
    for (uint32_t key = 0; key < PACKET_COUNTER_KINDS; key++) {
        ret_counters[key] = 0;
        if (!values || bpf_map_lookup_elem(bpf_map__fd(packets->skeleton->maps.packet_counters), &key, values))
            continue;
        for (int cpu = 0; cpu < packets->cpus; cpu++)
            ret_counters[key] += values[cpu];
    }
    free(values);
}
