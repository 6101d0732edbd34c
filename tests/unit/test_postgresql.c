/* SPDX-License-Identifier: Apache-2.0 */
#include "parser_harness.h"

#include "protocols/sql.h"

struct sql_case {
    const char *text;
    const char *normal;
    const char *keyword;
};

static const struct sql_case sql_cases[] = {
    {"select * from t where a = 'x''y' and b=1.5e-3;", "select * from t where a = ? and b=?", "SELECT"},
    {"/* c /* d */ e */ (Select\n\t a1 -- hi\n, $1)", "(Select a1 , $1)", "SELECT"},
    {"do $f$ secret $g$ 'x' $f$ , $$a$$", "do ?", "DO"},
    {"insert into \"T 1\" values (E'a\\'b', X'ff', U&'x', -.5, 0x1F)", "insert into \"T 1\" values (?)", "INSERT"},
    {"select 'open secr", "select ?", "SELECT"},
    {"select $t$ open", "select ?", "SELECT"},
    {"select \"open from t where a = 'secret'", "select ?", "SELECT"},
    {"select /* open", "select", "SELECT"},
    {"", "", ""},
    {"12", "?", ""},
};

static void test_sql(void **unused) {
    (void)unused;
    for (size_t i = 0; i < sizeof sql_cases / sizeof *sql_cases; i++) {
        char out[256];
        out[sql_normalise(sql_cases[i].text, strlen(sql_cases[i].text), out, SQL_TEXT_MAX)] = 0;
        assert_string_equal(out, sql_cases[i].normal);
        out[sql_keyword(sql_cases[i].text, strlen(sql_cases[i].text), out, 24)] = 0;
        assert_string_equal(out, sql_cases[i].keyword);
        for (size_t cut = 0; cut < strlen(sql_cases[i].text); cut++) {
            char *exact = malloc(cut > 0 ? cut : 1);
            memcpy(exact, sql_cases[i].text, cut);
            assert_true(sql_normalise(exact, cut, out, 10) <= 10);
            sql_keyword(exact, cut, out, 3);
            free(exact);
        }
    }
}

/* Appends a message; `type` 0 for the untyped ones. */
static void put(struct stream *stream, char type, const void *body, size_t size) {
    uint8_t *at = stream->kept + stream->length;
    if (type != 0)
        *at++ = (uint8_t)type;
    uint32_t total = (uint32_t)size + 4;
    for (int i = 0; i < 4; i++)
        *at++ = (uint8_t)(total >> (24 - 8 * i));
    memcpy(at, body, size);
    stream->length = (size_t)(at - stream->kept) + size;
}

#define PUT(stream, type, body) put((stream), (type), (body), sizeof(body) - 1)
#define STARTUP "\0\3\0\0user\0me\0\0"
#define NO_TABLE "SERROR\0VERROR\0C42P01\0Mno secret\0\0"

static struct stream to_server, to_client;

typedef void (*script)(void);

static void check(script fill, const char *calls, const char *answers) {
    memset(&to_server, 0, sizeof to_server);
    memset(&to_client, 0, sizeof to_client);
    fill();
    for (size_t piece = 0; piece < 64; piece++) {
        static struct harness harness;
        harness_open(&harness, &protocol_postgresql, piece);
        harness_feed(&harness, DIRECTION_REQUEST, to_server.kept, to_server.length);
        harness_feed(&harness, DIRECTION_RESPONSE, to_client.kept, to_client.length);
        harness_piece(&harness, DIRECTION_REQUEST, NULL, 0);
        harness_piece(&harness, DIRECTION_RESPONSE, NULL, 0);
        assert_string_equal(harness.log[0], calls);
        assert_string_equal(harness.log[1], answers);
        harness_close(&harness);
    }
}

static void simple(void) {
    PUT(&to_server, 0, "\4\xd2\x16\x2f");
    PUT(&to_server, 0, STARTUP);
    PUT(&to_server, 'p', "secret\0");
    PUT(&to_server, 'Q', "select 1; -- x\0");
    PUT(&to_server, 'Q', "drop table t\0");
    to_client.kept[to_client.length++] = 'N';
    PUT(&to_client, 'R', "\0\0\0\0");
    PUT(&to_client, 'S', "a\0b\0");
    PUT(&to_client, 'Z', "I");
    PUT(&to_client, 'T', "\0\0");
    PUT(&to_client, 'D', "\0\0");
    PUT(&to_client, 'A', "\0\0\0\0a\0b\0");
    PUT(&to_client, 'C', "SELECT 1\0");
    PUT(&to_client, 'Z', "I");
    PUT(&to_client, 'E', NO_TABLE);
    PUT(&to_client, 'Z', "I");
}

