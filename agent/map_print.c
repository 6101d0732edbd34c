/* SPDX-License-Identifier: Apache-2.0 */
#include "map_print.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cell.h"

enum { COLUMNS = 11, LEFT_COLUMNS = 3 };

static double number(const json_t *object, const char *key) {
    return json_number_value(json_object_get(object, key));
}

static bool has(const json_t *object, const char *key) {
    return json_object_get(object, key);
}

static const char *text(const json_t *object, const char *key) {
    const char *value = json_string_value(json_object_get(object, key));
    return value ? value : "?";
}

static void write_duration(struct cell *cell, const json_t *timing, const char *key) {
    if (timing)
        cell_duration(cell, number(timing, key));
    else
        cell_plain(cell, "-");
}

static void write_share(struct cell *cell, const json_t *object, const char *key) {
    if (has(object, key))
        cell_share(cell, number(object, key));
    else
        cell_plain(cell, "-");
}

static const json_t *node_of(const json_t *map, const char *id) {
    size_t index;
    json_t *node;
    json_array_foreach(json_object_get(map, "nodes"), index, node) {
        if (!strcmp(text(node, "id"), id))
            return node;
    }
    return NULL;
}

static bool has_calls(const json_t *edge) {
    return number(edge, "calls") > 0 || number(edge, "waiting") > 0 || number(edge, "lost") > 0;
}

/* The server's, else the client's. Without calls it is that of turns, which nobody asked for. */
static const json_t *timing_of(const json_t *edge) {
    const json_t *timing = json_object_get(edge, "duration");
    return !(number(edge, "calls") > 0) ? NULL : timing ? timing : json_object_get(edge, "client_duration");
}

static double errors_of(const json_t *edge) {
    const json_t *errors = json_object_get(edge, "errors");
    return number(errors, "server_error") + number(errors, "timeout") + number(errors, "no_response") +
           number(errors, "connect");
}

static int busier(const void *left, const void *right) {
    const json_t *a = *(const json_t *const *)left, *b = *(const json_t *const *)right;
    double by_rate = number(b, "rate") - number(a, "rate"), by_connects = number(b, "connects") - number(a, "connects");
    double by = by_rate != 0 ? by_rate : by_connects;
    return by != 0 ? (by > 0) - (by < 0) : strcmp(text(a, "id"), text(b, "id"));
}

/* The edges that are not silent, busiest first; for free(). */
static const json_t **edges_of(const json_t *map, size_t *ret_count) {
    const json_t *edges = json_object_get(map, "edges");
    const json_t **list = calloc(json_array_size(edges) + 1, sizeof(*list));
    size_t index;
    json_t *edge;
    *ret_count = 0;
    if (!list)
        return NULL;
    json_array_foreach(edges, index, edge) {
        if (!json_is_true(json_object_get(edge, "stale")))
            list[(*ret_count)++] = edge;
    }
    qsort(list, *ret_count, sizeof(*list), busier);
    return list;
}

static const char *const titles[COLUMNS] = {"CLIENT", "SERVER", "PROTOCOL", "PORT",  "RATE", "ERRORS",
                                            "P50",    "P95",    "P99",      "BYTES", "OPEN"};

static void fill_row(const json_t *map, const json_t *edge, struct cell *cells) {
    const json_t *client = node_of(map, text(edge, "client")), *server = node_of(map, text(edge, "server"));
    const json_t *bytes = json_object_get(edge, "bytes"), *timing = timing_of(edge);
    cell_name(&cells[0], text(client, "name"), CELL_NAME_WIDTH);
    cell_name(&cells[1], text(server, "name"), CELL_NAME_WIDTH);
    cell_plain(&cells[2], text(edge, "protocol"));
    cell_number(&cells[3], number(edge, "server_port"));
    if (has_calls(edge))
        cell_rate(&cells[4], number(edge, "rate"));
    else
        cell_plain(&cells[4], "-");
    write_share(&cells[5], edge, "error_share");
    write_duration(&cells[6], timing, "p50");
    write_duration(&cells[7], timing, "p95");
    write_duration(&cells[8], timing, "p99");
    cell_bytes(&cells[9], number(bytes, "request") + number(bytes, "response"));
    cell_number(&cells[10], number(edge, "open_connections"));
}

void map_print_opaque(const json_t *map, FILE *out) {
    const json_t *opaque = json_object_get(map, "opaque");
    struct cell connections, bytes;
    size_t index;
    json_t *reason;
    if (!(number(opaque, "connections") > 0) && !(number(opaque, "bytes") > 0)) {
        fputs("Opaque: nothing, every protocol could be read.\n", out);
        return;
    }
    write_share(&connections, opaque, "connection_share");
    write_share(&bytes, opaque, "byte_share");
    fprintf(out, "Opaque: %s of connections, %s of bytes are counted but cannot be read", connections.text, bytes.text);
    json_array_foreach(json_object_get(opaque, "reasons"), index, reason) {
        write_share(&connections, reason, "connection_share");
        write_share(&bytes, reason, "byte_share");
        fprintf(out, "%s%s %s, %s", index ? "; " : ": ", text(reason, "text"), connections.text, bytes.text);
    }
    fputs(".\n", out);
}

