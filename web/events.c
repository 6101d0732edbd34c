/* SPDX-License-Identifier: Apache-2.0 */
#include "events.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    STREAMS_MAX = 16,
    BLOCK_SIZE = 16 << 10,
    QUIET_TICKS = 10 /* after so many seconds without news a comment finds out whether the reader is still there */
};

static const uint64_t ranges_s[] = {10, 60, 300, 900, 3600};
enum { RANGES = sizeof(ranges_s) / sizeof(*ranges_s) };

struct text {
    unsigned references;
    uint64_t generation;
    size_t length;
    char *bytes;
};

struct stream {
    struct events *events;
    struct MHD_Connection *connection;
    size_t range;
    struct text *text; /* being sent; NULL: between two */
    size_t sent;
    uint64_t generation; /* of the text sent last */
    unsigned quiet;      /* ticks */
    bool suspended;
};

struct events {
    struct events_options options;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* the first stream came, or it is time to stop */
    pthread_t ticker;
    bool stopping;
    struct stream *streams[STREAMS_MAX];
    struct text *newest[RANGES];
    struct events_counters counters;
};

static void text_release(struct text *text) {
    if (text && !--text->references) {
        free(text->bytes);
        free(text);
    }
}

/* "data: ...\n\n" of the range as it is now. Called with the lock held. NULL when memory is refused. */
static struct text *text_now(struct events *events, size_t range, uint64_t generation) {
    static const char before[] = "event: map\ndata: ", after[] = "\n\n";
    struct text *text = events->newest[range];
    if (text && text->generation == generation)
        return text;
    size_t length;
    char *line = events->options.render(events->options.context, ranges_s[range] * 1000000000, &length);
    text = line ? calloc(1, sizeof(*text)) : NULL;
    if (text)
        text->bytes = malloc(sizeof(before) + length + sizeof(after));
    if (!text || !text->bytes) {
        free(text);
        free(line);
        return NULL;
    }
    text->length = (size_t)sprintf(text->bytes, "%s%s%s", before, line, after);
    free(line);
    text->generation = generation;
    text->references = 1;
    text_release(events->newest[range]);
    return events->newest[range] = text;
}

/* Gives the stream something to send; false: nothing is due. */
static bool next_text(struct stream *stream) {
    struct events *events = stream->events;
    uint64_t generation = events->options.generation(events->options.context);
    struct text *text = generation != stream->generation ? text_now(events, stream->range, generation) : NULL;
    if (!text)
        return false;
    text->references++;
    stream->text = text;
    stream->sent = 0;
    stream->generation = generation;
    stream->quiet = 0;
    return true;
}

static ssize_t copy(struct stream *stream, char *buffer, size_t size) {
    size_t left = stream->text->length - stream->sent, length = left < size ? left : size;
    memcpy(buffer, stream->text->bytes + stream->sent, length);
    stream->sent += length;
    if (length == left) {
        text_release(stream->text);
        stream->text = NULL;
    }
    return (ssize_t)length;
}

static ssize_t read_stream(void *context, uint64_t position, char *buffer, size_t size) {
    struct stream *stream = context;
    struct events *events = stream->events;
    ssize_t result = 0;
    (void)position;
    pthread_mutex_lock(&events->lock);
    if (events->stopping) {
        result = MHD_CONTENT_READER_END_OF_STREAM;
    } else if (stream->text || next_text(stream)) {
        result = copy(stream, buffer, size);
    } else if (stream->quiet >= QUIET_TICKS && size >= 3) {
        stream->quiet = 0;
        memcpy(buffer, ":\n\n", 3);
        result = 3;
    } else {
        stream->suspended = true;
        MHD_suspend_connection(stream->connection);
    }
    pthread_mutex_unlock(&events->lock);
    return result;
}

static void close_stream(void *context) {
    struct stream *stream = context;
    struct events *events = stream->events;
    pthread_mutex_lock(&events->lock);
    for (size_t i = 0; i < STREAMS_MAX; i++)
        if (events->streams[i] == stream)
            events->streams[i] = NULL;
    events->counters.streams--;
    text_release(stream->text);
    pthread_mutex_unlock(&events->lock);
    free(stream);
}

