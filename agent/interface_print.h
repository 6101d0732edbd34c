/* SPDX-License-Identifier: Apache-2.0 */
/* The table of interfaces that `weft check` shows, from what the API says of them (docs/api.md). Stateless. */
#ifndef WEFT_AGENT_INTERFACE_PRINT_H
#define WEFT_AGENT_INTERFACE_PRINT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/* `counts`: what passed, and whether it adds up. */
void interface_print(const json_t *interfaces, bool counts, FILE *out);

#endif
