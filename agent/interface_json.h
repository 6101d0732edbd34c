/* SPDX-License-Identifier: Apache-2.0 */
/* Interfaces and what they counted as of the last round, as docs/api.md has them. Any thread. */
#ifndef WEFT_AGENT_INTERFACE_JSON_H
#define WEFT_AGENT_INTERFACE_JSON_H

#include <jansson.h>

#include "interfaces.h"
#include "packets.h"

/* A new reference. `interfaces` NULL: an empty list. */
json_t *interface_json(struct interfaces *interfaces, struct packets *packets);

#endif
