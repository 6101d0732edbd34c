/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of connections and hops, and what is asked of them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "flow_samples.h"
#include "topology/flow_query.h"

#define NOW 9000000000ULL

static struct flow_query *query_of(struct flow_query_options options) {
    struct flow_query *query;
    struct flow_query_error error;
    options.now = NOW;
    if (flow_query_new(&options, &query, &error))
        fail_msg("%s at %zu: %s", error.option, error.at, error.text);
    return query;
}

static json_t *answer_of(struct flow_query *query) {
    json_t *answer = flow_query_answer(query);
    assert_non_null(answer);
    flow_query_free(query);
    return answer;
}

static json_t *row(json_t *answer, size_t index) {
    json_t *found = json_array_get(json_object_get(answer, "rows"), index);
    assert_non_null(found);
    return found;
}

static void expect_number(json_t *object, const char *name, uint64_t expected) {
    if (!json_is_integer(json_object_get(object, name)))
        fail_msg("no %s", name);
    assert_int_equal(json_integer_value(json_object_get(object, name)), expected);
}

static void expect_text(json_t *object, const char *name, const char *expected) {
    if (!json_is_string(json_object_get(object, name)))
        fail_msg("no %s", name);
    assert_string_equal(json_string_value(json_object_get(object, name)), expected);
}

/* A connection to 10.96.0.1:80 that DNAT leads to 10.0.0.3:5432: two hops there, two back. */
static void see_translated(struct flow_query *query, const char *conn_id) {
    static const struct drop_view drops[] = {{.reason = "NO_SOCKET", .packets = 2},
                                             {.reason = "NETFILTER_DROP", .packets = 7}};
    static const struct socket_view client = {.protocol = IPPROTO_TCP, .state = 1, .receive_queue = 11};
    struct flow_view view = sample_flow();
    view.conn_id = conn_id;
    view.hops = 2;
    sample_address(view.key.destination, "10.96.0.1");
    view.key.destination_port = 80;
    view.rtt_ns = 300000;
    view.flow.socket_time = 1;
    view.flow.srtt_us = 250;
    view.flow.total_retransmits = 4;
    view.source_socket = &client;
    view.destination = (struct edge_end){0};
    flow_query_see(query, &view);
    view = sample_flow();
    view.conn_id = conn_id;
    view.order = view.hops = 2;
    view.flow.segments = 117;
    view.flow.repeats = 2;
    view.flow.last_time = 8000000000;
    view.drops = drops;
    view.drop_count = 2;
    flow_query_see(query, &view);
    view = sample_answer();
    view.conn_id = conn_id;
    view.hops = 2;
    flow_query_see(query, &view);
    view.order = 2;
    view.flow.segments = 219;
    sample_address(view.key.source, "10.96.0.1");
    view.key.source_port = 80;
    view.source = (struct edge_end){0};
    flow_query_see(query, &view);
}

static void a_connection_is_one_row(void **state) {
    (void)state;
    static const char columns[] =
        "transport,client,server,client_address,client_port,server_address,server_port,"
        "seen_address,seen_port,client_pid,packets,packets_out,packets_in,bytes,recent_packets,"
        "retransmits,repeats,drops,drop_reason,lost,connect,rtt,state,client_unread,"
        "server_unread,server_pid,age,idle,duration,hops";
    struct flow_query *query = query_of((struct flow_query_options){.columns = columns});
    see_translated(query, "8c0e4d0000000001");
    json_t *answer = answer_of(query), *one = row(answer, 0);
    expect_number(answer, "matched", 1);
    assert_int_equal(json_array_size(json_object_get(answer, "columns")), 30);
    expect_text(one, "client", "web");
    expect_text(one, "server", "orders-db");
    expect_text(one, "client_address", "10.0.0.2");
    expect_text(one, "server_address", "10.0.0.3");
    expect_number(one, "server_port", 5432);
    expect_text(one, "seen_address", "10.96.0.1");
    expect_number(one, "seen_port", 80);
    expect_number(one, "client_pid", 4711);
    expect_number(one, "packets", 300);
    expect_number(one, "packets_out", 100);
    expect_number(one, "packets_in", 200);
    expect_number(one, "bytes", 950000);
    expect_number(one, "recent_packets", 24);
    expect_number(one, "retransmits", 4);
    expect_number(one, "repeats", 2);
    expect_number(one, "drops", 9);
    expect_text(one, "drop_reason", "NETFILTER_DROP");
    expect_number(one, "lost", 4);
    expect_number(one, "connect", 300000);
    expect_number(one, "rtt", 250000);
    expect_text(one, "state", "ESTAB");
    expect_number(one, "client_unread", 11);
    expect_number(one, "age", 4000000000);
    expect_number(one, "idle", 1000000000);
    expect_number(one, "duration", 3000000000);
    expect_number(one, "hops", 2);
    assert_null(json_object_get(one, "server_unread"));
    assert_null(json_object_get(one, "server_pid"));
    json_decref(answer);
}

