/* SPDX-License-Identifier: Apache-2.0 */
#include "flows_print.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cell.h"
#include "topology/flow_row.h"

enum { BAR = 40 };

static double number(const json_t *object, const char *key) {
    return json_number_value(json_object_get(object, key));
}

static void quantity(struct cell *cell, enum field_type type, double value) {
    if (type == FIELD_BYTES)
        cell_bytes(cell, value);
    else if (type == FIELD_DURATION)
        cell_duration(cell, value);
    else
        cell_number(cell, value);
}

static void fill(struct cell *cell, const struct field *field, const json_t *row) {
    const json_t *value = json_object_get(row, field->name);
    if (json_is_string(value))
        cell_name(cell, json_string_value(value), CELL_NAME_WIDTH);
    else if (json_is_number(value))
        quantity(cell, field->type, json_number_value(value));
    else
        cell_plain(cell, "-");
}

static void title(struct cell *cell, const char *name) {
    cell_plain(cell, name);
    for (char *c = cell->text; *c; c++)
        *c = (char)toupper((unsigned char)*c);
}

/* The columns that both the answer and this program know. */
static size_t columns_of(const json_t *answer, const struct field **fields) {
    size_t index, count = 0;
    json_t *name;
    json_array_foreach(json_object_get(answer, "columns"), index, name) {
        const char *text = json_string_value(name);
        const struct field *field = text ? field_find(flow_fields, text, strlen(text)) : NULL;
        if (field && count < TABLE_COLUMNS_MAX)
            fields[count++] = field;
    }
    return count;
}

static void print_summary(const json_t *answer, size_t shown, FILE *out) {
    double matched = number(answer, "matched"), left_out = number(answer, "left_out");
    fprintf(out, "\n%.0f %s", matched, matched == 1 ? "match" : "matches");
    if (left_out > 0)
        fprintf(out, "; %zu rows shown, %.0f more with a larger --limit", shown, left_out);
    fputs(".\n", out);
}

int flows_print_table(const json_t *answer, FILE *out) {
    const struct field *fields[TABLE_COLUMNS_MAX];
    const json_t *rows = json_object_get(answer, "rows");
    size_t columns = columns_of(answer, fields), count = json_array_size(rows), index;
    struct cell *cells = calloc((count + 1) * columns + 1, sizeof(*cells));
    uint64_t left = 0;
    json_t *row;
    if (!cells)
        return -ENOMEM;
    for (size_t i = 0; i < columns; i++) {
        title(&cells[i], fields[i]->name);
        left |= (uint64_t)field_is_text(fields[i]) << i;
    }
    json_array_foreach(rows, index, row) {
        for (size_t i = 0; i < columns; i++)
            fill(&cells[(index + 1) * columns + i], fields[i], row);
    }
    table_print(cells, columns ? count + 1 : 0, columns, left, out);
    print_summary(answer, count, out);
    free(cells);
    return 0;
}

static void print_bar(struct cell *cell, double count, double most) {
    size_t length = most > 0 ? (size_t)(count * BAR / most + 0.5) : 0;
    if (!length && count > 0)
        length = 1;
    memset(cell->text, '*', length);
    cell->text[length] = '\0';
    cell->width = length;
}

int flows_print_histogram(const json_t *answer, FILE *out) {
    const json_t *histogram = json_object_get(answer, "histogram"), *buckets = json_object_get(histogram, "buckets");
    const char *name = json_string_value(json_object_get(histogram, "field"));
    const struct field *field = name ? field_find(flow_fields, name, strlen(name)) : NULL;
    struct cell *cells = calloc((json_array_size(buckets) + 1) * 4, sizeof(*cells));
    double most = 0, unknown = number(histogram, "unknown");
    size_t index;
    json_t *bucket;
    if (!cells || !field) {
        free(cells);
        return cells ? -EPROTO : -ENOMEM;
    }
    json_array_foreach(buckets, index, bucket) {
        most = number(bucket, "count") > most ? number(bucket, "count") : most;
    }
    title(&cells[0], "from");
    title(&cells[1], "up to");
    title(&cells[2], "count");
    title(&cells[3], field->name);
    json_array_foreach(buckets, index, bucket) {
        struct cell *row = &cells[(index + 1) * 4];
        quantity(&row[0], field->type, number(bucket, "from"));
        quantity(&row[1], field->type, number(bucket, "to"));
        cell_number(&row[2], number(bucket, "count"));
        print_bar(&row[3], number(bucket, "count"), most);
    }
    table_print(cells, json_array_size(buckets) + 1, 4, 1 << 3, out);
    fprintf(out, "\n%s: %s. %.0f matches", field->name, field->help, number(answer, "matched"));
    if (unknown > 0)
        fprintf(out, ", of %.0f of them it is not known", unknown);
    fputs(".\n", out);
    free(cells);
    return 0;
}

int flows_print_json(const json_t *answer, FILE *out) {
    const json_t *rows = json_object_get(answer, "rows");
    size_t index;
    json_t *row;
    if (!rows)
        return json_dumpf(answer, out, JSON_COMPACT) || putc('\n', out) == EOF ? -EIO : 0;
    json_array_foreach(rows, index, row) {
        if (json_dumpf(row, out, JSON_COMPACT) || putc('\n', out) == EOF)
            return -EIO;
    }
    return 0;
}

/* Those that stand in every kind of rows in `in`, and in none of `not_in`. */
static void print_fields(const char *heading, unsigned in, unsigned not_in, FILE *out) {
    fprintf(out, "%s\n", heading);
    for (const struct field *field = flow_fields; field->name; field++)
        if ((field->in & in) == in && !(field->in & not_in))
            fprintf(out, "  %-17s %s\n", field->name, field->help);
}

void flows_print_fields(FILE *out) {
    print_fields("fields of connections and of hops:", ROW_CONNECTION | ROW_HOP, 0, out);
    print_fields("\nof connections alone:", ROW_CONNECTION, ROW_HOP, out);
    print_fields("\nof hops alone (--hops):", ROW_HOP, ROW_CONNECTION, out);
    print_fields("\nof groups alone (--group-by):", ROW_GROUP, ROW_CONNECTION | ROW_HOP, out);
}
