/* SPDX-License-Identifier: Apache-2.0 */
#include "json.h"

#include <arpa/inet.h>
#include <string.h>

#include "bpf/record.h"

void json_head(struct writer *out, const char *kind, struct agent_stamp *stamp) {
    writer_text(out, "{");
    writer_member_string(out, "record", kind);
    writer_member_unsigned(out, "version", 1);
    writer_key(out, "agent");
    writer_text(out, "{");
    writer_member_hex(out, "id", stamp->id);
    writer_member_hex(out, "boot", stamp->boot);
    writer_member_unsigned(out, "sequence", ++stamp->sequence);
    writer_text(out, "}");
}

void json_window(struct writer *out, const struct window *window) {
    writer_member_unsigned(out, "window_start", window->start);
    writer_member_unsigned(out, "window_length", window->length);
}

void json_tail(struct writer *out) {
    writer_text(out, "}\n");
}

void json_histogram(struct writer *out, const char *name, const struct histogram *h) {
    if (!h->count)
        return;
    writer_key(out, name);
    writer_text(out, "{");
    writer_member_unsigned(out, "scale", HISTOGRAM_SCALE);
    writer_key(out, "offset");
    writer_signed(out, h->offset);
    writer_key(out, "counts");
    writer_text(out, "[");
    for (uint32_t i = 0; i < h->length; i++) {
        writer_comma(out);
        writer_unsigned(out, h->counts[i]);
    }
    writer_text(out, "]");
    writer_member_unsigned(out, "zero_count", 0);
    writer_member_unsigned(out, "count", h->count);
    writer_member_unsigned(out, "sum", h->sum);
    writer_member_unsigned(out, "min", h->min);
    writer_member_unsigned(out, "max", h->max);
    writer_text(out, "}");
}

/* The one instance that had a part in the window, empty if no more of it is known; false: not known which. */
static bool only_instance(const struct edge_end *end, const struct edge_instances *seen, bool here,
                          const struct workload_facts *facts, struct workload_instance *ret_instance) {
    *ret_instance = (struct workload_instance){0};
    if (seen->count == 1) {
        workload_instance(end->workload, seen->ids[0], ret_instance);
        return true;
    }
    if (!here) /* an address that a container of this host has */
        return end->instance && workload_instance(end->workload, end->instance, ret_instance);
    if (facts->instance_count != 1 || facts->instances_more) /* nothing happened; whose connection is it? */
        return false;
    *ret_instance = facts->instances[0];
    return true;
}

static void process(struct writer *out, const struct workload_program *program, uint32_t pid) {
    if (!program->executable[0])
        return;
    writer_key(out, "process");
    writer_text(out, "{");
    if (pid)
        writer_member_unsigned(out, "pid", pid);
    writer_member_string(out, "executable", program->executable);
    if (program->script[0])
        writer_member_string(out, "script", program->script);
    writer_text(out, "}");
}

static void instances(struct writer *out, const struct edge_end *end, const struct edge_instances *seen) {
    uint32_t more = edge_instances_more(seen);
    writer_key(out, "instances");
    writer_text(out, "[");
    for (uint32_t i = 0; i < seen->count; i++) {
        struct workload_instance instance;
        writer_comma(out);
        writer_text(out, "{");
        writer_member_hex(out, "id", seen->ids[i]);
        if (workload_instance(end->workload, seen->ids[i], &instance)) {
            if (instance.pid)
                writer_member_unsigned(out, "pid", instance.pid);
            json_container(out, &instance);
        }
        writer_text(out, "}");
    }
    writer_text(out, "]");
    if (more)
        writer_member_unsigned(out, "instances_more", more);
}

static void end(struct writer *out, const char *name, const struct edge_end *end, bool here,
                const struct edge_instances *seen, const char *host) {
    struct workload_facts facts;
    struct workload_instance instance;
    writer_key(out, name);
    writer_text(out, "{");
    writer_member_hex(out, "id", end->id);
    writer_member_string(out, "name", edge_end_name(end));
    writer_member_string(out, "kind", end->kind);
    if (end->stale)
        writer_member_bool(out, "stale", true);
    if (end->workload) {
        const char *scope = __atomic_load_n(&end->workload->scope, __ATOMIC_ACQUIRE);
        workload_facts(end->workload, &facts);
        if (scope[0])
            writer_member_string(out, "namespace", scope);
        if (end->workload->inferred)
            writer_member_bool(out, "inferred", true);
        if (seen->count > 1) {
            instances(out, end, seen);
        } else if (only_instance(end, seen, here, &facts, &instance)) {
            writer_member_string(out, "host", host);
            json_container(out, &instance);
            process(out, &facts.program, instance.pid);
        }
    }
    writer_text(out, "}");
}

