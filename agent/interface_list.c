/* SPDX-License-Identifier: Apache-2.0 */
#include "interface_list.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "text.h"

#define SECOND_NS 1000000000ULL

enum {
    GONE_MAX = 4096,    /* interfaces that are gone and remembered */
    REMEMBERED_S = 300, /* for how long */
};

static uint64_t now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * SECOND_NS + time.tv_nsec;
}

/* ---- which are wanted ---- */

static bool matches(const struct interface_patterns *patterns, const char *name, const char *kind) {
    static const char prefix[] = "kind:";
    for (size_t i = 0; i < patterns->count; i++) {
        const char *pattern = patterns->list[i];
        bool is_kind = !strncmp(pattern, prefix, sizeof(prefix) - 1);
        if (!fnmatch(is_kind ? pattern + sizeof(prefix) - 1 : pattern, is_kind ? kind : name, 0))
            return true;
    }
    return false;
}

bool interfaces_wanted(const struct interfaces_options *options, const char *name, const char *kind) {
    return (!options->include.count || matches(&options->include, name, kind)) &&
           !matches(&options->exclude, name, kind);
}

/* ---- one interface ---- */

static void name_space(const struct interfaces *interfaces, const struct space *space, char *ret_name, size_t size) {
    const char *given = table_get(&interfaces->names, space->netns);
    if (given)
        text_copy(ret_name, size, given);
    else if (space->own)
        text_copy(ret_name, size, "host");
    else if (space->name[0])
        text_copy(ret_name, size, space->name);
    else
        snprintf(ret_name, size, "netns:%u", space->netns);
}

/* `anew`: an id that was not known yet is worth a look around. */
static struct space *peer_space(struct interfaces *interfaces, struct space *space, const struct link *link,
                                bool anew) {
    if (!link->peer || link->peer_nsid < 0)
        return link->peer ? space : NULL;
    struct space *peer = spaces_peer(&interfaces->spaces, space, link->peer_nsid);
    if (peer || !anew)
        return peer;
    spaces_scan(&interfaces->spaces);
    return spaces_peer(&interfaces->spaces, space, link->peer_nsid);
}

/* Writes down what the message says. True: the peer's namespace is another one than before. */
static bool update(struct interfaces *interfaces, struct space *space, struct interface *interface,
                   const struct link *link) {
    bool moved = interface->peer_nsid != link->peer_nsid;
    const struct space *peer = peer_space(interfaces, space, link, moved);
    pthread_mutex_lock(&interfaces->lock);
    struct hop_interface *hop = &interface->hop;
    text_copy(hop->name, sizeof(hop->name), link->name);
    text_copy(hop->kind, sizeof(hop->kind), link->kind);
    name_space(interfaces, space, hop->namespace_name, sizeof(hop->namespace_name));
    hop->master = link->master;
    hop->mtu = link->mtu;
    hop->peer_netns = peer ? peer->netns : 0;
    hop->peer_ifindex = peer ? link->peer : 0;
    interface->peer = link->peer;
    interface->peer_nsid = link->peer_nsid;
    interface->xdp = link->xdp;
    interface->excluded = !interfaces_wanted(&interfaces->options, link->name, link->kind);
    pthread_mutex_unlock(&interfaces->lock);
    return moved;
}

static void unlist_gone(struct interfaces *interfaces, const struct interface *interface) {
    struct interface **at = &interfaces->gone_first, *before = NULL;
    while (*at && *at != interface) {
        before = *at;
        at = &before->next_gone;
    }
    if (!*at)
        return;
    *at = interface->next_gone;
    if (interfaces->gone_last == interface)
        interfaces->gone_last = before;
    interfaces->gone_count--;
}

