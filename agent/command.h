/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A subcommand of `weft`: one file agent/command_NAME.c and one line in the table in main.c.
 *
 * `run` gets its own arguments, argv[0] being the command's name, and returns the exit status: 0 done, 1 failed,
 * 2 wrong usage. Records and answers go to stdout, words for people to stderr. `--help` is answered by main.c.
 */
#ifndef WEFT_AGENT_COMMAND_H
#define WEFT_AGENT_COMMAND_H

#include <stdio.h>

enum { STATUS_DONE, STATUS_FAILED, STATUS_USAGE };

struct command {
    const char *name;
    const char *help;            /* one line, for `weft --help` */
    const char *synopsis;        /* what stands after `weft NAME`; several lines for several forms */
    void (*describe)(FILE *out); /* the rest of `weft NAME --help` */
    int (*run)(int argc, char **argv);
};

extern const struct command command_agent, command_check, command_config, command_flows, command_map, command_path;

/* One line on stderr, "weft NAME: ...", and a hint at the command's --help. Returns STATUS_USAGE. */
int wrong_usage(const struct command *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
