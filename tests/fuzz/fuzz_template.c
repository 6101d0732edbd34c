/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "protocols/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first byte is the room for the answer. A template of a template is the same template. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0)
        return 0;
    size_t room = data[0];
    char *path = malloc(size);
    char *out = malloc(room + 1);
    char again[256];
    memcpy(path, data + 1, size - 1);
    size_t length = template_path(path, size - 1, out, room);
    if (length > room || memchr(out, '?', length) || memchr(out, '#', length))
        abort();
    size_t twice = template_path(out, length, again, sizeof(again));
    if (twice != length || memcmp(out, again, length) != 0)
        abort();
    free(out);
    free(path);
    return 0;
}
