/* SPDX-License-Identifier: Apache-2.0 */
#include "topology/histogram.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS_PER_OCTAVE (1 << HISTOGRAM_SCALE)
#define LOWEST_NS 1000u
#define HIGHEST_NS 3600000000000u

/*
 * floor(2^(63 + i/16)). Apart from the first they are irrational, so for a whole number m, m > floor(x) is m > x and
 * comparing with the table is exact.
 */
static const uint64_t thresholds[BUCKETS_PER_OCTAVE] = {
    0x8000000000000000u, 0x85aac367cc487b14u, 0x8b95c1e3ea8bd6e6u, 0x91c3d373ab11c336u,
    0x9837f0518db8a96fu, 0x9ef5326091a111adu, 0xa5fed6a9b15138eau, 0xad583eea42a14ac6u,
    0xb504f333f9de6484u, 0xbd08a39f580c36beu, 0xc5672a115506daddu, 0xce248c151f8480e3u,
    0xd744fccad69d6af4u, 0xe0ccdeec2a94e111u, 0xeac0c6e7dd24392eu, 0xf5257d152486cc2cu};

int32_t histogram_bucket(uint64_t value_ns) {
    const uint64_t raised = value_ns < LOWEST_NS ? LOWEST_NS : value_ns;
    const uint64_t value = raised > HIGHEST_NS ? HIGHEST_NS : raised;
    const int zeros = __builtin_clzll(value);
    const uint64_t mantissa = value << zeros;
    int32_t step = 0;
    for (int32_t half = BUCKETS_PER_OCTAVE / 2; half > 0; half /= 2)
        step += mantissa > thresholds[step + half] ? half : 0;
    /* A power of two is the inclusive upper bound of the bucket before. */
    const int32_t above = mantissa > thresholds[0];
    return (63 - zeros) * BUCKETS_PER_OCTAVE + step + above - 1;
}

uint64_t histogram_upper_bound(int32_t bucket) {
    if (bucket < -1)
        return 0;
    if (bucket >= 64 * BUCKETS_PER_OCTAVE - 1)
        return UINT64_MAX;
    const int32_t power = bucket + 1;
    return thresholds[power % BUCKETS_PER_OCTAVE] >> (63 - power / BUCKETS_PER_OCTAVE);
}

/* Makes counts[] cover `first`..`last`; false if memory was refused. */
static bool cover(struct histogram *histogram, int32_t first, int32_t last) {
    if (histogram->length > 0) {
        const int32_t end = histogram->offset + (int32_t)histogram->length - 1;
        first = first < histogram->offset ? first : histogram->offset;
        last = last > end ? last : end;
    }
    const uint32_t length = (uint32_t)(last - first + 1);
    if (length == histogram->length)
        return true;
    uint32_t *counts = calloc(length, sizeof *counts);
    if (!counts)
        return false;
    if (histogram->length > 0)
        memcpy(counts + (histogram->offset - first), histogram->counts, histogram->length * sizeof *counts);
    free(histogram->counts);
    histogram->counts = counts;
    histogram->offset = first;
    histogram->length = length;
    return true;
}

static void widen(struct histogram *histogram, uint64_t min, uint64_t max) {
    if (histogram->count == 0 || min < histogram->min)
        histogram->min = min;
    if (histogram->count == 0 || max > histogram->max)
        histogram->max = max;
}

void histogram_add(struct histogram *histogram, uint64_t value_ns) {
    const int32_t bucket = histogram_bucket(value_ns);
    const uint32_t place = (uint32_t)(bucket - histogram->offset);
    if (place >= histogram->length && !cover(histogram, bucket, bucket)) {
        histogram->unrecorded++;
        return;
    }
    uint32_t *count = &histogram->counts[bucket - histogram->offset];
    if (*count == UINT32_MAX) {
        histogram->unrecorded++;
        return;
    }
    (*count)++;
    widen(histogram, value_ns, value_ns);
    histogram->count++;
    histogram->sum += value_ns;
}

void histogram_merge(struct histogram *into, const struct histogram *from) {
    into->unrecorded += from->unrecorded;
    if (from->count == 0)
        return;
    if (!cover(into, from->offset, from->offset + (int32_t)from->length - 1)) {
        into->unrecorded += from->count;
        return;
    }
    widen(into, from->min, from->max);
    uint64_t lost = 0;
    for (uint32_t i = 0; i < from->length; i++) {
        uint32_t *count = &into->counts[from->offset - into->offset + (int32_t)i];
        const uint32_t room = UINT32_MAX - *count;
        const uint32_t added = from->counts[i] < room ? from->counts[i] : room;
        *count += added;
        lost += from->counts[i] - added;
    }
    into->count += from->count - lost;
    into->unrecorded += lost;
    into->sum += from->sum;
}

/* The ends of the array hold the extremes, so their bounds are the true min and max. */
static double inside(const struct histogram *histogram, uint32_t place, double fraction) {
    const int32_t bucket = histogram->offset + (int32_t)place;
    const double low = (double)(place == 0 ? histogram->min : histogram_upper_bound(bucket - 1));
    const double high = (double)(place + 1 == histogram->length ? histogram->max : histogram_upper_bound(bucket));
    return low + (high - low) * fraction;
}

uint64_t histogram_quantile(const struct histogram *histogram, double quantile) {
    if (histogram->count == 0)
        return 0;
    if (!(quantile > 0))
        return histogram->min;
    if (quantile >= 1)
        return histogram->max;
    const double rank = quantile * (double)histogram->count;
    double before = 0;
    for (uint32_t i = 0; i < histogram->length; i++) {
        const double here = histogram->counts[i];
        if (here > 0 && before + here >= rank)
            return (uint64_t)inside(histogram, i, (rank - before) / here);
        before += here;
    }
    return histogram->max;
}

void histogram_done(struct histogram *histogram) {
    free(histogram->counts);
    *histogram = (struct histogram){0};
}
