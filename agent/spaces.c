/* SPDX-License-Identifier: Apache-2.0 */
#include "spaces.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "namespaces.h"
#include "netlink.h"
#include "text.h"

enum { SPACES_MAX = 16384 };

/* ---- ids ---- */

static struct nlmsghdr *begin_id(void *buffer, uint16_t type) {
    struct nlmsghdr *message = netlink_begin(buffer, type, 0);
    struct rtgenmsg *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));
    header->rtgen_family = AF_UNSPEC;
    return message;
}

static int take_id(const struct nlmsghdr *message, void *context) {
    const struct nlattr *table[NETNSA_MAX + 1];
    netlink_attributes(mnl_nlmsg_get_payload_offset(message, sizeof(struct rtgenmsg)),
                       mnl_nlmsg_get_payload_len(message) - MNL_ALIGN(sizeof(struct rtgenmsg)), table, NETNSA_MAX);
    if (table[NETNSA_NSID])
        *(int32_t *)context = (int32_t)mnl_attr_get_u32(table[NETNSA_NSID]);
    return MNL_CB_OK;
}

int32_t spaces_read_id(const struct nlmsghdr *message) {
    int32_t id = -1;
    take_id(message, &id);
    return id;
}

/* The id of the namespace behind `fd` in the own one. */
static int32_t id_of(const struct spaces *spaces, int fd) {
    char buffer[NETLINK_MESSAGE_BYTES];
    struct nlmsghdr *message = begin_id(buffer, RTM_GETNSID);
    int32_t id = -1;
    mnl_attr_put_u32(message, NETNSA_FD, (uint32_t)fd);
    netlink_ask(spaces->socket, message, take_id, &id);
    return id;
}

static void give_id(const struct spaces *spaces, int fd) {
    char buffer[NETLINK_MESSAGE_BYTES];
    struct nlmsghdr *message = begin_id(buffer, RTM_NEWNSID);
    mnl_attr_put_u32(message, NETNSA_FD, (uint32_t)fd);
    mnl_attr_put_u32(message, NETNSA_NSID, (uint32_t)-1); /* whichever is free */
    netlink_ask(spaces->socket, message, NULL, NULL);
}

/* The id that `space` has for `other`. */
static int32_t id_within(const struct spaces *spaces, const struct space *space, const struct space *other) {
    char buffer[NETLINK_MESSAGE_BYTES];
    struct nlmsghdr *message = begin_id(buffer, RTM_GETNSID);
    int32_t id = -1;
    if (other->own)
        mnl_attr_put_u32(message, NETNSA_FD, (uint32_t)spaces->own_fd);
    else
        mnl_attr_put_u32(message, NETNSA_NSID, (uint32_t)other->nsid);
    mnl_attr_put_u32(message, NETNSA_TARGET_NSID, (uint32_t)space->nsid);
    netlink_ask(spaces->socket, message, take_id, &id);
    return id;
}

/* ---- which there are ---- */

static void learn_id(const struct spaces *spaces, struct space *space) {
    int fd = namespaces_open(space->path, space->netns);
    if (fd < 0)
        return;
    space->nsid = id_of(spaces, fd);
    if (space->nsid < 0 && spaces->all && !space->own) {
        give_id(spaces, fd);
        space->nsid = id_of(spaces, fd);
    }
    close(fd);
}

static void see(void *context, uint32_t netns, const char *path, const char *name) {
    struct spaces *spaces = context;
    struct space *space = table_get(&spaces->table, netns);
    if (space && space->found)
        return;
    if (!space) {
        space = calloc(1, sizeof(*space));
        if (!space || table_put(&spaces->table, netns, space)) {
            free(space);
            return;
        }
        *space = (struct space){.netns = netns, .nsid = -1, .own = netns == spaces->own_netns};
    }
    space->found = true;
    text_copy(space->path, sizeof(space->path), path);
    if (name)
        text_copy(space->name, sizeof(space->name), name);
    if (space->nsid < 0)
        learn_id(spaces, space);
}

struct space *spaces_find(const struct spaces *spaces, uint32_t netns) {
    return table_get(&spaces->table, netns);
}

