/* SPDX-License-Identifier: Apache-2.0 */
/* Statements as clients send them: no literal of any kind leaves, and those that differ in values alone are one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "protocols/sql.h"

static void check(const char *text, const char *expected) {
    char out[512];
    out[sql_normalise(text, strlen(text), out, sizeof(out) - 1)] = 0;
    assert_string_equal(out, expected);
}

/* Each holds the word canary as, or inside, a literal or a comment of PostgreSQL. */
static const char *const secrets[] = {
    "'canary'",
    "''",
    "'it''s a canary'",
    "'a' 'canary'",
    "'a'\n'canary'",
    "E'\\'canary'",
    "e'\\\\\\'canary'",
    "E'\\047canary'",
    "U&'canary\\0061'",
    "u&'canary!0061' uescape '!'",
    "B'0101'",
    "x'c0ffee'",
    "N'canary'",
    "$$canary$$",
    "$$it's a \"canary\"$$",
    "$tag$canary $$ canary$tag$",
    "$t1$ canary $t$ canary $t1$",
    "'canary'::text",
    "date 'canary'",
    "interval 'canary' day",
    "'{\"canary\": [1, 2]}'::jsonb",
    "'{canary,canary}'::text[]",
    "array['canary', 'canary']",
    "row('canary', 1)",
    "42 /* canary */",
    "42 /* a /* nested canary */ canary */",
    "42 -- canary",
    "-42",
    "+4.2e-7",
    ".5",
    "5.",
    "1_000_000",
    "0xCAFE",
    "0b11",
    "0o17",
};

static void no_literal_or_comment_of_postgresql_is_left(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
        char text[256], out[512];
        snprintf(text, sizeof(text), "select * from t where a = %s\n order by b", secrets[i]);
        size_t length = sql_normalise(text, strlen(text), out, sizeof(out) - 1);
        out[length] = 0;
        if (strstr(out, "canary") || strpbrk(out, "0123456789'"))
            fail_msg("%s became %s", text, out);
        assert_non_null(strstr(out, "?"));
        assert_non_null(strstr(out, " order by b"));
    }
}

/* A statement may be cut anywhere, by the network or by what is copied. */
static void nothing_shows_wherever_a_statement_is_cut(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
        char text[256], out[512];
        snprintf(text, sizeof(text), "update t set a=%s", secrets[i]);
        for (size_t cut = 0; cut <= strlen(text); cut++) {
            char *exact = malloc(cut + 1); /* of just that size, so that reading on is seen */
            memcpy(exact, text, cut);
            size_t length = sql_normalise(exact, cut, out, sizeof(out) - 1);
            out[length] = 0;
            free(exact);
            if (strstr(out, "canary"))
                fail_msg("%.*s became %s", (int)cut, text, out);
        }
    }
}

static void lists_of_values_are_folded(void **state) {
    (void)state;
    check("select a from t where b in (1)", "select a from t where b in (?)");
    check("select a from t where b in (1, 2,3 , 'x', -4, null)", "select a from t where b in (?, null)");
    check("select a from t where b in ($1, $2, $3)", "select a from t where b in ($1)");
    check("select a from t where b not in (1,2) and c in ('x','y')", "select a from t where b not in (?) and c in (?)");
    check("select a from t where b = any(array[1, 2, 3])", "select a from t where b = any(array[?])");
    check("insert into t (a, b) values (1, 'x'), (2, 'y'), (3, 'z')", "insert into t (a, b) values (?)");
    check("insert into t (a, b) values ($1, $2), ($3, $4)", "insert into t (a, b) values ($1)");
    check("insert into t values (1, now()), (2, now())", "insert into t values (?, now()), (?, now())");
}

static void arithmetic_and_names_stay(void **state) {
    (void)state;
    check("select a-1, b - 2, (c)-3, f(x)-4 from t1", "select a-?, b - ?, (c)-?, f(x)-? from t1");
    check("select a.b, \"Odd, \"\"name\"\"\" from s.t2 as x1", "select a.b, \"Odd, \"\"name\"\"\" from s.t2 as x1");
    check("select a->'k'->>'l', b #> '{x}' from t", "select a->?->>?, b #> ? from t");
    check("select * from t where a=-1 and b<-2.5", "select * from t where a=? and b<?");
    check("select * from t limit 10 offset 20", "select * from t limit ? offset ?");
    check("select a[1], b[2:3] from t", "select a[?], b[?:?] from t");
}

static void a_long_list_leaves_room_for_what_follows(void **state) {
    (void)state;
    char text[4096] = "delete from t where id in (1";
    while (strlen(text) < sizeof(text) - 64)
        strcat(text, ", 123456");
    strcat(text, ") returning id");
    check(text, "delete from t where id in (?) returning id");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_literal_or_comment_of_postgresql_is_left),
        cmocka_unit_test(nothing_shows_wherever_a_statement_is_cut),
        cmocka_unit_test(lists_of_values_are_folded),
        cmocka_unit_test(arithmetic_and_names_stay),
        cmocka_unit_test(a_long_list_leaves_room_for_what_follows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
