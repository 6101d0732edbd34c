/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "protocols/protocol.h"

/* What was reported, one line for each call. */
static char reports[8192];
static size_t reports_length;
static _Alignas(16) uint8_t memory[512];
static enum parse_status last_status;
static uint64_t skips[2];
static bool skipping[2];

static void on_begin(struct parser_output *self, enum direction direction, const struct message *message) {
    (void)self;
    const struct slice *s[] = {&message->operation, &message->resource, &message->endpoint};
    char *out = reports + reports_length;
    size_t left = sizeof(reports) - reports_length;
    int n = direction == DIRECTION_REQUEST
                ? snprintf(out, left, "> %.*s|%.*s|%.*s\n", (int)s[0]->length, s[0]->data, (int)s[1]->length,
                           s[1]->data, (int)s[2]->length, s[2]->data)
                : snprintf(out, left, "< %.*s %d\n", (int)message->code.length, message->code.data, message->status);
    reports_length += (size_t)n;
}

static void on_end(struct parser_output *self, enum direction direction) {
    (void)self;
    reports_length += (size_t)snprintf(reports + reports_length, sizeof(reports) - reports_length, "%s",
                                       direction == DIRECTION_REQUEST ? ".>\n" : ".<\n");
}

static struct parser_output output = {.begin = on_begin, .end = on_end};

static int reset(void **state) {
    (void)state;
    memset(memory, 0, sizeof(memory));
    memset(reports, 0, sizeof(reports));
    memset(skips, 0, sizeof(skips));
    memset(skipping, 0, sizeof(skipping));
    reports_length = 0;
    last_status = PARSE_OK;
    return 0;
}

static struct parse_result parse_copy(enum direction direction, const char *bytes, size_t length, bool gap_follows) {
    uint8_t *copy = malloc(length + 1); /* exactly at the end of a block, for the sanitizer */
    memcpy(copy + 1, bytes, length);
    struct parse_result result =
        protocol_http.parse(memory, direction, length ? copy + 1 : NULL, length, gap_follows, &output);
    free(copy);
    assert_true(result.consumed <= length);
    last_status = result.status;
    return result;
}

/* Does what the engine does with bytes that arrive in pieces of `step`. */
static void feed(enum direction direction, const char *bytes, size_t length, size_t step) {
    size_t start = 0, end = 0;
    while (end < length) {
        end = length - end < step ? length : end + step;
        uint64_t skipped = skips[direction] < end - start ? skips[direction] : end - start;
        start += skipped;
        skips[direction] -= skips[direction] == PARSE_SKIP_ALL ? 0 : skipped;
        if (skips[direction] > 0 || (start == end && !skipping[direction])) {
            continue;
        }
        struct parse_result result = parse_copy(direction, bytes + start, end - start, false);
        start += result.consumed;
        skips[direction] = result.skip;
        skipping[direction] = result.skip > 0;
        if (result.status != PARSE_OK) {
            return;
        }
        if (result.skip > 0 && result.skip <= end - start) {
            fail();
        }
    }
}

static void request(const char *text) {
    feed(DIRECTION_REQUEST, text, strlen(text), SIZE_MAX / 2);
}

static void response(const char *text) {
    feed(DIRECTION_RESPONSE, text, strlen(text), SIZE_MAX / 2);
}

/* Every way to cut `text` in pieces of one size must be reported alike. */
static void check_pieces(enum direction direction, const char *text, const char *expected) {
    for (size_t step = 1; step <= strlen(text); step++) {
        reset(NULL);
        feed(direction, text, strlen(text), step);
        assert_string_equal(reports, expected);
        assert_int_equal(last_status, PARSE_OK);
    }
}

/* Every way to cut `text` in two. */
static void check_halves(enum direction direction, const char *text, const char *expected) {
    size_t length = strlen(text);
    for (size_t cut = 0; cut <= length; cut++) {
        reset(NULL);
        struct parse_result first = parse_copy(direction, text, cut, false);
        size_t next = first.consumed;
        if (first.skip > 0) {
            next += first.skip <= length - next ? first.skip : length - next;
        }
        parse_copy(direction, text + next, length - next, false);
        assert_string_equal(reports, expected);
    }
}

static const char requests[] = "GET /users/42?token=secret HTTP/1.1\r\nHost: a\r\nCookie: c\r\n\r\n"
                               "POST http://u:p@h/v1/x?q HTTP/1.1\r\nContent-Length:  5 \r\nTe: x\r\n\r\nhello"
                               "\r\nPUT /up HTTP/1.1\r\ntransfer-encoding: gzip, Chunked\r\n\r\n"
                               "3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\nTrailer: t\r\n\r\n"
                               "OPTIONS * HTTP/1.0\n\n";
