/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filter expressions over the fields of a row: `server_port == 5432 and (retransmits > 0 or rtt > 10ms)`.
 *
 *   expression  := conjunction { "or" conjunction }
 *   conjunction := negation { "and" negation }
 *   negation    := "not" negation | "(" expression ")" | comparison
 *   comparison  := FIELD [ operator VALUE ]
 *   operator    := "==" | "=" | "!=" | "<" | "<=" | ">" | ">=" | "~" | "!~"
 *
 * `&&`, `||` and `!` may stand for and, or, not. A field alone is true if it is known and neither 0 nor empty. `~`: the
 * text fits a pattern of `*` and `?`, or holds it somewhere if it has neither; letters of either case. Texts are
 * compared with == and != (exactly) or patterns, addresses also with a prefix (10.0.0.0/8); a value with spaces,
 * parentheses or quotes stands in '...' or "...". Numbers may have a fraction; durations need a unit (ns, us, ms, s,
 * m, h), bytes may have one (K, M, G, of 1024). What is compared with a field that is not known is false.
 *
 * filter_parse -> filter_matches, as often as wanted -> filter_free. A filter is not changed by use: any thread.
 */
#ifndef WEFT_TOPOLOGY_FILTER_H
#define WEFT_TOPOLOGY_FILTER_H

#include "field.h"

struct filter;

struct filter_error {
    size_t at; /* byte of the text, from 0 */
    char text[200];
};

enum { FILTER_LENGTH_MAX = 1000 };

/* -EINVAL with `ret_error`; -ENOMEM. `fields` outlives it; those without a bit of `in` are refused. Text is copied. */
int filter_parse(const char *text, const struct field *fields, unsigned in, struct filter **ret_filter,
                 struct filter_error *ret_error);
bool filter_matches(const struct filter *filter, const void *row); /* NULL fits every row */
void filter_free(struct filter *filter);

/* A number with the unit that the field's type allows, as above; false: not understood. */
bool filter_number(enum field_type type, const char *text, uint64_t *ret_number);
bool filter_pattern_fits(const char *pattern, const char *text); /* as `~` */

#endif
