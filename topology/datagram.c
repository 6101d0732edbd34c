/* SPDX-License-Identifier: Apache-2.0 */
#include "datagram.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "session.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#define IDLE_NS (60 * 1000000000ULL)

/* How long a session that has left is kept for a twin whose socket is known, and how many are. */
#define LEFT_NS (5 * 1000000000ULL)
enum { LEFT_LIMIT = 65536 };

enum { UNKNOWN_DATAGRAMS = 16, FRESH_LIMIT = 65536 }; /* datagrams without a verdict; sessions not on an edge yet */

struct datagrams {
    struct engine *engine;
    struct udp_sockets sockets;
    struct table sessions;
    struct twins twins;
    uint32_t round; /* of shows by the kernel; from 1 */
    struct left {
        struct session *first, *last;
        size_t count;
    } left, told; /* sessions that have left: not counted yet; counted */
    struct fresh {
        uint64_t key, seen;
    } * fresh;
    size_t fresh_count, fresh_capacity;
};

static void account(struct datagrams *all, struct session *session);
static void count_held(struct datagrams *all, struct session *session);
static void session_end(struct datagrams *all, struct session *session, uint64_t now);

const struct edge_end *datagrams_server(const struct datagrams *all, const struct conversation *c,
                                        const struct edge_end *served, bool *ret_instances) {
    return udp_sockets_server(&all->sockets, c, served, ret_instances);
}

int datagrams_new(struct engine *engine, size_t limit, struct datagrams **ret_datagrams) {
    struct datagrams *all = calloc(1, sizeof(*all));
    if (!all)
        return -ENOMEM;
    *all = (struct datagrams){.engine = engine, .round = 1};
    all->sockets.by_cookie.limit = all->sessions.limit = limit;
    engine->datagrams = all;
    *ret_datagrams = all;
    return 0;
}

/* ---- twins ---- */

static void put_party(struct engine *engine, struct party *party, uint64_t cookie, const struct edge_end *owner) {
    const struct edge_end *former = party->owner;
    party->cookie = cookie;
    party->owner = owner ? engine_take_end(engine, *owner) : NULL;
    engine_give_end(engine, former);
}

/* Gives by how much `now` is beyond `counted`, which becomes that. Never less: the ends are read at different times. */
static struct session_counts rise(struct session_counts *counted, const struct session_counts *now) {
    struct session_counts risen = {0};
    for (int d = 0; d < 2; d++) {
        risen.bytes[d] = now->bytes[d] > counted->bytes[d] ? now->bytes[d] - counted->bytes[d] : 0;
        risen.datagrams[d] = now->datagrams[d] > counted->datagrams[d] ? now->datagrams[d] - counted->datagrams[d] : 0;
        counted->bytes[d] += risen.bytes[d];
        counted->datagrams[d] += risen.datagrams[d];
    }
    return risen;
}

static void add(struct session_counts *into, const struct session_counts *more) {
    for (int d = 0; d < 2; d++) {
        into->bytes[d] += more->bytes[d];
        into->datagrams[d] += more->datagrams[d];
    }
}

/* What either has put in an edge since it had another twin, the other will not put there again. */
static void level(struct session *one, struct session *other) {
    struct session_counts base = one->parted, since = rise(&base, &one->counted), others = other->parted;
    add(&others, &since);
    rise(&other->counted, &others);
}

/* Both ends are here: one edge, on which the server's end counts. */
static void join(struct datagrams *all, struct session *one, struct session *other) {
    struct session *client = one->talk.parsed == SIDE_CLIENT ? one : other, *server = client == one ? other : one;
    struct conversation *asks = &client->talk, *serves = &server->talk;
    twins_remove(&all->twins, one);
    twins_remove(&all->twins, other);
    client->twin = server;
    server->twin = client;
    conversation_leave(asks);
    conversation_leave(serves);
    put_party(all->engine, &asks->server, server->socket->cookie, server->socket->party.owner);
    put_party(all->engine, &serves->client, client->socket->cookie, client->socket->party.owner);
    asks->timing = true;
    asks->open = false;
    serves->connect_counted = asks->connect_counted || (serves->connect_counted && !server->parts);
    serves->tallied = asks->tallied || (serves->tallied && !server->parts);
    level(client, server);
    level(server, client);
    if (server->parts) /* no longer fresh, so nothing else would */
        conversation_open(all->engine, serves);
    client->stale = server->stale = false;
    conversation_remember_server(all->engine, asks);
}

