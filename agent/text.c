/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/text.h"

#include <string.h>
#include <xxhash.h>

void text_copy(char *into, size_t size, const char *from) {
    const size_t length = from ? strnlen(from, size - 1) : 0;
    memmove(into, from ? from : "", length);
    into[length] = '\0';
}

const char *text_base(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

bool text_listed(const char *list, const char *word) {
    const size_t length = strlen(word);
    if (length == 0)
        return false;
    for (const char *at = list; (at = strstr(at, word)); at += length)
        if ((at == list || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0'))
            return true;
    return false;
}

bool text_ends_with(const char *text, const char *suffix) {
    const size_t length = strlen(text), end = strlen(suffix);
    return length >= end && memcmp(text + length - end, suffix, end) == 0;
}

uint64_t text_hash(const char *text) {
    const uint64_t hash = XXH3_64bits(text, strlen(text));
    return hash ? hash : 1;
}
