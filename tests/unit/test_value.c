/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agent/value.h"

static void times_and_sizes_read_and_write(void **state) {
    (void)state;
    static const struct {
        const char *text;
        uint64_t ns;
    } times[] = {
        {"1ms", 1000000}, {"500ms", 500000000}, {"10s", 10000000000}, {"5m", 300000000000}, {"1h", 3600000000000}};
    static const struct {
        const char *text;
        uint64_t bytes;
    } sizes[] = {{"1", 1}, {"64K", 65536}, {"16M", 16 << 20}, {"2G", 2ULL << 30}, {"1025", 1025}};
    for (size_t i = 0; i < 5; i++) {
        uint64_t value;
        char text[32];
        assert_int_equal(value_time(times[i].text, &value), 0);
        assert_int_equal(value, times[i].ns);
        value_time_text(value, text, sizeof(text));
        assert_string_equal(text, times[i].text);
        assert_int_equal(value_size(sizes[i].text, &value), 0);
        assert_int_equal(value, sizes[i].bytes);
        value_size_text(value, text, sizeof(text));
        assert_string_equal(text, sizes[i].text);
    }
}

static void what_is_no_time_or_size_leaves_the_result_alone(void **state) {
    (void)state;
    static const char *const texts[] = {"",     "-1s",         " 1s", "1 s", "s", "1x", "0x10", "18446744073709551616",
                                        "1.5s", "99999999999h"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        uint64_t value = 7;
        assert_int_not_equal(value_time(texts[i], &value), 0);
        assert_int_not_equal(value_size(texts[i], &value), 0);
        assert_int_not_equal(value_count(texts[i], &value), 0);
        assert_int_equal(value, 7);
    }
    uint64_t value = 7;
    assert_int_not_equal(value_time("0", &value), 0);
    assert_int_not_equal(value_count("1K", &value), 0);
}

static void addresses_need_a_port(void **state) {
    (void)state;
    char host[64];
    uint16_t port;
    assert_int_equal(value_address("127.0.0.1:7575", host, sizeof(host), &port), 0);
    assert_string_equal(host, "127.0.0.1");
    assert_int_equal(port, 7575);
    assert_int_equal(value_address("[fe80::1]:0", host, sizeof(host), &port), 0);
    assert_string_equal(host, "fe80::1");
    assert_int_equal(port, 0);
    static const char *const wrong[] = {"",      "127.0.0.1", ":80",     "localhost:80", "::1:80",        "[::1]80",
                                        "[]:80", "[::1]",     "1.2.3:4", "1.2.3.4:",     "1.2.3.4:65536", "1.2.3.4:x"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_not_equal(value_address(wrong[i], host, sizeof(host), &port), 0);
}

static void hexadecimal_digits_are_counted(void **state) {
    (void)state;
    uint8_t bytes[2] = {0};
    assert_int_equal(value_hex("0aFf", bytes, 2), 0);
    assert_int_equal(bytes[0], 0x0a);
    assert_int_equal(bytes[1], 0xff);
    assert_int_not_equal(value_hex("0aF", bytes, 2), 0);
    assert_int_not_equal(value_hex("0aFff", bytes, 2), 0);
    assert_int_not_equal(value_hex("0xFf", bytes, 2), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_and_sizes_read_and_write),
        cmocka_unit_test(what_is_no_time_or_size_leaves_the_result_alone),
        cmocka_unit_test(addresses_need_a_port),
        cmocka_unit_test(hexadecimal_digits_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
