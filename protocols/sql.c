/* SPDX-License-Identifier: Apache-2.0 */
#include "protocols/sql.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct scanner {
    const char *text;
    size_t length;
    size_t at;
};

static bool is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r') || c == '\0';
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80;
}

static char peek(const struct scanner *scanner, size_t ahead) {
    return ahead < scanner->length - scanner->at ? scanner->text[scanner->at + ahead] : '\0';
}

static bool at_end(const struct scanner *scanner) {
    return scanner->at >= scanner->length;
}

/* Block comments nest in PostgreSQL. */
static void skip_block_comment(struct scanner *scanner) {
    size_t depth = 0;
    while (!at_end(scanner)) {
        size_t step = 1;
        if (peek(scanner, 0) == '/' && peek(scanner, 1) == '*') {
            depth++;
            step = 2;
        } else if (peek(scanner, 0) == '*' && peek(scanner, 1) == '/') {
            depth--;
            step = 2;
        }
        scanner->at += step;
        if (depth == 0)
            return;
    }
}

/* Whitespace and comments; true when there was any. */
static bool skip_blank(struct scanner *scanner) {
    size_t start = scanner->at;
    while (!at_end(scanner)) {
        char c = peek(scanner, 0);
        if (is_space(c)) {
            scanner->at++;
        } else if (c == '-' && peek(scanner, 1) == '-') {
            while (!at_end(scanner) && peek(scanner, 0) != '\n' && peek(scanner, 0) != '\r')
                scanner->at++;
        } else if (c == '/' && peek(scanner, 1) == '*') {
            skip_block_comment(scanner);
        } else {
            break;
        }
    }
    return scanner->at > start;
}

/* Past a quoted run that starts at the scanner; a doubled quote does not end it. False if it is not closed. */
static bool skip_quoted(struct scanner *scanner, char quote, bool escapes) {
    scanner->at++;
    while (!at_end(scanner)) {
        char c = peek(scanner, 0);
        if (escapes && c == '\\') {
            scanner->at++;
        } else if (c == quote) {
            if (peek(scanner, 1) != quote) {
                scanner->at++;
                return true;
            }
            scanner->at++;
        }
        if (!at_end(scanner))
            scanner->at++;
    }
    return false;
}

/* $tag$ ... $tag$; false (nothing skipped) when no such thing starts here. */
static bool skip_dollar(struct scanner *scanner) {
    size_t tag = 1;
    if (is_digit(peek(scanner, 1)))
        return false;
    while (is_letter(peek(scanner, tag)) || is_digit(peek(scanner, tag)))
        tag++;
    if (peek(scanner, tag) != '$')
        return false;
    tag++;
    const char *mark = scanner->text + scanner->at;
    scanner->at += tag;
    while (scanner->length - scanner->at >= tag) {
        const char *next = memchr(scanner->text + scanner->at, '$', scanner->length - scanner->at - tag + 1);
        if (next == NULL)
            break;
        scanner->at = (size_t)(next - scanner->text);
        if (memcmp(next, mark, tag) == 0) {
            scanner->at += tag;
            return true;
        }
        scanner->at++;
    }
    scanner->at = scanner->length;
    return true;
}

static void skip_number(struct scanner *scanner) {
    while (!at_end(scanner)) {
        char c = peek(scanner, 0);
        bool exponent = c == 'e' || c == 'E';
        if (!is_digit(c) && !is_letter(c) && c != '.')
            return;
        scanner->at++;
        if (exponent && (peek(scanner, 0) == '+' || peek(scanner, 0) == '-') && is_digit(peek(scanner, 1)))
            scanner->at++;
    }
}

/* E'..', B'..', X'..', N'..' and U&'..': the length of what stands before the quote. */
static size_t literal_prefix(const struct scanner *scanner) {
    char c = peek(scanner, 0);
    if (c == '\'')
        return 0;
    if (c != '\0' && strchr("eEbBxXnN", c) != NULL && peek(scanner, 1) == '\'')
        return 1;
    if ((c == 'u' || c == 'U') && peek(scanner, 1) == '&' && peek(scanner, 2) == '\'')
        return 2;
    return SIZE_MAX;
}

static bool skip_literal(struct scanner *scanner) {
    char c = peek(scanner, 0);
    size_t prefix = literal_prefix(scanner);
    if (prefix != SIZE_MAX) {
        scanner->at += prefix;
        skip_quoted(scanner, '\'', c == 'e' || c == 'E');
        return true;
    }
    if (is_digit(c) || (c == '.' && is_digit(peek(scanner, 1)))) {
        skip_number(scanner);
        return true;
    }
    return c == '$' && skip_dollar(scanner);
}

