/* SPDX-License-Identifier: Apache-2.0 */
#include "sink.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct sink_ops *const kinds[] = {&sink_stdout, &sink_file, &sink_kafka};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

void batch_begin(struct batch *batch) {
    *batch = (struct batch){0};
    batch->stream = open_memstream(&batch->bytes, &batch->length);
    if (!batch->stream) {
        fprintf(stderr, "weft: out of memory\n");
        abort();
    }
}

void batch_add(struct batch *batch, enum sink_record_kind kind, uint64_t key) {
    if (batch->count == batch->capacity) {
        size_t capacity = batch->capacity ? 2 * batch->capacity : 64;
        struct sink_record *records = reallocarray(batch->records, capacity, sizeof(*records));
        if (!records) {
            fprintf(stderr, "weft: out of memory\n");
            abort();
        }
        batch->records = records;
        batch->capacity = capacity;
    }
    /* The bytes may still move: until batch_end `length` is where the record ends. */
    batch->records[batch->count++] = (struct sink_record){kind, key, NULL, ftell(batch->stream)};
}

void batch_end(struct batch *batch) {
    size_t start = 0;
    fclose(batch->stream);
    batch->stream = NULL;
    for (size_t i = 0; i < batch->count; i++) {
        struct sink_record *record = &batch->records[i];
        size_t end = record->length;
        record->bytes = batch->bytes + start;
        record->length = end - start;
        start = end;
    }
}

void batch_done(struct batch *batch) {
    free(batch->bytes);
    free(batch->records);
    *batch = (struct batch){0};
}

static const struct sink_ops *find(const char *text, size_t length) {
    for (size_t i = 0; i < KINDS; i++)
        if (strlen(kinds[i]->name) == length && !memcmp(kinds[i]->name, text, length))
            return kinds[i];
    return NULL;
}

static int not_understood(char *error, size_t error_size) {
    size_t used = snprintf(error, error_size, "not understood; allowed:");
    for (size_t i = 0; i < KINDS && used < error_size; i++)
        used += snprintf(error + used, error_size - used, "%s %s%s%s", i ? "," : "", kinds[i]->name,
                         kinds[i]->argument ? ":" : "", kinds[i]->argument ? kinds[i]->argument : "");
    return -EINVAL;
}

int sinks_open(struct sinks *sinks, const char *text, char *error, size_t error_size) {
    const char *colon = strchrnul(text, ':');
    const char *argument = *colon ? colon + 1 : NULL;
    const struct sink_ops *ops = find(text, colon - text);
    if (!ops || !ops->argument != !argument || (argument && !*argument))
        return not_understood(error, error_size);
    if (sinks->count == SINK_LIMIT) {
        snprintf(error, error_size, "more than %d sinks", SINK_LIMIT);
        return -E2BIG;
    }
    void *sink = NULL;
    int result = ops->open(argument, &sink, error, error_size);
    if (result < 0)
        return result;
    sinks->open[sinks->count].ops = ops;
    sinks->open[sinks->count++].sink = sink;
    return 0;
}

void sinks_write(struct sinks *sinks, const struct batch *batch) {
    for (size_t i = 0; i < sinks->count; i++) {
        const struct sink_ops *ops = sinks->open[i].ops;
        void *sink = sinks->open[i].sink;
        size_t taken = 0, more = 0;
        if (ops->write(sink, batch->records, batch->count, &taken) == SINK_RETRY) {
            ops->flush(sink);
            ops->write(sink, batch->records + taken, batch->count - taken, &more);
        }
        sinks->dropped += batch->count - taken - more;
        ops->flush(sink);
    }
}

static size_t add(struct counter *counters, size_t count, const struct counter *counter) {
    size_t i = 0;
    while (i < count && strcmp(counters[i].name, counter->name))
        i++;
    if (i == SINK_COUNTER_LIMIT)
        return count;
    if (i == count)
        counters[count++] = (struct counter){counter->name, 0};
    counters[i].value += counter->value;
    return count;
}

size_t sinks_counters(const struct sinks *sinks, struct counter *counters) {
    size_t count = add(counters, 0, &(struct counter){"sink_dropped", sinks->dropped});
    for (size_t i = 0; i < sinks->count; i++) {
        struct counter own[SINK_COUNTER_LIMIT];
        size_t owned = sinks->open[i].ops->counters ? sinks->open[i].ops->counters(sinks->open[i].sink, own) : 0;
        for (size_t k = 0; k < owned; k++)
            count = add(counters, count, &own[k]);
    }
    return count;
}

void sinks_close(struct sinks *sinks) {
    for (size_t i = 0; i < sinks->count; i++)
        sinks->open[i].ops->close(sinks->open[i].sink);
    sinks->count = 0;
}

void sinks_help(FILE *out) {
    for (size_t i = 0; i < KINDS; i++) {
        char form[32];
        snprintf(form, sizeof(form), "%s%s%s", kinds[i]->name, kinds[i]->argument ? ":" : "",
                 kinds[i]->argument ? kinds[i]->argument : "");
        fprintf(out, "  %-28s %s\n", form, kinds[i]->help);
    }
}
