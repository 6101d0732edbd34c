/* SPDX-License-Identifier: Apache-2.0 */
#include "table.h"

#include <errno.h>
#include <stdlib.h>

static size_t home(const struct table *table, uint64_t key) {
    return (key * 0x9e3779b97f4a7c15ULL >> 20) & (table->capacity - 1);
}

static struct table_slot *find(const struct table *table, uint64_t key) {
    size_t at = home(table, key);
    while (table->slots[at].key && table->slots[at].key != key)
        at = (at + 1) & (table->capacity - 1);
    return &table->slots[at];
}

void *table_get(const struct table *table, uint64_t key) {
    return table->capacity && key ? find(table, key)->value : NULL;
}

static int grow(struct table *table) {
    struct table bigger = {.capacity = table->capacity ? table->capacity * 2 : 64};
    bigger.slots = calloc(bigger.capacity, sizeof(*bigger.slots));
    if (!bigger.slots)
        return -ENOMEM;
    for (size_t i = 0; i < table->capacity; i++)
        if (table->slots[i].key)
            *find(&bigger, table->slots[i].key) = table->slots[i];
    free(table->slots);
    table->slots = bigger.slots;
    table->capacity = bigger.capacity;
    return 0;
}

int table_put(struct table *table, uint64_t key, void *value) {
    if (!key)
        return -EINVAL;
    if (table->limit && table->count >= table->limit && !table_get(table, key))
        return -ENOSPC;
    if ((table->count + 1) * 4 > table->capacity * 3 && grow(table))
        return -ENOMEM;
    struct table_slot *slot = find(table, key);
    if (!slot->key)
        table->count++;
    slot->key = key;
    slot->value = value;
    return 0;
}

void *table_remove(struct table *table, uint64_t key) {
    if (!table->capacity || !key)
        return NULL;
    struct table_slot *slot = find(table, key);
    void *value = slot->value;
    if (!slot->key)
        return NULL;
    table->count--;
    size_t mask = table->capacity - 1, hole = slot - table->slots;
    for (size_t at = (hole + 1) & mask; table->slots[at].key; at = (at + 1) & mask) {
        if (((at - home(table, table->slots[at].key)) & mask) >= ((at - hole) & mask)) {
            table->slots[hole] = table->slots[at];
            hole = at;
        }
    }
    table->slots[hole] = (struct table_slot){0};
    return value;
}

void table_done(struct table *table) {
    free(table->slots);
    *table = (struct table){.limit = table->limit};
}
