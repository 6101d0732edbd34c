/* SPDX-License-Identifier: Apache-2.0 */
/* `weft map`: asks a running agent what talks to what, and prints it. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "command.h"
#include "config.h"
#include "map_print.h"
#include "value.h"

enum { FORMAT_TABLE, FORMAT_JSON, FORMAT_DOT, FORMAT_MERMAID, FORMATS };
static const char *const format_names[FORMATS] = {"table", "json", "dot", "mermaid"};

struct request {
    const char *at, *token_file;
    uint64_t last_ns;
    int format;
    char token[300];
};

static void describe(FILE *out) {
    fputs(
        "  --at URL|PATH       the agent's page, or its Unix socket (default: /run/weft/weft.sock)\n"
        "  --format FORMAT     table, json, dot (Graphviz) or mermaid (default: table)\n"
        "  --last TIME         how far back: 10s to 1h (default: 1m)\n"
        "  --token-file FILE   holds the token that the page asks for\n"
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
    case 'a':
        request->at = optarg;
        return *optarg == '/' || !strncmp(optarg, "http://", 7) || !strncmp(optarg, "https://", 8)
                   ? STATUS_DONE
                   : wrong("at", optarg, "an absolute path, or http://ADDRESS:PORT");
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
    case 't':
        request->token_file = optarg;
        return STATUS_DONE;
    }
    return wrong_usage(&command_map, "see the options");
}

static int read_token(struct request *request) {
    FILE *file = fopen(request->token_file, "re");
    bool read = file && fgets(request->token, sizeof(request->token), file);
    request->token[strcspn(request->token, "\r\n")] = '\0';
    if (!read)
        fprintf(stderr, "weft map: --token-file %s: %s\n", request->token_file, file ? "is empty" : strerror(errno));
    if (file)
        fclose(file);
    return read ? STATUS_DONE : STATUS_FAILED;
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
    static const struct option options[] = {{"at", required_argument, NULL, 'a'},
                                            {"format", required_argument, NULL, 'f'},
                                            {"last", required_argument, NULL, 'l'},
                                            {"token-file", required_argument, NULL, 't'},
                                            {NULL, 0, NULL, 0}};
    struct request request = {.at = config_find("socket")->standard, .last_ns = 60000000000};
    char path[64], error[512];
    int option, status = STATUS_DONE;
    while (!status && (option = getopt_long(argc, argv, "", options, NULL)) != -1)
        status = take_option(option, &request);
    if (!status && optind < argc)
        status = wrong_usage(&command_map, "takes no argument: %s", argv[optind]);
    if (!status && request.token_file)
        status = read_token(&request);
    if (status)
        return status;
    snprintf(path, sizeof(path), "map?seconds=%" PRIu64, request.last_ns / 1000000000);
    struct client_options client = {.at = request.at, .token = *request.token ? request.token : NULL};
    json_t *map = client_get(&client, path, error, sizeof(error));
    if (!map) {
        fprintf(stderr, "weft map: %s\n", error);
        return STATUS_FAILED;
    }
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
