/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hash table from a 64-bit key to a pointer: open addressing, linear probing, no tombstones (entries move back on
 * removal). Key 0 is refused. Grows to a limit; a put beyond it fails. Not thread safe: one owner.
 */
#ifndef WEFT_TOPOLOGY_TABLE_H
#define WEFT_TOPOLOGY_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct table_slot {
    uint64_t key;
    void *value;
};

struct table {
    struct table_slot *slots;
    size_t capacity; /* a power of two, or 0 */
    size_t count;
    size_t limit; /* most entries; 0: none */
};

void *table_get(const struct table *table, uint64_t key);
int table_put(struct table *table, uint64_t key, void *value); /* replaces; -ENOMEM, -ENOSPC at the limit */
void *table_remove(struct table *table, uint64_t key);
void table_done(struct table *table); /* frees the slots, not the values */

#endif
