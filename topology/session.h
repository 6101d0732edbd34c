/* SPDX-License-Identifier: Apache-2.0 */
/* One end's part of a UDP exchange. Private to topology/datagram.c and twin.c. */
#ifndef WEFT_TOPOLOGY_SESSION_H
#define WEFT_TOPOLOGY_SESSION_H

#include "datagram.h"
#include "udp_socket.h"

struct left;

struct session {
    struct conversation talk; /* first */
    struct udp_socket *socket;
    struct session *before, *after;  /* of the same socket */
    struct session *twin;            /* the other end, on this host */
    struct session *previous, *next; /* in its list of twins to be */
    uint64_t key;
    uint64_t first_time, last_time, first_hash; /* of its first datagram, as shown; 0: none was */
    struct session_counts {
        uint64_t bytes[2], datagrams[2]; /* by direction */
    } counted,                           /* in an edge already, whichever end told of it */
        parted,                          /* of that, with twins it had before: the next one knows nothing of it */
        read, over;                      /* as the kernel last told; of that, in entries it has given up */
    uint32_t first_length, fits[2];
    uint32_t round; /* in which the kernel showed it last; 0: never */
    uint8_t records;
    bool waits;            /* it stands in a list of twins to be */
    bool parts;            /* it has had a twin that is gone */
    bool stale;            /* its twin is gone, and no datagram was shown since */
    uint32_t former_netns; /* of that twin, and whom it spoke to */
    uint8_t former_peer[16];
    bool held;                       /* `read` is in no edge yet: its twin may show itself */
    uint64_t left_time;              /* its socket is closed, and its twin may show itself yet; 0: it has not left */
    struct left *left;               /* the list that it is in then; NULL: none */
    struct session *earlier, *later; /* in that */
};

/* Sessions that wait for their other end, by their pair of ports. */
struct twins {
    struct table waiting;
};

void twins_add(struct twins *twins, struct session *session);
void twins_remove(struct twins *twins, struct session *session);
/* The session is over: its twin has none, and waits for the next. */
void twins_part(struct twins *twins, struct session *session);
/*
 * The one session that can only be the other end; NULL: none, or more than one. It waits until it is removed. For one
 * that has had a twin, that is what speaks from where and to where its twin did. Of clients that had the same port one
 * after the other, and have left, it is the first. Stale ones are looked at only if `stale`: a port that is used again
 * may lead to another server's socket, which has not spoken yet.
 */
struct session *twins_find(const struct twins *twins, const struct session *session, bool stale);

#endif
