/* SPDX-License-Identifier: Apache-2.0 */
#include "path.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json_text.h"
#include "path_parts.h"

#define SECOND_NS 1000000000ULL
#define RECENT_NS (30 * SECOND_NS) /* what was last seen so long before the newest is history */

enum { GROUPS_MAX = 16 };

struct answer {
    struct path_part parts[PATH_PARTS_MAX];
    unsigned count;
    struct path_finding finding;
};

/* ---- one service at a time ---- */

static uint16_t server_port(const struct flow_trail *trail) {
    const struct flow_entry *last = NULL;
    for (const struct flow_entry *hop = trail->entries; hop; hop = hop->next)
        if (hop->forward && !last)
            last = hop;
    if (last)
        return last->key.destination_port;
    const struct flow_node *node = trail->nodes;
    return !node ? 0 : node->client == CLIENT_FIRST ? node->tuple.destination.port : node->tuple.source.port;
}

static bool same_service(const struct flow_trail *one, const struct flow_trail *two) {
    if (one->protocol != two->protocol || one->family != two->family)
        return false;
    bool ports = one->protocol != IPPROTO_ICMP && one->protocol != IPPROTO_ICMPV6;
    return !ports || server_port(one) == server_port(two);
}

/* Those of `all` that are of the same service as the first that is left; they are taken out. */
static bool next_group(struct path_part *all, struct path_part *ret_group) {
    unsigned left = 0;
    if (!all->count)
        return false;
    memset(ret_group, 0, sizeof(*ret_group));
    struct flow_trail *first = all->trails[0];
    for (unsigned i = 0; i < all->count; i++)
        if (same_service(all->trails[i], first))
            ret_group->trails[ret_group->count++] = all->trails[i];
        else
            all->trails[left++] = all->trails[i];
    all->count = left;
    ret_group->found = ret_group->count;
    return true;
}

static void leave_history(struct path_part *group) {
    uint64_t newest = 0;
    unsigned left = 0;
    for (unsigned i = 0; i < group->count; i++)
        newest = group->trails[i]->last_time > newest ? group->trails[i]->last_time : newest;
    for (unsigned i = 0; i < group->count; i++)
        if (group->trails[i]->last_time + RECENT_NS >= newest)
            group->trails[left++] = group->trails[i];
    group->count = left;
}

/* The first service that something is wrong with, else the newest one. */
static bool judge_groups(struct flows *flows, struct path_part *all, struct path_part *ret_part,
                         struct path_finding *ret_finding) {
    static const struct path_part none;
    struct path_part group = none;
    struct path_finding finding;
    bool any = false;
    for (int i = 0; i < GROUPS_MAX && next_group(all, &group); i++) {
        leave_history(&group);
        path_judge(flows, &group, &finding);
        if (any && (finding.code == PATH_OK || ret_finding->code != PATH_OK))
            continue;
        any = true;
        *ret_part = group;
        *ret_finding = finding;
    }
    return any;
}

/* ---- proxies ---- */

static bool is_userland_proxy(const struct flow_trail *trail, int side) {
    const char *executable = trail->ends[side].executable, *slash = executable ? strrchr(executable, '/') : NULL;
    return executable && !strcmp(slash ? slash + 1 : executable, "docker-proxy");
}

static void append(struct flows *flows, struct answer *answer, struct flow_trail *trail) {
    struct path_part *part = &answer->parts[answer->count];
    struct path_finding finding;
    memset(part, 0, sizeof(*part));
    part->trails[0] = trail;
    part->count = part->found = 1;
    answer->count++;
    path_judge(flows, part, &finding);
    if (answer->finding.code == PATH_OK && finding.code != PATH_OK) {
        finding.part = answer->count - 1;
        answer->finding = finding;
    }
}

/* A port published by Docker: behind its proxy the connection goes on. */
static void follow_proxy(struct flows *flows, struct answer *answer) {
    struct flow_trail *trail = answer->parts[answer->count - 1].trails[0], *behind;
    while (answer->count < PATH_PARTS_MAX && is_userland_proxy(trail, 1) &&
           (behind = path_behind(flows, trail, "")) != NULL) {
        append(flows, answer, behind);
        trail = behind;
    }
}

/* No connection from A to B, but one from A to somebody who then had one to B. */
static bool find_through_proxy(struct flows *flows, const char *from, const char *to, uint64_t since,
                               struct answer *answer) {
    struct path_part all, group;
    path_select(flows, from, "", since, &all);
    for (unsigned i = 0; i < all.count; i++) {
        struct flow_trail *behind = path_behind(flows, all.trails[i], to);
        if (!behind)
            continue;
        memset(&group, 0, sizeof(group));
        group.trails[0] = all.trails[i];
        group.count = group.found = 1;
        path_judge(flows, &group, &answer->finding);
        answer->parts[answer->count++] = group;
        append(flows, answer, behind);
        return true;
    }
    return false;
}

static void say_proxies(struct answer *answer) {
    char *text = answer->finding.text;
    size_t size = sizeof(answer->finding.text);
    for (unsigned i = 1; i < answer->count; i++) {
        const struct flow_trail *trail = answer->parts[i].trails[0];
        bool userland = is_userland_proxy(trail, 0);
        if (strlen(text) + 96 < size)
            snprintf(text + strlen(text), size - strlen(text),
                     " %s%s is between: it makes a connection of its own to %s.",
                     userland ? "Docker's userland proxy " : "", path_name(trail, 0), path_name(trail, 1));
    }
}

