/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A conversation: what a TCP connection and a UDP session have in common. Two ends, a verdict on the protocol, calls
 * that wait for their answer, and the one edge that all of it is counted on. Private to topology/.
 *
 * The edge is asked for when there is something to count, and left (conversation_leave) when the verdict or an end
 * changes; its gauges move with it, so that a conversation is never counted on two.
 */
#ifndef WEFT_TOPOLOGY_CONVERSATION_H
#define WEFT_TOPOLOGY_CONVERSATION_H

#include "engine.h"

struct calls;

enum side { SIDE_NONE, SIDE_CLIENT, SIDE_SERVER };

struct party {
    uint64_t cookie; /* 0: this end is not on this host, or not seen */
    const struct edge_end *owner;
};

struct conversation {
    struct party client, server;
    struct edge *edge; /* counted in its references */
    const struct protocol *protocol;
    void *state;         /* the protocol's; NULL without a verdict */
    struct calls *calls; /* NULL while none is outstanding */
    uint64_t isn;        /* of TCP: client's << 32 | server's */
    uint8_t client_address[16], server_address[16];
    uint16_t client_port, server_port;
    uint16_t seen_port; /* with server_address: what the client connected to, before any NAT */
    uint32_t netns;     /* of an end that is here */
    uint32_t noted;     /* sequence of the window in which it was last noted on its edge, or was refused one */
    uint16_t excused;   /* answers without a request that the kernel has counted as lost already */
    uint8_t family, transport, proof;
    uint8_t parsed; /* enum side: whose bytes the parser is shown */
    bool open : 1;  /* in open_connections */
    bool opaque : 1;
    bool found_open : 1; /* older than this agent: what went before is not ours to count */
    bool connect_counted : 1;
    bool timing : 1;           /* the other end's calls count; from these only the duration is taken */
    bool requested : 1;        /* a request was seen: an answer without one is a loss */
    bool refused : 1;          /* the table of edges was full in the window `noted` */
    bool shown : 1, blind : 1; /* bytes were shown; an operation showed none */
    bool lossy : 1, moved : 1; /* the kernel lost some of it; bytes moved */
    bool tallied : 1;          /* as a connection in the engine's traffic */
};

/* Names the owner of an end. */
void conversation_own(struct engine *engine, struct party *party, const struct record_owner *owner,
                      const char *command);
/* The server's owner is known, and what the client knows it by. */
void conversation_remember_server(struct engine *engine, const struct conversation *c);
struct edge *conversation_find_edge(struct engine *engine, struct conversation *c);
/* Asked anew when the verdict or an end changes. NULL while the table is full. */
static inline struct edge *conversation_edge(struct engine *engine, struct conversation *c) {
    return c->edge ? c->edge : conversation_find_edge(engine, c);
}
void conversation_leave(struct conversation *c);
void conversation_open(struct engine *engine, struct conversation *c);  /* counts it in open_connections */
void conversation_close(struct engine *engine, struct conversation *c); /* gives back all it holds */
/* Bytes each way since the last time; the first time also the connect. */
void conversation_account(struct engine *engine, struct conversation *c, uint64_t request, uint64_t response);
/* Once a window: what its edge says of who is at its ends. */
void conversation_note(struct engine *engine, struct conversation *c);
/* False without memory for the parser's state. */
bool conversation_adopt(struct engine *engine, struct conversation *c, const struct protocol *protocol);
/* There is no protocol, or no longer one. */
void conversation_withdraw(struct engine *engine, struct conversation *c);

#endif
