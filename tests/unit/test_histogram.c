/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "topology/histogram.h"

#define LOWEST 1000u
#define HIGHEST 3600000000000u

static int32_t expected_bucket(uint64_t value) {
    return (int32_t)ceill(log2l((long double)value) * 16) - 1;
}

static void buckets_agree_with_log2l(void **state) {
    (void)state;
    for (uint64_t value = LOWEST; value < 200000; value++)
        assert_int_equal(histogram_bucket(value), expected_bucket(value));
    uint64_t random = 88172645463325252u;
    for (int i = 0; i < 300000; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        const uint64_t value = LOWEST + (random >> (random % 24)) % (HIGHEST - LOWEST);
        assert_int_equal(histogram_bucket(value), expected_bucket(value));
    }
}

static void bounds_are_inclusive_above(void **state) {
    (void)state;
    for (int32_t bucket = histogram_bucket(LOWEST); bucket < histogram_bucket(HIGHEST); bucket++) {
        const uint64_t bound = histogram_upper_bound(bucket);
        assert_int_equal(histogram_bucket(bound), bucket);
        assert_int_equal(histogram_bucket(bound + 1), bucket + 1);
    }
    assert_int_equal(histogram_bucket(1024), 159);
    assert_int_equal(histogram_bucket(1025), 160);
    assert_int_equal(histogram_upper_bound(159), 1024);
    assert_int_equal(histogram_upper_bound(-1), 1);
    assert_int_equal(histogram_upper_bound(-2), 0);
    assert_true(histogram_upper_bound(1023) == UINT64_MAX);
}

static void extremes_are_clamped_but_kept(void **state) {
    (void)state;
    struct histogram histogram = {0};
    histogram_add(&histogram, 0);
    histogram_add(&histogram, 2 * HIGHEST);
    assert_int_equal(histogram.offset, histogram_bucket(LOWEST));
    assert_int_equal(histogram.offset + (int32_t)histogram.length - 1, histogram_bucket(HIGHEST));
    assert_int_equal(histogram.min, 0);
    assert_int_equal(histogram.max, 2 * HIGHEST);
    assert_int_equal(histogram.sum, 2 * HIGHEST);
    assert_int_equal(histogram.count, 2);
    histogram_done(&histogram);
    assert_null(histogram.counts);
}

static void one_duration_costs_one_bucket(void **state) {
    (void)state;
    struct histogram histogram = {0};
    assert_int_equal(histogram_quantile(&histogram, 0.5), 0);
    for (int i = 0; i < 100; i++)
        histogram_add(&histogram, 5000000);
    assert_int_equal(histogram.length, 1);
    assert_int_equal(histogram.counts[0], 100);
    assert_int_equal(histogram_quantile(&histogram, 0.5), 5000000);
    histogram_done(&histogram);
}

static void quantiles_are_within_a_bucket(void **state) {
    (void)state;
    struct histogram histogram = {0};
    for (uint64_t i = 1; i <= 10000; i++)
        histogram_add(&histogram, i * 1000);
    for (double quantile = 0.01; quantile < 1; quantile += 0.01) {
        const double exact = quantile * 1e7;
        assert_true(fabs((double)histogram_quantile(&histogram, quantile) - exact) < exact * 0.0443 + 1000);
    }
    assert_int_equal(histogram_quantile(&histogram, 0), 1000);
    assert_int_equal(histogram_quantile(&histogram, 1), 10000000);
    histogram_done(&histogram);
}

static void merging_is_adding(void **state) {
    (void)state;
    struct histogram whole = {0}, left = {0}, right = {0}, empty = {0};
    for (uint64_t i = 1; i < 5000; i++) {
        histogram_add(&whole, i * i * 100);
        histogram_add(i % 3 ? &left : &right, i * i * 100);
    }
    histogram_merge(&left, &right);
    histogram_merge(&left, &empty);
    assert_int_equal(left.count, whole.count);
    assert_int_equal(left.sum, whole.sum);
    assert_int_equal(left.min, whole.min);
    assert_int_equal(left.max, whole.max);
    assert_int_equal(left.offset, whole.offset);
    assert_int_equal(left.length, whole.length);
    assert_memory_equal(left.counts, whole.counts, whole.length * sizeof *whole.counts);
    histogram_done(&whole);
    histogram_done(&left);
    histogram_done(&right);
}

static void full_buckets_lose_visibly(void **state) {
    (void)state;
    struct histogram histogram = {0}, other = {0};
    histogram_add(&histogram, 5000);
    histogram_add(&other, 5000);
    histogram.counts[0] = UINT32_MAX;
    histogram_add(&histogram, 5000);
    assert_int_equal(histogram.unrecorded, 1);
    histogram_merge(&histogram, &other);
    assert_int_equal(histogram.unrecorded, 2);
    assert_int_equal(histogram.count, 1);
    histogram_done(&histogram);
    histogram_done(&other);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buckets_agree_with_log2l),      cmocka_unit_test(bounds_are_inclusive_above),
        cmocka_unit_test(extremes_are_clamped_but_kept), cmocka_unit_test(one_duration_costs_one_bucket),
        cmocka_unit_test(quantiles_are_within_a_bucket), cmocka_unit_test(merging_is_adding),
        cmocka_unit_test(full_buckets_lose_visibly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
