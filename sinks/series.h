/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Edges summed over windows, as Prometheus wants them: cumulative, a bounded number of series, in its text format.
 *
 * A series is a (client, server, connection type), by name; several edges may add to one. Once there are `limit` of
 * them, further ones are summed as client and server `other`, so that totals stay true. One owner, who locks.
 *
 * Names and labels of traces_service_graph_* are those of Grafana Tempo's service graphs. A failed connect is a request
 * that failed. Buckets end at powers of two of a nanosecond, where weft's own histograms have bounds too, so that
 * nothing is estimated.
 */
#ifndef WEFT_SINKS_SERIES_H
#define WEFT_SINKS_SERIES_H

#include "report.h"
#include "topology/edge.h"
#include "writer.h"

struct series;
int series_new(size_t limit, struct series **ret_series); /* negative errno */
void series_free(struct series *series);

void series_add(struct series *series, const struct edge *edge); /* its window */
uint64_t series_refused(const struct series *series);            /* edges and windows added to `other` */
void series_write(const struct series *series, struct writer *out);
/* weft's own health. */
void series_write_report(struct writer *out, const struct agent_report *report);

#endif
