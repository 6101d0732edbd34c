/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of an answer as path.h describes them. */
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "conn_id.h"
#include "flow_text.h"
#include "json_text.h"
#include "path_parts.h"

static void set_text(json_t *object, const char *key, const char *text) {
    if (text && text[0])
        json_object_set_new(object, key, json_text(text));
}

static void set_number(json_t *object, const char *key, uint64_t value) {
    json_object_set_new(object, key, json_integer((json_int_t)value));
}

static void set_if(json_t *object, const char *key, uint64_t value) {
    if (value)
        set_number(object, key, value);
}

/* ---- ends ---- */

static json_t *end_json(const struct flow_trail *trail, int side) {
    const struct edge_end *end = &trail->ends[side];
    const struct flow_entry *hop = NULL;
    json_t *object = json_object();
    if (end->id) {
        set_text(object, "name", edge_end_name(end));
        set_text(object, "kind", end->kind);
        set_text(object, "executable", end->executable);
    }
    set_if(object, "pid", trail->owners[side].tgid);
    for (const struct flow_entry *entry = trail->entries; entry; entry = entry->next)
        if (entry->forward && !entry->branch && (side == 1 || !hop))
            hop = entry;
    if (hop) {
        char address[FLOW_ADDRESS_LENGTH];
        flow_address(side ? hop->key.destination : hop->key.source, trail->family, address, sizeof(address));
        set_text(object, "address", address);
        set_number(object, "port", side ? hop->key.destination_port : hop->key.source_port);
    } else if (trail->nodes) {
        const struct flow_node *node = trail->nodes;
        const struct flow_address *at =
            (node->client == CLIENT_FIRST) == (side == 0) ? &node->tuple.source : &node->tuple.destination;
        char address[FLOW_ADDRESS_LENGTH];
        flow_address(at->address, trail->family, address, sizeof(address));
        set_text(object, "address", address);
        set_number(object, "port", at->port);
    }
    return object;
}

/* ---- drops ---- */

static const char *class_name(enum drop_class class) {
    static const char *const names[DROP_CLASSES] = {"other",       "normal",      "netfilter",  "no_route", "no_socket",
                                                    "listen_full", "socket_full", "queue_full", "checksum", "rp_filter",
                                                    "too_big",     "ttl",         "neighbour",  "program"};
    return names[class];
}

static json_t *drop_json(const struct flows *flows, const struct flow_drop *drop) {
    const struct flows_namer *namer = &flows->options.packets;
    const struct drop_key *key = &drop->key;
    void *context = namer->context;
    json_t *object = json_object();
    set_text(object, "reason", namer->drop_reason ? namer->drop_reason(context, key->reason) : NULL);
    set_text(object, "text", namer->drop_text ? namer->drop_text(context, key->reason, key->location) : NULL);
    set_text(object, "place", namer->place ? namer->place(context, key->location) : NULL);
    set_text(object, "hook", flow_hook_name(key->hook));
    set_text(object, "chains",
             namer->chains && key->hook ? namer->chains(context, key->netns, key->family, key->hook) : NULL);
    if (namer->drop_class)
        set_text(object, "class", class_name(namer->drop_class(context, key->reason, key->location)));
    set_number(object, "packets", 0);
    return object;
}

static bool same_drop(const struct drop_key *one, const struct drop_key *two) {
    return one->netns == two->netns && one->ifindex == two->ifindex && one->reason == two->reason &&
           one->location == two->location && one->hook == two->hook;
}

static bool same_hop(const struct flow_entry *one, const struct flow_entry *two) {
    return one->forward == two->forward && one->key.netns == two->key.netns && one->key.ifindex == two->key.ifindex &&
           one->key.way == two->key.way && one->key.tunnel == two->key.tunnel;
}