/*
 * The other end is gone: this one speaks for itself again, and waits for the next one. A client's port is used again, a
 * server is started again, and the kernel goes on with the session of the end that stayed.
 */
static void part(struct datagrams *all, struct session *session) {
    struct session *twin = session->twin;
    if (!twin)
        return;
    twins_part(&all->twins, session);
    if (!twin->talk.timing)
        return;
    calls_drop(all->engine, &twin->talk); /* the server's end has counted them */
    conversation_leave(&twin->talk);
    twin->talk.timing = false;
    twin->talk.connect_counted = true;
}

/* The twin of a session that has left has come: what that moved goes to their edge, and the twin waits for the next. */
static void finish(struct datagrams *all, struct session *left) {
    uint64_t now = all->engine->now;
    all->engine->now = left->last_time;
    account(all, left);
    session_end(all, left, left->last_time);
    all->engine->now = now;
}

static void look_for_twin(struct datagrams *all, struct session *session, bool stale) {
    struct session *twin = session->waits ? twins_find(&all->twins, session, stale) : NULL;
    if (!twin || (twin->left_time && session->left_time))
        return;
    join(all, session, twin);
    count_held(all, session);
    count_held(all, twin);
    if (twin->left_time)
        finish(all, twin);
}

/* ---- sessions ---- */

static bool is_to_many(const uint8_t *address, uint8_t family) { /* multicast or broadcast: nobody must answer */
    if (family == 4)
        return (address[0] & 0xf0) == 0xe0 || (address[0] == 255 && address[3] == 255);
    return address[0] == 0xff;
}

static void set_ends(struct session *session, bool client, const uint8_t *peer, uint16_t peer_port) {
    struct conversation *talk = &session->talk;
    const struct udp_socket *socket = session->socket;
    memcpy(client ? talk->client_address : talk->server_address, socket->address, 16);
    memcpy(client ? talk->server_address : talk->client_address, peer, 16);
    talk->client_port = client ? socket->port : peer_port;
    talk->server_port = talk->seen_port = client ? peer_port : socket->port;
    talk->parsed = client ? SIDE_CLIENT : SIDE_SERVER;
}

static void remember_fresh(struct datagrams *all, uint64_t key) {
    if (all->fresh_count == all->fresh_capacity) {
        size_t capacity = all->fresh_capacity ? all->fresh_capacity * 2 : 256;
        struct fresh *bigger = capacity > FRESH_LIMIT ? NULL : realloc(all->fresh, capacity * sizeof(*bigger));
        if (!bigger) {
            datagrams_settle(all, UINT64_MAX);
            if (!all->fresh_capacity)
                return;
        } else {
            all->fresh = bigger;
            all->fresh_capacity = capacity;
        }
    }
    all->fresh[all->fresh_count++] = (struct fresh){key, all->engine->now};
}

static uint64_t key_of(const struct session_key *key) {
    uint64_t hash = XXH3_64bits(key, sizeof(*key));
    return hash ? hash : 1;
}

static struct session *session_new(struct datagrams *all, struct udp_socket *socket, const struct session_key *key,
                                   uint8_t role, uint8_t proof) {
    struct session *session = calloc(1, sizeof(*session));
    if (!session || table_put(&all->sessions, key_of(key), session)) {
        all->engine->losses.connections_refused += session != NULL;
        all->engine->losses.memory += !session;
        free(session);
        return NULL;
    }
    struct conversation *talk = &session->talk;
    session->key = key_of(key);
    session->socket = socket;
    session->after = socket->first;
    if (socket->first)
        socket->first->before = session;
    socket->first = session;
    talk->transport = TRANSPORT_UDP;
    talk->family = key->family == 2 ? 4 : 6;
    talk->proof = proof;
    talk->netns = socket->owner.netns;
    talk->noted = UINT32_MAX;
    talk->opaque = is_to_many(key->address, talk->family);
    set_ends(session, role != ROLE_SERVER, key->address, key->port);
    put_party(all->engine, role != ROLE_SERVER ? &talk->client : &talk->server, socket->cookie, socket->party.owner);
    twins_add(&all->twins, session);
    remember_fresh(all, session->key);
    return session;
}

static struct session *session_of(struct datagrams *all, const struct session_key *key, uint8_t role, uint8_t proof) {
    struct session *session = table_get(&all->sessions, key_of(key));
    if (session)
        return session;
    struct udp_socket *socket = table_get(&all->sockets.by_cookie, key->cookie);
    return socket ? session_new(all, socket, key, role, proof) : NULL;
}