/* How many addresses a client stands for that is not on this host. */
static void addresses(struct writer *out, const struct edge_window *w) {
    if (!w->clients.count)
        return;
    writer_member_unsigned(out, "client_addresses", w->clients.count);
    if (w->clients.more)
        writer_member_bool(out, "client_addresses_more", true);
}

static void endpoints(struct writer *out, const struct edge_window *w) {
    if (!w->endpoint_count)
        return;
    writer_key(out, "endpoints");
    writer_text(out, "[");
    for (unsigned i = 0; i < w->endpoint_count; i++) {
        const struct endpoint *e = &w->endpoints[i];
        writer_comma(out);
        writer_text(out, "{");
        writer_member_string(out, "endpoint", e->name);
        if (e->operation[0])
            writer_member_string(out, "operation", e->operation);
        writer_member_unsigned(out, "calls", e->calls);
        writer_member_unsigned(out, "errors", e->errors);
        json_histogram(out, "duration", &e->duration);
        writer_text(out, "}");
    }
    writer_text(out, "]");
}

static void failures(struct writer *out, const struct edge_window *w) {
    if (!w->failures[0].count)
        return;
    writer_key(out, "connect_failures");
    writer_text(out, "{");
    for (int i = 0; i < ERRNO_LIMIT && w->failures[i].count; i++) {
        const char *name = strerrorname_np(w->failures[i].error);
        writer_member_unsigned(out, name ? name : "UNKNOWN", w->failures[i].count);
    }
    writer_text(out, "}");
}

static void packets(struct writer *out, const struct edge_packets *packets) {
    if (!packets)
        return;
    writer_key(out, "packets");
    writer_text(out, "{");
    writer_member_unsigned(out, "request", packets->request);
    writer_member_unsigned(out, "response", packets->response);
    writer_text(out, "}");
    writer_member_unsigned(out, "retransmits", packets->retransmits);
    writer_member_unsigned(out, "zero_windows", packets->zero_windows);
    json_histogram(out, "rtt", &packets->rtt);
    json_histogram(out, "connect_latency", &packets->connect_latency);
    if (!packets->drops[0].reason)
        return;
    writer_key(out, "drops");
    writer_text(out, "{");
    for (int i = 0; i < DROP_LIMIT && packets->drops[i].reason; i++)
        writer_member_unsigned(out, packets->drops[i].reason, packets->drops[i].packets);
    writer_text(out, "}");
}

static void key(struct writer *out, const struct edge *edge) {
    static const char *const proofs[] = {"none", "connect", "accept", "listen", "first"};
    const char *transport = edge->transport == TRANSPORT_UDP ? "udp" : "tcp";
    const char *protocol = protocol_name(edge->protocol);
    char address[INET6_ADDRSTRLEN] = "";
    inet_ntop(edge->family == 4 ? AF_INET : AF_INET6, edge->address, address, sizeof(address));
    writer_member_unsigned(out, "server_port", edge->server_port);
    writer_member_string(out, "seen_address", address);
    writer_member_unsigned(out, "seen_port", edge->seen_port);
    writer_member_string(out, "protocol", protocol ? protocol : transport);
    writer_member_string(out, "transport", transport);
    writer_member_bool(out, "tls", edge->protocol == PROTOCOL_TLS);
    writer_member_string(out, "observed_at",
                         edge->client_here && edge->server_here ? "both"
                         : edge->server_here                    ? "server"
                                                                : "client");
    writer_member_string(out, "direction_proof", proofs[edge->proof < 5 ? edge->proof : 0]);
}

static void calls(struct writer *out, const struct edge_window *w) {
    writer_member_unsigned(out, "calls", w->calls);
    writer_key(out, "errors");
    writer_text(out, "{");
    writer_member_unsigned(out, "client_error", w->client_error);
    writer_member_unsigned(out, "server_error", w->server_error);
    writer_member_unsigned(out, "timeout", w->timeout);
    writer_member_unsigned(out, "no_response", w->no_response);
    writer_text(out, "}");
    writer_member_unsigned(out, "waiting", w->waiting);
    writer_member_unsigned(out, "lost", w->lost);
    writer_member_unsigned(out, "late", w->late);
    json_histogram(out, "duration", &w->duration);
    json_histogram(out, "client_duration", &w->client_duration);
}

