/* SPDX-License-Identifier: Apache-2.0 */
#include "flow_query.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "json_text.h"

enum { BUCKETS = 65 }; /* 0, and then one for each power of two */

struct flow_query {
    struct filter *filter;
    const struct field *columns[FLOW_QUERY_COLUMNS], *groups[FLOW_QUERY_COLUMNS];
    size_t column_count, group_count;
    const struct field *sort, *histogram;
    bool reversed, hops;
    size_t limit;
    uint64_t now;

    struct flow_gather gather; /* the connection whose hops come in */
    bool gathering;

    struct flow_row *rows; /* up to twice the limit, then the best of them are kept */
    size_t row_count, row_capacity;
    struct table by_group;
    uint64_t matched, left_out, buckets[BUCKETS], unknown, smallest, largest;
    bool failed; /* for want of memory */
};

const char flow_query_columns[] =
    "transport,client,server,server_address,server_port,state,packets_out,packets_in,bytes,retransmits,drops,rtt,age";
const char flow_query_hop_columns[] = "conn_id,sender,order,namespace,interface,direction,source,source_port,"
                                      "destination,destination_port,packets,bytes,from_before,drops,drop_reason";
static const char group_sums[] = "connections,packets,bytes,retransmits,drops";

/* ---- options ---- */

static int fail(struct flow_query_error *error, const char *option, size_t at, const char *what, const char *name,
                size_t length) {
    error->option = option;
    error->at = at;
    snprintf(error->text, sizeof(error->text), what, length < 60 ? (int)length : 60, name);
    return -EINVAL;
}

static unsigned kind_of(const struct flow_query *query) {
    return query->group_count ? ROW_GROUP : query->hops ? ROW_HOP : ROW_CONNECTION;
}

/* Which rows the field is read from: groups have those that they are grouped by, and sums. */
static bool has_field(const struct flow_query *query, const struct field *field) {
    for (size_t i = 0; i < query->group_count; i++)
        if (query->groups[i] == field)
            return true;
    unsigned one = query->hops ? ROW_HOP : ROW_CONNECTION;
    return field->in & kind_of(query) && (!query->group_count || field->in & one || field->in == ROW_GROUP);
}

static int take_list(const struct flow_query *query, const char *option, const char *text, unsigned in,
                     const struct field **fields, size_t *count, struct flow_query_error *error) {
    size_t at = 0;
    do {
        size_t length = strcspn(text + at, ",");
        const struct field *field = field_find(flow_fields, text + at, length);
        if (!field)
            return fail(error, option, at, "no field is named `%.*s`", text + at, length);
        if (in ? !(field->in & in) : !has_field(query, field))
            return fail(error, option, at, "`%.*s` is not a field of these rows", text + at, length);
        if (*count == FLOW_QUERY_COLUMNS)
            return fail(error, option, at, "too many fields from `%.*s` on", text + at, length);
        fields[(*count)++] = field;
        at += length;
    } while (text[at++] == ',');
    return 0;
}

/* A + before the list keeps the columns that would be there without it. */
static int take_columns(struct flow_query *query, const struct flow_query_options *options,
                        struct flow_query_error *error) {
    const char *columns = options->columns, *standard = query->hops ? flow_query_hop_columns : flow_query_columns;
    bool more = columns && *columns == '+';
    int result = 0;
    if (query->group_count) {
        memcpy(query->columns, query->groups, query->group_count * sizeof(*query->groups));
        query->column_count = columns && !more ? 0 : query->group_count;
        standard = group_sums;
    }
    if (!columns || more)
        result = take_list(query, "columns", standard, 0, query->columns, &query->column_count, error);
    if (columns && !result)
        result = take_list(query, "columns", columns + more, 0, query->columns, &query->column_count, error);
    error->at += result && more;
    return result;
}

static int take_sort(struct flow_query *query, const char *text, struct flow_query_error *error) {
    size_t count = 0;
    text = text ? text : query->hops && !query->group_count ? "conn_id" : "bytes";
    query->reversed = *text == '-';
    text += query->reversed;
    if (strchr(text, ','))
        return fail(error, "sort", 0, "one field to sort by, not `%.*s`", text, strlen(text));
    return take_list(query, "sort", text, 0, &query->sort, &count, error);
}

static int take_histogram(struct flow_query *query, const char *text, struct flow_query_error *error) {
    size_t count = 0;
    if (!text)
        return 0;
    if (query->group_count)
        return fail(error, "histogram", 0, "`%.*s`: a histogram is of rows, not of groups", text, strlen(text));
    if (strchr(text, ','))
        return fail(error, "histogram", 0, "one field, not `%.*s`", text, strlen(text));
    int result = take_list(query, "histogram", text, 0, &query->histogram, &count, error);
    if (!result && (field_is_text(query->histogram) || query->histogram->type == FIELD_NUMBER))
        return fail(error, "histogram", 0, "`%.*s` is no quantity: group by it", text, strlen(text));
    return result;
}

