/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `weft agent`: attaches, lets workers drain the rings, and writes each window `window_grace` after its end.
 * Returns when a signal or the end of `duration_ns` says so, after what is still open has been written.
 */
#ifndef WEFT_AGENT_WATCH_H
#define WEFT_AGENT_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "identity.h"
#include "packet_side.h"
#include "page.h"
#include "sinks/sink.h"

struct watch_options {
    struct sinks *sinks;               /* the caller's, who closes them */
    uint64_t window_ns;                /* aligned to the clock */
    uint64_t duration_ns;              /* 0: until SIGTERM or SIGINT */
    uint64_t call_timeout_ns;          /* 0: 30 s */
    size_t edges_max, connections_max; /* of all workers together; 0: the defaults */
    size_t held_max;                   /* bytes that wait on connections, of all workers; 0: no bound */
    size_t clients_per_server;         /* unresolved ones, each an edge of its own; 0: 256 */
    uint8_t conn_id_key[16];
    uint32_t ring_bytes; /* of each ring */
    unsigned rings;      /* and workers; 0: one for each eight CPUs */
    bool only_this_netns;
    bool packets; /* watch them as well */
    struct packet_side_options packet_side;
    struct identity_options names;
    struct page_options page; /* all but `stamp` and `wake` */
    int ready_fd;             /* written and closed when everything is attached; -1: a line on stderr */
    /*
     * NULL: nothing. `loaded` once every program is attached and before there is any thread but the caller's;
     * `started` once everything runs, before it is said. Negative ends the agent; they say why themselves.
     */
    int (*loaded)(void *context);
    int (*started)(void *context);
    void *context;
};

int watch(const struct watch_options *options); /* exit status */

#endif
