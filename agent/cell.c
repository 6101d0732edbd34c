/* SPDX-License-Identifier: Apache-2.0 */
#include "cell.h"

#include <math.h>
#include <string.h>

void cell_plain(struct cell *cell, const char *text) {
    snprintf(cell->text, sizeof(cell->text), "%s", text);
    cell->width = strlen(cell->text);
}

static void write_digits(struct cell *cell, double value, const char *unit) {
    char text[64];
    snprintf(text, sizeof(text), "%.*f%s",
             value >= 100 || value == floor(value) ? 0
             : value >= 10                         ? 1
                                                   : 2,
             value, unit);
    cell_plain(cell, text);
}

static void write_scaled(struct cell *cell, double value, double base, const char *const *units) {
    while (value >= base && units[1]) {
        value /= base;
        units++;
    }
    write_digits(cell, value, *units);
}

void cell_number(struct cell *cell, double value) {
    write_digits(cell, value, "");
}

void cell_rate(struct cell *cell, double per_second) {
    static const char *const units[] = {"/s", "k/s", "M/s", NULL};
    write_scaled(cell, per_second, 1000, units);
}

void cell_bytes(struct cell *cell, double bytes) {
    static const char *const units[] = {" B", " KiB", " MiB", " GiB", " TiB", NULL};
    write_scaled(cell, bytes, 1024, units);
}

void cell_duration(struct cell *cell, double ns) {
    static const char *const units[] = {" us", " ms", " s", NULL};
    write_scaled(cell, ns / 1000, 1000, units);
}

void cell_share(struct cell *cell, double share) {
    write_digits(cell, 100 * share, " %");
}

/* One column for each character, which is what a terminal does with most names; control characters become `?`. */
void cell_name(struct cell *cell, const char *name, size_t width) {
    size_t length = 0, columns = 0;
    for (; *name && columns < width && length + 5 < sizeof(cell->text); columns++) {
        unsigned char first = (unsigned char)*name++;
        bool control = first < 0x20 || first == 0x7f || (first == 0xc2 && (unsigned char)*name < 0xa0);
        cell->text[length++] = control ? '?' : (char)first;
        while (((unsigned char)*name & 0xc0) == 0x80 && length + 2 < sizeof(cell->text)) {
            if (!control)
                cell->text[length++] = *name;
            name++;
        }
    }
    if (*name && length) {
        cell->text[length++] = '+';
        columns++;
    }
    cell->text[length] = '\0';
    cell->width = columns;
}

static size_t widest(const struct cell *cells, size_t rows, size_t columns, size_t column) {
    size_t width = 0;
    for (size_t row = 0; row < rows; row++)
        if (cells[row * columns + column].width > width)
            width = cells[row * columns + column].width;
    return width;
}

void table_print(const struct cell *cells, size_t rows, size_t columns, uint64_t left, FILE *out) {
    size_t widths[TABLE_COLUMNS_MAX] = {0};
    for (size_t column = 0; column < columns; column++)
        widths[column] = widest(cells, rows, columns, column);
    for (size_t i = 0; i < rows * columns; i++) {
        size_t column = i % columns;
        bool text = left >> column & 1, last = column + 1 == columns;
        int padding = (int)(widths[column] - cells[i].width);
        fprintf(out, "%*s%s%*s%s", text ? 0 : padding, "", cells[i].text, text && !last ? padding : 0, "",
                last ? "\n" : "  ");
    }
}
