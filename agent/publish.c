/* SPDX-License-Identifier: Apache-2.0 */
#include "publish.h"

#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "sinks/json_flow.h"
#include "sinks/json_join.h"
#include "topology/conn_id.h"

static uint64_t hash_file(const char *path, const char *otherwise) {
    char text[128] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
    if (fd >= 0)
        close(fd);
    return length > 0 ? XXH3_64bits(text, length) : XXH3_64bits(otherwise, strlen(otherwise));
}

static uint64_t new_boot(const struct agent_stamp *stamp) {
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    uint64_t value[3] = {time.tv_sec, time.tv_nsec, getpid()};
    return XXH3_64bits_withSeed(value, sizeof(value), stamp->id ^ stamp->boot);
}

void publisher_init(struct publisher *publisher) {
    struct agent_stamp *stamp = &publisher->stamp;
    gethostname(stamp->host, sizeof(stamp->host) - 1);
    stamp->id = hash_file("/etc/machine-id", stamp->host);
    stamp->boot = new_boot(stamp);
}

void publish_restarted(struct publisher *publisher) {
    publisher->stamp.boot = new_boot(&publisher->stamp);
    publisher->stamp.sequence = 0;
}

#define REPEAT_NS 3600000000000ULL /* for readers that came later */

struct writing {
    struct publisher *publisher;
    const struct window *window;
    struct json_clocks clocks;
    struct batch batch;
};

static void write_edge(void *context, const struct edge *edge) {
    struct writing *writing = context;
    json_edge(&writing->batch.writer, &writing->publisher->stamp, writing->window, edge);
    batch_add(&writing->batch, SINK_EDGE, edge->id, edge);
}

static void write_joins(void *context, const struct edge *edge) {
    struct writing *writing = context;
    struct publisher *publisher = writing->publisher;
    for (uint32_t i = 0; !(edge->client_here && edge->server_here) && i < edge->window.join_count; i++) {
        const struct edge_join *join = &edge->window.joins[i];
        uint64_t id = conn_id(publisher->conn_id_key, join->isn);
        json_join(&writing->batch.writer, &publisher->stamp, writing->window, edge, join, id);
        batch_add(&writing->batch, SINK_JOIN, id, NULL);
    }
}

static void write_workload(void *context, const struct workload *workload) {
    struct writing *writing = context;
    json_workload(&writing->batch.writer, &writing->publisher->stamp, &writing->clocks, workload);
    batch_add(&writing->batch, SINK_WORKLOAD, workload->id, workload);
}

/* Those that are new or changed, and now and then all of them. Before the edges that speak of them. */
static void write_workloads(struct writing *writing) {
    struct publisher *publisher = writing->publisher;
    json_clocks_read(&writing->clocks);
    if (writing->clocks.monotonic < publisher->repeat_ns) {
        identity_changed(publisher->identity, write_workload, writing);
        return;
    }
    identity_each(publisher->identity, write_workload, writing);
    publisher->repeat_ns = writing->clocks.monotonic + REPEAT_NS;
}

enum { FLOW_BATCH_BYTES = 1 << 20 };

static void hand_over(struct writing *writing) {
    batch_end(&writing->batch);
    sinks_write(writing->publisher->sinks, &writing->batch);
    batch_done(&writing->batch);
    writing->batch = (struct batch){0};
}

/* In parts, so that a full table of flows does not stand in memory as text as well. */
static void write_flow(void *context, const struct flow_view *view) {
    struct writing *writing = context;
    json_flow(&writing->batch.writer, &writing->publisher->stamp, writing->window, &writing->clocks, view);
    batch_add(&writing->batch, SINK_FLOW, json_flow_key(view), NULL);
    if (writing->batch.writer.length > FLOW_BATCH_BYTES)
        hand_over(writing);
}

static void begin_flow(void *context, const struct flow_view *view) {
    (void)context, (void)view;
}

void publish_flows(struct publisher *publisher, const struct window *window) {
    struct writing writing = {.publisher = publisher, .window = window};
    struct flows *flows = packet_side_flows(publisher->packets);
    if (!flows)
        return;
    json_clocks_read(&writing.clocks);
    flows_window(flows, sinks_take(publisher->sinks, SINK_FLOW) ? write_flow : begin_flow, &writing);
    hand_over(&writing);
}

enum { OWN_COUNTERS = 16, HOOK_LIMIT = 64 };
enum { COUNTER_LIMIT = OWN_COUNTERS + COUNTER_KINDS + PACKET_SIDE_COUNTERS + SINK_COUNTER_LIMIT };

