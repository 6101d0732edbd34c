/* SPDX-License-Identifier: Apache-2.0 */
/* `weft path A B`: why A cannot reach B, or why it is slow, from a running agent. */
#include <errno.h>
#include <getopt.h>
#include <string.h>
#include <unistd.h>

#include "asking.h"
#include "path_print.h"

static void describe(FILE *out) {
    fputs("  --format table|json  a drawing, or the answer of the API (default: table)\n" ASKING_HELP "\n"
          "A is the client, B the server. Each is a workload's or a container's name, a program's, an address,\n"
          "ADDRESS:PORT, [ADDRESS]:PORT or :PORT; '*' is anybody:\n"
          "  weft path web orders-db\n"
          "  weft path '*' :5432\n"
          "  weft path 10.0.0.7 [fd00::2]:443\n"
          "\n"
          "One sentence first: what is wrong, where, and what shows it. Then each hop that the packets pass, in its\n"
          "order: interface, network namespace, packets, addresses as they stand there; between hops the time, what\n"
          "was rewritten, and what was lost and why. A proxy makes two connections, drawn one after the other.\n"
          "Looked at is what was tried in the last minutes: try the connection while the agent runs.\n"
          "Hops inside of containers are seen with `packets_scope: all`.\n",
          out);
}

struct request {
    struct asking asking;
    bool json;
};

static int take_option(int option, struct request *request) {
    if (option != 'f')
        return asking_option(&request->asking, option);
    request->json = !strcmp(optarg, "json");
    return request->json || !strcmp(optarg, "table")
               ? STATUS_DONE
               : wrong_usage(&command_path, "--format %s: not understood; allowed: table, json", optarg);
}

static int ask(struct request *request, const char *from, const char *to) {
    char path[2048] = "path";
    if (!asking_argument(path, sizeof(path), "from", from) || !asking_argument(path, sizeof(path), "to", to))
        return wrong_usage(&command_path, "a name that long is nobody's");
    json_t *answer = asking_get(&request->asking, path);
    if (!answer)
        return STATUS_FAILED;
    int result = 0;
    if (request->json)
        result = json_dumpf(answer, stdout, JSON_INDENT(2)) || putchar('\n') == EOF;
    else
        path_print(answer, isatty(STDOUT_FILENO), stdout);
    json_decref(answer);
    return result || fflush(stdout) ? STATUS_FAILED : STATUS_DONE;
}

static int run(int argc, char **argv) {
    static const struct option options[] = {
        ASKING_OPTIONS, {"format", required_argument, NULL, 'f'}, {NULL, 0, NULL, 0}};
    struct request request = {0};
    int option, status = STATUS_DONE;
    asking_init(&request.asking, &command_path);
    while (!status && (option = getopt_long(argc, argv, "", options, NULL)) != -1)
        status = take_option(option, &request);
    if (!status && argc - optind != 2)
        status = wrong_usage(&command_path, "takes two ends, A and B");
    return status ? status : ask(&request, argv[optind], argv[optind + 1]);
}

const struct command command_path = {
    .name = "path",
    .help = "why A cannot reach B: the way of their packets, hop by hop, from a running agent",
    .synopsis = "[OPTION]... A B",
    .describe = describe,
    .run = run,
};
