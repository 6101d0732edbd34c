/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flows: what the packet side saw, joined into connections with their hops in order.
 *
 * Each round, the caller shows everything that the kernel holds: flows_interface, flows_see, flows_drop, flows_socket,
 * flows_nat in any order, then flows_shown. Troubles come when they come. Flows of one connection are joined by its
 * pair of initial sequence numbers, through any NAT; an attempt without an answer by the client's number alone; UDP and
 * what was open before by tuple, and by what conntrack says of rewriting. Hops are ordered by when the handshake passed
 * them, else by their first packet, else by how their interfaces hang together.
 *
 * Readers (flows_each, path.h) may come from any thread: one mutex. All else belongs to one thread, the caller's.
 * Bounded: beyond `limit` connections, or twice as many flows, the longest silent ones go, counted. What is over stays
 * for five minutes to be asked for.
 */
#ifndef WEFT_TOPOLOGY_FLOWS_H
#define WEFT_TOPOLOGY_FLOWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/flow.h"
#include "connection.h"
#include "edge.h"

/* An interface as netlink knows it. The agent's interfaces.h owns these; strings live as long as the agent. */
struct hop_interface {
    uint32_t netns, ifindex;
    char name[16];
    char kind[16]; /* IFLA_INFO_KIND: veth, bridge, vxlan, ...; "loopback", "physical" */
    char
        namespace_name[64]; /* "host": the agent's own; else the container's name, that of `ip netns`, or netns:INODE */
    uint32_t master;        /* ifindex of its bridge or bond; 0: none */
    uint32_t peer_netns, peer_ifindex; /* of a veth; 0: not known */
    uint32_t mtu;
    bool watched;  /* weft's programs are at it */
    bool shadowed; /* another program before weft's redirects: what passes here may not be seen */
};

/* What a drop comes down to, whatever the running kernel calls it. */
enum drop_class {
    DROP_OTHER,
    DROP_NORMAL, /* no fault: part of how a protocol works, or the socket was closed */
    DROP_NETFILTER,
    DROP_NO_ROUTE,
    DROP_NO_SOCKET, /* nobody listens */
    DROP_LISTEN_FULL,
    DROP_SOCKET_FULL, /* the receiver's buffer */
    DROP_QUEUE_FULL,  /* of an interface or a CPU */
    DROP_CHECKSUM,
    DROP_RP_FILTER,
    DROP_TOO_BIG,
    DROP_TTL,
    DROP_NEIGHBOUR, /* nobody answered for the next hop's address */
    DROP_PROGRAM,   /* TC, XDP, a socket's or a cgroup's filter */
    DROP_CLASSES
};

/* Each may be NULL: then it is not known. */
struct flows_namer {
    void *context;
    /* false: not known any more. */
    bool (*interface)(void *context, uint32_t netns, uint32_t ifindex, struct hop_interface *ret_interface);
    /* Name of a drop reason, of the place (function) and of a reset's reason; NULL: not known. Static or agent-long. */
    const char *(*drop_reason)(void *context, uint32_t reason);
    const char *(*place)(void *context, uint64_t location);
    const char *(*reset_reason)(void *context, uint32_t reason);
    /* What it comes down to, and in plain words ("no route to the destination"); NULL: no words for it. */
    enum drop_class (*drop_class)(void *context, uint32_t reason, uint64_t location);
    const char *(*drop_text)(void *context, uint32_t reason, uint64_t location);
    /* A hook's name as iptables has it ("FORWARD", "bridge FORWARD"); NULL: none. */
    const char *(*hook)(void *context, uint8_t hook);
    /*
     * The chains that can have dropped a packet at that hook of that namespace: "filter INPUT", or "one of ..." if
     * several can. NULL: not known.
     */
    const char *(*chains)(void *context, uint32_t netns, uint8_t family, uint8_t hook);
};

struct flows_options {
    struct namer namer; /* owners and addresses, as edges name them */
    struct flows_namer packets;
    uint8_t conn_id_key[16];
    size_t limit; /* connections; 0: 65536 */
};

/* Where a socket stands, as an iterator over sockets found it (agent/packets.h). */
struct socket_view {
    uint64_t cookie, isn; /* isn 0: not known */
    struct record_owner owner;
    uint8_t local_address[16], remote_address[16], family, protocol, state, pad;
    uint16_t local_port, remote_port;
    uint32_t netns;
    uint32_t receive_queue;        /* bytes that the application has not read; of a listener: connections waiting */
    uint32_t receive_queue_limit;  /* of a listener: its backlog */
    uint32_t send_queue;           /* bytes not acknowledged */
    uint32_t drops;                /* sk_drops: of a listener, attempts that found no room */
    uint32_t retransmits, backoff; /* total; in a row now */
    uint32_t srtt_us, min_rtt_us, cwnd, lost;
    uint32_t segments_out, segments_in; /* data_segs and pure ACKs, as tcp_info's */
    bool frozen;                        /* its owner's cgroup is frozen, or the process is stopped */
};

