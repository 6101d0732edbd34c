/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records as JSON, one per line, appended to a stream. The fields are those of docs/records.md.
 * Strings are escaped (RFC 8259) and bytes that are not UTF-8 are replaced, so that every line parses.
 */
#ifndef WEFT_SINKS_JSON_H
#define WEFT_SINKS_JSON_H

#include <stdint.h>
#include <stdio.h>

#include "topology/edge.h"

/* What every record of this process carries; the sequence rises by one a record. */
struct agent_stamp {
    uint64_t id, boot, sequence;
    char host[64];
};

struct window {
    uint64_t start, length; /* Unix ns, ns */
};

struct counter {
    const char *name;
    uint64_t value;
};

void json_edge(FILE *out, struct agent_stamp *stamp, const struct window *window, const struct edge *edge);
/* Counters of this agent's own health, cumulative since its start. */
void json_agent(FILE *out, struct agent_stamp *stamp, const struct window *window, const struct counter *counters,
                size_t count);
void json_string(FILE *out, const char *text);

#endif
