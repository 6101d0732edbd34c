/* SPDX-License-Identifier: Apache-2.0 */
/* The command line: subcommands and their options. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "live.h"
#include "watch.h"

static const char usage[] =
    "usage: weft agent [OPTION]...   watch this host\n"
    "       weft check               what this kernel allows, and what is missing\n"
    "\n"
    "options of `weft agent`:\n"
    "  --sink KIND[:ARGUMENT]       where records go, see below; may be given more than once (default: stdout)\n"
    "  --for TIME                   stop after this long: 500ms, 30s, 5m, 1h (default: never)\n"
    "  --window TIME                length of a window, aligned to the clock (default: 10s)\n"
    "  --ring SIZE                  bytes of the ring between kernel and agent: 64K, 16M (default: 16M)\n"
    "  --namespace self             only sockets of the agent's own network namespace\n"
    "  --ready-fd N                 write a line to this descriptor when everything is attached\n"
    "\n"
    "Exit status: 0 done, 1 failed, 2 wrong usage.\n"
    "\n"
    "sinks:\n";

static int print_usage(FILE *out) {
    fputs(usage, out);
    sinks_help(out);
    return ferror(out) ? 1 : 0;
}

static int wrong(const char *option, const char *value, const char *allowed) {
    fprintf(stderr, "weft: --%s %s: not understood; %s\n", option, value, allowed);
    return 2;
}

static int parse_time(const char *text, uint64_t *ret_ns) {
    char *unit;
    errno = 0;
    unsigned long long value = strtoull(text, &unit, 10);
    uint64_t scale = !strcmp(unit, "ms")            ? 1000000ULL
                     : !strcmp(unit, "s") || !*unit ? 1000000000ULL
                     : !strcmp(unit, "m")           ? 60000000000ULL
                     : !strcmp(unit, "h")           ? 3600000000000ULL
                                                    : 0;
    if (unit == text || *text == '-' || errno || !scale || !value || value > UINT64_MAX / scale)
        return -EINVAL;
    *ret_ns = value * scale;
    return 0;
}

/* The kernel wants a power of two that is a multiple of the page size. */
static int parse_ring(const char *text, uint32_t *ret_bytes) {
    char *unit;
    unsigned long long value = strtoull(text, &unit, 10);
    if (!strcmp(unit, "K"))
        value <<= 10;
    else if (!strcmp(unit, "M"))
        value <<= 20;
    else if (*unit)
        return -EINVAL;
    if (value < 4096 || value > 1 << 30 || (value & (value - 1)))
        return -EINVAL;
    *ret_bytes = value;
    return 0;
}

static int parse_sink(const char *text, struct watch_options *options) {
    char error[256] = "";
    int result = sinks_open(options->sinks, text, error, sizeof(error));
    if (result < 0)
        fprintf(stderr, "weft: --sink %s: %s\n", text, error);
    return result == -EINVAL || result == -E2BIG ? 2 : result < 0 ? 1 : 0;
}

static int parse_option(int option, const char *value, struct watch_options *options) {
    switch (option) {
    case 's':
        return parse_sink(value, options);
    case 'f':
        return parse_time(value, &options->duration_ns) ? wrong("for", value, "a time such as 500ms, 30s, 5m, 1h") : 0;
    case 'w':
        return parse_time(value, &options->window_ns) ? wrong("window", value, "a time such as 10s") : 0;
    case 'r':
        return parse_ring(value, &options->ring_bytes) ? wrong("ring", value, "a power of two from 4K to 1024M") : 0;
    case 'n':
        options->only_this_netns = true;
        return strcmp(value, "self") ? wrong("namespace", value, "allowed: self") : 0;
    case 'R':
        options->ready_fd = atoi(value);
        return options->ready_fd > 2 ? 0 : wrong("ready-fd", value, "an open descriptor above 2");
    }
    return 2;
}

static int agent(int argc, char **argv) {
    static const struct option long_options[] = {
        {"sink", required_argument, NULL, 's'},
        {"for", required_argument, NULL, 'f'},
        {"window", required_argument, NULL, 'w'},
        {"ring", required_argument, NULL, 'r'},
        {"namespace", required_argument, NULL, 'n'},
        {"ready-fd", required_argument, NULL, 'R'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct sinks sinks = {0};
    struct watch_options options = {.sinks = &sinks, .window_ns = 10000000000, .ring_bytes = 16 << 20, .ready_fd = -1};
    int option, result = 0;
    while (!result && (option = getopt_long(argc, argv, "h", long_options, NULL)) != -1) {
        if (option == 'h')
            return print_usage(stdout);
        result = parse_option(option, optarg, &options);
    }
    if (!result && optind < argc) {
        fprintf(stderr, "weft: agent takes no argument: %s\n", argv[optind]);
        result = 2;
    }
    if (!result && !sinks.count)
        result = parse_sink("stdout", &options);
    if (!result)
        result = watch(&options);
    sinks_close(&sinks);
    return result;
}

static int check(void) {
    struct live *live;
    struct live_options options = {.ring_bytes = 1 << 16};
    char error[256];
    size_t count;
    if (live_new(&options, &live, error, sizeof(error)) < 0) {
        fprintf(stderr, "weft: %s\n", error);
        return 1;
    }
    const struct live_program *programs = live_programs(live, &count);
    printf("%-18s %-10s %s\n", "program", "state", "what it is for");
    for (size_t i = 0; i < count; i++)
        printf("%-18s %-10s %s%s%s\n", programs[i].name, programs[i].attached ? "attached" : "-", programs[i].purpose,
               programs[i].reason[0] ? ": " : "", programs[i].reason);
    live_free(live);
    return 0;
}

int main(int argc, char **argv) {
    if (argc >= 2 && !strcmp(argv[1], "agent"))
        return agent(argc - 1, argv + 1);
    if (argc == 2 && !strcmp(argv[1], "check"))
        return check();
    if (argc >= 2 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "help")))
        return print_usage(stdout);
    print_usage(stderr);
    return 2;
}
