/* SPDX-License-Identifier: Apache-2.0 */
/* `weft flows`: live and recent connections of a running agent, or their hops, filtered, grouped, counted. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "asking.h"
#include "flows_print.h"
#include "topology/flow_query.h"
#include "value.h"

enum { TABLE_LIMIT = 50, WATCH_NS = 1000000000 };

struct request {
    struct asking asking;
    struct flow_query_options query;
    char filter[FILTER_LENGTH_MAX + 2];
    bool json;
    uint64_t watch_ns; /* 0: once */
};

static const char help_options[] =
    "  --columns FIELD[,FIELD]...    these columns; after a +, besides the usual ones: --columns +mss,hops\n"
    "  --sort FIELD                  largest first, texts by alphabet; -FIELD turns it round (default: bytes)\n"
    "  --limit N                     rows shown, at most 10000 (default: 50; as JSON all of these)\n"
    "  --group-by FIELD[,FIELD]...   one row for all that are equal in these fields, with their sums\n"
    "  --histogram FIELD             how many have which value, by powers of two\n"
    "  --hops                        a row for each interface and direction that a connection passes\n"
    "  --watch[=TIME]                again and again, each second or TIME\n"
    "  --format table|json           json: a row a line (default: table)\n" ASKING_HELP "\n"
    "EXPRESSION says which, by any field:\n"
    "  weft flows 'server_port == 5432 and retransmits > 0'\n"
    "  weft flows 'client ~ shop-* and not (rtt < 10ms or state == ESTAB)'\n"
    "  weft flows 'server_address == 10.0.0.0/8 and connect > 100ms' --sort connect\n"
    "Comparisons: == != < <= > >=; ~ and !~ for patterns of * and ?, or a part of the text. A field alone: it is "
    "known\n"
    "and not 0. Durations have a unit (ns, us, ms, s, m, h), bytes may (K, M, G), addresses may be prefixes. What is "
    "not\n"
    "known fits no comparison. A value with spaces or parentheses stands in quotes.\n"
    "\n"
    "In the manner of other tools:\n"
    "  what was sent again, and where    weft flows 'retransmits > 0' --sort retransmits\n"
    "  the busiest right now             weft flows --sort recent_bytes --columns +recent_bytes --watch\n"
    "  connections that are over         weft flows 'state != ESTAB' --columns +duration\n"
    "  slow connects                     weft flows --histogram connect\n"
    "  who talks most to whom            weft flows --group-by client,server,server_port\n"
    "  what the kernel dropped, and why  weft flows drops --columns client,server,drops,drop_reason,drop_place\n"
    "\n"
    "Counts are since the connection was first seen. What is over is kept for some minutes.\n"
    "\n";

static void describe(FILE *out) {
    fputs(help_options, out);
    flows_print_fields(out);
}

static int take_watch(struct request *request, const char *text) {
    request->watch_ns = WATCH_NS;
    if (!text || (!value_time(text, &request->watch_ns) && request->watch_ns >= 100000000))
        return STATUS_DONE;
    return wrong_usage(&command_flows, "--watch=%s: not understood; a time from 100ms on, such as 5s", text);
}

static int take_limit(struct request *request, const char *text) {
    uint64_t limit;
    if (value_count(text, &limit) || !limit || limit > FLOW_QUERY_LIMIT_MAX)
        return wrong_usage(&command_flows, "--limit %s: not understood; 1 to %d", text, FLOW_QUERY_LIMIT_MAX);
    request->query.limit = limit;
    return STATUS_DONE;
}

static int take_format(struct request *request, const char *text) {
    request->json = !strcmp(text, "json");
    return request->json || !strcmp(text, "table")
               ? STATUS_DONE
               : wrong_usage(&command_flows, "--format %s: not understood; allowed: table, json", text);
}

static int take_option(int option, struct request *request) {
    switch (option) {
    case 'c':
        request->query.columns = optarg;
        return STATUS_DONE;
    case 's':
        request->query.sort = optarg;
        return STATUS_DONE;
    case 'g':
        request->query.group_by = optarg;
        return STATUS_DONE;
    case 'h':
        request->query.histogram = optarg;
        return STATUS_DONE;
    case 'p':
        request->query.hops = true;
        return STATUS_DONE;
    case 'w':
        return take_watch(request, optarg);
    case 'l':
        return take_limit(request, optarg);
    case 'f':
        return take_format(request, optarg);
    }
    return asking_option(&request->asking, option);
}

