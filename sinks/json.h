/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records as JSON, one per line, appended to a writer. The fields are those of docs/records.md.
 *
 * A record's function takes the stamp, whose sequence it raises by one, and writes one object and its newline. A new
 * kind of record starts with json_head, goes on with writer_member_..., ends with json_tail.
 */
#ifndef WEFT_SINKS_JSON_H
#define WEFT_SINKS_JSON_H

#include <stdint.h>

#include "report.h"
#include "topology/edge.h"
#include "topology/workload.h"
#include "writer.h"

/* What every record of this process carries; the sequence rises by one a record. */
struct agent_stamp {
    uint64_t id, boot, sequence;
    char host[64];
};

/* Opens the object: record, version, agent. */
void json_head(struct writer *out, const char *kind, struct agent_stamp *stamp);
void json_window(struct writer *out, const struct window *window);
void json_tail(struct writer *out); /* closes it and ends the line */
void json_histogram(struct writer *out, const char *name, const struct histogram *histogram); /* nothing if empty */

/* The same moment on three clocks, ns: what a workload knows of its instances is told in other clocks than Unix time.
 */
struct json_clocks {
    uint64_t now, since_boot, monotonic;
};
void json_clocks_read(struct json_clocks *clocks);
void json_workload(struct writer *out, struct agent_stamp *stamp, const struct json_clocks *clocks,
                   const struct workload *workload);
void json_container(struct writer *out, const struct workload_instance *instance); /* nothing if it is in none */

void json_edge(struct writer *out, struct agent_stamp *stamp, const struct window *window, const struct edge *edge);
void json_agent(struct writer *out, struct agent_stamp *stamp, const struct window *window,
                const struct agent_report *report);

#endif