void spaces_forget(struct spaces *spaces, struct space *space) {
    table_remove(&spaces->table, space->netns);
    free(space);
}

static bool is_stale(const struct space *space) {
    return !space->found && !space->own && !space->watched;
}

void spaces_scan(struct spaces *spaces) {
    for (size_t i = 0; i < spaces->table.capacity; i++)
        if (spaces->table.slots[i].key)
            ((struct space *)spaces->table.slots[i].value)->found = false;
    namespaces_each(see, spaces);
    for (size_t i = 0; i < spaces->table.capacity;) {
        struct space *space = spaces->table.slots[i].key ? spaces->table.slots[i].value : NULL;
        if (space && is_stale(space))
            spaces_forget(spaces, space); /* another one may have moved to this slot */
        else
            i++;
    }
}

struct space *spaces_by_nsid(const struct spaces *spaces, int32_t nsid) {
    for (size_t i = 0; i < spaces->table.capacity && nsid >= 0; i++) {
        struct space *space = spaces->table.slots[i].key ? spaces->table.slots[i].value : NULL;
        if (space && space->nsid == nsid)
            return space;
    }
    return NULL;
}

struct space *spaces_peer(const struct spaces *spaces, const struct space *space, int32_t nsid) {
    if (space->own)
        return spaces_by_nsid(spaces, nsid);
    if (space->nsid < 0)
        return NULL;
    if (id_within(spaces, space, spaces->own) == nsid) /* most often */
        return spaces->own;
    for (size_t i = 0; i < spaces->table.capacity; i++) {
        struct space *other = spaces->table.slots[i].key ? spaces->table.slots[i].value : NULL;
        if (other && other != space && other->nsid >= 0 && id_within(spaces, space, other) == nsid)
            return other;
    }
    return NULL;
}

/* ---- going there ---- */

static int open_fd(struct spaces *spaces, struct space *space) {
    int fd = namespaces_open(space->path, space->netns);
    if (fd >= 0)
        return fd;
    spaces_scan(spaces); /* the process or the mount is gone, the namespace perhaps not */
    return space->found ? namespaces_open(space->path, space->netns) : fd;
}

int spaces_enter(struct spaces *spaces, struct space *space, struct mnl_socket **ret_socket) {
    if (space->own) {
        *ret_socket = spaces->socket;
        return 0;
    }
    int fd = open_fd(spaces, space);
    if (fd < 0)
        return fd;
    int result = setns(fd, CLONE_NEWNET) ? -errno : 0;
    close(fd);
    if (result)
        return result;
    spaces->entered = netlink_open();
    if (!spaces->entered) {
        result = -errno;
        spaces_leave(spaces);
        return result;
    }
    *ret_socket = spaces->entered;
    return 0;
}

void spaces_leave(struct spaces *spaces) {
    if (spaces->entered)
        mnl_socket_close(spaces->entered);
    spaces->entered = NULL;
    if (setns(spaces->own_fd, CLONE_NEWNET)) {
        perror("weft: back to the own network namespace");
        abort();
    }
}

/* ---- life ---- */

int spaces_init(struct spaces *spaces, bool all) {
    struct stat stat_of;
    *spaces = (struct spaces){.all = all, .own_fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)};
    spaces->table.limit = SPACES_MAX;
    if (spaces->own_fd < 0 || fstat(spaces->own_fd, &stat_of))
        return -errno;
    spaces->own_netns = (uint32_t)stat_of.st_ino;
    spaces->socket = netlink_open();
    if (!spaces->socket)
        return -errno;
    spaces_scan(spaces);
    spaces->own = spaces_find(spaces, spaces->own_netns);
    return spaces->own ? 0 : -ENOENT;
}

void spaces_done(struct spaces *spaces) {
    for (size_t i = 0; i < spaces->table.capacity; i++)
        if (spaces->table.slots[i].key)
            free(spaces->table.slots[i].value);
    table_done(&spaces->table);
    if (spaces->socket)
        mnl_socket_close(spaces->socket);
    if (spaces->own_fd >= 0)
        close(spaces->own_fd);
    *spaces = (struct spaces){.own_fd = -1};
}
