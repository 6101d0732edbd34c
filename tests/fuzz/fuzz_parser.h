/* SPDX-License-Identifier: Apache-2.0 */
/* What the fuzz targets share: input is records of a control byte, a size byte and that many bytes. */
#ifndef WEFT_TESTS_FUZZ_FUZZ_PARSER_H
#define WEFT_TESTS_FUZZ_FUZZ_PARSER_H

#include "protocols/protocol.h"

#include <stdlib.h>
#include <string.h>

static long fuzz_open[2];
static volatile unsigned char fuzz_sink;

static void fuzz_touch(struct slice slice) {
    for (size_t i = 0; i < slice.length; i++)
        fuzz_sink ^= (unsigned char)slice.data[i];
}

static void fuzz_begin(struct parser_output *self, enum direction direction, const struct message *message) {
    (void)self;
    if (fuzz_open[direction]++ != 0)
        abort();
    fuzz_touch(message->operation);
    fuzz_touch(message->resource);
    fuzz_touch(message->endpoint);
    fuzz_touch(message->code);
}

static void fuzz_end(struct parser_output *self, enum direction direction) {
    (void)self;
    if (--fuzz_open[direction] != 0)
        abort();
}

static void fuzz_name(struct parser_output *self, struct slice host, const uint8_t *address, size_t length,
                      uint32_t ttl) {
    (void)self;
    (void)ttl;
    fuzz_touch(host);
    fuzz_touch((struct slice){(const char *)address, length});
}

struct fuzz_stream {
    uint8_t kept[16384];
    size_t length;
    bool stopped;
};

static void fuzz_show(const struct protocol *protocol, void *state, struct fuzz_stream *stream,
                      enum direction direction, bool gap, struct parser_output *output) {
    for (int round = 0; round < 64 && !stream->stopped; round++) {
        uint8_t *exact = malloc(stream->length + 1);
        memcpy(exact + 1, stream->kept, stream->length);
        protocol->probe(direction, exact + 1, stream->length);
        struct parse_result result = protocol->parse(state, direction, exact + 1, stream->length, gap, output);
        free(exact);
        if (result.consumed > stream->length)
            abort();
        uint64_t drop = result.skip;
        if (drop > stream->length - result.consumed)
            drop = stream->length - result.consumed;
        stream->length -= result.consumed + (size_t)drop;
        memmove(stream->kept, stream->kept + result.consumed + drop, stream->length);
        stream->stopped = result.status != PARSE_OK;
        if (result.skip == 0)
            return;
    }
}

static int fuzz_protocol(const struct protocol *protocol, const uint8_t *data, size_t size) {
    struct parser_output output = {fuzz_begin, fuzz_end, fuzz_name};
    static struct fuzz_stream streams[2];
    void *state = calloc(1, protocol->state_size);
    memset(streams, 0, sizeof streams);
    fuzz_open[0] = fuzz_open[1] = 0;
    while (state != NULL && size >= 2) {
        enum direction direction = data[0] & 1;
        struct fuzz_stream *stream = &streams[direction];
        size_t piece = data[1] < size - 2 ? data[1] : size - 2;
        if (piece > sizeof stream->kept - stream->length)
            piece = sizeof stream->kept - stream->length;
        memcpy(stream->kept + stream->length, data + 2, piece);
        stream->length += piece;
        bool gap = (data[0] & 6) == 6;
        fuzz_show(protocol, state, stream, direction, gap, &output);
        if (gap) {
            protocol->gap(state, direction, &output);
            stream->length = 0;
        }
        if (gap || (data[0] & 24) == 24) {
            protocol->turn(state, direction, &output);
            stream->stopped = false;
        }
        data += 2 + piece;
        size -= 2 + piece;
    }
    free(state);
    return 0;
}

#endif
