/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OpenTelemetry's exponential histogram at the fixed scale 4, over durations in nanoseconds from 1 us to 1 h.
 *
 * Bucket i holds values v with 2^(i/16) < v <= 2^((i+1)/16) (data model: "Exponential Buckets", upper bound
 * inclusive). Values below 1 us are put in the bucket of 1 us, values above 1 h in that of 1 h; min, max and sum keep
 * the true value. The array grows to the range seen, so an edge with one duration costs one bucket.
 * Not thread safe: one owner.
 */
#ifndef WEFT_TOPOLOGY_HISTOGRAM_H
#define WEFT_TOPOLOGY_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_SCALE 4

struct histogram {
    uint32_t *counts; /* owned; NULL while empty */
    int32_t offset;   /* bucket index of counts[0] */
    uint32_t length;
    uint64_t count;
    uint64_t sum; /* ns */
    uint64_t min; /* ns; meaningless while count is 0 */
    uint64_t max;
    uint64_t unrecorded; /* values lost because memory for a bucket was refused */
};

int32_t histogram_bucket(uint64_t value_ns);
uint64_t histogram_upper_bound(int32_t bucket); /* ns, rounded down */

void histogram_add(struct histogram *histogram, uint64_t value_ns);
void histogram_merge(struct histogram *into, const struct histogram *from);
/* The value at `quantile` (0..1), interpolated inside its bucket; 0 while empty. */
uint64_t histogram_quantile(const struct histogram *histogram, double quantile);
void histogram_done(struct histogram *histogram); /* frees, zeroes */

#endif
