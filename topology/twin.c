/* SPDX-License-Identifier: Apache-2.0 */
/* Which two sessions are the two ends of one. */
#include <string.h>

#include "server.h"
#include "session.h"

static uint64_t key_of(const struct session *session) {
    return (uint64_t)session->talk.client_port << 16 | session->talk.server_port | 1ULL << 32;
}

/* Of one pair of ports: more than this many sessions are not looked through. */
enum { LOOK_LIMIT = 256 };

void twins_add(struct twins *twins, struct session *session) {
    struct session *first = table_get(&twins->waiting, key_of(session));
    session->previous = session->next = NULL;
    if (table_put(&twins->waiting, key_of(session), session))
        return;
    session->waits = true;
    session->next = first;
    if (first)
        first->previous = session;
}

static const uint8_t *peer_of(const struct session *session) {
    return session->talk.parsed == SIDE_CLIENT ? session->talk.server_address : session->talk.client_address;
}

void twins_part(struct twins *twins, struct session *session) {
    struct session *twin = session->twin;
    session->twin = twin->twin = NULL;
    twin->parted = twin->counted;
    twin->parts = twin->stale = true;
    twin->first_hash = 0;
    twin->former_netns = session->talk.netns;
    memcpy(twin->former_peer, peer_of(session), 16);
    twins_add(twins, twin);
}

void twins_remove(struct twins *twins, struct session *session) {
    if (!session->waits)
        return;
    session->waits = false;
    if (session->next)
        session->next->previous = session->previous;
    if (session->previous)
        session->previous->next = session->next;
    else if (session->next)
        table_put(&twins->waiting, key_of(session), session->next);
    else
        table_remove(&twins->waiting, key_of(session));
}

/* The server sees the client at an address that its socket may have, and the other way round. */
static bool may_be_one(const struct session *client, const struct session *server) {
    const struct conversation *c = &client->talk, *s = &server->talk;
    if (c->family != s->family)
        return false;
    if (!udp_socket_may_have(client->socket, s->client_address) ||
        !udp_socket_may_have(server->socket, c->server_address))
        return false;
    bool local = address_is_local(c->server_address, c->family) || address_is_local(s->client_address, s->family);
    return !local || c->netns == s->netns;
}

/* Ports alone are soon alike: of all that a host sends, some comes from a port that was just given up. */
static bool follows(const struct session *left, const struct session *next) {
    return !left->parts || (left->former_netns == next->talk.netns && !memcmp(left->former_peer, peer_of(next), 16));
}

static bool fit(const struct session *one, const struct session *other) {
    if (one->talk.parsed == other->talk.parsed || !follows(one, other) || !follows(other, one))
        return false;
    return one->talk.parsed == SIDE_CLIENT ? may_be_one(one, other) : may_be_one(other, one);
}

static bool began_alike(const struct session *one, const struct session *other) {
    return one->first_hash && one->first_hash == other->first_hash && one->first_length == other->first_length;
}

struct look {
    bool alike, stale; /* those that began alike only; stale ones, too */
};

/* Counts those of this list that fit, and gives the last of them. */
static unsigned count_fits(struct session *first, const struct session *session, struct look look,
                           struct session **ret_last) {
    unsigned count = 0, looked = 0;
    for (struct session *other = first; other; other = other->next)
        if (++looked > LOOK_LIMIT)
            return UINT32_MAX;
        else if (other != session && (!other->stale || look.stale) && fit(session, other) &&
                 (!look.alike || began_alike(session, other))) {
            *ret_last = other;
            count++;
        }
    return count;
}

/*
 * Clients that came one after the other from one port, and have all left but perhaps the last: the server reads what
 * the first of them sent first. NULL if they are not that.
 */
static struct session *first_to_leave(struct session *first, const struct session *session, struct look look) {
    struct session *found = NULL;
    unsigned looked = 0, staying = 0;
    for (struct session *other = first; other && looked < LOOK_LIMIT; other = other->next, looked++) {
        if (other == session || (other->stale && !look.stale) || !fit(session, other) ||
            (look.alike && !began_alike(session, other)))
            continue;
        staying += !other->left_time;
        if (staying > 1 || (found && found->talk.netns != other->talk.netns))
            return NULL;
        if (!found || !found->left_time || (other->left_time && other->left_time <= found->left_time))
            found = other; /* of those that left at once, the one that came first: it stands last */
    }
    return found && found->left_time && found->talk.parsed == SIDE_CLIENT ? found : NULL;
}

struct session *twins_find(const struct twins *twins, const struct session *session, bool stale) {
    struct session *first = table_get(&twins->waiting, key_of(session)), *found = NULL, *rival = NULL;
    struct look look = {.stale = stale};
    unsigned count = count_fits(first, session, look, &found);
    look.alike = count > 1;
    if (look.alike && session->first_hash)
        count = count_fits(first, session, look, &found);
    if (count > 1) {
        look.alike = session->first_hash != 0;
        found = first_to_leave(first, session, look);
    }
    if (!count || !found)
        return NULL;
    /* And the found one has no other choice either. */
    return count_fits(first, found, look, &rival) <= 1 && (!rival || rival == session) ? found : NULL;
}
