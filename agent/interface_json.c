/* SPDX-License-Identifier: Apache-2.0 */
#include "interface_json.h"

#include "topology/table.h"

struct rendering {
    json_t *list;
    struct table by_key; /* the list's objects */
};

static uint64_t key_of(uint32_t netns, uint32_t ifindex) {
    return (uint64_t)netns << 32 | ifindex;
}

static void set_sum(json_t *object, const char *name, const struct packets_sum *sum) {
    json_object_set_new(object, name,
                        json_pack("{s:I,s:I}", "packets", (json_int_t)sum->packets, "bytes", (json_int_t)sum->bytes));
}

static json_t *balance_object(const struct packets_balance *balance) {
    json_t *object = json_object();
    set_sum(object, "total", &balance->total);
    set_sum(object, "living", &balance->living);
    set_sum(object, "deleted", &balance->deleted);
    set_sum(object, "overflow", &balance->overflow);
    return object;
}

static void add_interface(void *context, const struct interface_view *view) {
    struct rendering *rendering = context;
    const struct hop_interface *hop = &view->hop;
    json_t *object =
        json_pack("{s:s,s:s,s:s,s:I,s:I,s:I}", "name", hop->name, "kind", hop->kind, "namespace", hop->namespace_name,
                  "netns", (json_int_t)hop->netns, "ifindex", (json_int_t)hop->ifindex, "mtu", (json_int_t)hop->mtu);
    if (!object)
        return;
    if (hop->master)
        json_object_set_new(object, "master", json_integer(hop->master));
    if (hop->peer_ifindex)
        json_object_set_new(
            object, "peer",
            json_pack("{s:I,s:I}", "netns", (json_int_t)hop->peer_netns, "ifindex", (json_int_t)hop->peer_ifindex));
    json_object_set_new(object, "excluded", json_boolean(view->excluded));
    json_object_set_new(object, "attached", json_string(view->attached));
    json_object_set_new(object, "shadowed", json_boolean(hop->shadowed));
    if (view->error[0])
        json_object_set_new(object, "error", json_string(view->error));
    json_array_append_new(rendering->list, object);
    table_put(&rendering->by_key, key_of(hop->netns, hop->ifindex), object);
}

static void add_balance(void *context, const struct interface_key *key, enum flow_way way,
                        const struct packets_balance *balance) {
    const struct rendering *rendering = context;
    json_t *object = table_get(&rendering->by_key, key_of(key->netns, key->ifindex));
    if (object)
        json_object_set_new(object, way == FLOW_INGRESS ? "ingress" : "egress", balance_object(balance));
}

json_t *interface_json(struct interfaces *interfaces, struct packets *packets) {
    struct rendering rendering = {.list = json_array()};
    if (!interfaces || !rendering.list)
        return rendering.list;
    interfaces_each(interfaces, add_interface, &rendering);
    packets_balance(packets, add_balance, &rendering);
    table_done(&rendering.by_key);
    return rendering.list;
}
