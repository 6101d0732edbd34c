/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What connection tracking rewrites in the agent's own network namespace, read by a thread that alone keeps
 * CAP_NET_ADMIN for it: the kernel asks whoever sends the question for that.
 *
 * translations_new before privileges_drop -> translations_ask and, a round later, translations_show ->
 * translations_free. One thread, the caller's; nothing waits for the kernel's answer.
 */
#ifndef WEFT_AGENT_TRANSLATIONS_H
#define WEFT_AGENT_TRANSLATIONS_H

#include "conntrack.h"

struct translations;
/* Negative errno: this kernel cannot be asked, and there is nothing to show. */
int translations_new(uint32_t netns, struct translations **ret_translations);
void translations_free(struct translations *translations); /* NULL does nothing, here and below */

void translations_ask(struct translations *translations); /* the table is read anew */
/* What was read last. */
void translations_show(struct translations *translations, void (*visit)(void *context, const struct nat_pair *pair),
                       void *context);

#endif
