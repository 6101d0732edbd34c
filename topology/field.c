/* SPDX-License-Identifier: Apache-2.0 */
#include "field.h"

#include <string.h>

const struct field *field_find(const struct field *fields, const char *name, size_t length) {
    for (const struct field *field = fields; field->name; field++)
        if (strlen(field->name) == length && !memcmp(field->name, name, length))
            return field;
    return NULL;
}
