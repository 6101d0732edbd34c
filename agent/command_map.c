/* SPDX-License-Identifier: Apache-2.0 */
/* `weft map`: asks a running agent what talks to what, and prints it. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "asking.h"
#include "command.h"
#include "map_print.h"
#include "value.h"

enum { FORMAT_TABLE, FORMAT_JSON, FORMAT_DOT, FORMAT_MERMAID, FORMATS };
static const char *const format_names[FORMATS] = {"table", "json", "dot", "mermaid"};

struct request {
    struct asking asking;
    uint64_t last_ns;
    int format;
};

static void describe(FILE *out) {
    fputs(
        ASKING_HELP
        "  --format FORMAT     table, json, dot (Graphviz) or mermaid (default: table)\n"
        "  --last TIME         how far back: 10s to 1h (default: 1m)\n"
        "\n"
        "An edge's errors are server errors, timeouts, calls without an answer and failed connects, as a part of all\n"
        "attempts. Percentiles are the server's where it is on this host, else the client's.\n",
        out);
}

static int wrong(const char *option, const char *value, const char *allowed) {
    return wrong_usage(&command_map, "--%s %s: not understood; %s", option, value, allowed);
}

static int take_option(int option, struct request *request) {
    switch (option) {
    case 'f':
        for (request->format = 0; request->format < FORMATS; request->format++)
            if (!strcmp(optarg, format_names[request->format]))
                return STATUS_DONE;
        return wrong("format", optarg, "allowed: table, json, dot, mermaid");
    case 'l':
        return value_time(optarg, &request->last_ns) || request->last_ns < 1000000000 ||
                       request->last_ns > 3600000000000
                   ? wrong("last", optarg, "a time from 1s to 1h")
                   : STATUS_DONE;
    }
    return asking_option(&request->asking, option);
}

static int print(const json_t *map, int format) {
    int result = 0;
    switch (format) {
    case FORMAT_TABLE:
        result = map_print_table(map, stdout);
        break;
    case FORMAT_DOT:
        result = map_print_dot(map, stdout);
        break;
    case FORMAT_MERMAID:
        result = map_print_mermaid(map, stdout);
        break;
    default:
        result = json_dumpf(map, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6)) || putchar('\n') == EOF ? -EIO : 0;
    }
    return result || fflush(stdout) ? STATUS_FAILED : STATUS_DONE;
}

static int run(int argc, char **argv) {
    static const struct option options[] = {ASKING_OPTIONS,
                                            {"format", required_argument, NULL, 'f'},
                                            {"last", required_argument, NULL, 'l'},
                                            {NULL, 0, NULL, 0}};
    struct request request = {.last_ns = 60000000000};
    char path[64];
    int option, status = STATUS_DONE;
    asking_init(&request.asking, &command_map);
    while (!status && (option = getopt_long(argc, argv, "", options, NULL)) != -1)
        status = take_option(option, &request);
    if (!status && optind < argc)
        status = wrong_usage(&command_map, "takes no argument: %s", argv[optind]);
    if (status)
        return status;
    snprintf(path, sizeof(path), "map?seconds=%" PRIu64, request.last_ns / 1000000000);
    json_t *map = asking_get(&request.asking, path);
    if (!map)
        return STATUS_FAILED;
    status = print(map, request.format);
    json_decref(map);
    return status;
}

const struct command command_map = {
    .name = "map",
    .help = "what talks to what, from a running agent",
    .synopsis = "[OPTION]...",
    .describe = describe,
    .run = run,
};
