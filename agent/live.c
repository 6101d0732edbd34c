/* SPDX-License-Identifier: Apache-2.0 */
#include "live.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

#include "hierarchy.h"
#include "ring.h"
#include "sock.skel.h"

enum {
    CPUS_PER_RING = 8,
    SESSION_IDLE_S = 60,      /* a UDP session without a datagram for this long is over */
    SESSION_CROWDED_S = 5,    /* the same, when the table is more than half full */
    SESSIONS_PER_LOOK = 4096, /* read from the kernel at once */
    UNSENT_PER_LOOK = 1024,
    EVENTS_BYTES = 1 << 20, /* as in bpf/sock/state.h */
};

/* The programs, and what each is for: the table behind `weft check`. */
enum hook { HOOK_TRACEPOINT, HOOK_CGROUP, HOOK_ITERATOR };
static const struct {
    const char *name, *purpose;
    enum hook hook;
    int preferred; /* index of a program that makes this one needless when attached; -1: none */
} table[] = {
    {"socket_send", "sends, with their first bytes", HOOK_TRACEPOINT, -1},
    {"socket_receive", "receives, with their first bytes", HOOK_TRACEPOINT, -1},
    {"inet_send", "sends over IPv4 before Linux 6.3", HOOK_TRACEPOINT, 0},
    {"inet6_send", "sends over IPv6 before Linux 6.3", HOOK_TRACEPOINT, 0},
    {"inet_receive", "receives over IPv4 before Linux 6.3", HOOK_TRACEPOINT, 1},
    {"inet6_receive", "receives over IPv6 before Linux 6.3", HOOK_TRACEPOINT, 1},
    {"tcp_state", "connects, accepts, failures, closes", HOOK_TRACEPOINT, -1},
    {"stamp_socket", "the owner of each new socket", HOOK_CGROUP, -1},
    {"socket_released", "ends of UDP sessions", HOOK_CGROUP, -1},
    {"send_peer4", "peers of unconnected UDP sockets, sending over IPv4", HOOK_CGROUP, -1},
    {"send_peer6", "peers of unconnected UDP sockets, sending over IPv6", HOOK_CGROUP, -1},
    {"receive_peer4", "peers of unconnected UDP sockets, receiving over IPv4", HOOK_CGROUP, -1},
    {"receive_peer6", "peers of unconnected UDP sockets, receiving over IPv6", HOOK_CGROUP, -1},
    {"process_exec", "names of processes that live shortly", HOOK_TRACEPOINT, -1},
    {"cgroup_made", "names of containers that live shortly", HOOK_TRACEPOINT, -1},
    {"seed_owners", "owners of sockets that were open before", HOOK_ITERATOR, -1},
    {"seed_connections", "connections that were open before", HOOK_ITERATOR, -1},
    {"seed_datagrams", "UDP sockets that were open before", HOOK_ITERATOR, -1},
};
enum { PROGRAMS = sizeof(table) / sizeof(table[0]) };

struct live {
    struct sock_bpf *skeleton;
    struct ring *rings[RINGS_MAX], *events;
    unsigned ring_count;
    pthread_mutex_t events_lock;
    uint64_t unsent_seen[RINGS_MAX]; /* the kernel's count when a ring's thread last looked */
    struct live_program programs[PROGRAMS];
    struct bpf_link *links[PROGRAMS];
    struct bpf_link *connections; /* iterates over every TCP socket */
    int cgroup;
};

static const char *const counter_names[COUNTER_KINDS] = {
    "ring_full_opened",      "ring_full_data",  "ring_full_closed", "ring_full_other",
    "lost_turns_unreported", "storage_refused", "peers_full",       "payload_unreadable",
    "sessions_full",         "peer_unknown",    "unix_pairs_full",  "listeners_full",
};

const char *live_counter_name(enum kernel_counter counter) {
    return counter_names[counter];
}

const struct live_program *live_programs(const struct live *live, size_t *ret_count) {
    *ret_count = PROGRAMS;
    return live->programs;
}

