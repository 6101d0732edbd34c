/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses and rules, with a clock of the test's own. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "agent/addresses.h"
#include "agent/rules.h"

#define SECOND 1000000000ULL
#define MINUTE (60 * SECOND)

static struct address at(const char *text) {
    uint8_t bytes[16];
    const int family = strchr(text, ':') ? 6 : 4;
    assert_int_equal(inet_pton(family == 4 ? AF_INET : AF_INET6, text, bytes), 1);
    return address_of(bytes, family);
}

static bool alive;

static bool runs(uint32_t pid, uint64_t start_time_ns) {
    (void)pid;
    (void)start_time_ns;
    return alive;
}

static void an_owner_keeps_its_address_for_fifteen_minutes(void **state) {
    (void)state;
    struct addresses addresses;
    struct address_answer answer;
    struct workload db = {.id = 1}, web = {.id = 2};
    const struct address address = at("172.18.0.5");
    const struct address_owner owner = {.workload = &db, .pid = 7}, next = {.workload = &web, .pid = 8};
    assert_int_equal(addresses_new(&addresses, 16384, runs), 0);
    alive = true;
    addresses_own(&addresses, &address, &owner, SECOND);
    assert_true(addresses_find(&addresses, &address, 60 * MINUTE, &answer));
    assert_ptr_equal(answer.workload, &db);
    assert_false(answer.stale); /* it runs */
    addresses_own(&addresses, &address, &next, 60 * MINUTE + SECOND);
    assert_true(addresses_find(&addresses, &address, 60 * MINUTE + SECOND, &answer));
    assert_ptr_equal(answer.workload, &db); /* another in its namespace does not take the address */
    alive = false;
    assert_true(addresses_find(&addresses, &address, 61 * MINUTE, &answer));
    assert_true(answer.stale);
    assert_true(addresses_find(&addresses, &address, 75 * MINUTE, &answer));
    assert_false(addresses_find(&addresses, &address, 76 * MINUTE + SECOND, &answer));
    addresses_own(&addresses, &address, &next, 77 * MINUTE);
    assert_true(addresses_find(&addresses, &address, 77 * MINUTE, &answer));
    assert_ptr_equal(answer.workload, &web);
    assert_false(answer.stale);
    addresses_done(&addresses);
}

static void a_new_owner_ends_the_old_ones_claim(void **state) {
    (void)state;
    struct addresses addresses;
    struct address_answer answer;
    struct workload db = {.id = 1}, web = {.id = 2};
    const struct address address = at("172.18.0.5");
    const struct address_owner docker = {.workload = &db, .certain = true}, socket = {.workload = &web, .pid = 8};
    alive = true;
    assert_int_equal(addresses_new(&addresses, 16384, runs), 0);
    addresses_own(&addresses, &address, &docker, SECOND);
    addresses_own(&addresses, &address, &socket, 2 * SECOND);
    assert_true(addresses_find(&addresses, &address, 3 * SECOND, &answer));
    assert_ptr_equal(answer.workload, &db); /* the runtime knows best */
    addresses_leave(&addresses, &address, &web, 4 * SECOND);
    assert_true(addresses_find(&addresses, &address, 4 * SECOND, &answer));
    assert_false(answer.stale); /* not web's to leave */
    addresses_leave(&addresses, &address, &db, 4 * SECOND);
    assert_true(addresses_find(&addresses, &address, 5 * SECOND, &answer));
    assert_true(answer.stale);
    addresses_own(&addresses, &address, &socket, 6 * SECOND);
    assert_true(addresses_find(&addresses, &address, 7 * SECOND, &answer));
    assert_ptr_equal(answer.workload, &web);
    assert_false(answer.stale);
    addresses_done(&addresses);
}

static void a_name_lives_as_long_as_it_is_asked_for(void **state) {
    (void)state;
    struct addresses addresses;
    struct address_answer answer;
    const struct address address = at("93.184.216.34");
    assert_int_equal(addresses_new(&addresses, 16384, runs), 0);
    addresses_name(&addresses, &address, "example.com.", 12, 60, SECOND);
    assert_true(addresses_find(&addresses, &address, 30 * SECOND, &answer));
    assert_string_equal(answer.host, "example.com");
    assert_false(answer.stale);
    assert_true(addresses_find(&addresses, &address, 10 * MINUTE, &answer));
    assert_true(answer.stale);
    assert_true(addresses_find(&addresses, &address, 24 * MINUTE, &answer)); /* asked for 14 minutes before */
    assert_false(addresses_find(&addresses, &address, 40 * MINUTE, &answer));
    addresses_name(&addresses, &address, "www.example.com", 15, 60, 41 * MINUTE);
    assert_true(addresses_find(&addresses, &address, 41 * MINUTE, &answer));
    assert_string_equal(answer.host, "www.example.com");
    char longest[300];
    memset(longest, 'a', sizeof longest);
    addresses_name(&addresses, &address, longest, sizeof longest, 60, 41 * MINUTE);
    assert_true(addresses_find(&addresses, &address, 41 * MINUTE, &answer));
    assert_string_equal(answer.host, "www.example.com");
    addresses_done(&addresses);
}

