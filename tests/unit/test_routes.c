/* SPDX-License-Identifier: Apache-2.0 */
/* 10,008 paths of 12 kinds of value become 12 templates, while the routes of routes.h stay apart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "protocols/template.h"
#include "routes.h"

enum { KINDS = 12, OF_EACH = 834, ROUTES = sizeof(routes) / sizeof(routes[0]), LONGEST = 2048 };

/* Repeatable: a failure can be looked at again. */
static uint64_t seed;

static uint64_t next_random(void) {
    seed += 0x9e3779b97f4a7c15ULL;
    uint64_t z = seed;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
    return z ^ z >> 31;
}

static unsigned below(unsigned limit) {
    return (unsigned)(next_random() % limit);
}

static char *random_of(char *out, const char *alphabet, size_t length) {
    for (size_t i = 0; i < length; i++)
        *out++ = alphabet[below((unsigned)strlen(alphabet))];
    *out = 0;
    return out;
}

static const char hex_digits[] = "0123456789abcdef";
static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
static const char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
static const char crockford[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
static const char *const words[] = {"how",     "to",   "write",  "a",     "parser", "in",   "an",     "afternoon",
                                    "why",     "we",   "moved",  "from",  "tea",    "back", "coffee", "seven",
                                    "lessons", "of",   "our",    "first", "year",   "with", "rivers", "and",
                                    "bridges", "when", "winter", "comes", "the",    "cat"};

static const char *word(void) {
    return words[below(sizeof(words) / sizeof(words[0]))];
}

static void number(char *out) {
    sprintf(out, "%llu", (unsigned long long)(next_random() >> (4 + below(58))));
}

static void uuid(char *out) {
    const unsigned groups[] = {8, 4, 4, 4, 12};
    for (int i = 0; i < 5; i++) {
        out = random_of(out, hex_digits, groups[i]);
        *out++ = '-';
    }
    out[-1] = 0;
}

static void ulid(char *out) {
    *out++ = '0';
    random_of(out, crockford, 25);
}

static void hex(char *out) {
    const unsigned lengths[] = {12, 24, 32, 40, 64}; /* an object's id, digests */
    random_of(out, hex_digits, lengths[below(5)]);
}

static void base64(char *out) {
    random_of(out, base64_digits, 22 + below(22)); /* 16 bytes and more */
}

static void email(char *out) {
    sprintf(out, "%s.%s%s%s.org", word(), word(), below(2) ? "@" : "%40", word());
}

static void hashed_file(char *out) {
    const char *const suffixes[] = {"js", "css", "woff2", "png", "chunk.js"};
    char hash[32];
    random_of(hash, hex_digits, below(2) ? 8 : 20);
    sprintf(out, "%s%c%s.%s", word(), below(2) ? '.' : '-', hash, suffixes[below(5)]);
}

static void date(char *out) {
    sprintf(out, "%u-%02u-%02u", 1990 + below(50), 1 + below(12), 1 + below(28));
}

static void slug(char *out) {
    unsigned length = 5 + below(4);
    for (unsigned i = 0; i < length; i++)
        out += sprintf(out, "%s%s", i ? "-" : "", word());
}

static void jwt(char *out) {
    out = random_of(out + sprintf(out, "eyJ"), base64_digits, 17 + below(10));
    out = random_of(out + sprintf(out, ".eyJ"), base64_digits, 60 + below(60));
    random_of(out + sprintf(out, "."), base64_digits, 43);
}

static void timestamp(char *out) {
    unsigned hour = below(24), minute = below(60), second = below(60);
    switch (below(4)) {
    case 0:
        out += sprintf(out, "%u-%02u-%02u", 1990 + below(50), 1 + below(12), 1 + below(28));
        sprintf(out, "T%02u:%02u:%02u.%03uZ", hour, minute, second, below(1000));
        return;
    case 1:
        out += sprintf(out, "%u-%02u-%02u", 1990 + below(50), 1 + below(12), 1 + below(28));
        sprintf(out, "T%02u%%3A%02u%%3A%02u%%2B01%%3A00", hour, minute, second);
        return;
    case 2:
        sprintf(out, "%u%02u%02uT%02u%02u%02uZ", 1990 + below(50), 1 + below(12), 1 + below(28), hour, minute, second);
        return;
    default:
        sprintf(out, "%u.%03u", 1400000000 + below(600000000), below(1000));
    }
}

static void prefixed(char *out) {
    const char *const prefixes[] = {"cus_", "ch_", "pi_", "in_", "evt_", "price_"};
    char *from = out;
    do /* a payment system's: letters and digits, always some of each */
        random_of(from + sprintf(from, "%s", prefixes[below(6)]),
                  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", 14 + below(11));
    while (!strpbrk(from, "0123456789"));
}

static const struct {
    const char *name;
    void (*make)(char *out);
} kinds[KINDS] = {
    {"number", number}, {"uuid", uuid},   {"ulid", ulid},           {"hex", hex},
    {"base64", base64}, {"email", email}, {"file", hashed_file},    {"date", date},
    {"slug", slug},     {"jwt", jwt},     {"timestamp", timestamp}, {"prefixed", prefixed},
};

static void expect(const char *path, const char *expected, unsigned *failures) {
    char out[LONGEST];
    size_t length = template_path(path, strlen(path), out, sizeof(out) - 1);
    out[length] = 0;
    if (strcmp(out, expected) && ++*failures <= 20)
        print_error("%s became %s\n", path, out);
}

static void ten_thousand_paths_of_twelve_kinds_become_twelve_templates(void **state) {
    (void)state;
    unsigned failures = 0;
    for (int kind = 0; kind < KINDS; kind++)
        for (int i = 0; i < OF_EACH; i++) {
            char value[LONGEST / 2], path[LONGEST], expected[LONGEST];
            kinds[kind].make(value);
            snprintf(path, sizeof(path), "/api/%s/%s/details", kinds[kind].name, value);
            snprintf(expected, sizeof(expected), "/api/%s/{id}/details", kinds[kind].name);
            expect(path, expected, &failures);
        }
    assert_int_equal(failures, 0);
}

/* `route` with each `{}` replaced by what `fill` makes. */
static void fill_in(const char *route, char *out, void (*fill)(char *)) {
    while (*route) {
        if (strncmp(route, "{}", 2)) {
            *out++ = *route++;
            continue;
        }
        fill(out);
        out += strlen(out);
        route += 2;
    }
    *out = 0;
}

static void placeholder(char *out) {
    strcpy(out, "{id}");
}

static void three_hundred_routes_stay_apart(void **state) {
    (void)state;
    static char templates[ROUTES][LONGEST];
    unsigned failures = 0;
    assert_true(ROUTES >= 300);
    for (int i = 0; i < ROUTES; i++) {
        char path[LONGEST];
        fill_in(routes[i], templates[i], placeholder);
        for (int kind = 0; kind < KINDS; kind++) {
            fill_in(routes[i], path, kinds[kind].make);
            expect(path, templates[i], &failures);
        }
        for (int before = 0; before < i; before++)
            assert_string_not_equal(templates[before], templates[i]);
    }
    assert_int_equal(failures, 0);
}

/* What cannot be told from a route's own words is left as it is, and bounded by the edge's table of endpoints. */
static void short_words_are_taken_for_names(void **state) {
    (void)state;
    unsigned failures = 0;
    expect("/users/alice", "/users/alice", &failures);
    expect("/blog/getting-started", "/blog/getting-started", &failures);
    assert_int_equal(failures, 0);
}

static void any_path_ends_inside_its_space(void **state) {
    (void)state;
    for (int i = 0; i < 20000; i++) {
        char path[64], out[64];
        size_t length = below(sizeof(path)), space = below(sizeof(out));
        for (size_t at = 0; at < length; at++)
            path[at] = below(3) ? letters[below(52)] : (char)below(256);
        memset(out, '!', sizeof(out));
        size_t written = template_path(path, length, out, space);
        assert_true(written <= space);
        for (size_t at = written; at < sizeof(out); at++)
            assert_int_equal(out[at], '!');
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ten_thousand_paths_of_twelve_kinds_become_twelve_templates),
        cmocka_unit_test(three_hundred_routes_stay_apart),
        cmocka_unit_test(short_words_are_taken_for_names),
        cmocka_unit_test(any_path_ends_inside_its_space),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