/* Unanswered calls of a socket some of whose datagrams were lost may have been answered. */
static uint32_t forgive(struct session *session, uint32_t calls) {
    uint32_t forgiven = calls < session->socket->unexplained ? calls : session->socket->unexplained;
    session->socket->unexplained -= forgiven;
    return forgiven;
}

/* It is needed as long as it has sessions, or the kernel may show some. */
static void retire(struct datagrams *all, struct udp_socket *socket) {
    if (!socket->closed || socket->first || socket->owes)
        return;
    engine_give_end(all->engine, socket->party.owner);
    udp_sockets_free(&all->sockets, socket);
}

static void left_remove(struct session *session) {
    struct left *list = session->left;
    if (!list)
        return;
    if (session->later)
        session->later->earlier = session->earlier;
    else
        list->last = session->earlier;
    if (session->earlier)
        session->earlier->later = session->later;
    else
        list->first = session->later;
    list->count--;
    session->left = NULL;
}

static void left_add(struct left *list, struct session *session) {
    left_remove(session);
    session->left = list;
    session->earlier = list->last;
    session->later = NULL;
    if (list->last)
        list->last->later = session;
    else
        list->first = session;
    list->last = session;
    list->count++;
}

static void session_end(struct datagrams *all, struct session *session, uint64_t now) {
    struct engine *engine = all->engine;
    struct udp_socket *socket = session->socket;
    count_held(all, session);
    engine->now = now;
    calls_abandon(engine, &session->talk,
                  session->talk.timing ? 0 : forgive(session, calls_outstanding(&session->talk)));
    part(all, session);
    twins_remove(&all->twins, session);
    table_remove(&all->sessions, session->key);
    left_remove(session);
    if (session->before)
        session->before->after = session->after;
    else
        socket->first = session->after;
    if (session->after)
        session->after->before = session->before;
    conversation_close(engine, &session->talk);
    free(session);
    retire(all, socket);
}

/* ---- sessions that have left ---- */

/* Its socket is closed before its twin was seen, which may be about to show itself: a server reads later. */
static void leave(struct datagrams *all, struct session *session) {
    conversation_leave(&session->talk);
    session->talk.open = false;
    session->left_time = all->engine->latest ? all->engine->latest : 1;
    if (!session->socket->owes) /* else it waits for its totals */
        left_add(&all->left, session);
}

/* No twin has come in time: it is counted for itself. One that may come yet is to know what was counted. */
static void tell(struct datagrams *all, struct session *session) {
    struct engine *engine = all->engine;
    uint64_t now = engine->now;
    engine->now = session->last_time;
    session->held = false;
    account(all, session);
    calls_abandon(engine, &session->talk, forgive(session, calls_outstanding(&session->talk)));
    conversation_leave(&session->talk);
    left_add(&all->told, session);
    if (session->talk.parsed != SIDE_CLIENT || !udp_sockets_may_serve(&all->sockets, &session->talk))
        session_end(all, session, session->last_time);
    engine->now = now;
}

static void settle_left(struct datagrams *all, uint64_t left_before) {
    struct session *session;
    while ((session = all->left.first) != NULL && session->left_time < left_before)
        tell(all, session);
    while ((session = all->told.first) != NULL &&
           (session->left_time + LEFT_NS < left_before || all->told.count > LEFT_LIMIT))
        session_end(all, session, session->last_time);
}

/* ---- sessions that are not on an edge yet ---- */

static void settle(struct datagrams *all, struct session *session) {
    if (session->left_time)
        return;
    look_for_twin(all, session, true);
    if (!session->talk.timing)
        conversation_open(all->engine, &session->talk);
}

void datagrams_settle(struct datagrams *all, uint64_t seen_before) {
    size_t kept = 0;
    for (size_t i = 0; i < all->fresh_count; i++) {
        struct session *session = table_get(&all->sessions, all->fresh[i].key);
        if (session && all->fresh[i].seen >= seen_before)
            all->fresh[kept++] = all->fresh[i];
        else if (session)
            settle(all, session);
    }
    all->fresh_count = kept;
    settle_left(all, seen_before);
}

/* ---- sockets ---- */

