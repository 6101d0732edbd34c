/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What everything that a worker follows has in common: where names come from, where edges go, the parser's reports,
 * memory, and what was not possible. Private to topology/; the public face is connection.h.
 *
 * Parsers report to `output`, which finds the conversation they speak of in `current`. One worker thread owns it.
 */
#ifndef WEFT_TOPOLOGY_ENGINE_H
#define WEFT_TOPOLOGY_ENGINE_H

#include <stddef.h>

#include "connection.h"
#include "pool.h"

struct conversation;
struct datagrams;

struct engine {
    struct parser_output output; /* first: the callbacks get back to the engine from it */
    struct conversation *current;
    uint64_t now;    /* of the record at hand, CLOCK_MONOTONIC ns */
    uint64_t latest; /* that time has come to, by the records */
    uint64_t began;  /* when the first byte arrived that the parser is shown */
    struct namer namer;
    struct edges *edges;
    struct clients *clients; /* NULL: no limit */
    struct datagrams *datagrams;
    struct traffic traffic;
    uint64_t call_timeout_ns;
    struct pool pool;
    struct table ends;    /* of those in use: so that a connection holds a pointer */
    struct table servers; /* see server.h */
    struct connection_losses losses;
};

int engine_init(struct engine *engine, const struct connection_options *options);
void engine_done(struct engine *engine);
/* One copy of an end for all that have it; NULL without memory. Given back as often as it was taken. */
const struct edge_end *engine_take_end(struct engine *engine, struct edge_end end);
void engine_give_end(struct engine *engine, const struct edge_end *end); /* NULL is fine */

#endif
