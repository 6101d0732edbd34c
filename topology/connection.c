/* SPDX-License-Identifier: Apache-2.0 */
#include "connection.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "datagram.h"
#include "flows.h"
#include "server.h"
#include "stream.h"

enum { FRESH_LIMIT = 65536 };

struct fresh {
    uint64_t cookie, opened;
};

struct connections {
    struct engine engine; /* first */
    struct table by_cookie, by_isn;
    struct fresh *fresh; /* connections that were opened and are on no edge yet, oldest first */
    size_t fresh_count, fresh_capacity;
    struct datagrams *datagrams;
    const bool *telling;
};

int connections_new(const struct connection_options *options, struct connections **ret_connections) {
    struct connections *all = calloc(1, sizeof(*all));
    if (!all)
        return -ENOMEM;
    engine_init(&all->engine, options);
    all->telling = options->telling;
    all->by_cookie.limit = options->limit * 2;
    if (datagrams_new(&all->engine, options->limit, &all->datagrams)) {
        free(all);
        return -ENOMEM;
    }
    *ret_connections = all;
    return 0;
}

const struct traffic *connections_traffic(const struct connections *connections) {
    return &connections->engine.traffic;
}

const struct connection_losses *connections_losses(const struct connections *connections) {
    return &connections->engine.losses;
}

/* ---- one connection ---- */

static void connection_free(struct engine *engine, struct connection *c) {
    conversation_close(engine, &c->talk);
    for (int d = 0; d < 2; d++)
        stream_release(engine, &c->streams[d]);
    free(c);
}

static struct connection *connection_new(struct engine *engine, const struct record_opened *record) {
    struct connection *c = calloc(1, sizeof(*c));
    if (!c) {
        engine->losses.memory++;
        return NULL;
    }
    struct conversation *talk = &c->talk;
    bool client = record->role == ROLE_CLIENT;
    c->talk.isn = record->isn;
    talk->transport = TRANSPORT_TCP;
    talk->family = record->family == 2 ? 4 : 6;
    talk->proof = record->proof;
    talk->netns = record->owner.netns;
    talk->noted = UINT32_MAX;
    talk->found_open = talk->connect_counted = record->proof == PROOF_LISTEN;
    memcpy(talk->client_address, client ? record->local_address : record->remote_address, 16);
    memcpy(talk->server_address, client ? record->remote_address : record->local_address, 16);
    talk->client_port = client ? record->local_port : record->remote_port;
    talk->server_port = talk->seen_port = client ? record->remote_port : record->local_port;
    return c;
}

/* Once a window. The other half of a half-edge is found by some of its connections. */
static void note(struct engine *engine, struct connection *c) {
    const struct conversation *talk = &c->talk;
    conversation_note(engine, &c->talk);
    if (!c->talk.isn || (talk->client.owner && talk->server.owner))
        return;
    struct edge_join join = {
        .isn = c->talk.isn, .family = talk->family, .client_port = talk->client_port, .server_port = talk->server_port};
    memcpy(join.client_address, talk->client_address, 16);
    memcpy(join.server_address, talk->server_address, 16);
    edge_add_join(edges_window(engine->edges, talk->edge, engine->now), &join);
}

/* What was seen of both directions goes to the edge: once there is a verdict, and at the latest when it ends. */
static void account(struct engine *engine, struct connection *c) {
    struct stream *request = &c->streams[DIRECTION_REQUEST], *response = &c->streams[DIRECTION_RESPONSE];
    if (!conversation_edge(engine, &c->talk))
        return;
    conversation_account(engine, &c->talk, request->next - request->counted, response->next - response->counted);
    request->counted = request->next;
    response->counted = response->next;
    if (c->talk.noted != engine->edges->sequence)
        note(engine, c);
}

/*
 * The kernel counts turns of which a head was lost, once for a request and its answer. One such turn may be the answer
 * to many pipelined requests, whose number is known here; what it answers, or asks, and is not known here is excused
 * from being counted again.
 */
static void note_lost(struct engine *engine, struct connection *c, uint32_t lost) {
    if (lost <= c->lost)
        return;
    uint32_t turns = lost - c->lost, dropped = calls_drop(engine, &c->talk);
    c->lost = lost;
    c->talk.lossy = true;
    calls_count_lost(engine, &c->talk, turns > dropped ? turns : dropped);
    c->talk.excused = UINT16_MAX; /* parsers end here what they think is open */
    for (int d = 0; d < 2; d++)
        if (c->talk.protocol) {
            stream_lose(engine, c, d);
            stream_turn(engine, c, d, engine->now);
        }
    c->talk.excused = turns > dropped ? turns - dropped : 0;
}

/* ---- records ---- */