static struct bpf_program *program_at(struct live *live, int i) {
    return bpf_object__find_program_by_name(live->skeleton->obj, table[i].name);
}

static bool needless(const struct live *live, int i) {
    return table[i].preferred >= 0 && live->programs[table[i].preferred].attached;
}

/* Loads one candidate set; a program that the kernel refuses is left out and the rest is tried again. */
static int open_skeleton(struct live *live, const struct live_options *options, const bool *wanted) {
    struct stat netns;
    live->skeleton = sock_bpf__open();
    if (!live->skeleton)
        return -errno;
    live->skeleton->rodata->self_tgid = getpid();
    live->skeleton->rodata->cgroup_subsystem = hierarchy_subsystem();
    if (options->only_this_netns && !stat("/proc/self/ns/net", &netns))
        live->skeleton->rodata->only_netns = netns.st_ino;
    live->skeleton->rodata->ring_mask = live->ring_count - 1;
    for (int i = 0; i < PROGRAMS; i++)
        bpf_program__set_autoload(program_at(live, i), wanted[i]);
    return sock_bpf__load(live->skeleton);
}

static int load(struct live *live, const struct live_options *options) {
    bool wanted[PROGRAMS];
    bool modern = libbpf_find_vmlinux_btf_id("sock_send_length", BPF_TRACE_RAW_TP) > 0;
    for (int i = 0; i < PROGRAMS; i++)
        wanted[i] = modern ? table[i].preferred < 0 : i > 1;
    if (!modern)
        for (int i = 0; i < 2; i++)
            snprintf(live->programs[i].reason, sizeof(live->programs[i].reason), "this kernel has no such tracepoint");
    return open_skeleton(live, options, wanted);
}

static void run_iterator(struct bpf_link *link) {
    char buffer[4096];
    int fd = bpf_iter_create(bpf_link__fd(link));
    while (fd >= 0 && read(fd, buffer, sizeof(buffer)) > 0)
        ;
    if (fd >= 0)
        close(fd);
}

static struct bpf_link *attach_one(struct live *live, int i) {
    struct bpf_program *program = program_at(live, i);
    switch (table[i].hook) {
    case HOOK_TRACEPOINT:
        return bpf_program__attach(program);
    case HOOK_CGROUP:
        errno = ENOENT;
        return live->cgroup < 0 ? NULL : bpf_program__attach_cgroup(program, live->cgroup);
    case HOOK_ITERATOR:
        return bpf_program__attach_iter(program, NULL);
    }
    return NULL;
}

static void attach(struct live *live) {
    for (int i = 0; i < PROGRAMS; i++) {
        struct live_program *state = &live->programs[i];
        if (!bpf_program__autoload(program_at(live, i))) {
            if (!state->reason[0])
                snprintf(state->reason, sizeof(state->reason), "not needed on this kernel");
            continue;
        }
        if (needless(live, i))
            continue;
        struct bpf_link *link = attach_one(live, i);
        if (!link) {
            snprintf(state->reason, sizeof(state->reason), "attach: %s", strerror(errno));
            continue;
        }
        state->attached = true;
        if (table[i].hook != HOOK_ITERATOR) {
            live->links[i] = link;
            continue;
        }
        run_iterator(link);
        if (!strcmp(table[i].name, "seed_connections")) {
            live->skeleton->bss->seed_phase = PHASE_CONNECTIONS;
            run_iterator(link);
            live->connections = link;
            continue;
        }
        bpf_link__destroy(link);
    }
}

void live_flush(struct live *live) {
    if (!live->connections)
        return;
    live->skeleton->bss->seed_phase = PHASE_PROGRESS;
    run_iterator(live->connections);
}

/* ---- rings ---- */

static unsigned default_rings(void) {
    unsigned rings = 1;
    while (rings < RINGS_MAX && rings * CPUS_PER_RING < (unsigned)get_nprocs())
        rings *= 2;
    return rings;
}

