/* SPDX-License-Identifier: Apache-2.0 */
/* The queue and the thread before a sink, with a sink that does as it is told. */
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "sinks/outlet.h"

static struct {
    sem_t may_write;
    bool gated;
    uint64_t retry_at, fail_at; /* keys */
    int retries;
    uint64_t keys[4096];
    size_t count;
    bool closed;
} fake;

static int fake_open(const struct sink_settings *settings, void **ret_sink, char *error, size_t error_size) {
    (void)settings;
    (void)error;
    (void)error_size;
    *ret_sink = &fake;
    return 0;
}

static enum sink_status fake_write(void *sink, const struct sink_record *records, size_t count, size_t *ret_taken) {
    (void)sink;
    if (fake.gated)
        sem_wait(&fake.may_write);
    for (*ret_taken = 0; *ret_taken < count; ++*ret_taken) {
        uint64_t key = records[*ret_taken].key;
        if (key == fake.fail_at)
            return SINK_FAIL;
        if (key == fake.retry_at && fake.retries-- > 0)
            return SINK_RETRY;
        char text[32];
        int length = snprintf(text, sizeof(text), "%llu\n", (unsigned long long)key);
        assert_int_equal(records[*ret_taken].length, length);
        assert_memory_equal(records[*ret_taken].bytes, text, length);
        fake.keys[fake.count++] = key;
    }
    return SINK_OK;
}

static bool fake_flush(void *sink) {
    (void)sink;
    return true; /* always something to wait for: a tenth of a second between tries */
}

static void fake_close(void *sink, uint64_t deadline_ns) {
    (void)sink;
    (void)deadline_ns;
    fake.closed = true;
}

static const struct sink_ops ops = {
    .name = "fake", .open = fake_open, .write = fake_write, .flush = fake_flush, .close = fake_close};

static struct outlet *opened(const char *options) {
    struct sink_settings *settings;
    struct outlet *outlet;
    char error[256];
    memset(&fake, 0, sizeof(fake));
    sem_init(&fake.may_write, 0, 0);
    fake.retry_at = fake.fail_at = UINT64_MAX;
    assert_int_equal(settings_parse(NULL, options, &settings, error, sizeof(error)), 0);
    assert_int_equal(outlet_new(&ops, settings, &outlet, error, sizeof(error)), 0);
    return outlet;
}

/* Records first..first + count - 1, kinds in turn if `mixed`. */
static void offer(struct outlet *outlet, uint64_t first, uint64_t count, bool mixed) {
    struct batch batch = {0};
    for (uint64_t key = first; key < first + count; key++) {
        writer_unsigned(&batch.writer, key);
        writer_text(&batch.writer, "\n");
        batch_add(&batch, mixed ? key % SINK_KINDS : SINK_EDGE, key, NULL);
    }
    batch_end(&batch);
    outlet_offer(outlet, batch.records, batch.count);
    batch_done(&batch);
}

static uint64_t soon(uint64_t ns) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000 + time.tv_nsec + ns;
}

static struct sink_report finish(struct outlet *outlet) {
    outlet_stop(outlet, soon(10000000000));
    /* Everything is decided once the queue is empty; the outlet is gone after the join. */
    struct sink_report report;
    do
        report = outlet_report(outlet);
    while (report.queued_bytes);
    outlet_join(outlet);
    assert_true(fake.closed);
    return report;
}

static void order_is_kept(void **state) {
    (void)state;
    struct outlet *outlet = opened("");
    fake.retry_at = 30;
    fake.retries = 3;
    fake.fail_at = 60;
    for (uint64_t i = 0; i < 100; i += 10)
        offer(outlet, i, 10, false);
    struct sink_report report = finish(outlet);
    assert_int_equal(fake.count, 99);
    for (uint64_t i = 0; i < 99; i++)
        assert_int_equal(fake.keys[i], i < 60 ? i : i + 1);
    assert_int_equal(report.offered, 100);
    assert_int_equal(report.taken, 99);
    assert_int_equal(report.failed, 1);
    assert_int_equal(report.queue_full, 0);
}

static void only_the_kinds_asked_for(void **state) {
    (void)state;
    struct outlet *outlet = opened(",records=join+flow");
    offer(outlet, 0, 60, true);
    struct sink_report report = finish(outlet);
    assert_int_equal(report.offered, 20);
    assert_int_equal(fake.count, 20);
    for (size_t i = 0; i < fake.count; i++)
        assert_true(fake.keys[i] % SINK_KINDS == SINK_JOIN || fake.keys[i] % SINK_KINDS == SINK_FLOW);
}

/* A sink that does not move: offering goes on, memory stops growing, and every record is accounted for. */
static void a_stuck_sink_is_bounded(void **state) {
    (void)state;
    struct outlet *outlet = opened(",queue=64K");
    fake.gated = true;
    for (uint64_t i = 0; i < 100; i++)
        offer(outlet, i * 100, 100, false);
    struct sink_report report = outlet_report(outlet);
    assert_int_equal(report.offered, 10000);
    assert_in_range(report.queued_bytes, 32 << 10, 64 << 10);
    assert_true(report.queue_full > 0);
    fake.gated = false;
    sem_post(&fake.may_write);
    report = finish(outlet);
    assert_int_equal(report.taken + report.queue_full, report.offered);
    assert_int_equal(report.taken, fake.count);
    for (size_t i = 1; i < fake.count; i++)
        assert_true(fake.keys[i] > fake.keys[i - 1]);
}

static void what_is_left_at_the_deadline_is_counted(void **state) {
    (void)state;
    struct outlet *outlet = opened("");
    fake.retry_at = 5;
    fake.retries = 1 << 30;
    offer(outlet, 0, 10, false);
    outlet_stop(outlet, soon(0));
    struct sink_report report;
    do
        report = outlet_report(outlet);
    while (report.taken + report.failed < 10);
    assert_int_equal(report.taken, 5);
    assert_int_equal(report.failed, 5);
    outlet_join(outlet);
    assert_true(fake.closed);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_is_kept),
        cmocka_unit_test(only_the_kinds_asked_for),
        cmocka_unit_test(a_stuck_sink_is_bounded),
        cmocka_unit_test(what_is_left_at_the_deadline_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
