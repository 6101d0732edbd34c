/* SPDX-License-Identifier: Apache-2.0 */
/* Small helpers for bounded text. Pure; any thread. */
#ifndef WEFT_AGENT_TEXT_H
#define WEFT_AGENT_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void text_copy(char *into, size_t size, const char *from); /* cut to fit, always ended; NULL is "" */
const char *text_base(const char *path);                   /* what follows the last '/' */
bool text_listed(const char *list, const char *word);      /* is `word` among the space-separated `list`? */
bool text_ends_with(const char *text, const char *suffix);
uint64_t text_hash(const char *text); /* never 0 */

#endif
