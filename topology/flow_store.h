/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What flows are kept in. Private to topology/flow*.c and path*.c; everything under the mutex.
 *
 * An entry is one flow: a tuple at an interface, one way. A trail is one connection with all of its entries: those of
 * the client's direction first, each direction's hops in order. Entries, trails, drops and the tuples by which a trail
 * is found know each other by pointers; whoever frees one clears them (flow_trail.c).
 */
#ifndef WEFT_TOPOLOGY_FLOW_STORE_H
#define WEFT_TOPOLOGY_FLOW_STORE_H

#include <pthread.h>

#include "flow_tuple.h"
#include "flows.h"
#include "table.h"

#define FLOW_KEEP_NS 300000000000ULL /* what is over stays to be asked for */

enum {
    FLOW_HOPS_MAX = 64,     /* entries of one trail */
    FLOW_DROPS_MAX = 16384, /* the kernel's table */
    FLOW_SOCKETS_MAX = 65536,
    FLOW_NATS_MAX = 65536,
    FLOW_INTERFACES_MAX = 16384,
    FLOW_TROUBLES_MAX = 4096, /* the last ones */
    FLOW_PLACED_MAX = 65536,
};

#define FLOW_COUNTERS(X)                                                                                               \
    X(syn)                                                                                                             \
    X(fin)                                                                                                             \
    X(rst)                                                                                                             \
    X(fragments)                                                                                                       \
    X(payload_packets)                                                                                                 \
    X(repeats)                                                                                                         \
    X(out_of_order)                                                                                                    \
    X(holes)                                                                                                           \
    X(zero_windows)                                                                                                    \
    X(ecn_ce)                                                                                                          \
    X(ecn_echo)                                                                                                        \
    X(congestion_window_reduced)                                                                                       \
    X(total_retransmits)

struct flow_counts {
    uint64_t packets, segments, bytes;
#define X(name) uint32_t name;
    FLOW_COUNTERS(X)
#undef X
};

struct flow_interface {
    struct interface_key key;
    struct hop_interface hop; /* as netlink last knew it */
    struct interface_totals totals;
    uint64_t seen; /* round time */
    uint32_t entries;
    bool known; /* netlink knew it */
};

struct flow_world { /* network namespaces between which packets may pass without leaving the host */
    uint32_t netns;
    struct flow_world *parent; /* itself: it stands for all of them */
};

struct flow_entry {
    struct flow_key key;
    struct flow flow;
    struct flow_counts carried; /* in `flow`, of what the kernel forgot while it was idle */
    struct flow_counts window;  /* when the last window began */
    struct flow_trail *trail;   /* NULL: not joined yet */
    struct flow_entry *next;    /* of its trail */
    struct flow_interface *interface;
    uint64_t hash;
    uint64_t segments_before; /* as of the round before */
    uint64_t skipped;         /* packets that were counted before it was evicted */
    uint32_t round;           /* in which it was last shown */
    uint16_t order, level;
    bool forward, gone, pending;
    bool branch; /* a copy that a bridge sent where the connection does not go */
};

/* By which a trail is found. */
struct flow_node {
    struct flow_tuple tuple; /* ordered */
    uint64_t hash;
    uint32_t scope;
    enum { CLIENT_UNKNOWN, CLIENT_FIRST, CLIENT_SECOND } client; /* which end of the tuple it is */
    struct flow_trail *trail;
    struct flow_node *next;  /* of the trail */
    struct flow_node *alike; /* of the same hash */
};

struct flow_drop {
    struct drop_key key;
    struct drop_totals totals; /* the kernel's, cumulative */
    uint64_t hash;
    uint64_t start;  /* packets that belong to whom the tuple was before */
    uint64_t before; /* packets as of the round before */
    uint64_t window, placed;
    struct flow_trail *trail; /* NULL: of none that is known */
    struct flow_drop *next;   /* of the trail */
    struct flow_entry *after; /* the hop it had passed; NULL: none, or not told */
    uint32_t round;
    bool forward, current; /* current: the kernel's entry adds to this one */
    bool moved;            /* in this round */
};

enum { FLOW_CLIENT_KNOWN = 1, FLOW_SERVER_KNOWN = 2 };

struct flow_trail {
    uint64_t serial; /* never used again */
    uint64_t isn;    /* as far as `isn_known` says */
    uint64_t first_time, last_time;
    uint64_t edge_id;
    uint64_t connect_latency_ns; /* of the first hop; 0: not seen */
    struct flow_entry *entries;
    struct flow_node *nodes;
    struct flow_drop *drops;
    struct flow_trail *older, *newer; /* by when it last moved */
    struct flow_trail *alike;         /* of the same client's initial sequence number */
    struct edge_end ends[2];          /* client, server; id 0: not known yet */
    struct record_owner named[2];     /* the owner behind each */
    uint64_t named_time[2];
    uint64_t cookies[2];           /* sockets of client and server; 0: not here, or not known */
    uint64_t peer_keys[2];         /* in by_peer */
    struct record_owner owners[2]; /* tgid 0: not known */
    struct flow_share {            /* what its edge has got of each direction */
        uint64_t hop;              /* hash of the entry that counts: the first one */
        uint64_t packets, retransmits, rtt_time;
        uint32_t zero_windows;
        bool sent_again_known; /* `retransmits` is a reading */
    } shares[2];
    uint32_t entry_count;
    int error; /* errno of a connect that failed, as the socket layer told; 0: none */
    uint32_t troubles[TROUBLE_LISTEN_FULL + 1];
    uint8_t family, protocol, isn_known;
    bool direction_known, changed, timed; /* timed: connect latency is on its edge */
};

