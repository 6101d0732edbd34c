/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "web/access.h"

static const char token[] = "0123456789abcdef";

static void hosts_of_loopback(void **state) {
    (void)state;
    static const char *const ours[] = {"localhost",      "localhost:7575", "LOCALHOST:1", "127.0.0.1",
                                       "127.0.0.1:7575", "127.1.2.3:80",   "[::1]",       "[::1]:7575"};
    static const char *const theirs[] = {"",
                                         "evil.example",
                                         "localhost.evil.example",
                                         "localhost:7575.evil.example",
                                         "127.0.0.1.evil.example",
                                         "127.evil.example:80",
                                         "128.0.0.1:80",
                                         "[::2]:80",
                                         "::1",
                                         "0.0.0.0",
                                         "10.0.0.1:7575",
                                         "127.0.0.1:80@evil.example",
                                         "[::1].evil"};
    for (size_t i = 0; i < sizeof(ours) / sizeof(*ours); i++)
        if (!access_is_loopback(ours[i]))
            fail_msg("%s is loopback", ours[i]);
    for (size_t i = 0; i < sizeof(theirs) / sizeof(*theirs); i++)
        if (access_is_loopback(theirs[i]))
            fail_msg("%s is not loopback", theirs[i]);
}

static void loopback_without_a_token(void **state) {
    (void)state;
    const struct access_policy policy = {.loopback = true};
    struct access_request request = {.host = "127.0.0.1:7575", .api = true};
    assert_int_equal(access_decide(&policy, &request), ACCESS_GRANTED);
    request.origin = "http://127.0.0.1:7575";
    request.fetch_site = "same-origin";
    assert_int_equal(access_decide(&policy, &request), ACCESS_GRANTED);
    request.origin = "http://127.0.0.1:7576";
    assert_int_equal(access_decide(&policy, &request), ACCESS_WRONG_ORIGIN);
    request.origin = "null";
    assert_int_equal(access_decide(&policy, &request), ACCESS_WRONG_ORIGIN);
    request.origin = NULL;
    request.fetch_site = "cross-site";
    assert_int_equal(access_decide(&policy, &request), ACCESS_WRONG_ORIGIN);
    request.api = false; /* a link to the page */
    assert_int_equal(access_decide(&policy, &request), ACCESS_GRANTED);
    request.host = "rebound.example:7575";
    assert_int_equal(access_decide(&policy, &request), ACCESS_WRONG_HOST);
    request.host = NULL;
    assert_int_equal(access_decide(&policy, &request), ACCESS_WRONG_HOST);
}

static void beyond_loopback_with_a_token(void **state) {
    (void)state;
    const struct access_policy policy = {.token = token};
    struct access_request request = {.host = "node-1.example:7575", .api = true};
    assert_int_equal(access_decide(&policy, &request), ACCESS_NO_TOKEN);
    request.authorization = "Bearer 0123456789abcdef";
    assert_int_equal(access_decide(&policy, &request), ACCESS_GRANTED);
    request.authorization = "Bearer 0123456789abcdeg";
    assert_int_equal(access_decide(&policy, &request), ACCESS_NO_TOKEN);
    request.authorization = "0123456789abcdef";
    assert_int_equal(access_decide(&policy, &request), ACCESS_NO_TOKEN);
    request.authorization = NULL;
    request.cookie = "0123456789abcdef";
    assert_int_equal(access_decide(&policy, &request), ACCESS_GRANTED);
    request.cookie = "0123456789abcde";
    assert_int_equal(access_decide(&policy, &request), ACCESS_NO_TOKEN);
    request.token_argument = token;
    assert_int_equal(access_decide(&policy, &request), ACCESS_GRANTED_BY_ARGUMENT);
    request.origin = "https://node-1.example:7575";
    assert_int_equal(access_decide(&policy, &request), ACCESS_GRANTED_BY_ARGUMENT);
    request.origin = "https://other.example";
    assert_int_equal(access_decide(&policy, &request), ACCESS_WRONG_ORIGIN);
}

static void tokens(void **state) {
    (void)state;
    assert_true(access_token_valid(token));
    assert_true(access_token_valid("A-Za-z0-9._~-AAAAAA"));
    assert_false(access_token_valid("short"));
    assert_false(access_token_valid("0123456789abcde;"));
    assert_false(access_token_valid("0123456789 abcdef"));
    assert_false(access_token_valid(""));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts_of_loopback),
        cmocka_unit_test(loopback_without_a_token),
        cmocka_unit_test(beyond_loopback_with_a_token),
        cmocka_unit_test(tokens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
