/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes a window that has ended, its edges and the agent's own record, to every sink, and shows it on the page.
 * The main thread's.
 */
#ifndef WEFT_AGENT_PUBLISH_H
#define WEFT_AGENT_PUBLISH_H

#include "identity.h"
#include "live.h"
#include "packet_side.h"
#include "page.h"
#include "sinks/sink.h"
#include "topology/worker.h"

struct publisher {
    struct sinks *sinks; /* the caller's */
    struct live *live;
    struct identity *identity;
    struct workers *workers;
    struct packet_side *packets; /* NULL: off */
    struct page *page;           /* may be NULL */
    uint8_t conn_id_key[16];
    struct agent_stamp stamp;
    char warning[768];                    /* about names, said last */
    uint64_t clock_steps;                 /* windows that began after a step of the wall clock */
    uint64_t unix_bytes, unix_operations; /* of AF_UNIX streams, cumulative */
    uint64_t repeat_ns;                   /* CLOCK_MONOTONIC, when every workload is written again */
};

void publisher_init(struct publisher *publisher);
/* The flows of a window that ends now, if a sink takes them; right after a round. */
void publish_flows(struct publisher *publisher, const struct window *window);
/* What flows gained is added to `edges`. */
void publish(struct publisher *publisher, const struct window *window, struct edges *edges);
void publish_warning(struct publisher *publisher); /* on stderr, when it is new */
/* Numbering of windows began again: a new boot, so that records stay unique. */
void publish_restarted(struct publisher *publisher);

#endif
