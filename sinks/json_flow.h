/* SPDX-License-Identifier: Apache-2.0 */
/* The `flow` record: the packets of one connection in one direction at one hop, in one window. */
#ifndef WEFT_SINKS_JSON_FLOW_H
#define WEFT_SINKS_JSON_FLOW_H

#include "json.h"
#include "topology/flows.h"

/* Counts are those of `view->since`. `clocks`: to tell its times as Unix times. */
void json_flow(struct writer *out, struct agent_stamp *stamp, const struct window *window,
               const struct json_clocks *clocks, const struct flow_view *view);
/* What the records of one connection have in common; of one that has no conn_id, those of one flow. */
uint64_t json_flow_key(const struct flow_view *view);

#endif
