/* SPDX-License-Identifier: Apache-2.0 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "protocols/sql.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A quote outside a quoted name would be the start of a literal. */
static bool has_literal(const char *text, size_t length) {
    bool in_name = false;
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '"')
            in_name = !in_name;
        else if (text[i] == '\'' && !in_name)
            return true;
    }
    return false;
}

/* The first byte is the room for the answer. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0)
        return 0;
    size_t room = data[0];
    char *text = malloc(size);
    char *out = malloc(room + 1);
    memcpy(text, data + 1, size - 1);
    size_t length = sql_normalise(text, size - 1, out, room);
    if (length > room || has_literal(out, length))
        abort();
    if (sql_keyword(text, size - 1, out, room) > room)
        abort();
    free(out);
    free(text);
    return 0;
}
