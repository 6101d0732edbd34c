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
#include "hook.h"
#include "ring.h"
#include "sock.skel.h"

enum {
    CPUS_PER_RING = 8,
    SESSION_IDLE_S = 60,      /* a UDP session without a datagram for this long is over */
    SESSION_CROWDED_S = 5,    /* the same, when the table is more than half full */
    SESSIONS_PER_LOOK = 4096, /* read from the kernel at once */
    UNSENT_PER_LOOK = 1024,
    TELL_TRIES = 100,       /* times that open connections are gone through, for those that the ring had no room for */
    EVENTS_BYTES = 1 << 20, /* as in bpf/sock/state.h */
};

static const struct timespec tell_pause = {.tv_nsec = 20 * 1000 * 1000};

struct live {
    struct hooks *hooks;
    struct sock_bpf *skeleton; /* of `hooks` */
    struct ring *rings[RINGS_MAX], *events;
    unsigned ring_count;
    pthread_mutex_t events_lock;
    uint64_t unsent_seen[RINGS_MAX]; /* the kernel's count when a ring's thread last looked */
    uint64_t told_later;             /* open connections that the ring refused at first */
    int cgroup;
};

static const char *const counter_names[COUNTER_KINDS] = {
    "ring_full_opened", "ring_full_data", "ring_full_closed",   "ring_full_other", "lost_turns_unreported",
    "storage_refused",  "peers_full",     "payload_unreadable", "sessions_full",   "peer_unknown",
    "unix_pairs_full",  "listeners_full", "runs_missed",
};

const char *live_counter_name(enum kernel_counter counter) {
    return counter_names[counter];
}

const struct live_program *live_programs(const struct live *live, size_t *ret_count) {
    return hooks_list(live->hooks, ret_count);
}

const char *live_path(const struct live *live) {
    return hooks_path(live->hooks);
}

const struct sock_bpf *live_sockets(const struct live *live) {
    return live->skeleton;
}

