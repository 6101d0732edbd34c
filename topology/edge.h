/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Edges: who calls whom, by protocol, transport and server port, summed over windows.
 *
 * A table belongs to one thread. A worker's table holds two windows of each edge: the running one (`edge.window`) and,
 * until it is merged, the one before. edges_next and edges_plan move on; edges_window gives the window that holds a
 * moment. edges_merge adds what a worker has to another table, in which `edge.window` is the sum; its
 * reader empties it with edges_clear.
 *
 * edges_get finds or makes the edge of a key. An edge stays while it has references (edge.references) or something to
 * say, and is given up after some windows without either. Bounded: beyond the limit edges_get gives NULL and counts it.
 */
#ifndef WEFT_TOPOLOGY_EDGE_H
#define WEFT_TOPOLOGY_EDGE_H

#include <stdbool.h>
#include <stdint.h>

#include "address_set.h"
#include "histogram.h"
#include "protocols/protocol.h"
#include "table.h"
#include "window.h"
#include "workload.h"

enum { ERROR_KINDS = 4, JOIN_LIMIT = 4, ENDPOINT_LIMIT = 20, ERRNO_LIMIT = 8, ENDPOINT_LENGTH = 96, DROP_LIMIT = 8 };

struct endpoint {
    uint64_t hash;
    char operation[16];
    char name[ENDPOINT_LENGTH];
    uint64_t calls, errors;
    struct histogram duration;
};

struct errno_count {
    int error;
    uint32_t count;
};

/* One connection of a half-edge, so that another host's half can be found: as this end sees it. */
struct edge_join {
    uint64_t isn; /* client's << 32 | server's */
    uint8_t client_address[16], server_address[16], family;
    uint16_t client_port, server_port;
};

/* Which instances of a workload had a part in the window. Beyond those listed they are counted by a filter: roughly. */
struct edge_instances {
    uint64_t ids[WORKLOAD_INSTANCES];
    uint64_t filter[8];
    uint32_t count;
};

/* Packets lost for one reason. Names live as long as the agent: equal ones may be different pointers. */
struct edge_drop {
    const char *reason;
    uint64_t packets;
};

/* What the packet side knows of the edge's connections (topology/flows.h). In merged tables only. */
struct edge_packets {
    uint64_t request, response; /* sent by the client, by the server: as the first interface of each way counts them */
    uint64_t retransmits, zero_windows;
    struct histogram rtt;               /* ns: each reading of a sender's smoothed round trip, else the handshake's */
    struct histogram connect_latency;   /* ns: from the client's first SYN to the SYN-ACK, both as its side saw them */
    struct edge_drop drops[DROP_LIMIT]; /* the last one takes the rest, as `other` */
};

/* What one window holds. Counts only; every record is a delta. */
struct edge_window {
    uint64_t calls, client_error, server_error, timeout, no_response, waiting, lost;
    uint64_t late; /* calls among these that ended in another window */
    uint64_t request_bytes, response_bytes, connects;
    uint64_t request_datagrams, response_datagrams; /* UDP */
    struct errno_count failures[ERRNO_LIMIT];
    struct histogram duration, client_duration; /* server's and client's; ns */
    struct endpoint *endpoints;                 /* owned; one more than ENDPOINT_LIMIT, the last sums the others */
    uint32_t endpoint_count, endpoint_capacity;
    uint32_t join_count;
    struct edge_join *joins; /* owned; at most JOIN_LIMIT, of a half-edge of TCP */
    struct address_set
        clients; /* addresses of clients that are not on this host, of connections active in the window */
    struct edge_instances client_instances, server_instances;
    struct edge_packets *packets;         /* owned; NULL: none seen */
    uint32_t open_connections, in_flight; /* when it ended; set as the next one begins */
};

/* An end of an edge, as its owner names it. */
struct edge_end {
    uint64_t id;
    const char *name, *kind; /* borrowed, live as long as the process */
    const char *executable;
    uint32_t pid;                    /* 0: not a process here */
    const struct workload *workload; /* borrowed, as above; NULL in tests */
    uint64_t instance;               /* which of its instances (see workload_instance); 0: none, it is remote */
    bool stale;                      /* the name is that of an address's former owner */
};

