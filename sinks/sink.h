/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where records go. Each sink that writes has a thread of its own behind a queue bounded in bytes, so that a slow or
 * absent one delays nobody and costs no more memory than its `queue`. The order within a sink is kept.
 *
 *   sinks_open or sinks_open_values, once a sink -> sinks_write, each window -> sinks_report -> sinks_close
 *
 * All of these belong to one thread. A sink is one file here and one line in the table in sink.c.
 */
#ifndef WEFT_SINKS_SINK_H
#define WEFT_SINKS_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "batch.h"
#include "json.h"
#include "report.h"
#include "settings.h"

enum { SINK_LIMIT = 8, SINK_COUNTER_LIMIT = 16 };

enum sink_status {
    SINK_OK,
    SINK_RETRY, /* not now: the records not taken are offered again, a second later or when the sink has moved on */
    SINK_FAIL   /* the first one not taken would fail again: it is dropped, the rest is offered */
};

struct sink_ops {
    const char *name;
    const char *argument; /* its form in --help; NULL: takes none */
    const char *standard; /* argument if none is given; NULL: one must be given */
    const char *help;
    const struct sink_option *options; /* its own, besides the common ones; NULL: none */
    /*
     * Caller's thread, once, before anything is attached. 0 or a negative errno with `error` saying what, why and what
     * to do. `settings` outlives the sink.
     */
    int (*open)(const struct sink_settings *settings, void **ret_sink, char *error, size_t error_size);
    /* Own thread; may block. `ret_taken`: how many records, from the first on, are the sink's now. Copies what it
     * keeps. */
    enum sink_status (*write)(void *sink, const struct sink_record *records, size_t count, size_t *ret_taken);
    /* Own thread, after each write and ten times a second while it returns true (there is something to wait for). */
    bool (*flush)(void *sink);
    /* Instead of write: caller's thread, must not block. Sees `source`. */
    void (*observe)(void *sink, const struct sink_record *records, size_t count);
    /* Caller's thread. Cumulative since open; NULL: it has none. Returns how many it wrote, at most SINK_COUNTER_LIMIT.
     */
    size_t (*counters)(void *sink, struct counter *counters);
    /* Caller's thread. Adds what only the sink knows; NULL: nothing. */
    void (*report)(void *sink, struct sink_report *report);
    /* Own thread (caller's with observe), once: may wait until `deadline_ns` (CLOCK_MONOTONIC) for what is on its way.
     */
    void (*close)(void *sink, uint64_t deadline_ns);
};

extern const struct sink_ops sink_stdout, sink_file, sink_kafka, sink_prometheus;

/* Every kind, NULL at the end: for --help, configuration and documents. */
const struct sink_ops *const *sink_kinds(void);

struct outlet;
struct sinks {
    struct outlet *open[SINK_LIMIT];
    size_t count;
    size_t queue_bytes; /* of each that is not told its `queue`; 0: the option's own standard */
    uint64_t refused;   /* records that memory for the batch was refused for */
    struct sink_report reports[SINK_LIMIT];
};

/* `text` is KIND[:ARGUMENT][,NAME=VALUE]...; -EINVAL and -E2BIG are wrong usage. */
int sinks_open(struct sinks *sinks, const char *text, char *error, size_t error_size);
int sinks_open_values(struct sinks *sinks, const char *kind, const char *argument, const struct sink_value *values,
                      size_t count, char *error, size_t error_size);
bool sinks_take(const struct sinks *sinks, enum sink_record_kind kind); /* whether any of them gets such records */
void sinks_write(struct sinks *sinks, const struct batch *batch);
/* `sink_dropped`, then every sink's own; those of one name are added up. At most SINK_COUNTER_LIMIT. */
size_t sinks_counters(const struct sinks *sinks, struct counter *counters);
/* One for each sink; valid until the next call or sinks_close. */
const struct sink_report *sinks_report(struct sinks *sinks, size_t *ret_count);
/* Writes out what is queued for up to 10 s, all sinks at once; says and counts what is left. */
void sinks_close(struct sinks *sinks);
void sinks_help(FILE *out);

#endif
