/* SPDX-License-Identifier: Apache-2.0 */
#include "outlet.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FLUSH_INTERVAL_NS 100000000ULL
#define RETRY_INTERVAL_NS 1000000000ULL
#define GRACE_NS 1000000000ULL /* after the deadline, for a close that has just begun to give up */

/* What one sinks_write brought: one allocation, the bytes behind the records. */
struct parcel {
    struct parcel *next;
    size_t count, size;
    struct sink_record records[];
};

struct outlet {
    const struct sink_ops *ops;
    struct sink_settings *settings;
    void *sink;
    unsigned kinds; /* bits of enum sink_record_kind */
    size_t limit;   /* bytes */
    pthread_t thread;
    pthread_mutex_t lock; /* what follows */
    pthread_cond_t wake;
    struct parcel *first, **last;
    size_t queued; /* bytes, the parcel that is being written included */
    bool stopping, said_full;
    uint64_t deadline_ns;
    struct sink_report report;
};

static uint64_t now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/* With the lock. False when `until_ns` has come. */
static bool sleep_until(struct outlet *outlet, uint64_t until_ns) {
    struct timespec time = {until_ns / 1000000000, until_ns % 1000000000};
    return pthread_cond_timedwait(&outlet->wake, &outlet->lock, &time) != ETIMEDOUT;
}

/* Lets the sink move on while it cannot take more. */
static void pause_between_tries(struct outlet *outlet) {
    bool busy = outlet->ops->flush && outlet->ops->flush(outlet->sink);
    uint64_t until = now_ns() + (busy ? FLUSH_INTERVAL_NS : RETRY_INTERVAL_NS);
    pthread_mutex_lock(&outlet->lock);
    if (outlet->stopping && outlet->deadline_ns < until)
        until = outlet->deadline_ns;
    bool stopping = outlet->stopping;
    while (outlet->stopping == stopping && sleep_until(outlet, until))
        ;
    pthread_mutex_unlock(&outlet->lock);
}

static bool time_is_up(struct outlet *outlet) {
    pthread_mutex_lock(&outlet->lock);
    bool up = outlet->stopping && now_ns() >= outlet->deadline_ns;
    pthread_mutex_unlock(&outlet->lock);
    return up;
}

static void account(struct outlet *outlet, uint64_t taken, uint64_t failed) {
    pthread_mutex_lock(&outlet->lock);
    outlet->report.taken += taken;
    outlet->report.failed += failed;
    pthread_mutex_unlock(&outlet->lock);
}

static void write_parcel(struct outlet *outlet, const struct parcel *parcel) {
    size_t at = 0;
    while (at < parcel->count) {
        size_t taken = 0;
        enum sink_status status = outlet->ops->write(outlet->sink, parcel->records + at, parcel->count - at, &taken);
        at += taken;
        bool refused = status == SINK_FAIL && at < parcel->count;
        at += refused;
        account(outlet, taken, refused);
        if (status != SINK_RETRY)
            continue;
        if (time_is_up(outlet)) {
            fprintf(stderr, "weft: sink %s: %zu records given up at the end\n", outlet->ops->name, parcel->count - at);
            account(outlet, 0, parcel->count - at);
            return;
        }
        pause_between_tries(outlet);
    }
}

/* With the lock: the next parcel, or NULL when all is written and the end has come. Calls flush without it. */
static struct parcel *next_parcel(struct outlet *outlet, bool busy) {
    while (!outlet->first && !outlet->stopping) {
        if (!busy) {
            pthread_cond_wait(&outlet->wake, &outlet->lock);
            continue;
        }
        if (sleep_until(outlet, now_ns() + FLUSH_INTERVAL_NS))
            continue;
        pthread_mutex_unlock(&outlet->lock);
        busy = outlet->ops->flush(outlet->sink);
        pthread_mutex_lock(&outlet->lock);
    }
    struct parcel *parcel = outlet->first;
    if (parcel) {
        outlet->first = parcel->next;
        if (!outlet->first)
            outlet->last = &outlet->first;
    }
    return parcel;
}

static void *run(void *context) {
    struct outlet *outlet = context;
    struct parcel *parcel;
    bool busy = outlet->ops->flush && outlet->ops->flush(outlet->sink);
    pthread_mutex_lock(&outlet->lock);
    while ((parcel = next_parcel(outlet, busy))) {
        pthread_mutex_unlock(&outlet->lock);
        write_parcel(outlet, parcel);
        busy = outlet->ops->flush && outlet->ops->flush(outlet->sink);
        pthread_mutex_lock(&outlet->lock);
        outlet->queued -= parcel->size;
        free(parcel);
    }
    uint64_t deadline = outlet->deadline_ns;
    pthread_mutex_unlock(&outlet->lock);
    outlet->ops->close(outlet->sink, deadline);
    return NULL;
}

/* How many records fit into the queue and how large they are as a parcel. */
static size_t measure(const struct outlet *outlet, const struct sink_record *records, size_t count, size_t free_bytes,
                      size_t *ret_size) {
    size_t size = sizeof(struct parcel), wanted = 0;
    for (size_t i = 0; i < count; i++) {
        if (!(outlet->kinds & 1u << records[i].kind))
            continue;
        size_t more = sizeof(*records) + records[i].length;
        if (size + more > free_bytes)
            break;
        size += more;
        wanted++;
    }
    *ret_size = size;
    return wanted;
}

