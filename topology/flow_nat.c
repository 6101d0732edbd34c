/* SPDX-License-Identifier: Apache-2.0 */
/* What conntrack says of rewriting, found by either of the two tuples. */
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "flow_store.h"

/* Which of the two lists of `nat` a tuple's hash leads through: both, if its two tuples are of one hash. */
static int side_of(const struct flow_nat *nat, uint64_t hash) {
    return nat->hashes[0] == hash ? 0 : 1;
}

static void add_to_list(struct flows *flows, struct flow_nat *nat, int side) {
    uint64_t hash = nat->hashes[side];
    nat->alike[side] = table_get(&flows->nat_tuples, hash);
    if (table_put(&flows->nat_tuples, hash, nat))
        nat->alike[side] = NULL;
}

static void take_from_list(struct flows *flows, struct flow_nat *nat, int side) {
    uint64_t hash = nat->hashes[side];
    struct flow_nat *first = table_get(&flows->nat_tuples, hash), *head = first;
    struct flow_nat **at = &head;
    while (*at && *at != nat)
        at = &(*at)->alike[side_of(*at, hash)];
    if (*at)
        *at = nat->alike[side];
    if (head)
        table_put(&flows->nat_tuples, hash, head);
    else
        table_remove(&flows->nat_tuples, hash);
}

static void nat_free(struct flows *flows, struct flow_nat *nat) {
    take_from_list(flows, nat, 0);
    take_from_list(flows, nat, 1);
    free(nat);
}

static uint64_t hash_of(const struct flow_nat *nat, uint64_t seed) {
    uint64_t value[3] = {nat->hashes[0], nat->hashes[1], nat->pair.netns}, hash = XXH3_64bits_withSeed(value, 24, seed);
    return hash ? hash : 1;
}

static struct flow_tuple ordered(const struct nat_pair *pair, const struct nat_tuple *tuple) {
    struct flow_tuple made = flow_tuple_make(pair->family, pair->protocol, tuple->source, tuple->source_port,
                                             tuple->destination, tuple->destination_port);
    return flow_tuple_ordered(&made);
}

void flows_nat(struct flows *flows, const struct nat_pair *pair) {
    struct flow_nat nat = {.pair = *pair, .fresh = true};
    nat.original = ordered(pair, &pair->original);
    nat.reply = ordered(pair, &pair->reply);
    if (flow_tuple_equal(&nat.original, &nat.reply)) /* nothing is rewritten */
        return;
    pthread_mutex_lock(&flows->mutex);
    nat.hashes[0] = flow_tuple_hash(&nat.original, 0, flows->seed);
    nat.hashes[1] = flow_tuple_hash(&nat.reply, 0, flows->seed);
    nat.hash = hash_of(&nat, flows->seed);
    struct flow_nat *known = table_get(&flows->nats, nat.hash);
    if (!known && nat.hashes[0] != nat.hashes[1] && (known = malloc(sizeof(*known)))) {
        *known = nat;
        if (table_put(&flows->nats, nat.hash, known)) {
            free(known);
            known = NULL;
        } else {
            add_to_list(flows, known, 0);
            add_to_list(flows, known, 1);
        }
    }
    if (known)
        known->seen = flows->now;
    else
        flows->counters.memory_refused++;
    pthread_mutex_unlock(&flows->mutex);
}

void flow_nats_expire(struct flows *flows) {
    for (size_t i = 0; i < flows->nats.capacity;) {
        struct flow_nat *nat = flows->nats.slots[i].value;
        if (!nat || nat->seen + FLOW_KEEP_NS >= flows->now) {
            i++;
            continue;
        }
        table_remove(&flows->nats, nat->hash);
        nat_free(flows, nat);
    }
}

void flow_nats_done(struct flows *flows) {
    for (size_t i = 0; i < flows->nats.capacity; i++)
        free(flows->nats.slots[i].value);
    table_done(&flows->nats);
    table_done(&flows->nat_tuples);
}