static void many_names_are_bounded(void **state) {
    (void)state;
    struct addresses addresses;
    assert_int_equal(addresses_new(&addresses, 16384, runs), 0);
    for (uint32_t i = 0; i < 200000; i++) {
        const uint32_t bytes = htonl(i);
        const struct address address = address_of((const uint8_t *)&bytes, 4);
        addresses_name(&addresses, &address, "x", 1, 60, SECOND);
    }
    assert_true(addresses.cache.put_out >= 200000 - addresses.cache.capacity);
    addresses_done(&addresses);
}

static const struct {
    const char *prefix, *address;
    bool holds;
} prefixes[] = {
    {"10.0.0.0/8", "10.255.1.1", true},   {"10.0.0.0/8", "11.0.0.1", false},       {"10.1.2.3", "10.1.2.3", true},
    {"10.1.2.3", "10.1.2.4", false},      {"10.1.2.0/23", "10.1.3.9", true},       {"0.0.0.0/0", "8.8.8.8", true},
    {"0.0.0.0/0", "2001:db8::1", false},  {"fd00::/8", "fdff::1", true},           {"fd00::/8", "fe80::1", false},
    {"2001:db8::1", "2001:db8::1", true}, {"10.0.0.0/8", "::ffff:10.1.1.1", true},
};

static void prefixes_hold_addresses(void **state) {
    (void)state;
    struct prefix prefix;
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        const struct address address = at(prefixes[i].address);
        assert_true(prefix_parse(prefixes[i].prefix, &prefix));
        assert_int_equal(prefix_holds(&prefix, &address), prefixes[i].holds);
    }
    const char *wrong[] = {"10.0.0.0/33", "10.0.0/8", "x", "", "10.0.0.0/", "10.0.0.0/8x", "fd00::/129", "10.*"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(prefix_parse(wrong[i], &prefix));
}

static void the_first_rule_that_fits_names(void **state) {
    (void)state;
    const struct name_rule given[] = {
        {.name = "nothing"},
        {.name = "both", .executable = "nginx", .cgroup = "/shop/*"},
        {.name = "edge", .executable = "nginx"},
        {.name = "any", .executable = "/opt/*"},
        {.name = "lan", .address = "10.1.0.0/16"},
        {.name = "pattern", .address = "10.2.*"},
        {.name = "labelled", .container_label = "team=pay*"},
    };
    struct rules *rules;
    struct rule_set set;
    const struct address lan = at("10.1.2.3"), other = at("10.2.0.1"), far = at("8.8.8.8");
    assert_int_equal(rules_new(given, sizeof given / sizeof *given, &rules), 0);
    json_t *labels = json_pack("{s:s, s:s}", "x", "y", "team", "payments");
    rules_labels(rules, labels, &set);
    json_decref(labels);
    assert_string_equal(
        rules_match(rules, &(struct rule_subject){.executable = "/usr/sbin/nginx", .cgroup = "/shop/a"}), "both");
    assert_string_equal(rules_match(rules, &(struct rule_subject){.executable = "/usr/sbin/nginx"}), "edge");
    assert_string_equal(rules_match(rules, &(struct rule_subject){.executable = "/opt/a/b"}), "any");
    assert_string_equal(rules_match(rules, &(struct rule_subject){.address = &lan}), "lan");
    assert_string_equal(rules_match(rules, &(struct rule_subject){.address = &other}), "pattern");
    assert_string_equal(rules_match(rules, &(struct rule_subject){.labels = &set}), "labelled");
    assert_null(rules_match(rules, &(struct rule_subject){.address = &far, .executable = "/usr/bin/curl"}));
    rules_free(rules);
    assert_true(rules_new(given, RULES + 1, &rules) < 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_owner_keeps_its_address_for_fifteen_minutes),
        cmocka_unit_test(a_new_owner_ends_the_old_ones_claim),
        cmocka_unit_test(a_name_lives_as_long_as_it_is_asked_for),
        cmocka_unit_test(many_names_are_bounded),
        cmocka_unit_test(prefixes_hold_addresses),
        cmocka_unit_test(the_first_rule_that_fits_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
