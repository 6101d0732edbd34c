/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sinks/series.h"

static struct edge edge_of(const char *client, const char *server, enum protocol_id protocol) {
    return (struct edge){.client = {.name = client, .kind = "process"},
                         .server = {.name = server, .kind = "process"},
                         .protocol = protocol,
                         .client_here = true,
                         .server_here = true};
}

/* Text as a C string; the caller frees. */
static char *text_of(const struct series *series) {
    struct writer out = {0};
    series_write(series, &out);
    writer_bytes(&out, "", 1);
    return out.bytes;
}

static uint64_t value(const struct series *series, const char *name) {
    char *text = text_of(series);
    char *line = strstr(text, name);
    if (!line)
        fail_msg("no %s in\n%s", name, text);
    uint64_t number = strtoull(line + strlen(name), NULL, 10);
    free(text);
    return number;
}

static void windows_add_up(void **state) {
    (void)state;
    struct series *series;
    struct edge edge = edge_of("web", "api", PROTOCOL_HTTP);
    assert_int_equal(series_new(10, &series), 0);
    for (int window = 0; window < 3; window++) {
        edge.window =
            (struct edge_window){.calls = 10, .server_error = 1, .timeout = 2, .no_response = 3, .client_error = 4};
        edge.window.failures[0].error = 111;
        edge.window.failures[0].count = 5;
        series_add(series, &edge);
    }
#define SIDES "{client=\"web\",server=\"api\",connection_type=\"\"} "
    assert_int_equal(value(series, "\ntraces_service_graph_request_total" SIDES), 45);
    assert_int_equal(value(series, "\ntraces_service_graph_request_failed_total" SIDES), 33);
    assert_int_equal(value(series, "\nweft_edge_connect_failures_total" SIDES), 15);
    series_free(series);
}

/* A value lies below every bound that is not less than it, and above every other: nothing is estimated. */
static void buckets_are_exact(void **state) {
    (void)state;
    for (int power = 12; power <= 37; power++)
        for (int64_t d = -1; d <= 1; d++) {
            struct series *series;
            struct edge edge = edge_of("web", "api", PROTOCOL_HTTP);
            uint64_t ns = (1ULL << power) + d;
            assert_int_equal(series_new(10, &series), 0);
            edge.window.calls = 1;
            histogram_add(&edge.window.duration, ns);
            series_add(series, &edge);
            for (int bound = 14; bound <= 34; bound++) {
                char name[200];
                snprintf(name, sizeof(name),
                         "\ntraces_service_graph_request_server_seconds_bucket{client=\"web\",server=\"api\","
                         "connection_type=\"\",le=\"%.12g\"} ",
                         (double)(1ULL << bound) / 1e9);
                assert_int_equal(value(series, name), ns <= 1ULL << bound);
            }
            histogram_done(&edge.window.duration);
            series_free(series);
        }
}

/* Series of packets are there once packets were seen, and not before. */
static void packets_are_shown_where_they_are_watched(void **state) {
    (void)state;
    struct series *series;
    struct edge edge = edge_of("web", "api", PROTOCOL_HTTP);
    assert_int_equal(series_new(10, &series), 0);
    series_add(series, &edge);
    char *text = text_of(series);
    assert_null(strstr(text, "\nweft_edge_retransmits_total{"));
    free(text);
    struct edge_packets *packets = edge_packets(&edge.window);
    packets->request = 5;
    packets->retransmits = 2;
    edge_add_drop(packets, "NETFILTER_DROP", 3);
    edge_add_drop(packets, "NO_SOCKET", 4);
    histogram_add(&packets->rtt, 20000);
    series_add(series, &edge);
    series_add(series, &edge);
    assert_int_equal(value(series, "\nweft_edge_request_packets_total" SIDES), 10);
    assert_int_equal(value(series, "\nweft_edge_retransmits_total" SIDES), 4);
    assert_int_equal(value(series, "\nweft_edge_dropped_packets_total" SIDES), 14);
    assert_int_equal(value(series, "\nweft_edge_rtt_seconds_count" SIDES), 2);
    edge_window_empty(&edge.window);
    series_free(series);
}

static void labels_are_escaped(void **state) {
    (void)state;
    struct series *series;
    struct edge edge = edge_of("a\"b\\c\nd", "\xff\t\xc3\xa9", PROTOCOL_POSTGRESQL);
    assert_int_equal(series_new(10, &series), 0);
    edge.window.calls = 7;
    series_add(series, &edge);
    assert_int_equal(value(series, "\ntraces_service_graph_request_total{client=\"a\\\"b\\\\c\\nd\","
                                   "server=\"\xef\xbf\xbd \xc3\xa9\",connection_type=\"database\"} "),
                     7);
    series_free(series);
}

static void beyond_the_limit_is_other(void **state) {
    (void)state;
    struct series *series;
    assert_int_equal(series_new(2, &series), 0);
    for (int i = 0; i < 10; i++) {
        char name[16];
        snprintf(name, sizeof(name), "client-%d", i);
        struct edge edge = edge_of(name, "api", PROTOCOL_HTTP);
        edge.window.calls = 1;
        series_add(series, &edge);
        series_add(series, &edge);
    }
    assert_int_equal(value(series, "_request_total{client=\"client-1\",server=\"api\",connection_type=\"\"} "), 2);
    assert_int_equal(value(series, "_request_total{client=\"other\",server=\"other\",connection_type=\"\"} "), 16);
    assert_int_equal(series_refused(series), 16);
    series_free(series);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_add_up),
        cmocka_unit_test(buckets_are_exact),
        cmocka_unit_test(packets_are_shown_where_they_are_watched),
        cmocka_unit_test(labels_are_escaped),
        cmocka_unit_test(beyond_the_limit_is_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
