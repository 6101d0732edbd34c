/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SQL text made safe to show: no literals, no comments, whitespace folded, lists of values folded into their first
 * ("in (?, ?, ?)" is "in (?)", rows of values are one row). Pure functions over bytes.
 */
#ifndef WEFT_PROTOCOLS_SQL_H
#define WEFT_PROTOCOLS_SQL_H

#include <stddef.h>

#define SQL_TEXT_MAX 200

/*
 * Writes at most `capacity` bytes (not terminated) to `out` and returns how many. Text that ends inside a literal or
 * a comment is fine: the literal is a "?" like any other.
 */
size_t sql_normalise(const char *text, size_t length, char *out, size_t capacity);

/* The first keyword of a statement, in upper case, cut at `capacity`; 0 when it starts with none. */
size_t sql_keyword(const char *text, size_t length, char *out, size_t capacity);

#endif