/* A new one, or one whose number another one had. NULL: no room. */
static struct interface *make(struct interfaces *interfaces, struct space *space, uint32_t ifindex) {
    uint64_t key = interface_key_of(space->netns, ifindex);
    pthread_mutex_lock(&interfaces->lock);
    struct interface *interface = table_get(&interfaces->table, key);
    if (interface)
        unlist_gone(interfaces, interface);
    else {
        interface = calloc(1, sizeof(*interface));
        if (interface && table_put(&interfaces->table, key, interface)) {
            free(interface);
            interface = NULL;
        }
    }
    if (interface) {
        *interface = (struct interface){.hop = {.netns = space->netns, .ifindex = ifindex}, .peer_nsid = -1};
        attach_init(&interface->attachment);
    } else
        interfaces->counters.not_attached++;
    pthread_mutex_unlock(&interfaces->lock);
    return interface;
}

static void attached(struct interfaces *interfaces, struct interface *interface, const struct attachment *attachment,
                     const struct link *link) {
    pthread_mutex_lock(&interfaces->lock);
    bool failed_before = interface->attachment.error[0];
    interface->attachment = *attachment;
    interface->hop.watched = attach_is_any(attachment);
    interfaces->counters.not_attached += attachment->error[0] && !failed_before;
    for (int way = 0; way < 2; way++) {
        interface->packets_before[way] = link->packets[way];
        interface->bytes_before[way] = link->bytes[way];
    }
    pthread_mutex_unlock(&interfaces->lock);
}

/* In the interface's namespace, with a socket of it. */
static void attach(struct interfaces *interfaces, struct interface *interface, struct mnl_socket *socket,
                   const struct link *link) {
    struct attachment attachment = interface->attachment;
    const bool wanted = !interface->excluded && interfaces->options.programs[0] >= 0;
    if (wanted == attach_is_any(&attachment))
        return;
    if (wanted && attach_add(socket, link->ifindex, interfaces->options.programs, &attachment) == -ENODEV)
        attach_remove(socket, link->ifindex, &attachment); /* gone or moved by now, as an event will say */
    if (!wanted)
        attach_remove(socket, link->ifindex, &attachment);
    attached(interfaces, interface, &attachment, link);
}

static void tell(const struct interfaces *interfaces, const struct interface *interface, bool there) {
    const struct interfaces_options *options = &interfaces->options;
    const struct interface_key key = {interface->hop.netns, interface->hop.ifindex};
    if (there && options->appeared)
        options->appeared(options->context, &key, interface->peer_nsid);
    else if (!there && options->vanished)
        options->vanished(options->context, &key);
}

static struct interface *peer_of(const struct interfaces *interfaces, const struct interface *interface) {
    return table_get(&interfaces->table, interface_key_of(interface->hop.peer_netns, interface->hop.peer_ifindex));
}

void interface_doubt(struct interfaces *interfaces, struct interface *interface) {
    interface->stale = true;
    interfaces->any_stale = true;
}

/*
 * The kernel tells of a pair's first end before there is a second, and of a move only the end that moved; and what it
 * tells may be over when it is read.
 */
void interface_doubt_peer(struct interfaces *interfaces, struct interface *interface) {
    struct interface *peer = peer_of(interfaces, interface);
    if (!peer || (!interface->gone && peer_of(interfaces, peer) == interface && !peer->gone))
        return;
    if (!peer->gone)
        interface_doubt(interfaces, peer);
    else if (!interface->gone)
        interface_doubt(interfaces, interface);
    if (interface->gone || peer->hop.peer_ifindex)
        return;
    pthread_mutex_lock(&interfaces->lock);
    peer->hop.peer_netns = interface->hop.netns;
    peer->hop.peer_ifindex = interface->hop.ifindex;
    pthread_mutex_unlock(&interfaces->lock);
}

