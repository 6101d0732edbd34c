/* SPDX-License-Identifier: Apache-2.0 */
#include "flow_api.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "topology/flow_query.h"

enum { END_LENGTH_MAX = 256 };

static const char *argument(struct MHD_Connection *connection, const char *name) {
    return MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, name);
}

static uint64_t now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static json_t *refusal(unsigned status, const char *why, unsigned *ret_status) {
    *ret_status = status;
    return json_pack("{s:s}", "error", why);
}

static json_t *not_watched(unsigned *ret_status) {
    return refusal(MHD_HTTP_NOT_FOUND, "this agent does not watch packets: see `packets` in its configuration",
                   ret_status);
}

/* Absent is 0. False: not a number from 1 to `most`. */
static bool number_of(const char *text, uint64_t most, size_t *ret_number) {
    char *end = "";
    errno = 0;
    unsigned long long value = text ? strtoull(text, &end, 10) : 0;
    *ret_number = (size_t)value;
    return !text || (*text >= '0' && *text <= '9' && !*end && !errno && value >= 1 && value <= most);
}

static json_t *complaint(const struct flow_query_error *error, unsigned *ret_status) {
    *ret_status = MHD_HTTP_BAD_REQUEST;
    return json_pack("{s:s, s:s, s:I}", "error", error->text, "option", error->option, "at", (json_int_t)error->at);
}

json_t *flow_api_flows(const struct web_flows *flows, struct MHD_Connection *connection, unsigned *ret_status) {
    const char *hops = argument(connection, "hops");
    struct flow_query_options options = {.filter = argument(connection, "filter"),
                                         .columns = argument(connection, "columns"),
                                         .sort = argument(connection, "sort"),
                                         .group_by = argument(connection, "group_by"),
                                         .histogram = argument(connection, "histogram"),
                                         .hops = hops && !strcmp(hops, "1"),
                                         .now = now_ns()};
    struct flow_query_error error;
    struct flow_query *query;
    *ret_status = MHD_HTTP_OK;
    if (!flows->each)
        return not_watched(ret_status);
    if (!number_of(argument(connection, "limit"), FLOW_QUERY_LIMIT_MAX, &options.limit))
        return refusal(MHD_HTTP_BAD_REQUEST, "limit is 1 to 10000", ret_status);
    if (hops && strcmp(hops, "0") && strcmp(hops, "1"))
        return refusal(MHD_HTTP_BAD_REQUEST, "hops is 0 or 1", ret_status);
    int result = flow_query_new(&options, &query, &error);
    if (result)
        return result == -EINVAL ? complaint(&error, ret_status) : NULL;
    flows->each(flows->context, flow_query_see, query);
    json_t *answer = flow_query_answer(query);
    flow_query_free(query);
    return answer;
}

static bool edge_of(const char *text, uint64_t *ret_id) {
    *ret_id = text ? strtoull(text, NULL, 16) : 0;
    return !text || (strlen(text) == 16 && strspn(text, "0123456789abcdef") == 16 && *ret_id);
}

static const char *text_of(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

/* A group's name is nobody's on the wire, so that its clients are anybody. */
static json_t *path_of_edge(const struct web_flows *flows, struct graph *graph, uint64_t id, unsigned *ret_status) {
    json_t *known = graph_edge(graph, id, (struct graph_range){.length = 1000000000});
    const json_t *edge = json_object_get(known, "edge"), *client = json_object_get(edge, "client");
    const char *kind = text_of(client, "kind"), *address = text_of(edge, "seen_address");
    char to[80];
    if (!edge) {
        json_decref(known);
        return refusal(MHD_HTTP_NOT_FOUND, "the last hour knows nothing of that id", ret_status);
    }
    snprintf(to, sizeof(to), strchr(address, ':') ? "[%s]:%lld" : "%s:%lld", address,
             (long long)json_integer_value(json_object_get(edge, "seen_port")));
    bool anybody = !strcmp(kind, "group") || !strcmp(kind, "address");
    json_t *answer = flows->path(flows->context, anybody ? "*" : text_of(client, "name"), to);
    json_decref(known);
    return answer;
}

static bool is_end(const char *text) {
    return text && *text && strlen(text) <= END_LENGTH_MAX;
}

json_t *flow_api_path(const struct web_flows *flows, struct graph *graph, struct MHD_Connection *connection,
                      unsigned *ret_status) {
    const char *from = argument(connection, "from"), *to = argument(connection, "to");
    uint64_t edge;
    *ret_status = MHD_HTTP_OK;
    if (!flows->path)
        return not_watched(ret_status);
    if (!edge_of(argument(connection, "edge"), &edge))
        return refusal(MHD_HTTP_BAD_REQUEST, "edge is the id of an edge, 16 digits", ret_status);
    if (edge)
        return path_of_edge(flows, graph, edge, ret_status);
    if (!is_end(from) || !is_end(to))
        return refusal(MHD_HTTP_BAD_REQUEST,
                       "from and to say between whom: names, addresses, ADDRESS:PORT or :PORT; or edge=ID", ret_status);
    return flows->path(flows->context, from, to);
}
