/* SPDX-License-Identifier: Apache-2.0 */
#include "watch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "identity.h"
#include "live.h"
#include "page.h"
#include "sinks/sink.h"
#include "topology/connection.h"

#define CALL_TIMEOUT_NS (30 * 1000000000ULL)

#define LIVE_INTERVAL_NS 1000000000ULL /* how often the page is shown the running window */

enum { WAIT_NS = 100 * 1000 * 1000, EDGE_LIMIT = 2000, CONNECTION_LIMIT = 100000, HOOK_LIMIT = 64 };

struct watcher {
    const struct watch_options *options;
    struct live *live;
    struct identity *identity;
    char warning[768]; /* about names, said last */
    struct edges edges;
    struct connections *connections;
    struct page *page; /* NULL: nothing is served */
    struct agent_stamp stamp;
    struct window window;
    struct batch batch; /* while a window is written */
};

static volatile sig_atomic_t stopping;

static void stop(int signal) {
    (void)signal;
    stopping = 1;
}

static uint64_t now_ns(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static uint64_t hash_file(const char *path, const char *otherwise) {
    char text[128] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
    if (fd >= 0)
        close(fd);
    return length > 0 ? XXH3_64bits(text, length) : XXH3_64bits(otherwise, strlen(otherwise));
}

static struct edge_end end_of(const struct workload *workload) {
    return (struct edge_end){.id = workload->id,
                             .name = workload->name,
                             .kind = workload_kind_name(workload->kind),
                             .executable = workload->executable,
                             .workload = workload};
}

static void on_event(void *context, const void *record, size_t size);

static struct owner owner_of(const struct record_owner *record, const char *command) {
    struct owner owner = {.tgid = record->tgid,
                          .netns = record->netns,
                          .start_time_ns = record->start_time,
                          .cgroup_id = record->cgroup_id};
    memcpy(owner.comm, command, sizeof(owner.comm));
    return owner;
}

/* What names the owner stands among the events before anything of its sockets stands in the ring. */
static struct edge_end name_owner(void *context, const struct record_owner *record, const char *command) {
    struct watcher *watcher = context;
    live_drain_events(watcher->live, on_event, watcher);
    struct owner owner = owner_of(record, command);
    uint64_t instance;
    struct edge_end end = end_of(identity_resolve(watcher->identity, &owner, &instance));
    end.instance = instance;
    end.pid = record->tgid;
    return end;
}

static struct edge_end name_server(void *context, const uint8_t *address, int family, uint16_t port) {
    struct watcher *watcher = context;
    uint64_t instance;
    bool stale;
    struct edge_end end = end_of(identity_server_address(watcher->identity, address, family, port, &instance, &stale));
    end.instance = instance;
    end.stale = stale;
    return end;
}

static struct edge_end name_client(void *context, const uint8_t *address, int family) {
    struct watcher *watcher = context;
    uint64_t instance;
    bool stale;
    struct edge_end end = end_of(identity_client_address(watcher->identity, address, family, &instance, &stale));
    end.instance = instance;
    end.stale = stale;
    return end;
}

static void on_event(void *context, const void *record, size_t size) {
    struct identity *identity = ((struct watcher *)context)->identity;
    const struct record_exec *exec = record;
    const struct record_cgroup *cgroup = record;
    (void)size;
    if (exec->kind == RECORD_EXEC)
        identity_saw_exec(identity, exec->tgid, exec->start_time, exec->executable, exec->arguments,
                          exec->arguments_length);
    else
        identity_saw_cgroup(identity, cgroup->id, cgroup->path);
}

/* An address that a container's socket is bound to names the container for whoever calls it. */
static void on_address(struct watcher *watcher, const struct record_opened *opened) {
    struct owner owner = owner_of(&opened->owner, opened->command);
    live_drain_events(watcher->live, on_event, watcher);
    identity_saw_address(watcher->identity, &owner, opened->local_address, opened->family == 2 ? 4 : 6);
}

static void on_record(void *context, const void *record, size_t size) {
    struct watcher *watcher = context;
    uint32_t kind;
    (void)size;
    memcpy(&kind, record, sizeof(kind));
    switch ((enum record_kind)kind) {
    case RECORD_DATA:
        connections_data(watcher->connections, record, (const uint8_t *)record + sizeof(struct record_data));
        break;
    case RECORD_OPENED:
        on_address(watcher, record);
        if (((const struct record_opened *)record)->transport == TRANSPORT_TCP)
            connections_opened(watcher->connections, record);
        break;
    case RECORD_CLOSED:
        if (((const struct record_closed *)record)->transport == TRANSPORT_TCP)
            connections_closed(watcher->connections, record);
        break;
    case RECORD_TURNS:
        connections_turns(watcher->connections, record);
        break;
    case RECORD_FAILED:
        connections_failed(watcher->connections, record);
        break;
    default:
        break;
    }
}

static void write_edge(void *context, const struct edge *edge) {
    struct watcher *watcher = context;
    json_edge(&watcher->batch.writer, &watcher->stamp, &watcher->window, edge);
    batch_add(&watcher->batch, SINK_EDGE, edge->id, edge);
}

static size_t hooks_of(const struct live *live, struct hook_report *hooks) {
    size_t count;
    const struct live_program *programs = live_programs(live, &count);
    count = count < HOOK_LIMIT ? count : HOOK_LIMIT;
    for (size_t i = 0; i < count; i++)
        hooks[i] = (struct hook_report){programs[i].name, programs[i].attached, programs[i].reason};
    return count;
}

/* Each once, when it is new. */
static void say_warning(struct watcher *watcher) {
    char text[sizeof(watcher->warning)];
    identity_warning(watcher->identity, text, sizeof(text));
    if (text[0] && strcmp(text, watcher->warning) != 0)
        fprintf(stderr, "weft: %s\n", text);
    memcpy(watcher->warning, text, sizeof(text));
}

static void write_window(struct watcher *watcher) {
    connections_tick(watcher->connections, now_ns(CLOCK_MONOTONIC));
    const struct connection_losses *losses = connections_losses(watcher->connections);
    struct identity_losses names;
    identity_tick(watcher->identity);
    identity_losses(watcher->identity, &names);
    say_warning(watcher);
    struct counter counters[10 + COUNTER_KINDS + SINK_COUNTER_LIMIT] = {
        {"lost_calls", losses->lost_calls},
        {"connections_refused", losses->connections_refused},
        {"unknown_socket", losses->unknown_socket},
        {"bytes_missing", losses->bytes_missing},
        {"memory_refused", losses->memory},
        {"calls_dropped", losses->calls_dropped},
        {"edges_refused", watcher->edges.refused},
        {"names_overflowed", names.names_overflowed},
        {"programs_not_read", names.programs_not_read},
        {"servers_forgotten", losses->servers_forgotten},
    };
    uint64_t kernel[COUNTER_KINDS];
    live_counters(watcher->live, kernel);
    for (int i = 0; i < COUNTER_KINDS; i++)
        counters[10 + i] = (struct counter){live_counter_name(i), kernel[i]};
    size_t count = 10 + COUNTER_KINDS;
    count += sinks_counters(watcher->options->sinks, counters + count);
    struct hook_report hooks[HOOK_LIMIT];
    struct agent_report report = {.counters = counters, .counter_count = count, .hooks = hooks};
    report.hook_count = hooks_of(watcher->live, hooks);
    report.sinks = sinks_report(watcher->options->sinks, &report.sink_count);
    report_process(&report);
    edges_each(&watcher->edges, write_edge, watcher);
    json_agent(&watcher->batch.writer, &watcher->stamp, &watcher->window, &report);
    batch_add(&watcher->batch, SINK_AGENT, watcher->stamp.id, &report);
    batch_end(&watcher->batch);
    sinks_write(watcher->options->sinks, &watcher->batch);
    batch_done(&watcher->batch);
    page_window(watcher->page, &watcher->window, &watcher->edges, &report);
    edges_empty(&watcher->edges);
}

/* The window that holds `time`. */
static void open_window(struct watcher *watcher, uint64_t time) {
    watcher->window.length = watcher->options->window_ns;
    watcher->window.start = time - time % watcher->options->window_ns;
}

static void run(struct watcher *watcher) {
    uint64_t began = now_ns(CLOCK_MONOTONIC), shown = 0;
    open_window(watcher, now_ns(CLOCK_REALTIME));
    while (!stopping) {
        live_drain(watcher->live, 0, on_record, watcher);
        uint64_t now = now_ns(CLOCK_REALTIME);
        if (now >= watcher->window.start + watcher->window.length || now < watcher->window.start) {
            write_window(watcher);
            open_window(watcher, now);
        }
        if (now - shown >= LIVE_INTERVAL_NS) {
            page_running(watcher->page, &watcher->window, &watcher->edges);
            shown = now;
        }
        if (watcher->options->duration_ns && now_ns(CLOCK_MONOTONIC) - began >= watcher->options->duration_ns)
            break;
        live_drain_events(watcher->live, on_event, watcher);
        live_wait(watcher->live, 0, WAIT_NS);
    }
    while (live_drain(watcher->live, 0, on_record, watcher))
        ;
    write_window(watcher);
}

static void say_ready(const struct watch_options *options) {
    if (options->ready_fd < 0) {
        fprintf(stderr, "weft: watching\n");
        return;
    }
    if (write(options->ready_fd, "ready\n", 6) != 6)
        fprintf(stderr, "weft: --ready-fd %d: %s\n", options->ready_fd, strerror(errno));
    close(options->ready_fd);
}

static int start(struct watcher *watcher) {
    char error[256] = "";
    struct live_options live = {
        .ring_bytes = watcher->options->ring_bytes, .rings = 1, .only_this_netns = watcher->options->only_this_netns};
    if (live_new(&live, &watcher->live, error, sizeof(error)) < 0) {
        fprintf(stderr, "weft: %s\n", error);
        return -1;
    }
    if (identity_new(&watcher->options->names, &watcher->identity) < 0) {
        fprintf(stderr, "weft: out of memory\n");
        return -1;
    }
    say_warning(watcher);
    edges_init(&watcher->edges, EDGE_LIMIT);
    struct connection_options options = {
        .namer = {watcher, name_owner, name_server, name_client},
        .edges = &watcher->edges,
        .limit = CONNECTION_LIMIT,
        .call_timeout_ns = CALL_TIMEOUT_NS,
    };
    if (connections_new(&options, &watcher->connections) < 0)
        return -1;
    struct page_options page = watcher->options->page;
    page.stamp = &watcher->stamp;
    if (page_new(&page, &watcher->page, error, sizeof(error)) < 0) {
        fprintf(stderr, "weft: %s\n", error);
        return -1;
    }
    return 0;
}

int watch(const struct watch_options *options) {
    struct watcher watcher = {.options = options};
    gethostname(watcher.stamp.host, sizeof(watcher.stamp.host) - 1);
    watcher.stamp.id = hash_file("/etc/machine-id", watcher.stamp.host);
    watcher.stamp.boot = now_ns(CLOCK_REALTIME) ^ watcher.stamp.id;
    signal(SIGTERM, stop);
    signal(SIGINT, stop);
    signal(SIGPIPE, SIG_IGN);
    int result = start(&watcher);
    if (!result) {
        say_ready(options);
        run(&watcher);
    }
    page_free(watcher.page);
    connections_free(watcher.connections);
    edges_done(&watcher.edges);
    identity_free(watcher.identity);
    live_free(watcher.live);
    return result ? 1 : 0;
}
