/* SPDX-License-Identifier: Apache-2.0 */
/* The input is a list of calls: a byte of flags, a byte of length, then that many bytes. */
#include <stdlib.h>
#include <string.h>

#include "protocols/protocol.h"

enum { LONGEST_KEPT = 16384 };

struct side {
    uint8_t kept[LONGEST_KEPT];
    size_t length;
    int open;
};

static struct side sides[2];
static volatile uint8_t sink;

static void touch(struct slice slice) {
    for (size_t i = 0; i < slice.length; i++) {
        sink ^= (uint8_t)slice.data[i];
    }
}

static void on_begin(struct parser_output *self, enum direction direction, const struct message *message) {
    (void)self;
    touch(message->operation);
    touch(message->resource);
    touch(message->endpoint);
    touch(message->code);
    if (sides[direction].open++ != 0 ||
        (message->endpoint.length && memchr(message->endpoint.data, '?', message->endpoint.length))) {
        abort();
    }
}

static void on_end(struct parser_output *self, enum direction direction) {
    (void)self;
    if (sides[direction].open-- != 1) {
        abort();
    }
}

static void parse(void *state, enum direction direction, bool gap_follows, struct parser_output *output) {
    struct side *side = &sides[direction];
    uint8_t *copy = malloc(side->length + 1);
    memcpy(copy + 1, side->kept, side->length);
    struct parse_result result = protocol_http.parse(state, direction, copy + 1, side->length, gap_follows, output);
    free(copy);
    if (result.consumed > side->length || (result.skip > 0 && result.status != PARSE_OK)) {
        abort();
    }
    side->length -= result.consumed;
    memmove(side->kept, side->kept + result.consumed, side->length);
    if (result.status != PARSE_OK) {
        side->length = 0;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct parser_output output = {.begin = on_begin, .end = on_end};
    void *state = calloc(1, protocol_http.state_size);
    memset(sides, 0, sizeof(sides));
    while (size >= 2) {
        enum direction direction = data[0] & 1 ? DIRECTION_RESPONSE : DIRECTION_REQUEST;
        struct side *side = &sides[direction];
        size_t length = data[1] < size - 2 ? data[1] : size - 2;
        length = length < LONGEST_KEPT - side->length ? length : LONGEST_KEPT - side->length;
        memcpy(side->kept + side->length, data + 2, length);
        side->length += length;
        protocol_http.probe(direction, side->kept, side->length);
        parse(state, direction, data[0] & 2, &output);
        if (data[0] & 4) {
            protocol_http.gap(state, direction, &output);
        }
        if (data[0] & 8) {
            side->length = 0;
            protocol_http.turn(state, direction, &output);
        }
        data += 2 + length;
        size -= 2 + length;
    }
    free(state);
    return 0;
}
