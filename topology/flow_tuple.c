/* SPDX-License-Identifier: Apache-2.0 */
#include "flow_tuple.h"

#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "server.h"

struct flow_tuple flow_tuple_make(uint8_t family, uint8_t protocol, const uint8_t *source, uint16_t source_port,
                                  const uint8_t *destination, uint16_t destination_port) {
    struct flow_tuple tuple;
    size_t length = family == 4 ? 4 : 16;
    memset(&tuple, 0, sizeof(tuple)); /* compared and hashed as bytes */
    memcpy(tuple.source.address, source, length);
    memcpy(tuple.destination.address, destination, length);
    tuple.source.port = source_port;
    tuple.destination.port = destination_port;
    tuple.family = family;
    tuple.protocol = protocol;
    return tuple;
}

struct flow_tuple flow_tuple_of(const struct flow_key *key) {
    return flow_tuple_make(key->family, key->protocol, key->source, key->source_port, key->destination,
                           key->destination_port);
}

struct flow_tuple flow_tuple_turned(const struct flow_tuple *tuple) {
    struct flow_tuple turned = *tuple;
    turned.source = tuple->destination;
    turned.destination = tuple->source;
    return turned;
}

struct flow_tuple flow_tuple_ordered(const struct flow_tuple *tuple) {
    return memcmp(&tuple->source, &tuple->destination, sizeof(tuple->source)) <= 0 ? *tuple : flow_tuple_turned(tuple);
}

bool flow_tuple_equal(const struct flow_tuple *a, const struct flow_tuple *b) {
    return !memcmp(a, b, sizeof(*a));
}

bool flow_address_equal(const struct flow_address *a, const struct flow_address *b) {
    return !memcmp(a, b, sizeof(*a));
}

uint32_t flow_tuple_scope(const struct flow_tuple *tuple, uint32_t netns) {
    bool local = !tuple->family || address_is_local(tuple->source.address, tuple->family) ||
                 address_is_local(tuple->destination.address, tuple->family);
    return local ? netns : 0;
}

uint64_t flow_tuple_hash(const struct flow_tuple *tuple, uint32_t scope, uint64_t seed) {
    uint64_t hash = XXH3_64bits_withSeed(tuple, sizeof(*tuple), seed ^ scope);
    return hash ? hash : 1;
}

bool flow_tuple_to_many(const struct flow_tuple *tuple) {
    static const uint8_t all[4] = {255, 255, 255, 255};
    const uint8_t *to = tuple->destination.address;
    return tuple->family == 4 ? (to[0] & 0xf0) == 0xe0 || !memcmp(to, all, 4) : tuple->family == 6 && to[0] == 0xff;
}
