/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that connections hold only while they need it: bytes that wait for more, calls that wait for an answer.
 *
 * Blocks come in powers of two from 64 bytes to 64 KiB. What is given back is kept for the next taker, up to
 * POOL_CACHE_BYTES of each size; the rest goes back to the system. One thread; a pool is all zeroes to begin with.
 */
#ifndef WEFT_TOPOLOGY_POOL_H
#define WEFT_TOPOLOGY_POOL_H

#include <stddef.h>
#include <stdint.h>

enum {
    POOL_SMALLEST = 6,
    POOL_LARGEST = 16,
    POOL_SIZES = POOL_LARGEST - POOL_SMALLEST + 1,
    POOL_CACHE_BYTES = 1 << 20
};

struct pool {
    struct pool_block {
        struct pool_block *next;
    } * free[POOL_SIZES];
    uint32_t free_count[POOL_SIZES];
    uint64_t taken_bytes; /* now in use */
    uint64_t limit_bytes; /* of those; 0: none */
};

size_t pool_size(size_t size);                   /* what a block for `size` holds; 0 if there is none so large */
void *pool_take(struct pool *pool, size_t size); /* not zeroed; NULL at the limit or without memory */
void pool_give(struct pool *pool, void *block, size_t size); /* the size it was taken with */
void pool_done(struct pool *pool); /* frees what it keeps; blocks in use must be given back before */

#endif
