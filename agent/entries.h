/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads all entries of a BPF hash, in batches; one by one where the kernel cannot. Any thread, an object on one.
 */
#ifndef WEFT_AGENT_ENTRIES_H
#define WEFT_AGENT_ENTRIES_H

#include <stddef.h>
#include <stdint.h>

struct entries;

/* `value_size` as userspace reads it: of a per-CPU map, all CPUs'. Negative errno. */
int entries_new(int map_fd, size_t key_size, size_t value_size, struct entries **ret_entries);
void entries_free(struct entries *entries); /* NULL is fine; the map stays open */

/*
 * The callback may delete the entry that it is shown. What stays in the map all the time is shown once; what comes and
 * goes meanwhile may be. Negative errno: the map could not be read to its end.
 */
typedef void (*entries_visit)(void *context, const void *key, const void *value);
int entries_each(struct entries *entries, entries_visit visit, void *context);

#endif
