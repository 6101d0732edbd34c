/* SPDX-License-Identifier: Apache-2.0 */
/* The API's answer about a path (docs/api.md), drawn: the finding first, then hop by hop. */
#ifndef WEFT_AGENT_PATH_PRINT_H
#define WEFT_AGENT_PATH_PRINT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/* `colour`: what went wrong is red. */
void path_print(const json_t *answer, bool colour, FILE *out);

#endif
