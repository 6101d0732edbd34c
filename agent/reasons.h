/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why a packet was dropped or a connection reset, in the running kernel's own words and in plain ones; and where.
 *
 * Numbers of reasons differ from kernel to kernel, so their names come from its types (/sys/kernel/btf/vmlinux), read
 * once. A drop's place is an address in the kernel, named by /proc/kallsyms; that shows addresses only to whoever
 * opened it with privileges (sysctl kernel.kptr_restrict), so it is opened here and stays open. Symbols are not kept:
 * an address that was not met before is looked for when reasons_resolve is called.
 *
 * reasons_note and reasons_resolve belong to one thread; the rest may be called from any.
 */
#ifndef WEFT_AGENT_REASONS_H
#define WEFT_AGENT_REASONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/flow.h"
#include "topology/flows.h"

struct reasons;

/* While privileged. -ENOMEM only: what this kernel does not tell is not known. */
int reasons_new(struct reasons **ret_reasons);
void reasons_free(struct reasons *reasons); /* NULL is fine */

/* For the program that sees drops: to be written into its read-only data before it is loaded. */
void reasons_settings(const struct reasons *reasons, struct drop_settings *ret_settings);

/* As the kernel names them, "NETFILTER_DROP"; NULL: a number that it has no name for. Static or as long as `reasons`.
 */
const char *reasons_drop(const struct reasons *reasons, uint32_t reason);
const char *reasons_reset(const struct reasons *reasons, uint32_t reason);

/* What it comes down to. The place decides where the kernel gives no reason. */
enum drop_class reasons_class(struct reasons *reasons, uint32_t reason, uint64_t location);
/* In plain words, "the socket's receive buffer was full"; NULL: there are none for it. Static. */
const char *reasons_text(struct reasons *reasons, uint32_t reason, uint64_t location);
const char *reasons_reset_text(const struct reasons *reasons, uint32_t reason);
const char *reasons_hook(uint8_t hook); /* "FORWARD", "bridge FORWARD"; NULL: none. Static. */

/* An address is to be named. Cheap if it was met before. */
void reasons_note(struct reasons *reasons, uint64_t location);
/* Names those that were noted since, if there are any: some tens of milliseconds, so at most once a second. */
void reasons_resolve(struct reasons *reasons);
/* Function at that address; NULL: not known, or not yet. As long as `reasons`. */
const char *reasons_place(struct reasons *reasons, uint64_t location);

/* Whether addresses can be named at all; if not, `ret_why` says why not. */
bool reasons_places_known(const struct reasons *reasons, const char **ret_why);

#endif