static int take_filter(struct flow_query *query, const char *text, struct flow_query_error *error) {
    struct filter_error problem;
    if (!text || !*text)
        return 0;
    int result = filter_parse(text, flow_fields, query->hops ? ROW_HOP : ROW_CONNECTION, &query->filter, &problem);
    if (result == -EINVAL) {
        error->option = "filter";
        error->at = problem.at;
        memcpy(error->text, problem.text, sizeof(error->text));
    }
    return result;
}

static int take_options(struct flow_query *query, const struct flow_query_options *options,
                        struct flow_query_error *error) {
    unsigned one = options->hops ? ROW_HOP : ROW_CONNECTION;
    query->hops = options->hops;
    query->limit = options->limit ? options->limit : FLOW_QUERY_LIMIT;
    query->now = options->now;
    query->smallest = UINT64_MAX;
    if (query->limit > FLOW_QUERY_LIMIT_MAX)
        query->limit = FLOW_QUERY_LIMIT_MAX;
    int result = options->group_by
                     ? take_list(query, "group_by", options->group_by, one, query->groups, &query->group_count, error)
                     : 0;
    if (!result)
        result = take_columns(query, options, error);
    if (!result)
        result = take_sort(query, options->sort, error);
    if (!result)
        result = take_histogram(query, options->histogram, error);
    return result ? result : take_filter(query, options->filter, error);
}

_Static_assert(sizeof(((struct flow_query_error *)0)->text) == sizeof(((struct filter_error *)0)->text), "one text");

int flow_query_new(const struct flow_query_options *options, struct flow_query **ret_query,
                   struct flow_query_error *ret_error) {
    struct flow_query *query = calloc(1, sizeof(*query));
    if (!query)
        return -ENOMEM;
    int result = take_options(query, options, ret_error);
    if (result) {
        flow_query_free(query);
        return result;
    }
    *ret_query = query;
    return 0;
}

void flow_query_free(struct flow_query *query) {
    if (!query)
        return;
    filter_free(query->filter);
    free(query->rows);
    table_done(&query->by_group);
    free(query);
}

/* ---- rows ---- */

/* What is not known comes last either way; equal ones stay as they came, so that hops follow each other. */
static int compare(const void *left, const void *right, void *context) {
    const struct flow_query *query = context;
    const struct field *field = query->sort;
    const struct flow_row *first = left, *second = right;
    bool a = field_known(field, first), b = field_known(field, second);
    int order = 0;
    if (!a || !b) {
        order = (int)b - (int)a;
    } else if (field_is_text(field)) {
        order = strcmp(field_text(field, first), field_text(field, second));
    } else {
        uint64_t x = field_number(field, first), y = field_number(field, second);
        order = (x < y) - (x > y);
    }
    if (a && b && query->reversed)
        order = -order;
    return order ? order : (first->sequence > second->sequence) - (first->sequence < second->sequence);
}

static struct flow_row *new_row(struct flow_query *query) {
    if (query->row_count == query->row_capacity) {
        size_t capacity = query->row_capacity ? query->row_capacity * 2 : 64;
        struct flow_row *bigger = realloc(query->rows, capacity * sizeof(*bigger));
        if (!bigger) {
            query->failed = true;
            return NULL;
        }
        query->rows = bigger;
        query->row_capacity = capacity;
    }
    return &query->rows[query->row_count++];
}

static void keep_best(struct flow_query *query) {
    if (query->row_count)
        qsort_r(query->rows, query->row_count, sizeof(*query->rows), compare, query);
    if (query->row_count > query->limit) {
        query->left_out += query->row_count - query->limit;
        query->row_count = query->limit;
    }
}

static void keep_row(struct flow_query *query, const struct flow_row *row) {
    if (query->row_count >= 2 * query->limit)
        keep_best(query);
    struct flow_row *kept = new_row(query);
    if (kept) {
        *kept = *row;
        kept->sequence = query->matched;
    }
}

/* ---- groups ---- */

static uint64_t group_hash(const struct flow_query *query, const struct flow_row *row) {
    uint64_t hash = 0;
    for (size_t i = 0; i < query->group_count; i++) {
        const struct field *field = query->groups[i];
        const char *text = field_text(field, row);
        hash = XXH3_64bits_withSeed(text, field_is_text(field) ? strlen(text) : sizeof(uint64_t), hash + i);
    }
    return hash ? hash : 1;
}

static void add_to_group(struct flow_row *group, const struct flow_row *row) {
    for (const struct field *field = flow_fields; field->name; field++) {
        uint64_t *sum = (uint64_t *)((char *)group + field->offset);
        if (!field->sums || !field_known(field, row))
            continue;
        *sum = (*sum == FIELD_UNKNOWN ? 0 : *sum) + field_number(field, row);
    }
}

