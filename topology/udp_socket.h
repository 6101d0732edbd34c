/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UDP sockets of this host, by their cookie and by the port they are bound to. Private to topology/datagram.c and
 * twin.c.
 *
 * A socket is told when it is bound or at its first operation, and is asked for until it is closed. One that is closed
 * stays in the table as long as it has sessions, or the kernel may still show totals of some (`owes`).
 */
#ifndef WEFT_TOPOLOGY_UDP_SOCKET_H
#define WEFT_TOPOLOGY_UDP_SOCKET_H

#include "conversation.h"

struct session;

struct udp_socket {
    uint64_t cookie;
    struct record_owner owner;
    struct party party;          /* who owns it */
    uint8_t address[16], family; /* what it is bound to; zeroes: nothing */
    uint16_t port;
    bool closed;
    bool owes;                          /* closed, and the kernel has not shown what its sessions moved at last */
    uint32_t lost;                      /* datagrams, as the kernel last told */
    uint32_t unexplained;               /* of those, not counted as lost calls yet */
    struct session *first;              /* of its sessions */
    struct udp_socket *previous, *next; /* at the same port, while it is open */
    struct udp_socket *next_owing;      /* closed ones that owe */
};

struct udp_sockets {
    struct table by_cookie, by_port;
    struct udp_socket *owing;
};

/* Made if it is not there; NULL without memory, or beyond the limit. */
struct udp_socket *udp_sockets_get(struct udp_sockets *sockets, uint64_t cookie);
/* It is bound there, or has been bound anew. */
void udp_sockets_bind(struct udp_sockets *sockets, struct udp_socket *socket, const uint8_t *address, uint8_t family,
                      uint16_t port);
/* Nobody is served by it any more; it stays in the table. */
void udp_sockets_close(struct udp_sockets *sockets, struct udp_socket *socket);
void udp_sockets_free(struct udp_sockets *sockets, struct udp_socket *socket); /* and takes it out */
void udp_sockets_done(struct udp_sockets *sockets);

/* A datagram to that address may reach the socket, as far as that can be told from where it is bound. */
bool udp_socket_may_have(const struct udp_socket *socket, const uint8_t *address);
/*
 * Who owns the socket here that a client's datagrams go to, when that has not answered or read yet; NULL: not known. A
 * loopback or link-local address belongs to the socket bound there in the client's network namespace. Any other may be
 * translated on the way to anybody, and be bound to by somebody who never sees a datagram (docker-proxy): it counts
 * only for `served`, the owner of the session that was last joined at this address. NULL also if sockets of several
 * owners may be meant. `ret_instances`: the owner's sockets may be of several of its instances.
 */
const struct edge_end *udp_sockets_server(const struct udp_sockets *sockets, const struct conversation *c,
                                          const struct edge_end *served, bool *ret_instances);
/* Some socket of this host may be the one that the client's datagrams go to. */
bool udp_sockets_may_serve(const struct udp_sockets *sockets, const struct conversation *c);

#endif
