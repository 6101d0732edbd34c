/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Drives a parser from the fuzzer's input as the engine drives it from a connection, and ends the program when the
 * parser breaks its contract (protocols/protocol.h). Input is a list of operations: a byte of flags (FUZZ_*), a byte
 * of length, then that many bytes. Bytes are shown in memory of exactly their size, so that reading past them is seen.
 */
#ifndef WEFT_TESTS_FUZZ_FUZZ_PARSER_H
#define WEFT_TESTS_FUZZ_FUZZ_PARSER_H

#include "protocols/protocol.h"

#include <stdlib.h>
#include <string.h>

enum {
    FUZZ_RESPONSE = 1, /* direction of this operation */
    FUZZ_GAP = 2,      /* bytes are missing behind these */
    FUZZ_TURN = 4,     /* and then the peer starts to speak again */
    FUZZ_KEPT_MAX = 16384,
};

/* A further rule of one protocol: false if this message must not be reported. May be NULL. */
typedef bool (*fuzz_rule)(enum direction direction, const struct message *message);

struct fuzz_side {
    uint8_t kept[FUZZ_KEPT_MAX];
    size_t length;
    uint64_t skip;
    bool skipped; /* a skip has passed: parse() is owed a call, with whatever follows */
    bool stopped;
};

struct fuzz_run {
    struct parser_output output; /* first, so that reports find the run */
    const struct protocol *protocol;
    fuzz_rule rule;
    void *state;
    int open[2];
    struct fuzz_side sides[2];
};

static inline void fuzz_require(bool kept) {
    if (!kept)
        abort();
}

/* Reads every byte, so that a slice that points astray is seen. */
static inline void fuzz_touch(const char *data, size_t length) {
    for (size_t i = 0; i < length; i++)
        (void)*(const volatile char *)&data[i];
}

static inline void fuzz_begin(struct parser_output *self, enum direction direction, const struct message *message) {
    struct fuzz_run *run = (struct fuzz_run *)self;
    fuzz_require(run->open[direction]++ == 0);
    fuzz_require(run->rule == NULL || run->rule(direction, message));
    const struct slice *slices[] = {&message->operation, &message->resource, &message->endpoint, &message->code};
    for (size_t i = 0; i < sizeof(slices) / sizeof(*slices); i++)
        fuzz_touch(slices[i]->data, slices[i]->length);
}

static inline void fuzz_end(struct parser_output *self, enum direction direction) {
    struct fuzz_run *run = (struct fuzz_run *)self;
    fuzz_require(--run->open[direction] == 0);
}

static inline void fuzz_name(struct parser_output *self, struct slice host, const uint8_t *address,
                             size_t address_length, uint32_t ttl) {
    (void)self, (void)ttl;
    fuzz_require(address_length == 0 || address_length == 4 || address_length == 16);
    fuzz_touch(host.data, host.length);
    fuzz_touch((const char *)address, address_length);
}

/* Shows what is kept. True if the parser asked for a skip that has passed already, so that it is owed a call. */
static inline bool fuzz_parse(struct fuzz_run *run, enum direction direction, bool gap_follows) {
    struct fuzz_side *side = &run->sides[direction];
    uint8_t *exact = malloc(side->length + 1);
    memcpy(exact + 1, side->kept, side->length);
    run->protocol->probe(direction, exact + 1, side->length);
    struct parse_result result =
        run->protocol->parse(run->state, direction, exact + 1, side->length, gap_follows, &run->output);
    free(exact);
    fuzz_require(result.consumed <= side->length);
    fuzz_require(result.skip == 0 || result.status == PARSE_OK);
    size_t rest = side->length - result.consumed;
    size_t drop = result.skip < rest ? (size_t)result.skip : rest;
    side->length = rest - drop;
    memmove(side->kept, side->kept + result.consumed + drop, side->length);
    side->skip = result.skip == PARSE_SKIP_ALL ? PARSE_SKIP_ALL : result.skip - drop;
    side->stopped = result.status != PARSE_OK;
    side->skipped = result.skip > 0;
    return side->skipped && side->skip == 0 && result.consumed + drop > 0;
}

static inline void fuzz_show(struct fuzz_run *run, enum direction direction, const uint8_t *bytes, size_t length,
                             bool gap_follows) {
    struct fuzz_side *side = &run->sides[direction];
    size_t drop = side->skip < length ? (size_t)side->skip : length;
    if (side->skip != PARSE_SKIP_ALL)
        side->skip -= drop;
    if (side->skip > 0 || side->stopped)
        return;
    if (length - drop > sizeof(side->kept) - side->length)
        side->length = 0; /* as the engine does: what is kept for too long is a gap */
    memcpy(side->kept + side->length, bytes + drop, length - drop);
    side->length += length - drop;
    while (fuzz_parse(run, direction, gap_follows))
        ;
}

static inline void fuzz_operation(struct fuzz_run *run, uint8_t flags, const uint8_t *bytes, size_t length) {
    enum direction direction = flags & FUZZ_RESPONSE ? DIRECTION_RESPONSE : DIRECTION_REQUEST;
    struct fuzz_side *side = &run->sides[direction];
    fuzz_show(run, direction, bytes, length, flags & FUZZ_GAP);
    if (flags & FUZZ_GAP) {
        run->protocol->gap(run->state, direction, &run->output);
        side->length = 0;
        side->skip = 0;
    }
    if (flags & FUZZ_TURN) {
        run->protocol->turn(run->state, direction, &run->output);
        side->length = 0;
        side->stopped = false;
    }
}

static inline int fuzz_protocol(const struct protocol *protocol, fuzz_rule rule, const uint8_t *data, size_t size) {
    static struct fuzz_run run;
    memset(&run, 0, sizeof(run));
    run.output = (struct parser_output){fuzz_begin, fuzz_end, fuzz_name};
    run.protocol = protocol;
    run.rule = rule;
    run.state = calloc(1, protocol->state_size);
    while (size >= 2) {
        size_t length = data[1] < size - 2 ? data[1] : size - 2;
        fuzz_operation(&run, data[0], data + 2, length);
        data += 2 + length;
        size -= 2 + length;
    }
    free(run.state);
    return 0;
}

#endif