static struct parcel *pack(const struct outlet *outlet, const struct sink_record *records, size_t wanted, size_t size) {
    /* NOLINTNEXTLINE(clang-analyzer-optin.portability.UnixAPI): wanted records have a size */
    struct parcel *parcel = wanted ? malloc(size) : NULL;
    if (!parcel)
        return NULL;
    *parcel = (struct parcel){.size = size};
    char *bytes = (char *)&parcel->records[wanted];
    for (size_t i = 0; parcel->count < wanted; i++) {
        if (!(outlet->kinds & 1u << records[i].kind))
            continue;
        struct sink_record *record = &parcel->records[parcel->count++];
        *record = records[i];
        record->source = NULL;
        record->bytes = memcpy(bytes, records[i].bytes, records[i].length);
        bytes += records[i].length;
    }
    return parcel;
}

static uint64_t matching(const struct outlet *outlet, const struct sink_record *records, size_t count) {
    uint64_t total = 0;
    for (size_t i = 0; i < count; i++)
        total += outlet->kinds >> records[i].kind & 1;
    return total;
}

bool outlet_takes(const struct outlet *outlet, enum sink_record_kind kind) {
    return outlet->kinds >> kind & 1;
}

void outlet_offer(struct outlet *outlet, const struct sink_record *records, size_t count) {
    uint64_t total = matching(outlet, records, count);
    size_t size;
    if (outlet->ops->observe) {
        outlet->ops->observe(outlet->sink, records, count);
        outlet->report.offered += total;
        outlet->report.taken += total;
        return;
    }
    pthread_mutex_lock(&outlet->lock);
    size_t free_bytes = outlet->limit > outlet->queued ? outlet->limit - outlet->queued : 0;
    pthread_mutex_unlock(&outlet->lock);
    size_t wanted = measure(outlet, records, count, free_bytes, &size);
    struct parcel *parcel = pack(outlet, records, wanted, size);
    uint64_t dropped = total - (parcel ? wanted : 0);
    pthread_mutex_lock(&outlet->lock);
    if (parcel) {
        *outlet->last = parcel;
        outlet->last = &parcel->next;
        outlet->queued += size;
    }
    outlet->report.offered += total;
    outlet->report.queue_full += dropped;
    bool say = dropped && !outlet->said_full;
    outlet->said_full = dropped;
    pthread_cond_signal(&outlet->wake);
    pthread_mutex_unlock(&outlet->lock);
    if (say)
        fprintf(stderr,
                "weft: sink %s: its queue of %zu KiB is full, records are dropped and counted in sink_dropped\n",
                outlet->ops->name, outlet->limit >> 10);
}

struct sink_report outlet_report(struct outlet *outlet) {
    pthread_mutex_lock(&outlet->lock);
    struct sink_report report = outlet->report;
    report.queued_bytes = outlet->queued;
    pthread_mutex_unlock(&outlet->lock);
    if (outlet->ops->report)
        outlet->ops->report(outlet->sink, &report);
    return report;
}

size_t outlet_counters(struct outlet *outlet, struct counter *counters) {
    return outlet->ops->counters ? outlet->ops->counters(outlet->sink, counters) : 0;
}

static void destroy(struct outlet *outlet) {
    while (outlet->first) {
        struct parcel *parcel = outlet->first;
        outlet->first = parcel->next;
        free(parcel);
    }
    pthread_mutex_destroy(&outlet->lock);
    pthread_cond_destroy(&outlet->wake);
    settings_free(outlet->settings);
    free(outlet);
}

/* Signals are for the main thread. */
static int start_thread(struct outlet *outlet) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int result = pthread_create(&outlet->thread, NULL, run, outlet);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -result;
}

int outlet_new(const struct sink_ops *ops, struct sink_settings *settings, struct outlet **ret_outlet, char *error,
               size_t error_size) {
    pthread_condattr_t monotonic;
    struct outlet *outlet = calloc(1, sizeof(*outlet));
    if (!outlet) {
        settings_free(settings);
        snprintf(error, error_size, "out of memory");
        return -ENOMEM;
    }
    *outlet = (struct outlet){.ops = ops, .settings = settings, .lock = PTHREAD_MUTEX_INITIALIZER};
    outlet->last = &outlet->first;
    outlet->kinds = settings_list(settings, "records");
    outlet->limit = settings_number(settings, "queue");
    outlet->report = (struct sink_report){.kind = ops->name, .argument = settings->argument};
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&outlet->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    int result = ops->open(settings, &outlet->sink, error, error_size);
    if (!result && !ops->observe && (result = start_thread(outlet))) {
        snprintf(error, error_size, "no thread: %s", strerror(-result));
        ops->close(outlet->sink, 0);
    }
    if (result) {
        destroy(outlet);
        return result;
    }
    *ret_outlet = outlet;
    return 0;
}

void outlet_stop(struct outlet *outlet, uint64_t deadline_ns) {
    pthread_mutex_lock(&outlet->lock);
    outlet->deadline_ns = deadline_ns;
    outlet->stopping = true;
    pthread_cond_signal(&outlet->wake);
    pthread_mutex_unlock(&outlet->lock);
}

void outlet_join(struct outlet *outlet) {
    if (outlet->ops->observe) {
        outlet->ops->close(outlet->sink, outlet->deadline_ns);
        destroy(outlet);
        return;
    }
    uint64_t until = outlet->deadline_ns + GRACE_NS;
    struct timespec time = {until / 1000000000, until % 1000000000};
    if (pthread_clockjoin_np(outlet->thread, NULL, CLOCK_MONOTONIC, &time)) {
        const struct sink_report report = outlet->report;
        fprintf(stderr, "weft: sink %s: stuck in a write, %llu records given up\n", outlet->ops->name,
                (unsigned long long)(report.offered - report.taken - report.queue_full - report.failed));
        return;
    }
    destroy(outlet);
}
