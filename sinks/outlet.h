/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One open sink: its queue, its thread, its count of what became of every record.
 *
 * outlet_new starts the thread, outlet_offer copies records into the queue and never waits, outlet_stop and outlet_join
 * end it. A thread that is stuck in a write at the deadline is left behind with its memory: the process is about to
 * end.
 */
#ifndef WEFT_SINKS_OUTLET_H
#define WEFT_SINKS_OUTLET_H

#include "sink.h"

struct outlet;
/* Takes `settings` in any case. */
int outlet_new(const struct sink_ops *ops, struct sink_settings *settings, struct outlet **ret_outlet, char *error,
               size_t error_size);
bool outlet_takes(const struct outlet *outlet, enum sink_record_kind kind);
void outlet_offer(struct outlet *outlet, const struct sink_record *records, size_t count);
struct sink_report outlet_report(struct outlet *outlet);
size_t outlet_counters(struct outlet *outlet, struct counter *counters);
void outlet_stop(struct outlet *outlet, uint64_t deadline_ns); /* CLOCK_MONOTONIC */
void outlet_join(struct outlet *outlet); /* waits until the deadline and a little more, then frees */

#endif
