/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the socket hooks add to one send or receive.
 *
 * A child plays both ends of a TCP connection on loopback in one thread: 300 bytes there in one run, 300 bytes back in
 * two, as nginx and others send a head and a body. One turn is two sends and two receives and no scheduler stands
 * between. The parent attaches one variant after the other, in
 * every round anew, and asks the child for the time of a run:
 *
 *   untraced  nothing attached
 *   empty     two programs that return at once
 *   counted   weft, on bytes that no protocol fits: after its first operations such a connection is only counted
 *   copied    weft, on HTTP: the server's end is copied, the client's end keeps the duration of each turn
 *
 * Each round is a JSON line, then medians. A last run under the kernel's own statistics of BPF programs gives the
 * time in each program; it is slower in itself, so it stands apart. The records that were drained are compared with
 * the turns that were made: a cheap hook that lost them would be no result.
 *
 * usage: bench_kernel [ROUNDS]
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "agent/live.h"
#include "empty.skel.h"

enum {
    BURSTS = 20,     /* of one run; the fastest stands, the others were disturbed */
    TURNS = 2000,    /* of one burst; a run's records fit the ring, so draining is not timed */
    OPERATIONS = 4,  /* of one turn */
    MESSAGE = 300,   /* bytes */
    HEAD = 150,      /* of them, in the first run of an answer */
    ROUNDS_MOST = 99 /* kept for the medians */
};

enum variant { UNTRACED, EMPTY, COUNTED, COPIED, VARIANTS };
static const char *const names[] = {"untraced", "empty", "counted", "copied"};

struct child {
    pid_t pid;
    int ask, answer; /* pipes: a byte that says whether to speak HTTP; nanoseconds of the best burst */
};

