/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What userspace does with a call: records as the kernel writes them, made here once, are shown to connections_*
 * again and again on one thread, as the agent does after it has taken them from the ring.
 *
 * Every connection has both ends on this host: heads come from the server's end, durations from the client's, eight
 * to a record. What the edges hold at the end must be what was made, or nothing is printed but the difference.
 *
 * usage: bench_pipeline PROTOCOL CALLS [CONNECTIONS]    PROTOCOL: http, redis, redis-16, postgresql,
 * postgresql-extended
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "topology/connection.h"

enum {
    VARIETY = 512,          /* different calls that are made and played over and over */
    BYTES_OF_RECORD = 4096, /* the most that one record takes here */
    SERVER_PORT = 8080
};

struct text {
    char bytes[BYTES_OF_RECORD];
    size_t length;
};

/* One protocol's bytes, appended to the texts; `i` varies what a real client would vary. */
struct speaker {
    const char *name;
    void (*start)(struct text *request, struct text *response); /* before the first call of a connection; or NULL */
    unsigned start_calls;                                       /* calls that `start` holds */
    void (*call)(struct text *request, struct text *response, unsigned i);
    unsigned calls;
    unsigned request_limit, response_limit; /* bytes the kernel copies of a first operation */
};

static void append(struct text *text, const void *bytes, size_t length) {
    memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
}

static void append_text(struct text *text, const char *string) {
    append(text, string, strlen(string));
}

/* ---- HTTP ---- */

static void http_call(struct text *request, struct text *response, unsigned i) {
    request->length += sprintf(request->bytes,
                               "GET /api/v1/users/%u/orders/%08x?page=%u HTTP/1.1\r\nHost: shop.example.org\r\n"
                               "User-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nAccept: application/json\r\n"
                               "Accept-Encoding: gzip\r\nCookie: session=0123456789abcdef\r\n\r\n",
                               i * 7919, i * 2654435761u, i);
    response->length +=
        sprintf(response->bytes,
                "HTTP/1.1 %s\r\nServer: nginx\r\nDate: Tue, 24 Nov 2026 15:00:00 GMT\r\n"
                "Content-Type: application/json\r\nContent-Length: 120\r\nConnection: keep-alive\r\n\r\n%120d",
                i % 50 ? "200 OK" : "500 Internal Server Error", 0);
}

/* ---- Redis ---- */

static void redis_one(struct text *request, struct text *response, unsigned i) {
    char key[32];
    int length = sprintf(key, "user:%012u", i);
    if (i % 2) {
        request->length += sprintf(request->bytes + request->length, "*2\r\n$3\r\nGET\r\n$%d\r\n%s\r\n", length, key);
        append_text(response, "$16\r\nvaluevaluevalue1\r\n");
    } else {
        request->length += sprintf(request->bytes + request->length,
                                   "*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$16\r\nvaluevaluevalue1\r\n", length, key);
        append_text(response, "+OK\r\n");
    }
}

static void redis_call(struct text *request, struct text *response, unsigned i) {
    redis_one(request, response, i);
}

static void redis_pipeline(struct text *request, struct text *response, unsigned i) {
    for (unsigned n = 0; n < 16; n++)
        redis_one(request, response, i * 16 + n);
}

/* ---- PostgreSQL ---- */

static void postgres_message(struct text *text, char kind, const void *body, uint32_t length) {
    uint32_t all = length + 4;
    uint8_t head[5] = {kind, all >> 24, all >> 16, all >> 8, all};
    append(text, head, sizeof(head));
    append(text, body, length);
}

static void postgres_start(struct text *request, struct text *response) {
    static const char startup[] = "\0\0\0\x2a\0\3\0\0user\0postgres\0database\0postgres\0";
    append(request, startup, sizeof(startup));
    request->bytes[3] = sizeof(startup);
    postgres_message(response, 'R', "\0\0\0\0", 4);
    postgres_message(response, 'S', "server_version\00015.8", 20);
    postgres_message(response, 'K', "\0\0\1\2\3\4\5\6", 8);
    postgres_message(response, 'Z', "I", 1);
}

static void postgres_rows(struct text *response) {
    static const char columns[] = "\0\1abalance\0\0\0\x40\0\0\3\0\0\0\x17\0\4\xff\xff\xff\xff\0";
    postgres_message(response, 'T', columns, sizeof(columns));
    postgres_message(response, 'D',
                     "\0\1\0\0\0\5"
                     "12345",
                     11);
}