/* The session's socket has another owner. `told`: the session itself, or its twin, which knows it as the other end. */
static void changed_hands(struct datagrams *all, const struct session *session, struct session *told) {
    struct conversation *talk = &told->talk;
    count_held(all, told);
    conversation_leave(talk);
    put_party(all->engine, session->talk.parsed == SIDE_CLIENT ? &talk->client : &talk->server, session->socket->cookie,
              session->socket->party.owner);
    remember_fresh(all, told->key);
}

void datagrams_opened(struct datagrams *all, const struct record_opened *record) {
    struct udp_socket *socket = udp_sockets_get(&all->sockets, record->cookie);
    if (!socket) {
        all->engine->losses.connections_refused++;
        return;
    }
    socket->owner = record->owner;
    udp_sockets_bind(&all->sockets, socket, record->local_address, record->family == 2 ? 4 : 6, record->local_port);
    conversation_own(all->engine, &socket->party, &record->owner, record->command);
    for (struct session *session = socket->first; session; session = session->after) {
        changed_hands(all, session, session);
        if (session->twin) /* at a server's end it is counted who its client is */
            changed_hands(all, session, session->twin);
    }
}

/* Sessions whose last totals did not come with the close are in the kernel's table until they are shown once more. */
void datagrams_closed(struct datagrams *all, const struct record_closed *record) {
    struct udp_socket *socket = table_get(&all->sockets.by_cookie, record->cookie);
    if (!socket || socket->closed) {
        all->engine->losses.unknown_socket++;
        return;
    }
    udp_sockets_close(&all->sockets, socket);
    for (struct session *session = socket->first, *after; session; session = after) {
        after = session->after;
        if (session->left_time)
            continue;
        socket->owes = true;
        if (session->twin)
            session_end(all, session, record->time);
        else
            leave(all, session);
    }
    if (socket->owes) {
        socket->next_owing = all->sockets.owing;
        all->sockets.owing = socket;
    }
    retire(all, socket);
}

static void note_lost(struct datagrams *all, struct udp_socket *socket, uint32_t lost) {
    if (lost <= socket->lost)
        return;
    all->engine->losses.lost_datagrams += lost - socket->lost;
    socket->unexplained += lost - socket->lost;
    socket->lost = lost;
}

/* ---- datagrams ---- */

static void turn_round(struct session_counts *counts) {
    *counts = (struct session_counts){.bytes = {counts->bytes[1], counts->bytes[0]},
                                      .datagrams = {counts->datagrams[1], counts->datagrams[0]}};
}

/* The guess of who is the client was wrong: what it says is an answer. */
static void swap_roles(struct datagrams *all, struct session *session, const struct record_datagram *record) {
    bool client = session->talk.parsed == SIDE_SERVER;
    struct party own = client ? session->talk.server : session->talk.client;
    twins_remove(&all->twins, session);
    conversation_leave(&session->talk);
    session->talk.client = client ? own : (struct party){0};
    session->talk.server = client ? (struct party){0} : own;
    struct session_counts *counts[] = {&session->counted, &session->parted, &session->read, &session->over};
    for (int i = 0; i < 4; i++)
        turn_round(counts[i]);
    session->fits[0] = session->fits[1] = 0;
    set_ends(session, client, record->peer_address, record->peer_port);
    twins_add(&all->twins, session);
    remember_fresh(all, session->key);
}

static enum direction direction_of(const struct session *session, const struct record_datagram *record) {
    return (session->talk.parsed == SIDE_CLIENT) == record->egress ? DIRECTION_REQUEST : DIRECTION_RESPONSE;
}

static const struct protocol *ask(struct session *session, enum direction direction, const uint8_t *bytes,
                                  size_t length) {
    for (int i = 0; protocols[i]; i++) {
        if (!protocols[i]->datagrams)
            continue;
        uint32_t bit = 1u << protocols[i]->id;
        enum probe_verdict verdict = protocols[i]->probe(direction, bytes, length);
        if (verdict >= PROBE_MAYBE)
            session->fits[direction] |= bit;
        if (verdict == PROBE_CERTAIN || (verdict == PROBE_MAYBE && (session->fits[!direction] & bit)))
            return protocols[i];
    }
    return NULL;
}

static void infer(struct datagrams *all, struct session *session, const struct record_datagram *record,
                  const uint8_t *bytes) {
    enum direction direction = direction_of(session, record);
    const struct protocol *verdict = ask(session, direction, bytes, record->captured);
    bool guessed = !session->twin && !session->talk.protocol && session->records == 0;
    if (!verdict && guessed && (verdict = ask(session, !direction, bytes, record->captured)) != NULL)
        swap_roles(all, session, record);
    if (verdict && conversation_adopt(all->engine, &session->talk, verdict))
        return;
    if (++session->records >= UNKNOWN_DATAGRAMS)
        conversation_withdraw(all->engine, &session->talk);
}

