/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "topology/filter.h"

struct row {
    char name[64], address[46];
    uint64_t count, bytes, time, port;
};
enum { HERE = 1, ELSEWHERE = 2 };

static const struct field fields[] = {
    {"name", FIELD_TEXT, offsetof(struct row, name), HERE, false, ""},
    {"address", FIELD_ADDRESS, offsetof(struct row, address), HERE, false, ""},
    {"count", FIELD_COUNT, offsetof(struct row, count), HERE, true, ""},
    {"bytes", FIELD_BYTES, offsetof(struct row, bytes), HERE, true, ""},
    {"time", FIELD_DURATION, offsetof(struct row, time), HERE | ELSEWHERE, false, ""},
    {"port", FIELD_NUMBER, offsetof(struct row, port), HERE, false, ""},
    {"other", FIELD_TEXT, offsetof(struct row, name), ELSEWHERE, false, ""},
    {0},
};

static const struct row sample = {"orders-db", "10.1.2.3", 5, 65536, 10000000, 5432};

static bool matches(const char *text, const struct row *row) {
    struct filter *filter;
    struct filter_error error;
    if (filter_parse(text, fields, HERE, &filter, &error))
        fail_msg("%s: at %zu: %s", text, error.at, error.text);
    bool result = filter_matches(filter, row);
    filter_free(filter);
    return result;
}

