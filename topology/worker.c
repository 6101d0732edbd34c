/* SPDX-License-Identifier: Apache-2.0 */
#include "worker.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    RECORDS_BETWEEN_LOOKS = 4096,
    DRAINS_AT_THE_END = 64, /* a ring that is filled faster than it is read would never be empty */
    LOOKS_AT_THE_END = 256  /* the same, within one drain */
};

#define WAIT_NS 60000000000ULL /* records and requests wake a worker; nothing else is to be done */

enum task { TASK_PLAN, TASK_RUNNING, TASK_FORMER, TASK_ENDED, TASK_DRAINED };

struct worker {
    struct workers *all;
    unsigned ring;
    unsigned served; /* the request it has seen last */
    uint32_t records;
    unsigned looks; /* since a request that it put off until its ring is empty */
    struct edges edges;
    struct connections *connections;
    struct workers_totals totals; /* under the mutex */
    pthread_t thread;
    bool started;
};

struct workers {
    struct workers_options options;
    pthread_mutex_t mutex; /* of everything up to `busy` */
    pthread_cond_t done;
    struct window_clock clock;
    enum task task;
    struct edges merged;
    unsigned busy; /* workers that have not served the request yet */
    atomic_uint request;
    atomic_bool stop;
    unsigned count;
    struct worker workers[];
};

static uint64_t monotonic(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void on_record(void *context, const void *record, size_t size);

static void drain_to_the_end(struct worker *worker) {
    const struct worker_source *source = &worker->all->options.source;
    for (int i = 0; i < DRAINS_AT_THE_END && source->drain(source->context, worker->ring, on_record, worker); i++)
        ;
}

/* Under the mutex. */
static void merge(struct worker *worker, enum edges_part part) {
    struct workers *all = worker->all;
    edges_merge(&all->merged, &worker->edges, part);
    worker->totals.losses = *connections_losses(worker->connections);
    worker->totals.traffic = *connections_traffic(worker->connections);
    worker->totals.edges_refused = worker->edges.refused;
    worker->totals.edges_evicted = worker->edges.evicted_early;
    if (!--all->busy)
        pthread_cond_signal(&all->done);
}

static bool on_session(void *context, const struct session_key *key, const struct session_totals *totals) {
    const struct worker *worker = context;
    return connections_session(worker->connections, key, totals, false);
}

/* A window has just ended: what UDP moved in it. */
static void count_sessions(struct worker *worker) {
    const struct worker_source *source = &worker->all->options.source;
    if (worker->ring || !source->sessions)
        return;
    source->sessions(source->context, on_session, worker);
    connections_sessions_shown(worker->connections);
}

/* Within a drain, the ring holds more that is as old as the last record that it showed. */
static void settle(struct worker *worker, enum task task, bool draining) {
    uint64_t now = draining ? connections_latest(worker->connections) : monotonic();
    if (task == TASK_DRAINED)
        connections_settle(worker->connections, UINT64_MAX);
    else if (now > CONNECTION_GRACE_NS)
        connections_settle(worker->connections, now - CONNECTION_GRACE_NS);
}

/* `draining`: called from within a drain, in which the ring must not be drained. */
static void serve(struct worker *worker, bool draining) {
    struct workers *all = worker->all;
    pthread_mutex_lock(&all->mutex);
    unsigned request = all->request;
    struct window_clock clock = all->clock;
    enum task task = all->task;
    pthread_mutex_unlock(&all->mutex);
    if (task == TASK_DRAINED && draining && ++worker->looks < LOOKS_AT_THE_END)
        return;
    worker->served = request;
    if (task == TASK_DRAINED && !draining)
        drain_to_the_end(worker);
    settle(worker, task, draining);
    edges_plan(&worker->edges, &clock);
    if (task == TASK_PLAN || task == TASK_DRAINED)
        count_sessions(worker);
    if (task == TASK_PLAN)
        return;
    if (task == TASK_DRAINED && !draining) { /* what was counted may be of sockets that the ring tells of only now */
        drain_to_the_end(worker);
        connections_settle(worker->connections, UINT64_MAX);
    }
    if (task == TASK_ENDED || task == TASK_DRAINED)
        connections_tick(worker->connections, monotonic());
    pthread_mutex_lock(&all->mutex);
    merge(worker, task == TASK_RUNNING ? EDGES_RUNNING : task == TASK_FORMER ? EDGES_FORMER : EDGES_ENDED);
    pthread_mutex_unlock(&all->mutex);
}

static void dispatch(struct worker *worker, const void *record) {
    struct connections *connections = worker->connections;
    const struct record_session *session = record;
    uint32_t kind;
    memcpy(&kind, record, sizeof(kind));
    switch ((enum record_kind)kind) {
    case RECORD_DATA:
        connections_data(connections, record, (const uint8_t *)record + sizeof(struct record_data));
        return;
    case RECORD_OPENED:
        connections_opened(connections, record);
        return;
    case RECORD_CLOSED:
        connections_closed(connections, record);
        return;
    case RECORD_DATAGRAM:
        connections_datagram(connections, record, (const uint8_t *)record + sizeof(struct record_datagram));
        return;
    case RECORD_SESSION:
        connections_session(connections, &session->key, &session->totals, true);
        return;
    case RECORD_PROGRESS:
        connections_progress(connections, record);
        return;
    case RECORD_TURNS:
        connections_turns(connections, record);
        return;
    case RECORD_FAILED:
        connections_failed(connections, record);
        return;
    default:
        return;
    }
}

static void on_record(void *context, const void *record, size_t size) {
    struct worker *worker = context;
    (void)size;
    dispatch(worker, record);
    if (++worker->records % RECORDS_BETWEEN_LOOKS == 0 && atomic_load(&worker->all->request) != worker->served)
        serve(worker, true);
}

static void *work(void *argument) {
    struct worker *worker = argument;
    const struct worker_source *source = &worker->all->options.source;
    while (!atomic_load(&worker->all->stop)) {
        size_t records = source->drain(source->context, worker->ring, on_record, worker);
        if (atomic_load(&worker->all->request) != worker->served)
            serve(worker, false);
        else if (!records)
            source->wait(source->context, worker->ring, WAIT_NS);
    }
    return NULL;
}

static void nothing(int signal) {
    (void)signal;
}

/* So that a worker that waits, or is about to, looks up. */
static void wake(struct workers *all) {
    for (unsigned i = 0; i < all->count; i++)
        if (all->workers[i].started)
            pthread_kill(all->workers[i].thread, SIGUSR1);
}

/* The signal that wakes it is taken while it waits; every other one is for somebody else. */
static int start_thread(struct worker *worker) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int result = -pthread_create(&worker->thread, NULL, work, worker);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    worker->started = !result;
    return result;
}

