/* SPDX-License-Identifier: Apache-2.0 */
#include "window.h"

#define GRACE_NS 2000000000u

void window_clock_begin(struct window_clock *clock, uint64_t length, uint64_t monotonic, uint64_t unix_time) {
    *clock = (struct window_clock){.window = {unix_time - unix_time % length, length}};
    clock->offset = (int64_t)(unix_time - monotonic);
    clock->start = monotonic;
    clock->end = clock->window.start + length - (uint64_t)clock->offset;
}

void window_clock_next(struct window_clock *clock, uint64_t monotonic, uint64_t unix_time) {
    uint64_t length = clock->window.length, former = clock->window.start;
    int64_t offset = (int64_t)(unix_time - monotonic), moved = offset - clock->offset;
    uint64_t begins = clock->end + (uint64_t)offset; /* Unix time of the moment at which the window begins */
    uint64_t start = begins - begins % length;
    clock->step = moved > WINDOW_STEP_NS || moved < -WINDOW_STEP_NS ? moved : 0;
    clock->restarted = start < former;
    if (start == former)
        start = former + length;
    clock->offset = offset;
    clock->window.start = start;
    clock->start = clock->end;
    clock->end = start + length - (uint64_t)offset;
    clock->sequence++;
}

uint64_t window_grace(uint64_t length) {
    return length / 2 < GRACE_NS ? length / 2 : GRACE_NS;
}
