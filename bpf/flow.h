/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Layouts of the packet side shared by kernel and userspace: flows, drops, troubles. Fixed-width members, naturally
 * aligned, padding named and zero. Times are CLOCK_MONOTONIC nanoseconds.
 *
 * A flow is the packets of one connection in one direction, seen at one interface going one way. Counters are
 * cumulative as long as the entry lives; userspace reads them and forms differences. Of each interface and way,
 *
 *   sum of its flows of depth 0 + flows deleted + overflow = the interface's total
 *
 * to the packet: entries are deleted by userspace alone, and what found the table full is in `overflow`.
 */
#ifndef WEFT_BPF_FLOW_H
#define WEFT_BPF_FLOW_H

#include "record.h"

enum flow_way { FLOW_INGRESS, FLOW_EGRESS };
enum flow_tunnel { TUNNEL_NONE, TUNNEL_VXLAN, TUNNEL_GENEVE, TUNNEL_GRE, TUNNEL_IPIP };

/*
 * The tuple as it stands in the packets at this interface. IPv4 in the first four bytes of an address, ports in host
 * order. ICMP echo: the identifier stands in both ports; other ICMP: type << 8 | code in the source's port. ICMP errors
 * are flows of their own; whom they speak of is told by a trouble. What has no ports (other protocols, later fragments
 * whose first one is not known) has zeroes. Not IP: family 0, no addresses, the ethertype in source_port.
 */
struct flow_key {
    __u8 source[16], destination[16];
    __u16 source_port, destination_port;
    __u32 netns, ifindex;
    __u32 tunnel_id; /* VXLAN and Geneve: VNI; GRE: key */
    __u16 vlan;      /* identifier of the outermost tag; 0: none */
    __u8 family;     /* 4, 6, 0 */
    __u8 protocol;   /* IPPROTO_... */
    __u8 way;        /* enum flow_way */
    __u8 tunnel;     /* enum flow_tunnel: this is the packet inside; the one outside has an entry of its own */
    __u8 pad[2];
};

enum flow_end_state {
    END_UNKNOWN, /* not looked for yet */
    END_SOCKET,  /* cookie is its socket's; owner, if its tgid is not 0 */
    /*
     * Of a receiver: the connection's own socket is not there (yet), or UDP: the socket takes from anybody. Owner is
     * whoever is bound there; before DNAT that may be another than who gets the packet, and a later hop knows better.
     * Of a sender (SYN-ACK): it is being accepted, owner is the listener's.
     * Cookie: of the connection's own socket to be, or of the UDP socket; 0: not known.
     */
    END_LISTENER,
    END_NONE, /* looked for: no socket that this hop can see. Forwarded, or the other end is elsewhere */
};

struct flow_end {
    struct record_owner owner;
    __u64 cookie;
    __u8 state;  /* enum flow_end_state */
    __u8 looked; /* times; 255: done */
    __u8 pad[6];
};

enum flow_leaving { FLOW_STAYS, FLOW_ASKED, FLOW_GONE }; /* GONE: nothing is added any more, to be deleted */

enum flow_flag {
    FLOW_SYN_SEEN = 1,         /* of this direction: its initial sequence number is known from its SYN */
    FLOW_ISN_CLIENT = 2,       /* isn's upper half is known */
    FLOW_ISN_SERVER = 4,       /* isn's lower half is known */
    FLOW_FROM_CLIENT = 8,      /* this direction is the client's: it sent SYN without ACK */
    FLOW_FROM_SERVER = 16,     /* it sent SYN with ACK */
    FLOW_DONT_FRAGMENT = 32,   /* packets bore DF (IPv6: always) */
    FLOW_SEQUENCE_KNOWN = 64,  /* next_sequence is one */
    FLOW_CLOSED = 128,         /* FIN or RST has passed */
    FLOW_CONFIRMED = 256,      /* ack_time is known */
    FLOW_SOURCE_SETTLED = 512, /* nothing more is found out about this end */
    FLOW_DESTINATION_SETTLED = 1024,
};

