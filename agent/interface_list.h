/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The interfaces that are known, those that went lately included, and weft's programs at each. Private to interfaces.c,
 * whose thread finds out what there is; the questions of interfaces.h are answered from here.
 *
 * Only that thread writes an interface, under the mutex, so it reads without. Nothing here looks for anything:
 * interface_see is given what netlink says, in the interface's namespace and with a socket of it.
 */
#ifndef WEFT_AGENT_INTERFACE_LIST_H
#define WEFT_AGENT_INTERFACE_LIST_H

#include <pthread.h>

#include "attach.h"
#include "interfaces.h"
#include "link.h"
#include "spaces.h"

struct mnl_socket;

enum { INTERFACES_MAX = 32768 }; /* known at once, those that are gone included */

struct interface {
    struct hop_interface hop;
    uint32_t peer; /* as the kernel says it: see struct link */
    int32_t peer_nsid;
    struct attachment attachment;
    struct interface *next_gone;                 /* in a row, longest gone first */
    uint64_t gone;                               /* CLOCK_MONOTONIC ns; 0: it is there */
    uint64_t packets_before[2], bytes_before[2]; /* as the interface had counted when weft began to */
    bool excluded, xdp, seen;
    bool stale; /* what is known of its other end may be wrong by now */
};

struct interfaces {
    struct interfaces_options options;
    struct spaces spaces; /* of the thread */
    struct mnl_socket *events;
    int poke; /* an eventfd */
    pthread_t thread;
    bool started;
    bool any_stale; /* of the thread */

    pthread_mutex_t lock; /* for all below; the thread reads without it, since nobody else writes */
    pthread_cond_t ready;
    struct table table; /* by key_of */
    struct table names; /* of namespaces, by netns: strings given by interfaces_name_namespace */
    struct interface *gone_first, *gone_last;
    size_t gone_count;
    struct interfaces_counters counters;
    bool is_ready, look, stop;
    int result; /* of the start */
    char error[160];
};

static inline uint64_t interface_key_of(uint32_t netns, uint32_t ifindex) {
    return (uint64_t)netns << 32 | ifindex;
}

/* Appeared, or changed. */
void interface_see(struct interfaces *interfaces, struct space *space, struct mnl_socket *socket,
                   const struct link *link);
void interface_vanish(struct interfaces *interfaces, struct interface *interface);
/* What is known of this end of a pair, or of the other one, may be wrong by now: both are looked at anew. */
void interface_doubt(struct interfaces *interfaces, struct interface *interface);
void interface_doubt_peer(struct interfaces *interfaces, struct interface *interface);
/* Those that went long ago. Not while the table is walked through. */
void interface_forget_old(struct interfaces *interfaces);

#endif
