/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sinks/settings.h"

static const struct sink_option table[] = {
    {"rotate", SINK_OPTION_SIZE, "64M", "", NULL},
    {"keep", SINK_OPTION_NUMBER, "8", "", NULL},
    {"wait", SINK_OPTION_TIME, "1s", "", NULL},
    {"tls", SINK_OPTION_BOOL, "no", "", NULL},
    {"codec", SINK_OPTION_CHOICE, "lz4", "", "none lz4 zstd"},
    {"lib.*", SINK_OPTION_TEXT, NULL, "", NULL},
    {0},
};

static struct sink_settings *good(const char *text) {
    struct sink_settings *settings = NULL;
    char error[256] = "";
    if (settings_parse(table, text, &settings, error, sizeof(error)))
        fail_msg("%s: %s", text, error);
    return settings;
}

static void wrong(const char *text, const char *says) {
    struct sink_settings *settings = NULL;
    char error[256] = "";
    assert_int_equal(settings_parse(table, text, &settings, error, sizeof(error)), -EINVAL);
    assert_null(settings);
    if (!strstr(error, says))
        fail_msg("%s: says: %s", text, error);
}

static void arguments_may_hold_commas(void **state) {
    (void)state;
    struct sink_settings *s = good(":a:1,b:2,codec=zstd,lib.x=1,2,lib.y=k=v,keep=3");
    assert_string_equal(s->argument, "a:1,b:2");
    assert_string_equal(settings_text(s, "codec"), "zstd");
    assert_string_equal(settings_text(s, "lib.x"), "1,2");
    assert_string_equal(settings_text(s, "lib.y"), "k=v");
    assert_int_equal(settings_number(s, "keep"), 3);
    assert_int_equal(s->count, 4);
    settings_free(s);
    s = good("");
    assert_null(s->argument);
    settings_free(s);
    s = good(",tls=yes");
    assert_null(s->argument);
    assert_true(settings_bool(s, "tls"));
    settings_free(s);
}

static void standards(void **state) {
    (void)state;
    struct sink_settings *s = good(":x,rotate=2K,rotate=3K");
    assert_int_equal(settings_number(s, "rotate"), 3072); /* the last one */
    assert_int_equal(settings_number(s, "wait"), 1000000000);
    assert_int_equal(settings_list(s, "records"), 0xf); /* edge, workload, join, agent */
    assert_false(settings_bool(s, "tls"));
    assert_null(settings_text(s, "lib.none"));
    settings_free(s);
    s = good(":x,records=flow+edge");
    assert_int_equal(settings_list(s, "records"), 1 | 1 << 5);
    settings_free(s);
}

static void mistakes_are_named(void **state) {
    (void)state;
    wrong(":x,rotat=1M", "allowed: rotate keep wait tls codec lib.* records queue");
    wrong(":x,rotate=1X", "a size such as");
    wrong(":x,rotate=-1", "a size such as");
    wrong(":x,rotate=99999999999999G", "a size such as");
    wrong(":x,wait=3", "a time such as");
    wrong(":x,keep=1K", "a whole number");
    wrong(":x,tls=maybe", "yes or no");
    wrong(":x,codec=", "none lz4 zstd");
    wrong(":x,codec=lz", "none lz4 zstd");
    wrong(":x,records=edge+", "edge workload join agent call flow");
    wrong(":x,lib.=1", "no option lib.");
    wrong(",x", "NAME=VALUE");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arguments_may_hold_commas),
        cmocka_unit_test(standards),
        cmocka_unit_test(mistakes_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
