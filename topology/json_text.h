/* SPDX-License-Identifier: Apache-2.0 */
/* Other people's names for jansson. */
#ifndef WEFT_TOPOLOGY_JSON_TEXT_H
#define WEFT_TOPOLOGY_JSON_TEXT_H

#include <jansson.h>

/* A new reference. What is not UTF-8 is shown by its printable bytes, at most 255. */
json_t *json_text(const char *text);

#endif
