/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections and UDP sessions -> calls -> edges.
 *
 * A connection has up to two ends on this host, joined by the pair of initial sequence numbers; whichever end shows
 * bytes first is parsed, the other gives its owner and its times. Bytes reach the protocol in stream order with gaps
 * made explicit: both directions' offsets stand on every record, so what was not copied is known to the byte.
 *
 * connections_new -> connections_opened / _data / _turns / _closed / _failed as the source yields them, in its order ->
 * connections_tick now and then -> connections_free. One worker thread owns it; nothing is locked.
 * Memory is bounded by the limits in the options; what is refused is counted in `struct connection_losses`.
 */
#ifndef WEFT_TOPOLOGY_CONNECTION_H
#define WEFT_TOPOLOGY_CONNECTION_H

#include "bpf/record.h"
#include "clients.h"
#include "edge.h"
#include "traffic.h"

struct flow_placement; /* topology/flows.h */

/* How this module learns names; called once per connection end, never per call. */
struct namer {
    void *context;
    struct edge_end (*owner)(void *context, const struct record_owner *owner, const char *command);
    struct edge_end (*server)(void *context, const uint8_t *address, int family, uint16_t port);
    struct edge_end (*client)(void *context, const uint8_t *address, int family);
    /* A socket was opened, or changed its owner. May be NULL. */
    void (*opened)(void *context, const struct record_opened *record);
    /* `address` (4 or 16 bytes) was the answer for `host`, or reached under that name. May be NULL; `host` is the
     * callee's only for the time of the call. Called per answer, from any worker. */
    void (*learned)(void *context, struct slice host, const uint8_t *address, size_t length, uint32_t ttl_seconds);
    /* A connection or session counts on that edge from now on: once each time it is put on one. May be NULL. */
    void (*placed)(void *context, const struct flow_placement *placement);
};

struct connection_options {
    struct namer namer;
    struct edges *edges;
    struct clients *clients;  /* shared; NULL: no limit */
    size_t limit;             /* connections held at once */
    size_t held_bytes;        /* of bytes and calls that wait on them; 0: no bound. Beyond it `memory` counts */
    uint64_t call_timeout_ns; /* an unanswered call is a timeout after this */
    const bool *telling;      /* NULL, or true while those that were open before are told: both ends may be far apart */
};

struct connection_losses {
    uint64_t connections_refused; /* beyond the limit */
    uint64_t unknown_socket;      /* records of sockets whose opening was not seen */
    uint64_t bytes_missing;       /* not copied or lost, and not covered by a skip */
    uint64_t lost_calls;          /* not seen whole; also on their edges */
    uint64_t lost_datagrams;      /* that did not fit the ring; those known to be of a call are in lost_calls, too */
    uint64_t memory;              /* allocations refused */
    uint64_t servers_forgotten;   /* listeners not remembered: their failed connects make an edge of their own */
    uint64_t calls_dropped;       /* more unanswered requests on one connection than are kept */
    uint64_t calls_withdrawn;     /* unanswered when the verdict on the protocol was withdrawn */
    uint64_t clients_folded;      /* connections of clients beyond the limit of their server, on an edge of `other` */
    uint64_t unmatched_responses; /* answers to requests that were not shown; those that are calls are also lost */
};

struct connections;
int connections_new(const struct connection_options *options, struct connections **ret_connections);
void connections_free(struct connections *connections);

void connections_opened(struct connections *connections, const struct record_opened *record);
void connections_data(struct connections *connections, const struct record_data *record, const uint8_t *bytes);
void connections_progress(struct connections *connections, const struct record_progress *record);
void connections_turns(struct connections *connections, const struct record_turns *record);
void connections_closed(struct connections *connections, const struct record_closed *record);
void connections_failed(struct connections *connections, const struct record_opened *record);

/* UDP: sockets come through connections_opened and _closed. */
void connections_datagram(struct connections *connections, const struct record_datagram *record, const uint8_t *bytes);
/* Cumulative totals of a session, `last`: the final ones. Once a window each, then connections_sessions_shown.
 * True: its socket is closed, so the kernel need hold it no more. */
bool connections_session(struct connections *connections, const struct session_key *key,
                         const struct session_totals *totals, bool last);
void connections_sessions_shown(struct connections *connections);

/*
 * Connections that have not spoken yet are put on their edge, those that were opened before that time. Before each
 * edges_merge. A connection is given a moment, since its two ends are not told at once and the edge needs both.
 */
#define CONNECTION_GRACE_NS 200000000ULL
void connections_settle(struct connections *connections, uint64_t opened_before);
/* The latest time of a record: what is in the ring after it may be as old. CLOCK_MONOTONIC ns. */
uint64_t connections_latest(const struct connections *connections);
/* Counts calls unanswered for longer than the limit as timeouts; `now` is CLOCK_MONOTONIC ns. Once a window. */
void connections_tick(struct connections *connections, uint64_t now);

const struct traffic *connections_traffic(const struct connections *connections);
const struct connection_losses *connections_losses(const struct connections *connections);

#endif
