/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "protocols/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first byte is the room for the answer. Nothing of the query is ever in it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0)
        return 0;
    size_t room = data[0];
    char *path = malloc(size);
    char *out = malloc(room + 1);
    memcpy(path, data + 1, size - 1);
    size_t length = template_path(path, size - 1, out, room);
    if (length > room || memchr(out, '?', length) || memchr(out, '#', length))
        abort();
    free(out);
    free(path);
    return 0;
}