static struct connection *find(struct connections *all, uint64_t cookie) {
    struct connection *c = table_get(&all->by_cookie, cookie);
    all->engine.losses.unknown_socket += c == NULL;
    all->engine.current = &c->talk;
    return c;
}

static bool is_telling(const struct connections *all) {
    return all->telling && __atomic_load_n(all->telling, __ATOMIC_ACQUIRE);
}

/* It is put on its edge when it speaks, or by connections_settle: by then its other end is known, too. */
static void remember_fresh(struct connections *all, uint64_t cookie, uint64_t opened) {
    if (all->fresh_count == all->fresh_capacity) {
        size_t capacity = all->fresh_capacity ? all->fresh_capacity * 2 : 256;
        size_t limit = is_telling(all) ? all->by_cookie.limit * 2 : FRESH_LIMIT;
        struct fresh *bigger = capacity > limit ? NULL : realloc(all->fresh, capacity * sizeof(*bigger));
        if (!bigger) {
            connections_settle(all, UINT64_MAX);
            if (!all->fresh_capacity)
                return;
        } else {
            all->fresh = bigger;
            all->fresh_capacity = capacity;
        }
    }
    all->fresh[all->fresh_count++] = (struct fresh){cookie, opened};
}

void connections_settle(struct connections *all, uint64_t opened_before) {
    size_t i = 0;
    if (is_telling(all) && opened_before != UINT64_MAX)
        return;
    for (; i < all->fresh_count && all->fresh[i].opened < opened_before; i++) {
        struct connection *c = table_get(&all->by_cookie, all->fresh[i].cookie);
        if (c)
            conversation_open(&all->engine, &c->talk);
    }
    all->fresh_count -= i;
    if (i && all->fresh_count)
        memmove(all->fresh, all->fresh + i, all->fresh_count * sizeof(*all->fresh));
    datagrams_settle(all->datagrams, opened_before);
}

uint64_t connections_latest(const struct connections *all) {
    return all->engine.latest;
}

/* Time has come to `time`. A window ends with its connections on their edges. */
static void advance(struct connections *all, uint64_t time) {
    struct edges *edges = all->engine.edges;
    all->engine.latest = time > all->engine.latest ? time : all->engine.latest;
    if (!edges->length || time < edges->end || edges->previous_open)
        return;
    connections_settle(all, time - CONNECTION_GRACE_NS);
    edges_next(edges);
}

static struct connection *meet(struct connections *all, const struct record_opened *record) {
    struct connection *c = table_get(&all->by_isn, record->isn);
    bool made = !c;
    if (made)
        c = connection_new(&all->engine, record);
    if (!c)
        return NULL;
    if (table_put(&all->by_cookie, record->cookie, c)) {
        all->engine.losses.connections_refused++;
        if (made)
            connection_free(&all->engine, c);
        return NULL;
    }
    if (made) {
        table_put(&all->by_isn, c->talk.isn, c);
        remember_fresh(all, record->cookie, record->time);
    } else {
        table_remove(&all->by_isn, c->talk.isn); /* both ends are known */
    }
    return c;
}

static bool proven(uint8_t proof) {
    return proof == PROOF_CONNECT || proof == PROOF_ACCEPT;
}

void connections_opened(struct connections *all, const struct record_opened *record) {
    struct engine *engine = &all->engine;
    struct connection *c = table_get(&all->by_cookie, record->cookie);
    advance(all, record->time);
    if (engine->namer.opened)
        engine->namer.opened(engine->namer.context, record);
    if (record->transport == TRANSPORT_UDP) {
        datagrams_opened(all->datagrams, record);
        return;
    }
    if (!c)
        c = meet(all, record);
    if (!c)
        return;
    struct conversation *talk = &c->talk;
    bool client = record->role == ROLE_CLIENT;
    struct party *party = client ? &talk->client : &talk->server;
    conversation_leave(talk);
    if (party->cookie && party->cookie != record->cookie) /* its close was lost */
        table_remove(&all->by_cookie, party->cookie);
    if (talk->open)
        remember_fresh(all, record->cookie, record->time); /* so that it stays on the map though it is silent */
    party->cookie = record->cookie;
    conversation_own(engine, party, &record->owner, record->command);
    if (client) { /* what it connected to; */
        memcpy(talk->server_address, record->remote_address, 16);
        talk->seen_port = record->remote_port;
    } else { /* its own port is the truth behind any NAT */
        talk->server_port = record->local_port;
    }
    if (proven(record->proof) && !proven(talk->proof))
        talk->proof = record->proof;
}

static enum direction direction_of(const struct connection *c, const struct record_data *record) {
    bool client = record->cookie == c->talk.client.cookie;
    return client == record->egress ? DIRECTION_REQUEST : DIRECTION_RESPONSE;
}

