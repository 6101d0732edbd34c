/* SPDX-License-Identifier: Apache-2.0 */
/* The page's files, linked into the program. The table is written at build time by cmake/embed.cmake. */
#ifndef WEFT_WEB_ASSETS_H
#define WEFT_WEB_ASSETS_H

#include <stddef.h>

struct asset {
    const char *path; /* of the URL */
    const char *type; /* Content-Type */
    const char *etag; /* in quotes */
    const unsigned char *start, *end;
};

extern const struct asset assets[];
extern const size_t asset_count;

#endif