struct flow_socket {
    struct socket_view view;
    uint64_t seen;
    uint64_t waiting_since; /* since then nothing was taken from its receive queue, and there is something; 0: no */
    uint32_t drops_before;  /* when it was first seen */
    bool fresh;             /* shown in this round */
};

struct flow_nat {
    struct nat_pair pair;
    struct flow_tuple original, reply; /* ordered */
    uint64_t hash, hashes[2];
    struct flow_nat *alike[2]; /* next of the same original, of the same reply */
    uint64_t seen;
    bool fresh;
};

struct flow_trouble {
    struct trouble trouble;
    uint64_t trail; /* its serial; 0: not known */
};

struct flows {
    struct flows_options options;
    pthread_mutex_t mutex;
    uint64_t seed, serials, began, now; /* `now`: of the last round */
    uint32_t round;
    struct table entries;   /* hash of key and generation */
    struct table by_pair;   /* trails by both initial sequence numbers */
    struct table by_client; /* lists of trails by the client's */
    struct table by_tuple;  /* lists of flow_node */
    struct table by_peer;   /* trails by socket and peer */
    struct table drops, sockets, interfaces, worlds;
    struct table nats;       /* by hash of the pair: flow_nat */
    struct table nat_tuples; /* by hash of a tuple: lists */
    struct flow_trail *oldest, *newest;
    size_t trails, entry_count;
    uint64_t drops_expired; /* packets of those that matched nothing */
    uint64_t *pending;      /* hashes of entries that are to be joined */
    size_t pending_count, pending_capacity;
    struct flow_trouble *troubles; /* ring */
    size_t trouble_count;          /* ever */
    pthread_mutex_t placed_mutex;  /* of the four below */
    struct flow_placement *placed;
    size_t placed_count, placed_capacity;
    uint64_t placements_refused;
    struct flows_counters counters;
};

/* flow_trail.c */
struct flow_trail *flow_trail_new(struct flows *flows, uint8_t family, uint8_t protocol);
void flow_trail_free(struct flows *flows, struct flow_trail *trail);
void flow_trail_touch(struct flows *flows, struct flow_trail *trail); /* it is the newest */
void flow_entry_free(struct flows *flows, struct flow_entry *entry);  /* of no trail */
bool flow_trail_attach(struct flows *flows, struct flow_trail *trail, struct flow_entry *entry);
void flow_trail_detach(struct flow_entry *entry);
struct flow_node *flow_trail_node(struct flows *flows, struct flow_trail *trail, const struct flow_tuple *tuple,
                                  uint32_t netns);
void flow_trail_set_isn(struct flows *flows, struct flow_trail *trail, uint64_t isn, uint8_t known);
void flow_trail_merge(struct flows *flows, struct flow_trail *into, struct flow_trail *from);
void flow_trail_moved(struct flows *flows, struct flow_trail *trail, uint64_t first, uint64_t last);
struct flow_node *flow_nodes(const struct flows *flows, const struct flow_tuple *ordered, uint32_t netns);

/* flow_join.c */
enum flow_level { LEVEL_NONE, LEVEL_TUPLE, LEVEL_CLIENT, LEVEL_PAIR };
enum flow_level flow_isn(const struct flows *flows, const struct flow_entry *entry, uint64_t *ret_isn);
void flow_join_all(struct flows *flows);
/* By the client's initial sequence number; `time`: of its SYN. */
struct flow_trail *flow_find_attempt(const struct flows *flows, uint32_t client_isn, const struct flow_tuple *tuple,
                                     uint64_t time);
/* By tuple, what was there at that time, nearest to that namespace. */
struct flow_trail *flow_find_tuple(const struct flows *flows, const struct flow_tuple *tuple, uint32_t netns,
                                   uint64_t time);

/* flow_world.c */
void flow_worlds(struct flows *flows); /* anew, from the interfaces that are known */
bool flow_same_world(const struct flows *flows, uint32_t netns, uint32_t other); /* or one of them is not known */
void flow_worlds_done(struct flows *flows);

/* flow_order.c */
void flow_order(struct flows *flows, struct flow_trail *trail);
/* Time from the hop before, and from SYN to SYN-ACK here; 0: not known. */
uint64_t flow_from_before(const struct flows *flows, const struct flow_entry *entry, const struct flow_entry *before);
uint64_t flow_rtt(const struct flow_trail *trail, const struct flow_entry *entry);
const struct flow_entry *flow_other_way(const struct flow_trail *trail, const struct flow_entry *entry);
/* Segments that passed this hop and none after it. False: the two were not watched over the same span. */
bool flow_lost_after(const struct flows *flows, const struct flow_entry *entry, uint64_t *ret_segments);

/* flow_drop.c */
void flow_drops_shown(struct flows *flows);
void flow_drops_place(struct flow_trail *trail); /* at which hop each was lost; once hops are in order */
uint64_t flow_drop_packets(const struct flow_drop *drop);

/* flow_trouble.c */
void flow_troubles_shown(struct flows *flows);

/* flow_nat.c */
void flow_nats_expire(struct flows *flows);
void flow_nats_done(struct flows *flows);

/* flow_edge.c */
uint64_t flow_unplaced(const struct flow_trail *trail); /* packets at its first hops that no edge got */
uint64_t flow_sent_again(const struct flows *flows, const struct flow_trail *trail, int side);
void flow_placed(struct flows *flows);

/* flow_end.c */
void flow_ends(struct flows *flows, struct flow_trail *trail); /* whose sockets and processes are at its ends */
void flow_sockets_shown(struct flows *flows);
void flow_name_ends(struct flows *flows, struct flow_trail *trail);
const struct flow_socket *flow_socket_of(const struct flows *flows, uint64_t cookie); /* NULL: not known, or gone */
uint64_t flow_peer_key(uint64_t cookie, const uint8_t *address, uint16_t port, uint64_t seed);

#endif