/* Both ends may be shown: whichever comes first is parsed, and the other is passed over. */
static bool is_parsed(struct conversation *talk, uint64_t cookie) {
    enum side side = cookie == talk->client.cookie ? SIDE_CLIENT : SIDE_SERVER;
    if (talk->parsed == SIDE_NONE)
        talk->parsed = side;
    return talk->parsed == side;
}

static void show(struct engine *engine, struct connection *c, const struct record_data *record, const uint8_t *bytes) {
    enum direction direction = direction_of(c, record);
    struct stream *stream = &c->streams[direction];
    c->talk.shown |= record->captured > 0;
    c->talk.blind |= !record->captured;
    note_lost(engine, c, record->lost); /* first: what was lost is not what was not shown */
    stream_advance(engine, c, !direction, record->other_offset,
                   record->previous_turn_end ? record->previous_turn_end : record->time);
    stream_advance(engine, c, direction, record->offset, record->time);
    if (record->first && direction == DIRECTION_REQUEST)
        stream_turn(engine, c, DIRECTION_RESPONSE, record->previous_turn_end);
    if (record->first)
        stream_turn(engine, c, direction, record->time);
    if (!c->talk.protocol && !c->talk.opaque)
        stream_infer(engine, c, direction, bytes, record->captured);
    else if (c->talk.protocol && !stream->lost)
        stream_feed(engine, c, direction, bytes, record->captured, record->captured < record->length);
    stream->next = record->offset + record->captured;
    stream_advance(engine, c, direction, record->offset + record->length, record->time);
}

void connections_data(struct connections *all, const struct record_data *record, const uint8_t *bytes) {
    struct engine *engine = &all->engine;
    struct connection *c = find(all, record->cookie);
    if (!c || !is_parsed(&c->talk, record->cookie))
        return;
    engine->now = record->time;
    advance(all, record->time);
    show(engine, c, record, bytes);
    if (!c->talk.open)
        conversation_open(engine, &c->talk);
    if (c->talk.protocol || c->talk.opaque)
        account(engine, c);
}

/* Tells nothing new of an end that shows bytes; of one that does not, what it moved. */
void connections_progress(struct connections *all, const struct record_progress *record) {
    struct engine *engine = &all->engine;
    struct connection *c = find(all, record->cookie);
    bool client = c && record->cookie == c->talk.client.cookie;
    if (!c || (c->talk.parsed != SIDE_NONE && c->talk.parsed != (client ? SIDE_CLIENT : SIDE_SERVER)))
        return;
    engine->now = record->time;
    advance(all, record->time);
    note_lost(engine, c, record->lost);
    stream_advance(engine, c, client ? DIRECTION_REQUEST : DIRECTION_RESPONSE, record->bytes_sent, record->time);
    stream_advance(engine, c, client ? DIRECTION_RESPONSE : DIRECTION_REQUEST, record->bytes_received, record->time);
    if (!c->talk.open)
        conversation_open(engine, &c->talk);
    account(engine, c);
}

void connections_turns(struct connections *all, const struct record_turns *record) {
    struct engine *engine = &all->engine;
    struct connection *c = find(all, record->cookie);
    advance(all, record->time);
    struct edge *edge = c ? conversation_edge(engine, &c->talk) : NULL;
    if (!edge)
        return;
    struct edge_window *window = edges_window(engine->edges, edge, record->time);
    for (uint32_t i = 0; i < record->count && i < TURNS_PER_RECORD; i++)
        histogram_add(&window->client_duration, record->durations[i]);
}

/* The end that was parsed is gone: what it still had to say, and what will never be answered. */
static void finish(struct engine *engine, struct connection *c, const struct record_closed *record) {
    bool client = record->cookie == c->talk.client.cookie;
    engine->now = record->last_time ? record->last_time : record->time;
    note_lost(engine, c, record->lost);
    stream_advance(engine, c, client ? DIRECTION_REQUEST : DIRECTION_RESPONSE, record->bytes_sent, engine->now);
    stream_advance(engine, c, client ? DIRECTION_RESPONSE : DIRECTION_REQUEST, record->bytes_received, engine->now);
    stream_turn(engine, c, DIRECTION_RESPONSE, engine->now);
    engine->now = record->time;
    calls_abandon(engine, &c->talk, 0);
    account(engine, c);
}

