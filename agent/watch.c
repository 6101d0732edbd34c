/* SPDX-License-Identifier: Apache-2.0 */
#include "watch.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "claim.h"
#include "identity.h"
#include "live.h"
#include "names.h"
#include "page.h"
#include "publish.h"
#include "topology/worker.h"

#define SECOND_NS 1000000000ULL
#define CALL_TIMEOUT_NS (30 * SECOND_NS)

enum { EDGES_MAX = 10000, CONNECTIONS_MAX = 300000, CLIENTS_PER_SERVER = 256 };

struct watcher {
    const struct watch_options *options;
    struct live *live;
    struct packet_side *packets; /* NULL: off */
    struct identity *identity;
    struct clients *clients;
    struct workers *workers;
    struct page *page; /* NULL: nothing is served */
    struct names names;
    struct publisher publisher;
    struct window_clock clock;
    struct window ended; /* the window before, while it waits for latecomers */
    uint64_t due;        /* when it is written, monotonic; 0: none waits */
    uint64_t next_view;
    bool telling;     /* the kernel's side goes through what was open before */
    pthread_t thread; /* the main one */
};

static volatile sig_atomic_t stopping;

static void stop(int signal) {
    (void)signal;
    stopping = 1;
}

static uint64_t now_ns(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * SECOND_NS + time.tv_nsec;
}

/* ---- the source ---- */

static size_t drain(void *context, unsigned ring, worker_record callback, void *callback_context) {
    const struct watcher *watcher = context;
    return live_drain(watcher->live, ring, callback, callback_context);
}

static void sessions(void *context, worker_session callback, void *callback_context) {
    const struct watcher *watcher = context;
    live_sessions(watcher->live, callback, callback_context);
}

static void wait_for_records(void *context, unsigned ring, uint64_t timeout_ns) {
    struct watcher *watcher = context;
    if (ring == 0)
        names_drain(&watcher->names);
    live_wait(watcher->live, ring, timeout_ns);
}

/* ---- windows ---- */

/* The window that has ended is written, `drained`: with all that the rings hold. */
static void write_ended(struct watcher *watcher, bool drained) {
    struct edges *edges = workers_merge(watcher->workers, &watcher->clock, EDGES_ENDED, drained);
    publish(&watcher->publisher, &watcher->ended, edges);
    edges_clear(edges);
    watcher->due = 0;
}

static void begin_next(struct watcher *watcher) {
    struct window_clock *clock = &watcher->clock;
    packet_side_round(watcher->packets, page_wanted(watcher->page));
    packet_side_look(watcher->packets);
    publish_flows(&watcher->publisher, &clock->window);
    watcher->ended = clock->window;
    watcher->due = clock->end + window_grace(clock->window.length);
    window_clock_next(clock, now_ns(CLOCK_MONOTONIC), now_ns(CLOCK_REALTIME));
    watcher->publisher.clock_steps += clock->step != 0;
    if (clock->restarted)
        publish_restarted(&watcher->publisher);
    workers_plan(watcher->workers, clock);
}

static void show_part(struct watcher *watcher, enum edges_part part, const struct window *window) {
    struct edges *edges = workers_merge(watcher->workers, &watcher->clock, part, false);
    page_running(watcher->page, window, edges);
    edges_clear(edges);
}

/* And the window before, if it was not written yet: a reader may have come after it ended. */
static void show_running(struct watcher *watcher) {
    packet_side_round(watcher->packets, true);
    if (watcher->due)
        show_part(watcher, EDGES_FORMER, &watcher->ended);
    show_part(watcher, EDGES_RUNNING, &watcher->clock.window);
    page_shown(watcher->page);
}

/* Does what is due, and gives the time at which something will be. */
static uint64_t step(struct watcher *watcher, uint64_t now) {
    if (watcher->due && now >= watcher->due)
        write_ended(watcher, false);
    if (now >= watcher->clock.end) {
        if (watcher->due)
            write_ended(watcher, false);
        begin_next(watcher);
    }
    bool wanted = page_wanted(watcher->page);
    if (wanted && now >= watcher->next_view) {
        show_running(watcher);
        watcher->next_view = now + SECOND_NS;
    }
    uint64_t next = watcher->clock.end;
    if (watcher->due && watcher->due < next)
        next = watcher->due;
    if (wanted && watcher->next_view < next)
        next = watcher->next_view;
    return next;
}

static void run(struct watcher *watcher, const sigset_t *signals) {
    uint64_t now = now_ns(CLOCK_MONOTONIC);
    uint64_t last = watcher->options->duration_ns ? now + watcher->options->duration_ns : UINT64_MAX;
    while (!stopping && now < last) {
        uint64_t next = step(watcher, now);
        next = next < last ? next : last;
        now = now_ns(CLOCK_MONOTONIC);
        uint64_t pause = next > now ? next - now : 0;
        struct timespec timeout = {pause / SECOND_NS, pause % SECOND_NS};
        int signal = sigtimedwait(signals, NULL, &timeout);
        if (signal == SIGTERM || signal == SIGINT)
            stopping = 1;
        now = now_ns(CLOCK_MONOTONIC);
    }
    if (watcher->due)
        write_ended(watcher, false);
    live_flush(watcher->live);
    begin_next(watcher);
    write_ended(watcher, true);
}

