/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `weft agent`: attaches, drains the ring on a timer, closes a window every `window_ns` and writes its edges.
 * Returns when a signal or the end of `duration_ns` says so, after what is still open has been written.
 */
#ifndef WEFT_AGENT_WATCH_H
#define WEFT_AGENT_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "identity.h"
#include "page.h"
#include "sinks/sink.h"

struct watch_options {
    struct sinks *sinks;  /* the caller's, who closes them */
    uint64_t window_ns;   /* aligned to the clock */
    uint64_t duration_ns; /* 0: until SIGTERM or SIGINT */
    uint32_t ring_bytes;
    bool only_this_netns;
    struct identity_options names;
    struct page_options page; /* all but `stamp` */
    int ready_fd;             /* written and closed when everything is attached; -1: a line on stderr */
};

int watch(const struct watch_options *options); /* exit status */

#endif
