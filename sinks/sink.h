/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where records go. A batch holds the records of one window, rendered once; every open sink is handed the same bytes.
 *
 *   batch_begin, then per record: write to batch.stream, batch_add; batch_end; sinks_write; batch_done
 *
 * A sink is one file here and one line in the table in sink.c. Everything runs on the thread that drains the ring.
 */
#ifndef WEFT_SINKS_SINK_H
#define WEFT_SINKS_SINK_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "json.h"

enum { SINK_LIMIT = 8, SINK_COUNTER_LIMIT = 8 };

enum sink_record_kind { SINK_EDGE, SINK_AGENT };

struct sink_record {
    enum sink_record_kind kind;
    uint64_t key;      /* the edge's id or the agent's */
    const char *bytes; /* one JSON object and its newline; owned by the batch */
    size_t length;
};

struct batch {
    FILE *stream; /* open between batch_begin and batch_end */
    char *bytes;
    size_t length;
    struct sink_record *records;
    size_t count, capacity;
};

enum sink_status {
    SINK_OK,
    SINK_RETRY, /* full for now: the records not taken may be offered again */
    SINK_FAIL   /* they would fail again */
};

struct sink_ops {
    const char *name;
    const char *argument; /* its name in --help; NULL: takes none */
    const char *help;
    /* Once, before anything is attached. 0 or a negative errno with `error` saying what, why and what to do. */
    int (*open)(const char *argument, void **ret_sink, char *error, size_t error_size);
    /* Each window. `ret_taken`: how many records, from the first on, are the sink's now. Copies what it keeps. */
    enum sink_status (*write)(void *sink, const struct sink_record *records, size_t count, size_t *ret_taken);
    /* After each write, and between the two tries of a batch: moves things on without waiting for anybody. */
    void (*flush)(void *sink);
    /* Cumulative since open; NULL: it has none. Returns how many it wrote. */
    size_t (*counters)(void *sink, struct counter *counters);
    /* Once, at the end: may wait up to 10 s for what is queued. */
    void (*close)(void *sink);
};

extern const struct sink_ops sink_stdout, sink_file, sink_kafka;

struct sinks {
    struct {
        const struct sink_ops *ops;
        void *sink;
    } open[SINK_LIMIT];
    size_t count;
    uint64_t dropped; /* records that a sink did not take, each counted once a sink */
};

void batch_begin(struct batch *batch);
/* What was written to the stream since the last call is one record. */
void batch_add(struct batch *batch, enum sink_record_kind kind, uint64_t key);
void batch_end(struct batch *batch);
void batch_done(struct batch *batch);

/* `text` is KIND[:ARGUMENT]. */
int sinks_open(struct sinks *sinks, const char *text, char *error, size_t error_size);
/* A batch that a sink answers with RETRY is offered a second time at once; what is refused then is dropped. */
void sinks_write(struct sinks *sinks, const struct batch *batch);
/* `sink_dropped`, then every sink's own; those of one name are added up. At most SINK_COUNTER_LIMIT. */
size_t sinks_counters(const struct sinks *sinks, struct counter *counters);
void sinks_close(struct sinks *sinks);
void sinks_help(FILE *out);

#endif
