/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UDP: sessions of a socket with a peer. Private to topology/; the public face is connection.h.
 *
 * A session is one end's (cookie, peer's address, peer's port). When both ends are on this host, their two sessions are
 * joined (twins) and make one edge: the server's counts calls, the client's only its durations. They are
 * found by their pair of ports; the addresses must agree as far as the sockets are bound, and a loopback or link-local
 * address means the same only within one network namespace. If several fit, the first datagram must be the same; if
 * that leaves more than one, they stay two half-edges.
 *
 * When one is over, the other waits for the next: the kernel knows it by its socket and the peer's address alone, and
 * goes on with it when another socket has that address.
 *
 * An end that is over before the other was seen (a client that sends and goes) waits for that a while. Meanwhile, and
 * as long as a server has not read, its edge is that of whoever owns the socket the datagrams go to (udp_socket.h).
 *
 * Bytes come from the kernel's totals alone, whatever was shown of a session's datagrams; of twins, from the one that
 * was read first. The totals are ahead of the ring, which may not have shown the other end yet: a session without a
 * twin is counted when its window is asked for, not when it was read.
 */
#ifndef WEFT_TOPOLOGY_DATAGRAM_H
#define WEFT_TOPOLOGY_DATAGRAM_H

#include "conversation.h"

struct datagrams;
int datagrams_new(struct engine *engine, size_t limit, struct datagrams **ret_datagrams);
void datagrams_free(struct datagrams *datagrams);

void datagrams_opened(struct datagrams *datagrams, const struct record_opened *record);
void datagrams_closed(struct datagrams *datagrams, const struct record_closed *record);
void datagrams_show(struct datagrams *datagrams, const struct record_datagram *record, const uint8_t *bytes);
/*
 * `last`: the kernel holds it no more. What it moved counts in the window of its last datagram, if that is open. True:
 * the kernel need hold it no more, since its socket is closed.
 */
bool datagrams_totals(struct datagrams *datagrams, const struct session_key *key, const struct session_totals *totals,
                      bool last);
/* Every session that the kernel holds was shown: those that it showed before, and not now, are over. */
void datagrams_shown_all(struct datagrams *datagrams);
/* Sessions that were first seen before that time are put on their edge: by then the other end is known, too. */
void datagrams_settle(struct datagrams *datagrams, uint64_t seen_before);
/* Before a window is given out: counts what was read at its end. */
void datagrams_tick(struct datagrams *datagrams, uint64_t now);
/* See udp_sockets_server. */
const struct edge_end *datagrams_server(const struct datagrams *datagrams, const struct conversation *c,
                                        const struct edge_end *served, bool *ret_instances);

#endif
