/* SPDX-License-Identifier: Apache-2.0 */
#include "pool.h"

#include <stdlib.h>

static unsigned size_class(size_t size) {
    if (size <= (size_t)1 << POOL_SMALLEST)
        return 0;
    return 64 - (unsigned)__builtin_clzll(size - 1) - POOL_SMALLEST;
}

size_t pool_size(size_t size) {
    return size > (size_t)1 << POOL_LARGEST ? 0 : (size_t)1 << (size_class(size) + POOL_SMALLEST);
}

void *pool_take(struct pool *pool, size_t size) {
    size_t bytes = pool_size(size);
    if (!bytes || (pool->limit_bytes && pool->taken_bytes + bytes > pool->limit_bytes))
        return NULL;
    unsigned class = size_class(size);
    struct pool_block *block = pool->free[class];
    if (block) {
        pool->free[class] = block->next;
        pool->free_count[class]--;
    } else if (!(block = malloc(bytes))) {
        return NULL;
    }
    pool->taken_bytes += bytes;
    return block;
}

void pool_give(struct pool *pool, void *block, size_t size) {
    if (!block)
        return;
    unsigned class = size_class(size);
    size_t bytes = (size_t)1 << (class + POOL_SMALLEST);
    pool->taken_bytes -= bytes;
    if ((pool->free_count[class] + 1) * bytes > POOL_CACHE_BYTES) {
        free(block);
        return;
    }
    struct pool_block *kept = block;
    kept->next = pool->free[class];
    pool->free[class] = kept;
    pool->free_count[class]++;
}

void pool_done(struct pool *pool) {
    for (unsigned i = 0; i < POOL_SIZES; i++)
        while (pool->free[i]) {
            struct pool_block *next = pool->free[i]->next;
            free(pool->free[i]);
            pool->free[i] = next;
            pool->free_count[i] = 0;
        }
}
