/* SPDX-License-Identifier: Apache-2.0 */
/* The drawing of a path, of answers as the API gives them. */
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/path_print.h"

static char *drawn(const char *json, bool colour) {
    char *text;
    size_t length;
    json_error_t error;
    json_t *answer = json_loads(json, 0, &error);
    if (!answer)
        fail_msg("%s at %d", error.text, error.position);
    FILE *out = open_memstream(&text, &length);
    path_print(answer, colour, out);
    fclose(out);
    json_decref(answer);
    return text;
}

static const char rewritten[] =
    "{\"finding\":{\"code\":\"dropped\",\"text\":\"By a rule.\",\"causes\":[{\"text\":\"a "
    "rule\",\"share\":0.25}]},\"parts\":[{"
    "\"transport\":\"tcp\",\"connections\":1,\"established\":false,\"rtt_ns\":81000,\"retransmits\":{\"client\":2,"
    "\"server\":0},"
    "\"client\":{\"name\":\"web\",\"address\":\"10.0.0.2\",\"port\":41000,\"pid\":4711,\"executable\":\"/usr/bin/"
    "node\"},"
    "\"server\":{\"name\":\"orders-db\",\"address\":\"fd00::3\",\"port\":5432},"
    "\"hops\":[{\"order\":1,\"interface\":\"veth0\",\"kind\":\"veth\",\"namespace\":\"host\",\"direction\":\"ingress\","
    "\"source\":\"10.0.0.2\",\"source_port\":41000,\"destination\":\"10.96.0.1\",\"destination_port\":80,\"packets\":"
    "12,"
    "\"segments\":14,\"bytes\":2048},"
    "{\"order\":2,\"ifindex\":9,\"direction\":\"egress\",\"source\":\"10.0.0.2\",\"source_port\":41000,"
    "\"destination\":\"10.0.0.3\",\"destination_port\":5432,\"packets\":1,\"segments\":1,\"bytes\":60,\"lost_after\":1,"
    "\"from_before_ns\":4200,\"rewritten\":{\"kind\":\"dnat\",\"from\":\"10.96.0.1:80\",\"to\":\"10.0.0.3:5432\"},"
    "\"drops\":[{\"reason\":\"NETFILTER_DROP\",\"text\":\"by a rule\",\"chains\":\"filter "
    "FORWARD\",\"place\":\"nf_hook_slow\","
    "\"packets\":1}]}],\"reverse\":[]}],\"proxies\":[]}";

static void the_finding_comes_first_and_then_the_hops(void **state) {
    (void)state;
    static const char expected[] =
        "By a rule.\n"
        "  - a rule (25 %)\n"
        "\n"
        "tcp: 1 connection, not established, round trip 81 us, sent again: 2 segments by the client, 0 by the server\n"
        "  [ web ]  10.0.0.2:41000  pid 4711  /usr/bin/node\n"
        "     |\n"
        "   1  veth0 (veth) in host, ingress  12 packets (14 segments), 2 KiB  10.0.0.2:41000 -> 10.96.0.1:80\n"
        "     |  dnat: 10.96.0.1:80 becomes 10.0.0.3:5432\n"
        "     |  4.20 us\n"
        "   2  interface 9, egress            1 packet, 60 B                   10.0.0.2:41000 -> 10.0.0.3:5432\n"
        "     X  1 segment did not reach the next hop\n"
        "     X  1 packet dropped: by a rule (filter FORWARD), NETFILTER_DROP in nf_hook_slow\n"
        "     v\n"
        "  [ orders-db ]  [fd00::3]:5432\n"
        "\n"
        "Nothing came back that a watched interface saw.\n";
    char *text = drawn(rewritten, false);
    assert_string_equal(text, expected);
    free(text);
    text = drawn(rewritten, true);
    assert_non_null(strstr(text, "\033[31mBy a rule.\033[0m"));
    assert_non_null(strstr(text, "\033[31m     X  1 packet dropped"));
    free(text);
}

static void a_proxy_stands_between_two_parts(void **state) {
    (void)state;
    char *text =
        drawn("{\"finding\":{\"code\":\"ok\",\"text\":\"Fine.\"},\"parts\":["
              "{\"transport\":\"tcp\",\"connections\":2,\"client\":{},\"server\":{},\"hops\":[],\"reverse\":[]},"
              "{\"transport\":\"tcp\",\"connections\":1,\"client\":{},\"server\":{},\"hops\":[],\"reverse\":[]}],"
              "\"proxies\":[{\"name\":\"docker-proxy\",\"pid\":7}]}",
              true);
    const char *first = strstr(text, "2 connections"), *proxy = strstr(text, "Then the proxy docker-proxy, pid 7,");
    assert_true(first && proxy && first < proxy && strstr(proxy, "1 connection\n"));
    assert_null(strstr(text, "\033[31mFine")); /* what is well is not red */
    free(text);
}

/* Names come from containers and from whoever answers. */
static void names_do_not_move_the_cursor(void **state) {
    (void)state;
    char *text = drawn(
        "{\"finding\":{\"code\":\"x\",\"text\":\"a\\u001b[2J\\u009bb\"},\"parts\":[{\"transport\":\"\\u001b[1m\","
        "\"client\":{\"name\":\"\\u001b]0;x\\u0007\",\"executable\":\"\\n\\r\"},\"server\":{\"name\":\"\\u009b1m\"},"
        "\"hops\":[{\"interface\":\"\\u001b\",\"namespace\":\"\\t\",\"source\":\"\\u001b\",\"drops\":[{\"reason\":"
        "\"\\u001b\","
        "\"chains\":\"\\u001b\",\"packets\":1}],\"rewritten\":{\"kind\":\"\\u001b\",\"from\":\"\\u001b\"}}]}]}",
        false);
    for (const char *c = text; *c; c++)
        assert_true((unsigned char)*c >= 0x20 || *c == '\n');
    assert_null(strstr(text, "\xc2\x9b"));
    free(text);
}

/* Of another version, or broken: drawn as far as it is understood. */
static void what_is_not_there_is_not_drawn(void **state) {
    (void)state;
    static const char *const answers[] = {"{}", "{\"parts\":[{}]}", "{\"parts\":[1]}", "{\"parts\":{},\"finding\":[]}",
                                          "{\"parts\":[{\"hops\":[{}],\"reverse\":[{\"drops\":[{}]}]}]}"};
    for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++)
        free(drawn(answers[i], false));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_finding_comes_first_and_then_the_hops),
        cmocka_unit_test(a_proxy_stands_between_two_parts),
        cmocka_unit_test(names_do_not_move_the_cursor),
        cmocka_unit_test(what_is_not_there_is_not_drawn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
