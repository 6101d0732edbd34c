/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Workers: one thread for each ring. Each owns the connections and edges of its ring; nothing is locked per record.
 *
 * workers_new starts them; workers_plan tells them of the running window; workers_merge has each add its edges to one
 * table, under one mutex, and returns that table when all have; workers_free stops them. These belong to one thread,
 * the caller's. The namer is called from any worker.
 *
 * A worker looks for a request between two drains, and every some thousand records within one.
 */
#ifndef WEFT_TOPOLOGY_WORKER_H
#define WEFT_TOPOLOGY_WORKER_H

#include "connection.h"

typedef void (*worker_record)(void *context, const void *record, size_t size);

/* True: the kernel need hold it no more. */
typedef bool (*worker_session)(void *context, const struct session_key *key, const struct session_totals *totals);

/* Where records come from. Each ring is used by one thread, its worker's. */
struct worker_source {
    void *context;
    /* Calls back for each record that waits; how many. */
    size_t (*drain)(void *context, unsigned ring, worker_record callback, void *callback_context);
    /*
     * Returns when the ring has something, the time is over, or a SIGUSR1 comes or has come: the worker keeps that
     * blocked, so that a request between its last look and the wait is not slept through.
     */
    void (*wait)(void *context, unsigned ring, uint64_t timeout_ns);
    /* Calls back for every UDP session with its totals; asked once a window, by the worker of ring 0. May be NULL. */
    void (*sessions)(void *context, worker_session callback, void *callback_context);
};

struct workers_options {
    unsigned count; /* of rings */
    struct worker_source source;
    struct connection_options connection; /* limits: of all together; `edges` is the worker's own */
    size_t edges_max;                     /* the same; the merged table may have as many */
};

/* Sums over the workers, as of the last merge. */
struct workers_totals {
    struct connection_losses losses;
    struct traffic traffic;
    uint64_t edges_refused, edges_evicted;
};

struct workers;
/* Negative errno. */
int workers_new(const struct workers_options *options, const struct window_clock *clock, struct workers **ret_workers);
/* Stops the threads; what they hold is lost unless it was merged. */
void workers_free(struct workers *workers);

void workers_plan(struct workers *workers, const struct window_clock *clock);
/*
 * EDGES_RUNNING: what the clock's running window holds so far. EDGES_FORMER: the same of the window before it, which
 * still takes calls. EDGES_ENDED: that window, after timeouts and with what its rings still hold if `drained`. The
 * caller empties the table (edges_clear).
 */
struct edges *workers_merge(struct workers *workers, const struct window_clock *clock, enum edges_part part,
                            bool drained);
void workers_totals(const struct workers *workers, struct workers_totals *ret_totals);

#endif
