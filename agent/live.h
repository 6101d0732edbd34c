/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The live source: loads and attaches the socket layer, and yields its records in order.
 *
 * live_new loads every program on its own merits and attaches it; what is refused is told by live_programs, with why.
 * Then, on one thread for each ring: live_wait, live_drain, live_wait... All records of one connection, of both its
 * ends, come through one ring; all of UDP comes through ring 0. live_free detaches everything (all of it is links, so
 * the kernel does the same when the process dies).
 *
 * live_drain, live_wait and live_sessions: one thread at a time for each ring. The rest: any thread.
 */
#ifndef WEFT_AGENT_LIVE_H
#define WEFT_AGENT_LIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/record.h"
#include "hook.h"

struct live_options {
    uint32_t ring_bytes; /* of each ring: a power of two, a multiple of the page size */
    unsigned rings;      /* a power of two, at most RINGS_MAX; 0: one for each eight CPUs */
    bool only_this_netns;
};

struct live;
struct sock_bpf;
/* Negative errno; `error` says what failed and what to do. */
int live_new(const struct live_options *options, struct live **ret_live, char *error, size_t error_size);
void live_free(struct live *live);

unsigned live_ring_count(const struct live *live);

/* Calls back for each record waiting and returns how many; never sleeps. */
typedef void (*live_record)(void *context, const void *record, size_t size);
size_t live_drain(struct live *live, unsigned ring, live_record callback, void *context);

/*
 * Sleeps until the ring holds something, the time is over, or a SIGUSR1 comes or has come, which the caller keeps
 * blocked. Costs no wake-up while nothing happens.
 */
void live_wait(struct live *live, unsigned ring, uint64_t timeout_ns);

/* Puts a RECORD_PROGRESS into the rings for each connection that moved since its last record: before the last drain. */
void live_flush(struct live *live);
/* Tells connections that were open before, once somebody drains the rings, and returns when they were drained. */
void live_tell_open(struct live *live);

/*
 * RECORD_EXEC and RECORD_CGROUP. A process's exec stands here before any record of its sockets stands in a ring, so
 * whoever meets an unknown owner calls this and looks again. Serialised by a lock of its own.
 */
size_t live_drain_events(struct live *live, live_record callback, void *context);

/*
 * Every UDP session of sockets that are open, with its cumulative totals; what was idle for long (60 s, less when the
 * table fills up) is deleted after it is shown. Once a window, on the thread of ring 0.
 */
/* True: it is over, and is taken out of the kernel's table. */
typedef bool (*live_session)(void *context, const struct session_key *key, const struct session_totals *totals);
void live_sessions(struct live *live, live_session callback, void *context);

/* What passed through AF_UNIX streams since this was last called. Once a window, one thread. */
struct live_unix_totals {
    uint64_t bytes, operations;
    uint32_t pairs; /* of processes */
};
void live_unix(struct live *live, struct live_unix_totals *ret_totals);

void live_counters(struct live *live, uint64_t ret_counters[COUNTER_KINDS]);
const struct live_program *live_programs(const struct live *live, size_t *ret_count);
/* The socket layer's skeleton, for whoever reads what it keeps on sockets. */
const struct sock_bpf *live_sockets(const struct live *live);
/* How sends and receives are seen on this kernel, in words. */
const char *live_path(const struct live *live);
/* Kernel memory: what hangs on each socket that weft knows, and what all maps and rings take, as the kernel counts it.
 */
struct live_memory {
    size_t socket_bytes, map_bytes;
};
void live_memory(const struct live *live, struct live_memory *ret_memory);
const char *live_counter_name(enum kernel_counter counter);

#endif
