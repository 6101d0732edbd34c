/* SPDX-License-Identifier: Apache-2.0 */
#include "series.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/* Upper bounds 2^14 ns (16 us) ... 2^34 ns (17 s). */
enum { FIRST_POWER = 14, LAST_POWER = 34, BOUNDS = LAST_POWER - FIRST_POWER + 1, NAME_LENGTH = 128 };

struct buckets {
    uint64_t counts[BOUNDS + 1]; /* of each alone; the last one has no bound */
    uint64_t count;
    double sum; /* seconds */
};

struct one {
    uint64_t hash;
    char client[NAME_LENGTH], server[NAME_LENGTH];
    const char *type;
    bool called; /* it has requests, so it is part of the service graph */
    uint64_t requests, failed, connects, connect_failures, request_bytes, response_bytes;
    bool packets_seen;
    uint64_t request_packets, response_packets, retransmits, dropped;
    struct buckets server_seconds, client_seconds, rtt_seconds, connect_seconds;
};

struct series {
    struct one **ones; /* in the order in which they came */
    size_t count, limit;
    struct table by_hash;
    struct one other;
    bool other_used;
    uint64_t refused;
};

int series_new(size_t limit, struct series **ret_series) {
    struct series *series = calloc(1, sizeof(*series));
    if (!series)
        return -ENOMEM;
    series->ones = calloc(limit ? limit : 1, sizeof(*series->ones));
    if (!series->ones) {
        free(series);
        return -ENOMEM;
    }
    series->limit = limit;
    series->by_hash.limit = limit + 1;
    series->other = (struct one){.client = "other", .server = "other", .type = ""};
    *ret_series = series;
    return 0;
}

void series_free(struct series *series) {
    if (!series)
        return;
    for (size_t i = 0; i < series->count; i++)
        free(series->ones[i]);
    free(series->ones);
    table_done(&series->by_hash);
    free(series);
}

/* Tempo's values: empty, virtual_node, messaging_system, database. */
static const char *connection_type(const struct edge *edge) {
    static const struct {
        const char *protocol, *type;
    } types[] = {
        {"postgresql", "database"},    {"mysql", "database"},        {"redis", "database"},
        {"mongodb", "database"},       {"memcached", "database"},    {"cassandra", "database"},
        {"kafka", "messaging_system"}, {"amqp", "messaging_system"}, {"mqtt", "messaging_system"},
        {"nats", "messaging_system"},
    };
    const char *protocol = protocol_name(edge->protocol);
    for (size_t i = 0; protocol && i < sizeof(types) / sizeof(types[0]); i++)
        if (!strcmp(types[i].protocol, protocol))
            return types[i].type;
    return edge->client_here && edge->server_here ? "" : "virtual_node";
}

static uint64_t hash_of(const struct edge *edge, const char *type) {
    const char *client = edge_end_name(&edge->client), *server = edge_end_name(&edge->server);
    uint64_t hash = XXH3_64bits(client, strlen(client));
    hash = XXH3_64bits_withSeed(server, strlen(server), hash);
    hash = XXH3_64bits_withSeed(type, strlen(type), hash);
    return hash ? hash : 1;
}

static struct one *find(struct series *series, const struct edge *edge) {
    const char *type = connection_type(edge);
    uint64_t hash = hash_of(edge, type);
    struct one *one = table_get(&series->by_hash, hash);
    if (one)
        return one;
    one = series->count < series->limit ? calloc(1, sizeof(*one)) : NULL;
    if (!one || table_put(&series->by_hash, hash, one)) {
        free(one);
        series->refused++;
        series->other_used = true;
        return &series->other;
    }
    one->hash = hash;
    one->type = type;
    strncpy(one->client, edge_end_name(&edge->client), NAME_LENGTH - 1);
    strncpy(one->server, edge_end_name(&edge->server), NAME_LENGTH - 1);
    series->ones[series->count++] = one;
    return one;
}

