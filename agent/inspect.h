/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What weft would see of a service, found out without an agent: its processes, their names and where these come from,
 * their sockets, and what of them stays unseen and why. Reads /proc; needs root to see the processes of others.
 */
#ifndef WEFT_AGENT_INSPECT_H
#define WEFT_AGENT_INSPECT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "identity.h"

enum { INSPECT_NAMES = 16 };

struct inspection {
    unsigned processes;             /* that fit */
    char names[INSPECT_NAMES][128]; /* what they go by on the map, each once */
    unsigned name_count;
};

/*
 * `target` is a pid, a port, a container's name or the beginning of its id (12 digits or more), or a name: of a
 * workload, a service or a program. Prints what it finds.
 */
void inspect(struct identity *identity, const struct identity_options *names, const char *target, FILE *out,
             struct inspection *ret_inspection);

#endif
