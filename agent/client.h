/* SPDX-License-Identifier: Apache-2.0 */
/* Asks a running agent over its API: on its Unix socket, or at an address with a token. One call, one connection. */
#ifndef WEFT_AGENT_CLIENT_H
#define WEFT_AGENT_CLIENT_H

#include <jansson.h>
#include <stddef.h>

struct client_options {
    const char *at;    /* http://... or https://..., or the path of a Unix socket */
    const char *token; /* NULL: none */
};

/* The answer to GET /api/v1/`path`, a new reference; NULL with `error` saying what failed and what to do. */
json_t *client_get(const struct client_options *options, const char *path, char *error, size_t error_size);

#endif
