/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many distinct addresses: exact up to ADDRESS_SET_LIMIT, then "at least that many", never an estimate.
 * All zeroes to begin with. One thread.
 */
#ifndef WEFT_TOPOLOGY_ADDRESS_SET_H
#define WEFT_TOPOLOGY_ADDRESS_SET_H

#include <stdbool.h>
#include <stdint.h>

enum { ADDRESS_SET_LIMIT = 1024 };

struct address_set {
    uint64_t *hashes; /* owned; open addressing, 0 is free */
    uint32_t count, capacity;
    bool more; /* than `count`: beyond the limit, or without memory */
};

void address_set_add(struct address_set *set, const uint8_t address[16]);
void address_set_merge(struct address_set *into, const struct address_set *from);
void address_set_done(struct address_set *set);

#endif
