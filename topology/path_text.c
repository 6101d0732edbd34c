/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "flow_text.h"
#include "path_parts.h"

const char *path_code_name(enum path_code code) {
    static const char *const names[PATH_CODES] = {
        [PATH_OK] = "ok",
        [PATH_DROPPED] = "dropped",
        [PATH_REJECTED] = "rejected",
        [PATH_NO_ROUTE] = "no_route",
        [PATH_NO_LISTENER] = "no_listener",
        [PATH_NO_ANSWER] = "no_answer",
        [PATH_LISTEN_QUEUE_FULL] = "listen_queue_full",
        [PATH_PEER_STALLED] = "peer_stalled",
        [PATH_MTU] = "mtu",
        [PATH_LOSS] = "loss",
        [PATH_RESET] = "reset",
        [PATH_NOT_SEEN] = "not_seen",
    };
    return names[code];
}

void path_where(const struct flow_entry *hop, char *ret_text, size_t size) {
    const struct hop_interface *at = hop && hop->interface ? &hop->interface->hop : NULL;
    if (!hop)
        snprintf(ret_text, size, "before the first hop");
    else if (at && at->name[0])
        snprintf(ret_text, size, "%s in %s", at->name, at->namespace_name[0] ? at->namespace_name : "its namespace");
    else
        snprintf(ret_text, size, "interface %u of netns:%u", hop->key.ifindex, hop->key.netns);
}

void path_where_of_drop(const struct flows *flows, const struct flow_drop *drop, char *ret_text, size_t size) {
    const struct flow_interface *interface =
        table_get(&flows->interfaces, (uint64_t)drop->key.netns << 32 | drop->key.ifindex);
    const struct flow_entry *any = drop->trail ? drop->trail->entries : NULL;
    const char *namespace = interface ? interface->hop.namespace_name : "";
    for (; any && !namespace[0]; any = any->next)
        if (any->key.netns == drop->key.netns && any->interface)
    namespace = any->interface->hop.namespace_name;
    char number[24];
    snprintf(number, sizeof(number), "netns:%u", drop->key.netns);
    if (interface && interface->hop.name[0])
        snprintf(ret_text, size, "at %s in %s", interface->hop.name, namespace[0] ? namespace : number);
    else
        snprintf(ret_text, size, "in %s", namespace[0] ? namespace : number);
}

void path_address(uint8_t family, const struct flow_address *end, char *ret_text, size_t size) {
    char text[FLOW_ADDRESS_LENGTH];
    flow_address(end->address, family, text, sizeof(text));
    snprintf(ret_text, size, family == 6 ? "[%s]:%u" : "%s:%u", text, end->port);
}

const char *path_name(const struct flow_trail *trail, int side) {
    const char *name = trail->ends[side].id ? edge_end_name(&trail->ends[side]) : NULL;
    return name && name[0] ? name : side ? "the server" : "the client";
}
