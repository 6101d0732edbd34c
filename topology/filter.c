/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A parser by recursive descent into an array of nodes, each of which knows where its parts are. Nesting and the
 * number of nodes are bounded, so that neither parsing nor matching can run away.
 */
#include "filter.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NODES_MAX = 256, DEPTH_MAX = 48, VALUE_LENGTH = 256 };

enum node_kind { NODE_OR, NODE_AND, NODE_NOT, NODE_SET, NODE_NUMBER, NODE_TEXT, NODE_PATTERN, NODE_PREFIX };
enum comparison { EQUAL, NOT_EQUAL, LESS, LESS_EQUAL, GREATER, GREATER_EQUAL, FITS, FITS_NOT, COMPARISONS };

struct node {
    enum node_kind kind;
    enum comparison comparison;
    int left, right; /* of and, or; not has left alone */
    const struct field *field;
    uint64_t number; /* of a prefix: its length in bits */
    const char *text;
    uint8_t address[16], family;
};

struct filter {
    struct node nodes[NODES_MAX];
    int count, root;
    char texts[2 * FILTER_LENGTH_MAX]; /* values, each with its end */
    size_t used;
};

struct parser {
    const char *text;
    size_t at;
    const struct field *fields;
    unsigned in;
    unsigned depth;
    struct filter *filter;
    struct filter_error *error;
};

/* ---- values ---- */

static double unit_scale(enum field_type type, const char *unit) {
    static const struct {
        enum field_type type;
        const char *name;
        double scale;
    } units[] = {{FIELD_DURATION, "ns", 1},      {FIELD_DURATION, "us", 1e3}, {FIELD_DURATION, "ms", 1e6},
                 {FIELD_DURATION, "s", 1e9},     {FIELD_DURATION, "m", 60e9}, {FIELD_DURATION, "h", 3600e9},
                 {FIELD_BYTES, "", 1},           {FIELD_BYTES, "K", 1 << 10}, {FIELD_BYTES, "M", 1 << 20},
                 {FIELD_BYTES, "G", 1ULL << 30}, {FIELD_COUNT, "", 1},        {FIELD_NUMBER, "", 1}};
    for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
        if (units[i].type == type && !strcmp(units[i].name, unit))
            return units[i].scale;
    return 0;
}

bool filter_number(enum field_type type, const char *text, uint64_t *ret_number) {
    size_t length = strspn(text, "0123456789."), points = 0;
    for (size_t i = 0; i < length; i++)
        points += text[i] == '.';
    if (!length || length > 25 || points > 1 || !isdigit((unsigned char)*text))
        return false;
    if (!points && type != FIELD_DURATION && !text[length]) { /* exactly, beyond what a double holds */
        errno = 0;
        *ret_number = strtoull(text, NULL, 10);
        return !errno && *ret_number != FIELD_UNKNOWN;
    }
    double scale = unit_scale(type, text + length), value = strtod(text, NULL);
    if (value == 0 && !text[length])
        scale = 1; /* nothing is nothing in any unit */
    if (scale == 0 || value * scale >= 9e18)
        return false;
    *ret_number = (uint64_t)llround(value * scale);
    return true;
}

static int lower(char c) {
    return tolower((unsigned char)c);
}

