/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The network interfaces, in the agent's own network namespace or in all of the host, as they come and go, with weft's
 * programs at each that is wanted.
 *
 * A thread of its own follows netlink, attaches and detaches. It starts before privileges_drop and keeps what that
 * takes (docs/operations.md). No namespace is held open: one that nobody else uses ends as it would without weft. Other
 * namespaces are told of by events of the own one: each that is watched has an id there.
 *
 * interfaces_new and interfaces_free: the main thread; all else: any thread, under a mutex.
 */
#ifndef WEFT_AGENT_INTERFACES_H
#define WEFT_AGENT_INTERFACES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/flow.h"
#include "topology/flows.h"

enum interfaces_scope { SCOPE_OWN, SCOPE_ALL };

/* A pattern is one of a name as a shell has them (`veth*`), or `kind:` and one of a kind (`kind:bridge`). */
struct interface_patterns {
    const char *const *list;
    size_t count;
};

struct interfaces_options {
    enum interfaces_scope scope;
    struct interface_patterns include, exclude; /* none to include: all; the caller's, as long as the agent */
    int programs[2]; /* descriptors, by enum flow_way; -1: nothing is attached, only looked */
    bool clean; /* filters of weft's that are found at the start were left by a killed agent: no other one runs here */
    /*
     * All on the thread of its own. `appeared` before the programs are there, and again when the peer's namespace is
     * another one; link_netnsid: of the peer's namespace as the interface's own numbers it, -1: none. `counted`: what
     * weft has counted there so far; false: not known.
     */
    void (*appeared)(void *context, const struct interface_key *key, int link_netnsid);
    void (*vanished)(void *context, const struct interface_key *key);
    bool (*counted)(void *context, const struct interface_key *key, struct interface_totals *ret_totals);
    void *context;
};

struct interfaces;
/* Everything that is there is attached when it returns. Negative errno; single interfaces that refuse are no error. */
int interfaces_new(const struct interfaces_options *options, struct interfaces **ret_interfaces, char *error,
                   size_t error_size);
void interfaces_free(struct interfaces *interfaces); /* detaches; NULL is fine */

/*
 * Once a window, and when an owner in an unknown network namespace is met: looks for namespaces that no event told of,
 * for programs that were put before weft's, and forgets what is long gone. Returns at once.
 */
void interfaces_look(struct interfaces *interfaces);

/* Also of one that is gone, for some minutes. */
bool interfaces_get(struct interfaces *interfaces, uint32_t netns, uint32_t ifindex, struct hop_interface *ret);

struct interface_view {
    struct hop_interface hop;
    bool excluded;        /* by name or kind */
    const char *attached; /* tcx, clsact, ... */
    const char *error;    /* why not; empty: none */
};
/* Those that are there. Under the mutex: be brief. */
void interfaces_each(struct interfaces *interfaces, void (*visit)(void *context, const struct interface_view *view),
                     void *context);

/* A better name for a namespace, such as that of the container it is of. */
void interfaces_name_namespace(struct interfaces *interfaces, uint32_t netns, const char *name);

struct interfaces_counters {
    uint64_t events_lost;  /* times that events of interfaces were lost, so that all were looked at anew */
    uint64_t not_attached; /* interfaces at which a program could not be attached */
    uint64_t not_entered;  /* network namespaces that could not be entered */
    uint64_t cleaned;      /* filters of a killed agent that were removed */
};
void interfaces_counters(struct interfaces *interfaces, struct interfaces_counters *ret_counters);

/* Whether a pattern says so, as of `include` and `exclude`. */
bool interfaces_wanted(const struct interfaces_options *options, const char *name, const char *kind);

/*
 * For `weft check --clean`, by a thread that has all capabilities: removes the filters of killed agents in every
 * network namespace that `allowed` says yes to. How many, or negative errno.
 */
int interfaces_clean(bool (*allowed)(void *context, uint32_t netns), void *context);

#endif
