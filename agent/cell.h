/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables for a terminal: what stands in a cell, and cells in columns.
 *
 * Names are other people's: what would move a terminal's cursor is replaced. Pure, but for table_print.
 */
#ifndef WEFT_AGENT_CELL_H
#define WEFT_AGENT_CELL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { CELL_LENGTH = 192, CELL_NAME_WIDTH = 40, TABLE_COLUMNS_MAX = 64 };

struct cell {
    char text[CELL_LENGTH];
    size_t width; /* columns that it takes on the terminal */
};

void cell_plain(struct cell *cell, const char *text);
void cell_name(struct cell *cell, const char *name, size_t width); /* one that is longer is cut and ends in + */
void cell_number(struct cell *cell, double value);
void cell_rate(struct cell *cell, double per_second);
void cell_bytes(struct cell *cell, double bytes);
void cell_duration(struct cell *cell, double ns);
void cell_share(struct cell *cell, double share);

/* Rows of `columns` cells one after the other, the first row being the titles. Bit i of `left`: column i is text. */
void table_print(const struct cell *cells, size_t rows, size_t columns, uint64_t left, FILE *out);

#endif
