/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which network namespaces there are, by inode: the caller's, those of `ip netns` and of Docker, and those of every
 * process in /proc that the caller may look into. Stateless, any thread.
 */
#ifndef WEFT_AGENT_NAMESPACES_H
#define WEFT_AGENT_NAMESPACES_H

#include <stddef.h>
#include <stdint.h>

/* `path` leads into it as long as the process or the mount behind it lives; `name` is that of `ip netns`, or NULL. */
typedef void (*namespaces_found)(void *context, uint32_t netns, const char *path, const char *name);
/* Many times for one that many processes are in; the caller's own comes first. */
void namespaces_each(namespaces_found found, void *context);

/* A descriptor of it, which keeps it alive: be brief. Negative errno; -ESTALE: the path leads elsewhere by now. */
int namespaces_open(const char *path, uint32_t netns);

#endif
