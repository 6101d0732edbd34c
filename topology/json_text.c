/* SPDX-License-Identifier: Apache-2.0 */
#include "json_text.h"

json_t *json_text(const char *text) {
    json_t *string = json_string(text);
    char plain[256];
    size_t length = 0;
    if (string)
        return string;
    for (; length < sizeof(plain) - 1 && text[length]; length++)
        plain[length] = text[length] >= 0x20 && text[length] < 0x7f ? text[length] : '?';
    plain[length] = '\0';
    return json_string(plain);
}
