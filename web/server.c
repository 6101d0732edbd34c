/* SPDX-License-Identifier: Apache-2.0 */
#include "server.h"

#include <errno.h>
#include <inttypes.h>
#include <microhttpd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "access.h"
#include "assets.h"
#include "events.h"
#include "flow_api.h"
#include "listen.h"

#define SECOND_NS 1000000000ULL

enum { CONNECTIONS_MAX = 64, IDLE_SECONDS = 60, RANGE_SECONDS_MAX = 3600, RANGE_SECONDS = 60 };

struct listener {
    struct web *web;
    struct MHD_Daemon *daemon;
    bool checked; /* its callers must pass access_decide */
};

struct web {
    struct graph *graph;
    struct web_flows flows;
    json_t *(*status)(void *context);
    json_t *(*interfaces)(void *context);
    void (*reading)(void *context, bool stream);
    void *context;
    struct access_policy policy;
    struct events *events;
    struct listener tcp, local;
    uint16_t port;
    char *token, *unix_socket_path;
};

static const struct {
    const char *name, *value;
} headers[] = {
    {"Content-Security-Policy",
     "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
     "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
    {"X-Content-Type-Options", "nosniff"},
    {"X-Frame-Options", "DENY"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"Permissions-Policy", "camera=(), geolocation=(), microphone=()"},
};

/* Takes the response. */
static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status, struct MHD_Response *response,
                              const char *type, const char *cache) {
    if (!response)
        return MHD_NO;
    for (size_t i = 0; i < sizeof(headers) / sizeof(*headers); i++)
        MHD_add_response_header(response, headers[i].name, headers[i].value);
    MHD_add_response_header(response, "Content-Type", type);
    MHD_add_response_header(response, "Cache-Control", cache);
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

/* Takes the reference. */
static enum MHD_Result answer_json(struct MHD_Connection *connection, unsigned status, json_t *json) {
    char *text = json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(6));
    json_decref(json);
    if (!text)
        return MHD_NO;
    struct MHD_Response *response = MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
    if (!response)
        free(text);
    if (response && status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, "Allow", "GET, HEAD");
    if (response && status == MHD_HTTP_UNAUTHORIZED)
        MHD_add_response_header(response, "WWW-Authenticate", "Bearer");
    return answer(connection, status, response, "application/json", "no-store");
}

static enum MHD_Result refuse(struct MHD_Connection *connection, unsigned status, const char *why) {
    json_t *json = json_object();
    json_object_set_new(json, "error", json_string(why));
    return answer_json(connection, status, json);
}

/* ?seconds= and ?to=; false: not understood. */
static bool range_of(struct MHD_Connection *connection, struct graph_range *ret_range) {
    const char *seconds = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "seconds");
    const char *to = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "to");
    char *end = "";
    unsigned long long value = seconds ? strtoull(seconds, &end, 10) : RANGE_SECONDS;
    if (*end || value < 1 || value > RANGE_SECONDS_MAX)
        return false;
    *ret_range = (struct graph_range){.length = value * SECOND_NS};
    errno = 0;
    if (to)
        ret_range->to = strtoull(to, &end, 10);
    return !*end && !errno && (!to || (*to >= '0' && *to <= '9'));
}

static json_t *agent_status(struct web *web) {
    return web->status ? web->status(web->context) : json_object();
}

static json_t *map_object(struct web *web, struct graph_range range) {
    json_t *map = graph_map(web->graph, range);
    if (map)
        json_object_set_new(map, "agent", agent_status(web));
    return map;
}

static json_t *interfaces_object(struct web *web) {
    json_t *object = json_object();
    json_object_set_new(object, "interfaces", web->interfaces ? web->interfaces(web->context) : json_array());
    return object;
}

static json_t *status_object(struct web *web) {
    struct graph_counters graph;
    struct events_counters events;
    graph_counters(web->graph, &graph);
    events_counters(web->events, &events);
    return json_pack("{s:i, s:o, s:{s:I, s:I, s:I, s:I, s:I}, s:{s:I, s:I, s:I}}", "version", 1, "agent",
                     agent_status(web), "graph", "windows", (json_int_t)graph.windows, "bytes", (json_int_t)graph.bytes,
                     "windows_evicted", (json_int_t)graph.windows_evicted, "edges_left_out",
                     (json_int_t)graph.edges_left_out, "memory_refused", (json_int_t)graph.memory_refused, "streams",
                     "open", (json_int_t)events.streams, "refused", (json_int_t)events.refused, "updates_skipped",
                     (json_int_t)events.skipped);
}

static void tell_reading(struct web *web, bool stream) {
    if (web->reading)
        web->reading(web->context, stream);
}

/* What an open stream asks each second. */
static uint64_t generation(void *context) {
    struct web *web = context;
    tell_reading(web, true);
    return graph_generation(web->graph);
}

