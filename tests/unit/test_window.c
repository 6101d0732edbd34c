/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "topology/window.h"

#define SECOND 1000000000ULL
#define UNIX (1795390800 * SECOND) /* a multiple of 10 s */
#define BOOTED 5000

static void test_the_first_window_is_aligned_and_short(void **unused) {
    (void)unused;
    struct window_clock clock;
    window_clock_begin(&clock, 10 * SECOND, BOOTED, UNIX + 3 * SECOND);
    assert_int_equal(clock.window.start, UNIX);
    assert_int_equal(clock.start, BOOTED);
    assert_int_equal(clock.end, BOOTED + 7 * SECOND);
    window_clock_next(&clock, clock.end + 4000, UNIX + 10 * SECOND + 4000);
    assert_int_equal(clock.window.start, UNIX + 10 * SECOND);
    assert_int_equal(clock.start, BOOTED + 7 * SECOND);
    assert_int_equal(clock.end, BOOTED + 17 * SECOND);
    assert_int_equal(clock.sequence, 1);
    assert_int_equal(clock.step, 0);
}

/* Slewed by `moved` while the first window ran. */
static struct window_clock moved(int64_t by) {
    struct window_clock clock;
    window_clock_begin(&clock, 10 * SECOND, BOOTED, UNIX);
    window_clock_next(&clock, clock.end, UNIX + 10 * SECOND + by);
    return clock;
}

static void test_slewing_makes_no_step_and_no_window_twice(void **unused) {
    (void)unused;
    struct window_clock slow = moved(-3000), fast = moved(3000);
    assert_int_equal(slow.window.start, UNIX + 10 * SECOND);
    assert_int_equal(slow.end - slow.start, 10 * SECOND + 3000);
    assert_int_equal(fast.window.start, UNIX + 10 * SECOND);
    assert_int_equal(fast.end - fast.start, 10 * SECOND - 3000);
    assert_true(!slow.step && !fast.step && !slow.restarted);
}

static void test_a_step_forward_skips_windows(void **unused) {
    (void)unused;
    struct window_clock clock = moved(3604 * SECOND);
    assert_int_equal(clock.step, 3604 * SECOND);
    assert_int_equal(clock.window.start, UNIX + 3610 * SECOND);
    assert_int_equal(clock.end - clock.start, 6 * SECOND);
    assert_false(clock.restarted);
}

static void test_a_small_step_back_makes_a_longer_window(void **unused) {
    (void)unused;
    struct window_clock clock = moved(-4 * (int64_t)SECOND);
    assert_int_equal(clock.step, -4 * (int64_t)SECOND);
    assert_int_equal(clock.window.start, UNIX + 10 * SECOND);
    assert_int_equal(clock.end - clock.start, 14 * SECOND);
    assert_false(clock.restarted);
}

static void test_a_large_step_back_begins_numbering_again(void **unused) {
    (void)unused;
    struct window_clock clock = moved(-3600 * (int64_t)SECOND);
    assert_true(clock.restarted);
    assert_int_equal(clock.window.start, UNIX + 10 * SECOND - 3600 * SECOND);
    assert_int_equal(clock.end - clock.start, 10 * SECOND);
    window_clock_next(&clock, clock.end, UNIX + 20 * SECOND - 3600 * SECOND);
    assert_false(clock.restarted);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_first_window_is_aligned_and_short),
        cmocka_unit_test(test_slewing_makes_no_step_and_no_window_twice),
        cmocka_unit_test(test_a_step_forward_skips_windows),
        cmocka_unit_test(test_a_small_step_back_makes_a_longer_window),
        cmocka_unit_test(test_a_large_step_back_begins_numbering_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
