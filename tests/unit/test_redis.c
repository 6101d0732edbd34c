/* SPDX-License-Identifier: Apache-2.0 */
#include "parser_harness.h"

struct redis_case {
    const char *request;
    const char *response;
    const char *calls;
    const char *answers;
};

static const struct redis_case cases[] = {
    {"*2\r\n$3\r\nget\r\n$6\r\nsecret\r\n", "$5\r\nhello\r\n", "GET|GET|0()\n", "0||0()\n"},
    {"PING\r\n*2\r\n$4\r\nAUTH\r\n$2\r\npw\r\n", "+PONG\r\n-ERR wrong pw\r\n", "PING|PING|0()\nAUTH|AUTH|0()\n",
     "0||0()\n1|ERR|0()\n"},
    {"*1\r\n$5\r\nMULTI\r\n*1\r\n$4\r\nINCR\r\n*1\r\n$4\r\nEXEC\r\n",
     "+OK\r\n+QUEUED\r\n*2\r\n*2\r\n:1\r\n$-1\r\n%1\r\n+a\r\n*0\r\n", "MULTI|MULTI|0()\nINCR|INCR|0()\nEXEC|EXEC|0()\n",
     "0||0()\n0||0()\n0||0()\n"},
    {"*3\r\n$5\r\nBLPOP\r\n$1\r\nk\r\n$1\r\n0\r\n", "*-1\r\n", "BLPOP|BLPOP|w0()\n", "0||0()\n"},
    {"*4\r\n$5\r\nXREAD\r\n$5\r\nBLOCK\r\n$1\r\n0\r\n$7\r\nSTREAMS\r\n", "_\r\n", "XREAD|XREAD|w0()\n", "0||0()\n"},
    {"*3\r\n$9\r\nSUBSCRIBE\r\n$1\r\na\r\n$1\r\nb\r\n*1\r\n$4\r\nPING\r\n",
     "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:2\r\n"
     "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nx\r\n*2\r\n$4\r\npong\r\n$0\r\n\r\n",
     "SUBSCRIBE|SUBSCRIBE|w0()\nPING|PING|0()\n", "0||0()\n0||0()\n"},
    {"*1\r\n$4\r\nPING\r\n", ">2\r\n+invalidate\r\n*1\r\n$1\r\nk\r\n|1\r\n+ttl\r\n:3\r\n+PONG\r\n", "PING|PING|0()\n",
     "0||0()\n"},
    {"*1\r\n$3\r\nGET\r\n*1\r\n$3\r\nGET\r\n", "-LOADING busy\r\n!9\r\nWRONG key\r\n", "GET|GET|0()\nGET|GET|0()\n",
     "2|LOADING|0()\n1|WRONG|0()\n"},
    {"*3\r\n$6\r\nCLIENT\r\n$5\r\nREPLY\r\n$4\r\nSKIP\r\n*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nPING\r\n", "+PONG\r\n",
     "CLIENT|CLIENT|o0()\nPING|PING|o0()\nPING|PING|0()\n", "0||0()\n"},
    {"*1\r\n$6\r\np w!d1\r\n", "-ERR unknown\r\n", "UNKNOWN|UNKNOWN|0()\n", "1|ERR|0()\n"},
};

static void test_conversations(void **unused) {
    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (size_t piece = 0; piece < 40; piece++) {
            static struct harness harness;
            harness_open(&harness, &protocol_redis, piece);
            harness_feed(&harness, DIRECTION_REQUEST, cases[i].request, strlen(cases[i].request));
            harness_feed(&harness, DIRECTION_RESPONSE, cases[i].response, strlen(cases[i].response));
            harness_piece(&harness, DIRECTION_REQUEST, NULL, 0);
            harness_piece(&harness, DIRECTION_RESPONSE, NULL, 0);
            assert_string_equal(harness.log[0], cases[i].calls);
            assert_string_equal(harness.log[1], cases[i].answers);
            harness_close(&harness);
        }
    }
}

static void test_gap(void **unused) {
    (void)unused;
    static struct harness harness;
    harness_open(&harness, &protocol_redis, 0);
    REQUEST(&harness, "*1\r\n$4\r\nKEYS\r\n");
    RESPONSE(&harness, "*2\r\n$1\r\na\r\n");
    protocol_redis.gap(harness.state, DIRECTION_RESPONSE, &harness.output);
    protocol_redis.turn(harness.state, DIRECTION_RESPONSE, &harness.output);
    REQUEST(&harness, "*1\r\n$4\r\nPING\r\n");
    RESPONSE(&harness, "+PONG\r\n");
    assert_string_equal(harness.log[1], "0||0()\n0||0()\n");
    harness_close(&harness);
}

static void test_depth(void **unused) {
    (void)unused;
    static struct harness harness;
    harness_open(&harness, &protocol_redis, 0);
    for (int i = 0; i < 24; i++)
        RESPONSE(&harness, "*1\r\n");
    assert_int_equal(harness.streams[1].status, PARSE_OK);
    RESPONSE(&harness, "*1\r\n");
    assert_int_equal(harness.streams[1].status, PARSE_LOST);
    assert_string_equal(harness.log[1], "0||0()\n");
    harness_close(&harness);
}

static enum probe_verdict probe(enum direction direction, const char *text) {
    return protocol_redis.probe(direction, (const uint8_t *)text, strlen(text));
}

static void test_probe(void **unused) {
    (void)unused;
    assert_int_equal(probe(DIRECTION_REQUEST, "*1\r\n$4\r\nPI"), PROBE_CERTAIN);
    assert_int_equal(probe(DIRECTION_REQUEST, "*1\r"), PROBE_MORE);
    assert_int_equal(probe(DIRECTION_REQUEST, "PING\r\n"), PROBE_MAYBE);
    assert_int_equal(probe(DIRECTION_REQUEST, "GET / HTTP/1.1\r\n"), PROBE_NO);
    assert_int_equal(probe(DIRECTION_REQUEST, "\x16\x03\x01"), PROBE_NO);
    assert_int_equal(probe(DIRECTION_RESPONSE, "+OK\r\n"), PROBE_MAYBE);
    assert_int_equal(probe(DIRECTION_RESPONSE, "HTTP/1.1 200 OK\r\n"), PROBE_NO);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conversations),
        cmocka_unit_test(test_gap),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_probe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
