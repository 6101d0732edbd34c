/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fields of a struct by name, so that one table serves filters, columns, sums and documents.
 *
 * A number that is not known is FIELD_UNKNOWN, a text that is not known is empty. Pure; any thread.
 */
#ifndef WEFT_TOPOLOGY_FIELD_H
#define WEFT_TOPOLOGY_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FIELD_UNKNOWN UINT64_MAX

enum field_type {
    FIELD_TEXT,     /* char[] */
    FIELD_ADDRESS,  /* char[]: an IP address as text */
    FIELD_COUNT,    /* uint64_t, here and below */
    FIELD_BYTES,    /* bytes */
    FIELD_DURATION, /* ns */
    FIELD_NUMBER,   /* of which a sum says nothing: a port, a pid */
};

struct field {
    const char *name; /* NULL ends a table */
    enum field_type type;
    size_t offset;
    unsigned in; /* the caller's bits: which kinds of rows have it */
    bool sums;   /* a group's is the sum of its rows' */
    const char *help;
};

static inline bool field_is_text(const struct field *field) {
    return field->type <= FIELD_ADDRESS;
}

static inline const char *field_text(const struct field *field, const void *row) {
    return (const char *)row + field->offset;
}

static inline uint64_t field_number(const struct field *field, const void *row) {
    return *(const uint64_t *)((const char *)row + field->offset);
}

static inline bool field_known(const struct field *field, const void *row) {
    return field_is_text(field) ? *field_text(field, row) != '\0' : field_number(field, row) != FIELD_UNKNOWN;
}

const struct field *field_find(const struct field *fields, const char *name, size_t length); /* NULL: none */

#endif
