/* SPDX-License-Identifier: Apache-2.0 */
/* Which network namespaces hang together by veths, so that equal private tuples of others are kept apart. */
#include <stdlib.h>

#include "flow_store.h"

static struct flow_world *top(struct flow_world *world) {
    while (world->parent != world) {
        world->parent = world->parent->parent;
        world = world->parent;
    }
    return world;
}

static struct flow_world *get(struct flows *flows, uint32_t netns) {
    struct flow_world *world = table_get(&flows->worlds, netns);
    if (world || !netns)
        return world;
    world = calloc(1, sizeof(*world));
    if (!world || table_put(&flows->worlds, netns, world)) {
        free(world);
        return NULL;
    }
    world->netns = netns;
    world->parent = world;
    return world;
}

static void join(struct flows *flows, uint32_t netns, uint32_t other) {
    struct flow_world *one = get(flows, netns), *two = get(flows, other);
    if (one && two)
        top(one)->parent = top(two);
}

void flow_worlds_done(struct flows *flows) {
    for (size_t i = 0; i < flows->worlds.capacity; i++)
        free(flows->worlds.slots[i].value);
    table_done(&flows->worlds);
}

void flow_worlds(struct flows *flows) {
    flow_worlds_done(flows);
    for (size_t i = 0; i < flows->interfaces.capacity; i++) {
        const struct flow_interface *interface = flows->interfaces.slots[i].value;
        if (interface && interface->known && interface->hop.peer_netns)
            join(flows, interface->key.netns, interface->hop.peer_netns);
    }
}

bool flow_same_world(const struct flows *flows, uint32_t netns, uint32_t other) {
    struct flow_world *one = table_get(&flows->worlds, netns), *two = table_get(&flows->worlds, other);
    return netns == other || !one || !two || top(one) == top(two);
}
