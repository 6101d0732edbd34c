/* SPDX-License-Identifier: Apache-2.0 */
/* The shares of memory_max against the real tables: what one entry takes, and that a full table takes no more. */
#include "connection_harness.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "agent/identity.h"
#include "agent/limits.h"
#include "sinks/sink.h"
#include "topology/worker.h"

size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

static size_t allocated(void) {
    if (__sanitizer_get_current_allocated_bytes)
        return __sanitizer_get_current_allocated_bytes();
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

static struct limits derived(struct limits_request request) {
    struct limits limits;
    uint64_t minimum;
    request.memory_max = request.memory_max ? request.memory_max : 256 << 20;
    request.ring_size = 16 << 20;
    request.cpus = 2;
    assert_int_equal(limits_derive(&request, &limits, &minimum), 0);
    return limits;
}

/* ---- connections ---- */

static void a_connection_takes_no_more_than_its_share(void **state) {
    (void)state;
    enum { ENDS = 3 * 8192 + 1 }; /* the tables have just doubled */
    struct limits limits = derived((struct limits_request){0});
    struct world world;
    size_t before = allocated();
    world_open(&world);
    for (uint64_t i = 1; i <= ENDS; i++) { /* two halves take more than the two ends of one */
        struct socket socket = socket_of(i, i, ROLE_SERVER, 80);
        socket_opens(&world, &socket);
    }
    size_t each = (allocated() - before) / (ENDS / 2);
    world_close(&world);
    assert_in_range(each, 1, limits.connection_bytes - limits.held / limits.connections);
}

static void what_waits_on_connections_is_bounded(void **state) {
    (void)state;
    static char head[4096] = "GET /";
    memset(head + 5, 'x', sizeof(head) - 6);
    struct edges edges;
    edges_init(&edges, 10);
    struct world world = {.now = SECOND, .edges = edges};
    struct connection_options options = {
        .namer = {.owner = world_owner, .server = world_server, .client = world_client},
        .edges = &world.edges,
        .limit = 1000,
        .held_bytes = 64 << 10,
        .call_timeout_ns = SECOND,
    };
    assert_int_equal(connections_new(&options, &world.connections), 0);
    size_t before = allocated();
    for (uint64_t i = 1; i <= 100; i++) { /* requests that do not end */
        struct socket socket = socket_of(i, i, ROLE_SERVER, 80);
        socket_opens(&world, &socket);
        socket_receives(&world, &socket, head);
    }
    size_t held = allocated() - before;
    assert_true(connections_losses(world.connections)->memory > 0);
    world_close(&world);
    assert_in_range(held, 32 << 10, (64 << 10) + 100 * 1024);
}

/* ---- edges ---- */

/* Three endpoints, durations of a decade. */
static void fill(struct edges *edges, struct edge *edge, uint64_t time) {
    static const char *const names[] = {"/a", "/b", "/c"};
    for (uint64_t i = 0; i < 180; i++) {
        struct edge_window *window = edges_window_of_call(edges, edge, time);
        uint64_t duration = 1000000 + i % 60 * 150000;
        window->calls++;
        histogram_add(&window->duration, duration);
        histogram_add(&window->client_duration, duration);
        struct endpoint *endpoint = edge_endpoint(window, "GET", names[i / 60]);
        assert_non_null(endpoint);
        endpoint->calls++;
        histogram_add(&endpoint->duration, duration);
    }
}

static void an_edge_takes_no_more_than_its_share(void **state) {
    (void)state;
    enum { EDGES = 769 }; /* the tables have just doubled */
    struct limits limits = derived((struct limits_request){0});
    struct edges edges, merged;
    size_t before = allocated();
    edges_init(&edges, EDGES);
    edges_init(&merged, EDGES);
    for (uint32_t sequence = 0; sequence < 2; sequence++) {
        struct window_clock clock = {{sequence * 10, 10}, sequence, sequence * 10, sequence * 10 + 10, 0, 0, false};
        edges_plan(&edges, &clock);
        for (uint64_t i = 0; i < EDGES; i++) {
            struct edge like = {.client = {.id = 1}, .server = {.id = 2 + i}, .server_port = 80};
            fill(&edges, edges_get(&edges, &like), sequence * 10 + 5);
        }
    }
    edges_merge(&merged, &edges, EDGES_RUNNING);
    size_t each = (allocated() - before) / EDGES;
    assert_null(edges_get(&edges, &(struct edge){.server = {.id = 1}}));
    assert_int_equal(edges.refused, 1);
    edges_done(&edges);
    edges_done(&merged);
    assert_in_range(each, 1, limits.edge_bytes);
}

/* ---- workers ---- */

enum { RINGS = 2, OPENED = 15, CONNECTIONS = 10, WORKER_EDGES = 6 };

static size_t open_all(void *context, unsigned ring, worker_record callback, void *callback_context) {
    bool *shown = context;
    struct world world = {.now = 1};
    if (shown[ring])
        return 0;
    shown[ring] = true;
    for (uint64_t i = 1; i <= OPENED; i++) {
        uint64_t id = ring * 1000 + i;
        struct socket socket = socket_of(id, id, ROLE_SERVER, (uint16_t)id);
        struct record_opened record = opened_of(&world, &socket);
        callback(callback_context, &record, sizeof(record));
    }
    return OPENED;
}

static void wait_for_signal(void *context, unsigned ring, uint64_t timeout_ns) {
    struct timespec time = {(time_t)(timeout_ns / SECOND), (long)(timeout_ns % SECOND)};
    sigset_t others;
    (void)context, (void)ring;
    sigfillset(&others);
    sigdelset(&others, SIGUSR1);
    ppoll(NULL, 0, &time, &others);
}

/* A merge or the end that was slept through would take a minute. */
static void workers_share_what_is_allowed(void **state) {
    (void)state;
    bool shown[RINGS] = {false};
    struct workers_options options = {
        .count = RINGS,
        .source = {shown, open_all, wait_for_signal, NULL},
        .connection = {.namer = {.owner = world_owner, .server = world_server, .client = world_client},
                       .limit = CONNECTIONS,
                       .call_timeout_ns = SECOND},
        .edges_max = WORKER_EDGES,
    };
    struct window_clock clock = {.window = {0, 3600 * SECOND}, .end = UINT64_MAX / 2};
    struct workers *workers;
    struct workers_totals totals;
    assert_int_equal(workers_new(&options, &clock, &workers), 0);
    const struct edges *merged;
    do { /* until both have seen their records */
        edges_clear(workers_merge(workers, &clock, EDGES_RUNNING, false));
        workers_totals(workers, &totals);
    } while (totals.losses.connections_refused < RINGS * (OPENED - CONNECTIONS));
    merged = workers_merge(workers, &clock, EDGES_RUNNING, false);
    assert_int_equal(merged->table.count, WORKER_EDGES);
    assert_int_equal(merged->refused, 0);
    workers_totals(workers, &totals);
    /* Of two ends each: as many halves as are allowed connections, times two. */
    assert_int_equal(totals.losses.connections_refused, RINGS * OPENED - 2 * CONNECTIONS);
    assert_true(totals.edges_refused > 0);
    workers_free(workers);
}

/* ---- names ---- */

/* The server at each of `count` addresses, as many programs, each seen in two processes. */
static void name(struct identity *identity, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        uint8_t address[4] = {10, 1, (uint8_t)(i >> 8), (uint8_t)i};
        uint64_t instance;
        bool stale;
        identity_server_address(identity, address, 4, 80, &instance, &stale);
    }
    for (uint32_t i = 0; i < 2 * count; i++) {
        char path[64];
        struct owner owner = {.tgid = 4194305 + i, .start_time_ns = 1, .comm = "x"}; /* above pid_max: gone */
        int length = snprintf(path, sizeof(path), "/usr/bin/program-%u", i / 2);
        identity_saw_exec(identity, owner.tgid, 1, path, path, (size_t)length + 1);
        identity_resolve(identity, &owner, NULL);
    }
}

