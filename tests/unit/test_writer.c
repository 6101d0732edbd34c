/* SPDX-License-Identifier: Apache-2.0 */
/* What the writer writes is what jansson reads. */
#include <jansson.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sinks/writer.h"

static json_t *parsed(const struct writer *writer) {
    json_error_t error;
    json_t *value = json_loadb(writer->bytes, writer->length, JSON_DECODE_ANY, &error);
    if (!value)
        fail_msg("%s: %.*s", error.text, (int)writer->length, writer->bytes);
    return value;
}

static void expect_text(const char *text, const char *expected) {
    struct writer writer = {0};
    writer_string(&writer, text);
    json_t *value = parsed(&writer);
    assert_string_equal(json_string_value(value), expected);
    json_decref(value);
    writer_done(&writer);
}

/* Any one byte, alone and between others: itself if it is ASCII, else replaced. */
static void every_byte(void **state) {
    (void)state;
    for (int c = 1; c < 256; c++) {
        char text[] = {'a', (char)c, 'b', 0}, expected[8] = "a";
        strcat(expected, c < 128 ? (char[]){(char)c, 0} : "\xef\xbf\xbd");
        strcat(expected, "b");
        expect_text(text, expected);
    }
}

/* Two and three bytes: jansson takes the same ones as UTF-8 as the writer does. */
static void every_pair(void **state) {
    (void)state;
    for (int i = 0; i < 65536 * 4; i++) {
        const char tails[4][3] = {"", "\x80", "\xbf\x80", "x"};
        char text[8] = {(char)(1 + i % 255), (char)(i / 255 % 256)};
        strcat(text, tails[i >> 16]);
        json_t *direct = json_string(text);
        struct writer writer = {0};
        writer_string(&writer, text);
        json_t *value = parsed(&writer);
        if (direct)
            assert_string_equal(json_string_value(value), text);
        else
            assert_non_null(strstr(json_string_value(value), "\xef\xbf\xbd"));
        json_decref(direct);
        json_decref(value);
        writer_done(&writer);
    }
}

static void hostile(void **state) {
    (void)state;
    expect_text("", "");
    expect_text("\"},{\"x\":\"", "\"},{\"x\":\"");
    expect_text("a\\", "a\\");
    expect_text("\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80");
    expect_text("\xf0\x9f\x98", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"); /* cut off */
    expect_text("\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"); /* a surrogate */
    expect_text("\xc0\x80", "\xef\xbf\xbd\xef\xbf\xbd");                 /* overlong */
}

static void random_strings(void **state) {
    (void)state;
    srand(1);
    for (int round = 0; round < 20000; round++) {
        char text[40] = "";
        int length = rand() % 39;
        for (int i = 0; i < length; i++)
            text[i] = (char)(1 + rand() % 255);
        struct writer writer = {0};
        writer_string(&writer, text);
        json_t *value = parsed(&writer);
        json_t *direct = json_string(text);
        if (direct)
            assert_string_equal(json_string_value(value), text);
        json_decref(direct);
        json_decref(value);
        writer_done(&writer);
    }
}

static void numbers(void **state) {
    (void)state;
    const int64_t values[] = {0, 1, -1, 9, 10, 99, 100, INT64_MAX, INT64_MIN, INT32_MIN, UINT32_MAX};
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        struct writer writer = {0};
        writer_signed(&writer, values[i]);
        json_t *value = parsed(&writer);
        assert_int_equal(json_integer_value(value), values[i]);
        json_decref(value);
        writer_done(&writer);
    }
    struct writer writer = {0};
    writer_unsigned(&writer, UINT64_MAX);
    assert_memory_equal(writer.bytes, "18446744073709551615", writer.length);
    writer_cut(&writer, 0);
    writer_hex(&writer, 0x0123456789abcdef);
    assert_memory_equal(writer.bytes, "0123456789abcdef", writer.length);
    writer_done(&writer);
}

static void members(void **state) {
    (void)state;
    struct writer writer = {0};
    writer_text(&writer, "{");
    writer_member_unsigned(&writer, "a", 1);
    writer_member_string(&writer, "b", "{"); /* a string that ends like an object begins */
    writer_member_bool(&writer, "c", false);
    writer_key(&writer, "d");
    writer_text(&writer, "[");
    for (int i = 0; i < 3; i++) {
        writer_comma(&writer);
        writer_unsigned(&writer, i);
    }
    writer_text(&writer, "]");
    writer_member_hex(&writer, "e", 10);
    writer_text(&writer, "}");
    json_t *value = parsed(&writer);
    char *text = json_dumps(value, JSON_COMPACT);
    assert_string_equal(text, "{\"a\":1,\"b\":\"{\",\"c\":false,\"d\":[0,1,2],\"e\":\"000000000000000a\"}");
    free(text);
    json_decref(value);
    writer_done(&writer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte),     cmocka_unit_test(every_pair), cmocka_unit_test(hostile),
        cmocka_unit_test(random_strings), cmocka_unit_test(numbers),    cmocka_unit_test(members),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
