/* SPDX-License-Identifier: Apache-2.0 */
#include "protocols/template.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum {
    LONGEST_SEGMENT = 40, /* longer ones are values */
    LONGEST_WORD = 24,    /* letters in a row without a separator or a capital */
    MOST_WORDS = 4,       /* more words between separators make a title, not a route */
    SHORTEST_HEX = 8,
    SHORTEST_TOKEN = 16,
    SHORTEST_MIXED = 10,      /* letters and digits of a token whose runs are looked at */
    SHORTEST_RUN_HALVES = 5,  /* of one kind, on average, in what people write; in halves of a character */
    SHORTEST_WITH_DIGIT = 12, /* of a token with a digit whose capitals are looked at */
    MOST_CAPITALS = 2,        /* beside a digit, in what people write: getOAuth2Token, ListEC2Volumes */
    MOST_CAPITALS_WITH_SEPARATORS = 5,
    LONGEST_CONSONANTS = 6, /* so a shorter word in lower case is a name, whatever it spells */
};

enum class {
    OTHER = 0, /* ends the benefit of the doubt: '%', '@', '=', non-ASCII, ... */
    LOWER = 1 << 0,
    UPPER = 1 << 1,
    DIGIT = 1 << 2,
    SEPARATOR = 1 << 3,
    HEX_LETTER = 1 << 4,
    VOWEL = 1 << 5,
    END = 1 << 6,
};

#define L(vowel_or_hex) (LOWER | (vowel_or_hex))
#define U(vowel_or_hex) (UPPER | (vowel_or_hex))
static const uint8_t classes[256] = {
    ['0' ... '9'] = DIGIT,
    ['b' ... 'd'] = L(HEX_LETTER),
    ['f'] = L(HEX_LETTER),
    ['a'] = L(HEX_LETTER | VOWEL),
    ['e'] = L(HEX_LETTER | VOWEL),
    ['g' ... 'h'] = LOWER,
    ['j' ... 'n'] = LOWER,
    ['p' ... 't'] = LOWER,
    ['v' ... 'x'] = LOWER,
    ['z'] = LOWER,
    ['i'] = L(VOWEL),
    ['o'] = L(VOWEL),
    ['u'] = L(VOWEL),
    ['y'] = L(VOWEL),
    ['B' ... 'D'] = U(HEX_LETTER),
    ['F'] = U(HEX_LETTER),
    ['A'] = U(HEX_LETTER | VOWEL),
    ['E'] = U(HEX_LETTER | VOWEL),
    ['G' ... 'H'] = UPPER,
    ['J' ... 'N'] = UPPER,
    ['P' ... 'T'] = UPPER,
    ['V' ... 'X'] = UPPER,
    ['Z'] = UPPER,
    ['I'] = U(VOWEL),
    ['O'] = U(VOWEL),
    ['U'] = U(VOWEL),
    ['Y'] = U(VOWEL),
    ['-'] = SEPARATOR,
    ['_'] = SEPARATOR,
    ['.'] = SEPARATOR,
    [':'] = SEPARATOR,
    ['~'] = SEPARATOR,
    ['*'] = SEPARATOR,
    ['/'] = END,
    ['?'] = END,
    ['#'] = END,
    [';'] = END,
};
#undef L
#undef U