/* After that hop; NULL: before any. */
static bool lost_here(const struct flow_drop *drop, const struct flow_entry *hop, bool forward) {
    if (!flow_drop_packets(drop) || drop->forward != forward)
        return false;
    return hop ? drop->after && same_hop(drop->after, hop) : !drop->after;
}

static json_t *drops_json(const struct flows *flows, const struct path_part *part, const struct flow_entry *hop,
                          bool forward) {
    const struct flow_drop *known[16];
    json_t *drops = json_array();
    size_t count = 0;
    for (unsigned i = 0; i < part->count; i++)
        for (const struct flow_drop *drop = part->trails[i]->drops; drop; drop = drop->next) {
            size_t at = 0;
            if (!lost_here(drop, hop, forward))
                continue;
            while (at < count && !same_drop(&known[at]->key, &drop->key))
                at++;
            if (at == 16)
                continue;
            if (at == count) {
                known[count++] = drop;
                json_array_append_new(drops, drop_json(flows, drop));
            }
            json_t *object = json_array_get(drops, at);
            uint64_t before = (uint64_t)json_integer_value(json_object_get(object, "packets"));
            set_number(object, "packets", before + flow_drop_packets(drop));
        }
    return drops;
}

/* ---- hops ---- */

static void set_sums(const struct flows *flows, const struct path_part *part, const struct flow_entry *hop,
                     json_t *object) {
    uint64_t packets = 0, segments = 0, bytes = 0, lost = 0, one;
    bool comparable = false;
    for (unsigned i = 0; i < part->count; i++)
        for (const struct flow_entry *entry = part->trails[i]->entries; entry; entry = entry->next) {
            if (!same_hop(entry, hop))
                continue;
            packets += entry->flow.packets;
            segments += entry->flow.segments;
            bytes += entry->flow.bytes;
            if (flow_lost_after(flows, entry, &one)) {
                uint64_t further = 0;
                const struct flow_entry *next = entry->next;
                if (next && next->forward == entry->forward)
                    flow_lost_after(flows, next, &further); /* what is lost there is told there */
                lost += one > further ? one - further : 0;
                comparable = true;
            }
        }
    set_number(object, "packets", packets);
    set_number(object, "segments", segments);
    set_number(object, "bytes", bytes);
    if (comparable)
        set_number(object, "lost_after", lost);
}

/* What was rewritten between the hop before and this one. */
static void set_rewritten(const struct flow_entry *before, const struct flow_entry *hop, json_t *object) {
    struct flow_tuple from = flow_tuple_of(&before->key), to = flow_tuple_of(&hop->key);
    bool source = !flow_address_equal(&from.source, &to.source);
    bool destination = !flow_address_equal(&from.destination, &to.destination);
    char one[80], two[80];
    if (!source && !destination)
        return;
    json_t *rewritten = json_object();
    path_address(from.family, source ? &from.source : &from.destination, one, sizeof(one));
    path_address(to.family, source ? &to.source : &to.destination, two, sizeof(two));
    set_text(rewritten, "kind", source && destination ? "both" : source ? "snat" : "dnat");
    set_text(rewritten, "from", one);
    set_text(rewritten, "to", two);
    if (source && destination) {
        path_address(from.family, &from.destination, one, sizeof(one));
        path_address(to.family, &to.destination, two, sizeof(two));
        set_text(rewritten, "destination_from", one);
        set_text(rewritten, "destination_to", two);
    }
    if (before->key.netns == hop->key.netns && hop->interface)
        set_text(rewritten, "namespace", hop->interface->hop.namespace_name);
    json_object_set_new(object, "rewritten", rewritten);
}