static int make_ring(struct live *live, uint32_t index, uint32_t bytes) {
    int fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "ring", 0, 0, bytes, NULL);
    if (fd < 0)
        return -errno;
    int result = bpf_map_update_elem(bpf_map__fd(live->skeleton->maps.rings), &index, &fd, BPF_ANY);
    if (!result)
        result = ring_new(fd, bytes, &live->skeleton->bss->sleeping[index], &live->rings[index]);
    if (result)
        close(fd);
    return result;
}

static int make_rings(struct live *live, uint32_t bytes) {
    int result = 0, events = dup(bpf_map__fd(live->skeleton->maps.events));
    for (unsigned i = 0; i < live->ring_count && !result; i++)
        result = make_ring(live, i, bytes);
    return result ? result : ring_new(events, EVENTS_BYTES, NULL, &live->events);
}

static int quiet(enum libbpf_print_level level, const char *format, va_list arguments) {
    return level == LIBBPF_WARN && getenv("WEFT_BPF_LOG") ? vfprintf(stderr, format, arguments) : 0;
}

static void explain(int result, char *error, size_t size) {
    if (result == -EPERM || result == -EACCES)
        snprintf(error, size,
                 "loading BPF programs: permission denied; run weft as root, or with CAP_BPF, CAP_PERFMON and "
                 "CAP_NET_ADMIN");
    else if (access("/sys/kernel/btf/vmlinux", R_OK))
        snprintf(
            error, size,
            "loading BPF programs: this kernel has no BTF (/sys/kernel/btf/vmlinux); weft needs CONFIG_DEBUG_INFO_BTF");
    else
        snprintf(error, size, "loading BPF programs: %s; set WEFT_BPF_LOG=1 for the verifier's words",
                 strerror(-result));
}

int live_new(const struct live_options *options, struct live **ret_live, char *error, size_t error_size) {
    libbpf_set_print(quiet);
    struct live *live = calloc(1, sizeof(*live));
    if (!live)
        return -ENOMEM;
    for (int i = 0; i < PROGRAMS; i++) {
        live->programs[i].name = table[i].name;
        live->programs[i].purpose = table[i].purpose;
    }
    live->cgroup = hierarchy_open_v2();
    live->ring_count = options->rings ? options->rings : default_rings();
    pthread_mutex_init(&live->events_lock, NULL);
    int result = load(live, options);
    if (result) {
        explain(result, error, error_size);
        live_free(live);
        return result;
    }
    result = make_rings(live, options->ring_bytes);
    if (result) {
        snprintf(error, error_size, "making %u rings of %u bytes: %s; ask for less with --ring", live->ring_count,
                 options->ring_bytes, strerror(-result));
        live_free(live);
        return result;
    }
    attach(live);
    *ret_live = live;
    return 0;
}

void live_free(struct live *live) {
    if (!live)
        return;
    for (int i = 0; i < PROGRAMS; i++)
        bpf_link__destroy(live->links[i]);
    bpf_link__destroy(live->connections);
    for (unsigned i = 0; i < RINGS_MAX; i++)
        ring_free(live->rings[i]);
    ring_free(live->events);
    sock_bpf__destroy(live->skeleton);
    if (live->cgroup >= 0)
        close(live->cgroup);
    free(live);
}

unsigned live_ring_count(const struct live *live) {
    return live->ring_count;
}

/* Takes the closes of `ring` that did not fit it; returns how many, in an array to be freed. */
static size_t take_unsent(struct live *live, unsigned ring, struct record_closed **ret_closes) {
    int map = bpf_map__fd(live->skeleton->maps.unsent);
    struct record_closed *closes = calloc(UNSENT_PER_LOOK, sizeof(*closes));
    uint64_t key, previous, *from = NULL;
    size_t count = 0;
    while (closes && count < UNSENT_PER_LOOK && !bpf_map_get_next_key(map, from, &key)) {
        struct unsent_close late;
        previous = key;
        from = &previous;
        if (bpf_map_lookup_elem(map, &key, &late) || late.ring != ring)
            continue;
        closes[count++] = late.closed;
    }
    for (size_t i = 0; i < count; i++) {
        key = closes[i].cookie;
        bpf_map_delete_elem(map, &key);
    }
    *ret_closes = closes;
    return count;
}

