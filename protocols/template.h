/* SPDX-License-Identifier: Apache-2.0 */
/* Turns a URL path into the route it belongs to: "/users/42/orders" becomes "/users/{id}/orders". */
#ifndef WEFT_PROTOCOLS_TEMPLATE_H
#define WEFT_PROTOCOLS_TEMPLATE_H

#include <stddef.h>

/*
 * Writes at most `out_size` bytes, not terminated, and returns how many. Reads up to the first '?' or '#'. A route
 * that does not fit is cut between two segments. A segment that is not plainly a route name becomes "{id}".
 */
size_t template_path(const char *path, size_t length, char *out, size_t out_size);

#endif
