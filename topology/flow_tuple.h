/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who speaks to whom, as a packet says it: addresses, ports, protocol. Private to topology/. Pure.
 *
 * Both directions of a connection have one ordered tuple. A loopback or link-local address means something within its
 * network namespace only, so that one is part of such a tuple's hash (`scope`).
 */
#ifndef WEFT_TOPOLOGY_FLOW_TUPLE_H
#define WEFT_TOPOLOGY_FLOW_TUPLE_H

#include <stdbool.h>
#include <stdint.h>

#include "flows.h"

struct flow_address { /* an end */
    uint8_t address[16];
    uint16_t port;
};

struct flow_tuple {
    struct flow_address source, destination;
    uint8_t family, protocol;
};

struct flow_tuple flow_tuple_of(const struct flow_key *key);
struct flow_tuple flow_tuple_make(uint8_t family, uint8_t protocol, const uint8_t *source, uint16_t source_port,
                                  const uint8_t *destination, uint16_t destination_port);
struct flow_tuple flow_tuple_turned(const struct flow_tuple *tuple);
/* The one of both directions that sorts first. */
struct flow_tuple flow_tuple_ordered(const struct flow_tuple *tuple);
bool flow_tuple_equal(const struct flow_tuple *a, const struct flow_tuple *b);
bool flow_address_equal(const struct flow_address *a, const struct flow_address *b);
/* Network namespace that the tuple means something in; 0: anywhere. */
uint32_t flow_tuple_scope(const struct flow_tuple *tuple, uint32_t netns);
/* Of an ordered tuple; never 0. */
uint64_t flow_tuple_hash(const struct flow_tuple *tuple, uint32_t scope, uint64_t seed);
bool flow_tuple_to_many(const struct flow_tuple *tuple); /* multicast or broadcast */

#endif
