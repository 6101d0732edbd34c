/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names given by the configuration: rules in order, the first that fits. All matchers that a rule has must fit; one
 * without any fits nothing. Strings are fnmatch patterns; an executable's without '/' is for its last component, an
 * address may be a prefix ("10.1.0.0/16") too. Made once, then read by any thread.
 */
#ifndef WEFT_AGENT_RULES_H
#define WEFT_AGENT_RULES_H

#include <jansson.h>

#include "agent/addresses.h"
#include "agent/name_rule.h"

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