static char *render(void *context, uint64_t range_ns, size_t *ret_length) {
    json_t *map = map_object(context, (struct graph_range){.length = range_ns});
    char *text = map ? json_dumps(map, JSON_COMPACT | JSON_REAL_PRECISION(6)) : NULL;
    json_decref(map);
    if (text)
        *ret_length = strlen(text);
    return text;
}

static enum MHD_Result serve_events(struct web *web, struct MHD_Connection *connection, struct graph_range range,
                                    bool head) {
    unsigned status = 0;
    if (range.to)
        return refuse(connection, MHD_HTTP_BAD_REQUEST, "events are live: they take no `to`");
    struct MHD_Response *response = head ? MHD_create_response_from_buffer(0, "", MHD_RESPMEM_PERSISTENT)
                                         : events_stream(web->events, connection, range.length, &status);
    if (response)
        return answer(connection, MHD_HTTP_OK, response, "text/event-stream", "no-store");
    return refuse(connection, status,
                  status == MHD_HTTP_BAD_REQUEST ? "events take seconds=10, 60, 300, 900 or 3600"
                                                 : "16 event streams are open already: close one");
}

static bool parse_id(const char *text, uint64_t *ret_id) {
    char *end;
    *ret_id = strtoull(text, &end, 16);
    return strspn(text, "0123456789abcdef") == 16 && !*end;
}

static enum MHD_Result serve_flows(struct web *web, struct MHD_Connection *connection, bool path) {
    unsigned status;
    tell_reading(web, false);
    json_t *json = path ? flow_api_path(&web->flows, web->graph, connection, &status)
                        : flow_api_flows(&web->flows, connection, &status);
    return json ? answer_json(connection, status, json)
                : refuse(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, "out of memory");
}

static enum MHD_Result serve_api(struct web *web, struct MHD_Connection *connection, const char *path, bool head) {
    struct graph_range range;
    uint64_t id;
    json_t *json;
    if (!strcmp(path, "flows") || !strcmp(path, "path"))
        return serve_flows(web, connection, *path == 'p');
    if (!range_of(connection, &range))
        return refuse(connection, MHD_HTTP_BAD_REQUEST, "seconds is 1 to 3600, to is a time in Unix nanoseconds");
    if (strcmp(path, "status"))
        tell_reading(web, false);
    if (!strcmp(path, "events"))
        return serve_events(web, connection, range, head);
    if (!strcmp(path, "map"))
        json = map_object(web, range);
    else if (!strcmp(path, "timeline"))
        json = graph_timeline(web->graph);
    else if (!strcmp(path, "status"))
        json = status_object(web);
    else if (!strcmp(path, "interfaces"))
        json = interfaces_object(web);
    else if (!strncmp(path, "edges/", 6) && parse_id(path + 6, &id))
        json = graph_edge(web->graph, id, range);
    else if (!strncmp(path, "nodes/", 6) && parse_id(path + 6, &id))
        json = graph_node(web->graph, id, range);
    else
        return refuse(connection, MHD_HTTP_NOT_FOUND, "no such resource: see docs/api.md");
    if (!json)
        return refuse(connection, MHD_HTTP_NOT_FOUND, "the last hour knows nothing of that id");
    return answer_json(connection, MHD_HTTP_OK, json);
}

static enum MHD_Result serve_asset(struct MHD_Connection *connection, const char *url) {
    for (size_t i = 0; i < asset_count; i++) {
        const struct asset *asset = &assets[i];
        if (strcmp(asset->path, url))
            continue;
        const char *known = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "If-None-Match");
        bool same = known && !strcmp(known, asset->etag);
        struct MHD_Response *response = MHD_create_response_from_buffer(same ? 0 : (size_t)(asset->end - asset->start),
                                                                        (void *)asset->start, MHD_RESPMEM_PERSISTENT);
        if (response)
            MHD_add_response_header(response, "ETag", asset->etag);
        return answer(connection, same ? MHD_HTTP_NOT_MODIFIED : MHD_HTTP_OK, response, asset->type, "no-cache");
    }
    return refuse(connection, MHD_HTTP_NOT_FOUND, "no such page");
}

/* The token has done its work in the address: it moves into a cookie, out of history and logs. */
static enum MHD_Result give_cookie(struct web *web, struct MHD_Connection *connection, const char *url) {
    char cookie[400];
    struct MHD_Response *response = MHD_create_response_from_buffer(0, "", MHD_RESPMEM_PERSISTENT);
    snprintf(cookie, sizeof(cookie), ACCESS_COOKIE "=%s; Path=/; HttpOnly; SameSite=Strict; Max-Age=2592000",
             web->token);
    if (response) {
        MHD_add_response_header(response, "Set-Cookie", cookie);
        MHD_add_response_header(response, "Location", !strncmp(url, "//", 2) ? "/" : url);
    }
    return answer(connection, MHD_HTTP_SEE_OTHER, response, "text/plain", "no-store");
}

static enum access decide(struct web *web, struct MHD_Connection *connection, bool api) {
    struct access_request request = {
        .host = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Host"),
        .origin = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Origin"),
        .fetch_site = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Sec-Fetch-Site"),
        .authorization = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Authorization"),
        .cookie = MHD_lookup_connection_value(connection, MHD_COOKIE_KIND, ACCESS_COOKIE),
        .token_argument = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "token"),
        .api = api,
    };
    return access_decide(&web->policy, &request);
}

