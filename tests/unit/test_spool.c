/* SPDX-License-Identifier: Apache-2.0 */
/* A spool whose process ended anywhere: every whole record, in order, and nothing else. */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "sinks/spool.h"

static char folder[64];

static int make_folder(void **state) {
    (void)state;
    strcpy(folder, "/tmp/weft-spool-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state) {
    (void)state;
    char pattern[80];
    glob_t found;
    snprintf(pattern, sizeof(pattern), "%s/*", folder);
    if (!glob(pattern, 0, NULL, &found)) {
        for (size_t i = 0; i < found.gl_pathc; i++)
            unlink(found.gl_pathv[i]);
        globfree(&found);
    }
    return rmdir(folder);
}

static struct spool *opened(uint64_t max_bytes) {
    struct spool *spool;
    char error[256];
    if (spool_open(folder, max_bytes, &spool, error, sizeof(error)))
        fail_msg("%s", error);
    return spool;
}

/* Record i is i's digits, i % 50 times. */
static size_t text_of(uint64_t i, char *text) {
    size_t length = 0;
    for (uint64_t k = 0; k < i % 50; k++)
        length += sprintf(text + length, "%llu", (unsigned long long)i);
    return length;
}

static int append(struct spool *spool, uint64_t i) {
    char text[1100];
    struct spool_record record = {.kind = i % 6, .key = i, .bytes = text, .length = text_of(i, text)};
    return spool_append(spool, &record);
}

/* The next record is record i; commits it if told to. */
static void expect(struct spool *spool, uint64_t i, bool commit) {
    char text[1100];
    struct spool_record record;
    struct spool_position after;
    assert_int_equal(spool_next(spool, &record, &after), 1);
    assert_int_equal(record.key, i);
    assert_int_equal(record.kind, i % 6);
    assert_int_equal(record.length, text_of(i, text));
    assert_memory_equal(record.bytes, text, record.length);
    if (commit)
        assert_int_equal(spool_commit(spool, after), 0);
}

static void expect_end(struct spool *spool) {
    struct spool_record record;
    struct spool_position after;
    assert_int_equal(spool_next(spool, &record, &after), 0);
}

static uint64_t files(void) {
    char pattern[80];
    glob_t found;
    snprintf(pattern, sizeof(pattern), "%s/*.spool", folder);
    uint64_t count = glob(pattern, 0, NULL, &found) ? 0 : found.gl_pathc;
    if (count)
        globfree(&found);
    return count;
}

static void segment_path(char *path, uint64_t number) {
    sprintf(path, "%s/%020llu.spool", folder, (unsigned long long)number);
}

static void in_order_over_restarts(void **state) {
    (void)state;
    uint64_t written = 0, delivered = 0;
    for (int round = 0; round < 40; round++) {
        struct spool *spool = opened(1 << 20);
        assert_int_equal(spool_waiting(spool), written - delivered);
        for (int i = 0; i < 90; i++)
            assert_int_equal(append(spool, written++), 0);
        assert_int_equal(spool_sync(spool), 0);
        for (int i = 0; i < 80; i++)
            expect(spool, delivered++, true);
        expect(spool, delivered, false); /* read, but not committed: seen again */
        assert_int_equal(spool_damaged(spool), 0);
        spool_close(spool);
    }
    struct spool *spool = opened(1 << 20);
    while (delivered < written)
        expect(spool, delivered++, true);
    expect_end(spool);
    assert_int_equal(spool_waiting(spool), 0);
    assert_int_equal(files(), 1);
    spool_close(spool);
}

static void back_gives_the_record_again(void **state) {
    (void)state;
    struct spool *spool = opened(1 << 20);
    for (uint64_t i = 0; i < 3; i++)
        append(spool, i);
    expect(spool, 0, false);
    spool_back(spool);
    spool_back(spool);
    expect(spool, 0, false);
    expect(spool, 1, true);
    assert_int_equal(spool_waiting(spool), 1);
    spool_close(spool);
}

static void the_bound_holds(void **state) {
    (void)state;
    struct spool *spool = opened(SPOOL_BYTES_MIN);
    uint64_t written = 0, read = 0;
    for (int round = 0; round < 20; round++) {
        while (!append(spool, written)) {
            written++;
            assert_true(spool_bytes(spool) <= SPOOL_BYTES_MIN);
        }
        assert_int_equal(append(spool, written), -ENOSPC);
        uint64_t until = read + (written - read) / 2;
        while (read < until)
            expect(spool, read++, true);
    }
    while (read < written)
        expect(spool, read++, true);
    expect_end(spool);
    static char large[SPOOL_BYTES_MIN + 1];
    assert_int_equal(spool_append(spool, &(struct spool_record){.bytes = large, .length = sizeof(large)}), -EMSGSIZE);
    spool_close(spool);
}

/* The last segment cut off at every byte: the records before the cut, none after, and it can be written on. */
static void truncated_at_every_byte(void **state) {
    (void)state;
    char path[128], copy[4096];
    struct spool *spool = opened(1 << 20);
    size_t ends[8], size;
    for (uint64_t i = 0; i < 8; i++) {
        append(spool, 10 + i);
        ends[i] = spool_bytes(spool);
    }
    spool_close(spool);
    segment_path(path, 1);
    int fd = open(path, O_RDWR);
    size = read(fd, copy, sizeof(copy));
    assert_int_equal(size, ends[7]);
    for (size_t cut = 0; cut <= size; cut++) {
        assert_int_equal(ftruncate(fd, 0), 0);
        assert_int_equal(pwrite(fd, copy, cut, 0), cut);
        uint64_t whole = 0;
        while (whole < 8 && ends[whole] <= cut)
            whole++;
        spool = opened(1 << 20);
        assert_int_equal(spool_waiting(spool), whole);
        assert_int_equal(spool_damaged(spool), cut != (whole ? ends[whole - 1] : 0));
        assert_int_equal(append(spool, 99), 0);
        for (uint64_t i = 0; i < whole; i++)
            expect(spool, 10 + i, false);
        expect(spool, 99, false);
        expect_end(spool);
        spool_close(spool);
    }
    close(fd);
}

/* Any one byte of a segment in the middle changed: what is before it in the segment, then the next segment. */
static void damaged_at_every_byte(void **state) {
    (void)state;
    char path[128];
    struct spool *spool = opened(SPOOL_BYTES_MIN); /* segments of 4 KiB */
    uint64_t count = 0;
    while (files() < 3 && !append(spool, 1000 + count))
        count++;
    spool_close(spool);
    segment_path(path, 2);
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    int fd = open(path, O_RDWR);
    for (off_t at = 0; at < status.st_size; at++) {
        char byte, changed;
        assert_int_equal(pread(fd, &byte, 1, at), 1);
        changed = byte ^ 0x41;
        assert_int_equal(pwrite(fd, &changed, 1, at), 1);
        spool = opened(SPOOL_BYTES_MIN);
        struct spool_record record;
        struct spool_position after;
        uint64_t seen = 0, last = 0;
        while (spool_next(spool, &record, &after) == 1) {
            assert_true(record.key > last && record.key >= 1000 && record.key < 1000 + count);
            last = record.key;
            seen++;
        }
        assert_int_equal(last, 1000 + count - 1); /* the segment after is read */
        assert_true(seen < count);
        assert_int_equal(spool_damaged(spool), 1);
        spool_close(spool);
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    }
    close(fd);
}

static void damage_that_comes_later(void **state) {
    (void)state;
    char path[128];
    struct spool *spool = opened(SPOOL_BYTES_MIN);
    uint64_t count = 0;
    while (files() < 2 && !append(spool, 1000 + count))
        count++;
    expect(spool, 1000, true);
    segment_path(path, 1);
    int fd = open(path, O_RDWR);
    assert_int_equal(pwrite(fd, "damage", 6, 2000), 6);
    close(fd);
    struct spool_record record;
    struct spool_position after;
    while (spool_next(spool, &record, &after) == 1)
        assert_int_equal(spool_commit(spool, after), 0);
    assert_int_equal(record.key, 1000 + count - 1);
    assert_int_equal(spool_damaged(spool), 1);
    assert_int_equal(spool_waiting(spool), 0);
    spool_close(spool);
}

/* `position` torn or gone: records come again, none is skipped. */
static void position_at_every_byte(void **state) {
    (void)state;
    char path[128], copy[256];
    struct spool *spool = opened(1 << 20);
    for (uint64_t i = 0; i < 10; i++)
        append(spool, i);
    for (uint64_t i = 0; i < 6; i++)
        expect(spool, i, true);
    spool_close(spool);
    snprintf(path, sizeof(path), "%s/position", folder);
    int fd = open(path, O_RDWR);
    ssize_t size = read(fd, copy, sizeof(copy));
    for (ssize_t cut = 0; cut < size; cut++) {
        assert_int_equal(ftruncate(fd, cut), 0);
        spool = opened(1 << 20);
        struct spool_record record;
        struct spool_position after;
        assert_int_equal(spool_next(spool, &record, &after), 1);
        assert_true(record.key <= 6);
        for (uint64_t i = record.key + 1; i < 10; i++)
            expect(spool, i, false);
        spool_close(spool);
        assert_int_equal(pwrite(fd, copy, size, 0), size);
    }
    close(fd);
}

static void one_process_at_a_time(void **state) {
    (void)state;
    struct spool *spool = opened(1 << 20), *second = NULL;
    char error[256];
    assert_int_equal(spool_open(folder, 1 << 20, &second, error, sizeof(error)), -EWOULDBLOCK);
    assert_non_null(strstr(error, "another process"));
    assert_null(second);
    spool_close(spool);
    assert_int_equal(spool_open("/nowhere/at/all", 1 << 20, &second, error, sizeof(error)), -ENOENT);
    assert_int_equal(spool_open(folder, 1, &second, error, sizeof(error)), -EINVAL);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        TEST(in_order_over_restarts),  TEST(back_gives_the_record_again), TEST(the_bound_holds),
        TEST(truncated_at_every_byte), TEST(damaged_at_every_byte),       TEST(damage_that_comes_later),
        TEST(position_at_every_byte),  TEST(one_process_at_a_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