/* Bucket i of a histogram ends at 2^((i+1)/16) ns, so bound b takes those with (i+1)/16 <= FIRST_POWER + b. */
static void add_histogram(struct buckets *to, const struct histogram *from) {
    for (uint32_t i = 0; i < from->length; i++) {
        int end = from->offset + (int)i + 1; /* in sixteenths of a power */
        int bound = (end + (1 << HISTOGRAM_SCALE) - 1) / (1 << HISTOGRAM_SCALE) - FIRST_POWER;
        to->counts[bound < 0 ? 0 : bound < BOUNDS ? bound : BOUNDS] += from->counts[i];
    }
    to->count += from->count;
    to->sum += from->sum / 1e9;
}

static void add_packets(struct one *to, const struct edge_packets *from) {
    if (!from)
        return;
    to->packets_seen = true;
    to->request_packets += from->request;
    to->response_packets += from->response;
    to->retransmits += from->retransmits;
    for (int i = 0; i < DROP_LIMIT; i++)
        to->dropped += from->drops[i].packets;
    add_histogram(&to->rtt_seconds, &from->rtt);
    add_histogram(&to->connect_seconds, &from->connect_latency);
}

void series_add(struct series *series, const struct edge *edge) {
    const struct edge_window *w = &edge->window;
    uint64_t connect_failures = 0;
    for (int i = 0; i < ERRNO_LIMIT && w->failures[i].count; i++)
        connect_failures += w->failures[i].count;
    struct one *one = find(series, edge);
    one->requests += w->calls + connect_failures;
    one->failed += w->server_error + w->timeout + w->no_response + connect_failures;
    one->called |= w->calls || connect_failures;
    one->connects += w->connects;
    one->connect_failures += connect_failures;
    one->request_bytes += w->request_bytes;
    one->response_bytes += w->response_bytes;
    add_histogram(&one->server_seconds, &w->duration);
    add_histogram(&one->client_seconds, &w->client_duration);
    add_packets(one, w->packets);
}

uint64_t series_refused(const struct series *series) {
    return series->refused;
}

/* ---- text ---- */

static void label_value(struct writer *out, const char *text) {
    struct writer json = {0}; /* its string has no bytes that are not UTF-8, and escapes a superset */
    writer_text(out, "\"");
    writer_string(&json, text);
    for (size_t i = 1; i + 1 < json.length; i++) {
        if (json.bytes[i] == '\\' && json.bytes[i + 1] == 'u') {
            bool newline = i + 5 < json.length && !memcmp(json.bytes + i, "\\u000a", 6);
            bool replaced = i + 5 < json.length && !memcmp(json.bytes + i, "\\ufffd", 6);
            writer_text(out, newline ? "\\n" : replaced ? "\xef\xbf\xbd" : " ");
            i += 5;
            continue;
        }
        writer_bytes(out, &json.bytes[i], 1);
        if (json.bytes[i] == '\\') /* an escaped backslash or quote: both bytes at once */
            writer_bytes(out, &json.bytes[++i], 1);
    }
    writer_text(out, "\"");
    writer_done(&json);
}

static void head(struct writer *out, const char *name, const char *type, const char *help) {
    const char *const parts[] = {"# HELP ", name, " ", help, "\n# TYPE ", name, " ", type, "\n"};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        writer_text(out, parts[i]);
}

static void labels(struct writer *out, const struct one *one, const char *more) {
    writer_text(out, "{client=");
    label_value(out, one->client);
    writer_text(out, ",server=");
    label_value(out, one->server);
    writer_text(out, ",connection_type=\"");
    writer_text(out, one->type);
    writer_text(out, "\"");
    writer_text(out, more);
    writer_text(out, "} ");
}

static void seconds(struct writer *out, double value) {
    char text[40];
    int length = snprintf(text, sizeof(text), "%.17g", value);
    writer_bytes(out, text, length);
}

