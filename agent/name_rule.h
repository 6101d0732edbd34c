/* SPDX-License-Identifier: Apache-2.0 */
/* A rule of the configuration that names a workload. The configuration owns its strings. */
#ifndef WEFT_AGENT_NAME_RULE_H
#define WEFT_AGENT_NAME_RULE_H

/*
 * All matchers given must match; NULL: not given. Strings are fnmatch patterns. `address` is an address or a prefix
 * (10.0.0.0/8, fd00::/8); `container_label` is KEY=VALUE.
 */
struct name_rule {
    char *name, *address, *executable, *cgroup, *container_label;
};

#endif
