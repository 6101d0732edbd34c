/* SPDX-License-Identifier: Apache-2.0 */
#include "packet_settings.h"

#include <string.h>

/* Parts of `text`, which is cut into pieces for that. */
static struct interface_patterns patterns_of(char *text, const char **list) {
    struct interface_patterns patterns = {.list = list};
    char *rest = NULL;
    for (char *one = strtok_r(text, ",", &rest); one && patterns.count < PATTERN_LIMIT;
         one = strtok_r(NULL, ",", &rest))
        list[patterns.count++] = one;
    return patterns;
}

/* With `namespace: self` nothing beyond the own one is anybody's business. */
struct packet_side_options packet_settings(const struct config *config, bool alone) {
    static const char *lists[2][PATTERN_LIMIT];
    bool all = config->packets_scope == PACKETS_ALL && config->namespace == NAMESPACE_HOST;
    struct packet_side_options options = {.scope = all ? SCOPE_ALL : SCOPE_OWN,
                                          .include = patterns_of(config->include_interfaces, lists[0]),
                                          .exclude = patterns_of(config->exclude_interfaces, lists[1]),
                                          .flows_max = (uint32_t)config->limits.flows,
                                          .clean = alone};
    memcpy(options.conn_id_key, config->conn_id_key, sizeof(options.conn_id_key));
    return options;
}
