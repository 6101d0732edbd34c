/* SPDX-License-Identifier: Apache-2.0 */
#include "conversation.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "datagram.h"
#include "flows.h"
#include "server.h"

static struct server_address server_address(const struct conversation *c) {
    return (struct server_address){c->server_address, c->family, c->transport, c->seen_port, c->netns};
}

/* Without a verdict, what was last seen at this server and port. */
static enum protocol_id protocol_of(struct engine *engine, const struct conversation *c) {
    if (c->protocol)
        return c->protocol->id;
    const struct known_server *known = server_find(engine, server_address(c));
    return known ? known->protocol : PROTOCOL_UNKNOWN;
}

static bool is_unresolved(const struct edge_end *end) {
    return end->kind && (!strcmp(end->kind, "group") || !strcmp(end->kind, "address"));
}

/* A client that is not on this host. Beyond the server's limit it is one of the others. */
static struct edge_end remote_client(struct engine *engine, struct conversation *c, const struct edge_end *server) {
    static const struct edge_end other = {.id = 0x6f74686572, .name = "other", .kind = "group"};
    struct edge_end end = engine->namer.client(engine->namer.context, c->client_address, c->family);
    if (!engine->clients || !is_unresolved(&end) ||
        clients_admit(engine->clients, server->id, end.id, engine->edges->sequence))
        return end;
    engine->losses.clients_folded++;
    return other;
}

/* The server's end: of a socket that is known, or by the address that the client has. */
static void name_server(struct engine *engine, const struct conversation *c, struct edge *like) {
    const struct namer *namer = &engine->namer;
    const struct edge_end *owner = c->server.owner;
    bool several = false; /* which of its instances it is, is not known */
    if (!owner && c->transport == TRANSPORT_UDP && engine->datagrams) {
        const struct known_server *known = server_find(engine, server_address(c));
        owner = datagrams_server(engine->datagrams, c, known && known->here ? &known->end : NULL, &several);
    }
    like->server_here = owner;
    like->server = owner ? *owner : namer->server(namer->context, c->server_address, c->family, c->server_port);
    if (several)
        like->server.instance = 0;
}

static struct edge *find_edge(struct engine *engine, struct conversation *c) {
    struct edge like = {
        .protocol = protocol_of(engine, c),
        .server_port = c->server_port,
        .seen_port = c->seen_port,
        .family = c->family,
        .transport = c->transport,
        .proof = c->proof,
        .client_here = c->client.owner,
    };
    memcpy(like.address, c->server_address, 16);
    name_server(engine, c, &like);
    like.client = like.client_here ? *c->client.owner : remote_client(engine, c, &like.server);
    if (like.server_here || c->protocol)
        server_remember(engine, server_address(c), &like);
    return edges_get(engine->edges, &like);
}

void conversation_remember_server(struct engine *engine, const struct conversation *c) {
    if (c->server.owner)
        server_remember(engine, server_address(c),
                        &(struct edge){.server = *c->server.owner,
                                       .server_here = true,
                                       .server_port = c->server_port,
                                       .protocol = c->protocol ? c->protocol->id : PROTOCOL_UNKNOWN});
}

void conversation_own(struct engine *engine, struct party *party, const struct record_owner *owner,
                      const char *command) {
    const struct edge_end *former = party->owner;
    party->owner = engine_take_end(engine, engine->namer.owner(engine->namer.context, owner, command));
    engine_give_end(engine, former);
}

static void tell_placed(struct engine *engine, const struct conversation *c, const struct edge *edge) {
    struct flow_placement placement = {.edge_id = edge->id,
                                       .isn = c->isn,
                                       .time = engine->now,
                                       .client_cookie = c->client.cookie,
                                       .server_cookie = c->server.cookie,
                                       .client_port = c->client_port,
                                       .server_port = c->seen_port,
                                       .family = c->family,
                                       .protocol = c->transport == TRANSPORT_UDP ? IPPROTO_UDP : IPPROTO_TCP,
                                       .netns = c->netns};
    memcpy(placement.client_address, c->client_address, 16);
    memcpy(placement.server_address, c->server_address, 16);
    engine->namer.placed(engine->namer.context, &placement);
}

struct edge *conversation_find_edge(struct engine *engine, struct conversation *c) {
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
        if (engine->namer.placed)
            tell_placed(engine, c, edge);
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

/* Why nothing is read of it; -1: something is, or there is nothing to read. */
static int opaque_reason(const struct conversation *c) {
    if (c->protocol)
        return c->protocol->id == PROTOCOL_TLS ? OPAQUE_TLS : -1;
    if (!c->moved)
        return -1;
    return c->shown ? OPAQUE_UNKNOWN : c->lossy ? OPAQUE_LOST : c->blind ? OPAQUE_UNREADABLE : OPAQUE_UNSEEN;
}

static void tally(struct engine *engine, struct conversation *c, uint64_t bytes, bool connection) {
    int reason = opaque_reason(c);
    connection = connection && !c->tallied && !c->timing;
    c->tallied |= connection;
    engine->traffic.all.connections += connection;
    engine->traffic.all.bytes += bytes;
    if (reason >= 0) {
        engine->traffic.opaque[reason].connections += connection;
        engine->traffic.opaque[reason].bytes += bytes;
    }
}

void conversation_note(struct engine *engine, struct conversation *c) {
    const struct edge_end *client = c->client.owner, *server = c->server.owner;
    struct edge *edge = c->edge;
    c->noted = engine->edges->sequence;
    if (!edge)
        return;
    struct edge_window *window = edges_window(engine->edges, edge, engine->now);
    edge_saw_instance(&window->client_instances, client ? client->instance : edge->client.instance);
    edge_saw_instance(&window->server_instances, server ? server->instance : edge->server.instance);
    if (client)
        return;
    address_set_add(&window->clients, c->client_address);
    if (engine->clients && is_unresolved(&edge->client)) /* so that it is not forgotten while it is there */
        clients_admit(engine->clients, edge->server.id, edge->client.id, engine->edges->sequence);
}

void conversation_close(struct engine *engine, struct conversation *c) {
    tally(engine, c, 0, true);
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
    c->moved |= request || response;
    tally(engine, c, request + response, c->protocol || c->opaque);
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