static bool carries(const struct flow_entry *outer, const struct flow_entry *inner) {
    uint16_t port = outer->key.destination_port;
    if (outer->key.netns != inner->key.netns || outer->key.ifindex != inner->key.ifindex ||
        outer->key.way != inner->key.way || outer->key.tunnel)
        return false;
    switch (inner->key.tunnel) {
    case TUNNEL_VXLAN:
        return outer->key.protocol == IPPROTO_UDP && (port == 4789 || port == 8472);
    case TUNNEL_GENEVE:
        return outer->key.protocol == IPPROTO_UDP && port == 6081;
    case TUNNEL_GRE:
        return outer->key.protocol == IPPROTO_GRE;
    default:
        return outer->key.protocol == IPPROTO_IPIP || outer->key.protocol == IPPROTO_IPV6;
    }
}

/* Addresses of the packets outside: only if there is one pair of them, else which it is cannot be told. */
static const struct flow_entry *find_outer(const struct flows *flows, const struct flow_entry *inner) {
    const struct flow_entry *found = NULL;
    for (size_t i = 0; i < flows->entries.capacity; i++) {
        const struct flow_entry *entry = flows->entries.slots[i].value;
        if (!entry || !carries(entry, inner))
            continue;
        if (found && (memcmp(found->key.source, entry->key.source, 16) != 0 ||
                      memcmp(found->key.destination, entry->key.destination, 16) != 0))
            return NULL;
        found = entry;
    }
    return found;
}

static void set_tunnel(const struct flows *flows, const struct flow_entry *hop, json_t *object) {
    char address[FLOW_ADDRESS_LENGTH];
    const struct flow_entry *outer = hop->key.tunnel ? find_outer(flows, hop) : NULL;
    if (!hop->key.tunnel)
        return;
    json_t *tunnel = json_object();
    set_text(tunnel, "kind", flow_tunnel_name(hop->key.tunnel));
    set_number(tunnel, "id", hop->key.tunnel_id);
    if (outer) {
        flow_address(outer->key.source, outer->key.family, address, sizeof(address));
        set_text(tunnel, "source", address);
        flow_address(outer->key.destination, outer->key.family, address, sizeof(address));
        set_text(tunnel, "destination", address);
    }
    json_object_set_new(object, "tunnel", tunnel);
}

/* Whose socket this hop is next to. */
static void set_owner(const struct flow_trail *trail, const struct flow_entry *hop, json_t *object) {
    bool sends = hop->flow.source_end.state == END_SOCKET && hop->key.way == FLOW_EGRESS;
    bool receives = hop->flow.destination_end.state == END_SOCKET || hop->flow.destination_end.state == END_LISTENER;
    int side = sends ? !hop->forward : hop->forward;
    if (!sends && !(receives && hop->key.way == FLOW_INGRESS))
        return;
    json_t *owner = json_object();
    set_text(owner, "name", path_name(trail, side));
    set_if(owner, "pid", trail->owners[side].tgid);
    json_object_set_new(object, "owner", owner);
}

static void set_interface(const struct flow_entry *hop, json_t *object) {
    const struct hop_interface *at = hop->interface ? &hop->interface->hop : NULL;
    char namespace[24];
    snprintf(namespace, sizeof(namespace), "netns:%u", hop->key.netns);
    set_text(object, "interface", at ? at->name : NULL);
    set_number(object, "ifindex", hop->key.ifindex);
    set_text(object, "namespace", at && at->namespace_name[0] ? at->namespace_name : namespace);
    set_number(object, "netns", hop->key.netns);
    set_text(object, "kind", at ? at->kind : NULL);
    set_text(object, "direction", flow_way_name(hop->key.way));
    if (at && at->mtu)
        set_number(object, "mtu", at->mtu);
    if (at && at->shadowed)
        json_object_set_new(object, "shadowed", json_true());
}

