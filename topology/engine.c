/* SPDX-License-Identifier: Apache-2.0 */
#include "engine.h"

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "call.h"
#include "server.h"

static void on_begin(struct parser_output *output, enum direction direction, const struct message *message) {
    struct engine *engine = (struct engine *)output;
    if (direction == DIRECTION_REQUEST)
        calls_request(engine, engine->current, message);
    else
        calls_response(engine, engine->current, message);
    engine->began = engine->now; /* what follows in the same bytes came with the last of them */
}

static void on_end(struct parser_output *output, enum direction direction) {
    struct engine *engine = (struct engine *)output;
    calls_end(engine, engine->current, direction);
}

static void on_name(struct parser_output *output, struct slice host, const uint8_t *address, size_t length,
                    uint32_t ttl_seconds) {
    struct engine *engine = (struct engine *)output;
    struct conversation *current = engine->current;
    if (!engine->namer.learned)
        return;
    if (length) {
        engine->namer.learned(engine->namer.context, host, address, length, ttl_seconds);
    } else if (current && !current->server.cookie) {
        engine->namer.learned(engine->namer.context, host, current->server_address, current->family == 4 ? 4 : 16,
                              ttl_seconds);
        conversation_leave(current); /* its edge is to be named by it */
    }
}

int engine_init(struct engine *engine, const struct connection_options *options) {
    *engine = (struct engine){
        .output = {on_begin, on_end, on_name},
        .namer = options->namer,
        .edges = options->edges,
        .clients = options->clients,
        .call_timeout_ns = options->call_timeout_ns,
    };
    engine->servers.limit = SERVERS_KNOWN;
    engine->pool.limit_bytes = options->held_bytes;
    return 0;
}

static void free_values(struct table *table) {
    for (size_t i = 0; i < table->capacity; i++)
        free(table->slots[i].value);
    table_done(table);
}

void engine_done(struct engine *engine) {
    free_values(&engine->ends);
    free_values(&engine->servers);
    pool_done(&engine->pool);
}

struct shared_end {
    struct edge_end end; /* first */
    uint64_t key;
    uint32_t references;
};

const struct edge_end *engine_take_end(struct engine *engine, struct edge_end end) {
    uint64_t pair[2] = {end.id, end.instance}, key = XXH3_64bits(pair, sizeof(pair));
    key = key ? key : 1;
    struct shared_end *shared = table_get(&engine->ends, key);
    if (!shared) {
        shared = calloc(1, sizeof(*shared));
        if (!shared || table_put(&engine->ends, key, shared)) {
            engine->losses.memory++;
            free(shared);
            return NULL;
        }
    }
    shared->end = end;
    shared->key = key;
    shared->references++;
    return &shared->end;
}

void engine_give_end(struct engine *engine, const struct edge_end *end) {
    struct shared_end *shared = (struct shared_end *)end;
    if (!shared || --shared->references)
        return;
    table_remove(&engine->ends, shared->key);
    free(shared);
}
