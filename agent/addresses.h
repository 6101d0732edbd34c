/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who an address is: the workload of this host that has it, or the name that a DNS answer gave it.
 *
 * An owner that is gone keeps its address for ADDRESS_STALE_NS unless a new owner is seen; a name is kept for as long
 * after its time to live has passed and it was last asked for. Both are `stale` meanwhile. Bounded: what was least
 * recently used makes room. Times are CLOCK_MONOTONIC, given by the caller. One owner at a time: the caller locks.
 */
#ifndef WEFT_AGENT_ADDRESSES_H
#define WEFT_AGENT_ADDRESSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/cache.h"
#include "topology/workload.h"

#define ADDRESS_STALE_NS (15 * 60 * 1000000000ULL)

struct address { /* in network order, IPv4 as v4-mapped IPv6, so that one address is one key */
    uint8_t bytes[16];
};
struct address address_of(const uint8_t *bytes, int family); /* family 4 or 6 */
bool address_is_four(const struct address *address);
bool address_is_loopback(const struct address *address);
bool address_is_private(const struct address *address); /* and link-local, and shared (100.64/10) */
void address_text(const struct address *address, char *ret_text, size_t size);

/* "10.0.0.0/8", "fd00::/8" or one address. */
struct prefix {
    struct address address;
    unsigned bits; /* of 128 */
};
bool prefix_parse(const char *text, struct prefix *ret_prefix);
bool prefix_holds(const struct prefix *prefix, const struct address *address);

struct address_owner {
    const struct workload *workload;
    uint64_t instance, start_time_ns;
    uint32_t pid; /* of the process last seen with it; 0: `certain` */
    bool certain; /* the container's runtime says so, and will say when it is over */
};

struct addresses {
    struct cache cache;
    bool (*runs)(uint32_t pid, uint64_t start_time_ns); /* whether an owner is still there */
};

/* `entries`: a power of two. */
int addresses_new(struct addresses *addresses, size_t entries, bool (*runs)(uint32_t pid, uint64_t start_time_ns));
void addresses_done(struct addresses *addresses);
/* An owner that the runtime told of is not put out by what a socket shows, as long as it is there. */
void addresses_own(struct addresses *addresses, const struct address *address, const struct address_owner *owner,
                   uint64_t now_ns);
/* That workload has left the address. */
void addresses_leave(struct addresses *addresses, const struct address *address, const struct workload *workload,
                     uint64_t now_ns);
void addresses_name(struct addresses *addresses, const struct address *address, const char *host, size_t length,
                    uint32_t ttl_s, uint64_t now_ns);

struct address_answer {
    const struct workload *workload; /* or NULL, and then */
    uint64_t instance;
    const char *host; /* good until the next call */
    bool stale;
};
bool addresses_find(struct addresses *addresses, const struct address *address, uint64_t now_ns,
                    struct address_answer *ret_answer);

#endif
