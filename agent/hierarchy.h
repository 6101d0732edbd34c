/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cgroup hierarchy that names containers: v2, except where a v1 `pids` controller still holds them.
 * Its mount is looked for in mountinfo, so hybrid hosts (v2 at `unified/`) are found. Stateless, any thread.
 */
#ifndef WEFT_AGENT_HIERARCHY_H
#define WEFT_AGENT_HIERARCHY_H

#include <stdint.h>

/* Row of the v1 controller in /proc/cgroups (the kernel's subsystem index); -1: the v2 hierarchy. */
int hierarchy_subsystem(void);
int hierarchy_open_v2(void); /* descriptor of the v2 root, for attaching; -1 if it is mounted nowhere */

/* Every cgroup of that hierarchy, with its id (the inode) and its path from the root. */
typedef void (*hierarchy_group)(void *context, uint64_t id, const char *path);
void hierarchy_walk(hierarchy_group callback, void *context);

#endif