void json_edge(struct writer *out, struct agent_stamp *stamp, const struct window *window, const struct edge *edge) {
    const struct edge_window *w = &edge->window;
    json_head(out, "edge", stamp);
    json_window(out, window);
    writer_member_hex(out, "edge_id", edge->id);
    end(out, "client", &edge->client, edge->client_here, &w->client_instances, stamp->host);
    end(out, "server", &edge->server, edge->server_here, &w->server_instances, stamp->host);
    key(out, edge);
    calls(out, w);
    writer_key(out, "bytes");
    writer_text(out, "{");
    writer_member_unsigned(out, "request", w->request_bytes);
    writer_member_unsigned(out, "response", w->response_bytes);
    writer_text(out, "}");
    if (edge->transport == TRANSPORT_UDP) {
        writer_key(out, "datagrams");
        writer_text(out, "{");
        writer_member_unsigned(out, "request", w->request_datagrams);
        writer_member_unsigned(out, "response", w->response_datagrams);
        writer_text(out, "}");
    }
    writer_member_unsigned(out, "connects", w->connects);
    writer_member_unsigned(out, "open_connections", edge->open_connections);
    writer_member_unsigned(out, "in_flight", edge->in_flight);
    addresses(out, w);
    failures(out, w);
    packets(out, w->packets);
    endpoints(out, w);
    json_tail(out);
}

static void hooks(struct writer *out, const struct agent_report *report) {
    if (!report->hook_count)
        return;
    writer_key(out, "hooks");
    writer_text(out, "[");
    for (size_t i = 0; i < report->hook_count; i++) {
        const struct hook_report *hook = &report->hooks[i];
        writer_comma(out);
        writer_text(out, "{");
        writer_member_string(out, "name", hook->name);
        writer_member_bool(out, "attached", hook->attached);
        if (hook->reason && hook->reason[0])
            writer_member_string(out, "reason", hook->reason);
        writer_text(out, "}");
    }
    writer_text(out, "]");
}

static void sinks(struct writer *out, const struct agent_report *report) {
    if (!report->sink_count)
        return;
    writer_key(out, "sinks");
    writer_text(out, "[");
    for (size_t i = 0; i < report->sink_count; i++) {
        const struct sink_report *sink = &report->sinks[i];
        writer_comma(out);
        writer_text(out, "{");
        writer_member_string(out, "kind", sink->kind);
        if (sink->argument)
            writer_member_string(out, "argument", sink->argument);
        writer_member_unsigned(out, "offered", sink->offered);
        writer_member_unsigned(out, "taken", sink->taken);
        writer_member_unsigned(out, "queue_full", sink->queue_full);
        writer_member_unsigned(out, "failed", sink->failed);
        writer_member_unsigned(out, "queued_bytes", sink->queued_bytes);
        writer_member_unsigned(out, "unconfirmed", sink->unconfirmed);
        if (sink->spooled) {
            writer_member_unsigned(out, "spool_records", sink->spool_records);
            writer_member_unsigned(out, "spool_bytes", sink->spool_bytes);
        }
        writer_text(out, "}");
    }
    writer_text(out, "]");
}

static void opaque(struct writer *out, const struct opaque_report *opaque) {
    if (!opaque->known)
        return;
    writer_key(out, "opaque");
    writer_text(out, "{");
    writer_member_unsigned(out, "connections", opaque->connections);
    writer_member_unsigned(out, "opaque_connections", opaque->opaque_connections);
    writer_member_unsigned(out, "bytes", opaque->bytes);
    writer_member_unsigned(out, "opaque_bytes", opaque->opaque_bytes);
    writer_key(out, "reasons");
    writer_text(out, "{");
    for (int i = 0; i < OPAQUE_REASONS; i++) {
        writer_key(out, opaque_reason_name(i));
        writer_text(out, "{");
        writer_member_unsigned(out, "connections", opaque->reasons[i].connections);
        writer_member_unsigned(out, "bytes", opaque->reasons[i].bytes);
        writer_text(out, "}");
    }
    writer_text(out, "}");
    writer_text(out, "}");
}

static void unix_streams(struct writer *out, const struct unix_report *streams) {
    writer_key(out, "unix");
    writer_text(out, "{");
    writer_member_unsigned(out, "bytes", streams->bytes);
    writer_member_unsigned(out, "operations", streams->operations);
    writer_member_unsigned(out, "pairs", streams->pairs);
    writer_text(out, "}");
}

void json_agent(struct writer *out, struct agent_stamp *stamp, const struct window *window,
                const struct agent_report *report) {
    json_head(out, "agent", stamp);
    json_window(out, window);
    writer_member_string(out, "host", stamp->host);
    if (report->resident_bytes)
        writer_member_unsigned(out, "resident_bytes", report->resident_bytes);
    if (report->cpu_ns)
        writer_member_unsigned(out, "cpu_time", report->cpu_ns);
    hooks(out, report);
    opaque(out, &report->opaque);
    unix_streams(out, &report->unix_streams);
    sinks(out, report);
    writer_key(out, "counters");
    writer_text(out, "{");
    for (size_t i = 0; i < report->counter_count; i++)
        writer_member_unsigned(out, report->counters[i].name, report->counters[i].value);
    writer_text(out, "}");
    json_tail(out);
}