void live_flush(struct live *live) {
    hooks_flush(live->hooks);
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

static void free_rings(struct live *live) {
    for (unsigned i = 0; i < RINGS_MAX; i++) {
        ring_free(live->rings[i]);
        live->rings[i] = NULL;
    }
    ring_free(live->events);
    live->events = NULL;
}

/* ---- life ---- */

static uint32_t own_netns(void) {
    struct stat netns;
    return stat("/proc/self/ns/net", &netns) ? 0 : netns.st_ino;
}

static int start(struct live *live, const struct live_options *options, char *error, size_t error_size) {
    const struct hook_settings settings = {
        .only_netns = options->only_this_netns ? own_netns() : 0,
        .ring_count = live->ring_count,
    };
    int result = hooks_load(live->hooks, &settings, error, error_size);
    if (result)
        return result;
    live->skeleton = hooks_skeleton(live->hooks);
    result = make_rings(live, options->ring_bytes);
    if (result) {
        snprintf(error, error_size, "making %u rings of %u bytes: %s; ask for less with --ring", live->ring_count,
                 options->ring_bytes, strerror(-result));
        return result;
    }
    return hooks_attach(live->hooks, live->cgroup, error, error_size);
}

int live_new(const struct live_options *options, struct live **ret_live, char *error, size_t error_size) {
    struct live *live = calloc(1, sizeof(*live));
    if (!live || hooks_new(&live->hooks) < 0) {
        free(live);
        snprintf(error, error_size, "out of memory");
        return -ENOMEM;
    }
    live->cgroup = hierarchy_open_v2();
    live->ring_count = options->rings ? options->rings : default_rings();
    pthread_mutex_init(&live->events_lock, NULL);
    int result;
    do {
        free_rings(live);
        result = start(live, options, error, error_size);
    } while (result == -EAGAIN);
    if (result) {
        live_free(live);
        return result;
    }
    *ret_live = live;
    return 0;
}

void live_free(struct live *live) {
    if (!live)
        return;
    free_rings(live);
    hooks_free(live->hooks);
    if (live->cgroup >= 0)
        close(live->cgroup);
    free(live);
}

/* Until what stands in the rings now has been drained by whoever does that. */
static void wait_until_shown(struct live *live) {
    uint64_t written[RINGS_MAX];
    int waits = 0;
    for (unsigned i = 0; i < live->ring_count; i++)
        written[i] = ring_written(live->rings[i]);
    for (unsigned i = 0; i < live->ring_count && waits < TELL_TRIES;)
        if (ring_shown(live->rings[i]) >= written[i])
            i++;
        else if (++waits)
            nanosleep(&tell_pause, NULL);
}

void live_tell_open(struct live *live) {
    for (int i = 0; i < TELL_TRIES; i++) {
        uint64_t refused = hooks_tell_open(live->hooks);
        if (!refused)
            break;
        if (i + 1 < TELL_TRIES) /* else those stay in the counter */
            live->told_later += refused;
        nanosleep(&tell_pause, NULL);
    }
    wait_until_shown(live);
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

/* Shows one run of the table; deletes what is over, or was idle for `idle_ns`. */
static void show_sessions(int map, const struct session_key *keys, const struct session_totals *totals, uint32_t count,
                          uint64_t idle_ns, live_session callback, void *context) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    uint64_t now = (uint64_t)time.tv_sec * 1000000000 + time.tv_nsec;
    for (uint32_t i = 0; i < count; i++) {
        bool over = callback(context, &keys[i], &totals[i]);
        if (over || totals[i].last_time + idle_ns < now)
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

void live_unix(struct live *live, struct live_unix_totals *ret_totals) {
    int map = bpf_map__fd(live->skeleton->maps.unix_pairs);
    uint32_t most = bpf_map__max_entries(live->skeleton->maps.unix_pairs);
    struct unix_pair key;
    struct unix_totals totals;
    *ret_totals = (struct live_unix_totals){0};
    /* Taking each pair out keeps processes that are gone from filling the table. */
    for (uint32_t i = 0; i < most && !bpf_map_get_next_key(map, NULL, &key); i++) {
        if (bpf_map_lookup_and_delete_elem(map, &key, &totals))
            continue;
        ret_totals->bytes += totals.bytes;
        ret_totals->operations += totals.operations;
        ret_totals->pairs++;
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
    ret_counters[COUNTER_RING_FULL_OPENED] -= live->told_later;
    uint64_t missed = hooks_missed(live->hooks), made_up_for = ret_counters[COUNTER_RUNS_MISSED];
    ret_counters[COUNTER_RUNS_MISSED] = missed > made_up_for ? missed - made_up_for : 0;
    free(values);
}

/* A map's line in its descriptor's fdinfo; 0 where the kernel has none. */
static size_t memory_of(int map) {
    char path[64], line[128];
    unsigned long bytes = 0;
    snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", map);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof(line), file))
        if (sscanf(line, "memlock: %lu", &bytes) == 1)
            break;
    if (file)
        fclose(file);
    return bytes;
}

void live_memory(const struct live *live, struct live_memory *ret_memory) {
    /* struct bpf_local_storage_elem without its value, and struct bpf_local_storage, one a socket; as of Linux 6.18 */
    enum { ELEMENT_BYTES = 72, STORAGE_BYTES = 176 };
    struct bpf_map *map;
    struct live_memory memory = {.socket_bytes = STORAGE_BYTES};
    bpf_object__for_each_map(map, hooks_skeleton(live->hooks)->obj) {
        if (bpf_map__type(map) == BPF_MAP_TYPE_SK_STORAGE)
            memory.socket_bytes += bpf_map__value_size(map) + ELEMENT_BYTES;
        memory.map_bytes += memory_of(bpf_map__fd(map));
    }
    for (unsigned i = 0; i < live->ring_count; i++)
        memory.map_bytes += memory_of(ring_fd(live->rings[i]));
    *ret_memory = memory;
}
