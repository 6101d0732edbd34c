/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The live source: loads and attaches the socket layer, and yields its records in order.
 *
 * live_new loads every program on its own merits and attaches it; what is refused is told by live_programs, with why.
 * live_drain calls back for each record waiting and returns how many; it never sleeps. live_free detaches everything
 * (all of it is links, so the kernel does the same when the process dies). One thread.
 */
#ifndef WEFT_AGENT_LIVE_H
#define WEFT_AGENT_LIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/record.h"

struct live_options {
    uint32_t ring_bytes; /* a power of two, a multiple of the page size */
    bool only_this_netns;
};

struct live_program {
    const char *name, *purpose;
    bool attached;
    char reason[160]; /* why not */
};

struct live;
/* Negative errno; `error` says what failed and what to do. */
int live_new(const struct live_options *options, struct live **ret_live, char *error, size_t error_size);
void live_free(struct live *live);

typedef void (*live_record)(void *context, const void *record, size_t size);
size_t live_drain(struct live *live, live_record callback, void *context);
void live_counters(struct live *live, uint64_t ret_counters[COUNTER_KINDS]);
const struct live_program *live_programs(const struct live *live, size_t *ret_count);
const char *live_counter_name(enum kernel_counter counter);

#endif