/* Whether the whole of `text` fits. What follows the last `*` is tried further on when it fails: no recursion. */
static bool glob(const char *pattern, const char *text) {
    const char *star = NULL, *from = NULL;
    while (*text) {
        if (*pattern == '*') {
            star = pattern++;
            from = text;
        } else if (*pattern == '?' || (*pattern && lower(*pattern) == lower(*text))) {
            pattern++;
            text++;
        } else if (star) {
            pattern = star + 1;
            text = ++from;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return !*pattern;
}

bool filter_pattern_fits(const char *pattern, const char *text) {
    return strpbrk(pattern, "*?") ? glob(pattern, text) : strcasestr(text, pattern) != NULL;
}

static uint8_t parse_address(const char *text, uint8_t *ret_address) {
    memset(ret_address, 0, 16);
    if (inet_pton(AF_INET, text, ret_address) == 1)
        return 4;
    return inet_pton(AF_INET6, text, ret_address) == 1 ? 6 : 0;
}

static bool same_bits(const uint8_t *a, const uint8_t *b, uint64_t bits) {
    size_t whole = bits / 8, rest = bits % 8;
    return !memcmp(a, b, whole) && (!rest || !((a[whole] ^ b[whole]) >> (8 - rest)));
}

/* ---- parsing ---- */

/* Always -EINVAL. */
static int fail(struct parser *parser, size_t at, const char *format, ...) __attribute__((format(printf, 3, 4)));

static int fail(struct parser *parser, size_t at, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(parser->error->text, sizeof(parser->error->text), format, arguments);
    va_end(arguments);
    parser->error->at = at;
    return -EINVAL;
}

static void skip_spaces(struct parser *parser) {
    parser->at += strspn(parser->text + parser->at, " \t\r\n");
}

static bool is_name(char c) {
    return isalnum((unsigned char)c) || c == '_';
}

static bool take(struct parser *parser, const char *sign) {
    size_t length = strlen(sign);
    skip_spaces(parser);
    const char *here = parser->text + parser->at;
    if (strncmp(here, sign, length) || (is_name(*sign) && is_name(here[length])))
        return false;
    parser->at += length;
    return true;
}

static int add_node(struct parser *parser, const struct node *node, int *ret_node) {
    struct filter *filter = parser->filter;
    if (filter->count == NODES_MAX)
        return fail(parser, parser->at, "more than %d parts", NODES_MAX);
    filter->nodes[filter->count] = *node;
    *ret_node = filter->count++;
    return 0;
}

static int take_comparison(struct parser *parser, enum comparison *ret_comparison) {
    static const struct {
        const char *sign;
        enum comparison comparison;
    } signs[] = {{"==", EQUAL}, {"!=", NOT_EQUAL}, {"<=", LESS_EQUAL}, {">=", GREATER_EQUAL}, {"!~", FITS_NOT},
                 {"<", LESS},   {">", GREATER},    {"~", FITS},        {"=", EQUAL}};
    for (size_t i = 0; i < sizeof(signs) / sizeof(*signs); i++)
        if (take(parser, signs[i].sign)) {
            *ret_comparison = signs[i].comparison;
            return 1;
        }
    return 0;
}

/* A word, or what stands between quotes. */
static int take_value(struct parser *parser, const char **ret_value, size_t *ret_at) {
    struct filter *filter = parser->filter;
    skip_spaces(parser);
    const char *here = parser->text + parser->at;
    bool quoted = *here == '\'' || *here == '"';
    const char *start = here + quoted, *end = quoted ? strchr(start, *here) : start + strcspn(start, " \t\r\n()'\"");
    *ret_at = parser->at;
    if (!end)
        return fail(parser, parser->at, "the quote is not closed");
    if (end == start && !quoted)
        return fail(parser, parser->at, "a value is missing");
    size_t length = (size_t)(end - start);
    if (length >= VALUE_LENGTH)
        return fail(parser, parser->at, "a value longer than %d bytes", VALUE_LENGTH - 1);
    char *copy = filter->texts + filter->used; /* no longer than the expression with an end for each value */
    memcpy(copy, start, length);
    copy[length] = '\0';
    filter->used += length + 1;
    *ret_value = copy;
    parser->at += (size_t)(end - here) + quoted;
    return 0;
}

static const char *expected_number(enum field_type type) {
    return type == FIELD_DURATION ? "a duration with its unit, such as 10ms (ns, us, ms, s, m, h)"
           : type == FIELD_BYTES  ? "a number of bytes, such as 64K (K, M, G)"
                                  : "a number";
}

static int number_node(struct parser *parser, struct node *node, const char *value, size_t at) {
    if (node->comparison >= FITS)
        return fail(parser, at, "%s is no text: compare it with == != < <= > >=", node->field->name);
    if (!filter_number(node->field->type, value, &node->number))
        return fail(parser, at, "%s needs %s, not `%.60s`", node->field->name, expected_number(node->field->type),
                    value);
    node->kind = NODE_NUMBER;
    return 0;
}

/* An address is compared as such, however it is written. */
static int address_node(struct parser *parser, struct node *node, const char *value, size_t at) {
    char address[INET6_ADDRSTRLEN];
    const char *slash = strchr(value, '/');
    size_t length = slash ? (size_t)(slash - value) : strlen(value);
    uint64_t bits = 0;
    if (length < sizeof(address)) {
        memcpy(address, value, length);
        address[length] = '\0';
        node->family = parse_address(address, node->address);
    }
    uint64_t most = node->family == 4 ? 32 : 128;
    node->number = most;
    if (node->family && slash && filter_number(FIELD_NUMBER, slash + 1, &bits) && bits <= most)
        node->number = bits;
    else if (!node->family || slash)
        return fail(parser, at, "%s needs an address or a prefix, such as 10.0.0.0/8, not `%.60s`; ~ takes a pattern",
                    node->field->name, value);
    node->kind = NODE_PREFIX;
    return 0;
}

static int text_node(struct parser *parser, struct node *node, const char *value, size_t at) {
    node->text = value;
    if (node->comparison >= LESS && node->comparison <= GREATER_EQUAL)
        return fail(parser, at, "%s is text: compare it with == != ~ !~", node->field->name);
    node->kind = node->comparison >= FITS ? NODE_PATTERN : NODE_TEXT;
    if (node->kind == NODE_TEXT && node->field->type == FIELD_ADDRESS)
        return address_node(parser, node, value, at);
    return 0;
}

static int parse_comparison(struct parser *parser, int *ret_node) {
    struct node node = {.kind = NODE_SET};
    const char *value = "";
    skip_spaces(parser);
    size_t start = parser->at, length = 0, at = 0;
    while (is_name(parser->text[start + length]))
        length++;
    const char *name = parser->text + start;
    if (!length)
        return name[0] ? fail(parser, start, "a field's name is expected, not `%.1s`", name)
                       : fail(parser, start, "a field's name is expected at the end");
    node.field = field_find(parser->fields, name, length);
    if (!node.field)
        return fail(parser, start, "no field is named `%.*s`", length < 60 ? (int)length : 60, name);
    if (!(node.field->in & parser->in))
        return fail(parser, start, "`%s` is not a field of these rows", node.field->name);
    parser->at += length;
    if (!take_comparison(parser, &node.comparison))
        return add_node(parser, &node, ret_node);
    int result = take_value(parser, &value, &at);
    if (!result)
        result =
            field_is_text(node.field) ? text_node(parser, &node, value, at) : number_node(parser, &node, value, at);
    return result ? result : add_node(parser, &node, ret_node);
}

static int parse_or(struct parser *parser, int *ret_node);

static int parse_not(struct parser *parser, int *ret_node) {
    int result;
    if (++parser->depth > DEPTH_MAX)
        return fail(parser, parser->at, "nested deeper than %d", DEPTH_MAX);
    if (take(parser, "not") || take(parser, "!")) {
        struct node node = {.kind = NODE_NOT};
        result = parse_not(parser, &node.left);
        if (!result)
            result = add_node(parser, &node, ret_node);
    } else if (take(parser, "(")) {
        size_t open = parser->at - 1;
        result = parse_or(parser, ret_node);
        if (!result && !take(parser, ")"))
            result = parser->text[parser->at] ? fail(parser, parser->at, "`and`, `or` or `)` is expected")
                                              : fail(parser, open, "the parenthesis is not closed");
    } else {
        result = parse_comparison(parser, ret_node);
    }
    parser->depth--;
    return result;
}

static int join(struct parser *parser, enum node_kind kind, int *left, int right) {
    struct node node = {.kind = kind, .left = *left, .right = right};
    return add_node(parser, &node, left);
}

static int parse_and(struct parser *parser, int *ret_node) {
    int right, result = parse_not(parser, ret_node);
    while (!result && (take(parser, "and") || take(parser, "&&"))) {
        result = parse_not(parser, &right);
        if (!result)
            result = join(parser, NODE_AND, ret_node, right);
    }
    return result;
}

static int parse_or(struct parser *parser, int *ret_node) {
    int right, result = parse_and(parser, ret_node);
    while (!result && (take(parser, "or") || take(parser, "||"))) {
        result = parse_and(parser, &right);
        if (!result)
            result = join(parser, NODE_OR, ret_node, right);
    }
    return result;
}

static int parse_all(struct parser *parser) {
    if (strlen(parser->text) > FILTER_LENGTH_MAX)
        return fail(parser, FILTER_LENGTH_MAX, "longer than %d bytes", FILTER_LENGTH_MAX);
    int result = parse_or(parser, &parser->filter->root);
    skip_spaces(parser);
    if (result || !parser->text[parser->at])
        return result;
    return fail(parser, parser->at, "`and` or `or` is expected");
}

int filter_parse(const char *text, const struct field *fields, unsigned in, struct filter **ret_filter,
                 struct filter_error *ret_error) {
    struct filter *filter = calloc(1, sizeof(*filter));
    struct parser parser = {.text = text, .fields = fields, .in = in, .filter = filter, .error = ret_error};
    if (!filter)
        return -ENOMEM;
    int result = parse_all(&parser);
    if (result) {
        free(filter);
        return result;
    }
    *ret_filter = filter;
    return 0;
}

void filter_free(struct filter *filter) {
    free(filter);
}

/* ---- matching ---- */

static bool number_holds(enum comparison comparison, uint64_t value, uint64_t limit) {
    switch (comparison) {
    case EQUAL:
        return value == limit;
    case NOT_EQUAL:
        return value != limit;
    case LESS:
        return value < limit;
    case LESS_EQUAL:
        return value <= limit;
    case GREATER:
        return value > limit;
    default:
        return value >= limit;
    }
}

static bool in_prefix(const struct node *node, const char *text) {
    uint8_t address[16];
    return parse_address(text, address) == node->family && same_bits(address, node->address, node->number);
}

static bool leaf_holds(const struct node *node, const void *row) {
    const struct field *field = node->field;
    if (!field_known(field, row))
        return false;
    bool negated = node->comparison == NOT_EQUAL || node->comparison == FITS_NOT;
    switch (node->kind) {
    case NODE_NUMBER:
        return number_holds(node->comparison, field_number(field, row), node->number);
    case NODE_TEXT:
        return negated != !strcmp(field_text(field, row), node->text);
    case NODE_PATTERN:
        return negated != filter_pattern_fits(node->text, field_text(field, row));
    case NODE_PREFIX:
        return negated != in_prefix(node, field_text(field, row));
    default:
        return field_is_text(field) || field_number(field, row);
    }
}

static bool holds(const struct filter *filter, int index, const void *row) {
    const struct node *node = &filter->nodes[index];
    switch (node->kind) {
    case NODE_OR:
        return holds(filter, node->left, row) || holds(filter, node->right, row);
    case NODE_AND:
        return holds(filter, node->left, row) && holds(filter, node->right, row);
    case NODE_NOT:
        return !holds(filter, node->left, row);
    default:
        return leaf_holds(node, row);
    }
}

bool filter_matches(const struct filter *filter, const void *row) {
    return !filter || holds(filter, filter->root, row);
}
