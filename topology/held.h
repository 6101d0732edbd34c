/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes of a stream that wait for more. Private to topology/stream.c and topology/inference.c. */
#ifndef WEFT_TOPOLOGY_HELD_H
#define WEFT_TOPOLOGY_HELD_H

#include "stream.h"

struct held {
    uint64_t began; /* time of the first byte */
    uint32_t length, capacity;
    uint32_t fits; /* while the protocol is unknown: a bit for each that these bytes may be */
    uint8_t bytes[];
};

enum { HELD_LIMIT = (1 << 14) - sizeof(struct held) }; /* with its header one block of 16 KiB */

/* Appends; false, with the framing lost, beyond the limit or without memory. */
bool stream_keep(struct engine *engine, struct connection *c, enum direction direction, const uint8_t *bytes,
                 size_t length);
/* Shows the parser what is held, and keeps what it leaves. */
void stream_parse_held(struct engine *engine, struct connection *c, enum direction direction, bool gap);

#endif
