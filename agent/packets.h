/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The packet side: loads the programs that stand at interfaces, and reads what they count.
 *
 * packets_new loads; packets_program gives the programs to whoever attaches them. Then, once a window or more often,
 * packets_show reads everything that the kernel holds and shows it. Of each interface and way, once no packet moves,
 *
 *   total = living flows of depth 0 + deleted + overflow
 *
 * holds to the packet and the byte: packets_balance has the four as of the last round.
 *
 * packets_show, packets_sockets: one thread. packets_set_link, packets_forget, packets_totals, packets_balance,
 * packets_counters: any thread.
 */
#ifndef WEFT_AGENT_PACKETS_H
#define WEFT_AGENT_PACKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/flow.h"
#include "program_set.h"

struct reasons;
struct sock_bpf;
struct packets_options {
    uint32_t flows_max;  /* 0: 65536 */
    uint32_t only_netns; /* inode: every interface is of this network namespace; 0: of any */
    uint64_t idle_ns;    /* a flow that was silent for this long is deleted; 0: 60 s */
    /* The socket layer's skeleton, whose stamps on sockets the flows bear: it outlives `packets`. NULL: no owners. */
    const struct sock_bpf *sockets;
    /* What tells drops apart; it outlives `packets`. NULL: all of them are told, by number. */
    struct reasons *reasons;
};

struct packets;
int packets_new(const struct packets_options *options, struct packets **ret_packets, char *error, size_t error_size);
void packets_free(struct packets *packets); /* NULL is fine */

int packets_program(const struct packets *packets, enum flow_way way); /* descriptor, owned by `packets` */
const struct live_program *packets_programs(const struct packets *packets, size_t *ret_count);

/*
 * An interface is there; of a veth, with the link-netnsid of its peer, else -1. Before its programs are attached:
 * packets of interfaces that are not known are in no total and no flow, only in a counter. -ENOSPC: there are too many.
 */
int packets_set_link(struct packets *packets, const struct interface_key *interface, int link_netnsid);
/* It is gone: its totals go, once its flows have. */
void packets_forget(struct packets *packets, const struct interface_key *interface);

/* Functions that fit topology/flows.h. */
struct packets_sink {
    void *context;
    void (*interface)(void *context, const struct interface_key *key, const struct interface_totals *totals);
    void (*flow)(void *context, const struct flow_key *key, const struct flow *flow, bool last);
    void (*drop)(void *context, const struct drop_key *key, const struct drop_totals *totals);
    void (*trouble)(void *context, const struct trouble *trouble, size_t size);
};
/*
 * Troubles come first: of a tuple that was used again, the last counts before the next one's. At most once a second,
 * idle flows are asked to leave, and those asked the time before are deleted. Negative errno: something was not read.
 */
int packets_show(struct packets *packets, const struct packets_sink *sink, uint64_t now);

/*
 * Shows every TCP and UDP socket of every network namespace that the agent may see, as it stands now; one may come more
 * than once. -EOPNOTSUPP: this kernel does not show them.
 */
int packets_sockets(struct packets *packets, void (*visit)(void *context, const struct socket_seen *socket),
                    void *context);

/* Of all CPUs, at this moment. Any thread. */
int packets_totals(struct packets *packets, const struct interface_key *interface,
                   struct interface_totals *ret_totals); /* negative errno */

struct packets_sum {
    uint64_t packets, bytes;
};
struct packets_balance {
    struct packets_sum total, living, deleted, overflow;
};
void packets_balance(struct packets *packets,
                     void (*visit)(void *context, const struct interface_key *interface, enum flow_way way,
                                   const struct packets_balance *balance),
                     void *context);

void packets_counters(const struct packets *packets, uint64_t ret_counters[PACKET_COUNTER_KINDS]);
const char *packets_counter_name(enum packet_counter counter);
size_t packets_flow_count(const struct packets *packets); /* as of the last round */

#endif
