/* SPDX-License-Identifier: Apache-2.0 */
/* What every command that asks a running agent has in common: where it is, and the token. */
#ifndef WEFT_AGENT_ASKING_H
#define WEFT_AGENT_ASKING_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "command.h"

#define ASKING_OPTIONS                                                                                                 \
    {"at", required_argument, NULL, 'a'}, {                                                                            \
        "token-file", required_argument, NULL, 't'                                                                     \
    }
#define ASKING_HELP                                                                                                    \
    "  --at URL|PATH       the agent's page, or its Unix socket (default: /run/weft/weft.sock)\n"                      \
    "  --token-file FILE   holds the token that the page asks for\n"

struct asking {
    const struct command *command;
    const char *at, *token_file;
    char token[300];
};

void asking_init(struct asking *asking, const struct command *command);
/* 'a' and 't' are taken with getopt's optarg, everything else is wrong usage: an exit status. */
int asking_option(struct asking *asking, int option);
/* GET /api/v1/`path`: a new reference, or NULL when what is wrong has been said. */
json_t *asking_get(struct asking *asking, const char *path);
/* Adds NAME=VALUE, escaped, to `path`; false: no room. NULL: nothing is added. */
bool asking_argument(char *path, size_t size, const char *name, const char *value);

#endif