static struct identity *identity_of(size_t names) {
    struct identity_options options = {.host = "h", .docker_socket = "", .root = "/nonexistent", .names_max = names};
    struct identity *identity;
    assert_int_equal(identity_new(&options, &identity), 0);
    return identity;
}

static void names_take_no_more_than_their_share(void **state) {
    (void)state;
    enum { NAMES = 2048, FEW = 64 };
    struct limits limits = derived((struct limits_request){0});
    struct identity_losses losses;
    size_t before = allocated();
    struct identity *identity = identity_of(FEW);
    size_t fixed = allocated() - before;
    identity_free(identity);
    before = allocated();
    identity = identity_of(NAMES);
    name(identity, NAMES);
    identity_settle(identity);
    identity_losses(identity, &losses);
    size_t taken = allocated() - before;
    identity_free(identity);
    /* Half of the addresses are `other`, and of the programs those that came when the table was full. */
    assert_int_equal(losses.names_overflowed, NAMES / 2 + NAMES);
    assert_in_range(taken, fixed, fixed + NAMES * limits.name_bytes);
}

/* ---- sinks ---- */

static void queues_together_take_no_more_than_their_share(void **state) {
    (void)state;
    for (unsigned sinks = 1; sinks <= SINK_LIMIT; sinks++)
        for (uint64_t given = 0; given <= 16; given += 8) {
            struct limits limits = derived((struct limits_request){.sinks = sinks, .queues = given << 20});
            assert_in_range(limits.queue, 256 << 10, 16 << 20);
            assert_true(sinks * limits.queue + (given << 20) <= limits.sinks);
        }
    assert_int_equal(derived((struct limits_request){.sinks = 1}).queue, 16 << 20);
}