static void write_buckets(struct writer *out, const char *name, const struct one *one, const struct buckets *buckets) {
    uint64_t sum = 0;
    if (!buckets->count)
        return;
    for (int i = 0; i <= BOUNDS; i++) {
        char le[40];
        if (i < BOUNDS)
            snprintf(le, sizeof(le), ",le=\"%.12g\"", (double)(1ULL << (FIRST_POWER + i)) / 1e9);
        else
            strcpy(le, ",le=\"+Inf\"");
        sum += buckets->counts[i];
        writer_text(out, name);
        writer_text(out, "_bucket");
        labels(out, one, le);
        writer_unsigned(out, sum);
        writer_text(out, "\n");
    }
    writer_text(out, name);
    writer_text(out, "_sum");
    labels(out, one, "");
    seconds(out, buckets->sum);
    writer_text(out, "\n");
    writer_text(out, name);
    writer_text(out, "_count");
    labels(out, one, "");
    writer_unsigned(out, sum);
    writer_text(out, "\n");
}

static const struct one *at(const struct series *series, size_t i) {
    return i < series->count ? series->ones[i] : i == series->count && series->other_used ? &series->other : NULL;
}

static const struct {
    const char *name, *help, *more;
    size_t offset;
    enum { ALWAYS, CALLED, PACKETS } where; /* only where there were any calls, where packets are watched */
} plain[] = {
    {"traces_service_graph_request_total", "Requests from client to server, failed connects included.", "",
     offsetof(struct one, requests), CALLED},
    {"traces_service_graph_request_failed_total",
     "Requests answered with the server's fault, not in time or not at all, and failed connects.", "",
     offsetof(struct one, failed), CALLED},
    {"weft_edge_connects_total", "Connections from client to server.", "", offsetof(struct one, connects), ALWAYS},
    {"weft_edge_connect_failures_total", "Connects that failed.", "", offsetof(struct one, connect_failures), ALWAYS},
    {"weft_edge_request_bytes_total", "Bytes from client to server.", "", offsetof(struct one, request_bytes), ALWAYS},
    {"weft_edge_response_bytes_total", "Bytes from server to client.", "", offsetof(struct one, response_bytes),
     ALWAYS},
    {"weft_edge_request_packets_total", "Packets from client to server.", "", offsetof(struct one, request_packets),
     PACKETS},
    {"weft_edge_response_packets_total", "Packets from server to client.", "", offsetof(struct one, response_packets),
     PACKETS},
    {"weft_edge_retransmits_total", "TCP segments sent again, by either end.", "", offsetof(struct one, retransmits),
     PACKETS},
    {"weft_edge_dropped_packets_total", "Packets that the kernel dropped.", "", offsetof(struct one, dropped), PACKETS},
};

void series_write(const struct series *series, struct writer *out) {
    static const struct {
        const char *name, *help;
        size_t offset;
    } histograms[] = {
        {"traces_service_graph_request_server_seconds",
         "First byte of the request read by the server to last byte of its answer written.",
         offsetof(struct one, server_seconds)},
        {"traces_service_graph_request_client_seconds",
         "First byte of the request written by the client to last byte of the answer read.",
         offsetof(struct one, client_seconds)},
        {"weft_edge_rtt_seconds", "Round trips, as the senders' TCP measured them.", offsetof(struct one, rtt_seconds)},
        {"weft_edge_connect_seconds", "SYN to SYN-ACK, at the client's side.", offsetof(struct one, connect_seconds)},
    };
    const struct one *one;
    for (size_t k = 0; k < sizeof(plain) / sizeof(plain[0]); k++) {
        head(out, plain[k].name, "counter", plain[k].help);
        for (size_t i = 0; (one = at(series, i)); i++) {
            if ((plain[k].where == CALLED && !one->called) || (plain[k].where == PACKETS && !one->packets_seen))
                continue;
            writer_text(out, plain[k].name);
            labels(out, one, plain[k].more);
            writer_unsigned(out, *(const uint64_t *)((const char *)one + plain[k].offset));
            writer_text(out, "\n");
        }
    }
    for (size_t k = 0; k < sizeof(histograms) / sizeof(histograms[0]); k++) {
        head(out, histograms[k].name, "histogram", histograms[k].help);
        for (size_t i = 0; (one = at(series, i)); i++)
            write_buckets(out, histograms[k].name, one,
                          (const struct buckets *)((const char *)one + histograms[k].offset));
    }
}

static void simple(struct writer *out, const char *name, const char *type, const char *help, uint64_t value) {
    head(out, name, type, help);
    writer_text(out, name);
    writer_text(out, " ");
    writer_unsigned(out, value);
    writer_text(out, "\n");
}

