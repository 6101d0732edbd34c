/* SPDX-License-Identifier: Apache-2.0 */
/* What the API tells of flows and of the way between two ends: /api/v1/flows and /api/v1/path. Private to web/. */
#ifndef WEFT_WEB_FLOW_API_H
#define WEFT_WEB_FLOW_API_H

#include <microhttpd.h>

#include "server.h"

/*
 * New references; `ret_status` is what HTTP makes of it. A refusal is `error`, and for a question about flows also
 * `option` and `at`: which of its arguments is wrong, at which byte. NULL without memory.
 */
json_t *flow_api_flows(const struct web_flows *flows, struct MHD_Connection *connection, unsigned *ret_status);
json_t *flow_api_path(const struct web_flows *flows, struct graph *graph, struct MHD_Connection *connection,
                      unsigned *ret_status);

#endif