static void report_traffic(struct opaque_report *report, const struct traffic *traffic) {
    *report =
        (struct opaque_report){.known = true, .connections = traffic->all.connections, .bytes = traffic->all.bytes};
    for (int i = 0; i < OPAQUE_REASONS; i++) {
        report->reasons[i] = traffic->opaque[i];
        report->opaque_connections += traffic->opaque[i].connections;
        report->opaque_bytes += traffic->opaque[i].bytes;
    }
}

static size_t collect(struct publisher *publisher, struct counter *counters, struct opaque_report *opaque) {
    struct workers_totals totals;
    struct identity_losses names;
    uint64_t kernel[COUNTER_KINDS];
    workers_totals(publisher->workers, &totals);
    live_counters(publisher->live, kernel);
    identity_losses(publisher->identity, &names);
    struct counter own[OWN_COUNTERS] = {
        {"lost_calls", totals.losses.lost_calls},
        {"lost_datagrams", totals.losses.lost_datagrams},
        {"connections_refused", totals.losses.connections_refused},
        {"unknown_socket", totals.losses.unknown_socket},
        {"bytes_missing", totals.losses.bytes_missing},
        {"memory_refused", totals.losses.memory},
        {"calls_dropped", totals.losses.calls_dropped},
        {"calls_withdrawn", totals.losses.calls_withdrawn},
        {"clients_folded", totals.losses.clients_folded},
        {"unmatched_responses", totals.losses.unmatched_responses},
        {"edges_refused", totals.edges_refused},
        {"edges_evicted", totals.edges_evicted},
        {"names_overflowed", names.names_overflowed},
        {"programs_not_read", names.programs_not_read},
        {"servers_forgotten", totals.losses.servers_forgotten},
        {"clock_steps", publisher->clock_steps},
    };
    memcpy(counters, own, sizeof(own));
    report_traffic(opaque, &totals.traffic);
    for (int i = 0; i < COUNTER_KINDS; i++)
        counters[OWN_COUNTERS + i] = (struct counter){live_counter_name(i), kernel[i]};
    size_t count = OWN_COUNTERS + COUNTER_KINDS;
    count += packet_side_counters(publisher->packets, counters + count);
    return count + sinks_counters(publisher->sinks, counters + count);
}

static void report_unix(struct publisher *publisher, struct unix_report *report) {
    struct live_unix_totals window;
    live_unix(publisher->live, &window);
    publisher->unix_bytes += window.bytes;
    publisher->unix_operations += window.operations;
    *report = (struct unix_report){publisher->unix_bytes, publisher->unix_operations, window.pairs};
}

static size_t add_hooks(struct hook_report *hooks, size_t count, const struct live_program *programs, size_t more) {
    for (size_t i = 0; i < more && count < HOOK_LIMIT; i++)
        hooks[count++] = (struct hook_report){programs[i].name, programs[i].attached, programs[i].reason};
    return count;
}

static size_t hooks_of(const struct publisher *publisher, struct hook_report *hooks) {
    size_t sockets, packets;
    const struct live_program *programs = live_programs(publisher->live, &sockets);
    size_t count = add_hooks(hooks, 0, programs, sockets);
    programs = packet_side_programs(publisher->packets, &packets);
    return add_hooks(hooks, count, programs, packets);
}

void publish_warning(struct publisher *publisher) {
    char text[sizeof(publisher->warning)];
    identity_warning(publisher->identity, text, sizeof(text));
    if (text[0] && strcmp(text, publisher->warning) != 0)
        fprintf(stderr, "weft: %s\n", text);
    memcpy(publisher->warning, text, sizeof(text));
}

void publish(struct publisher *publisher, const struct window *window, struct edges *edges) {
    struct counter counters[COUNTER_LIMIT];
    struct hook_report hooks[HOOK_LIMIT];
    struct writing writing = {.publisher = publisher, .window = window};
    struct agent_report report = {.counters = counters, .hooks = hooks};
    if (packet_side_flows(publisher->packets))
        flows_add_to_edges(packet_side_flows(publisher->packets), edges);
    identity_tick(publisher->identity);
    publish_warning(publisher);
    report.counter_count = collect(publisher, counters, &report.opaque);
    report.hook_count = hooks_of(publisher, hooks);
    report.sinks = sinks_report(publisher->sinks, &report.sink_count);
    report_process(&report);
    report_unix(publisher, &report.unix_streams);
    write_workloads(&writing);
    edges_each(edges, write_edge, &writing);
    edges_each(edges, write_joins, &writing);
    json_agent(&writing.batch.writer, &publisher->stamp, window, &report);
    batch_add(&writing.batch, SINK_AGENT, publisher->stamp.id, &report);
    batch_end(&writing.batch);
    sinks_write(publisher->sinks, &writing.batch);
    batch_done(&writing.batch);
    page_window(publisher->page, window, edges, &report);
}