struct flow {
    /* What each packet touches stands together. */
    __u64 packets;   /* skbs, as the interface counts */
    __u64 segments;  /* on the wire: what segmentation offload makes of them */
    __u64 bytes;     /* as the interface counts: link-layer header included, once a packet */
    __u64 last_time; /* to a tick of the kernel's clock; to the nanosecond if it was the first packet or had SYN, FIN or
                        RST */
    __u32 flags;     /* enum flow_flag */
    __u32 leaving;   /* enum flow_leaving */
    __u32 slot;      /* of its interface's totals; 0: not looked for */
    __u32 next_sequence;
    __u32 payload_packets; /* TCP: with data */
    __u32 largest;         /* bytes of the largest segment on the wire, from the network header on */
    __u8 ttl_min, ttl_max;
    __u16 mss;                              /* of the SYN; 0: not seen */
    __u32 generation;                       /* rises when the tuple is used by another connection; see TROUBLE_REUSED */
    __u64 first_time;                       /* of this connection */
    __u64 isn;                              /* client's initial sequence number << 32 | server's; see flags */
    __u64 syn_time, syn_ack_time, ack_time; /* first SYN, SYN-ACK and the client's ACK of it, each in the flow of its
                                               own direction at this hop; 0: not seen */
    struct flow_end source_end, destination_end;
    __u32 syn, fin, rst, fragments;
    __u32 repeats;      /* TCP: data that this hop had seen before */
    __u32 out_of_order; /* TCP: data that fills a hole */
    __u32 holes;        /* TCP: jumps ahead: lost before this hop, or overtaken */
    __u32 zero_windows, ecn_ce, ecn_echo, congestion_window_reduced;
    __u32 hole_start, hole_end;
    __u32 pad;
    /* From the sender's socket, where it is at hand (its first hop), at most each 100 ms and with FIN and RST. */
    __u64 socket_time; /* of this reading; 0: none */
    __u32 srtt_us, min_rtt_us, cwnd, lost, total_retransmits, segments_out;
};

struct interface_key {
    __u32 netns, ifindex;
};
struct interface_place {
    __u32 slot;      /* in the array of totals, from 1 */
    __u32 link_type; /* ARPHRD_... + 1; 0: not looked for */
};
struct interface_totals { /* [enum flow_way]; per CPU */
    __u64 packets[2], bytes[2];
    __u64 overflow_packets[2], overflow_bytes[2]; /* whose flow found the table full */
    __u64 malformed[2];                           /* headers cut or wrong; counted in the flow that could be told */
};

#define INTERFACES_MOST 2048

/* ---- drops ---- */

/* A netfilter hook: NF_INET_... + 1, so that nothing is 0. */
enum drop_hook {
    DROP_HOOK_NONE, /* or not told */
    DROP_HOOK_PREROUTING,
    DROP_HOOK_INPUT,
    DROP_HOOK_FORWARD,
    DROP_HOOK_OUTPUT,
    DROP_HOOK_POSTROUTING,
    DROP_HOOK_INGRESS, /* netdev's */
    DROP_HOOK_EGRESS,
    DROP_HOOK_BRIDGE = 16,  /* added to one of the above: the bridge family's hook of that name */
    DROP_HOOK_BEHIND = 255, /* only in struct hook_place: not this function, the one that called it */
};

/* Same tuple, place and reason: one entry. A plain hash; what finds it full is counted. */
struct drop_key {
    __u8 source[16], destination[16];
    __u16 source_port, destination_port;
    __u32 netns, ifindex; /* the device it was at; on its way up to a socket that it came in by, before it has one that
                             it was routed to; 0: none */
    __u32 reason;         /* enum skb_drop_reason of the running kernel; 0: below 5.17 */
    __u64 location;       /* instruction that freed it */
    __u8 family, protocol;
    __u8 hook; /* enum drop_hook: the netfilter hook it was in */
    __u8 pad[5];
};
struct drop_totals {
    __u64 packets, segments;
    __u64 bytes; /* from the network header on, as netfilter counts them */
    __u64 first_time, last_time;
    __u64 cookie;   /* of the socket it was charged to; 0: none */
    __u32 sequence; /* TCP, of the last one */
    __u8 tcp_flags; /* of all, or-ed */
    __u8 pad[3];
};