/* Names with more digits than a route name may have, and known as words. */
static bool is_known_name(const char *word, size_t length) {
    static const char known[][8] = {"base64", "base32", "i18n", "l10n", "sha256", "sha512", "sha384", "x509", "win32",
                                    "win64",  "utf16",  "web3", "a11y", "x86",    "m3u8",   "h264",   "h265", "k8s"};
    if (length >= sizeof(known[0])) {
        return false;
    }
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (known[i][length] == '\0' && memcmp(known[i], word, length) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* v1, V2, v1.2, v10, v1beta1, v2alpha: at most two digits in a row; 1.0. */
static bool is_version(const char *segment, size_t length) {
    if (length == 3 && is_digit(segment[0]) && segment[1] == '.' && segment[2] == '0') {
        return true;
    }
    if (length < 2 || length > 10 || (segment[0] | 0x20) != 'v' || !is_digit(segment[1])) {
        return false;
    }
    size_t i = 1, dots = 0, run = 0;
    for (; i < length && (is_digit(segment[i]) || segment[i] == '.'); i++) {
        run = is_digit(segment[i]) ? run + 1 : 0;
        dots += segment[i] == '.';
        if (run > 2 || dots > 2) {
            return false;
        }
    }
    size_t left = length - i;
    size_t tail = left >= 5 && memcmp(segment + i, "alpha", 5) == 0  ? 5
                  : left >= 4 && memcmp(segment + i, "beta", 4) == 0 ? 4
                                                                     : 0;
    return left == tail || (tail > 0 && left == tail + 1 && is_digit(segment[length - 1]));
}

/* What one word between separators is made of. */
struct word {
    unsigned length, digits, hex, consonants, capitals, humps;
    unsigned runs; /* of a kind: get HTTP S tatus 2, so five */
    unsigned row;  /* same-case letters in a row */
    unsigned big;  /* capitals just before */
    uint8_t last;  /* class of the character before */
    bool bad;
};

/* Whether `class` begins another run. */
static bool begins_run(const struct word *word, uint8_t class) {
    if (word->length == 0 || ((class ^ word->last) & DIGIT)) {
        return true;
    }
    return class & LOWER ? word->big > 1 : (class & UPPER) && (word->last & LOWER);
}

static void word_add(struct word *word, uint8_t class) {
    word->runs += begins_run(word, class);
    word->big = class & UPPER ? word->big + 1 : 0;
    word->length++;
    word->hex += (class & (HEX_LETTER | DIGIT)) != 0;
    if (class & DIGIT) {
        word->digits++;
        word->consonants = word->row = 0;
    } else {
        word->consonants = class & VOWEL ? 0 : word->consonants + 1;
        word->row = class & word->last & (LOWER | UPPER) ? word->row + 1 : 1;
        word->capitals += (class & word->last & UPPER) != 0;
        word->humps += (class & UPPER) && (word->last & LOWER);
    }
    word->bad |= word->consonants > LONGEST_CONSONANTS || word->row > LONGEST_WORD;
    word->last = class;
}

static bool is_mixed(unsigned length, unsigned runs) {
    return length >= SHORTEST_MIXED && runs * SHORTEST_RUN_HALVES > length * 2;
}

static bool word_is_name(const struct word *word, const char *end) {
    if (word->length == 0) {
        return true;
    }
    if (word->bad || word->digits == word->length || is_mixed(word->length, word->runs)) {
        return false;
    }
    if (word->length >= SHORTEST_HEX && word->hex == word->length) {
        return false;
    }
    if (word->length >= SHORTEST_TOKEN && (word->digits > 0 || (word->capitals >= 2 && word->humps >= 3))) {
        return false;
    }
    if (word->length >= SHORTEST_WITH_DIGIT && word->digits > 0 && word->capitals + word->humps > MOST_CAPITALS) {
        return false;
    }
    return word->digits <= 1 || is_known_name(end - word->length, word->length);
}

/* A known name counts as one, whatever it spells. */
static unsigned runs_of(const struct word *word, const char *end) {
    bool known = word->runs > 1 && word->digits > 0 && is_known_name(end - word->length, word->length);
    return known ? 1 : word->runs;
}

/* The most usual segments, a short word or a number, without counting. Returns false if it is neither. */
static inline bool is_plain_segment(const char *segment, const char *limit, const char **end, bool *name) {
    const char *at = segment;
    uint8_t all = LOWER | DIGIT;
    for (; at < limit && (classes[(uint8_t)*at] & all); at++) {
        all &= classes[(uint8_t)*at];
    }
    if (at == segment || (at < limit && !(classes[(uint8_t)*at] & END))) {
        return false;
    }
    *end = at;
    *name = all & LOWER;
    return !*name || at - segment <= LONGEST_CONSONANTS;
}

/* What the words of a segment come to. */
struct sum {
    unsigned words, characters, runs, capitals;
    bool name; /* each is one */
};

static void sum_add(struct sum *sum, const struct word *word, const char *end) {
    sum->name = sum->name && word_is_name(word, end);
    sum->words += word->length > 0;
    sum->characters += word->length;
    sum->runs += runs_of(word, end);
    sum->capitals += word->capitals + word->humps;
}

static bool sum_is_name(const struct sum *sum) {
    bool scattered =
        sum->words > 1 && sum->characters >= SHORTEST_TOKEN && sum->capitals > MOST_CAPITALS_WITH_SEPARATORS;
    return sum->name && !scattered && !is_mixed(sum->characters, sum->runs) && sum->words <= MOST_WORDS;
}

/* Looks at one segment; `*end` is where it stops. */
static bool segment_is_name(const char *segment, const char *limit, const char **end) {
    struct word word = {0};
    struct sum sum = {.name = true};
    const char *at = segment;
    for (; at < limit; at++) {
        uint8_t class = classes[(uint8_t)*at];
        if (class & END) {
            break;
        }
        if (class & (LOWER | UPPER | DIGIT)) {
            word_add(&word, class);
        } else if (class & SEPARATOR) {
            sum_add(&sum, &word, at);
            word = (struct word){0};
        } else {
            sum.name = false;
        }
    }
    *end = at;
    sum_add(&sum, &word, at);
    size_t length = (size_t)(at - segment);
    return sum_is_name(&sum) ? length <= LONGEST_SEGMENT : is_version(segment, length);
}

/* The 2 of /api/2/issue/17. */
static bool is_bare_version(const char *path, const char *segment, const char *end) {
    return end - segment == 1 && is_digit(*segment) && segment - path >= 4 && memcmp(segment - 4, "api/", 4) == 0;
}

/* Passes path parameters (";jsessionid=..."). */
static const char *skip_parameters(const char *at, const char *limit) {
    while (at < limit && *at != '/' && *at != '?' && *at != '#') {
        at++;
    }
    return at;
}

size_t template_path(const char *path, size_t length, char *out, size_t out_size) {
    static const char placeholder[] = "{id}";
    const char *at = path, *limit = length > 0 ? path + length : path; /* an empty path may be NULL */
    size_t used = 0;
    while (at < limit && *at != '?' && *at != '#') {
        bool slash = *at == '/';
        const char *segment = at + slash, *end;
        bool name;
        if (!is_plain_segment(segment, limit, &end, &name)) {
            name = segment_is_name(segment, limit, &end);
        }
        name = name || is_bare_version(path, segment, end);
        const char *text = name ? segment : placeholder;
        size_t text_length = name ? (size_t)(end - segment) : sizeof(placeholder) - 1;
        if (slash + text_length > out_size - used) {
            break;
        }
        if (slash) {
            out[used++] = '/';
        }
        if (text_length > 0) {
            memcpy(out + used, text, text_length);
        }
        used += text_length;
        at = skip_parameters(end, limit);
    }
    return used;
}