static void a_queue_beyond_the_share_names_the_minimum(void **state) {
    (void)state;
    struct limits_request request = {
        .memory_max = 256 << 20, .ring_size = 16 << 20, .cpus = 1, .queues = 100 << 20, .sinks = 1};
    struct limits limits;
    uint64_t minimum;
    assert_int_equal(limits_derive(&request, &limits, &minimum), -ENOSPC);
    request.memory_max = minimum;
    assert_int_equal(limits_derive(&request, &limits, &minimum), 0);
    request.memory_max -= 1 << 20;
    assert_int_equal(limits_derive(&request, &limits, &minimum), -ENOSPC);
}

static uint64_t dropped_with(const char *sink, size_t queue_bytes) {
    struct sinks sinks = {.queue_bytes = queue_bytes};
    struct counter counters[SINK_COUNTER_LIMIT];
    struct batch batch = {0};
    char error[256];
    assert_int_equal(sinks_open(&sinks, sink, error, sizeof(error)), 0);
    json_head(&batch.writer, "workload", &(struct agent_stamp){.host = "h"});
    json_tail(&batch.writer);
    batch_add(&batch, SINK_WORKLOAD, 1, NULL);
    batch_end(&batch);
    sinks_write(&sinks, &batch);
    assert_true(sinks_counters(&sinks, counters) >= 1);
    assert_string_equal(counters[0].name, "sink_dropped");
    batch_done(&batch);
    sinks_close(&sinks);
    return counters[0].value;
}

static void a_sink_gets_the_queue_it_is_told_or_its_part(void **state) {
    (void)state;
    assert_int_equal(dropped_with("file:/dev/null", 0), 0);
    assert_int_equal(dropped_with("file:/dev/null", 64 << 10), 0);
    assert_int_equal(dropped_with("file:/dev/null", 1), 1);
    assert_int_equal(dropped_with("file:/dev/null,queue=64K", 1), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_takes_no_more_than_its_share),
        cmocka_unit_test(what_waits_on_connections_is_bounded),
        cmocka_unit_test(an_edge_takes_no_more_than_its_share),
        cmocka_unit_test(workers_share_what_is_allowed),
        cmocka_unit_test(names_take_no_more_than_their_share),
        cmocka_unit_test(queues_together_take_no_more_than_their_share),
        cmocka_unit_test(a_queue_beyond_the_share_names_the_minimum),
        cmocka_unit_test(a_sink_gets_the_queue_it_is_told_or_its_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
