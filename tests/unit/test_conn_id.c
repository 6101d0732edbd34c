/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sodium/crypto_shorthash_siphash24.h>

#include "topology/conn_id.h"

/* The first of the reference vectors (key 00..0f, message 00, 01, ... of that many bytes), in the order of the bytes.
 */
static const uint8_t vectors[][8] = {
    {0x31, 0x0e, 0x0e, 0xdd, 0x47, 0xdb, 0x6f, 0x72}, {0xfd, 0x67, 0xdc, 0x93, 0xc5, 0x39, 0xf8, 0x74},
    {0x5a, 0x4f, 0xa9, 0xd9, 0x09, 0x80, 0x6c, 0x0d}, {0x2d, 0x7e, 0xfb, 0xd7, 0x96, 0x66, 0x67, 0x85},
    {0xb7, 0x87, 0x71, 0x27, 0xe0, 0x94, 0x27, 0xcf}, {0x8d, 0xa6, 0x99, 0xcd, 0x64, 0x55, 0x76, 0x18},
    {0xce, 0xe3, 0xfe, 0x58, 0x6e, 0x46, 0xc9, 0xcb}, {0x37, 0xd1, 0x01, 0x8b, 0xf5, 0x00, 0x02, 0xab},
    {0x62, 0x24, 0x93, 0x9a, 0x79, 0xf5, 0xf5, 0x93},
};
static const uint8_t key[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
static const uint8_t message[8] = {0, 1, 2, 3, 4, 5, 6, 7};

static void test_the_library_gives_the_reference_vectors(void **unused) {
    (void)unused;
    for (size_t length = 0; length <= 8; length++) {
        uint8_t out[8];
        crypto_shorthash_siphash24(out, message, length, key);
        assert_memory_equal(out, vectors[length], 8);
    }
}

static void test_an_id_is_the_hash_of_both_numbers_in_network_order(void **unused) {
    (void)unused;
    assert_int_equal(conn_id(key, 0x0001020304050607), 0x6224939a79f5f593);
    assert_int_not_equal(conn_id(key, 0x0405060700010203), 0x6224939a79f5f593); /* whose number is whose counts */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_library_gives_the_reference_vectors),
        cmocka_unit_test(test_an_id_is_the_hash_of_both_numbers_in_network_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