static void print_summary(const json_t *map, size_t edges, FILE *out) {
    const json_t *totals = json_object_get(map, "totals");
    struct cell rate, errors;
    cell_rate(&rate, number(totals, "rate"));
    write_share(&errors, totals, "error_share");
    fprintf(out, "\n%zu edges in the last %.0f s, %s, errors %s.\n", edges, number(map, "seconds"), rate.text,
            errors.text);
    map_print_opaque(map, out);
    double lost = number(totals, "lost");
    if (lost > 0)
        fprintf(out,
                "Lost: %.0f calls of this time did not fit into the kernel's ring; the figures are lower bounds.\n",
                lost);
}

int map_print_table(const json_t *map, FILE *out) {
    size_t count;
    const json_t **edges = edges_of(map, &count);
    struct cell *cells = edges ? calloc((count + 1) * COLUMNS, sizeof(*cells)) : NULL;
    if (!cells) {
        free(edges);
        return -ENOMEM;
    }
    for (int i = 0; i < COLUMNS; i++)
        cell_plain(&cells[i], titles[i]);
    for (size_t i = 0; i < count; i++)
        fill_row(map, edges[i], &cells[(i + 1) * COLUMNS]);
    table_print(cells, count + 1, COLUMNS, (1 << LEFT_COLUMNS) - 1, out);
    print_summary(map, count, out);
    free(cells);
    free(edges);
    return 0;
}

/* One line that says what the edge does. */
static void edge_label(const json_t *edge, char *label, size_t size) {
    struct cell rate = {0}, p95 = {0}, errors = {0};
    const json_t *timing = timing_of(edge);
    if (has_calls(edge))
        cell_rate(&rate, number(edge, "rate"));
    if (timing)
        write_duration(&p95, timing, "p95");
    if (errors_of(edge) > 0)
        write_share(&errors, edge, "error_share");
    snprintf(label, size, "%s%s%s%s%s%s%s", text(edge, "protocol"), *rate.text ? " " : "", rate.text,
             *p95.text ? ", p95 " : "", p95.text, *errors.text ? ", errors " : "", errors.text);
}

static void dot_string(const char *name, FILE *out) {
    putc('"', out);
    for (; *name; name++) {
        if (*name == '"' || *name == '\\')
            putc('\\', out);
        putc((unsigned char)*name < 0x20 || *name == 0x7f ? '?' : *name, out);
    }
    putc('"', out);
}

int map_print_dot(const json_t *map, FILE *out) {
    static const struct {
        const char *kind, *shape;
    } shapes[] = {{"container", "box3d"}, {"pod", "hexagon"}, {"address", "ellipse"}, {"group", "ellipse"}};
    size_t count, index;
    const json_t **edges = edges_of(map, &count);
    json_t *node;
    char label[4 * CELL_LENGTH];
    if (!edges)
        return -ENOMEM;
    fputs("digraph weft {\n  rankdir=LR;\n  node [shape=box, fontname=\"sans-serif\"];\n"
          "  edge [fontname=\"sans-serif\", fontsize=10];\n",
          out);
    json_array_foreach(json_object_get(map, "nodes"), index, node) {
        const char *shape = "box";
        for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++)
            if (!strcmp(shapes[i].kind, text(node, "kind")))
                shape = shapes[i].shape;
        fprintf(out, "  \"%s\" [shape=%s, label=", text(node, "id"), shape);
        dot_string(text(node, "name"), out);
        fputs("];\n", out);
    }
    for (size_t i = 0; i < count; i++) {
        edge_label(edges[i], label, sizeof(label));
        fprintf(out, "  \"%s\" -> \"%s\" [label=", text(edges[i], "client"), text(edges[i], "server"));
        dot_string(label, out);
        fprintf(out, "%s];\n", errors_of(edges[i]) > 0 ? ", color=red" : "");
    }
    fputs("}\n", out);
    free(edges);
    return 0;
}

/* Everything that Mermaid or the HTML it makes could take for more than text, as a character entity. */
static void mermaid_string(const char *name, FILE *out) {
    putc('"', out);
    for (; *name; name++) {
        unsigned char byte = (unsigned char)*name;
        if (byte < 0x20 || byte == 0x7f)
            putc('?', out);
        else if (strchr("\"#&;<>`\\[]{}()|*_~", byte))
            fprintf(out, "#%u;", byte);
        else
            putc(byte, out);
    }
    putc('"', out);
}

int map_print_mermaid(const json_t *map, FILE *out) {
    static const struct {
        const char *kind, *open, *close;
    } shapes[] = {{"service", "[[", "]]"}, {"pod", "{{", "}}"}, {"address", "([", "])"}, {"group", "([", "])"}};
    size_t count, index;
    const json_t **edges = edges_of(map, &count);
    json_t *node;
    char label[4 * CELL_LENGTH];
    if (!edges)
        return -ENOMEM;
    fputs("flowchart LR\n", out);
    json_array_foreach(json_object_get(map, "nodes"), index, node) {
        const char *open = "[", *close = "]";
        for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++)
            if (!strcmp(shapes[i].kind, text(node, "kind")))
                open = shapes[i].open, close = shapes[i].close;
        fprintf(out, "  n%s%s", text(node, "id"), open);
        mermaid_string(text(node, "name"), out);
        fprintf(out, "%s\n", close);
    }
    for (size_t i = 0; i < count; i++) {
        edge_label(edges[i], label, sizeof(label));
        fprintf(out, "  n%s -->|", text(edges[i], "client"));
        mermaid_string(label, out);
        fprintf(out, "| n%s\n", text(edges[i], "server"));
    }
    for (size_t i = 0; i < count; i++)
        if (errors_of(edges[i]) > 0)
            fprintf(out, "  linkStyle %zu stroke:red\n", i);
    free(edges);
    return 0;
}