/* Of a limit of all workers. Connections are spread by a hash, so each has about as many. */
static size_t part(size_t limit, unsigned count) {
    return (limit + count - 1) / count;
}

static int start(struct worker *worker) {
    const struct workers_options *given = &worker->all->options;
    struct connection_options options = given->connection;
    options.limit = part(options.limit, given->count);
    options.held_bytes = part(options.held_bytes, given->count);
    edges_init(&worker->edges, part(given->edges_max, given->count));
    edges_plan(&worker->edges, &worker->all->clock);
    options.edges = &worker->edges;
    int result = connections_new(&options, &worker->connections);
    return result ? result : start_thread(worker);
}

int workers_new(const struct workers_options *options, const struct window_clock *clock, struct workers **ret_workers) {
    struct workers *all = calloc(1, sizeof(*all) + options->count * sizeof(all->workers[0]));
    int result = 0;
    if (!all)
        return -ENOMEM;
    sigaction(SIGUSR1, &(struct sigaction){.sa_handler = nothing}, NULL);
    all->options = *options;
    all->clock = *clock;
    pthread_mutex_init(&all->mutex, NULL);
    pthread_cond_init(&all->done, NULL);
    edges_init(&all->merged, options->edges_max);
    for (unsigned i = 0; i < options->count && !result; i++) {
        all->workers[i].all = all;
        all->workers[i].ring = i;
        all->count = i + 1;
        result = start(&all->workers[i]);
    }
    if (result) {
        workers_free(all);
        return result;
    }
    *ret_workers = all;
    return 0;
}

void workers_free(struct workers *all) {
    if (!all)
        return;
    atomic_store(&all->stop, true);
    wake(all);
    for (unsigned i = 0; i < all->count; i++) {
        struct worker *worker = &all->workers[i];
        if (worker->started)
            pthread_join(worker->thread, NULL);
        connections_free(worker->connections);
        edges_done(&worker->edges);
    }
    edges_done(&all->merged);
    pthread_cond_destroy(&all->done);
    pthread_mutex_destroy(&all->mutex);
    free(all);
}

/* Under the mutex. */
static void ask(struct workers *all, const struct window_clock *clock, enum task task) {
    all->clock = *clock;
    all->task = task;
    all->busy = all->count;
    atomic_fetch_add(&all->request, 1);
}

void workers_plan(struct workers *all, const struct window_clock *clock) {
    pthread_mutex_lock(&all->mutex);
    ask(all, clock, TASK_PLAN);
    pthread_mutex_unlock(&all->mutex);
    wake(all);
}

struct edges *workers_merge(struct workers *all, const struct window_clock *clock, enum edges_part part, bool drained) {
    pthread_mutex_lock(&all->mutex);
    ask(all, clock,
        part == EDGES_RUNNING  ? TASK_RUNNING
        : part == EDGES_FORMER ? TASK_FORMER
        : drained              ? TASK_DRAINED
                               : TASK_ENDED);
    wake(all);
    while (all->busy)
        pthread_cond_wait(&all->done, &all->mutex);
    pthread_mutex_unlock(&all->mutex);
    return &all->merged;
}

_Static_assert(sizeof(struct workers_totals) % sizeof(uint64_t) == 0, "counters and nothing else");

void workers_totals(const struct workers *all, struct workers_totals *ret_totals) {
    *ret_totals = (struct workers_totals){.edges_refused = all->merged.refused};
    for (unsigned i = 0; i < all->count; i++) {
        const uint64_t *values = (const uint64_t *)&all->workers[i].totals;
        uint64_t *sums = (uint64_t *)ret_totals;
        for (size_t k = 0; k < sizeof(*ret_totals) / sizeof(uint64_t); k++)
            sums[k] += values[k];
    }
}
