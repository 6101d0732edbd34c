/* SPDX-License-Identifier: Apache-2.0 */
#include "interfaces.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "attach.h"
#include "interface_list.h"
#include "netlink.h"
#include "privileges.h"

enum {
    EVENTS_BYTES = 4 << 20, /* room for events while the thread attaches */
    EVENT_BYTES = 32768,    /* one */
    AHEAD_PACKETS = 16,     /* by which an interface may have counted more than weft before it is said */
};

static void count(struct interfaces *interfaces, uint64_t *counter) {
    pthread_mutex_lock(&interfaces->lock);
    ++*counter;
    pthread_mutex_unlock(&interfaces->lock);
}

/* ---- asking ---- */

struct looking {
    struct interfaces *interfaces;
    struct space *space;
    struct mnl_socket *socket;
    struct link *links;
    size_t count, room;
};

/* Kept, since what is to be done with them asks over the same socket. */
static int take_link(const struct nlmsghdr *message, void *context) {
    struct looking *looking = context;
    struct link link;
    if (!link_read(message, &link))
        return MNL_CB_OK;
    if (looking->count == looking->room) {
        size_t room = looking->room ? looking->room * 2 : 64;
        struct link *more = realloc(looking->links, room * sizeof(*more));
        if (!more)
            return MNL_CB_ERROR;
        looking->links = more;
        looking->room = room;
    }
    looking->links[looking->count++] = link;
    return MNL_CB_OK;
}

static struct nlmsghdr *get_link(void *buffer, uint32_t ifindex) {
    struct nlmsghdr *message = netlink_begin(buffer, RTM_GETLINK, 0);
    struct ifinfomsg *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));
    header->ifi_family = AF_UNSPEC;
    header->ifi_index = (int)ifindex;
    return message;
}

static void see_all(struct looking *looking) {
    for (size_t i = 0; i < looking->count; i++)
        interface_see(looking->interfaces, looking->space, looking->socket, &looking->links[i]);
    free(looking->links);
    looking->links = NULL;
}

/* One interface anew. */
static void refresh(struct interfaces *interfaces, const struct interface *interface) {
    char buffer[NETLINK_MESSAGE_BYTES];
    struct looking looking = {.interfaces = interfaces};
    looking.space = spaces_find(&interfaces->spaces, interface->hop.netns);
    if (!looking.space || spaces_enter(&interfaces->spaces, looking.space, &looking.socket))
        return;
    netlink_ask(looking.socket, get_link(buffer, interface->hop.ifindex), take_link, &looking);
    see_all(&looking);
    if (!looking.space->own)
        spaces_leave(&interfaces->spaces);
}

static void refresh_stale(struct interfaces *interfaces) {
    for (int round = 0; round < 4 && interfaces->any_stale; round++) {
        interfaces->any_stale = false;
        for (size_t i = 0; i < interfaces->table.capacity; i++) {
            struct interface *interface = interfaces->table.slots[i].key ? interfaces->table.slots[i].value : NULL;
            if (!interface || !interface->stale)
                continue;
            interface->stale = false;
            if (!interface->gone)
                refresh(interfaces, interface);
        }
    }
}

/* Their peer's namespace could not be found when they were seen. */
static void doubt_unresolved(struct interfaces *interfaces) {
    for (size_t i = 0; i < interfaces->table.capacity; i++) {
        struct interface *interface = interfaces->table.slots[i].key ? interfaces->table.slots[i].value : NULL;
        if (!interface || interface->gone || !interface->peer || interface->hop.peer_netns)
            continue;
        interface_doubt(interfaces, interface);
    }
}

static void sweep(struct interfaces *interfaces, const struct space *space, bool unseen_only) {
    for (size_t i = 0; i < interfaces->table.capacity; i++) {
        struct interface *interface = interfaces->table.slots[i].key ? interfaces->table.slots[i].value : NULL;
        if (interface && interface->hop.netns == space->netns && !(unseen_only && interface->seen))
            interface_vanish(interfaces, interface);
    }
}

