/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/cache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { PROBES = 8 };

int cache_new(struct cache *cache, size_t capacity, size_t size) {
    *cache = (struct cache){.slots = calloc(capacity, size), .size = size, .capacity = capacity};
    return cache->slots ? 0 : -ENOMEM;
}

void cache_done(struct cache *cache) {
    free(cache->slots);
    *cache = (struct cache){0};
}

static struct cache_slot *slot_at(const struct cache *cache, uint64_t place) {
    return (struct cache_slot *)(void *)(cache->slots + (place & (cache->capacity - 1)) * cache->size);
}

void *cache_find(struct cache *cache, uint64_t key) {
    for (uint64_t i = 0; i < PROBES; i++) {
        struct cache_slot *slot = slot_at(cache, key + i);
        if (slot->used && slot->key == key) {
            slot->used = ++cache->clock;
            return slot;
        }
    }
    return NULL;
}

void *cache_add(struct cache *cache, uint64_t key, bool *ret_new) {
    struct cache_slot *found = cache_find(cache, key);
    *ret_new = !found;
    if (found)
        return found;
    found = slot_at(cache, key);
    for (uint64_t i = 1; i < PROBES; i++) {
        struct cache_slot *slot = slot_at(cache, key + i);
        if (slot->used < found->used)
            found = slot;
    }
    cache->put_out += found->used != 0;
    memset(found, 0, cache->size);
    found->key = key;
    found->used = ++cache->clock;
    return found;
}

void *cache_at(struct cache *cache, size_t i) {
    struct cache_slot *slot = slot_at(cache, i);
    return slot->used ? slot : NULL;
}

void cache_remove(struct cache *cache, void *record) {
    memset(record, 0, cache->size);
}
