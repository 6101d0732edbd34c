/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Weft's two programs at one interface, each way by itself: a tcx link where the kernel has those (6.6), else a filter
 * under clsact. Which, is found out by trying.
 *
 * A link ends with the process; a filter does not, so attach_remove has to come, or the next start's attach_clean.
 * Ahead of everybody at both ways: a program that says "pass" ends the chain, and whoever stands behind it sees
 * nothing.
 *
 * The calling thread must be in the interface's network namespace, and `socket` be of it. One thread.
 */
#ifndef WEFT_AGENT_ATTACH_H
#define WEFT_AGENT_ATTACH_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/flow.h"

enum attach_mode { ATTACH_NONE, ATTACH_TCX, ATTACH_CLSACT };

struct attachment {
    enum attach_mode mode[2]; /* by enum flow_way */
    int link[2];              /* of tcx */
    char error[112];          /* why not; empty: both are attached */
};

struct mnl_socket;

void attach_init(struct attachment *attachment);
/* Negative errno: at least one way is not attached. -ENODEV: the interface is gone. */
int attach_add(struct mnl_socket *socket, uint32_t ifindex, const int programs[2], struct attachment *attachment);
/* The same state as after attach_init. `socket` NULL: the interface is gone, or nothing of it is a filter. */
void attach_remove(struct mnl_socket *socket, uint32_t ifindex, struct attachment *attachment);
/* Whether another program stands before weft's, which might keep packets from it. */
bool attach_preceded(struct mnl_socket *socket, uint32_t ifindex, const int programs[2],
                     const struct attachment *attachment, enum flow_way way);

bool attach_is_any(const struct attachment *attachment);
const char *attach_text(const struct attachment *attachment); /* tcx, clsact, tcx and clsact, nothing */

/* Removes the filters that a killed agent left in the namespace. How many, or negative errno. */
int attach_clean(struct mnl_socket *socket);

#endif