/* What stood in the map before the ring is drained comes after everything of its sockets that the ring holds. */
size_t live_drain(struct live *live, unsigned ring, live_record callback, void *context) {
    uint64_t unsent = __atomic_load_n(&live->skeleton->bss->unsent_count, __ATOMIC_RELAXED);
    struct record_closed *closes = NULL;
    size_t late = 0, shown;
    if (unsent != live->unsent_seen[ring]) {
        late = take_unsent(live, ring, &closes);
        if (late < UNSENT_PER_LOOK)
            live->unsent_seen[ring] = unsent;
    }
    shown = ring_drain(live->rings[ring], callback, context);
    for (size_t i = 0; i < late; i++)
        callback(context, &closes[i], sizeof(closes[i]));
    free(closes);
    return shown + late;
}

void live_wait(struct live *live, unsigned ring, uint64_t timeout_ns) {
    ring_wait(live->rings[ring], timeout_ns);
}

size_t live_drain_events(struct live *live, live_record callback, void *context) {
    pthread_mutex_lock(&live->events_lock);
    size_t shown = ring_drain(live->events, callback, context);
    pthread_mutex_unlock(&live->events_lock);
    return shown;
}

/* ---- totals kept in maps ---- */

/* Shows one run of the table; deletes what was idle for `idle_ns`. */
static void show_sessions(int map, const struct session_key *keys, const struct session_totals *totals, uint32_t count,
                          uint64_t idle_ns, live_session callback, void *context) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    uint64_t now = (uint64_t)time.tv_sec * 1000000000 + time.tv_nsec;
    for (uint32_t i = 0; i < count; i++) {
        callback(context, &keys[i], &totals[i]);
        if (totals[i].last_time + idle_ns < now)
            bpf_map_delete_elem(map, &keys[i]);
    }
}

void live_sessions(struct live *live, live_session callback, void *context) {
    int map = bpf_map__fd(live->skeleton->maps.sessions), result;
    uint32_t limit = bpf_map__max_entries(live->skeleton->maps.sessions), seen = 0, count, batch;
    void *from = NULL;
    struct session_key *keys = calloc(SESSIONS_PER_LOOK, sizeof(*keys));
    struct session_totals *totals = calloc(SESSIONS_PER_LOOK, sizeof(*totals));
    do {
        count = keys && totals ? SESSIONS_PER_LOOK : 0;
        result = count ? bpf_map_lookup_batch(map, from, &batch, keys, totals, &count, NULL) : -ENOMEM;
        if (result && errno != ENOENT)
            break;
        seen += count;
        uint64_t idle_s = seen > limit / 2 ? SESSION_CROWDED_S : SESSION_IDLE_S;
        show_sessions(map, keys, totals, count, idle_s * 1000000000, callback, context);
        from = &batch;
    } while (!result);
    free(keys);
    free(totals);
}

void live_unix(struct live *live, live_unix_pair callback, void *context) {
    int map = bpf_map__fd(live->skeleton->maps.unix_pairs);
    struct unix_pair key, *from = NULL;
    struct unix_totals totals;
    while (!bpf_map_get_next_key(map, from, &key)) {
        from = &key;
        if (!bpf_map_lookup_elem(map, &key, &totals))
            callback(context, &key, &totals);
    }
}

void live_counters(struct live *live, uint64_t ret_counters[COUNTER_KINDS]) {
    int cpus = libbpf_num_possible_cpus();
    uint64_t *values = calloc(cpus > 0 ? cpus : 1, sizeof(*values));
    for (uint32_t key = 0; values && key < COUNTER_KINDS; key++) {
        ret_counters[key] = 0;
        if (bpf_map_lookup_elem(bpf_map__fd(live->skeleton->maps.counters), &key, values))
            continue;
        for (int cpu = 0; cpu < cpus; cpu++)
            ret_counters[key] += values[cpu];
    }
    free(values);
}