/* Only what the server sends passes here: it says who is who all the same. */
static void the_way_back_alone_names_both_ends(void **state) {
    (void)state;
    struct flow_query *query = query_of((struct flow_query_options){
        .columns = "client,client_address,client_port,server_address,server_port,packets_in,packets_out,lost"});
    struct flow_view view = sample_answer();
    flow_query_see(query, &view);
    json_t *answer = answer_of(query), *one = row(answer, 0);
    expect_text(one, "client", "web");
    expect_text(one, "client_address", "10.0.0.2");
    expect_number(one, "client_port", 41000);
    expect_text(one, "server_address", "10.0.0.3");
    expect_number(one, "server_port", 5432);
    expect_number(one, "packets_in", 200);
    assert_null(json_object_get(one, "packets_out"));
    assert_null(json_object_get(one, "lost")); /* one hop: nothing to compare with */
    json_decref(answer);
}

static void see_plain(struct flow_query *query, const char *conn_id, uint16_t port, uint64_t bytes, uint8_t protocol) {
    struct flow_view view = sample_flow();
    view.conn_id = conn_id;
    view.key.destination_port = port;
    view.key.protocol = protocol;
    view.flow.bytes = bytes;
    flow_query_see(query, &view);
}

static void the_largest_come_first_and_the_rest_is_counted(void **state) {
    (void)state;
    struct flow_query *query =
        query_of((struct flow_query_options){.limit = 3, .columns = "bytes,server_port", .filter = "server_port < 90"});
    for (uint16_t i = 0; i < 100; i++) { /* 37 and 100 have no factor in common: each once */
        char conn_id[20];
        snprintf(conn_id, sizeof(conn_id), "%016x", i + 1);
        see_plain(query, conn_id, i * 37 % 100, i * 37 % 100, IPPROTO_TCP);
    }
    json_t *answer = answer_of(query);
    expect_number(answer, "matched", 90);
    expect_number(answer, "left_out", 87);
    assert_int_equal(json_array_size(json_object_get(answer, "rows")), 3);
    for (size_t i = 0; i < 3; i++)
        expect_number(row(answer, i), "bytes", 89 - i);
    json_decref(answer);
}

static void rows_are_sorted_by_any_field_either_way(void **state) {
    (void)state;
    static const struct {
        const char *sort;
        uint64_t ports[3];
    } cases[] = {{"server_port", {30, 20, 10}},
                 {"-server_port", {10, 20, 30}},
                 {"transport", {30, 10, 20}},
                 {"-transport", {10, 20, 30}},
                 {"mss", {30, 10, 20}} /* not known of any: as they came */};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct flow_query *query =
            query_of((struct flow_query_options){.sort = cases[i].sort, .columns = "server_port"});
        see_plain(query, "1", 30, 1, IPPROTO_TCP);
        see_plain(query, "2", 10, 1, IPPROTO_UDP);
        see_plain(query, "3", 20, 1, IPPROTO_UDP);
        json_t *answer = answer_of(query);
        for (size_t k = 0; k < 3; k++)
            expect_number(row(answer, k), "server_port", cases[i].ports[k]);
        json_decref(answer);
    }
}

static void groups_are_sums(void **state) {
    (void)state;
    struct flow_query *query =
        query_of((struct flow_query_options){.group_by = "transport,server_port", .sort = "connections"});
    for (unsigned i = 0; i < 30; i++) {
        char conn_id[20];
        snprintf(conn_id, sizeof(conn_id), "%016x", i + 1);
        see_plain(query, conn_id, i % 3 ? 80 : 443, 10, i % 2 ? IPPROTO_UDP : IPPROTO_TCP);
    }
    see_translated(query, "ff");
    json_t *answer = answer_of(query);
    uint64_t connections = 0, bytes = 0;
    assert_int_equal(json_array_size(json_object_get(answer, "rows")), 5);
    for (size_t i = 0; i < 5; i++) {
        connections += json_integer_value(json_object_get(row(answer, i), "connections"));
        bytes += json_integer_value(json_object_get(row(answer, i), "bytes"));
    }
    assert_int_equal(connections, 31);
    assert_int_equal(bytes, 300 + 950000);
    expect_number(row(answer, 0), "connections", 10);
    expect_number(row(answer, 0), "server_port", 80);
    expect_number(row(answer, 4), "server_port", 5432);
    expect_number(row(answer, 4), "drops", 9);
    json_decref(answer);
}

