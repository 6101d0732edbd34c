/* SPDX-License-Identifier: Apache-2.0 */
#include "batch.h"

#include <stdlib.h>

static bool room(struct batch *batch) {
    if (batch->count < batch->capacity)
        return true;
    size_t capacity = batch->capacity ? 2 * batch->capacity : 64;
    struct sink_record *records = reallocarray(batch->records, capacity, sizeof(*records));
    if (!records)
        return false;
    batch->records = records;
    batch->capacity = capacity;
    return true;
}

void batch_add(struct batch *batch, enum sink_record_kind kind, uint64_t key, const void *source) {
    if (batch->writer.failed || !room(batch)) {
        batch->refused++;
        writer_cut(&batch->writer, batch->end);
        return;
    }
    /* The bytes may still move: batch_end gives them their address. */
    batch->records[batch->count++] =
        (struct sink_record){.kind = kind, .key = key, .length = batch->writer.length - batch->end, .source = source};
    batch->end = batch->writer.length;
}

void batch_end(struct batch *batch) {
    const char *bytes = batch->writer.bytes;
    for (size_t i = 0; i < batch->count; i++) {
        batch->records[i].bytes = bytes;
        bytes += batch->records[i].length;
    }
}

void batch_done(struct batch *batch) {
    writer_done(&batch->writer);
    free(batch->records);
    *batch = (struct batch){0};
}
