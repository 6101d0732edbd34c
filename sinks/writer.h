/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An append-only buffer for JSON text: what is written stays, nothing is formatted twice, and memory grows by doubling.
 *
 * Start from a zeroed struct; writer_done frees. An allocation that is refused latches `failed`: everything after it is
 * ignored, and the caller cuts back to the last whole record (writer_cut), which clears it. One thread.
 */
#ifndef WEFT_SINKS_WRITER_H
#define WEFT_SINKS_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct writer {
    char *bytes; /* owned; not terminated */
    size_t length, capacity;
    bool failed;
};

void writer_done(struct writer *writer);
void writer_cut(struct writer *writer, size_t length); /* keeps the first `length` bytes */

void writer_bytes(struct writer *writer, const void *bytes, size_t length);
void writer_text(struct writer *writer, const char *text); /* as it is */
void writer_unsigned(struct writer *writer, uint64_t value);
void writer_signed(struct writer *writer, int64_t value);
void writer_hex(struct writer *writer, uint64_t value); /* 16 lower-case digits */
/* A JSON string (RFC 8259), quotes included. Bytes that are not UTF-8 become U+FFFD, so that every line parses. */
void writer_string(struct writer *writer, const char *text);

/*
 * Members of an object. The comma before a member is set unless it is the first, which the byte before tells:
 *   writer_text(w, "{"); writer_member_unsigned(w, "calls", 3); writer_text(w, "}");
 */
void writer_key(struct writer *writer, const char *name); /* "name": */
void writer_member_unsigned(struct writer *writer, const char *name, uint64_t value);
void writer_member_hex(struct writer *writer, const char *name, uint64_t value);
void writer_member_string(struct writer *writer, const char *name, const char *text);
void writer_member_bool(struct writer *writer, const char *name, bool value);
/* The comma between elements of an array, unless the element to come is the first. */
void writer_comma(struct writer *writer);

#endif