static void write_counters(struct writer *out, const struct agent_report *report) {
    for (size_t i = 0; i < report->counter_count; i++) {
        char name[96];
        snprintf(name, sizeof(name), "weft_%s_total", report->counters[i].name);
        simple(out, name, "counter", "See the counter of this name in docs/operations.md.", report->counters[i].value);
    }
}

static void write_hooks(struct writer *out, const struct agent_report *report) {
    if (report->hook_count)
        head(out, "weft_hook_attached", "gauge", "1 if this program of the kernel side is attached.");
    for (size_t i = 0; i < report->hook_count; i++) {
        writer_text(out, "weft_hook_attached{hook=");
        label_value(out, report->hooks[i].name);
        writer_text(out, report->hooks[i].attached ? "} 1\n" : "} 0\n");
    }
}

static void write_sinks(struct writer *out, const struct agent_report *report) {
    static const struct {
        const char *name, *type, *help;
        size_t offset;
    } columns[] = {
        {"weft_sink_offered_records_total", "counter", "Records that this sink was to get.",
         offsetof(struct sink_report, offered)},
        {"weft_sink_taken_records_total", "counter", "Records written, or handed to the library that sends.",
         offsetof(struct sink_report, taken)},
        {"weft_sink_queue_full_records_total", "counter", "Records dropped as the queue before the sink was full.",
         offsetof(struct sink_report, queue_full)},
        {"weft_sink_failed_records_total", "counter", "Records dropped as the sink refused them for good.",
         offsetof(struct sink_report, failed)},
        {"weft_sink_queued_bytes", "gauge", "Memory of records that wait before the sink.",
         offsetof(struct sink_report, queued_bytes)},
        {"weft_sink_unconfirmed_records", "gauge", "Records handed on whose arrival is not confirmed yet.",
         offsetof(struct sink_report, unconfirmed)},
        {"weft_sink_spooled_records", "gauge", "Records in the spool on disk.",
         offsetof(struct sink_report, spool_records)},
        {"weft_sink_spool_size_bytes", "gauge", "What the spool takes on disk.",
         offsetof(struct sink_report, spool_bytes)},
    };
    for (size_t k = 0; report->sink_count && k < sizeof(columns) / sizeof(columns[0]); k++) {
        head(out, columns[k].name, columns[k].type, columns[k].help);
        for (size_t i = 0; i < report->sink_count; i++) {
            writer_text(out, columns[k].name);
            writer_text(out, "{sink=\"");
            writer_unsigned(out, i + 1); /* in the order given: two may be of one kind and argument */
            writer_text(out, "\",kind=");
            label_value(out, report->sinks[i].kind);
            writer_text(out, "} ");
            writer_unsigned(out, *(const uint64_t *)((const char *)&report->sinks[i] + columns[k].offset));
            writer_text(out, "\n");
        }
    }
}

static void write_opaque(struct writer *out, const struct opaque_report *opaque) {
    if (!opaque->known)
        return;
    simple(out, "weft_connections_total", "counter", "Connections seen.", opaque->connections);
    simple(out, "weft_opaque_connections_total", "counter", "Those whose calls could not be read.",
           opaque->opaque_connections);
    simple(out, "weft_stream_bytes_total", "counter", "Bytes of all connections.", opaque->bytes);
    simple(out, "weft_opaque_stream_bytes_total", "counter", "Those of connections whose calls could not be read.",
           opaque->opaque_bytes);
}

void series_write_report(struct writer *out, const struct agent_report *report) {
    if (report->resident_bytes)
        simple(out, "weft_resident_memory_bytes", "gauge", "Resident memory of the agent.", report->resident_bytes);
    if (report->cpu_ns) {
        head(out, "weft_cpu_seconds_total", "counter", "CPU time of the agent's process.");
        writer_text(out, "weft_cpu_seconds_total ");
        seconds(out, report->cpu_ns / 1e9);
        writer_text(out, "\n");
    }
    write_opaque(out, &report->opaque);
    write_hooks(out, report);
    write_sinks(out, report);
    write_counters(out, report);
}