static void clean(struct interfaces *interfaces, struct mnl_socket *socket) {
    int removed = attach_clean(socket);
    pthread_mutex_lock(&interfaces->lock);
    interfaces->counters.cleaned += removed > 0 ? removed : 0;
    pthread_mutex_unlock(&interfaces->lock);
}

/* Every interface of a namespace. Negative errno: it is gone, or cannot be entered. */
static int look_into(struct interfaces *interfaces, struct space *space) {
    char buffer[NETLINK_MESSAGE_BYTES];
    struct looking looking = {.interfaces = interfaces, .space = space};
    const bool first = !space->watched;
    space->watched = true;
    int result = spaces_enter(&interfaces->spaces, space, &looking.socket);
    if (result) {
        space->watched = !first;
        return result;
    }
    for (size_t i = 0; i < interfaces->table.capacity; i++)
        if (interfaces->table.slots[i].key)
            ((struct interface *)interfaces->table.slots[i].value)->seen = false;
    if (first && interfaces->options.clean)
        clean(interfaces, looking.socket);
    result = netlink_dump(looking.socket, get_link(buffer, 0), take_link, &looking);
    see_all(&looking);
    if (!result)
        sweep(interfaces, space, true);
    if (!space->own)
        spaces_leave(&interfaces->spaces);
    return result;
}

/* ---- namespaces ---- */

static void lose_space(struct interfaces *interfaces, struct space *space) {
    sweep(interfaces, space, false);
    pthread_mutex_lock(&interfaces->lock);
    free(table_remove(&interfaces->names, space->netns));
    pthread_mutex_unlock(&interfaces->lock);
    spaces_forget(&interfaces->spaces, space);
}

/* Namespaces by number: looking into one may find others, and lose some. An array to be freed. */
static size_t list_spaces(const struct interfaces *interfaces, uint32_t **ret_list) {
    const struct table *table = &interfaces->spaces.table;
    size_t listed = 0;
    *ret_list = malloc((table->count + 1) * sizeof(**ret_list));
    for (size_t i = 0; i < table->capacity && *ret_list; i++)
        if (table->slots[i].key)
            (*ret_list)[listed++] = (uint32_t)table->slots[i].key;
    return listed;
}

enum { NEW_ONES, ALL_ONES };

/* Where all is watched, those that were found and are not; with ALL_ONES, whatever is watched, once more. */
static void look_into_spaces(struct interfaces *interfaces, int which) {
    uint32_t *list;
    const size_t listed = list_spaces(interfaces, &list);
    for (size_t i = 0; i < listed; i++) {
        struct space *space = spaces_find(&interfaces->spaces, list[i]);
        if (!space || (space->watched ? which == NEW_ONES : !interfaces->spaces.all && !space->own))
            continue;
        if (space->refused && which == NEW_ONES)
            continue;
        const bool before = space->watched;
        int result = look_into(interfaces, space);
        if (result && before && !space->own && !space->found)
            lose_space(interfaces, space);
        else if (result && space->found) {
            space->refused = true;
            count(interfaces, &interfaces->counters.not_entered);
        }
    }
    free(list);
}

static void look_around(struct interfaces *interfaces) {
    spaces_scan(&interfaces->spaces);
    look_into_spaces(interfaces, NEW_ONES);
}

/* ---- events ---- */

static void take_vanished(struct interfaces *interfaces, const struct space *space, uint32_t ifindex) {
    struct interface *interface = table_get(&interfaces->table, interface_key_of(space->netns, ifindex));
    if (!interface || interface->gone)
        return;
    interface_vanish(interfaces, interface);
    interface_doubt_peer(interfaces, interface); /* if that is still there, this one was moved */
}

