/* SPDX-License-Identifier: Apache-2.0 */
/* Which connections are meant by "A to B". */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "path_parts.h"

#define SECOND_NS 1000000000ULL

struct selector {
    char name[256];
    uint8_t address[16], family; /* family 0: not an address */
    uint32_t port;               /* 0: any */
    bool any;
};

static bool parse_address(struct selector *selector, const char *text) {
    memset(selector->address, 0, 16);
    if (inet_pton(AF_INET, text, selector->address) == 1)
        selector->family = 4;
    else if (inet_pton(AF_INET6, text, selector->address) == 1)
        selector->family = 6;
    return selector->family != 0;
}

/* "NAME", "ADDRESS", and each with ":PORT"; ":PORT" alone. */
static struct selector parse(const char *text) {
    struct selector selector = {.any = !text || !text[0] || !strcmp(text, "*")};
    char *end;
    if (selector.any)
        return selector;
    snprintf(selector.name, sizeof(selector.name), "%s", text);
    if (parse_address(&selector, selector.name))
        return selector;
    char *colon = strrchr(selector.name, ':');
    unsigned long port = colon && colon[1] ? strtoul(colon + 1, &end, 10) : 0;
    if (port && port < 65536 && !*end) {
        selector.port = (uint32_t)port;
        *colon = 0;
    }
    size_t length = strlen(selector.name);
    if (length > 2 && selector.name[0] == '[' && selector.name[length - 1] == ']') {
        selector.name[length - 1] = 0;
        memmove(selector.name, selector.name + 1, length - 1);
    }
    parse_address(&selector, selector.name);
    return selector;
}

static const struct flow_address *end_of(const struct flow_node *node, int side) {
    return (node->client == CLIENT_FIRST) == (side == 0) ? &node->tuple.source : &node->tuple.destination;
}

static bool address_fits(const struct flow_trail *trail, int side, const struct selector *selector) {
    for (const struct flow_node *node = trail->nodes; node; node = node->next) {
        const struct flow_address *end = end_of(node, side);
        if (selector->port && end->port != selector->port)
            continue;
        if (!selector->family ||
            (selector->family == node->tuple.family && !memcmp(end->address, selector->address, 16)))
            return true;
    }
    return false;
}

static const char *base_of(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static bool is_container(const struct edge_end *end, const char *name) {
    struct workload_instance instance;
    if (!end->workload || !end->instance || !workload_instance(end->workload, end->instance, &instance))
        return false;
    size_t length = strlen(name);
    return !strcmp(instance.container, name) || !strcmp(instance.pod, name) ||
           (length >= 12 && instance.container_id[0] && !strncmp(instance.container_id, name, length));
}

static bool name_fits(const struct edge_end *end, const char *name) {
    const char *known = end->id ? edge_end_name(end) : NULL;
    if (known && !strcmp(known, name))
        return true;
    if (end->executable && end->executable[0] &&
        (!strcmp(end->executable, name) || !strcmp(base_of(end->executable), name)))
        return true;
    return is_container(end, name);
}

static bool fits(struct flows *flows, struct flow_trail *trail, int side, const struct selector *selector) {
    if (selector->any)
        return true;
    if ((selector->family || selector->port || !selector->name[0]) && !address_fits(trail, side, selector))
        return false;
    if (selector->family || !selector->name[0])
        return true;
    flow_name_ends(flows, trail);
    return name_fits(&trail->ends[side], selector->name);
}

bool path_matches(struct flows *flows, struct flow_trail *trail, int side, const char *text) {
    struct selector selector = parse(text);
    return fits(flows, trail, side, &selector);
}

static int newest_first(const void *one, const void *two) {
    const struct flow_trail *a = *(struct flow_trail *const *)one, *b = *(struct flow_trail *const *)two;
    return a->first_time < b->first_time ? 1 : a->first_time > b->first_time ? -1 : 0;
}

void path_select(struct flows *flows, const char *from, const char *to, uint64_t since, struct path_part *ret_part) {
    struct selector client = parse(from), server = parse(to);
    memset(ret_part, 0, sizeof(*ret_part));
    for (struct flow_trail *trail = flows->newest; trail; trail = trail->older) {
        if (!trail->family || trail->last_time < since || !fits(flows, trail, 1, &server) ||
            !fits(flows, trail, 0, &client))
            continue;
        ret_part->found++;
        if (ret_part->count < PATH_TRAILS_MAX)
            ret_part->trails[ret_part->count++] = trail;
    }
    qsort(ret_part->trails, ret_part->count, sizeof(ret_part->trails[0]), newest_first);
}

/* ---- proxies ---- */

static bool same_process(const struct record_owner *one, const struct record_owner *two) {
    return one->tgid && one->tgid == two->tgid && one->start_time == two->start_time;
}

struct flow_trail *path_behind(struct flows *flows, const struct flow_trail *trail, const char *to) {
    struct selector server = parse(to);
    struct flow_trail *best = NULL;
    uint64_t least = UINT64_MAX;
    for (struct flow_trail *other = flows->newest; other; other = other->older) {
        if (other == trail || !same_process(&other->owners[0], &trail->owners[1]) ||
            other->first_time + SECOND_NS < trail->first_time || other->first_time > trail->last_time + SECOND_NS ||
            !fits(flows, other, 1, &server))
            continue;
        uint64_t apart = other->first_time > trail->first_time ? other->first_time - trail->first_time
                                                               : trail->first_time - other->first_time;
        if (apart < least) {
            best = other;
            least = apart;
        }
    }
    return best;
}