static void a_histogram_counts_each_value_once(void **state) {
    (void)state;
    static const uint64_t values[] = {0, 1, 2, 3, 4, 1023, 1024, 1025};
    struct flow_query *query = query_of((struct flow_query_options){.histogram = "bytes"});
    for (size_t i = 0; i < 8; i++) {
        char conn_id[20];
        snprintf(conn_id, sizeof(conn_id), "%zx", i + 1);
        see_plain(query, conn_id, 80, values[i], IPPROTO_TCP);
    }
    json_t *answer = answer_of(query), *histogram = json_object_get(answer, "histogram"), *bucket;
    uint64_t count = 0, next = 0;
    size_t index;
    expect_text(histogram, "field", "bytes");
    expect_number(histogram, "min", 0);
    expect_number(histogram, "max", 1025);
    json_array_foreach(json_object_get(histogram, "buckets"), index, bucket) {
        uint64_t from = json_integer_value(json_object_get(bucket, "from")),
                 to = json_integer_value(json_object_get(bucket, "to")), inside = 0;
        assert_int_equal(from, next); /* no hole between two */
        next = to + 1;
        for (size_t i = 0; i < 8; i++)
            inside += values[i] >= from && values[i] <= to;
        expect_number(bucket, "count", inside);
        count += inside;
    }
    assert_int_equal(count, 8);
    json_decref(answer);
    query = query_of((struct flow_query_options){.histogram = "mss"});
    see_plain(query, "1", 80, 1, IPPROTO_TCP);
    answer = answer_of(query);
    expect_number(json_object_get(answer, "histogram"), "unknown", 1);
    assert_int_equal(json_array_size(json_object_get(json_object_get(answer, "histogram"), "buckets")), 0);
    json_decref(answer);
}

static void hops_are_rows_on_demand(void **state) {
    (void)state;
    struct flow_query *query = query_of((struct flow_query_options){
        .hops = true,
        .filter = "interface == veth0 and sender == client",
        .columns = "order,namespace,direction,source,destination,destination_port,drops,segments"});
    see_translated(query, "1");
    json_t *answer = answer_of(query);
    expect_number(answer, "matched", 2);
    expect_number(row(answer, 0), "order", 1);
    expect_text(row(answer, 0), "namespace", "host");
    expect_text(row(answer, 0), "direction", "egress");
    expect_text(row(answer, 0), "destination", "10.96.0.1");
    expect_number(row(answer, 0), "destination_port", 80);
    expect_number(row(answer, 0), "drops", 0);
    expect_number(row(answer, 1), "order", 2);
    expect_text(row(answer, 1), "destination", "10.0.0.3");
    expect_number(row(answer, 1), "drops", 9);
    expect_number(row(answer, 1), "segments", 117);
    json_decref(answer);
}

static void columns_may_be_added_to_the_usual_ones(void **state) {
    (void)state;
    struct flow_query *query = query_of((struct flow_query_options){.columns = "+mss,client_pid"});
    see_plain(query, "1", 80, 1, IPPROTO_TCP);
    json_t *answer = answer_of(query), *columns = json_object_get(answer, "columns");
    size_t count = json_array_size(columns);
    assert_int_equal(count, 15);
    assert_string_equal(json_string_value(json_array_get(columns, 0)), "transport");
    assert_string_equal(json_string_value(json_array_get(columns, count - 1)), "client_pid");
    json_decref(answer);
    query = query_of((struct flow_query_options){.columns = "+lost", .group_by = "server"});
    see_plain(query, "1", 80, 1, IPPROTO_TCP);
    answer = answer_of(query);
    columns = json_object_get(answer, "columns");
    assert_int_equal(json_array_size(columns), 7);
    assert_string_equal(json_string_value(json_array_get(columns, 0)), "server");
    json_decref(answer);
}

