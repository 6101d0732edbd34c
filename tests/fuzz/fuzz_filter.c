/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "topology/filter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct row {
    char name[16], address[46];
    uint64_t count, bytes, time;
};

static const struct field fields[] = {
    {"name", FIELD_TEXT, offsetof(struct row, name), 1, false, ""},
    {"address", FIELD_ADDRESS, offsetof(struct row, address), 1, false, ""},
    {"count", FIELD_COUNT, offsetof(struct row, count), 1, true, ""},
    {"bytes", FIELD_BYTES, offsetof(struct row, bytes), 1, true, ""},
    {"time", FIELD_DURATION, offsetof(struct row, time), 1, false, ""},
    {0},
};

/* What is understood holds or does not, and its opposite is the other; what is not is pointed at inside the text. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct row rows[] = {{"orders-db", "10.1.2.3", 5, 65536, 10000000},
                                      {"", "::1", FIELD_UNKNOWN, 0, FIELD_UNKNOWN}};
    struct filter *filter, *opposite;
    struct filter_error error;
    char *text = malloc(size + 1), *negated = malloc(size + 8);
    memcpy(text, data, size);
    text[size] = '\0';
    strcpy(stpcpy(stpcpy(negated, "not ("), text), ")");
    if (filter_parse(text, fields, 1, &filter, &error)) {
        if (error.at > strlen(text) || strlen(error.text) >= sizeof(error.text))
            abort();
    } else {
        if (!filter_parse(negated, fields, 1, &opposite, &error)) { /* else it has become too long or too deep */
            for (int i = 0; i < 2; i++)
                if (filter_matches(filter, &rows[i]) == filter_matches(opposite, &rows[i]))
                    abort();
            filter_free(opposite);
        }
        filter_free(filter);
    }
    free(text);
    free(negated);
    return 0;
}