static void parse(struct datagrams *all, struct session *session, const struct record_datagram *record,
                  const uint8_t *bytes) {
    struct conversation *talk = &session->talk;
    struct engine *engine = all->engine;
    engine->current = talk;
    engine->began = engine->now;
    talk->excused = session->socket->unexplained < UINT16_MAX ? session->socket->unexplained : UINT16_MAX;
    uint16_t excused = talk->excused;
    struct parse_result result =
        talk->protocol->parse(talk->state, direction_of(session, record), bytes, record->captured,
                              record->captured < record->length, &engine->output);
    session->socket->unexplained -= excused - talk->excused;
    if (result.status == PARSE_ERROR)
        conversation_withdraw(engine, talk);
}

void datagrams_show(struct datagrams *all, const struct record_datagram *record, const uint8_t *bytes) {
    struct session_key key = {.cookie = record->cookie, .port = record->peer_port, .family = record->family};
    memcpy(key.address, record->peer_address, 16);
    all->engine->now = record->time;
    struct session *session = session_of(all, &key, record->role, record->proof);
    if (!session) {
        all->engine->losses.unknown_socket += !table_get(&all->sockets.by_cookie, key.cookie);
        return;
    }
    session->last_time = record->time;
    session->talk.shown = true;
    note_lost(all, session->socket, record->lost);
    if (!session->first_hash) {
        session->first_hash = XXH3_64bits(bytes, record->captured) | 1;
        session->first_length = record->length;
        session->stale = false;
        look_for_twin(all, session, false);
    }
    if (!session->talk.protocol && !session->talk.opaque)
        infer(all, session, record, bytes);
    if (session->talk.protocol)
        parse(all, session, record, bytes);
}

/* ---- totals ---- */

static struct session_counts counts_of(const struct session *session, const struct session_totals *totals) {
    bool server = session->talk.parsed != SIDE_CLIENT;
    struct session_counts counts = {.bytes = {totals->bytes_sent, totals->bytes_received},
                                    .datagrams = {totals->datagrams_sent, totals->datagrams_received}};
    if (server)
        turn_round(&counts);
    add(&counts, &session->over);
    return counts;
}

static bool is_beyond(const struct session_counts *counts, const struct session_counts *others) {
    struct session_counts base = *others, risen = rise(&base, counts);
    return risen.bytes[0] || risen.bytes[1] || risen.datagrams[0] || risen.datagrams[1];
}

/* Of two ends, whichever was read first tells: a client may be gone before its server's end is read. */
static void account(struct datagrams *all, struct session *session) {
    struct conversation *talk = session->talk.timing ? &session->twin->talk : &session->talk;
    if (!is_beyond(&session->read, &session->counted))
        return;
    struct session_counts risen = rise(&session->counted, &session->read);
    if (session->twin)
        add(&session->twin->counted, &risen);
    struct edge *edge = conversation_edge(all->engine, talk);
    if (!edge)
        return;
    conversation_account(all->engine, talk, risen.bytes[0], risen.bytes[1]);
    struct edge_window *window = edges_window(all->engine->edges, edge, all->engine->now);
    if (talk->noted != all->engine->edges->sequence)
        conversation_note(all->engine, talk);
    window->request_datagrams += risen.datagrams[0];
    window->response_datagrams += risen.datagrams[1];
}

/* The moment at which what was read is counted. It was read when the window had ended, so all of it is that one's. */
static uint64_t counted_at(const struct datagrams *all, uint64_t last_time) {
    const struct edges *edges = all->engine->edges;
    uint64_t before = edges->start && edges->previous_open ? edges->start - 1 : last_time;
    return last_time < before ? last_time : before;
}

static void count_held(struct datagrams *all, struct session *session) {
    uint64_t now = all->engine->now;
    if (!session->held)
        return;
    session->held = false;
    all->engine->now = counted_at(all, session->last_time);
    account(all, session);
    all->engine->now = now;
}

static void read_totals(struct datagrams *all, struct session *session, const struct session_totals *totals) {
    if (session->first_time && session->first_time != totals->first_time) /* it was over, and began again */
        session->over = session->read;
    session->first_time = totals->first_time;
    session->last_time = totals->last_time > session->last_time ? totals->last_time : session->last_time;
    session->round = all->round;
    session->read = counts_of(session, totals);
}