/* ---- the answer ---- */

static void say_not_seen(const struct flows *flows, const char *from, const char *to, struct path_finding *finding) {
    unsigned watched = 0;
    char names[160] = "";
    memset(finding, 0, sizeof(*finding));
    finding->code = PATH_NOT_SEEN;
    for (size_t i = 0; i < flows->interfaces.capacity; i++) {
        const struct flow_interface *interface = flows->interfaces.slots[i].value;
        if (!interface || !interface->known || !interface->hop.watched)
            continue;
        if (watched++ < 6)
            snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s", names[0] ? ", " : "",
                     interface->hop.name);
    }
    snprintf(finding->text, sizeof(finding->text),
             "No packet of a connection from %s to %s was seen in the last minutes: nothing was sent, or it passes no "
             "interface that is watched (%u: %s%s).",
             from[0] ? from : "anybody", to[0] ? to : "anybody", watched, names, watched > 6 ? ", ..." : "");
}

static json_t *finding_json(const struct answer *answer) {
    const struct path_finding *finding = &answer->finding;
    json_t *object = json_object(), *causes = json_array();
    json_object_set_new(object, "code", json_string(path_code_name(finding->code)));
    json_object_set_new(object, "text", json_text(finding->text));
    if (finding->cause_count) {
        const struct flow_entry *hop = finding->hop;
        json_object_set_new(object, "part", json_integer(finding->part));
        json_object_set_new(object, "direction", json_string(finding->forward ? "forward" : "reverse"));
        json_object_set_new(object, "order", json_integer(hop ? hop->order : 0));
        if (hop && hop->interface) {
            json_object_set_new(object, "interface", json_text(hop->interface->hop.name));
            json_object_set_new(object, "namespace", json_text(hop->interface->hop.namespace_name));
        }
    }
    for (unsigned i = 0; i < finding->cause_count; i++) {
        const struct path_cause *cause = &finding->causes[i];
        json_t *one = json_object();
        json_object_set_new(one, "code", json_string(path_code_name(cause->code)));
        json_object_set_new(one, "text", json_text(cause->text));
        json_object_set_new(one, "direction", json_string(cause->forward ? "forward" : "reverse"));
        json_object_set_new(one, "order", json_integer(cause->hop ? cause->hop->order : 0));
        if (cause->packets)
            json_object_set_new(one, "packets", json_integer((json_int_t)cause->packets));
        if (cause->of)
            json_object_set_new(one, "share", json_real((double)cause->packets / (double)cause->of));
        json_array_append_new(causes, one);
    }
    json_object_set_new(object, "causes", causes);
    return object;
}

static json_t *proxies_json(const struct answer *answer) {
    json_t *proxies = json_array();
    for (unsigned i = 1; i < answer->count; i++) {
        const struct flow_trail *trail = answer->parts[i].trails[0];
        json_t *proxy = json_object();
        json_object_set_new(proxy, "name", json_text(path_name(trail, 0)));
        if (trail->ends[0].executable && trail->ends[0].executable[0])
            json_object_set_new(proxy, "executable", json_text(trail->ends[0].executable));
        json_object_set_new(proxy, "pid", json_integer(trail->owners[0].tgid));
        json_array_append_new(proxies, proxy);
    }
    return proxies;
}

static json_t *answer_json(struct flows *flows, const char *from, const char *to, size_t found,
                           const struct answer *answer) {
    json_t *object = json_object(), *parts = json_array();
    json_object_set_new(object, "from", json_string(from));
    json_object_set_new(object, "to", json_string(to));
    json_object_set_new(object, "connections", json_integer((json_int_t)found));
    json_object_set_new(object, "finding", finding_json(answer));
    for (unsigned i = 0; i < answer->count; i++)
        json_array_append_new(parts, path_part_json(flows, &answer->parts[i]));
    json_object_set_new(object, "parts", parts);
    json_object_set_new(object, "proxies", proxies_json(answer));
    return object;
}

json_t *path_find(struct flows *flows, const char *from, const char *to, const struct path_options *options) {
    struct answer *answer = calloc(1, sizeof(*answer));
    struct path_part *all = calloc(1, sizeof(*all));
    json_t *result = NULL;
    from = from ? from : "";
    to = to ? to : "";
    if (answer && all) {
        pthread_mutex_lock(&flows->mutex);
        uint64_t now = options && options->now ? options->now : flows->now;
        uint64_t since = options && options->back_ns && now > options->back_ns ? now - options->back_ns : 0;
        path_select(flows, from, to, since, all);
        size_t found = all->found;
        if (judge_groups(flows, all, &answer->parts[0], &answer->finding)) {
            answer->count = 1;
            follow_proxy(flows, answer);
        } else if (find_through_proxy(flows, from, to, since, answer)) {
            found = 1;
        } else {
            say_not_seen(flows, from, to, &answer->finding);
        }
        say_proxies(answer);
        result = answer_json(flows, from, to, found, answer);
        pthread_mutex_unlock(&flows->mutex);
    }
    free(answer);
    free(all);
    return result;
}