/* A quoted name that is not closed may have swallowed literals. */
static bool skip_open_name(struct scanner *scanner) {
    struct scanner ahead = *scanner;
    if (peek(scanner, 0) != '"' || skip_quoted(&ahead, '"', false))
        return false;
    scanner->at = scanner->length;
    return true;
}

/* Moves past one token that is shown as it is written. */
static void skip_token(struct scanner *scanner) {
    char c = peek(scanner, 0);
    if (c == '"') {
        skip_quoted(scanner, '"', false);
    } else if (is_letter(c) || c == '$') {
        do
            scanner->at++;
        while (!at_end(scanner) &&
               (is_letter(peek(scanner, 0)) || is_digit(peek(scanner, 0)) || peek(scanner, 0) == '$'));
    } else {
        scanner->at++;
    }
}

/* $1 */
static bool is_parameter(const struct scanner *scanner, size_t start) {
    return scanner->text[start] == '$' && scanner->at > start + 1 && is_digit(scanner->text[start + 1]);
}

/* The tokens just written, so that a list of values can be folded into its first: kinds, and where each ends. */
enum { RECENT = 9 };
enum token_kind { TOKEN_OTHER = 'x', TOKEN_VALUE = 'v' }; /* any other is its own character */

struct recent {
    char kinds[RECENT];
    size_t ends[RECENT];
    size_t count;
};

static void recent_push(struct recent *recent, char kind, size_t end) {
    if (recent->count == RECENT) {
        memmove(recent->kinds, recent->kinds + 1, RECENT - 1);
        memmove(recent->ends, recent->ends + 1, (RECENT - 1) * sizeof(recent->ends[0]));
        recent->count--;
    }
    recent->kinds[recent->count] = kind;
    recent->ends[recent->count++] = end;
}

static bool recent_ends(const struct recent *recent, const char *kinds) {
    size_t length = strlen(kinds);
    return recent->count >= length && !memcmp(recent->kinds + recent->count - length, kinds, length);
}

/* "?, ?" is "?", and "(?), (?)" is "(?)": IN lists, rows of VALUES, arrays. Returns the new end of what is written. */
static size_t fold(struct recent *recent) {
    if (recent_ends(recent, "v,v"))
        recent->count -= 2;
    else if (recent_ends(recent, "(v),(v)"))
        recent->count -= 4;
    return recent->ends[recent->count - 1];
}

/* A sign that belongs to the number after it. */
static bool is_sign(const struct scanner *scanner, const struct recent *recent) {
    char c = peek(scanner, 0), next = peek(scanner, 1);
    bool after_value = recent_ends(recent, "v") || recent_ends(recent, ")") || recent_ends(recent, "x");
    return (c == '-' || c == '+') && (is_digit(next) || next == '.') && !after_value;
}

static char kind_of(const struct scanner *scanner, size_t start) {
    char c = scanner->text[start];
    if (is_parameter(scanner, start))
        return TOKEN_VALUE;
    return is_letter(c) || c == '$' || c == '"' || c == ']' ? TOKEN_OTHER : c;
}

size_t sql_normalise(const char *text, size_t length, char *out, size_t capacity) {
    struct scanner scanner = {text, length, 0};
    struct recent recent = {0};
    size_t written = 0;
    skip_blank(&scanner);
    while (!at_end(&scanner) && written < capacity) {
        if (is_sign(&scanner, &recent))
            scanner.at++;
        size_t start = scanner.at;
        char kind = TOKEN_VALUE;
        if (skip_literal(&scanner) || skip_open_name(&scanner)) {
            out[written++] = '?';
        } else {
            skip_token(&scanner);
            kind = kind_of(&scanner, start);
            for (size_t i = start; i < scanner.at && written < capacity; i++)
                out[written++] = is_space(text[i]) ? ' ' : text[i];
        }
        recent_push(&recent, kind, written);
        written = fold(&recent);
        if (skip_blank(&scanner) && !at_end(&scanner) && written < capacity)
            out[written++] = ' ';
    }
    while (written > 0 && (out[written - 1] == ';' || out[written - 1] == ' '))
        written--;
    return written;
}

size_t sql_keyword(const char *text, size_t length, char *out, size_t capacity) {
    struct scanner scanner = {text, length, 0};
    size_t written = 0;
    while (skip_blank(&scanner) || (!at_end(&scanner) && (peek(&scanner, 0) == '(' || peek(&scanner, 0) == ';'))) {
        if (!at_end(&scanner) && (peek(&scanner, 0) == '(' || peek(&scanner, 0) == ';'))
            scanner.at++;
    }
    while (!at_end(&scanner) && written < capacity) {
        char c = peek(&scanner, 0);
        if (!is_letter(c) || (unsigned char)c >= 0x80)
            break;
        out[written++] = c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
        scanner.at++;
    }
    return written;
}
