/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The map of the API (docs/api.md) for people and for tools: as a table, in Graphviz's dot, in Mermaid.
 * Names are other people's: what would end a quote or move a terminal's cursor is replaced.
 */
#ifndef WEFT_AGENT_MAP_PRINT_H
#define WEFT_AGENT_MAP_PRINT_H

#include <jansson.h>
#include <stdio.h>

int map_print_table(const json_t *map, FILE *out);   /* busiest first; -ENOMEM */
int map_print_dot(const json_t *map, FILE *out);     /* -ENOMEM */
int map_print_mermaid(const json_t *map, FILE *out); /* -ENOMEM */
/* One line: the share of connections and bytes whose protocol could not be read, and why. */
void map_print_opaque(const json_t *map, FILE *out);

#endif
