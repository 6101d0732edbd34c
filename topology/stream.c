/* SPDX-License-Identifier: Apache-2.0 */
#include "stream.h"

#include <string.h>

#include "call.h"
#include "held.h"

void stream_release(struct engine *engine, struct stream *stream) {
    if (stream->held)
        pool_give(&engine->pool, stream->held, sizeof(*stream->held) + stream->held->capacity);
    stream->held = NULL;
}

void stream_lose(struct engine *engine, struct connection *c, enum direction direction) {
    struct stream *stream = &c->streams[direction];
    stream->lost = true;
    stream->skip = 0;
    stream_release(engine, stream);
    if (c->talk.protocol)
        c->talk.protocol->gap(c->talk.state, direction, &engine->output);
}

void stream_withdraw(struct engine *engine, struct connection *c) {
    conversation_withdraw(engine, &c->talk);
    for (int d = 0; d < 2; d++)
        stream_release(engine, &c->streams[d]);
}

/* Shows the parser `bytes`; gives how many it used, skips included. */
static size_t parse_some(struct engine *engine, struct connection *c, enum direction direction, const uint8_t *bytes,
                         size_t length, bool gap) {
    struct stream *stream = &c->streams[direction];
    size_t used = 0;
    while (!stream->lost && c->talk.protocol) {
        uint64_t skip = stream->skip < length - used ? stream->skip : length - used;
        used += skip;
        if (stream->skip != PARSE_SKIP_ALL)
            stream->skip -= skip;
        if (stream->skip)
            break;
        struct parse_result result =
            c->talk.protocol->parse(c->talk.state, direction, bytes + used, length - used, gap, &engine->output);
        used += result.consumed;
        if (result.status == PARSE_ERROR) {
            stream_withdraw(engine, c);
            break;
        }
        if (result.status == PARSE_LOST)
            stream_lose(engine, c, direction);
        stream->skip = stream->lost ? 0 : result.skip;
        if (used >= length || (!result.skip && !result.consumed))
            break;
    }
    return used;
}

/* Makes room for `length` more bytes. */
static bool reserve(struct engine *engine, struct stream *stream, size_t length) {
    struct held *held = stream->held;
    size_t wanted = (held ? held->length : 0) + length;
    if (held && wanted <= held->capacity)
        return true;
    size_t size = pool_size(sizeof(*held) + wanted);
    struct held *bigger = wanted > HELD_LIMIT ? NULL : pool_take(&engine->pool, size);
    if (!bigger) {
        engine->losses.memory += wanted <= HELD_LIMIT;
        return false;
    }
    if (held)
        memcpy(bigger, held, sizeof(*held) + held->length);
    else
        *bigger = (struct held){.began = engine->now};
    bigger->capacity = size - sizeof(*bigger);
    stream_release(engine, stream);
    stream->held = bigger;
    return true;
}

bool stream_keep(struct engine *engine, struct connection *c, enum direction direction, const uint8_t *bytes,
                 size_t length) {
    struct stream *stream = &c->streams[direction];
    if (!length)
        return true;
    if (!reserve(engine, stream, length)) {
        engine->losses.bytes_missing += length;
        stream_lose(engine, c, direction);
        return false;
    }
    memcpy(stream->held->bytes + stream->held->length, bytes, length);
    stream->held->length += length;
    return true;
}

void stream_parse_held(struct engine *engine, struct connection *c, enum direction direction, bool gap) {
    struct stream *stream = &c->streams[direction];
    struct held *held = stream->held;
    if (!held)
        return;
    stream->held = NULL; /* so that nobody gives it back while the parser reads it */
    engine->began = held->began;
    size_t used = parse_some(engine, c, direction, held->bytes, held->length, gap);
    bool done = stream->lost || !c->talk.protocol || used >= held->length;
    if (!done) {
        memmove(held->bytes, held->bytes + used, held->length - used);
        held->length -= used;
        if (used)
            held->began = engine->now;
    }
    stream->held = held;
    if (done)
        stream_release(engine, stream);
}

void stream_feed(struct engine *engine, struct connection *c, enum direction direction, const uint8_t *bytes,
                 size_t length, bool gap) {
    struct stream *stream = &c->streams[direction];
    if (stream->held) {
        if (stream_keep(engine, c, direction, bytes, length))
            stream_parse_held(engine, c, direction, gap);
        return;
    }
    engine->began = engine->now;
    size_t used = parse_some(engine, c, direction, bytes, length, gap);
    if (!stream->lost && c->talk.protocol && used < length && !gap)
        stream_keep(engine, c, direction, bytes + used, length - used);
}

/* Bytes that are known of and were not shown. */
static void pass_hidden(struct engine *engine, struct connection *c, enum direction direction, uint64_t hidden) {
    struct stream *stream = &c->streams[direction];
    if (stream->skip < hidden || stream->held) {
        engine->losses.bytes_missing += hidden > stream->skip ? hidden - stream->skip : 0;
        stream_lose(engine, c, direction);
        return;
    }
    if (stream->skip != PARSE_SKIP_ALL)
        stream->skip -= hidden;
    if (!stream->skip) {
        engine->began = engine->now;
        parse_some(engine, c, direction, NULL, 0, false);
    }
}

void stream_advance(struct engine *engine, struct connection *c, enum direction direction, uint64_t offset,
                    uint64_t time) {
    struct stream *stream = &c->streams[direction];
    if (!stream->known) {
        if (c->talk.found_open)
            stream->counted = offset;
        stream->next = offset;
        stream->known = true;
        return;
    }
    if (offset <= stream->next)
        return;
    uint64_t hidden = offset - stream->next, now = engine->now;
    stream->next = offset;
    if (!c->talk.protocol) { /* what is kept does not go on with what comes */
        stream_release(engine, stream);
        return;
    }
    if (stream->lost) {
        engine->losses.bytes_missing += hidden;
        return;
    }
    engine->now = time;
    pass_hidden(engine, c, direction, hidden);
    engine->now = now;
}

void stream_turn(struct engine *engine, struct connection *c, enum direction direction, uint64_t time) {
    struct stream *stream = &c->streams[direction];
    if (!stream->lost || !c->talk.protocol)
        return;
    uint64_t now = engine->now;
    engine->now = time;
    c->talk.protocol->turn(c->talk.state, direction, &engine->output);
    engine->now = now;
    stream->lost = false;
}
