/* SPDX-License-Identifier: Apache-2.0 */
/* The API's answer about flows (docs/api.md) for people. */
#ifndef WEFT_AGENT_FLOWS_PRINT_H
#define WEFT_AGENT_FLOWS_PRINT_H

#include <jansson.h>
#include <stdio.h>

int flows_print_table(const json_t *answer, FILE *out);     /* what is not known is `-`; -ENOMEM */
int flows_print_histogram(const json_t *answer, FILE *out); /* -ENOMEM */
int flows_print_json(const json_t *answer, FILE *out);      /* a row a line; -EIO */
/* Every field, by kind of row, with what it is. */
void flows_print_fields(FILE *out);

#endif