/* ---- life ---- */

static void say_ready(const struct watch_options *options) {
    if (options->ready_fd < 0) {
        fprintf(stderr, "weft: watching\n");
        return;
    }
    if (write(options->ready_fd, "ready\n", 6) != 6)
        fprintf(stderr, "weft: --ready-fd %d: %s\n", options->ready_fd, strerror(errno));
    close(options->ready_fd);
}

static int start_workers(struct watcher *watcher) {
    const struct watch_options *given = watcher->options;
    struct workers_options options = {
        .count = live_ring_count(watcher->live),
        .source = {watcher, drain, wait_for_records, sessions},
        .connection =
            {
                .namer = names_for(&watcher->names),
                .limit = given->connections_max ? given->connections_max : CONNECTIONS_MAX,
                .held_bytes = given->held_max,
                .telling = &watcher->telling,
                .call_timeout_ns = given->call_timeout_ns ? given->call_timeout_ns : CALL_TIMEOUT_NS,
            },
        .edges_max = given->edges_max ? given->edges_max : EDGES_MAX,
    };
    window_clock_begin(&watcher->clock, given->window_ns, now_ns(CLOCK_MONOTONIC), now_ns(CLOCK_REALTIME));
    int result =
        clients_new(given->clients_per_server ? given->clients_per_server : CLIENTS_PER_SERVER, &watcher->clients);
    options.connection.clients = watcher->clients;
    if (!result)
        result = workers_new(&options, &watcher->clock, &watcher->workers);
    if (result)
        fprintf(stderr, "weft: starting a worker: %s\n", strerror(-result));
    return result;
}

/* A reader has come. The signal is blocked, so that it is not lost however soon the main thread waits. */
static void wake(void *context) {
    const struct watcher *watcher = context;
    pthread_kill(watcher->thread, SIGUSR1);
}

static json_t *interfaces(void *context) {
    return packet_side_json(((const struct watcher *)context)->packets);
}

static int start_page(struct watcher *watcher) {
    char error[256] = "";
    struct page_options options = watcher->options->page;
    options.stamp = &watcher->publisher.stamp;
    options.flows = packet_side_flows(watcher->packets);
    options.wake = wake;
    options.interfaces = interfaces;
    options.context = watcher;
    int result = page_new(&options, &watcher->page, error, sizeof(error));
    if (result < 0)
        fprintf(stderr, "weft: %s\n", error);
    return result;
}

/* What the agent can do without packets it does without them. */
static int attach_packets(struct watcher *watcher) {
    char error[256] = "";
    int result =
        packet_side_attach(&watcher->options->packet_side, watcher->live, &watcher->packets, error, sizeof(error));
    if (result < 0)
        fprintf(stderr, "weft: packets are not watched: %s\n", error);
    return result == -ENOMEM ? result : 0;
}

static int start(struct watcher *watcher) {
    char error[256] = "";
    struct live_options live = {.ring_bytes = watcher->options->ring_bytes,
                                .rings = watcher->options->rings,
                                .only_this_netns = watcher->options->only_this_netns};
    if (live_new(&live, &watcher->live, error, sizeof(error)) < 0) {
        fprintf(stderr, "weft: %s\n", error);
        return -1;
    }
    if (watcher->options->packets && attach_packets(watcher) < 0)
        return -1;
    if (watcher->options->loaded && watcher->options->loaded(watcher->options->context) < 0)
        return -1;
    if (identity_new(&watcher->options->names, &watcher->identity) < 0) {
        fprintf(stderr, "weft: out of memory\n");
        return -1;
    }
    watcher->names = (struct names){watcher->identity, watcher->live, watcher->packets, claim_own_netns()};
    struct namer namer = names_for(&watcher->names);
    if (packet_side_begin(watcher->packets, &namer) < 0) {
        fprintf(stderr, "weft: out of memory\n");
        return -1;
    }
    publisher_init(&watcher->publisher);
    watcher->telling = true;
    if (start_page(watcher) < 0 || start_workers(watcher) < 0)
        return -1;
    live_tell_open(watcher->live);
    __atomic_store_n(&watcher->telling, false, __ATOMIC_RELEASE);
    watcher->publisher.sinks = watcher->options->sinks;
    watcher->publisher.live = watcher->live;
    watcher->publisher.identity = watcher->identity;
    watcher->publisher.workers = watcher->workers;
    watcher->publisher.packets = watcher->packets;
    watcher->publisher.page = watcher->page;
    memcpy(watcher->publisher.conn_id_key, watcher->options->conn_id_key, 16);
    publish_warning(&watcher->publisher);
    return watcher->options->started ? watcher->options->started(watcher->options->context) : 0;
}

int watch(const struct watch_options *options) {
    struct watcher watcher = {.options = options, .thread = pthread_self()};
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGUSR1);
    signal(SIGTERM, stop); /* for threads of libraries that do not block them */
    signal(SIGINT, stop);
    signal(SIGPIPE, SIG_IGN);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    int result = start(&watcher);
    if (!result) {
        say_ready(options);
        run(&watcher, &signals);
    }
    workers_free(watcher.workers);
    clients_free(watcher.clients);
    page_free(watcher.page);
    packet_side_free(watcher.packets);
    identity_free(watcher.identity);
    live_free(watcher.live);
    return result ? 1 : 0;
}
