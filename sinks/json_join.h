/* SPDX-License-Identifier: Apache-2.0 */
/* The `join` record: one connection of a half-edge as this end sees it. docs/records.md has its fields. */
#ifndef WEFT_SINKS_JSON_JOIN_H
#define WEFT_SINKS_JSON_JOIN_H

#include "json.h"

void json_join(struct writer *out, struct agent_stamp *stamp, const struct window *window, const struct edge *edge,
               const struct edge_join *join, uint64_t conn_id);

#endif