/* Appeared, or changed. In the interface's namespace, with a socket of it. */
void interface_see(struct interfaces *interfaces, struct space *space, struct mnl_socket *socket,
                   const struct link *link) {
    struct interface *interface = table_get(&interfaces->table, interface_key_of(space->netns, link->ifindex));
    bool is_new = !interface || interface->gone;
    if (is_new)
        interface = make(interfaces, space, link->ifindex);
    if (!interface)
        return;
    bool moved = update(interfaces, space, interface, link);
    interface->seen = true;
    interface_doubt_peer(interfaces, interface);
    if (is_new || moved)
        tell(interfaces, interface, true);
    attach(interfaces, interface, socket, link);
}

/* Not while the table is walked through. */
void interface_forget_old(struct interfaces *interfaces) {
    const uint64_t now = now_ns();
    pthread_mutex_lock(&interfaces->lock);
    while (interfaces->gone_count > GONE_MAX ||
           (interfaces->gone_first && interfaces->gone_first->gone + REMEMBERED_S * SECOND_NS < now)) {
        struct interface *first = interfaces->gone_first;
        unlist_gone(interfaces, first);
        table_remove(&interfaces->table, interface_key_of(first->hop.netns, first->hop.ifindex));
        free(first);
    }
    pthread_mutex_unlock(&interfaces->lock);
}

void interface_vanish(struct interfaces *interfaces, struct interface *interface) {
    struct attachment attachment = interface->attachment;
    if (interface->gone)
        return;
    attach_remove(NULL, interface->hop.ifindex, &attachment); /* a filter went with it */
    pthread_mutex_lock(&interfaces->lock);
    interface->attachment = attachment;
    interface->hop.watched = false;
    interface->gone = now_ns();
    interface->next_gone = NULL;
    if (interfaces->gone_last)
        interfaces->gone_last->next_gone = interface;
    else
        interfaces->gone_first = interface;
    interfaces->gone_last = interface;
    interfaces->gone_count++;
    pthread_mutex_unlock(&interfaces->lock);
    tell(interfaces, interface, false);
}

/* ---- questions ---- */

bool interfaces_get(struct interfaces *interfaces, uint32_t netns, uint32_t ifindex, struct hop_interface *ret) {
    pthread_mutex_lock(&interfaces->lock);
    const struct interface *interface = table_get(&interfaces->table, interface_key_of(netns, ifindex));
    if (interface)
        *ret = interface->hop;
    pthread_mutex_unlock(&interfaces->lock);
    return interface;
}

void interfaces_each(struct interfaces *interfaces, void (*visit)(void *context, const struct interface_view *view),
                     void *context) {
    pthread_mutex_lock(&interfaces->lock);
    for (size_t i = 0; i < interfaces->table.capacity; i++) {
        const struct interface *interface = interfaces->table.slots[i].key ? interfaces->table.slots[i].value : NULL;
        if (!interface || interface->gone)
            continue;
        const struct interface_view view = {.hop = interface->hop,
                                            .excluded = interface->excluded,
                                            .attached = attach_text(&interface->attachment),
                                            .error = interface->attachment.error};
        visit(context, &view);
    }
    pthread_mutex_unlock(&interfaces->lock);
}

void interfaces_name_namespace(struct interfaces *interfaces, uint32_t netns, const char *name) {
    char *copy = strdup(name);
    pthread_mutex_lock(&interfaces->lock);
    char *former = table_get(&interfaces->names, netns);
    if (!copy || table_put(&interfaces->names, netns, copy))
        free(copy);
    else
        free(former);
    for (size_t i = 0; i < interfaces->table.capacity; i++) {
        struct interface *interface = interfaces->table.slots[i].key ? interfaces->table.slots[i].value : NULL;
        if (interface && interface->hop.netns == netns)
            text_copy(interface->hop.namespace_name, sizeof(interface->hop.namespace_name), name);
    }
    pthread_mutex_unlock(&interfaces->lock);
}

void interfaces_counters(struct interfaces *interfaces, struct interfaces_counters *ret_counters) {
    pthread_mutex_lock(&interfaces->lock);
    *ret_counters = interfaces->counters;
    pthread_mutex_unlock(&interfaces->lock);
}