/* The place in `rows` plus one stands in the table: rows move when they grow. */
static void keep_group(struct flow_query *query, struct flow_row *row) {
    uint64_t hash = group_hash(query, row);
    uintptr_t place = (uintptr_t)table_get(&query->by_group, hash);
    row->connections = 1;
    if (place) {
        add_to_group(&query->rows[place - 1], row);
        return;
    }
    if (query->row_count == FLOW_QUERY_GROUPS) {
        query->left_out++;
        return;
    }
    struct flow_row *group = new_row(query);
    if (!group)
        return;
    *group = *row; /* fields that a group has not are never asked for */
    group->sequence = query->matched;
    if (table_put(&query->by_group, hash, (void *)(uintptr_t)query->row_count)) {
        query->row_count--;
        query->failed = true;
    }
}

/* ---- histogram ---- */

static void keep_value(struct flow_query *query, const struct flow_row *row) {
    uint64_t value = field_number(query->histogram, row);
    if (value == FIELD_UNKNOWN) {
        query->unknown++;
        return;
    }
    query->buckets[value ? 64 - __builtin_clzll(value) : 0]++;
    query->smallest = value < query->smallest ? value : query->smallest;
    query->largest = value > query->largest ? value : query->largest;
}

/* ---- seeing ---- */

static void take(struct flow_query *query, const struct flow_row *row) {
    struct flow_row copy;
    if (!filter_matches(query->filter, row))
        return;
    query->matched++;
    if (query->histogram) {
        keep_value(query, row);
    } else if (query->group_count) {
        copy = *row;
        keep_group(query, &copy);
    } else {
        keep_row(query, row);
    }
}

static void end_connection(struct flow_query *query) {
    if (query->gathering)
        take(query, flow_gather_row(&query->gather, query->now));
    query->gathering = false;
}

/* One without a conn_id is a connection of its own. */
static bool same_connection(const struct flow_query *query, const struct flow_view *view) {
    return query->gathering && view->conn_id && view->conn_id[0] && !strcmp(view->conn_id, query->gather.row.conn_id);
}

void flow_query_see(void *context, const struct flow_view *view) {
    struct flow_query *query = context;
    if (query->hops) {
        flow_row_of_hop(view, query->now, &query->gather.row);
        take(query, &query->gather.row);
        return;
    }
    if (!same_connection(query, view)) {
        end_connection(query);
        flow_gather_begin(&query->gather);
        query->gathering = true;
    }
    flow_gather_add(&query->gather, view);
}

/* ---- the answer ---- */

static json_t *value_of(const struct field *field, const struct flow_row *row) {
    if (!field_known(field, row))
        return NULL;
    return field_is_text(field) ? json_text(field_text(field, row))
                                : json_integer((json_int_t)field_number(field, row));
}

static json_t *rows_array(struct flow_query *query) {
    json_t *rows = json_array();
    keep_best(query);
    for (size_t i = 0; i < query->row_count; i++) {
        json_t *object = json_object();
        for (size_t k = 0; k < query->column_count; k++)
            json_object_set_new(object, query->columns[k]->name, value_of(query->columns[k], &query->rows[i]));
        json_array_append_new(rows, object);
    }
    return rows;
}

static json_t *names_array(const struct field *const *fields, size_t count) {
    json_t *names = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(names, json_string(fields[i]->name));
    return names;
}

/* Bucket i holds from `from` up to and with `to`; those outside of what was seen are left out. */
static json_t *histogram_object(const struct flow_query *query) {
    json_t *object = json_object(), *buckets = json_array();
    int first = 0, last = -1;
    for (int i = 0; i < BUCKETS; i++)
        if (query->buckets[i])
            last = i;
    while (first < last && !query->buckets[first])
        first++;
    for (int i = first; i <= last; i++) {
        uint64_t from = i ? 1ULL << (i - 1) : 0, to = i ? from + (from - 1) : 0;
        json_t *bucket = json_object();
        json_object_set_new(bucket, "from", json_integer((json_int_t)from));
        json_object_set_new(bucket, "to", json_integer((json_int_t)to));
        json_object_set_new(bucket, "count", json_integer((json_int_t)query->buckets[i]));
        json_array_append_new(buckets, bucket);
    }
    json_object_set_new(object, "field", json_string(query->histogram->name));
    json_object_set_new(object, "unknown", json_integer((json_int_t)query->unknown));
    if (last >= 0) {
        json_object_set_new(object, "min", json_integer((json_int_t)query->smallest));
        json_object_set_new(object, "max", json_integer((json_int_t)query->largest));
    }
    json_object_set_new(object, "buckets", buckets);
    return object;
}

json_t *flow_query_answer(struct flow_query *query) {
    end_connection(query);
    if (query->failed)
        return NULL;
    json_t *answer = json_object();
    json_object_set_new(answer, "version", json_integer(1));
    json_object_set_new(answer, "matched", json_integer((json_int_t)query->matched));
    if (query->histogram) {
        json_object_set_new(answer, "histogram", histogram_object(query));
        return answer;
    }
    json_object_set_new(answer, "columns", names_array(query->columns, query->column_count));
    json_object_set_new(answer, "rows", rows_array(query));
    json_object_set_new(answer, "left_out", json_integer((json_int_t)query->left_out));
    return answer;
}