/* Called with the lock held. */
static void wake_streams(struct events *events) {
    for (size_t i = 0; i < STREAMS_MAX; i++) {
        struct stream *stream = events->streams[i];
        if (!stream)
            continue;
        stream->quiet++;
        if (stream->text && events->options.generation(events->options.context) != stream->generation)
            events->counters.skipped++;
        if (stream->suspended)
            MHD_resume_connection(stream->connection);
        stream->suspended = false;
    }
}

static void *tick(void *context) {
    struct events *events = context;
    struct timespec time;
    pthread_mutex_lock(&events->lock);
    while (!events->stopping) {
        if (!events->counters.streams) {
            pthread_cond_wait(&events->changed, &events->lock);
            continue;
        }
        clock_gettime(CLOCK_MONOTONIC, &time);
        time.tv_sec++;
        while (!events->stopping && pthread_cond_timedwait(&events->changed, &events->lock, &time) != ETIMEDOUT)
            ;
        wake_streams(events);
    }
    wake_streams(events);
    pthread_mutex_unlock(&events->lock);
    return NULL;
}

int events_new(const struct events_options *options, struct events **ret_events) {
    struct events *events = calloc(1, sizeof(*events));
    pthread_condattr_t attributes;
    if (!events)
        return -ENOMEM;
    events->options = *options;
    pthread_mutex_init(&events->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&events->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    int result = -pthread_create(&events->ticker, NULL, tick, events);
    if (result) {
        pthread_cond_destroy(&events->changed);
        pthread_mutex_destroy(&events->lock);
        free(events);
        return result;
    }
    *ret_events = events;
    return 0;
}

void events_stop(struct events *events) {
    pthread_mutex_lock(&events->lock);
    events->stopping = true;
    pthread_cond_signal(&events->changed);
    pthread_mutex_unlock(&events->lock);
    pthread_join(events->ticker, NULL);
}

void events_free(struct events *events) {
    if (!events)
        return;
    for (size_t i = 0; i < RANGES; i++)
        text_release(events->newest[i]);
    pthread_cond_destroy(&events->changed);
    pthread_mutex_destroy(&events->lock);
    free(events);
}

/* A place among the streams; false: all are taken. */
static bool admit(struct events *events, struct stream *stream) {
    bool admitted = false;
    pthread_mutex_lock(&events->lock);
    for (size_t i = 0; i < STREAMS_MAX && !admitted && !events->stopping; i++) {
        if (events->streams[i])
            continue;
        events->streams[i] = stream;
        events->counters.streams++;
        admitted = true;
    }
    if (!admitted)
        events->counters.refused++;
    pthread_cond_signal(&events->changed);
    pthread_mutex_unlock(&events->lock);
    return admitted;
}

struct MHD_Response *events_stream(struct events *events, struct MHD_Connection *connection, uint64_t range_ns,
                                   unsigned *ret_status) {
    struct stream *stream = calloc(1, sizeof(*stream));
    *ret_status = MHD_HTTP_SERVICE_UNAVAILABLE;
    if (!stream)
        return NULL;
    while (stream->range < RANGES && ranges_s[stream->range] * 1000000000 != range_ns)
        stream->range++;
    stream->generation = UINT64_MAX; /* none: the first text is due at once */
    stream->events = events;
    stream->connection = connection;
    if (stream->range == RANGES)
        *ret_status = MHD_HTTP_BAD_REQUEST;
    if (stream->range == RANGES || !admit(events, stream)) {
        free(stream);
        return NULL;
    }
    struct MHD_Response *response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_SIZE, read_stream, stream, close_stream);
    if (!response)
        close_stream(stream);
    return response;
}

void events_counters(struct events *events, struct events_counters *ret_counters) {
    pthread_mutex_lock(&events->lock);
    *ret_counters = events->counters;
    pthread_mutex_unlock(&events->lock);
}