/* Once for each request, when its headers are complete; on libmicrohttpd's thread. */
static enum MHD_Result serve(void *context, struct MHD_Connection *connection, const char *url, const char *method,
                             const char *version, const char *upload, size_t *upload_size, void **request) {
    struct listener *listener = context;
    struct web *web = listener->web;
    bool api = !strncmp(url, "/api/", 5), head = !strcmp(method, "HEAD");
    (void)version, (void)upload, (void)upload_size, (void)request;
    enum access access = listener->checked ? decide(web, connection, api) : ACCESS_GRANTED;
    switch (access) {
    case ACCESS_WRONG_HOST:
        return refuse(connection, MHD_HTTP_FORBIDDEN, "the Host header names another host than this one's loopback");
    case ACCESS_WRONG_ORIGIN:
        return refuse(connection, MHD_HTTP_FORBIDDEN, "asked by the page of another site");
    case ACCESS_NO_TOKEN:
        return refuse(connection, MHD_HTTP_UNAUTHORIZED,
                      "a token is needed: open the page with ?token=TOKEN, or send Authorization: Bearer TOKEN");
    case ACCESS_GRANTED_BY_ARGUMENT:
    case ACCESS_GRANTED:
        break;
    }
    if (strcmp(method, "GET") && !head)
        return refuse(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD: nothing can be changed from here");
    if (access == ACCESS_GRANTED_BY_ARGUMENT && !api)
        return give_cookie(web, connection, url);
    if (!strncmp(url, "/api/v1/", 8))
        return serve_api(web, connection, url + 8, head);
    return serve_asset(connection, url);
}

/* Takes the descriptor. */
static int start(struct listener *listener, struct web *web, int fd, bool checked, char *error, size_t size) {
    listener->web = web;
    listener->checked = checked;
    listener->daemon = MHD_start_daemon(MHD_USE_AUTO | MHD_USE_INTERNAL_POLLING_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0,
                                        NULL, NULL, serve, listener, MHD_OPTION_LISTEN_SOCKET, fd,
                                        MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
                                        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_SECONDS, MHD_OPTION_END);
    if (listener->daemon)
        return 0;
    close(fd);
    snprintf(error, size, "cannot start the web server: %s", strerror(errno ? errno : ENOMEM));
    return errno ? -errno : -ENOMEM;
}

static int open_tcp(struct web *web, const struct web_options *options, char *error, size_t size) {
    int fd = listen_tcp(options->address, options->port, &web->port, &web->policy.loopback, error, size);
    if (fd < 0)
        return fd;
    if (!web->policy.loopback && !web->token) {
        close(fd);
        snprintf(error, size,
                 "%s is beyond loopback, where everybody could read the page: give a token as well "
                 "(--page-token-file FILE, or page_token in the configuration), or listen on 127.0.0.1",
                 options->address);
        return -EACCES;
    }
    return start(&web->tcp, web, fd, true, error, size);
}

static int open_unix(struct web *web, const struct web_options *options, char *error, size_t size) {
    int fd = listen_unix(options->unix_socket_path, error, size);
    if (fd < 0)
        return fd;
    web->unix_socket_path = strdup(options->unix_socket_path);
    return start(&web->local, web, fd, false, error, size);
}

int web_new(const struct web_options *options, struct web **ret_web, char *error, size_t error_size) {
    struct web *web = calloc(1, sizeof(*web));
    if (!web)
        return -ENOMEM;
    if (options->token && !access_token_valid(options->token)) {
        snprintf(error, error_size, "the page's token must be 16 to 256 characters of A-Z a-z 0-9 . _ ~ -");
        free(web);
        return -EINVAL;
    }
    web->graph = options->graph;
    web->flows = options->flows;
    web->status = options->status;
    web->interfaces = options->interfaces;
    web->reading = options->reading;
    web->context = options->context;
    web->policy.token = web->token = options->token ? strdup(options->token) : NULL;
    int result = events_new(&(struct events_options){generation, render, web}, &web->events);
    if (!result && options->address)
        result = open_tcp(web, options, error, error_size);
    if (!result && options->unix_socket_path)
        result = open_unix(web, options, error, error_size);
    if (result) {
        web_free(web);
        return result;
    }
    *ret_web = web;
    return 0;
}

uint16_t web_port(const struct web *web) {
    return web->port;
}

void web_free(struct web *web) {
    if (!web)
        return;
    if (web->events)
        events_stop(web->events);
    if (web->tcp.daemon)
        MHD_stop_daemon(web->tcp.daemon);
    if (web->local.daemon)
        MHD_stop_daemon(web->local.daemon);
    events_free(web->events);
    if (web->unix_socket_path)
        unlink(web->unix_socket_path);
    free(web->unix_socket_path);
    free(web->token);
    free(web);
}
