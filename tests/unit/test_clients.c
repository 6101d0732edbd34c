/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "topology/address_set.h"
#include "topology/clients.h"

static void test_a_server_has_as_many_clients_as_the_limit(void **unused) {
    (void)unused;
    struct clients *clients;
    assert_int_equal(clients_new(3, &clients), 0);
    for (uint64_t client = 1; client <= 5; client++)
        assert_int_equal(clients_admit(clients, 7, client, 0), client <= 3);
    assert_true(clients_admit(clients, 8, 4, 0)); /* of another server */
    assert_true(clients_admit(clients, 7, 2, 50));
    assert_false(clients_admit(clients, 7, 4, 50));
    assert_true(clients_admit(clients, 7, 4, 100)); /* 1 and 3 were not seen for long */
    assert_true(clients_admit(clients, 7, 2, 100));
    assert_true(clients_admit(clients, 7, 5, 100));
    assert_false(clients_admit(clients, 7, 1, 100));
    clients_free(clients);
}

static void add(struct address_set *set, uint32_t number) {
    uint8_t address[16] = {10};
    memcpy(address + 1, &number, sizeof(number));
    address_set_add(set, address);
}

static void test_distinct_addresses_are_exact_up_to_the_bound(void **unused) {
    (void)unused;
    struct address_set one = {0}, other = {0};
    for (uint32_t i = 0; i < 1000; i++) {
        add(&one, i % 600);
        add(&other, 400 + i % 600);
    }
    assert_int_equal(one.count, 600);
    address_set_merge(&one, &other);
    assert_int_equal(one.count, 1000);
    assert_false(one.more);
    for (uint32_t i = 1000; i < 3000; i++)
        add(&one, i);
    assert_int_equal(one.count, ADDRESS_SET_LIMIT);
    assert_true(one.more);
    address_set_done(&one);
    address_set_done(&other);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_server_has_as_many_clients_as_the_limit),
        cmocka_unit_test(test_distinct_addresses_are_exact_up_to_the_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
