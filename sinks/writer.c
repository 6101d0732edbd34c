/* SPDX-License-Identifier: Apache-2.0 */
#include "writer.h"

#include <stdlib.h>
#include <string.h>

void writer_done(struct writer *writer) {
    free(writer->bytes);
    *writer = (struct writer){0};
}

void writer_cut(struct writer *writer, size_t length) {
    writer->length = length;
    writer->failed = false;
}

static bool reserve(struct writer *writer, size_t more) {
    if (writer->failed)
        return false;
    if (writer->capacity - writer->length >= more)
        return true;
    size_t capacity = writer->capacity ? writer->capacity : 4096;
    while (capacity - writer->length < more)
        capacity *= 2;
    char *bytes = realloc(writer->bytes, capacity);
    if (!bytes) {
        writer->failed = true;
        return false;
    }
    writer->bytes = bytes;
    writer->capacity = capacity;
    return true;
}

void writer_bytes(struct writer *writer, const void *bytes, size_t length) {
    if (!length || !reserve(writer, length))
        return;
    memcpy(writer->bytes + writer->length, bytes, length);
    writer->length += length;
}

void writer_text(struct writer *writer, const char *text) {
    writer_bytes(writer, text, strlen(text));
}

void writer_unsigned(struct writer *writer, uint64_t value) {
    char digits[20];
    size_t at = sizeof(digits);
    do {
        digits[--at] = '0' + value % 10;
        value /= 10;
    } while (value);
    writer_bytes(writer, digits + at, sizeof(digits) - at);
}

void writer_signed(struct writer *writer, int64_t value) {
    if (value < 0)
        writer_text(writer, "-");
    writer_unsigned(writer, value < 0 ? -(uint64_t)value : (uint64_t)value);
}

static const char hex_digits[] = "0123456789abcdef";

void writer_hex(struct writer *writer, uint64_t value) {
    char digits[16];
    for (int i = 15; i >= 0; i--, value >>= 4)
        digits[i] = hex_digits[value & 15];
    writer_bytes(writer, digits, sizeof(digits));
}

/* Length of the well-formed UTF-8 sequence at `s` (RFC 3629), or 0. Reads no further than the terminator. */
static size_t utf8(const unsigned char *s) {
    if (s[0] < 0x80)
        return 1;
    size_t length = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : s[0] >= 0xc2 ? 2 : 0;
    if (!length || s[0] > 0xf4)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) ||
        (s[0] == 0xf4 && s[1] > 0x8f))
        return 0;
    return length;
}

static void control(struct writer *writer, unsigned char c) {
    char escape[] = {'\\', 'u', '0', '0', hex_digits[c >> 4], hex_digits[c & 15]};
    writer_bytes(writer, escape, sizeof(escape));
}

void writer_string(struct writer *writer, const char *text) {
    const unsigned char *s = (const unsigned char *)text, *plain = s;
    writer_bytes(writer, "\"", 1);
    while (*s) {
        size_t length = utf8(s);
        if (length && *s >= 0x20 && *s != '"' && *s != '\\') {
            s += length;
            continue;
        }
        writer_bytes(writer, plain, s - plain);
        if (!length)
            writer_text(writer, "\\ufffd");
        else if (*s < 0x20)
            control(writer, *s);
        else
            writer_bytes(writer, (char[]){'\\', (char)*s}, 2);
        plain = ++s;
    }
    writer_bytes(writer, plain, s - plain);
    writer_bytes(writer, "\"", 1);
}

void writer_comma(struct writer *writer) {
    char last = writer->length ? writer->bytes[writer->length - 1] : '{';
    if (last != '{' && last != '[')
        writer_bytes(writer, ",", 1);
}

void writer_key(struct writer *writer, const char *name) {
    writer_comma(writer);
    writer_bytes(writer, "\"", 1);
    writer_text(writer, name);
    writer_bytes(writer, "\":", 2);
}

void writer_member_unsigned(struct writer *writer, const char *name, uint64_t value) {
    writer_key(writer, name);
    writer_unsigned(writer, value);
}

void writer_member_hex(struct writer *writer, const char *name, uint64_t value) {
    writer_key(writer, name);
    writer_bytes(writer, "\"", 1);
    writer_hex(writer, value);
    writer_bytes(writer, "\"", 1);
}

void writer_member_string(struct writer *writer, const char *name, const char *text) {
    writer_key(writer, name);
    writer_string(writer, text);
}

void writer_member_bool(struct writer *writer, const char *name, bool value) {
    writer_key(writer, name);
    writer_text(writer, value ? "true" : "false");
}