static const char requests_reported[] = "> GET|/users/42|/users/{id}\n.>\n> POST|/v1/x|/v1/x\n.>\n"
                                        "> PUT|/up|/up\n.>\n> OPTIONS|*|*\n.>\n";
static const char responses[] = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"
                                "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 204\r\n\r\n"
                                "HTTP/1.1 304 Not Modified\r\nContent-Length: 100\r\n\r\n"
                                "HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"
                                "HTTP/1.0 503 x\nCONTENT-LENGTH: 0\n\n";
static const char responses_reported[] = "< 200 0\n.<\n< 204 0\n.<\n< 304 0\n.<\n< 404 1\n.<\n< 503 2\n.<\n";

static void pieces_are_alike(void **state) {
    (void)state;
    check_pieces(DIRECTION_REQUEST, requests, requests_reported);
    check_pieces(DIRECTION_RESPONSE, responses, responses_reported);
    check_halves(DIRECTION_REQUEST, requests, requests_reported);
    check_halves(DIRECTION_RESPONSE, responses, responses_reported);
}

static void head_has_no_body(void **state) {
    (void)state;
    request("HEAD /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n");
    response("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nHTTP/1.1 500 x\r\nContent-Length: 1\r\n\r\nx");
    assert_string_equal(reports, "> HEAD|/a|/a\n.>\n> GET|/b|/b\n.>\n< 200 0\n.<\n< 500 2\n.<\n");
}

static void pipelines_may_be_deep(void **state) {
    (void)state;
    for (int i = 0; i < 100; i++) {
        request("GET /b HTTP/1.1\r\n\r\n");
    }
    for (int i = 0; i < 100; i++) {
        reports_length = 0;
        response("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx");
        assert_string_equal(reports, "< 200 0\n.<\n");
    }
    reports_length = 0;
    request("HEAD /a HTTP/1.1\r\n\r\n");
    response("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nHTTP/1.1 500 x\r\nContent-Length: 1\r\n\r\nx");
    assert_string_equal(reports, "> HEAD|/a|/a\n.>\n< 200 0\n.<\n< 500 2\n.<\n");
}

static void large_bodies_are_skipped(void **state) {
    (void)state;
    const char *head = "HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\nabc";
    struct parse_result result = parse_copy(DIRECTION_RESPONSE, head, strlen(head), true);
    assert_int_equal(result.status, PARSE_OK);
    assert_int_equal(result.consumed, strlen(head));
    assert_int_equal(result.skip, 1000000000000 - 3);
    assert_string_equal(reports, "< 200 0\n");
    parse_copy(DIRECTION_RESPONSE, "", 0, false);
    assert_string_equal(reports, "< 200 0\n.<\n");
}

static void tunnels_are_skipped(void **state) {
    (void)state;
    request("GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n");
    struct parse_result result = parse_copy(DIRECTION_RESPONSE, "HTTP/1.1 101 S\r\n\r\n\x81\x01x", 21, false);
    assert_true(result.skip == PARSE_SKIP_ALL);
    assert_int_equal(result.consumed, 21);
    result = parse_copy(DIRECTION_REQUEST, "\x81\x01x", 3, false);
    assert_true(result.skip == PARSE_SKIP_ALL);
    assert_string_equal(reports, "> GET|/ws|/ws\n.>\n< 101 0\n.<\n");
}

static void connect_is_skipped(void **state) {
    (void)state;
    request("CONNECT u:p@h:443 HTTP/1.1\r\n\r\n");
    response("HTTP/1.1 407 x\r\nContent-Length: 0\r\n\r\n");
    request("CONNECT h:443 HTTP/1.1\r\n\r\n");
    response("HTTP/1.1 200 x\r\n\r\n");
    assert_true(skips[DIRECTION_RESPONSE] == PARSE_SKIP_ALL);
    request("\x16\x03\x01");
    assert_true(skips[DIRECTION_REQUEST] == PARSE_SKIP_ALL);
    assert_string_equal(reports, "> CONNECT|h:443|\n.>\n< 407 1\n.<\n> CONNECT|h:443|\n.>\n< 200 0\n.<\n");
}

static void cut_heads_end_at_turn(void **state) {
    (void)state;
    const char *head = "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 10\r\nSet-Coo";
    for (size_t length = 12; length <= strlen(head); length++) {
        reset(NULL);
        struct parse_result result = parse_copy(DIRECTION_RESPONSE, head, length, true);
        assert_int_equal(result.status, PARSE_LOST);
        assert_string_equal(reports, "< 502 2\n");
        protocol_http.gap(memory, DIRECTION_RESPONSE, &output);
        protocol_http.turn(memory, DIRECTION_RESPONSE, &output);
        assert_string_equal(reports, "< 502 2\n.<\n");
        response("HTTP/1.1 204 x\r\n\r\n");
        assert_string_equal(reports, "< 502 2\n.<\n< 204 0\n.<\n");
    }
}

