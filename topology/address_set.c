/* SPDX-License-Identifier: Apache-2.0 */
#include "address_set.h"

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

static uint64_t *place(uint64_t *hashes, uint32_t capacity, uint64_t hash) {
    uint32_t at = hash & (capacity - 1);
    while (hashes[at] && hashes[at] != hash)
        at = (at + 1) & (capacity - 1);
    return &hashes[at];
}

static bool grow(struct address_set *set) {
    uint32_t capacity = set->capacity ? set->capacity * 2 : 8;
    uint64_t *bigger = calloc(capacity, sizeof(*bigger));
    if (!bigger)
        return false;
    for (uint32_t i = 0; i < set->capacity; i++)
        if (set->hashes[i])
            *place(bigger, capacity, set->hashes[i]) = set->hashes[i];
    free(set->hashes);
    set->hashes = bigger;
    set->capacity = capacity;
    return true;
}

static void add_hash(struct address_set *set, uint64_t hash) {
    if (set->capacity && *place(set->hashes, set->capacity, hash) == hash)
        return;
    if (set->count >= ADDRESS_SET_LIMIT || ((set->count + 1) * 4 > set->capacity * 3 && !grow(set))) {
        set->more = true;
        return;
    }
    *place(set->hashes, set->capacity, hash) = hash;
    set->count++;
}

void address_set_add(struct address_set *set, const uint8_t address[16]) {
    uint64_t hash = XXH3_64bits(address, 16);
    add_hash(set, hash ? hash : 1);
}

void address_set_merge(struct address_set *into, const struct address_set *from) {
    for (uint32_t i = 0; i < from->capacity; i++)
        if (from->hashes[i])
            add_hash(into, from->hashes[i]);
    into->more |= from->more;
}

void address_set_done(struct address_set *set) {
    free(set->hashes);
    memset(set, 0, sizeof(*set));
}