/* What has no conn_id is nobody's other half. */
static void flows_of_no_connection_stay_apart(void **state) {
    (void)state;
    struct flow_query *query = query_of((struct flow_query_options){.columns = "transport"});
    struct flow_view view = sample_flow();
    view.conn_id = "";
    memset(&view.key, 0, sizeof(view.key));
    flow_query_see(query, &view);
    flow_query_see(query, &view);
    json_t *answer = answer_of(query);
    expect_number(answer, "matched", 2);
    expect_text(row(answer, 1), "transport", "ethernet");
    json_decref(answer);
}

static void names_that_are_no_text_still_make_an_answer(void **state) {
    (void)state;
    struct flow_query *query = query_of((struct flow_query_options){.columns = "client"});
    struct flow_view view = sample_flow();
    view.source.name = "\xff<b>\x1b[2J";
    flow_query_see(query, &view);
    json_t *answer = answer_of(query);
    expect_text(row(answer, 0), "client", "?<b>?[2J");
    json_decref(answer);
}

static void mistakes_name_their_option_and_place(void **state) {
    (void)state;
    static const struct {
        struct flow_query_options options;
        const char *option;
        size_t at;
        const char *says;
    } cases[] = {
        {{.filter = "server_port = x"}, "filter", 14, "needs a number"},
        {{.filter = "interface == lo"}, "filter", 0, "not a field of these rows"},
        {{.columns = "client,bites"}, "columns", 7, "no field is named `bites`"},
        {{.columns = "+client,bites"}, "columns", 8, "no field is named `bites`"},
        {{.columns = "client,"}, "columns", 7, "no field is named ``"},
        {{.columns = "interface"}, "columns", 0, "not a field of these rows"},
        {{.columns = "lost", .hops = true}, "columns", 0, "not a field of these rows"},
        {{.columns = "rtt", .group_by = "server"}, "columns", 0, "not a field of these rows"},
        {{.columns = "lost", .group_by = "server", .hops = true}, "columns", 0, "not a field of these rows"},
        {{.group_by = "server,connections"}, "group_by", 7, "not a field of these rows"},
        {{.sort = "a"}, "sort", 0, "no field is named `a`"},
        {{.sort = "bytes,packets"}, "sort", 0, "one field"},
        {{.histogram = "client"}, "histogram", 0, "is no quantity"},
        {{.histogram = "rtt", .group_by = "client"}, "histogram", 0, "not of groups"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct flow_query *query = NULL;
        struct flow_query_error error = {.option = "", .at = 99};
        assert_int_equal(flow_query_new(&cases[i].options, &query, &error), -EINVAL);
        assert_null(query);
        if (strcmp(error.option, cases[i].option) || error.at != cases[i].at || !strstr(error.text, cases[i].says))
            fail_msg("%zu: %s at %zu: %s", i, error.option, error.at, error.text);
    }
}

/* Names are told apart, and each can stand in a filter. */
static void every_field_has_a_name_of_its_own(void **state) {
    (void)state;
    for (const struct field *field = flow_fields; field->name; field++) {
        assert_ptr_equal(field_find(flow_fields, field->name, strlen(field->name)), field);
        assert_true(field->in && *field->help);
        assert_int_equal(strspn(field->name, "abcdefghijklmnopqrstuvwxyz_"), strlen(field->name));
        if (field->in == ROW_GROUP)
            continue;
        struct flow_query *query = query_of((struct flow_query_options){
            .filter = field->name, .columns = field->name, .hops = !(field->in & ROW_CONNECTION)});
        flow_query_free(query);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_is_one_row),
        cmocka_unit_test(the_way_back_alone_names_both_ends),
        cmocka_unit_test(hops_are_rows_on_demand),
        cmocka_unit_test(the_largest_come_first_and_the_rest_is_counted),
        cmocka_unit_test(rows_are_sorted_by_any_field_either_way),
        cmocka_unit_test(groups_are_sums),
        cmocka_unit_test(a_histogram_counts_each_value_once),
        cmocka_unit_test(columns_may_be_added_to_the_usual_ones),
        cmocka_unit_test(flows_of_no_connection_stay_apart),
        cmocka_unit_test(names_that_are_no_text_still_make_an_answer),
        cmocka_unit_test(mistakes_name_their_option_and_place),
        cmocka_unit_test(every_field_has_a_name_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
