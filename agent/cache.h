/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bounded table of equal records by a 64-bit key: set-associative, so that what is least recently used among a few
 * neighbours makes room and nothing ever grows. Each record begins with a `struct cache_slot`. Pointers are good until
 * the next cache_add. One owner at a time: whoever has several threads locks.
 */
#ifndef WEFT_AGENT_CACHE_H
#define WEFT_AGENT_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cache_slot {
    uint64_t key;
    uint64_t used; /* 0: free */
};

struct cache {
    unsigned char *slots;
    size_t size;     /* of one record */
    size_t capacity; /* a power of two */
    uint64_t clock;
    uint64_t put_out; /* records that made room */
};

int cache_new(struct cache *cache, size_t capacity, size_t size); /* 0 or -ENOMEM */
void cache_done(struct cache *cache);
void *cache_find(struct cache *cache, uint64_t key);
/* Finds or makes; what is made is zeroed. */
void *cache_add(struct cache *cache, uint64_t key, bool *ret_new);
/* Record `i` of `capacity`, or NULL if that place is free. */
void *cache_at(struct cache *cache, size_t i);
void cache_remove(struct cache *cache, void *record);

#endif