static void take_appeared(struct interfaces *interfaces, struct space *space, const struct link *link) {
    struct mnl_socket *socket;
    if (spaces_enter(&interfaces->spaces, space, &socket)) {
        count(interfaces, &interfaces->counters.not_entered);
        return;
    }
    interface_see(interfaces, space, socket, link);
    if (!space->own)
        spaces_leave(&interfaces->spaces);
}

static void take_link_event(struct interfaces *interfaces, struct space *space, const struct nlmsghdr *message) {
    struct link link;
    if (!link_read(message, &link))
        return;
    if (message->nlmsg_type == RTM_DELLINK)
        take_vanished(interfaces, space, link.ifindex);
    else
        take_appeared(interfaces, space, &link);
}

/* Of the own namespace: an id was given to another one, or another one is gone. */
static void take_id_event(struct interfaces *interfaces, const struct nlmsghdr *message) {
    int32_t nsid = spaces_read_id(message);
    struct space *space = spaces_by_nsid(&interfaces->spaces, nsid);
    if (message->nlmsg_type == RTM_DELNSID) {
        if (space && !space->own)
            lose_space(interfaces, space);
    } else if (!space)
        look_around(interfaces);
}

static struct space *space_of_event(struct interfaces *interfaces, int32_t nsid) {
    if (nsid < 0)
        return interfaces->spaces.own;
    struct space *space = spaces_by_nsid(&interfaces->spaces, nsid);
    if (!space) {
        look_around(interfaces);
        space = spaces_by_nsid(&interfaces->spaces, nsid);
    }
    return space && space->watched ? space : NULL;
}

static void take_event(struct interfaces *interfaces, const struct nlmsghdr *message, int32_t nsid) {
    struct space *space = space_of_event(interfaces, nsid);
    if (!space)
        return;
    switch (message->nlmsg_type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
        take_link_event(interfaces, space, message);
        break;
    case RTM_NEWNSID:
    case RTM_DELNSID:
        if (space->own)
            take_id_event(interfaces, message);
        break;
    }
}