/* Two tuples of one connection, as conntrack has them. Network namespace: where the rewriting happens. */
struct nat_pair {
    uint8_t family, protocol;
    uint32_t netns;
    struct nat_tuple {
        uint8_t source[16], destination[16];
        uint16_t source_port, destination_port;
    } original, reply; /* as they arrive: reply's source is what the client's packets were sent on to */
};

struct flows;
int flows_new(const struct flows_options *options, struct flows **ret_flows); /* negative errno */
void flows_free(struct flows *flows);

void flows_interface(struct flows *flows, const struct interface_key *key, const struct interface_totals *totals);
/* `last`: the entry was deleted. */
void flows_see(struct flows *flows, const struct flow_key *key, const struct flow *flow, bool last);
void flows_drop(struct flows *flows, const struct drop_key *key, const struct drop_totals *totals);
void flows_socket(struct flows *flows, const struct socket_view *socket);
void flows_nat(struct flows *flows, const struct nat_pair *pair);
void flows_trouble(struct flows *flows, const struct trouble *trouble, size_t size); /* size of the ring's record */
void flows_shown(struct flows *flows, uint64_t now);                                 /* CLOCK_MONOTONIC ns */

/*
 * A worker has put a connection on an edge: any thread, never blocked by a round. Its flows count there from then on; a
 * later placement of the same connection moves it. TCP is found by `isn`; what has none by a socket and its peer, or by
 * both addresses.
 */
struct flow_placement {
    uint64_t edge_id, isn, time;
    uint64_t client_cookie, server_cookie;          /* 0: not here */
    uint8_t client_address[16], server_address[16]; /* as its sockets know them; zero: not bound */
    uint16_t client_port, server_port;              /* server's: that which the client used */
    uint8_t family, protocol;                       /* 4 or 6; IPPROTO_... */
    uint32_t netns;
    int error;                  /* errno of a connect that failed, else 0 */
    struct record_owner client; /* of such a one */
};
void flows_edge(struct flows *flows, const struct flow_placement *placement);

/* One flow, joined, named: what a flow record, `weft flows` and the page show. Pointers live for the call. */
struct flow_view {
    const char *conn_id; /* hex; empty: none */
    bool conn_id_local;  /* by tuple, not to be joined across hosts */
    uint64_t edge_id;    /* 0: none */
    struct flow_key key;
    struct flow flow;  /* cumulative */
    struct flow since; /* of its counters only, what came since the last window */
    struct hop_interface hop;
    unsigned order, hops; /* of this hop in its direction, from 1; how many there are */
    bool forward;         /* from the client to the server */
    bool direction_known;
    uint64_t rtt_ns;                     /* of the handshake from here on: SYN to SYN-ACK at this hop; 0: not seen */
    uint64_t from_before_ns;             /* from the hop before to this one; 0: not known */
    struct edge_end source, destination; /* names; id 0: not known */
    const struct drop_view {
        const char *reason, *place, *text, *chains; /* as struct flows_namer tells; NULL: not known */
        enum drop_class class;
        uint8_t hook; /* as drop_key's */
        uint64_t packets, since;
    } * drops;
    size_t drop_count;
    const struct socket_view *source_socket, *destination_socket; /* NULL: not here */
};

/* Every flow, connection by connection, hops in order, client's direction first. Under the mutex: be brief. */
void flows_each(struct flows *flows, void (*visit)(void *context, const struct flow_view *view), void *context);
/* The same for those that moved since this was last called, which begins the next window for `since`. One thread. */
void flows_window(struct flows *flows, void (*visit)(void *context, const struct flow_view *view), void *context);
/* Adds what flows gained since the last call to the running window of their edges: packets, retransmits, rtt, drops. */
void flows_add_to_edges(struct flows *flows, struct edges *merged);

struct flows_counters {
    uint64_t connections;          /* held now */
    uint64_t evicted;              /* connections given up before their time, to make room */
    uint64_t memory_refused;       /* flows, drops, sockets that were not taken in: no memory, or a table full */
    uint64_t drops_unmatched;      /* packets dropped of no flow that is known */
    uint64_t packets_unplaced;     /* at their first hop, of connections that were given up without an edge */
    uint64_t packets_waiting;      /* at their first hop, of connections that have no edge yet */
    uint64_t placements_forgotten; /* connections put on an edge of which no flow came */
};
void flows_counters(struct flows *flows, struct flows_counters *ret_counters);

#endif