struct edge {
    uint64_t id;
    struct edge_end client, server;
    enum protocol_id protocol;
    uint16_t server_port; /* of the server's own socket, where that is here */
    uint16_t seen_port;   /* with `address`: what the client connected to */
    uint8_t address[16], family;
    uint8_t transport; /* enum transport of bpf/record.h */
    bool client_here, server_here;
    uint8_t proof; /* enum direction_proof of bpf/record.h */
    uint32_t open_connections, in_flight;
    uint32_t references;          /* connections that hold a pointer to it */
    uint32_t idle;                /* windows in a row with nothing to say */
    struct edge_window window;    /* the running one; in a merged table, the one that was merged */
    struct edge_window *previous; /* the one before, while it is open and holds something */
};

struct edges {
    struct table table;
    uint64_t start, end;    /* of the running window, CLOCK_MONOTONIC ns */
    uint64_t length;        /* 0: one window that never ends */
    uint32_t sequence;      /* of the running window, as in struct window_clock */
    bool previous_open;     /* the window before still takes calls */
    uint64_t refused;       /* edges beyond the limit, or without memory */
    uint64_t evicted_early; /* edges given up before their time to make room */
};

/* Windows without anything to say after which an edge is given up. */
enum { EDGE_IDLE_WINDOWS = 6 };

void edges_init(struct edges *edges, size_t limit);
void edges_done(struct edges *edges);
/* The edge of (client, server, protocol, transport, port); `like` gives the values of a new one. NULL: table full. */
struct edge *edges_get(struct edges *edges, const struct edge *like);

/* The running window is the clock's; those between it and the table's are gone through. */
void edges_plan(struct edges *edges, const struct window_clock *clock);
/* The running window has ended, the one before is merged already, and the next begins. */
void edges_next(struct edges *edges);
/* The window of `edge` that holds `time`. */
static inline struct edge_window *edges_window(struct edges *edges, struct edge *edge, uint64_t time);
/* The same for a call that ended at `time`: one whose window takes no more is counted as late. */
struct edge_window *edges_window_of_call(struct edges *edges, struct edge *edge, uint64_t time);

enum edges_part {
    EDGES_RUNNING, /* a copy of the running window */
    EDGES_FORMER,  /* a copy of the window before, as long as that takes calls */
    EDGES_ENDED    /* the window before; `from` gives it up and takes no more for it */
};
/* Adds to `into`; `from` belongs to the calling thread, and so does `into` for the time of the call. */
void edges_merge(struct edges *into, struct edges *from, enum edges_part part);
/* Every edge of a merged table with something to say. */
void edges_each(const struct edges *edges, void (*visit)(void *context, const struct edge *edge), void *context);
void edges_empty(struct edges *edges); /* the windows of its edges, which stay */
/* Empties a table of its edges; none of them may have references. */
void edges_clear(struct edges *edges);

void edge_add_join(struct edge_window *window, const struct edge_join *join); /* those beyond the limit are left out */
void edge_window_empty(struct edge_window *window);
bool edge_silent(const struct edge *edge); /* a merged edge that no record need be written for */
void edge_add_failure(struct edge_window *window, int error, uint32_t count);
void edge_saw_instance(struct edge_instances *instances, uint64_t id); /* 0: none */
uint32_t edge_instances_more(const struct edge_instances *instances);  /* beyond those listed */
struct edge_packets *edge_packets(struct edge_window *window); /* made when first asked for; NULL without memory */
void edge_add_drop(struct edge_packets *packets, const char *reason, uint64_t count); /* a reason is never empty */
/* NULL if memory is refused. */
struct endpoint *edge_endpoint(struct edge_window *window, const char *operation, const char *name);

/* The best name known by now. */
static inline const char *edge_end_name(const struct edge_end *end) {
    return end->workload ? __atomic_load_n(&end->workload->name, __ATOMIC_ACQUIRE) : end->name;
}

/* ---- */

struct edge_window *edges_former(struct edges *edges, struct edge *edge);

static inline struct edge_window *edges_window(struct edges *edges, struct edge *edge, uint64_t time) {
    if (time >= edges->start || !edges->previous_open)
        return &edge->window;
    return edges_former(edges, edge);
}

#endif
