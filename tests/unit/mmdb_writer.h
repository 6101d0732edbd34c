/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes small MMDB files for tests: a tree of 24-bit records over IPv6 with IPv4 below ::/96, one map of strings and
 * numbers per prefix, and the metadata that a reader wants. https://maxmind.github.io/MaxMind-DB/ is the format.
 */
#ifndef WEFT_TESTS_UNIT_MMDB_WRITER_H
#define WEFT_TESTS_UNIT_MMDB_WRITER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { MMDB_NODES = 4096, MMDB_BYTES = 8192 };

struct mmdb_writer {
    uint32_t nodes[MMDB_NODES][2]; /* 0: empty; 1..: a node; beyond MMDB_NODES: MMDB_NODES + 1 + offset of data */
    uint32_t count;
    uint8_t data[MMDB_BYTES];
    uint32_t length;
};

static void mmdb_put(struct mmdb_writer *w, const void *bytes, size_t length) {
    memcpy(w->data + w->length, bytes, length);
    w->length += (uint32_t)length;
}

static void mmdb_control(struct mmdb_writer *w, unsigned type, size_t length) {
    if (type > 7) { /* extended: the type stands in a byte of its own */
        w->data[w->length++] = (uint8_t)length;
        w->data[w->length++] = (uint8_t)(type - 7);
    } else if (length < 29) {
        w->data[w->length++] = (uint8_t)(type << 5 | length);
    } else {
        w->data[w->length++] = (uint8_t)(type << 5 | 29);
        w->data[w->length++] = (uint8_t)(length - 29);
    }
}

static void mmdb_string(struct mmdb_writer *w, const char *text) {
    mmdb_control(w, 2, strlen(text));
    mmdb_put(w, text, strlen(text));
}

static void mmdb_number(struct mmdb_writer *w, unsigned type, uint32_t value, unsigned bytes) {
    mmdb_control(w, type, bytes);
    for (unsigned i = bytes; i-- > 0;)
        w->data[w->length++] = (uint8_t)(value >> 8 * i);
}

/* `bits` of an IPv6 address, 96 more for IPv4 in its last four bytes. */
static void mmdb_prefix(struct mmdb_writer *w, const uint8_t address[16], unsigned bits, uint32_t data) {
    uint32_t node = 0;
    w->count += w->count == 0;
    for (unsigned i = 0; i < bits; i++) {
        uint32_t *next = &w->nodes[node][address[i / 8] >> (7 - i % 8) & 1];
        if (i + 1 == bits)
            *next = MMDB_NODES + 1 + data;
        else if (*next == 0)
            *next = w->count++;
        node = *next;
    }
}

static bool mmdb_write(struct mmdb_writer *w, const char *path) {
    static const uint8_t zeros[16], marker[] = "\xab\xcd\xefMaxMind.com";
    FILE *file = fopen(path, "wb");
    if (!file)
        return false;
    for (uint32_t i = 0; i < w->count; i++)
        for (int side = 0; side < 2; side++) {
            const uint32_t value = w->nodes[i][side];
            const uint32_t record = value == 0           ? w->count
                                    : value > MMDB_NODES ? w->count + 16 + (value - MMDB_NODES - 1)
                                                         : value;
            const uint8_t bytes[3] = {(uint8_t)(record >> 16), (uint8_t)(record >> 8), (uint8_t)record};
            fwrite(bytes, 1, 3, file);
        }
    fwrite(zeros, 1, sizeof zeros, file);
    fwrite(w->data, 1, w->length, file);
    fwrite(marker, 1, sizeof marker - 1, file);
    w->length = 0;
    mmdb_control(w, 7, 9);
    mmdb_string(w, "binary_format_major_version"), mmdb_number(w, 5, 2, 2);
    mmdb_string(w, "binary_format_minor_version"), mmdb_number(w, 5, 0, 2);
    mmdb_string(w, "build_epoch"), mmdb_number(w, 9, 1, 4);
    mmdb_string(w, "database_type"), mmdb_string(w, "test");
    mmdb_string(w, "description"), mmdb_control(w, 7, 0);
    mmdb_string(w, "ip_version"), mmdb_number(w, 5, 6, 2);
    mmdb_string(w, "languages"), mmdb_control(w, 11, 0);
    mmdb_string(w, "node_count"), mmdb_number(w, 6, w->count, 4);
    mmdb_string(w, "record_size"), mmdb_number(w, 5, 24, 2);
    fwrite(w->data, 1, w->length, file);
    return fclose(file) == 0;
}

#endif