static void extended(void) {
    PUT(&to_server, 'P', "s1\0insert into t values ($1, 'x')\0\0\0");
    PUT(&to_server, 'B', "\0s1\0\0\0\0\0\0\0");
    PUT(&to_server, 'D', "P\0");
    PUT(&to_server, 'E', "\0\0\0\0\0");
    PUT(&to_server, 'S', "");
    PUT(&to_server, 'P', "\0update t set a = 5\0\0\0");
    PUT(&to_server, 'B', "\0s1\0\0\0\0\0\0\0");
    PUT(&to_server, 'E', "\0\0\0\0\0");
    PUT(&to_server, 'B', "\0s2\0\0\0\0\0\0\0");
    PUT(&to_server, 'E', "\0\0\0\0\0");
    PUT(&to_server, 'E', "\0\0\0\0\0");
    PUT(&to_server, 'S', "");
    PUT(&to_server, 'Q', "\0");
    PUT(&to_client, '1', "");
    PUT(&to_client, '2', "");
    PUT(&to_client, 'C', "INSERT 0 1\0");
    PUT(&to_client, 'Z', "I");
    PUT(&to_client, 's', "");
    PUT(&to_client, 'E', "SERROR\0C53200\0\0");
    PUT(&to_client, 'Z', "I");
    PUT(&to_client, 'I', "");
    PUT(&to_client, 'Z', "I");
}

static void copy(void) {
    PUT(&to_server, 'Q', "copy t from stdin\0");
    PUT(&to_server, 'd', "secret\n");
    PUT(&to_server, 'c', "");
    PUT(&to_server, 'Q', "copy t to stdout\0");
    PUT(&to_client, 'G', "\0\0\0");
    PUT(&to_client, 'C', "COPY 1\0");
    PUT(&to_client, 'Z', "I");
    PUT(&to_client, 'H', "\0\0\0");
    PUT(&to_client, 'd', "secret\n");
    PUT(&to_client, 'c', "");
    PUT(&to_client, 'E', "SFATAL\0VFATAL\0C57P01\0\0");
}

static void encrypted(void) {
    PUT(&to_server, 0, "\4\xd2\x16\x2f");
    to_client.kept[to_client.length++] = 'S';
    PUT(&to_client, 'Z', "I");
}

static void test_conversations(void **unused) {
    (void)unused;
    check(simple, "SELECT|select ?|0()\nDROP|drop table t|0()\n", "0||0()\n1|42P01|0()\n");
    check(extended, "INSERT|insert into t values ($1)|0()\nINSERT||0()\nEXECUTE||0()\nEXECUTE||0()\nQUERY||0()\n",
          "0||0()\n0||0()\n2|53200|0()\n1||0()\n0||0()\n");
    check(copy, "COPY|copy t from stdin|0()\nCOPY|copy t to stdout|0()\n", "0||0()\n2|57P01|0()\n");
    check(encrypted, "", "");
}

static void test_gap(void **unused) {
    (void)unused;
    static struct harness harness;
    harness_open(&harness, &protocol_postgresql, 0);
    REQUEST(&harness, "Q\0\0\0\x0dselect 1\0");
    RESPONSE(&harness, "T\0\0\0\6\0\0D\0\1\0\0");
    protocol_postgresql.gap(harness.state, DIRECTION_RESPONSE, &harness.output);
    protocol_postgresql.turn(harness.state, DIRECTION_RESPONSE, &harness.output);
    harness.streams[1].skip = 0;
    harness.streams[1].skipped = false;
    REQUEST(&harness, "Q\0\0\0\x0dselect 2\0");
    RESPONSE(&harness, "C\0\0\0\4Z\0\0\0\5I");
    assert_string_equal(harness.log[1], "0||0()\n0||0()\n");
    harness_close(&harness);
}

static void test_garbage(void **unused) {
    (void)unused;
    static struct harness harness;
    harness_open(&harness, &protocol_postgresql, 0);
    REQUEST(&harness, "Q\0\0\0\1");
    assert_int_equal(harness.streams[0].status, PARSE_LOST);
    RESPONSE(&harness, "!");
    assert_int_equal(harness.streams[1].status, PARSE_LOST);
    harness_close(&harness);
}

#define PROBE(direction, text) protocol_postgresql.probe((direction), (const uint8_t *)(text), sizeof(text) - 1)

static void test_probe(void **unused) {
    (void)unused;
    assert_int_equal(PROBE(DIRECTION_REQUEST, "\0\0\0\x08\4\xd2\x16\x2f"), PROBE_CERTAIN);
    assert_int_equal(PROBE(DIRECTION_REQUEST, "\0\0\0\x12\0\3\0\0user\0"), PROBE_CERTAIN);
    assert_int_equal(PROBE(DIRECTION_REQUEST, "\0\0\0"), PROBE_MORE);
    assert_int_equal(PROBE(DIRECTION_REQUEST, "GET / HTTP/1.1\r\n"), PROBE_NO);
    assert_int_equal(PROBE(DIRECTION_REQUEST, "Q\0\0\0\x0dselect 1\0"), PROBE_MAYBE);
    assert_int_equal(PROBE(DIRECTION_RESPONSE, "Z\0\0\0\5I"), PROBE_MAYBE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sql),     cmocka_unit_test(test_conversations), cmocka_unit_test(test_gap),
        cmocka_unit_test(test_garbage), cmocka_unit_test(test_probe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
