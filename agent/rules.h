/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names given by the configuration: rules in order, the first that fits. All matchers that a rule has must fit; one
 * without any fits nothing. Made once, then read by any thread.
 */
#ifndef WEFT_AGENT_RULES_H
#define WEFT_AGENT_RULES_H

#include <jansson.h>

#include "agent/addresses.h"

/* Strings are fnmatch patterns. NULL: not given. */
struct name_rule {
    char *name;
    char *address;         /* of the peer, or of this host's socket: "10.1.0.0/16", "10.1.2.3", "fd00::/8", "10.1.*" */
    char *executable;      /* its path; a pattern without '/' is for the last component */
    char *cgroup;          /* path from the hierarchy's root */
    char *container_label; /* key=value */
};

enum { RULES = 256 };

/* Which rules' labels a container has. */
struct rule_set {
    uint64_t bits[RULES / 64];
};

struct rules;
int rules_new(const struct name_rule *rules, size_t count, struct rules **ret_rules); /* -ENOMEM, -E2BIG; copies */
void rules_free(struct rules *rules);
void rules_labels(const struct rules *rules, const json_t *labels, struct rule_set *ret_set);

/* What a name is asked for; NULL or "" where there is none. */
struct rule_subject {
    const struct address *address;
    const char *executable, *cgroup;
    const struct rule_set *labels;
};
const char *rules_match(const struct rules *rules, const struct rule_subject *subject); /* a name, or NULL */

#endif