/* What userspace tells the program that sees drops, before it is loaded; agent/reasons.h fills it in. */
#define HOOK_PLACES 64
struct drop_settings {
    __u64 silent[4];                      /* by number, below 256: reasons that are part of healthy traffic */
    __u64 bare[4];                        /* the same, of TCP segments without data that came as far as their socket */
    __u32 netfilter_reason;               /* of a packet that netfilter dropped; 0: this kernel has no such reason */
    __u32 has_socket;                     /* the tracepoint tells who was to receive */
    __u64 netfilter_start, netfilter_end; /* of the function that calls a hook's functions and frees what they drop */
    struct hook_place {
        __u64 start, end;  /* of a function that calls a hook */
        __u64 hook;        /* enum drop_hook */
    } places[HOOK_PLACES]; /* those that are not used are zero */
    struct {
        __u64 start, end;
    } silent_place; /* of a function whose drops are no loss, whatever their reason */
};

/* ---- troubles: single events, through a ring ---- */

#define TROUBLES_BYTES (1 << 20)

enum trouble_kind {
    TROUBLE_REUSED = 1,     /* `flow` is what this tuple's entry held when another connection took it over */
    TROUBLE_RETRANSMIT,     /* a socket sent again: sequence, segments */
    TROUBLE_RESET_SENT,     /* by this host's TCP; cookie 0: no socket (nobody listens) */
    TROUBLE_RESET_RECEIVED, /* by a socket */
    TROUBLE_ICMP_ERROR,     /* seen at an interface: whom it speaks of is the tuple; `icmp_...` */
    TROUBLE_LISTEN_FULL,    /* a listener's queue had no room */
};

struct trouble {
    __u32 kind, reason; /* of a reset: enum sk_rst_reason of the running kernel; 0: not told */
    __u64 time, cookie;
    __u8 source[16], destination[16]; /* of the packet, or the one that the ICMP error quotes */
    __u16 source_port, destination_port;
    __u32 netns, ifindex; /* 0: not at an interface */
    __u32 sequence, segments, pad;
    __u64 isn;                         /* 0: not known */
    __u8 family, protocol, way, state; /* state: of the socket, TCP_... */
    __u8 icmp_type, icmp_code, pad2[2];
    __u32 icmp_mtu;
    __u8 icmp_sender[16];
    __u32 pad3;
};

struct trouble_reused {
    struct trouble trouble;
    struct flow_key key;
    struct flow flow;
};

/* ---- sockets, as the iterator over them writes one after the other ---- */

struct socket_seen {
    __u64 cookie;
    struct record_owner owner;
    __u8 local_address[16], remote_address[16];
    __u16 local_port, remote_port;
    __u8 family, protocol, state; /* 4 or 6, IPPROTO_..., TCP_... */
    __u8 pad;
    __u32 receive_queue, receive_queue_limit; /* as struct socket_view of topology/flows.h has them */
    __u32 send_queue, drops;
    __u32 retransmits, retransmits_now, backoff;
    __u32 srtt_us, min_rtt_us, cwnd, lost;
    __u32 segments_out, segments_in;
    __u32 pad2;
};

enum packet_counter {
    COUNTER_FLOWS_FULL,        /* packets whose flow found the table full; also in their interface's overflow */
    COUNTER_INTERFACES_FULL,   /* packets of interfaces that are beyond the table, or not known yet: in no total */
    COUNTER_DROPS_FULL,        /* drops that found their table full */
    COUNTER_DROPS_UNREADABLE,  /* drops of packets that are not IP, or cut */
    COUNTER_DROPS_HOOK_UNTOLD, /* packets dropped by netfilter too fast for each one's hook to be found */
    COUNTER_TROUBLES_LOST,     /* that did not fit the ring, or were too many of their kind in that second */
    COUNTER_REUSED_UNREPORTED, /* connections whose last counts could not be told apart from the next one's */
    PACKET_COUNTER_KINDS,
};

#endif
