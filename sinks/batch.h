/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The records of one window, rendered once for all sinks.
 *
 *   struct batch batch = {0};
 *   per record: write one line to batch.writer, then batch_add;   batch_end;   sinks_write;   batch_done
 *
 * One thread.
 */
#ifndef WEFT_SINKS_BATCH_H
#define WEFT_SINKS_BATCH_H

#include <stddef.h>
#include <stdint.h>

#include "writer.h"

/* In the order of the words that the option `records` allows. */
enum sink_record_kind { SINK_EDGE, SINK_WORKLOAD, SINK_JOIN, SINK_AGENT, SINK_CALL, SINK_FLOW, SINK_KINDS };

struct sink_record {
    enum sink_record_kind kind;
    uint64_t key;      /* records with equal keys meet in one Kafka partition: docs/records.md says which id it is */
    const char *bytes; /* one JSON object and its newline; owned by the batch */
    size_t length;
    const void *source; /* edge: const struct edge *; workload: const struct workload *; agent: const struct
                           agent_report *; else NULL. Caller's thread only */
};

struct batch {
    struct writer writer;
    struct sink_record *records;
    size_t count, capacity;
    size_t end;       /* of the last record added */
    uint64_t refused; /* records left out as memory was refused */
};

/* What was written since the last call is one record. */
void batch_add(struct batch *batch, enum sink_record_kind kind, uint64_t key, const void *source);
void batch_end(struct batch *batch);
void batch_done(struct batch *batch);

#endif