/* Bytes, 0: no more events, or negative errno; `ret_nsid` -1: of the own namespace. */
static ssize_t receive(const struct interfaces *interfaces, void *buffer, int32_t *ret_nsid) {
    char control[CMSG_SPACE(sizeof(int32_t))] __attribute__((aligned(8)));
    struct iovec vector = {buffer, EVENT_BYTES};
    struct msghdr message = {
        .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
    ssize_t got = recvmsg(mnl_socket_get_fd(interfaces->events), &message, MSG_DONTWAIT);
    *ret_nsid = -1;
    if (got < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    for (struct cmsghdr *one = CMSG_FIRSTHDR(&message); one; one = CMSG_NXTHDR(&message, one))
        if (one->cmsg_level == SOL_NETLINK && one->cmsg_type == NETLINK_LISTEN_ALL_NSID)
            memcpy(ret_nsid, CMSG_DATA(one), sizeof(*ret_nsid));
    return got;
}

static void take_events(struct interfaces *interfaces) {
    char buffer[EVENT_BYTES] __attribute__((aligned(8)));
    int32_t nsid;
    bool lost = false;
    for (ssize_t got; (got = receive(interfaces, buffer, &nsid));) {
        if (got < 0) { /* ENOBUFS: what did not fit is gone, what did still comes */
            lost = true;
            if (got != -ENOBUFS)
                break;
            continue;
        }
        int left = (int)got;
        for (const struct nlmsghdr *one = (void *)buffer; mnl_nlmsg_ok(one, left); one = mnl_nlmsg_next(one, &left))
            take_event(interfaces, one, nsid);
    }
    if (lost) {
        count(interfaces, &interfaces->counters.events_lost);
        spaces_scan(&interfaces->spaces);
        look_into_spaces(interfaces, ALL_ONES);
    }
}

/* ---- programs before weft's ---- */

/* What the interface counted since weft began, and weft did not. On hardware, several packets on the wire are one here.
 */
static bool is_ahead(const struct interface *interface, const struct link *link, const struct interface_totals *totals,
                     enum flow_way way) {
    const uint64_t packets = link->packets[way] - interface->packets_before[way];
    const uint64_t bytes = link->bytes[way] - interface->bytes_before[way];
    const unsigned share = strcmp(interface->hop.kind, "physical") ? 64 : 2;
    return packets > totals->packets[way] + AHEAD_PACKETS && bytes > totals->bytes[way] + bytes / share;
}

static bool is_preceded(const struct interfaces *interfaces, const struct interface *interface,
                        struct mnl_socket *socket, enum flow_way way) {
    return attach_preceded(socket, interface->hop.ifindex, interfaces->options.programs, &interface->attachment, way);
}

static void weigh(struct interfaces *interfaces, struct interface *interface, struct mnl_socket *socket) {
    char buffer[NETLINK_MESSAGE_BYTES];
    const struct interfaces_options *options = &interfaces->options;
    const struct interface_key key = {interface->hop.netns, interface->hop.ifindex};
    struct looking looking = {.interfaces = interfaces};
    struct interface_totals totals;
    bool shadowed = false, preceded[2];
    for (int way = 0; way < 2; way++)
        preceded[way] = is_preceded(interfaces, interface, socket, way);
    preceded[FLOW_INGRESS] |= interface->xdp;
    if ((preceded[0] || preceded[1]) && options->counted && options->counted(options->context, &key, &totals) &&
        !netlink_ask(socket, get_link(buffer, key.ifindex), take_link, &looking) && looking.count)
        for (int way = 0; way < 2; way++)
            shadowed |= preceded[way] && is_ahead(interface, looking.links, &totals, way);
    free(looking.links);
    pthread_mutex_lock(&interfaces->lock);
    interface->hop.shadowed = shadowed;
    pthread_mutex_unlock(&interfaces->lock);
}

static void weigh_space(struct interfaces *interfaces, struct space *space) {
    struct mnl_socket *socket;
    if (spaces_enter(&interfaces->spaces, space, &socket))
        return;
    for (size_t i = 0; i < interfaces->table.capacity; i++) {
        struct interface *interface = interfaces->table.slots[i].key ? interfaces->table.slots[i].value : NULL;
        if (interface && interface->hop.netns == space->netns && interface->hop.watched)
            weigh(interfaces, interface, socket);
    }
    if (!space->own)
        spaces_leave(&interfaces->spaces);
}

static void weigh_all(struct interfaces *interfaces) {
    uint32_t *list;
    const size_t listed = list_spaces(interfaces, &list);
    for (size_t i = 0; i < listed; i++) {
        struct space *space = spaces_find(&interfaces->spaces, list[i]);
        if (space && space->watched)
            weigh_space(interfaces, space);
    }
    free(list);
}

/* ---- the thread ---- */

static int join_group(struct mnl_socket *socket, int group) {
    return mnl_socket_setsockopt(socket, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group));
}

static int open_events(struct interfaces *interfaces) {
    int bytes = EVENTS_BYTES, on = 1;
    interfaces->events = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
    if (!interfaces->events)
        return -errno;
    int fd = mnl_socket_get_fd(interfaces->events);
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)))
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
    if (mnl_socket_bind(interfaces->events, 0, MNL_SOCKET_AUTOPID) || join_group(interfaces->events, RTNLGRP_LINK) ||
        join_group(interfaces->events, RTNLGRP_NSID))
        return -errno;
    if (interfaces->spaces.all && mnl_socket_setsockopt(interfaces->events, NETLINK_LISTEN_ALL_NSID, &on, sizeof(on)))
        return -errno;
    return 0;
}

/*
 * CAP_NET_ADMIN to attach and to ask for programs, CAP_BPF where unprivileged BPF is off, CAP_SYS_PTRACE for
 * /proc/PID/ns/net of others; to enter namespaces CAP_SYS_ADMIN, to hear of them CAP_NET_BROADCAST.
 */