void connections_closed(struct connections *all, const struct record_closed *record) {
    struct engine *engine = &all->engine;
    if (record->transport == TRANSPORT_UDP) {
        advance(all, record->time);
        datagrams_closed(all->datagrams, record);
        return;
    }
    struct connection *c = find(all, record->cookie);
    if (!c)
        return;
    table_remove(&all->by_cookie, record->cookie);
    engine->now = record->time;
    advance(all, record->time);
    bool client = record->cookie == c->talk.client.cookie;
    uint64_t other = client ? c->talk.server.cookie : c->talk.client.cookie;
    /* The end that was parsed settles the connection; without bytes, the last end to go. */
    bool last = !other || !table_get(&all->by_cookie, other);
    if (c->talk.parsed == SIDE_NONE ? last : c->talk.parsed == (client ? SIDE_CLIENT : SIDE_SERVER))
        finish(engine, c, record);
    else if (c->talk.parsed == SIDE_NONE) /* all it showed was lost, and the other end will not tell */
        note_lost(engine, c, record->lost);
    if (!last)
        return;
    if (table_get(&all->by_isn, c->talk.isn) == c)
        table_remove(&all->by_isn, c->talk.isn);
    connection_free(engine, c);
}

/* So that its packets count there; of some, this is all that is known. */
static void tell_failed(const struct namer *namer, const struct record_opened *record, uint64_t edge_id) {
    struct flow_placement placement = {.edge_id = edge_id,
                                       .time = record->time,
                                       .client_cookie = record->cookie,
                                       .client_port = record->local_port,
                                       .server_port = record->remote_port,
                                       .family = record->family == 2 ? 4 : 6,
                                       .protocol = IPPROTO_TCP,
                                       .netns = record->owner.netns,
                                       .error = (int)record->error,
                                       .client = record->owner};
    memcpy(placement.client_address, record->local_address, 16);
    memcpy(placement.server_address, record->remote_address, 16);
    namer->placed(namer->context, &placement);
}

void connections_failed(struct connections *all, const struct record_opened *record) {
    struct engine *engine = &all->engine;
    const struct namer *namer = &engine->namer;
    struct edge like = {.server_port = record->remote_port,
                        .seen_port = record->remote_port,
                        .family = record->family == 2 ? 4 : 6,
                        .client_here = true,
                        .proof = record->proof};
    advance(all, record->time);
    memcpy(like.address, record->remote_address, 16);
    like.client = namer->owner(namer->context, &record->owner, record->command);
    struct server_address at = {record->remote_address, like.family, TRANSPORT_TCP, record->remote_port,
                                record->owner.netns};
    const struct known_server *known = server_find(engine, at);
    if (known) {
        like.server = known->end;
        like.protocol = known->protocol;
        like.server_port = known->port;
    } else {
        like.server = namer->server(namer->context, record->remote_address, like.family, record->remote_port);
    }
    struct edge *edge = edges_get(engine->edges, &like);
    if (!edge)
        return;
    struct edge_window *window = edges_window(engine->edges, edge, record->time);
    edge_add_failure(window, record->error, 1);
    edge_saw_instance(&window->client_instances, like.client.instance);
    if (namer->placed)
        tell_failed(namer, record, edge->id);
}

/* ---- datagrams ---- */

void connections_datagram(struct connections *all, const struct record_datagram *record, const uint8_t *bytes) {
    advance(all, record->time);
    datagrams_show(all->datagrams, record, bytes);
}

bool connections_session(struct connections *all, const struct session_key *key, const struct session_totals *totals,
                         bool last) {
    return datagrams_totals(all->datagrams, key, totals, last);
}

void connections_sessions_shown(struct connections *all) {
    datagrams_shown_all(all->datagrams);
}

/* ---- all of them ---- */

void connections_tick(struct connections *all, uint64_t now) {
    for (size_t i = 0; i < all->by_cookie.capacity; i++) {
        struct connection *c = all->by_cookie.slots[i].value;
        if (c && c->talk.calls)
            calls_time_out(&all->engine, &c->talk, now, NULL);
    }
    datagrams_tick(all->datagrams, now);
}

/* Of the two slots that a connection with both ends here has, one forgets it. */
static void forget_twins(struct connections *all) {
    for (size_t i = 0; i < all->by_cookie.capacity; i++) {
        struct table_slot *slot = &all->by_cookie.slots[i];
        const struct connection *c = slot->value;
        if (c && slot->key == c->talk.server.cookie && table_get(&all->by_cookie, c->talk.client.cookie) == c)
            slot->value = NULL;
    }
}

void connections_free(struct connections *all) {
    if (!all)
        return;
    forget_twins(all);
    for (size_t i = 0; i < all->by_cookie.capacity; i++)
        if (all->by_cookie.slots[i].value)
            connection_free(&all->engine, all->by_cookie.slots[i].value);
    datagrams_free(all->datagrams);
    table_done(&all->by_cookie);
    table_done(&all->by_isn);
    free(all->fresh);
    engine_done(&all->engine);
    free(all);
}
