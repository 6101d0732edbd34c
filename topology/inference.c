/* SPDX-License-Identifier: Apache-2.0 */
/* Which protocol a connection speaks: from the bytes of both directions, never from a port alone. */
#include "held.h"

enum {
    SMALL_RECORD = 32,  /* bytes; who reads so few at a time has a head of many records */
    WHOLE_RECORD = 16,  /* what a record counts for; a small one counts for one */
    UNKNOWN_LIMIT = 255 /* after this, 16 records, the connection is opaque */
};

static void adopt(struct engine *engine, struct connection *c, const struct protocol *protocol) {
    if (!conversation_adopt(engine, &c->talk, protocol)) {
        stream_withdraw(engine, c);
        return;
    }
    for (int d = 0; d < 2; d++)
        stream_parse_held(engine, c, d, false);
}

static const struct protocol *ask(struct held *held, const struct held *other, enum direction direction) {
    for (int i = 0; protocols[i]; i++) {
        if (protocols[i]->datagrams)
            continue;
        uint32_t bit = 1u << protocols[i]->id;
        enum probe_verdict verdict = protocols[i]->probe(direction, held->bytes, held->length);
        held->fits = verdict >= PROBE_MAYBE ? held->fits | bit : held->fits & ~bit;
        if (verdict == PROBE_CERTAIN || (verdict == PROBE_MAYBE && other && (other->fits & bit)))
            return protocols[i];
    }
    return NULL;
}

void stream_infer(struct engine *engine, struct connection *c, enum direction direction, const uint8_t *bytes,
                  size_t length) {
    struct stream *stream = &c->streams[direction];
    const struct protocol *verdict = NULL;
    if (stream_keep(engine, c, direction, bytes, length) && stream->held)
        verdict = ask(stream->held, c->streams[!direction].held, direction);
    unsigned seen = c->records + (length < SMALL_RECORD ? 1 : WHOLE_RECORD);
    if (verdict)
        adopt(engine, c, verdict);
    else if (seen >= UNKNOWN_LIMIT)
        stream_withdraw(engine, c);
    c->records = seen < UNKNOWN_LIMIT ? seen : UNKNOWN_LIMIT;
}