static int confine(struct interfaces *interfaces) {
    static const unsigned kept[] = {CAP_NET_ADMIN, CAP_BPF, CAP_SYS_PTRACE, CAP_SYS_ADMIN, CAP_NET_BROADCAST};
    return privileges_confine(kept, interfaces->options.scope == SCOPE_ALL ? 5 : 3, interfaces->error,
                              sizeof(interfaces->error));
}

static int start(struct interfaces *interfaces) {
    int result = confine(interfaces);
    if (!result)
        result = spaces_init(&interfaces->spaces, interfaces->options.scope == SCOPE_ALL);
    if (!result)
        result = open_events(interfaces);
    if (!result)
        result = look_into(interfaces, interfaces->spaces.own);
    if (result && !interfaces->error[0])
        snprintf(interfaces->error, sizeof(interfaces->error), "looking at the network interfaces: %s",
                 strerror(-result));
    if (!result)
        look_into_spaces(interfaces, NEW_ONES);
    refresh_stale(interfaces);
    return result;
}

static void say_ready(struct interfaces *interfaces, int result) {
    pthread_mutex_lock(&interfaces->lock);
    interfaces->result = result;
    interfaces->is_ready = true;
    pthread_cond_broadcast(&interfaces->ready);
    pthread_mutex_unlock(&interfaces->lock);
}

static void take_poke(struct interfaces *interfaces, bool *ret_stop) {
    uint64_t pokes;
    if (read(interfaces->poke, &pokes, sizeof(pokes)) < 0)
        return;
    pthread_mutex_lock(&interfaces->lock);
    bool look = interfaces->look;
    interfaces->look = false;
    *ret_stop = interfaces->stop;
    pthread_mutex_unlock(&interfaces->lock);
    if (*ret_stop || !look)
        return;
    for (size_t i = 0; i < interfaces->spaces.table.capacity; i++)
        if (interfaces->spaces.table.slots[i].key)
            ((struct space *)interfaces->spaces.table.slots[i].value)->refused = false;
    look_around(interfaces);
    doubt_unresolved(interfaces);
    weigh_all(interfaces);
}

/* Filters do not go with the process. */
static void detach_space(struct interfaces *interfaces, struct space *space) {
    struct mnl_socket *socket = NULL;
    const bool entered = !spaces_enter(&interfaces->spaces, space, &socket);
    for (size_t i = 0; i < interfaces->table.capacity; i++) {
        struct interface *interface = interfaces->table.slots[i].key ? interfaces->table.slots[i].value : NULL;
        if (interface && interface->hop.netns == space->netns && !interface->gone)
            attach_remove(entered ? socket : NULL, interface->hop.ifindex, &interface->attachment);
    }
    if (entered && !space->own)
        spaces_leave(&interfaces->spaces);
}

static void detach_all(struct interfaces *interfaces) {
    uint32_t *list;
    const size_t listed = list_spaces(interfaces, &list);
    for (size_t i = 0; i < listed; i++) {
        struct space *space = spaces_find(&interfaces->spaces, list[i]);
        if (space && space->watched)
            detach_space(interfaces, space);
    }
    free(list);
}

static void *follow(void *context) {
    struct interfaces *interfaces = context;
    bool stop = false;
    pthread_setname_np(pthread_self(), "interfaces");
    int result = start(interfaces);
    say_ready(interfaces, result);
    /* A namespace that `ip netns` or Docker makes is mounted before anything is in it that an event could tell of. */
    const int mounts = interfaces->options.scope == SCOPE_ALL ? open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC) : -1;
    while (!result && !stop) {
        struct pollfd waits[] = {
            {mnl_socket_get_fd(interfaces->events), POLLIN, 0}, {interfaces->poke, POLLIN, 0}, {mounts, POLLPRI, 0}};
        if (poll(waits, 3, -1) < 0)
            continue;
        if (waits[2].revents)
            look_around(interfaces);
        if (waits[1].revents)
            take_poke(interfaces, &stop);
        if (waits[0].revents && !stop)
            take_events(interfaces);
        look_into_spaces(interfaces, NEW_ONES); /* which were met on the way */
        refresh_stale(interfaces);
        interface_forget_old(interfaces);
    }
    if (mounts >= 0)
        close(mounts);
    detach_all(interfaces);
    spaces_done(&interfaces->spaces);
    if (interfaces->events)
        mnl_socket_close(interfaces->events);
    return NULL;
}

