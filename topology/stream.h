/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of one direction of a TCP connection, shown to its parser in stream order, with gaps made explicit.
 *
 * Bytes are kept only while the parser waits for more, or the protocol is unknown. Private to topology/.
 */
#ifndef WEFT_TOPOLOGY_STREAM_H
#define WEFT_TOPOLOGY_STREAM_H

#include "conversation.h"

struct held; /* bytes that wait for more; from the engine's pool */

struct stream {
    uint64_t next;    /* offset of the next byte to be seen */
    uint64_t counted; /* bytes up to here are in an edge, or from before this agent */
    uint64_t skip;    /* bytes the parser need not see */
    struct held *held;
    bool known, lost; /* an offset was seen; framing is lost until the next turn */
};

struct connection {
    struct conversation talk; /* first */
    struct stream streams[2]; /* by direction */
    uint32_t lost;            /* turns, as the kernel last told */
    uint8_t records;          /* seen without a verdict; see inference.c for what one counts */
};

void stream_release(struct engine *engine, struct stream *stream);
/* Shows `bytes`, which follow those before; `gap`: what comes after them is missing. */
void stream_feed(struct engine *engine, struct connection *c, enum direction direction, const uint8_t *bytes,
                 size_t length, bool gap);
/* The direction moved on to `offset` at `time` without showing its bytes. */
void stream_advance(struct engine *engine, struct connection *c, enum direction direction, uint64_t offset,
                    uint64_t time);
/* Framing is lost: bytes are dropped until the next turn. */
void stream_lose(struct engine *engine, struct connection *c, enum direction direction);
/* A turn begins at `time`: what stayed open ends with the turn before, and framing is found again. */
void stream_turn(struct engine *engine, struct connection *c, enum direction direction, uint64_t time);

/* ---- inference ---- */

/* Asks every protocol about the bytes so far; one that is certain, or fits both directions, is the verdict. */
void stream_infer(struct engine *engine, struct connection *c, enum direction direction, const uint8_t *bytes,
                  size_t length);
void stream_withdraw(struct engine *engine, struct connection *c); /* the connection is opaque */

#endif
