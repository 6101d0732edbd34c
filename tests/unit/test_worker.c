/* SPDX-License-Identifier: Apache-2.0 */
#include "connection_harness.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "topology/worker.h"

#define GET "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

enum { RINGS = 3, RECORDS = 4096 };

/* Rings in memory. Each is filled by the test, and read by its worker. */
struct rings {
    struct ring {
        pthread_mutex_t mutex;
        struct {
            uint8_t bytes[256];
            size_t size;
        } records[RECORDS];
        size_t written, read;
    } ring[RINGS];
    atomic_uint waits, sessions;
};

static size_t drain(void *context, unsigned index, worker_record callback, void *callback_context) {
    struct ring *ring = &((struct rings *)context)->ring[index];
    size_t shown = 0;
    pthread_mutex_lock(&ring->mutex);
    for (; ring->read < ring->written; ring->read++, shown++)
        callback(callback_context, ring->records[ring->read].bytes, ring->records[ring->read].size);
    pthread_mutex_unlock(&ring->mutex);
    return shown;
}

/* Until a signal comes: what is in a ring may stay there. */
static void wait_long(void *context, unsigned ring, uint64_t timeout_ns) {
    struct rings *waited = context;
    struct timespec time = {.tv_sec = 3600};
    (void)ring, (void)timeout_ns;
    waited->waits++;
    sigset_t others;
    sigfillset(&others);
    sigdelset(&others, SIGUSR1);
    ppoll(NULL, 0, &time, &others);
}

static void sessions(void *context, worker_session callback, void *callback_context) {
    (void)callback, (void)callback_context;
    ((struct rings *)context)->sessions++;
}

static void put(struct rings *rings, unsigned index, const void *head, size_t head_size, const char *text) {
    struct ring *ring = &rings->ring[index];
    pthread_mutex_lock(&ring->mutex);
    memcpy(ring->records[ring->written].bytes, head, head_size);
    memcpy(ring->records[ring->written].bytes + head_size, text, strlen(text));
    ring->records[ring->written++].size = head_size + strlen(text);
    pthread_mutex_unlock(&ring->mutex);
}

static void open_server(struct rings *rings, unsigned ring, uint64_t cookie) {
    struct record_opened record = {.kind = RECORD_OPENED,
                                   .family = 2,
                                   .role = ROLE_SERVER,
                                   .proof = PROOF_ACCEPT,
                                   .cookie = cookie,
                                   .isn = cookie,
                                   .owner.tgid = SERVER_PROCESS,
                                   .local_port = 80};
    put(rings, ring, &record, sizeof(record), "");
}

static void exchange(struct rings *rings, unsigned ring, uint64_t cookie, uint64_t number, uint64_t time) {
    struct record_data data = {.kind = RECORD_DATA,
                               .time = time,
                               .cookie = cookie,
                               .first = 1,
                               .captured = strlen(GET),
                               .length = strlen(GET),
                               .offset = number * strlen(GET),
                               .other_offset = number * strlen(OK)};
    put(rings, ring, &data, sizeof(data), GET);
    data.egress = 1;
    data.captured = data.length = strlen(OK);
    data.offset = number * strlen(OK);
    data.other_offset = (number + 1) * strlen(GET);
    put(rings, ring, &data, sizeof(data), OK);
}

static struct edge_end worker_owner(void *context, const struct record_owner *owner, const char *command) {
    (void)context, (void)command;
    return (struct edge_end){.id = owner->tgid, .name = "process", .kind = "process"};
}

static uint64_t calls_of(const struct edges *edges) {
    uint64_t calls = 0;
    for (size_t i = 0; i < edges->table.capacity; i++) {
        const struct edge *edge = edges->table.slots[i].value;
        calls += edge ? edge->window.calls : 0;
    }
    return calls;
}

static struct rings rings;

static struct workers *start(const struct window_clock *clock) {
    memset(&rings, 0, sizeof(rings));
    for (int i = 0; i < RINGS; i++)
        pthread_mutex_init(&rings.ring[i].mutex, NULL);
    struct workers_options options = {
        .count = RINGS,
        .source = {&rings, drain, wait_long, sessions},
        .connection = {.namer = {.owner = worker_owner, .server = world_server, .client = world_client},
                       .limit = 1000,
                       .call_timeout_ns = 30 * SECOND},
        .edges_max = 100,
    };
    struct workers *workers = NULL;
    assert_int_equal(workers_new(&options, clock, &workers), 0);
    return workers;
}

static void test_workers_add_up_to_one_edge(void **unused) {
    (void)unused;
    struct window_clock clock = {.window = {0, 10 * SECOND}, .start = 0, .end = 10 * SECOND};
    struct workers *workers = start(&clock);
    for (unsigned ring = 0; ring < RINGS; ring++) {
        open_server(&rings, ring, ring + 1);
        for (uint64_t i = 0; i < 100; i++)
            exchange(&rings, ring, ring + 1, i, SECOND);
    }
    /* A request wakes whoever sleeps; the last one sees to it that the rings are empty. */
    struct edges *merged = workers_merge(workers, &clock, EDGES_RUNNING, false);
    assert_true(calls_of(merged) <= 100 * RINGS);
    edges_clear(merged);
    clock = (struct window_clock){
        .window = {10 * SECOND, 10 * SECOND}, .sequence = 1, .start = 10 * SECOND, .end = 20 * SECOND};
    merged = workers_merge(workers, &clock, EDGES_ENDED, true);
    assert_int_equal(merged->table.count, 1);
    assert_int_equal(calls_of(merged), 100 * RINGS);
    edges_clear(merged);
    assert_int_equal(rings.sessions, 1); /* of one worker */
    struct workers_totals totals;
    workers_totals(workers, &totals);
    assert_int_equal(totals.traffic.all.connections, RINGS);
    assert_int_equal(totals.traffic.all.bytes, RINGS * 100 * (strlen(GET) + strlen(OK)));
    workers_free(workers);
}

static void test_windows_divide_what_workers_saw(void **unused) {
    (void)unused;
    struct window_clock clock = {.window = {0, 10 * SECOND}, .start = 0, .end = 10 * SECOND};
    struct workers *workers = start(&clock);
    for (unsigned ring = 0; ring < RINGS; ring++) {
        open_server(&rings, ring, ring + 1);
        for (uint64_t i = 0; i < 100; i++)
            exchange(&rings, ring, ring + 1, i, i < 60 ? 9 * SECOND : 10 * SECOND);
    }
    uint64_t calls[2];
    for (uint32_t window = 0; window < 2; window++) {
        clock = (struct window_clock){.window = {(window + 1) * 10 * SECOND, 10 * SECOND},
                                      .sequence = window + 1,
                                      .start = (window + 1) * 10 * SECOND,
                                      .end = (window + 2) * 10 * SECOND};
        struct edges *merged = workers_merge(workers, &clock, EDGES_ENDED, true);
        calls[window] = calls_of(merged);
        edges_clear(merged);
    }
    assert_int_equal(calls[0], 60 * RINGS);
    assert_int_equal(calls[1], 40 * RINGS);
    workers_free(workers);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_workers_add_up_to_one_edge),
        cmocka_unit_test(test_windows_divide_what_workers_saw),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