static void poke(struct interfaces *interfaces) {
    const uint64_t one = 1;
    if (write(interfaces->poke, &one, sizeof(one)) < 0)
        return; /* it is full of pokes */
}

void interfaces_look(struct interfaces *interfaces) {
    pthread_mutex_lock(&interfaces->lock);
    interfaces->look = true;
    pthread_mutex_unlock(&interfaces->lock);
    poke(interfaces);
}

/* ---- life ---- */

int interfaces_new(const struct interfaces_options *options, struct interfaces **ret_interfaces, char *error,
                   size_t error_size) {
    struct interfaces *interfaces = calloc(1, sizeof(*interfaces));
    int result = interfaces ? 0 : -ENOMEM;
    if (interfaces) {
        interfaces->options = *options;
        interfaces->spaces.own_fd = -1;
        interfaces->table.limit = INTERFACES_MAX;
        pthread_mutex_init(&interfaces->lock, NULL);
        pthread_cond_init(&interfaces->ready, NULL);
        interfaces->poke = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        result = interfaces->poke < 0 ? -errno : -pthread_create(&interfaces->thread, NULL, follow, interfaces);
        interfaces->started = !result;
    }
    if (result) {
        snprintf(error, error_size, "following the network interfaces: %s", strerror(-result));
        interfaces_free(interfaces);
        return result;
    }
    pthread_mutex_lock(&interfaces->lock);
    while (!interfaces->is_ready)
        pthread_cond_wait(&interfaces->ready, &interfaces->lock);
    result = interfaces->result;
    pthread_mutex_unlock(&interfaces->lock);
    if (result) {
        snprintf(error, error_size, "%s", interfaces->error);
        interfaces_free(interfaces);
        return result;
    }
    *ret_interfaces = interfaces;
    return 0;
}

static void free_values(struct table *table) {
    for (size_t i = 0; i < table->capacity; i++)
        if (table->slots[i].key)
            free(table->slots[i].value);
    table_done(table);
}

void interfaces_free(struct interfaces *interfaces) {
    if (!interfaces)
        return;
    if (interfaces->started) {
        pthread_mutex_lock(&interfaces->lock);
        interfaces->stop = true;
        pthread_mutex_unlock(&interfaces->lock);
        poke(interfaces);
        pthread_join(interfaces->thread, NULL);
    }
    if (interfaces->poke >= 0)
        close(interfaces->poke);
    free_values(&interfaces->table);
    free_values(&interfaces->names);
    pthread_cond_destroy(&interfaces->ready);
    pthread_mutex_destroy(&interfaces->lock);
    free(interfaces);
}

/* ---- what killed agents left ---- */

int interfaces_clean(bool (*allowed)(void *context, uint32_t netns), void *context) {
    struct spaces spaces;
    int result = spaces_init(&spaces, false), removed = 0;
    for (size_t i = 0; i < spaces.table.capacity && !result; i++) {
        struct space *space = spaces.table.slots[i].key ? spaces.table.slots[i].value : NULL;
        struct mnl_socket *socket;
        if (!space || !allowed(context, space->netns))
            continue;
        space->watched = true;
        if (spaces_enter(&spaces, space, &socket))
            continue;
        int filters = attach_clean(socket);
        removed += filters > 0 ? filters : 0;
        if (!space->own)
            spaces_leave(&spaces);
    }
    spaces_done(&spaces);
    return result ? result : removed;
}