static void cut_requests_have_no_false_route(void **state) {
    (void)state;
    parse_copy(DIRECTION_REQUEST, "GET /users/al", 13, true);
    assert_string_equal(reports, "> GET|/users/al|\n");
    assert_int_equal(last_status, PARSE_LOST);
    reset(NULL);
    parse_copy(DIRECTION_REQUEST, "GET /users/7?a", 14, true);
    assert_string_equal(reports, "> GET|/users/7|/users/{id}\n");
    protocol_http.turn(memory, DIRECTION_REQUEST, &output);
    assert_string_equal(reports, "> GET|/users/7|/users/{id}\n.>\n");
}

static void check_lost(const char *text) {
    reset(NULL);
    response(text);
    assert_int_equal(last_status, PARSE_LOST);
    assert_string_equal(reports, "< 200 0\n");
    protocol_http.turn(memory, DIRECTION_RESPONSE, &output);
    assert_string_equal(reports, "< 200 0\n.<\n");
}

static void unclear_framing_is_lost(void **state) {
    (void)state;
    check_lost("HTTP/1.0 200 OK\r\n\r\nuntil close");
    check_lost("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc");
    check_lost("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc");
    check_lost("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\nabc");
    check_lost("HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\nabc");
    check_lost("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n");
    check_lost("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n");
}

static void garbage_is_refused(void **state) {
    (void)state;
    response("SSH-2.0-x");
    assert_int_equal(last_status, PARSE_ERROR);
    request("GET key\r\n");
    assert_int_equal(last_status, PARSE_ERROR);
    request("GET / HTTP/1.1\r\n\r\n\x01\x02");
    assert_int_equal(last_status, PARSE_LOST);
}

static void long_heads_are_not_kept(void **state) {
    (void)state;
    static char text[40000];
    int head = snprintf(text, sizeof(text), "GET /");
    memset(text + head, 'a', 20000);
    snprintf(text + head + 20000, 200, " HTTP/1.1\r\nX: ");
    size_t length = strlen(text);
    memset(text + length, 'c', 10000);
    strcpy(text + length + 10000, "\r\nContent-Length: 1\r\n\r\nxGET /b HTTP/1.1\r\n\r\n");
    feed(DIRECTION_REQUEST, text, strlen(text), 1000);
    assert_int_equal(last_status, PARSE_OK);
    assert_non_null(strstr(reports, "aaa|\n.>\n> GET|/b|/b\n.>\n"));
}

static void probes(void **state) {
    (void)state;
    const uint8_t *text = (const uint8_t *)requests;
    for (size_t i = 0; i < 37; i++) {
        assert_int_equal(protocol_http.probe(DIRECTION_REQUEST, text, i), PROBE_MORE);
    }
    assert_int_equal(protocol_http.probe(DIRECTION_REQUEST, text, 37), PROBE_CERTAIN);
    assert_int_equal(protocol_http.probe(DIRECTION_RESPONSE, text, 37), PROBE_NO);
    text = (const uint8_t *)responses;
    for (size_t i = 0; i < 20; i++) {
        assert_int_equal(protocol_http.probe(DIRECTION_RESPONSE, text, i), i < 12 ? PROBE_MORE : PROBE_CERTAIN);
    }
    assert_int_equal(protocol_http.probe(DIRECTION_REQUEST, (const uint8_t *)"PRI * HTTP/2.0\r\n", 16), PROBE_NO);
    assert_int_equal(protocol_http.probe(DIRECTION_REQUEST, (const uint8_t *)"*1\r\n$4\r\nPING", 12), PROBE_NO);
    assert_true(protocol_http.state_size <= 512);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(pieces_are_alike, reset),
        cmocka_unit_test_setup(head_has_no_body, reset),
        cmocka_unit_test_setup(pipelines_may_be_deep, reset),
        cmocka_unit_test_setup(large_bodies_are_skipped, reset),
        cmocka_unit_test_setup(tunnels_are_skipped, reset),
        cmocka_unit_test_setup(connect_is_skipped, reset),
        cmocka_unit_test_setup(cut_heads_end_at_turn, reset),
        cmocka_unit_test_setup(cut_requests_have_no_false_route, reset),
        cmocka_unit_test_setup(unclear_framing_is_lost, reset),
        cmocka_unit_test_setup(garbage_is_refused, reset),
        cmocka_unit_test_setup(long_heads_are_not_kept, reset),
        cmocka_unit_test_setup(probes, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
