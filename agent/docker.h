/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Docker's socket: lists containers, then follows events. A thread of its own does all asking, so nobody waits for a
 * slow or absent daemon. docker_new waits for the first list, at most DOCKER_PATIENCE_MS. When the daemon does not
 * answer it is asked again, ever less often (5 s to 60 s); docker_poke, which any thread may call when a container
 * without a name turns up, makes that soon.
 */
#ifndef WEFT_AGENT_DOCKER_H
#define WEFT_AGENT_DOCKER_H

#include "agent/container.h"

enum { DOCKER_PATIENCE_MS = 2000 };

/* Called on Docker's thread; facts are good during the call. */
struct docker_listener {
    void *context;
    void (*learned)(void *context, const struct container_facts *facts);
    void (*gone)(void *context, const char *id); /* it stopped */
    void (*failed)(void *context, int error);    /* negative errno; 0: all is well (again) */
};

struct docker;
int docker_new(const char *socket_path, const struct docker_listener *listener, struct docker **ret_docker);
void docker_poke(struct docker *docker);
void docker_free(struct docker *docker);

#endif