static void postgres_end(struct text *response) {
    postgres_message(response, 'C', "SELECT 1", 9);
    postgres_message(response, 'Z', "I", 1);
}

static void postgres_simple(struct text *request, struct text *response, unsigned i) {
    char query[128];
    int length = sprintf(query, "SELECT abalance FROM pgbench_accounts WHERE aid = %u;", i * 7919);
    postgres_message(request, 'Q', query, length + 1);
    postgres_rows(response);
    postgres_end(response);
}

static void postgres_extended(struct text *request, struct text *response, unsigned i) {
    static const char parse[] = "\0SELECT abalance FROM pgbench_accounts WHERE aid = $1;\0\0\0";
    char bind[64] = "\0\0\0\0\0\1\0\0\0\x08";
    sprintf(bind + 10, "%08u", i);
    postgres_message(request, 'P', parse, sizeof(parse) - 1);
    postgres_message(request, 'B', bind, 20);
    postgres_message(request, 'D', "P", 2);
    postgres_message(request, 'E', "\0\0\0\0", 5);
    postgres_message(request, 'S', "", 0);
    postgres_message(response, '1', "", 0);
    postgres_message(response, '2', "", 0);
    postgres_rows(response);
    postgres_end(response);
}

static const struct speaker speakers[] = {
    {"http", NULL, 0, http_call, 1, 2048, 256},
    {"redis", NULL, 0, redis_call, 1, 4095, 4095},
    {"redis-16", NULL, 0, redis_pipeline, 16, 4095, 4095},
    {"postgresql", postgres_start, 0, postgres_simple, 1, 4095, 4095},
    {"postgresql-extended", postgres_start, 0, postgres_extended, 1, 4095, 4095},
};

/* ---- the kernel's part ---- */

struct socket_state {
    uint64_t cookie, received, sent;
    uint32_t turn;
    struct record_turns turns;
};

struct player {
    struct connections *connections;
    struct socket_state *sockets; /* servers' ends; the client's cookie is one more */
    const struct speaker *speaker;
    struct text *requests, *responses; /* VARIETY of each */
    uint64_t now;
};

static struct edge_end name_owner(void *context, const struct record_owner *owner, const char *command) {
    (void)context, (void)command;
    return owner->tgid == 1 ? (struct edge_end){.id = 1, .name = "client", .kind = "process"}
                            : (struct edge_end){.id = 2, .name = "server", .kind = "process"};
}

static struct edge_end name_server(void *context, const uint8_t *address, int family, uint16_t port) {
    (void)context, (void)address, (void)family, (void)port;
    return (struct edge_end){.id = 3, .name = "other", .kind = "address"};
}

static struct edge_end name_client(void *context, const uint8_t *address, int family) {
    return name_server(context, address, family, 0);
}

static void open_connection(struct player *player, unsigned index) {
    struct socket_state *socket = &player->sockets[index];
    socket->cookie = 2 * index + 2;
    for (int server = 0; server < 2; server++) {
        struct record_opened record = {.kind = RECORD_OPENED,
                                       .family = 2,
                                       .role = server ? ROLE_SERVER : ROLE_CLIENT,
                                       .proof = server ? PROOF_ACCEPT : PROOF_CONNECT,
                                       .time = player->now,
                                       .cookie = socket->cookie + !server,
                                       .isn = (uint64_t)(index + 1) << 32 | index,
                                       .owner = {.tgid = server ? 2 : 1, .start_time = 1},
                                       .local_address = {127, 0, 0, 1},
                                       .remote_address = {127, 0, 0, 1},
                                       .local_port = server ? SERVER_PORT : 40000,
                                       .remote_port = server ? 40000 : SERVER_PORT};
        connections_opened(player->connections, &record);
    }
}

static void show(struct player *player, struct socket_state *socket, const struct text *text, bool egress) {
    unsigned limit = egress ? player->speaker->response_limit : player->speaker->request_limit;
    uint64_t *offset = egress ? &socket->sent : &socket->received;
    struct {
        struct record_data head;
        uint8_t bytes[BYTES_OF_RECORD];
    } record;
    record.head = (struct record_data){.kind = RECORD_DATA,
                                       .captured = text->length < limit ? text->length : limit,
                                       .time = player->now += 500,
                                       .cookie = socket->cookie,
                                       .offset = *offset,
                                       .other_offset = egress ? socket->received : socket->sent,
                                       .previous_turn_end = player->now - 500,
                                       .length = text->length,
                                       .turn = ++socket->turn,
                                       .egress = egress,
                                       .first = 1};
    memcpy(record.bytes, text->bytes, record.head.captured);
    connections_data(player->connections, &record.head, record.bytes);
    *offset += text->length;
}

