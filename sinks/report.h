/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent's own health, once a window: what an `agent` record says and what the prometheus sink shows as weft_*.
 * Everything is borrowed from the caller for the time of the call. Filled by agent/, written by sinks/.
 */
#ifndef WEFT_SINKS_REPORT_H
#define WEFT_SINKS_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "topology/traffic.h"

struct counter {
    const char *name; /* as it stands in docs/operations.md */
    uint64_t value;   /* cumulative since the agent's start */
};

struct hook_report {
    const char *name;
    bool attached;
    const char *reason; /* why not; empty if attached or not needed */
};

/* Records of one sink, cumulative. Each record offered to it is in the end in one of taken, or a reason to drop it. */
struct sink_report {
    const char *kind, *argument; /* argument NULL if it takes none */
    uint64_t offered;            /* that it was to get, by its `records` */
    uint64_t taken;              /* its own since: written, or handed to the library that sends */
    uint64_t queue_full;         /* dropped: its queue was full, as it is slow or away */
    uint64_t failed;             /* dropped: refused for good */
    /* What waits now. */
    uint64_t queued_bytes; /* in memory, before the sink */
    uint64_t unconfirmed;  /* records handed on whose arrival is not confirmed yet */
    bool spooled;          /* the sink has a spool on disk */
    uint64_t spool_records, spool_bytes;
};

/* Connections closed or open that were seen, and those of them whose protocol stayed unknown or encrypted. */
struct opaque_report {
    bool known;
    uint64_t connections, opaque_connections, bytes, opaque_bytes; /* cumulative */
    struct traffic_sum reasons[OPAQUE_REASONS];                    /* of the opaque ones */
};

/* AF_UNIX streams: counted, never an edge. */
struct unix_report {
    uint64_t bytes, operations; /* sent, cumulative */
    uint64_t pairs;             /* of processes, in this window */
};

struct agent_report {
    const struct counter *counters;
    size_t counter_count;
    const struct hook_report *hooks;
    size_t hook_count;
    const struct sink_report *sinks;
    size_t sink_count;
    uint64_t resident_bytes, cpu_ns; /* 0: unknown */
    struct opaque_report opaque;
    struct unix_report unix_streams;
};

/* Resident memory and CPU time of this process, from /proc. */
void report_process(struct agent_report *report);

#endif
