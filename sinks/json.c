/* SPDX-License-Identifier: Apache-2.0 */
#include "json.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <string.h>

#include "bpf/record.h"

/* Length of the well-formed UTF-8 sequence at `s` (RFC 3629), or 0. */
static size_t utf8(const unsigned char *s) {
    if (s[0] < 0x80)
        return 1;
    size_t length = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : s[0] >= 0xc2 ? 2 : 0;
    if (!length || s[0] > 0xf4)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) ||
        (s[0] == 0xf4 && s[1] > 0x8f))
        return 0;
    return length;
}

void json_string(FILE *out, const char *text) {
    const unsigned char *s = (const unsigned char *)text;
    putc('"', out);
    while (*s) {
        size_t length = utf8(s);
        if (!length) {
            fputs("\\ufffd", out);
            length = 1;
        } else if (*s == '"' || *s == '\\') {
            fprintf(out, "\\%c", *s);
        } else if (*s < 0x20) {
            fprintf(out, "\\u%04x", *s);
        } else {
            fwrite(s, 1, length, out);
        }
        s += length;
    }
    putc('"', out);
}

static void head(FILE *out, const char *kind, struct agent_stamp *stamp, const struct window *window) {
    fprintf(out,
            "{\"record\":\"%s\",\"version\":1,\"agent\":{\"id\":\"%016" PRIx64 "\",\"boot\":\"%016" PRIx64
            "\",\"sequence\":%" PRIu64 "},\"window_start\":%" PRIu64 ",\"window_length\":%" PRIu64,
            kind, stamp->id, stamp->boot, ++stamp->sequence, window->start, window->length);
}

static void histogram(FILE *out, const char *name, const struct histogram *h) {
    if (!h->count)
        return;
    fprintf(out, ",\"%s\":{\"scale\":%d,\"offset\":%d,\"counts\":[", name, HISTOGRAM_SCALE, h->offset);
    for (uint32_t i = 0; i < h->length; i++)
        fprintf(out, "%s%u", i ? "," : "", h->counts[i]);
    fprintf(out,
            "],\"zero_count\":0,\"count\":%" PRIu64 ",\"sum\":%" PRIu64 ",\"min\":%" PRIu64 ",\"max\":%" PRIu64 "}",
            h->count, h->sum, h->min, h->max);
}

static void end(FILE *out, const char *name, const struct edge_end *end, const char *host) {
    fprintf(out, ",\"%s\":{\"id\":\"%016" PRIx64 "\",\"name\":", name, end->id);
    json_string(out, end->name);
    fprintf(out, ",\"kind\":\"%s\"", end->kind);
    if (end->executable && end->executable[0]) {
        fputs(",\"host\":", out);
        json_string(out, host);
        fputs(",\"process\":{\"executable\":", out);
        json_string(out, end->executable);
        fputs("}", out);
    }
    fputs("}", out);
}

static void endpoints(FILE *out, const struct edge_window *w) {
    if (!w->endpoint_count)
        return;
    fputs(",\"endpoints\":[", out);
    for (unsigned i = 0; i < w->endpoint_count; i++) {
        const struct endpoint *e = &w->endpoints[i];
        fprintf(out, "%s{\"endpoint\":", i ? "," : "");
        json_string(out, e->name);
        if (e->operation[0]) {
            fputs(",\"operation\":", out);
            json_string(out, e->operation);
        }
        fprintf(out, ",\"calls\":%" PRIu64 ",\"errors\":%" PRIu64, e->calls, e->errors);
        histogram(out, "duration", &e->duration);
        fputs("}", out);
    }
    fputs("]", out);
}

static void failures(FILE *out, const struct edge_window *w) {
    if (!w->failures[0].count)
        return;
    fputs(",\"connect_failures\":{", out);
    for (int i = 0; i < ERRNO_LIMIT && w->failures[i].count; i++) {
        const char *name = strerrorname_np(w->failures[i].error);
        fprintf(out, "%s\"%s\":%u", i ? "," : "", name ? name : "UNKNOWN", w->failures[i].count);
    }
    fputs("}", out);
}

void json_edge(FILE *out, struct agent_stamp *stamp, const struct window *window, const struct edge *edge) {
    static const char *const proofs[] = {"none", "connect", "accept", "listen"};
    const struct edge_window *w = &edge->window;
    const char *protocol = protocol_name(edge->protocol);
    char address[INET6_ADDRSTRLEN] = "";
    inet_ntop(edge->family == 4 ? AF_INET : AF_INET6, edge->address, address, sizeof(address));
    head(out, "edge", stamp, window);
    fprintf(out, ",\"edge_id\":\"%016" PRIx64 "\"", edge->id);
    end(out, "client", &edge->client, stamp->host);
    end(out, "server", &edge->server, stamp->host);
    fprintf(out,
            ",\"server_port\":%u,\"seen_address\":\"%s\",\"protocol\":\"%s\",\"transport\":\"tcp\","
            "\"tls\":%s,\"observed_at\":\"%s\",\"direction_proof\":\"%s\"",
            edge->server_port, address, protocol ? protocol : "tcp", edge->protocol == PROTOCOL_TLS ? "true" : "false",
            edge->client_here && edge->server_here ? "both"
            : edge->server_here                    ? "server"
                                                   : "client",
            proofs[edge->proof < 4 ? edge->proof : 0]);
    fprintf(out,
            ",\"calls\":%" PRIu64 ",\"errors\":{\"client_error\":%" PRIu64 ",\"server_error\":%" PRIu64
            ",\"timeout\":%" PRIu64 ",\"no_response\":%" PRIu64 "},\"waiting\":%" PRIu64 ",\"lost\":%" PRIu64,
            w->calls, w->client_error, w->server_error, w->timeout, w->no_response, w->waiting, w->lost);
    histogram(out, "duration", &w->duration);
    histogram(out, "client_duration", &w->client_duration);
    fprintf(out,
            ",\"bytes\":{\"request\":%" PRIu64 ",\"response\":%" PRIu64 "},\"connects\":%" PRIu64
            ",\"open_connections\":%u,\"in_flight\":%u",
            w->request_bytes, w->response_bytes, w->connects, edge->open_connections, edge->in_flight);
    failures(out, w);
    endpoints(out, w);
    fputs("}\n", out);
}

void json_agent(FILE *out, struct agent_stamp *stamp, const struct window *window, const struct counter *counters,
                size_t count) {
    head(out, "agent", stamp, window);
    fputs(",\"host\":", out);
    json_string(out, stamp->host);
    fputs(",\"counters\":{", out);
    for (size_t i = 0; i < count; i++)
        fprintf(out, "%s\"%s\":%" PRIu64, i ? "," : "", counters[i].name, counters[i].value);
    fputs("}}\n", out);
}
