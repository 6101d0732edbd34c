/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The packet side as a whole: programs at interfaces, what they count, and the flows that it is joined into.
 *
 *   packet_side_attach, before privileges are dropped -> packet_side_begin, once names can be asked for
 *     -> packet_side_round, once a window and each second while somebody looks -> packet_side_free
 *
 * The main thread's, but for what is said of `packet_side_flows`. NULL stands for a packet side that is off.
 */
#ifndef WEFT_AGENT_PACKET_SIDE_H
#define WEFT_AGENT_PACKET_SIDE_H

#include <jansson.h>

#include "interfaces.h"
#include "live.h"
#include "sinks/report.h"
#include "topology/flows.h"

struct packet_side_options {
    enum interfaces_scope scope;
    struct interface_patterns include, exclude; /* the caller's, as long as this lives */
    uint32_t flows_max;                         /* in the kernel, and held here */
    bool clean;                                 /* filters found at interfaces are a killed agent's: no other runs */
    uint8_t conn_id_key[16];
};

struct packet_side;
/* Negative errno with `error`. The agent goes on without it: what it misses is said by whoever calls. */
int packet_side_attach(const struct packet_side_options *options, const struct live *live,
                       struct packet_side **ret_side, char *error, size_t error_size);
int packet_side_begin(struct packet_side *side, const struct namer *namer); /* `namer` is copied; -ENOMEM */
void packet_side_free(struct packet_side *side);

/* Everything that the kernel holds is shown to the flows. `sockets`: with every socket's queues, which takes longer, so
 * that it is for when somebody looks. */
void packet_side_round(struct packet_side *side, bool sockets);
void packet_side_look(struct packet_side *side);           /* once a window: for interfaces that no event told of */
struct flows *packet_side_flows(struct packet_side *side); /* NULL: none. What flows.h says of threads */
struct interfaces *packet_side_interfaces(struct packet_side *side); /* NULL: none. Any thread */

json_t *packet_side_json(struct packet_side *side); /* as interface_json.h has it. Any thread */

enum { PACKET_SIDE_COUNTERS = PACKET_COUNTER_KINDS + 12 };
/* All of them, zero when it is off; returns how many. */
size_t packet_side_counters(struct packet_side *side, struct counter *counters);
const struct live_program *packet_side_programs(const struct packet_side *side, size_t *ret_count);

#endif
