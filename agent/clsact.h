/* SPDX-License-Identifier: Apache-2.0 */
/*
 * BPF filters under an interface's clsact qdisc, for kernels without tcx. They outlive the process that made them, so
 * weft's own bear a name, a handle and a low priority by which a later process finds exactly those; the name also says
 * whether the qdisc is weft's, to be removed when nothing else is on it.
 *
 * Each call is about an interface of the network namespace that the socket belongs to. Negative errno.
 */
#ifndef WEFT_AGENT_CLSACT_H
#define WEFT_AGENT_CLSACT_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/flow.h"

struct mnl_socket;

/* Makes the qdisc unless there is one. -EADDRINUSE: a qdisc `ingress` stands there, which has no egress. */
int clsact_ensure(struct mnl_socket *socket, uint32_t ifindex, bool *ret_made);
/* Removes a qdisc just made, unless something is on it. */
void clsact_drop(struct mnl_socket *socket, uint32_t ifindex);
/* Adds weft's filter before all others, or if other ones hold the first priority, as far in front as there is room. */
int clsact_add(struct mnl_socket *socket, uint32_t ifindex, enum flow_way way, int program, bool made);
/* Removes weft's filters, and the qdisc if weft made it and nothing is left on it. How many filters those were. */
int clsact_remove(struct mnl_socket *socket, uint32_t ifindex);
/* Whether another filter stands before weft's. */
bool clsact_preceded(struct mnl_socket *socket, uint32_t ifindex, enum flow_way way);

/* Each interface of the namespace that has a filter of weft's. */
int clsact_find(struct mnl_socket *socket, void (*found)(void *context, uint32_t ifindex), void *context);

#endif