static void fail(const char *what) {
    fprintf(stderr, "bench_kernel: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* ---- the child ---- */

static void connect_pair(int *ret_client, int *ret_server) {
    int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    if (bind(listener, (struct sockaddr *)&address, size) || listen(listener, 1) ||
        getsockname(listener, (struct sockaddr *)&address, &size))
        fail("listening");
    *ret_client = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(*ret_client, (struct sockaddr *)&address, size))
        fail("connecting");
    *ret_server = accept(listener, NULL, NULL);
    setsockopt(*ret_client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    setsockopt(*ret_server, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    close(listener);
}

static void fill(char *request, char *response, bool http) {
    memset(request, http ? 'x' : 0xee, MESSAGE);
    memset(response, http ? 'y' : 0xee, MESSAGE);
    if (!http)
        return;
    int head = snprintf(request, MESSAGE, "GET /users/1234 HTTP/1.1\r\nHost: localhost\r\nX-Fill: ");
    memcpy(request + MESSAGE - 4, "\r\n\r\n", 4);
    request[head] = 'x';
    head = snprintf(response, MESSAGE, "HTTP/1.1 200 OK\r\nContent-Length: %03d\r\n\r\n", 0);
    snprintf(response, MESSAGE, "HTTP/1.1 200 OK\r\nContent-Length: %03d\r\n\r\n", MESSAGE - head);
    response[head] = 'y';
}

static uint64_t now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time); /* what others run in between is not ours */
    return (uint64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/* ns of one burst */
static uint64_t play(int client, int server, const char *request, char *response) {
    char buffer[MESSAGE];
    struct iovec answer[2] = {{response, HEAD}, {response + HEAD, MESSAGE - HEAD}};
    uint64_t began = now_ns();
    for (int i = 0; i < TURNS; i++)
        if (send(client, request, MESSAGE, 0) != MESSAGE || recv(server, buffer, MESSAGE, MSG_WAITALL) != MESSAGE ||
            writev(server, answer, 2) != MESSAGE || recv(client, buffer, MESSAGE, MSG_WAITALL) != MESSAGE)
            fail("playing");
    return now_ns() - began;
}

static void child_main(int ask, int answer) {
    char http, request[MESSAGE], response[MESSAGE];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (read(ask, &http, 1) == 1) {
        int client, server;
        connect_pair(&client, &server);
        fill(request, response, http);
        uint64_t least = UINT64_MAX;
        for (int i = 0; i < BURSTS; i++) { /* the first one also makes up weft's mind about the connection */
            uint64_t took = play(client, server, request, response);
            least = took < least ? took : least;
        }
        close(client);
        close(server);
        if (write(answer, &least, sizeof(least)) != sizeof(least))
            break;
    }
    _exit(0);
}

static struct child start_child(void) {
    int ask[2], answer[2];
    if (pipe(ask) || pipe(answer))
        fail("pipe");
    pid_t pid = fork();
    if (pid < 0)
        fail("fork");
    if (!pid) {
        close(ask[1]);
        child_main(ask[0], answer[1]);
    }
    return (struct child){pid, ask[1], answer[0]};
}

/* ns of one send or receive */
static double run(const struct child *child, bool http) {
    char byte = http;
    uint64_t took = 0;
    if (write(child->ask, &byte, 1) != 1 || read(child->answer, &took, sizeof(took)) != sizeof(took))
        fail("the child has gone");
    return (double)took / TURNS / OPERATIONS;
}

/* ---- the parent ---- */

struct tally {
    uint64_t heads, turns; /* RECORD_DATA, durations in RECORD_TURNS */
};

static void on_record(void *context, const void *record, size_t size) {
    struct tally *tally = context;
    uint32_t kind;
    (void)size;
    memcpy(&kind, record, sizeof(kind));
    tally->heads += kind == RECORD_DATA;
    if (kind == RECORD_TURNS)
        tally->turns += ((const struct record_turns *)record)->count;
}

static struct live *attach_weft(void) {
    struct live_options options = {.ring_bytes = 64 << 20, .rings = 1};
    char error[256];
    struct live *live;
    if (live_new(&options, &live, error, sizeof(error)) < 0) {
        fprintf(stderr, "bench_kernel: %s\n", error);
        exit(1);
    }
    return live;
}

/* One run with weft attached; what it wrote is drained afterwards and must be all of it. */
static double run_weft(const struct child *child, struct live *live, bool http) {
    struct tally tally = {0};
    while (live_drain(live, 0, on_record, &tally))
        ;
    tally = (struct tally){0};
    double ns = run(child, http);
    while (live_drain(live, 0, on_record, &tally))
        ;
    uint64_t turns = TURNS * BURSTS;
    if (tally.turns < turns || (http && tally.heads < turns * 2)) {
        fprintf(stderr, "bench_kernel: %s: %lu durations and %lu heads of %lu turns were recorded\n",
                names[http ? COPIED : COUNTED], tally.turns, tally.heads, turns);
        exit(1);
    }
    return ns;
}

static double measure(const struct child *child, enum variant variant) {
    if (variant == UNTRACED)
        return run(child, true);
    if (variant == EMPTY) {
        struct empty_bpf *empty = empty_bpf__open_and_load();
        if (!empty || empty_bpf__attach(empty))
            fail("attaching empty programs");
        double ns = run(child, true);
        empty_bpf__destroy(empty);
        return ns;
    }
    struct live *live = attach_weft();
    double ns = run_weft(child, live, variant == COPIED);
    live_free(live);
    return ns;
}

static int compare(const void *left, const void *right) {
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static double median(double *values, int count) {
    qsort(values, count, sizeof(*values), compare);
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

static void print_round(double values[VARIANTS][ROUNDS_MOST], int round) {
    printf("{\"round\":%d", round);
    for (int v = 0; v < VARIANTS; v++)
        printf(",\"%s\":%.1f", names[v], values[v][round]);
    printf("}\n");
    fflush(stdout);
}

static double best(const double *values, int count) {
    double least = values[0];
    for (int i = 1; i < count; i++)
        least = values[i] < least ? values[i] : least;
    return least;
}

/*
 * From the best of each variant: what disturbs a run only ever adds to it. The medians of the differences within a
 * round stand beside, to show how quiet the machine was.
 */
static void print_summary(double values[VARIANTS][ROUNDS_MOST], int rounds) {
    double added[VARIANTS], typical[VARIANTS], differences[ROUNDS_MOST];
    double untraced = best(values[UNTRACED], rounds);
    for (int v = EMPTY; v < VARIANTS; v++) {
        added[v] = best(values[v], rounds) - untraced;
        for (int i = 0; i < rounds; i++)
            differences[i] = values[v][i] - values[UNTRACED][i];
        typical[v] = median(differences, rounds);
    }
    double copied_end = 2 * added[COPIED] - added[COUNTED];
    printf("{\"summary\":\"kernel\",\"rounds\":%d,\"unit\":\"ns per send or receive\",\"untraced\":%.1f", rounds,
           untraced);
    for (int v = EMPTY; v < VARIANTS; v++)
        printf(",\"added_%s\":%.1f,\"median_added_%s\":%.1f", names[v], added[v], names[v], typical[v]);
    printf(",\"added_copied_end\":%.1f}\n", copied_end);
    printf("untraced %.0f ns per send or receive; added: empty hooks %.0f, counted %.0f (goal 100), HTTP over both "
           "ends %.0f, at the copied end alone %.0f (goal 350)\n",
           untraced, added[EMPTY], added[COUNTED], added[COPIED], copied_end);
}

static bool next_program(uint32_t *id, struct bpf_prog_info *ret_info) {
    while (!bpf_prog_get_next_id(*id, id)) {
        uint32_t size = sizeof(*ret_info);
        int fd = bpf_prog_get_fd_by_id(*id);
        memset(ret_info, 0, sizeof(*ret_info));
        if (fd < 0)
            continue;
        int result = bpf_obj_get_info_by_fd(fd, ret_info, &size);
        close(fd);
        if (!result)
            return true;
    }
    return false;
}

static uint32_t last_program(void) {
    struct bpf_prog_info info;
    uint32_t id = 0, last = 0;
    while (next_program(&id, &info))
        last = id;
    return last;
}

/* Another tracer on the same hooks would be measured, too. */
static void warn_of_others(void) {
    struct bpf_prog_info info;
    uint32_t id = 0;
    while (next_program(&id, &info))
        if (!strcmp(info.name, "socket_send"))
            fprintf(stderr, "bench_kernel: another agent is attached (program %u): these figures include it\n", id);
}

static void print_programs(const struct child *child, enum variant variant) {
    struct bpf_prog_info info;
    uint32_t before = last_program(), id = before;
    int statistics = bpf_enable_stats(BPF_STATS_RUN_TIME);
    if (statistics < 0)
        fail("statistics of BPF programs");
    struct live *live = attach_weft();
    run_weft(child, live, variant == COPIED);
    while (next_program(&id, &info))
        if (info.run_cnt >= TURNS)
            printf("{\"program\":\"%s\",\"variant\":\"%s\",\"runs\":%llu,\"ns_per_run\":%.1f,\"instructions\":%u}\n",
                   info.name, names[variant], (unsigned long long)info.run_cnt, (double)info.run_time_ns / info.run_cnt,
                   info.xlated_prog_len / 8);
    live_free(live);
    close(statistics);
}

int main(int argc, char **argv) {
    static double values[VARIANTS][ROUNDS_MOST];
    int rounds = argc > 1 ? atoi(argv[1]) : 15;
    if (rounds < 1 || rounds > ROUNDS_MOST) {
        fprintf(stderr, "usage: bench_kernel [ROUNDS], 1 to %d\n", ROUNDS_MOST);
        return 2;
    }
    warn_of_others();
    struct child child = start_child();
    run(&child, true);
    for (int round = 0; round < rounds; round++) {
        for (int v = 0; v < VARIANTS; v++) /* each in each place in turn */
            values[(round + v) % VARIANTS][round] = measure(&child, (round + v) % VARIANTS);
        print_round(values, round);
    }
    print_summary(values, rounds);
    print_programs(&child, COUNTED);
    print_programs(&child, COPIED);
    return 0;
}
