/* SPDX-License-Identifier: Apache-2.0 */
/* Drives a parser as the engine does and writes down what it reports, one line for each report. */
#ifndef WEFT_TESTS_UNIT_PARSER_HARNESS_H
#define WEFT_TESTS_UNIT_PARSER_HARNESS_H

#include "protocols/protocol.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

struct stream {
    uint8_t kept[65536];
    size_t length;
    uint64_t skip;
    bool skipped;
    enum parse_status status;
};

struct harness {
    struct parser_output output; /* first, so that reports find the harness */
    const struct protocol *protocol;
    void *state;
    size_t piece; /* bytes shown at a time; 0: all */
    struct stream streams[2];
    char log[2][8192]; /* by direction */
};

static inline void harness_log(struct harness *harness, enum direction direction, const char *format, ...) {
    char *log = harness->log[direction];
    size_t used = strlen(log);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(log + used, sizeof harness->log[0] - used, format, arguments);
    va_end(arguments);
}

#define SLICE(s) (int)(s).length, (s).length > 0 ? (s).data : ""

static inline void harness_begin(struct parser_output *self, enum direction direction, const struct message *message) {
    struct harness *harness = (struct harness *)self;
    if (direction == DIRECTION_REQUEST)
        harness_log(harness, direction, "%.*s|%.*s|%s%s%u(", SLICE(message->operation), SLICE(message->endpoint),
                    message->flags & MESSAGE_ONEWAY ? "o" : "", message->flags & MESSAGE_WAITING ? "w" : "",
                    (unsigned)message->id);
    else
        harness_log(harness, direction, "%d|%.*s|%u(", (int)message->status, SLICE(message->code),
                    (unsigned)message->id);
}

static inline void harness_end(struct parser_output *self, enum direction direction) {
    harness_log((struct harness *)self, direction, ")\n");
}

static inline void harness_name(struct parser_output *self, struct slice host, const uint8_t *address, size_t length,
                                uint32_t ttl) {
    harness_log((struct harness *)self, DIRECTION_RESPONSE, "name %.*s %u..%u/%zu %u\n", SLICE(host), address[0],
                address[length - 1], length, ttl);
}

static inline void harness_open(struct harness *harness, const struct protocol *protocol, size_t piece) {
    memset(harness, 0, sizeof *harness);
    harness->output = (struct parser_output){harness_begin, harness_end, harness_name};
    harness->protocol = protocol;
    harness->piece = piece;
    harness->state = calloc(1, protocol->state_size);
    assert_non_null(harness->state);
}

static inline void harness_close(struct harness *harness) {
    free(harness->state);
}

/* Shows what is kept, in memory of exactly that size, so that reading past it is seen. */
static inline void harness_parse(struct harness *harness, enum direction direction, bool gap) {
    struct stream *stream = &harness->streams[direction];
    uint8_t *exact = malloc(stream->length > 0 ? stream->length : 1);
    memcpy(exact, stream->kept, stream->length);
    struct parse_result result =
        harness->protocol->parse(harness->state, direction, exact, stream->length, gap, &harness->output);
    free(exact);
    assert_true(result.consumed <= stream->length);
    stream->status = result.status;
    stream->length -= result.consumed;
    memmove(stream->kept, stream->kept + result.consumed, stream->length);
    stream->skip = result.skip;
    stream->skipped = result.skip > 0;
    if (result.skip > 0) {
        size_t drop = stream->length < stream->skip ? stream->length : (size_t)stream->skip;
        stream->length -= drop;
        memmove(stream->kept, stream->kept + drop, stream->length);
        if (stream->skip != PARSE_SKIP_ALL)
            stream->skip -= drop;
    }
}

static inline void harness_piece(struct harness *harness, enum direction direction, const uint8_t *bytes, size_t size) {
    struct stream *stream = &harness->streams[direction];
    size_t drop = size < stream->skip ? size : (size_t)stream->skip;
    if (stream->skip != PARSE_SKIP_ALL)
        stream->skip -= drop;
    if (stream->skip > 0)
        return;
    if (stream->skipped) {
        stream->skipped = false;
        harness_parse(harness, direction, false);
    }
    if (stream->skip > 0 || size == drop)
        return;
    assert_true(stream->length + size - drop <= sizeof stream->kept);
    memcpy(stream->kept + stream->length, bytes + drop, size - drop);
    stream->length += size - drop;
    harness_parse(harness, direction, false);
}

static inline void harness_feed(struct harness *harness, enum direction direction, const void *bytes, size_t size) {
    const uint8_t *at = bytes;
    size_t piece = harness->piece > 0 ? harness->piece : size;
    for (size_t done = 0; done < size; done += piece)
        harness_piece(harness, direction, at + done, size - done < piece ? size - done : piece);
}

#define REQUEST(h, text) harness_feed((h), DIRECTION_REQUEST, (text), sizeof(text) - 1)
#define RESPONSE(h, text) harness_feed((h), DIRECTION_RESPONSE, (text), sizeof(text) - 1)

#endif
