/* SPDX-License-Identifier: Apache-2.0 */
/* `weft agent`: its options. What it does then is in watch.h. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "value.h"
#include "watch.h"
#include "web/server.h"

static const char options_help[] =
    "  --sink KIND[:ARGUMENT]   where records go, see below; may be given more than once (default: none)\n"
    "  --page ADDRESS:PORT|off  where the page is served (default: 127.0.0.1:7575)\n"
    "  --page-token-file FILE   holds the token that the page asks for; needed beyond loopback\n"
    "  --socket PATH|off        where `weft map` asks (default: /run/weft/weft.sock)\n"
    "  --for TIME               stop after this long: 500ms, 30s, 5m, 1h (default: never)\n"
    "  --window TIME            length of a window, aligned to the clock (default: 10s)\n"
    "  --ring SIZE              bytes of the ring between kernel and agent: 64K, 16M (default: 16M)\n"
    "  --namespace self         only sockets of the agent's own network namespace\n"
    "  --ready-fd N             write a line to this descriptor when everything is attached\n"
    "\n"
    "SIGTERM, SIGINT and the end of --for write out what is still open before the agent leaves.\n"
    "\n"
    "sinks:\n";

static void describe(FILE *out) {
    fputs(options_help, out);
    sinks_help(out);
}

static int wrong(const char *option, const char *value, const char *allowed) {
    return wrong_usage(&command_agent, "--%s %s: not understood; %s", option, value, allowed);
}

/* The kernel wants a power of two that is a multiple of the page size. */
static int parse_ring(const char *text, uint32_t *ret_bytes) {
    uint64_t value;
    if (value_size(text, &value) || value < 4096 || value > 1 << 30 || (value & (value - 1)))
        return -EINVAL;
    *ret_bytes = value;
    return 0;
}

static int parse_sink(const char *text, struct watch_options *options) {
    char error[256] = "";
    int result = sinks_open(options->sinks, text, error, sizeof(error));
    if (result < 0)
        fprintf(stderr, "weft: --sink %s: %s\n", text, error);
    return result == -EINVAL || result == -E2BIG ? STATUS_USAGE : result < 0 ? STATUS_FAILED : STATUS_DONE;
}

static int parse_page(const char *text, struct watch_options *options) {
    static char address[64];
    if (!strcmp(text, "off"))
        options->page.address = NULL;
    else if (web_parse_address(text, address, sizeof(address), &options->page.port))
        return wrong("page", text, "ADDRESS:PORT, PORT or off");
    else
        options->page.address = address;
    return STATUS_DONE;
}

/* From a file, since command lines are for everybody to read. */
static int read_token(const char *path, struct watch_options *options) {
    static char token[300];
    FILE *file = fopen(path, "re");
    bool read = file && fgets(token, sizeof(token), file);
    if (!read)
        fprintf(stderr, "weft: --page-token-file %s: %s\n", path, file ? "is empty" : strerror(errno));
    if (file)
        fclose(file);
    token[strcspn(token, "\r\n")] = '\0';
    options->page.token = token;
    return read ? STATUS_DONE : STATUS_FAILED;
}

static int parse_option(int option, const char *value, struct watch_options *options) {
    switch (option) {
    case 's':
        return parse_sink(value, options);
    case 'f':
        return value_time(value, &options->duration_ns) ? wrong("for", value, "a time such as 500ms, 30s, 5m, 1h") : 0;
    case 'w':
        return value_time(value, &options->window_ns) ? wrong("window", value, "a time such as 10s") : 0;
    case 'r':
        return parse_ring(value, &options->ring_bytes) ? wrong("ring", value, "a power of two from 4K to 1024M") : 0;
    case 'n':
        options->only_this_netns = true;
        return strcmp(value, "self") ? wrong("namespace", value, "allowed: self") : 0;
    case 'p':
        return parse_page(value, options);
    case 'T':
        return read_token(value, options);
    case 'S':
        options->page.socket = strcmp(value, "off") ? value : NULL;
        return 0;
    case 'R':
        options->ready_fd = atoi(value);
        return options->ready_fd > 2 ? 0 : wrong("ready-fd", value, "an open descriptor above 2");
    }
    return wrong_usage(&command_agent, "see the options");
}

static int run(int argc, char **argv) {
    static const struct option long_options[] = {
        {"sink", required_argument, NULL, 's'},
        {"for", required_argument, NULL, 'f'},
        {"window", required_argument, NULL, 'w'},
        {"ring", required_argument, NULL, 'r'},
        {"namespace", required_argument, NULL, 'n'},
        {"page", required_argument, NULL, 'p'},
        {"page-token-file", required_argument, NULL, 'T'},
        {"socket", required_argument, NULL, 'S'},
        {"ready-fd", required_argument, NULL, 'R'},
        {NULL, 0, NULL, 0},
    };
    struct sinks sinks = {0};
    struct watch_options options = {.sinks = &sinks, .window_ns = 10000000000, .ring_bytes = 16 << 20, .ready_fd = -1};
    options.page = (struct page_options){.address = "127.0.0.1", .port = 7575, .socket = WEB_SOCKET};
    int option, status = STATUS_DONE;
    while (!status && (option = getopt_long(argc, argv, "", long_options, NULL)) != -1)
        status = parse_option(option, optarg, &options);
    if (!status && optind < argc)
        status = wrong_usage(&command_agent, "takes no argument: %s", argv[optind]);
    if (!status)
        status = watch(&options);
    sinks_close(&sinks);
    return status;
}

const struct command command_agent = {
    .name = "agent",
    .help = "watch this host",
    .synopsis = "[OPTION]...",
    .describe = describe,
    .run = run,
};
