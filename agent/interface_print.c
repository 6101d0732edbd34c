/* SPDX-License-Identifier: Apache-2.0 */
#include "interface_print.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *text(const json_t *object, const char *name) {
    const char *value = json_string_value(json_object_get(object, name));
    return value ? value : "";
}

static int64_t sum(const json_t *way, const char *which, const char *what) {
    return json_integer_value(json_object_get(json_object_get(way, which), what));
}

/* What the flows tell less, or more, than the interface's total; 0 once no packet moves. */
static int64_t difference(const json_t *way, const char *what) {
    return sum(way, "total", what) - sum(way, "living", what) - sum(way, "deleted", what) - sum(way, "overflow", what);
}

static void print_counts(const json_t *interface, FILE *out) {
    static const char *const ways[] = {"ingress", "egress"};
    int64_t packets = 0, bytes = 0, overflow = 0;
    for (int i = 0; i < 2; i++) {
        const json_t *way = json_object_get(interface, ways[i]);
        char counts[48];
        snprintf(counts, sizeof(counts), "%" PRId64 "/%" PRId64, sum(way, "total", "packets"),
                 sum(way, "total", "bytes"));
        fprintf(out, " %-22s", counts);
        packets += llabs(difference(way, "packets"));
        bytes += llabs(difference(way, "bytes"));
        overflow += sum(way, "overflow", "packets");
    }
    if (packets || bytes)
        fprintf(out, " differs by %" PRId64 " packets", packets);
    else
        fputs(" exact", out);
    if (overflow)
        fprintf(out, ", %" PRId64 " packets of flows beyond the table", overflow);
}

static void print_one(const json_t *interface, bool counts, FILE *out) {
    const bool excluded = json_is_true(json_object_get(interface, "excluded"));
    fprintf(out, "%-15s %-10s %-22s %-8s", text(interface, "name"), text(interface, "kind"),
            text(interface, "namespace"), excluded ? "excluded" : text(interface, "attached"));
    if (counts && !excluded)
        print_counts(interface, out);
    fputc('\n', out);
    if (*text(interface, "error"))
        fprintf(out, "%-15s why not: %s\n", "", text(interface, "error"));
    if (json_is_true(json_object_get(interface, "shadowed")))
        fprintf(out, "%-15s shadowed: another program stands before weft's and keeps packets from it\n", "");
}

static int compare(const void *a, const void *b) {
    const json_t *one = *(const json_t *const *)a, *other = *(const json_t *const *)b;
    int by_space = strcmp(text(one, "namespace"), text(other, "namespace"));
    if (by_space) /* the own one first */
        return !strcmp(text(one, "namespace"), "host") ? -1 : !strcmp(text(other, "namespace"), "host") ? 1 : by_space;
    int64_t first = json_integer_value(json_object_get(one, "ifindex"));
    int64_t second = json_integer_value(json_object_get(other, "ifindex"));
    return first < second ? -1 : first > second;
}

void interface_print(const json_t *interfaces, bool counts, FILE *out) {
    const size_t count = json_array_size(interfaces);
    const json_t **sorted = calloc(count + 1, sizeof(json_t *));
    if (!sorted)
        return;
    for (size_t i = 0; i < count; i++)
        sorted[i] = json_array_get(interfaces, i);
    qsort(sorted, count, sizeof(json_t *), compare);
    fprintf(out, "%-15s %-10s %-22s %-8s", "interface", "kind", "namespace", "attached");
    if (counts)
        fprintf(out, " %-22s %-22s %s", "packets/bytes in", "out", "balance");
    fputc('\n', out);
    for (size_t i = 0; i < count; i++)
        print_one(sorted[i], counts, out);
    free((void *)sorted);
}
