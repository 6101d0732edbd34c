/* SPDX-License-Identifier: Apache-2.0 */
#include "conversation.h"

#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "server.h"

static struct server_address server_address(const struct conversation *c) {
    return (struct server_address){c->server_address, c->family, c->transport, c->server_port, c->netns};
}

/* Without a verdict, what was last seen at this server and port. */
static enum protocol_id protocol_of(struct engine *engine, const struct conversation *c) {
    if (c->protocol)
        return c->protocol->id;
    const struct known_server *known = server_find(engine, server_address(c));
    return known ? known->protocol : PROTOCOL_UNKNOWN;
}

static struct edge *find_edge(struct engine *engine, struct conversation *c) {
    const struct namer *namer = &engine->namer;
    struct edge like = {
        .protocol = protocol_of(engine, c),
        .server_port = c->server_port,
        .family = c->family,
        .transport = c->transport,
        .proof = c->proof,
        .client_here = c->client.owner,
        .server_here = c->server.owner,
    };
    memcpy(like.address, c->server_address, 16);
    like.client = like.client_here ? *c->client.owner : namer->client(namer->context, c->client_address, c->family);
    like.server = like.server_here ? *c->server.owner
                                   : namer->server(namer->context, c->server_address, c->family, c->server_port);
    if (like.server_here || c->protocol)
        server_remember(engine, server_address(c), &like.server, c->protocol ? c->protocol->id : PROTOCOL_UNKNOWN);
    return edges_get(engine->edges, &like);
}

void conversation_own(struct engine *engine, struct party *party, const struct record_owner *owner,
                      const char *command) {
    const struct edge_end *former = party->owner;
    party->owner = engine_take_end(engine, engine->namer.owner(engine->namer.context, owner, command));
    engine_give_end(engine, former);
}

struct edge *conversation_edge(struct engine *engine, struct conversation *c) {
    if (c->edge || (c->refused && c->noted == engine->edges->sequence))
        return c->edge;
    struct edge *edge = find_edge(engine, c);
    c->refused = !edge;
    c->noted = edge ? UINT32_MAX : engine->edges->sequence;
    c->edge = edge;
    if (edge) {
        edge->references++;
        edge->open_connections += c->open;
        edge->in_flight += calls_in_flight(c);
    }
    return edge;
}

void conversation_leave(struct conversation *c) {
    if (c->edge) {
        c->edge->references--;
        c->edge->open_connections -= c->open;
        c->edge->in_flight -= calls_in_flight(c);
    }
    c->edge = NULL;
    c->refused = false;
}

void conversation_open(struct engine *engine, struct conversation *c) {
    struct edge *edge = conversation_edge(engine, c);
    if (edge && !c->open)
        edge->open_connections++;
    c->open = true;
}

void conversation_close(struct engine *engine, struct conversation *c) {
    calls_drop(engine, c);
    conversation_leave(c);
    free(c->state);
    c->state = NULL;
    c->protocol = NULL;
    engine_give_end(engine, c->client.owner);
    engine_give_end(engine, c->server.owner);
    c->client.owner = c->server.owner = NULL;
}

void conversation_account(struct engine *engine, struct conversation *c, uint64_t request, uint64_t response) {
    struct edge *edge = conversation_edge(engine, c);
    if (!edge)
        return;
    struct edge_window *window = edges_window(engine->edges, edge, engine->now);
    window->request_bytes += request;
    window->response_bytes += response;
    window->connects += !c->connect_counted;
    c->connect_counted = true;
}

bool conversation_adopt(struct engine *engine, struct conversation *c, const struct protocol *protocol) {
    void *state = calloc(1, protocol->state_size ? protocol->state_size : 1);
    if (!state) {
        engine->losses.memory++;
        return false;
    }
    conversation_leave(c);
    free(c->state);
    c->state = state;
    c->protocol = protocol;
    return true;
}

void conversation_withdraw(struct engine *engine, struct conversation *c) {
    engine->losses.calls_withdrawn += calls_drop(engine, c);
    conversation_leave(c);
    free(c->state);
    c->state = NULL;
    c->protocol = NULL;
    c->opaque = true;
}
