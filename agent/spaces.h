/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Network namespaces as one thread works with them: which there are, by which ids they know each other, and how to go
 * into one and come back. None is held open. The thread begins in its own and is there whenever it is not within
 * spaces_enter and spaces_leave.
 */
#ifndef WEFT_AGENT_SPACES_H
#define WEFT_AGENT_SPACES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "topology/table.h"

struct mnl_socket;
struct nlmsghdr;

struct space {
    uint32_t netns;
    int32_t nsid; /* in the own namespace; -1: none */
    bool own, watched, found;
    bool refused;  /* it could not be entered: not tried again before the next look around */
    char path[96]; /* that led there when it was last seen */
    char name[64]; /* of `ip netns`; empty: none */
};

struct spaces {
    bool all; /* each gets an id, so that events come from it */
    int own_fd;
    uint32_t own_netns;
    struct space *own;
    struct mnl_socket *socket;  /* for questions, in the own one */
    struct mnl_socket *entered; /* in the one entered; NULL: none is */
    struct table table;         /* by netns */
};

int spaces_init(struct spaces *spaces, bool all); /* negative errno */
void spaces_done(struct spaces *spaces);

/* Looks for others; those that are gone stay until spaces_forget, unless they were not watched. */
void spaces_scan(struct spaces *spaces);
void spaces_forget(struct spaces *spaces, struct space *space);

struct space *spaces_find(const struct spaces *spaces, uint32_t netns);
/* By the id in the own namespace; NULL: not known. */
struct space *spaces_by_nsid(const struct spaces *spaces, int32_t nsid);
/* By the id that `space` has for it. */
struct space *spaces_peer(const struct spaces *spaces, const struct space *space, int32_t nsid);

int32_t spaces_read_id(const struct nlmsghdr *message); /* of an event RTM_NEWNSID, RTM_DELNSID */

/*
 * `space` is the own one, or is watched. The calling thread is in it then, with `ret_socket` for questions; the own one
 * is fine, too. After an error it is where it was. spaces_leave brings it back; there is no going on elsewhere, so it
 * ends the process if it cannot.
 */
int spaces_enter(struct spaces *spaces, struct space *space, struct mnl_socket **ret_socket);
void spaces_leave(struct spaces *spaces);

#endif
