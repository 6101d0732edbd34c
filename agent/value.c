/* SPDX-License-Identifier: Apache-2.0 */
#include "value.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct unit {
    const char *name;
    uint64_t scale;
};

static const struct unit times[] = {{"", 1000000000},   {"ms", 1000000},      {"s", 1000000000},
                                    {"m", 60000000000}, {"h", 3600000000000}, {NULL, 0}};
static const struct unit sizes[] = {{"", 1}, {"K", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}, {NULL, 0}};

static int parse(const char *text, const struct unit *units, uint64_t *ret_value) {
    char *end;
    if (!isdigit((unsigned char)*text))
        return -EINVAL;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    while (units->name && strcmp(units->name, end))
        units++;
    if (errno || !units->name || value > UINT64_MAX / units->scale)
        return -EINVAL;
    *ret_value = value * units->scale;
    return 0;
}

int value_time(const char *text, uint64_t *ret_ns) {
    uint64_t ns;
    if (parse(text, times, &ns) || !ns)
        return -EINVAL;
    *ret_ns = ns;
    return 0;
}

int value_size(const char *text, uint64_t *ret_bytes) {
    return parse(text, sizes, ret_bytes);
}
