/* SPDX-License-Identifier: Apache-2.0 */
/* Standard output and files: one JSON object a line. */
#include <errno.h>
#include <stdbool.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>

#include "sink.h"

struct file_sink {
    FILE *stream;
    char *name;
    bool complained; /* since the last write that went well */
};

static int open_stream(FILE *stream, const char *name, void **ret_sink, char *error, size_t error_size) {
    struct file_sink *sink = calloc(1, sizeof(*sink));
    char *copy = strdup(name);
    if (!sink || !copy) {
        snprintf(error, error_size, "out of memory");
        free(sink);
        free(copy);
        return -ENOMEM;
    }
    *sink = (struct file_sink){.stream = stream, .name = copy};
    *ret_sink = sink;
    return 0;
}

static int stdout_open(const char *argument, void **ret_sink, char *error, size_t error_size) {
    (void)argument;
    return open_stream(stdout, "stdout", ret_sink, error, error_size);
}

static int file_open(const char *path, void **ret_sink, char *error, size_t error_size) {
    FILE *stream = fopen(path, "ae");
    if (!stream) {
        int result = -errno;
        snprintf(error, error_size, "%s", strerror(errno));
        return result;
    }
    int result = open_stream(stream, path, ret_sink, error, error_size);
    if (result < 0)
        fclose(stream);
    return result;
}

static enum sink_status file_write(void *context, const struct sink_record *records, size_t count, size_t *ret_taken) {
    struct file_sink *sink = context;
    for (size_t i = 0; i < count; i++)
        fwrite(records[i].bytes, 1, records[i].length, sink->stream);
    if (!fflush(sink->stream) && !ferror(sink->stream)) {
        sink->complained = false;
        *ret_taken = count;
        return SINK_OK;
    }
    if (!sink->complained)
        fprintf(stderr, "weft: records cannot be written to %s: %s\n", sink->name, strerror(errno));
    sink->complained = true;
    __fpurge(sink->stream);
    clearerr(sink->stream);
    *ret_taken = 0; /* some may be there: dropped counts the whole batch */
    return SINK_FAIL;
}

static void file_flush(void *context) {
    (void)context; /* every write flushes */
}

static void file_close(void *context) {
    struct file_sink *sink = context;
    if (sink->stream != stdout)
        fclose(sink->stream);
    free(sink->name);
    free(sink);
}

const struct sink_ops sink_stdout = {
    .name = "stdout",
    .help = "one JSON object per line",
    .open = stdout_open,
    .write = file_write,
    .flush = file_flush,
    .close = file_close,
};

const struct sink_ops sink_file = {
    .name = "file",
    .argument = "PATH",
    .help = "the same, appended to a file",
    .open = file_open,
    .write = file_write,
    .flush = file_flush,
    .close = file_close,
};