static void keep_duration(struct player *player, struct socket_state *socket) {
    struct record_turns *turns = &socket->turns;
    turns->durations[turns->count++] = 20000;
    if (turns->count < TURNS_PER_RECORD)
        return;
    turns->kind = RECORD_TURNS;
    turns->time = player->now;
    turns->cookie = socket->cookie + 1;
    connections_turns(player->connections, turns);
    turns->count = 0;
}

static void play(struct player *player, unsigned connections, uint64_t turns) {
    for (uint64_t i = 0; i < turns; i++) {
        struct socket_state *socket = &player->sockets[i % connections];
        show(player, socket, &player->requests[i % VARIETY], false);
        show(player, socket, &player->responses[i % VARIETY], true);
        keep_duration(player, socket);
    }
}

/* ---- */

static void start(struct player *player, unsigned connections) {
    struct text request = {0}, response = {0};
    player->requests = calloc(VARIETY, sizeof(struct text));
    player->responses = calloc(VARIETY, sizeof(struct text));
    for (unsigned i = 0; i < VARIETY; i++)
        player->speaker->call(&player->requests[i], &player->responses[i], i);
    if (player->speaker->start)
        player->speaker->start(&request, &response);
    for (unsigned i = 0; i < connections; i++) {
        open_connection(player, i);
        if (!player->speaker->start)
            continue;
        show(player, &player->sockets[i], &request, false);
        show(player, &player->sockets[i], &response, true);
    }
}

struct sums {
    uint64_t calls, server_errors, durations, endpoints;
};

static void sum_edge(void *context, const struct edge *edge) {
    struct sums *sums = context;
    sums->calls += edge->window.calls;
    sums->server_errors += edge->window.server_error;
    sums->durations += edge->window.duration.count;
    sums->endpoints += edge->window.endpoint_count;
}

static double seconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static int report(const struct player *player, struct edges *edges, uint64_t expected, double took) {
    struct sums sums = {0};
    edges_each(edges, sum_edge, &sums);
    if (sums.calls != expected || sums.durations != expected) {
        fprintf(stderr, "bench_pipeline: %s: %lu calls with %lu durations in edges, %lu were made\n",
                player->speaker->name, sums.calls, sums.durations, expected);
        return 1;
    }
    printf("{\"protocol\":\"%s\",\"calls\":%lu,\"server_errors\":%lu,\"endpoints\":%lu,\"calls_per_second\":%.0f,"
           "\"ns_per_call\":%.1f}\n",
           player->speaker->name, sums.calls, sums.server_errors, sums.endpoints, expected / took,
           took / expected * 1e9);
    return 0;
}

static int run(const struct speaker *speaker, uint64_t calls, unsigned connections) {
    struct edges edges;
    edges_init(&edges, 1000);
    struct connection_options options = {.namer = {.owner = name_owner, .server = name_server, .client = name_client},
                                         .edges = &edges,
                                         .limit = connections,
                                         .call_timeout_ns = 30000000000};
    struct player player = {.speaker = speaker, .sockets = calloc(connections, sizeof(struct socket_state))};
    if (connections_new(&options, &player.connections))
        return 1;
    start(&player, connections);
    uint64_t turns = calls / speaker->calls;
    double began = seconds();
    play(&player, connections, turns);
    double took = seconds() - began;
    int result = report(&player, &edges, turns * speaker->calls + connections * speaker->start_calls, took);
    connections_free(player.connections);
    edges_done(&edges);
    free(player.sockets);
    free(player.requests);
    free(player.responses);
    return result;
}

int main(int argc, char **argv) {
    uint64_t calls = argc > 2 ? strtoull(argv[2], NULL, 10) : 0;
    unsigned connections = argc > 3 ? strtoul(argv[3], NULL, 10) : 64;
    for (size_t i = 0; i < sizeof(speakers) / sizeof(speakers[0]) && calls && connections; i++)
        if (!strcmp(argv[1], speakers[i].name))
            return run(&speakers[i], calls, connections);
    fprintf(stderr, "usage: bench_pipeline http|redis|redis-16|postgresql|postgresql-extended CALLS [CONNECTIONS]\n");
    return 2;
}
