/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "protocols/template.h"

static void check(const char *path, const char *expected) {
    char out[256];
    size_t length = template_path(path, strlen(path), out, sizeof(out) - 1);
    out[length] = 0;
    assert_string_equal(out, expected);
}

static void names_stay(void **state) {
    (void)state;
    static const char *const paths[] = {
        "/",
        "",
        "/v1/users",
        "/api/v2/oauth2/token",
        "/V1.2/x",
        "/v1beta1/pods",
        "/.well-known/x",
        "/en-US/",
        "//a",
        "/index.html",
        "/getUserByIdAndName",
        "/s3/k8s",
        "/i18n/base64",
        "/sha256",
        "/a/../b",
        "/rhythm/*",
        "/v10",
        "/forgot-password-reset",
        "/users/alice",
    };
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        check(paths[i], paths[i]);
    }
}

static void values_go(void **state) {
    (void)state;
    static const char *const values[] = {
        "1",
        "42",
        "-7",
        "1.5",
        "2024-01-31",
        "2024-01-31T10:00:00Z",
        "123e4567-e89b-12d3-a456-426614174000",
        "01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "deadbeef",
        "da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "dGhpcyBpcyBhIHRva2Vu",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIi",
        "bob@example.org",
        "bob%40example.org",
        "main.3f2a9c1b.js",
        "chunk.deadbeef.css",
        "user123",
        "order-17",
        "a=b",
        "caf\xc3\xa9",
        "how-to-write-a-parser",
        "10.0.0.1",
        "v1234",
        "v1.2.3.4",
        "ABcdEFghIJklMNop",
    };
    char path[128], expected[] = "/x/{id}/y";
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        strcpy(path, "/x/");
        strcat(path, values[i]);
        strcat(path, "/y");
        check(path, expected);
    }
}

static void query_and_parameters_go(void **state) {
    (void)state;
    check("/a/1?token=x/y", "/a/{id}");
    check("/a#b/c", "/a");
    check("/a;jsessionid=1/b", "/a/b");
    check("?a", "");
    check(";a", "");
}

static void output_is_bounded(void **state) {
    (void)state;
    const char *path = "/users/42/orders/abc";
    for (size_t size = 0; size < 32; size++) {
        char out[32];
        memset(out, '!', sizeof(out));
        size_t length = template_path(path, strlen(path), out, size);
        assert_true(length <= size);
        assert_memory_equal(out, "/users/{id}/orders/abc", length);
        for (size_t i = length; i < sizeof(out); i++) {
            assert_int_equal(out[i], '!');
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_stay),
        cmocka_unit_test(values_go),
        cmocka_unit_test(query_and_parameters_go),
        cmocka_unit_test(output_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