static json_t *hop_json(const struct flows *flows, const struct path_part *part, const struct flow_entry *before,
                        const struct flow_entry *hop) {
    const struct flow_trail *trail = part->trails[0];
    char address[FLOW_ADDRESS_LENGTH];
    json_t *object = json_object();
    set_number(object, "order", hop->order);
    set_interface(hop, object);
    flow_address(hop->key.source, hop->key.family, address, sizeof(address));
    set_text(object, "source", address);
    flow_address(hop->key.destination, hop->key.family, address, sizeof(address));
    set_text(object, "destination", address);
    if (flow_has_ports(&hop->key)) {
        set_number(object, "source_port", hop->key.source_port);
        set_number(object, "destination_port", hop->key.destination_port);
    }
    set_sums(flows, part, hop, object);
    json_t *drops = drops_json(flows, part, hop, hop->forward);
    if (json_array_size(drops))
        json_object_set(object, "drops", drops);
    json_decref(drops);
    if (before) {
        set_if(object, "from_before_ns", flow_from_before(flows, hop, before));
        set_rewritten(before, hop, object);
    }
    set_if(object, "rtt_ns", flow_rtt(trail, hop));
    set_if(object, "largest", hop->flow.largest);
    set_tunnel(flows, hop, object);
    set_owner(trail, hop, object);
    if (hop->branch)
        json_object_set_new(object, "branch", json_true());
    return object;
}

static json_t *hops_json(const struct flows *flows, const struct path_part *part, bool forward) {
    const struct flow_entry *before = NULL;
    json_t *hops = json_array();
    for (const struct flow_entry *hop = part->trails[0]->entries; hop; hop = hop->next) {
        if (hop->forward != forward)
            continue;
        json_array_append_new(hops, hop_json(flows, part, before, hop));
        if (!hop->branch)
            before = hop;
    }
    return hops;
}

/* ---- a part ---- */

static void set_conn_id(const struct flows *flows, const struct flow_trail *trail, json_t *object) {
    const uint8_t both = FLOW_CLIENT_KNOWN | FLOW_SERVER_KNOWN;
    char text[20];
    if ((trail->isn_known & both) != both)
        return;
    snprintf(text, sizeof(text), "%016llx", (unsigned long long)conn_id(flows->options.conn_id_key, trail->isn));
    set_text(object, "conn_id", text);
}

static void set_retransmits(const struct path_facts *facts, json_t *object) {
    json_t *retransmits = json_object();
    set_number(retransmits, "client", facts->retransmits[0]);
    set_number(retransmits, "server", facts->retransmits[1]);
    json_object_set_new(object, "retransmits", retransmits);
}

json_t *path_part_json(struct flows *flows, const struct path_part *part) {
    struct flow_trail *trail = part->trails[0];
    struct path_facts facts;
    char transport[FLOW_TRANSPORT_LENGTH];
    struct flow_key key = {.family = trail->family, .protocol = trail->protocol};
    json_t *object = json_object();
    flow_name_ends(flows, trail);
    path_facts(flows, trail, &facts);
    json_object_set_new(object, "client", end_json(trail, 0));
    json_object_set_new(object, "server", end_json(trail, 1));
    flow_transport(&key, transport, sizeof(transport));
    set_text(object, "transport", transport);
    set_conn_id(flows, trail, object);
    set_number(object, "connections", part->found);
    if (facts.tcp) {
        json_object_set_new(object, "established", json_boolean(facts.established));
        set_retransmits(&facts, object);
    }
    set_number(object, "started_ns", flows->now > trail->first_time ? flows->now - trail->first_time : 0);
    set_number(object, "last_ns", flows->now > trail->last_time ? flows->now - trail->last_time : 0);
    if (facts.first[0])
        set_if(object, "rtt_ns",
               facts.first[0]->flow.srtt_us ? facts.first[0]->flow.srtt_us * 1000ULL : flow_rtt(trail, facts.first[0]));
    for (int way = 0; way < 2; way++) {
        json_t *before = drops_json(flows, part, NULL, !way);
        if (json_array_size(before))
            json_object_set(object, way ? "dropped_before_reverse" : "dropped_before", before);
        json_decref(before);
        json_object_set_new(object, way ? "reverse" : "hops", hops_json(flows, part, !way));
    }
    return object;
}
