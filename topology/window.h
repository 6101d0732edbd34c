/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Windows: the intervals that edges are summed over, aligned to the wall clock, bounded in CLOCK_MONOTONIC.
 *
 * What happened carries monotonic times; windows are named by Unix time. The offset between the two is measured anew at
 * the start of each window. Windows follow one another without a gap and no start is given twice: after a small step
 * back of the wall clock a window is longer than its length; after one of more than a window numbering begins again
 * (`restarted`: the caller takes a new boot id, so that records stay unique). Pure: the caller reads the clocks.
 */
#ifndef WEFT_TOPOLOGY_WINDOW_H
#define WEFT_TOPOLOGY_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

struct window {
    uint64_t start, length; /* Unix ns, ns */
};

struct window_clock {
    struct window window; /* the running one */
    uint32_t sequence;    /* of the running one; from 0 */
    uint64_t start, end;  /* of the running one, monotonic ns */
    int64_t offset;       /* Unix - monotonic, ns */
    int64_t step;         /* how far `offset` moved when the running window began, beyond what slewing does; else 0 */
    bool restarted;       /* numbering began again with the running window */
};

/* Slewing moves the clock by 5 ms in 10 s at most (adjtimex: 500 ppm). */
enum { WINDOW_STEP_NS = 50 * 1000 * 1000 };

void window_clock_begin(struct window_clock *clock, uint64_t length, uint64_t monotonic, uint64_t unix_time);
/* The running window has ended, and the next begins where it ended; both clocks as read now. */
void window_clock_next(struct window_clock *clock, uint64_t monotonic, uint64_t unix_time);
/* How long after its end a window takes calls that ended in it: 2 s, or half of a window shorter than 4 s. */
uint64_t window_grace(uint64_t length);

#endif