/* The words after the options are one expression. */
static int take_filter(struct request *request, int argc, char **argv) {
    size_t length = 0;
    for (int i = optind; i < argc; i++) {
        length += strlen(argv[i]) + 1;
        if (length > FILTER_LENGTH_MAX)
            return wrong_usage(&command_flows, "an expression longer than %d bytes", FILTER_LENGTH_MAX);
        strcat(strcat(request->filter, i > optind ? " " : ""), argv[i]);
    }
    request->query.filter = *request->filter ? request->filter : NULL;
    return STATUS_DONE;
}

static const char *text_of(const struct request *request, const char *option) {
    const struct flow_query_options *query = &request->query;
    return !strcmp(option, "filter")     ? query->filter
           : !strcmp(option, "columns")  ? query->columns
           : !strcmp(option, "group_by") ? query->group_by
           : !strcmp(option, "sort")     ? query->sort
                                         : query->histogram;
}

/* The agent would refuse it as well; here the place can be shown. */
static int check(const struct request *request) {
    struct flow_query *query;
    struct flow_query_error error;
    int result = flow_query_new(&request->query, &query, &error);
    if (!result)
        flow_query_free(query);
    if (result != -EINVAL)
        return result ? STATUS_FAILED : STATUS_DONE;
    bool filter = !strcmp(error.option, "filter");
    const char *text = text_of(request, error.option);
    const char *option = !strcmp(error.option, "group_by") ? "group-by" : error.option;
    wrong_usage(&command_flows, "%s%s: %s", filter ? "" : "--", filter ? "the expression" : option, error.text);
    fprintf(stderr, "  %s\n  %*s^\n", text, (int)error.at, "");
    return STATUS_USAGE;
}

static int compose(const struct request *request, char *path, size_t size) {
    const struct flow_query_options *query = &request->query;
    size_t limit = query->limit ? query->limit : request->json ? FLOW_QUERY_LIMIT_MAX : TABLE_LIMIT;
    snprintf(path, size, "flows?limit=%zu&hops=%d", limit, query->hops);
    if (asking_argument(path, size, "filter", query->filter) &&
        asking_argument(path, size, "columns", query->columns) && asking_argument(path, size, "sort", query->sort) &&
        asking_argument(path, size, "group_by", query->group_by) &&
        asking_argument(path, size, "histogram", query->histogram))
        return STATUS_DONE;
    fprintf(stderr, "weft flows: all of that is too long to ask\n");
    return STATUS_FAILED;
}

static int ask_once(struct request *request, const char *path) {
    json_t *answer = asking_get(&request->asking, path);
    if (!answer)
        return STATUS_FAILED;
    if (request->watch_ns && !request->json && isatty(STDOUT_FILENO))
        fputs("\033[H\033[J", stdout);
    int result = request->json                          ? flows_print_json(answer, stdout)
                 : json_object_get(answer, "histogram") ? flows_print_histogram(answer, stdout)
                                                        : flows_print_table(answer, stdout);
    json_decref(answer);
    return result || fflush(stdout) ? STATUS_FAILED : STATUS_DONE;
}

static int ask(struct request *request) {
    char path[6144];
    int status = compose(request, path, sizeof(path));
    struct timespec pause = {request->watch_ns / 1000000000, request->watch_ns % 1000000000};
    if (!status)
        status = ask_once(request, path);
    while (!status && request->watch_ns) {
        clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
        status = ask_once(request, path);
    }
    return status;
}

static int run(int argc, char **argv) {
    static const struct option options[] = {ASKING_OPTIONS,
                                            {"columns", required_argument, NULL, 'c'},
                                            {"sort", required_argument, NULL, 's'},
                                            {"limit", required_argument, NULL, 'l'},
                                            {"group-by", required_argument, NULL, 'g'},
                                            {"histogram", required_argument, NULL, 'h'},
                                            {"hops", no_argument, NULL, 'p'},
                                            {"watch", optional_argument, NULL, 'w'},
                                            {"format", required_argument, NULL, 'f'},
                                            {NULL, 0, NULL, 0}};
    struct request request = {0};
    int option, status = STATUS_DONE;
    asking_init(&request.asking, &command_flows);
    while (!status && (option = getopt_long(argc, argv, "", options, NULL)) != -1)
        status = take_option(option, &request);
    if (!status)
        status = take_filter(&request, argc, argv);
    if (!status)
        status = check(&request);
    return status ? status : ask(&request);
}

const struct command command_flows = {
    .name = "flows",
    .help = "live and recent connections, or their hops, from a running agent",
    .synopsis = "[OPTION]... [EXPRESSION]",
    .describe = describe,
    .run = run,
};