static void look_again(struct datagrams *all, struct session *session) {
    if (!session->stale || is_beyond(&session->read, &session->counted))
        look_for_twin(all, session, !session->stale);
}

/* The last totals of a session: with a twin it is over, else it may have one yet. */
static void ends(struct datagrams *all, struct session *session, uint64_t last_time) {
    all->engine->now = last_time;
    if (session->twin) {
        account(all, session);
        session_end(all, session, last_time);
    } else if (session->left_time) {
        tell(all, session);
    } else {
        leave(all, session);
        settle_left(all, session->left_time > CONNECTION_GRACE_NS ? session->left_time - CONNECTION_GRACE_NS : 0);
    }
}

bool datagrams_totals(struct datagrams *all, const struct session_key *key, const struct session_totals *totals,
                      bool last) {
    const struct udp_socket *socket = table_get(&all->sockets.by_cookie, key->cookie);
    bool over = socket && socket->closed;
    all->engine->now = totals->last_time;
    if (over && !table_get(&all->sessions, key_of(key))) /* its twin has told, and will */
        return true;
    struct session *session = session_of(all, key, totals->role, totals->proof);
    if (!session) { /* one that has just begun may stand in the ring yet */
        all->engine->losses.unknown_socket +=
            !socket && (last || totals->first_time + CONNECTION_GRACE_NS < all->engine->edges->start);
        return false;
    }
    read_totals(all, session, totals);
    all->engine->now = last ? totals->last_time : counted_at(all, totals->last_time);
    look_again(all, session);
    if (last || over)
        ends(all, session, totals->last_time);
    else if (session->twin)
        account(all, session);
    else
        session->held = true;
    return over;
}

/* What the kernel has shown of closed sockets' sessions now was the last. */
static void settle_debts(struct datagrams *all) {
    struct udp_socket *owing = all->sockets.owing;
    all->sockets.owing = NULL;
    for (struct udp_socket *socket = owing, *next; socket; socket = next) {
        next = socket->next_owing;
        for (struct session *session = socket->first, *after; session; session = after) {
            after = session->after;
            if (!session->left)
                tell(all, session);
        }
        socket->owes = false;
        retire(all, socket);
    }
}

void datagrams_shown_all(struct datagrams *all) {
    uint32_t round = all->round++;
    settle_debts(all);
    for (size_t i = 0; i < all->sessions.capacity;) {
        struct session *session = all->sessions.slots[i].value;
        if (session && session->round && session->round != round && !session->left_time)
            session_end(all, session, session->last_time); /* another may stand in its slot now */
        else
            i++;
    }
}

/* Whoever is joined now may end another, and what stands in the table then moves. */
static void count_all_held(struct datagrams *all) {
    size_t count;
    do {
        count = all->sessions.count;
        for (size_t i = 0; i < all->sessions.capacity; i++) {
            struct session *session = all->sessions.slots[i].value;
            if (!session || !session->held)
                continue;
            look_again(all, session);
            count_held(all, session);
        }
    } while (all->sessions.count != count);
}

void datagrams_tick(struct datagrams *all, uint64_t now) {
    count_all_held(all);
    for (size_t i = 0; i < all->sessions.capacity;) {
        struct session *session = all->sessions.slots[i].value;
        if (session && !session->round && !session->left_time &&
            session->last_time + IDLE_NS < now) { /* the kernel's table was full */
            session_end(all, session, now);
            continue;
        }
        if (session && session->talk.calls) {
            uint32_t *unexplained = session->talk.timing ? NULL : &session->socket->unexplained;
            calls_time_out(all->engine, &session->talk, now, unexplained);
        }
        i++;
    }
}

void datagrams_free(struct datagrams *all) {
    if (!all)
        return;
    for (size_t i = 0; i < all->sockets.by_cookie.capacity; i++) {
        struct udp_socket *socket = all->sockets.by_cookie.slots[i].value;
        if (!socket)
            continue;
        socket->owes = true; /* so that it stays where it is */
        while (socket->first)
            session_end(all, socket->first, 0);
        engine_give_end(all->engine, socket->party.owner);
        socket->party.owner = NULL;
    }
    all->engine->datagrams = NULL;
    udp_sockets_done(&all->sockets);
    table_done(&all->sessions);
    table_done(&all->twins.waiting);
    free(all->fresh);
    free(all);
}
