/* SPDX-License-Identifier: Apache-2.0 */
#include "path_print.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cell.h"

enum { WIDE = 120 };

struct drawing {
    FILE *out;
    bool colour;
    size_t place_width, counts_width; /* of the way at hand */
};

static double number(const json_t *object, const char *key) {
    return json_number_value(json_object_get(object, key));
}

static bool has(const json_t *object, const char *key) {
    return json_object_get(object, key);
}

/* Names are other people's: as in a table. */
static struct cell text_of(const json_t *object, const char *key) {
    struct cell cell = {0};
    const char *text = json_string_value(json_object_get(object, key));
    cell_name(&cell, text ? text : "", WIDE);
    return cell;
}

static void append(struct cell *cell, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void append(struct cell *cell, const char *format, ...) {
    size_t used = strlen(cell->text);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(cell->text + used, sizeof(cell->text) - used, format, arguments);
    va_end(arguments);
}

/* What a string of printable parts takes on the terminal. */
static void measure(struct cell *cell) {
    cell->width = 0;
    for (const char *c = cell->text; *c; c++)
        cell->width += ((unsigned char)*c & 0xc0) != 0x80;
}

static void begin_red(const struct drawing *drawing) {
    if (drawing->colour)
        fputs("\033[31m", drawing->out);
}

static void end_red(const struct drawing *drawing) {
    if (drawing->colour)
        fputs("\033[0m", drawing->out);
}

/* 10.0.0.2:80, [fd00::2]:80, 10.0.0.2 */
static struct cell socket_of(const json_t *object, const char *address_key, const char *port_key) {
    struct cell cell = {0}, address = text_of(object, address_key);
    bool six = strchr(address.text, ':');
    cell_plain(&cell, "");
    if (*address.text)
        append(&cell, has(object, port_key) && six ? "[%s]" : "%s", address.text);
    if (has(object, port_key))
        append(&cell, ":%.0f", number(object, port_key));
    measure(&cell);
    return cell;
}

/* ---- an end ---- */

static void draw_end(const struct drawing *drawing, const json_t *end) {
    struct cell name = text_of(end, "name"), executable = text_of(end, "executable");
    struct cell at = socket_of(end, "address", "port");
    fprintf(drawing->out, "  [ %s ]", *name.text ? name.text : *at.text ? at.text : "?");
    if (*at.text && strcmp(at.text, name.text))
        fprintf(drawing->out, "  %s", at.text);
    if (has(end, "pid"))
        fprintf(drawing->out, "  pid %.0f", number(end, "pid"));
    if (*executable.text)
        fprintf(drawing->out, "  %s", executable.text);
    putc('\n', drawing->out);
}

/* ---- between hops ---- */

static void draw_drops(const struct drawing *drawing, const json_t *drops) {
    size_t index;
    json_t *drop;
    json_array_foreach(drops, index, drop) {
        struct cell reason = text_of(drop, "reason"), words = text_of(drop, "text"), place = text_of(drop, "place");
        struct cell hook = text_of(drop, "hook"), chains = text_of(drop, "chains");
        double packets = number(drop, "packets");
        begin_red(drawing);
        fprintf(drawing->out, "     X  %.0f %s dropped", packets, packets == 1 ? "packet" : "packets");
        if (*words.text || *reason.text)
            fprintf(drawing->out, ": %s", *words.text ? words.text : reason.text);
        if (*chains.text || *hook.text)
            fprintf(drawing->out, " (%s)", *chains.text ? chains.text : hook.text);
        if (*words.text && *reason.text)
            fprintf(drawing->out, ", %s", reason.text);
        if (*place.text)
            fprintf(drawing->out, " in %s", place.text);
        end_red(drawing);
        putc('\n', drawing->out);
    }
}

static void draw_rewritten(const struct drawing *drawing, const json_t *rewritten) {
    struct cell kind = text_of(rewritten, "kind"), from = text_of(rewritten, "from"), to = text_of(rewritten, "to");
    struct cell from_too = text_of(rewritten, "destination_from"), to_too = text_of(rewritten, "destination_to");
    if (!rewritten)
        return;
    fprintf(drawing->out, "     |  %s: %s becomes %s", !strcmp(kind.text, "both") ? "rewritten" : kind.text, from.text,
            to.text);
    if (*to_too.text)
        fprintf(drawing->out, ", %s becomes %s", from_too.text, to_too.text);
    putc('\n', drawing->out);
}

/* From the hop before to this one: rewriting, and the time that it took. */
static void draw_step(const struct drawing *drawing, const json_t *hop) {
    struct cell time;
    draw_rewritten(drawing, json_object_get(hop, "rewritten"));
    if (!has(hop, "from_before_ns")) {
        fputs("     |\n", drawing->out);
        return;
    }
    cell_duration(&time, number(hop, "from_before_ns"));
    fprintf(drawing->out, "     |  %s\n", time.text);
}

static void draw_loss(const struct drawing *drawing, const json_t *hop) {
    double lost = number(hop, "lost_after");
    if (lost > 0) {
        begin_red(drawing);
        fprintf(drawing->out, "     X  %.0f %s did not reach the next hop", lost, lost == 1 ? "segment" : "segments");
        end_red(drawing);
        putc('\n', drawing->out);
    }
    draw_drops(drawing, json_object_get(hop, "drops"));
}

/* ---- a hop ---- */

static struct cell place_of(const json_t *hop) {
    struct cell cell = {0}, interface = text_of(hop, "interface"), namespace = text_of(hop, "namespace");
    struct cell kind = text_of(hop, "kind");
    cell_plain(&cell, "");
    if (*interface.text)
        append(&cell, "%s", interface.text);
    else
        append(&cell, "interface %.0f", number(hop, "ifindex"));
    if (*kind.text && strcmp(kind.text, interface.text))
        append(&cell, " (%s)", kind.text);
    if (*namespace.text)
        append(&cell, " in %s", namespace.text);
    append(&cell, ", %s", text_of(hop, "direction").text);
    measure(&cell);
    return cell;
}

static struct cell counts_of(const json_t *hop) {
    struct cell cell = {0}, bytes = {0};
    double packets = number(hop, "packets"), segments = number(hop, "segments");
    cell_bytes(&bytes, number(hop, "bytes"));
    cell_plain(&cell, "");
    append(&cell, "%.0f %s", packets, packets == 1 ? "packet" : "packets");
    if (segments != packets)
        append(&cell, " (%.0f segments)", segments);
    append(&cell, ", %s", bytes.text);
    measure(&cell);
    return cell;
}

static void draw_hop(const struct drawing *drawing, const json_t *hop) {
    struct cell place = place_of(hop), counts = counts_of(hop);
    struct cell source = socket_of(hop, "source", "source_port");
    struct cell destination = socket_of(hop, "destination", "destination_port");
    const json_t *tunnel = json_object_get(hop, "tunnel"), *owner = json_object_get(hop, "owner");
    fprintf(drawing->out, "  %2.0f  %s%*s  %s%*s  %s -> %s", number(hop, "order"), place.text,
            (int)(drawing->place_width - place.width), "", counts.text, (int)(drawing->counts_width - counts.width), "",
            source.text, destination.text);
    if (tunnel)
        fprintf(drawing->out, "  inside %s %.0f", text_of(tunnel, "kind").text, number(tunnel, "id"));
    if (owner)
        fprintf(drawing->out, "  socket of %s", text_of(owner, "name").text);
    if (json_is_true(json_object_get(hop, "branch")))
        fputs("  a copy, sent astray by the bridge", drawing->out);
    if (json_is_true(json_object_get(hop, "shadowed")))
        fputs("  another program redirects before weft's: not all that passes is seen", drawing->out);
    putc('\n', drawing->out);
}

/* ---- a way, a part, all of it ---- */

static void widen(size_t *width, struct cell cell) {
    *width = cell.width > *width ? cell.width : *width;
}

static void draw_way(struct drawing *drawing, const json_t *hops, const json_t *dropped_before, const json_t *from,
                     const json_t *to) {
    size_t index;
    json_t *hop;
    drawing->place_width = drawing->counts_width = 0;
    json_array_foreach(hops, index, hop) {
        widen(&drawing->place_width, place_of(hop));
        widen(&drawing->counts_width, counts_of(hop));
    }
    draw_end(drawing, from);
    draw_drops(drawing, dropped_before);
    json_array_foreach(hops, index, hop) {
        draw_step(drawing, hop);
        draw_hop(drawing, hop);
        draw_loss(drawing, hop);
    }
    fputs("     v\n", drawing->out);
    draw_end(drawing, to);
}

static void print_part(struct drawing *drawing, const json_t *part) {
    const json_t *client = json_object_get(part, "client"), *server = json_object_get(part, "server");
    const json_t *again = json_object_get(part, "retransmits"), *hops = json_object_get(part, "hops");
    const json_t *reverse = json_object_get(part, "reverse");
    double count = number(part, "connections");
    fprintf(drawing->out, "\n%s: %.0f %s", text_of(part, "transport").text, count,
            count == 1 ? "connection" : "connections");
    if (json_is_false(json_object_get(part, "established")))
        fputs(", not established", drawing->out);
    if (has(part, "rtt_ns")) {
        struct cell rtt;
        cell_duration(&rtt, number(part, "rtt_ns"));
        fprintf(drawing->out, ", round trip %s", rtt.text);
    }
    if (number(again, "client") + number(again, "server") > 0)
        fprintf(drawing->out, ", sent again: %.0f segments by the client, %.0f by the server", number(again, "client"),
                number(again, "server"));
    putc('\n', drawing->out);
    draw_way(drawing, hops, json_object_get(part, "dropped_before"), client, server);
    if (!json_array_size(reverse)) {
        fputs("\nNothing came back that a watched interface saw.\n", drawing->out);
        return;
    }
    fputs("\nand back:\n", drawing->out);
    draw_way(drawing, reverse, json_object_get(part, "dropped_before_reverse"), server, client);
}

static void print_causes(struct drawing *drawing, const json_t *causes) {
    size_t index;
    json_t *cause;
    json_array_foreach(causes, index, cause) {
        fprintf(drawing->out, "  - %s", text_of(cause, "text").text);
        if (has(cause, "share"))
            fprintf(drawing->out, " (%.3g %%)", 100 * number(cause, "share"));
        putc('\n', drawing->out);
    }
}

/* The sentence holds names of others: whole, however long. */
static void print_sentence(struct drawing *drawing, const json_t *finding) {
    const char *text = json_string_value(json_object_get(finding, "text"));
    const char *code = json_string_value(json_object_get(finding, "code"));
    bool fine = code && !strcmp(code, "ok");
    if (!fine)
        begin_red(drawing);
    for (const char *c = text ? text : "?"; *c; c++)
        putc((unsigned char)*c < 0x20 || *c == 0x7f || ((unsigned char)*c == 0xc2 && (unsigned char)c[1] < 0xa0) ? '?'
                                                                                                                 : *c,
             drawing->out);
    if (!fine)
        end_red(drawing);
    putc('\n', drawing->out);
}

void path_print(const json_t *answer, bool colour, FILE *out) {
    struct drawing drawing = {.out = out, .colour = colour};
    const json_t *finding = json_object_get(answer, "finding"), *proxies = json_object_get(answer, "proxies");
    size_t index;
    json_t *part;
    print_sentence(&drawing, finding);
    print_causes(&drawing, json_object_get(finding, "causes"));
    json_array_foreach(json_object_get(answer, "parts"), index, part) {
        const json_t *proxy = index ? json_array_get(proxies, index - 1) : NULL;
        if (proxy)
            fprintf(out, "\nThen the proxy %s, pid %.0f, opens a connection of its own.\n", text_of(proxy, "name").text,
                    number(proxy, "pid"));
        print_part(&drawing, part);
    }
}
