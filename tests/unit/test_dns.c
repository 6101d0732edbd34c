/* SPDX-License-Identifier: Apache-2.0 */
#include "parser_harness.h"

#include "protocols/dns.h"

#define QUERY "\x12\x34\1\0\0\1\0\0\0\0\0\0\3WwW\1x\0\0\1\0\1"
#define ANSWER                                                                                                         \
    "\x12\x34\x81\x80\0\1\0\2\0\0\0\0\3WwW\1x\0\0\1\0\1"                                                               \
    "\xc0\x0c\0\5\0\1\0\0\0\x1e\0\2\xc0\x0c"                                                                           \
    "\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\x0a\1\2\3"
#define NO_NAME "\x12\x34\x81\x83\0\1\0\0\0\0\0\0\3WwW\1x\0\0\x1c\0\1"
#define CALL "A|www.x|4660()\n"
#define REPLY "name www.x 10..3/4 30\n0|NOERROR|4660()\n"

static void test_datagrams(void **unused) {
    (void)unused;
    static struct harness harness;
    harness_open(&harness, &protocol_dns, 0);
    REQUEST(&harness, QUERY);
    RESPONSE(&harness, ANSWER);
    RESPONSE(&harness, NO_NAME);
    RESPONSE(&harness, "\0\1\x81\x82\0\0\0\0\0\0\0\0");
    REQUEST(&harness, ANSWER);
    REQUEST(&harness, "short");
    assert_string_equal(harness.log[0], CALL);
    assert_string_equal(harness.log[1], REPLY "1|NXDOMAIN|4660()\n2|SERVFAIL|1()\n");
    harness_close(&harness);
}

static void test_cut_datagrams(void **unused) {
    (void)unused;
    static struct harness harness;
    harness_open(&harness, &protocol_dns, 0);
    for (size_t cut = 1; cut < sizeof ANSWER - 1; cut++) {
        harness.log[1][0] = 0;
        harness_feed(&harness, DIRECTION_RESPONSE, ANSWER, cut);
        assert_string_equal(harness.log[1], cut < 12 ? "" : "0|NOERROR|4660()\n");
    }
    harness_close(&harness);
}

static void test_stream(void **unused) {
    (void)unused;
    for (size_t piece = 0; piece < 60; piece++) {
        static struct harness harness;
        static uint8_t big[2 + 20000] = {20000 >> 8, 20000 & 255};
        memcpy(big + 2, ANSWER, sizeof ANSWER - 1);
        harness_open(&harness, &protocol_dns_tcp, piece);
        REQUEST(&harness, "\0\x17" QUERY "\0\x17" QUERY);
        harness_feed(&harness, DIRECTION_RESPONSE, big, sizeof big);
        RESPONSE(&harness, "\0\x35" ANSWER);
        assert_string_equal(harness.log[0], CALL CALL);
        assert_string_equal(harness.log[1], REPLY REPLY);
        harness_close(&harness);
    }
}

#define PROBE(protocol, direction, text) (protocol).probe((direction), (const uint8_t *)(text), sizeof(text) - 1)

static void test_probe(void **unused) {
    (void)unused;
    assert_int_equal(PROBE(protocol_dns, DIRECTION_REQUEST, QUERY), PROBE_CERTAIN);
    assert_int_equal(PROBE(protocol_dns, DIRECTION_RESPONSE, QUERY), PROBE_NO);
    assert_int_equal(PROBE(protocol_dns, DIRECTION_RESPONSE, ANSWER), PROBE_CERTAIN);
    assert_int_equal(PROBE(protocol_dns, DIRECTION_REQUEST, "hello world, a datagram"), PROBE_NO);
    assert_int_equal(PROBE(protocol_dns_tcp, DIRECTION_REQUEST, "\0\x17" QUERY), PROBE_CERTAIN);
    assert_int_equal(PROBE(protocol_dns_tcp, DIRECTION_REQUEST, "\0\x17\x12"), PROBE_MORE);
    assert_int_equal(PROBE(protocol_dns_tcp, DIRECTION_REQUEST, "GET / HTTP/1.1\r\n\r\n"), PROBE_NO);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_datagrams),
        cmocka_unit_test(test_cut_datagrams),
        cmocka_unit_test(test_stream),
        cmocka_unit_test(test_probe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
