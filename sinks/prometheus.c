/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A page that Prometheus scrapes: GET /metrics, text format 0.0.4.
 *
 * Each window is added where the records are made, under a lock held for the addition only; a thread of libmicrohttpd
 * answers. On loopback everybody on the host may read, as of any exporter; requests by a name that could be somebody
 * else's are refused there (a web page that rebinds its name to 127.0.0.1). Beyond loopback a token is needed, or
 * `public=yes`.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "series.h"
#include "sink.h"

struct prometheus_sink {
    struct MHD_Daemon *daemon;
    char token[1024]; /* empty: none */
    bool loopback;
    unsigned kinds;       /* bits of enum sink_record_kind */
    pthread_mutex_t lock; /* what follows */
    struct series *series;
    struct writer report; /* the last agent record's, as text */
};

static enum MHD_Result respond(struct MHD_Connection *connection, unsigned status, const char *text) {
    struct MHD_Response *response = MHD_create_response_from_buffer(strlen(text), (void *)text, MHD_RESPMEM_PERSISTENT);
    if (!response)
        return MHD_NO;
    if (status == MHD_HTTP_UNAUTHORIZED)
        MHD_add_response_header(response, "WWW-Authenticate", "Bearer");
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

/* An address or localhost: nobody's domain. */
static bool harmless_host(const char *host) {
    char name[64];
    uint8_t address[16];
    if (!host || strlen(host) >= sizeof(name))
        return false;
    size_t length = *host == '[' ? strcspn(host, "]") : strcspn(host, ":");
    memcpy(name, host + (*host == '['), length - (*host == '['));
    name[length - (*host == '[')] = '\0';
    return !strcmp(name, "localhost") || inet_pton(AF_INET, name, address) == 1 ||
           inet_pton(AF_INET6, name, address) == 1;
}

/* Takes as long whatever the first different byte is. */
static bool authorized(const struct prometheus_sink *sink, const char *header) {
    static const char scheme[] = "Bearer ";
    if (!header || strncmp(header, scheme, sizeof(scheme) - 1))
        return false;
    const char *given = header + sizeof(scheme) - 1;
    size_t length = strlen(sink->token);
    unsigned different = strlen(given) != length;
    for (size_t i = 0; i < length && given[i]; i++)
        different |= (unsigned char)given[i] ^ (unsigned char)sink->token[i];
    return !different;
}

static enum MHD_Result metrics(struct prometheus_sink *sink, struct MHD_Connection *connection) {
    struct writer out = {0};
    pthread_mutex_lock(&sink->lock);
    series_write(sink->series, &out);
    writer_bytes(&out, sink->report.bytes, sink->report.length);
    pthread_mutex_unlock(&sink->lock);
    if (out.failed) {
        writer_done(&out);
        return respond(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, "out of memory\n");
    }
    struct MHD_Response *response = MHD_create_response_from_buffer(out.length, out.bytes, MHD_RESPMEM_MUST_FREE);
    if (!response) {
        writer_done(&out);
        return MHD_NO;
    }
    MHD_add_response_header(response, "Content-Type", "text/plain; version=0.0.4; charset=utf-8");
    enum MHD_Result result = MHD_queue_response(connection, MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result answer(void *context, struct MHD_Connection *connection, const char *url, const char *method,
                              const char *version, const char *data, size_t *data_size, void **request) {
    struct prometheus_sink *sink = context;
    (void)version;
    (void)data;
    (void)request;
    *data_size = 0;
    if (*sink->token) {
        if (!authorized(sink, MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Authorization")))
            return respond(connection, MHD_HTTP_UNAUTHORIZED, "a token is needed\n");
    } else if (sink->loopback && !harmless_host(MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Host"))) {
        return respond(connection, MHD_HTTP_FORBIDDEN, "ask by address or as localhost\n");
    }
    if (strcmp(method, "GET") && strcmp(method, "HEAD"))
        return respond(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET\n");
    if (!strcmp(url, "/metrics"))
        return metrics(sink, connection);
    return respond(connection, MHD_HTTP_NOT_FOUND, "weft: see /metrics\n");
}

/* ADDRESS:PORT or [ADDRESS]:PORT. */
static int parse_address(const char *text, struct sockaddr_storage *ret_address, bool *ret_loopback) {
    const char *colon = strrchr(text, ':');
    char host[64], *end;
    if (!colon || colon - text >= (ptrdiff_t)sizeof(host))
        return -EINVAL;
    bool bracketed = *text == '[' && colon > text && colon[-1] == ']';
    size_t length = colon - text - 2 * bracketed;
    memcpy(host, text + bracketed, length);
    host[length] = '\0';
    unsigned long port = strtoul(colon + 1, &end, 10);
    if (end == colon + 1 || *end || !port || port > 65535)
        return -EINVAL;
    struct sockaddr_in *four = (struct sockaddr_in *)ret_address;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)ret_address;
    memset(ret_address, 0, sizeof(*ret_address));
    if (!bracketed && inet_pton(AF_INET, host, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = htons(port);
        *ret_loopback = ntohl(four->sin_addr.s_addr) >> 24 == 127;
        return 0;
    }
    if (bracketed && inet_pton(AF_INET6, host, &six->sin6_addr) == 1) {
        six->sin6_family = AF_INET6;
        six->sin6_port = htons(port);
        *ret_loopback = IN6_IS_ADDR_LOOPBACK(&six->sin6_addr);
        return 0;
    }
    return -EINVAL;
}

static int read_token(const char *path, char *token, size_t size, char *error, size_t error_size) {
    FILE *file = fopen(path, "re");
    if (!file || !fgets(token, size, file)) {
        int result = file ? -EINVAL : -errno;
        snprintf(error, error_size, "token_file %s: %s", path, file ? "empty" : strerror(errno));
        if (file)
            fclose(file);
        return result;
    }
    fclose(file);
    token[strcspn(token, "\r\n")] = '\0';
    if (*token)
        return 0;
    snprintf(error, error_size, "token_file %s: its first line is empty", path);
    return -EINVAL;
}

static void prometheus_free(struct prometheus_sink *sink) {
    if (sink->daemon)
        MHD_stop_daemon(sink->daemon);
    series_free(sink->series);
    writer_done(&sink->report);
    pthread_mutex_destroy(&sink->lock);
    free(sink);
}

static int listen_at(struct prometheus_sink *sink, struct sockaddr_storage *address) {
    unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_AUTO;
    if (address->ss_family == AF_INET6)
        flags |= MHD_USE_IPv6;
    sigset_t all, before;
    sigfillset(&all); /* signals are for the main thread */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    errno = 0;
    sink->daemon = MHD_start_daemon(flags, 0, NULL, NULL, answer, sink, MHD_OPTION_SOCK_ADDR, address,
                                    MHD_OPTION_CONNECTION_LIMIT, 16u, MHD_OPTION_CONNECTION_TIMEOUT, 30u,
                                    MHD_OPTION_LISTENING_ADDRESS_REUSE, 1u, MHD_OPTION_END);
    int result = sink->daemon ? 0 : errno ? -errno : -EIO;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return result;
}

static int start(struct prometheus_sink *sink, const struct sink_settings *settings, char *error, size_t error_size) {
    struct sockaddr_storage address;
    const char *token = settings_text(settings, "token_file");
    if (parse_address(settings->argument, &address, &sink->loopback)) {
        snprintf(error, error_size, "expected ADDRESS:PORT, such as 127.0.0.1:9464 or [::1]:9464");
        return -EINVAL;
    }
    if (!sink->loopback && !token && !settings_bool(settings, "public")) {
        snprintf(error, error_size,
                 "beyond loopback the names of services are for whoever asks: add token_file=PATH, or "
                 "public=yes if that is meant");
        return -EINVAL;
    }
    int result = token ? read_token(token, sink->token, sizeof(sink->token), error, error_size) : 0;
    if (result)
        return result;
    result = series_new(settings_number(settings, "series"), &sink->series);
    if (!result)
        result = listen_at(sink, &address);
    if (result)
        snprintf(error, error_size, "%s%s", strerror(-result),
                 result == -EADDRINUSE ? ": choose another with prometheus:ADDRESS:PORT" : "");
    return result;
}

static int prometheus_open(const struct sink_settings *settings, void **ret_sink, char *error, size_t error_size) {
    struct prometheus_sink *sink = calloc(1, sizeof(*sink));
    if (!sink) {
        snprintf(error, error_size, "out of memory");
        return -ENOMEM;
    }
    pthread_mutex_init(&sink->lock, NULL);
    sink->kinds = settings_list(settings, "records");
    int result = start(sink, settings, error, error_size);
    if (result) {
        prometheus_free(sink);
        return result;
    }
    *ret_sink = sink;
    return 0;
}

static void prometheus_observe(void *context, const struct sink_record *records, size_t count) {
    struct prometheus_sink *sink = context;
    pthread_mutex_lock(&sink->lock);
    for (size_t i = 0; i < count; i++) {
        if (!(sink->kinds & 1u << records[i].kind))
            continue;
        if (records[i].kind == SINK_EDGE)
            series_add(sink->series, records[i].source);
        if (records[i].kind != SINK_AGENT)
            continue;
        writer_cut(&sink->report, 0);
        series_write_report(&sink->report, records[i].source);
    }
    pthread_mutex_unlock(&sink->lock);
}

static size_t prometheus_counters(void *context, struct counter *counters) {
    struct prometheus_sink *sink = context;
    pthread_mutex_lock(&sink->lock);
    counters[0] = (struct counter){"prometheus_series_refused", series_refused(sink->series)};
    pthread_mutex_unlock(&sink->lock);
    return 1;
}

static void prometheus_close(void *context, uint64_t deadline_ns) {
    (void)deadline_ns;
    prometheus_free(context);
}

static const struct sink_option prometheus_options[] = {
    {"series", SINK_OPTION_NUMBER, "2000", "pairs of client and server; further ones are summed as `other`", NULL},
    {"token_file", SINK_OPTION_TEXT, NULL, "file whose first line is asked for as a bearer token", NULL},
    {"public", SINK_OPTION_BOOL, "no", "beyond loopback without a token", NULL},
    {0},
};

const struct sink_ops sink_prometheus = {
    .name = "prometheus",
    .argument = "ADDRESS:PORT",
    .standard = "127.0.0.1:9464",
    .help = "http://ADDRESS:PORT/metrics for Prometheus to scrape",
    .options = prometheus_options,
    .open = prometheus_open,
    .observe = prometheus_observe,
    .counters = prometheus_counters,
    .close = prometheus_close,
};
