/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "protocols/protocol.h"

static char host[300];
static unsigned names;

static void on_name(struct parser_output *self, struct slice name, const uint8_t *address, size_t address_length,
                    uint32_t ttl_seconds) {
    (void)self;
    (void)ttl_seconds;
    assert_null(address);
    assert_int_equal(address_length, 0);
    memcpy(host, name.data, name.length);
    host[name.length] = 0;
    names++;
}

static void on_begin(struct parser_output *self, enum direction direction, const struct message *message) {
    (void)self;
    (void)direction;
    (void)message;
    fail();
}

static struct parser_output output = {.begin = on_begin, .name = on_name};

/* A ClientHello with one extension, the server name. Returns its length. */
static size_t make_hello(uint8_t *out, const char *name) {
    size_t n = strlen(name), body = 2 + 32 + 1 + 4 + 2 + 2 + 4 + 5 + n;
    uint8_t head[] = {22, 3, 1, 0, (uint8_t)(body + 4), 1, 0, 0, (uint8_t)body, 3, 3};
    uint8_t middle[] = {
        0, 0, 2, 0x13, 1, 1, 0, 0, (uint8_t)(n + 9), 0, 0, 0, (uint8_t)(n + 5), 0, (uint8_t)(n + 3), 0, 0, (uint8_t)n};
    memcpy(out, head, sizeof(head));
    memset(out + sizeof(head), 0x55, 32);
    memcpy(out + sizeof(head) + 32, middle, sizeof(middle));
    memcpy(out + sizeof(head) + 32 + sizeof(middle), name, n);
    return sizeof(head) + 32 + sizeof(middle) + n;
}

static int setup(void **state) {
    (void)state;
    names = 0;
    host[0] = 0;
    return 0;
}

static void hello_is_certain(void **state) {
    (void)state;
    uint8_t hello[256];
    size_t length = make_hello(hello, "example.org");
    for (size_t i = 0; i <= length; i++) {
        assert_int_equal(protocol_tls.probe(DIRECTION_REQUEST, hello, i), i < 11 ? PROBE_MORE : PROBE_CERTAIN);
    }
    hello[5] = 2;
    assert_int_equal(protocol_tls.probe(DIRECTION_RESPONSE, hello, length), PROBE_CERTAIN);
    hello[5] = 11;
    assert_int_equal(protocol_tls.probe(DIRECTION_RESPONSE, hello, length), PROBE_NO);
    assert_int_equal(protocol_tls.probe(DIRECTION_REQUEST, (const uint8_t *)"GET / HTTP/1.1\r\n", 16), PROBE_NO);
}

static void name_is_reported_once(void **state) {
    (void)state;
    uint8_t hello[256], memory[512] = {0};
    size_t length = make_hello(hello, "api.example.org");
    for (size_t i = 0; i < length; i++) {
        struct parse_result result = protocol_tls.parse(memory, DIRECTION_REQUEST, hello, i, false, &output);
        assert_int_equal(result.consumed, 0);
        assert_int_equal(result.skip, 0);
    }
    struct parse_result result = protocol_tls.parse(memory, DIRECTION_REQUEST, hello, length, false, &output);
    assert_int_equal(result.status, PARSE_OK);
    assert_int_equal(result.consumed, length);
    assert_true(result.skip == PARSE_SKIP_ALL);
    assert_int_equal(names, 1);
    assert_string_equal(host, "api.example.org");
    result = protocol_tls.parse(memory, DIRECTION_RESPONSE, hello, 3, false, &output);
    assert_true(result.skip == PARSE_SKIP_ALL);
}

static void cut_or_bad_names_are_not_reported(void **state) {
    (void)state;
    uint8_t hello[256];
    size_t length = make_hello(hello, "api.example.org");
    for (size_t i = 0; i < length; i++) {
        uint8_t memory[512] = {0};
        uint8_t *copy = malloc(i + 1);
        memcpy(copy + 1, hello, i);
        struct parse_result result = protocol_tls.parse(memory, DIRECTION_REQUEST, copy + 1, i, true, &output);
        assert_true(result.skip == PARSE_SKIP_ALL);
        free(copy);
    }
    uint8_t memory[512] = {0};
    length = make_hello(hello, "bad name");
    protocol_tls.parse(memory, DIRECTION_REQUEST, hello, length, false, &output);
    assert_int_equal(names, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(hello_is_certain, setup),
        cmocka_unit_test_setup(name_is_reported_once, setup),
        cmocka_unit_test_setup(cut_or_bad_names_are_not_reported, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