static void comparisons_hold_or_do_not(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool holds;
    } cases[] = {
        {"port == 5432", true},
        {"port=5432", true},
        {"port != 5432", false},
        {"port<5433", true},
        {"port < 5432", false},
        {"port <= 5432", true},
        {"port >= 5432", true},
        {"port > 5432", false},
        {"count", true},
        {"not count", false},
        {"bytes == 64K", true},
        {"bytes > 0.5M", false},
        {"bytes > 63.5K", true},
        {"bytes == 65536", true},
        {"time == 10ms", true},
        {"time > 9999us", true},
        {"time == 0.01s", true},
        {"time > 1h", false},
        {"time > 0", true},
        {"name == orders-db", true},
        {"name == orders", false},
        {"name != orders", true},
        {"name ~ ORDERS", true},
        {"name ~ 'orders-*'", true},
        {"name ~ *-db", true},
        {"name ~ *-d", false},
        {"name ~ o?ders-db", true},
        {"name !~ payments", true},
        {"name ~ \"*e*s*b\"", true},
        {"name ~ *e*z*b", false},
        {"address == 10.1.2.3", true},
        {"address == 10.0.0.0/8", true},
        {"address == 10.1.2.0/31", false},
        {"address == 10.1.2.2/31", true},
        {"address != 10.0.0.0/8", false},
        {"address == ::/0", false},
        {"address == 0.0.0.0/0", true},
        {"address ~ 10.1.*", true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        if (matches(cases[i].text, &sample) != cases[i].holds)
            fail_msg("%s", cases[i].text);
}

static void not_binds_closer_than_and_and_than_or(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int truth[8]; /* of count, bytes, port: the bits of the index */
    } cases[] = {
        {"count or bytes and port", {0, 0, 0, 1, 1, 1, 1, 1}}, {"(count or bytes) and port", {0, 0, 0, 1, 0, 1, 0, 1}},
        {"not count and bytes", {0, 0, 1, 1, 0, 0, 0, 0}},     {"not (count and bytes)", {1, 1, 1, 1, 1, 1, 0, 0}},
        {"!count&&bytes||port", {0, 1, 1, 1, 0, 1, 0, 1}},     {"not not count", {0, 0, 0, 0, 1, 1, 1, 1}},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        for (int bits = 0; bits < 8; bits++) {
            struct row row = {.count = bits >> 2, .bytes = bits >> 1 & 1, .port = bits & 1, .time = FIELD_UNKNOWN};
            if (matches(cases[i].text, &row) != cases[i].truth[bits])
                fail_msg("%s with %d", cases[i].text, bits);
        }
}

/* Neither the comparison nor its opposite: nothing is known. */
static void what_is_not_known_fits_nothing(void **state) {
    (void)state;
    static const char *const texts[] = {"count == 0", "count != 0", "count",     "count >= 0",         "name == x",
                                        "name != x",  "name ~ *",   "name !~ x", "address != 10.0.0.1"};
    struct row row = {.count = FIELD_UNKNOWN, .bytes = 0, .time = 0, .port = 0};
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
        assert_false(matches(texts[i], &row));
    assert_true(matches("not count == 0", &row));
    assert_true(matches("bytes == 0", &row));
    assert_true(filter_matches(NULL, &row));
}

static void mistakes_are_pointed_at(void **state) {
    (void)state;
    static const struct {
        const char *text;
        size_t at;
        const char *says;
    } cases[] = {
        {"", 0, "a field's name is expected at the end"},
        {"port == 5432 and", 16, "at the end"},
        {"port == 5432 bytes", 13, "`and` or `or`"},
        {"prt == 1", 0, "no field is named `prt`"},
        {"other == x", 0, "`other` is not a field of these rows"},
        {"port == x", 8, "port needs a number"},
        {"port == -1", 8, "port needs a number"},
        {"port == 1.2.3", 8, "port needs a number"},
        {"count > 99999999999999999999", 8, "count needs a number"},
        {"time > 10", 7, "time needs a duration with its unit"},
        {"time > 10K", 7, "time needs a duration"},
        {"bytes > 10ms", 8, "bytes needs a number of bytes"},
        {"port ~ 5", 7, "port is no text"},
        {"name < x", 7, "name is text"},
        {"name == 'x", 8, "the quote is not closed"},
        {"name ==", 7, "a value is missing"},
        {"name == )", 8, "a value is missing"},
        {"(port == 1", 0, "the parenthesis is not closed"},
        {"(port == 1 name)", 11, "`and`, `or` or `)`"},
        {"port == 1)", 9, "`and` or `or`"},
        {"== 1", 0, "not `=`"},
        {"address == 10.0.0.0/33", 11, "an address or a prefix"},
        {"address == nobody", 11, "an address or a prefix"},
        {"nothing", 0, "no field is named `nothing`"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct filter *filter = NULL;
        struct filter_error error = {.at = 9999};
        assert_int_equal(filter_parse(cases[i].text, fields, HERE, &filter, &error), -EINVAL);
        assert_null(filter);
        if (error.at != cases[i].at || !strstr(error.text, cases[i].says))
            fail_msg("%s: at %zu: %s", cases[i].text, error.at, error.text);
    }
}

static void expect_refused(const char *text, const char *says) {
    struct filter *filter;
    struct filter_error error;
    assert_int_equal(filter_parse(text, fields, HERE, &filter, &error), -EINVAL);
    assert_non_null(strstr(error.text, says));
}

static void length_depth_and_parts_are_bounded(void **state) {
    (void)state;
    char text[2 * FILTER_LENGTH_MAX];
    memset(text, '(', 200);
    strcpy(text + 200, "count");
    expect_refused(text, "nested deeper");
    for (int i = 0; i < 200; i++)
        memcpy(text + 4 * i, "not ", 4);
    strcpy(text + 800, "count");
    expect_refused(text, "nested deeper");
    memset(text, ' ', sizeof(text));
    strcpy(text + sizeof(text) - 8, "count");
    expect_refused(text, "longer than");
    *text = '\0';
    for (int i = 0; i < 130; i++)
        strcat(text, i ? "|count" : "count"); /* no such sign */
    expect_refused(text, "is expected");
    *text = '\0';
    for (int i = 0; i < 130; i++)
        strcat(text, i ? "||count" : "count");
    expect_refused(text, "more than 256 parts");
    strcpy(text, "name == ");
    memset(text + 8, 'x', 256);
    text[264] = '\0';
    expect_refused(text, "a value longer than");
}

/* A pattern of many stars against a text that nearly fits takes no time. */
static void patterns_do_not_run_away(void **state) {
    (void)state;
    char pattern[200] = "", text[20000];
    for (int i = 0; i < 60; i++)
        strcat(pattern, "*a");
    strcat(pattern, "b");
    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    assert_false(filter_pattern_fits(pattern, text));
    text[sizeof(text) - 2] = 'b';
    assert_true(filter_pattern_fits(pattern, text));
    assert_true(filter_pattern_fits("", "anything") && filter_pattern_fits("*", ""));
    assert_false(filter_pattern_fits("?", ""));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comparisons_hold_or_do_not),         cmocka_unit_test(not_binds_closer_than_and_and_than_or),
        cmocka_unit_test(what_is_not_known_fits_nothing),     cmocka_unit_test(mistakes_are_pointed_at),
        cmocka_unit_test(length_depth_and_parts_are_bounded), cmocka_unit_test(patterns_do_not_run_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
