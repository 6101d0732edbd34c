/* SPDX-License-Identifier: Apache-2.0 */
#include "sockets.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "packets.h"
#include "process.h"
#include "topology/table.h"

struct sockets {
    char v2[256], freezer[256]; /* mounts of the v2 hierarchy and of v1's freezer; empty: none */
    struct table seen;          /* cookies of this round */
    struct table frozen;        /* tgid -> &yes or &no, of this round */
    void (*visit)(void *context, const struct socket_view *socket);
    void *context;
};

static char yes, no; /* values of a table are pointers */

/* ---- frozen? ---- */

static void find_mounts(struct sockets *sockets) {
    char line[1024], path[256];
    FILE *mounts = fopen("/proc/self/mountinfo", "re");
    while (mounts && fgets(line, sizeof(line), mounts)) {
        const char *v1 = strstr(line, " - cgroup "), *v2 = strstr(line, " - cgroup2 ");
        if ((!v1 && !v2) || sscanf(line, "%*s %*s %*s %*s %255s", path) != 1)
            continue;
        if (v2 && !sockets->v2[0])
            snprintf(sockets->v2, sizeof(sockets->v2), "%s", path);
        else if (v1 && strstr(v1, "freezer") && !sockets->freezer[0])
            snprintf(sockets->freezer, sizeof(sockets->freezer), "%s", path);
    }
    if (mounts)
        fclose(mounts);
}

/* Does a line of this file start with that text? */
static bool file_has(const char *path, const char *text) {
    char line[256];
    bool found = false;
    FILE *file = fopen(path, "re");
    while (file && !found && fgets(line, sizeof(line), file))
        found = !strncmp(line, text, strlen(text));
    if (file)
        fclose(file);
    return found;
}

/* A line of /proc/PID/cgroup: "0::/a" of v2, "7:freezer:/a" of v1. */
static bool is_group_frozen(const struct sockets *sockets, char *line) {
    char path[1024];
    char *controllers = strchr(line, ':'), *group = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!group)
        return false;
    *group++ = '\0';
    group[strcspn(group, "\n")] = '\0';
    if (controllers[1] == '\0' && sockets->v2[0] &&
        snprintf(path, sizeof(path), "%s%s/cgroup.events", sockets->v2, group) < (int)sizeof(path))
        return file_has(path, "frozen 1");
    if (!strcmp(controllers + 1, "freezer") && sockets->freezer[0] &&
        snprintf(path, sizeof(path), "%s%s/freezer.state", sockets->freezer, group) < (int)sizeof(path))
        return file_has(path, "FR"); /* FROZEN, or on the way to it: FREEZING */
    return false;
}

static bool is_in_frozen_group(const struct sockets *sockets, uint32_t pid) {
    char path[64], line[1024];
    bool frozen = false;
    snprintf(path, sizeof(path), "/proc/%u/cgroup", pid);
    FILE *file = fopen(path, "re");
    while (file && !frozen && fgets(line, sizeof(line), file))
        frozen = is_group_frozen(sockets, line);
    if (file)
        fclose(file);
    return frozen;
}

/* State T (stopped) or t (traced) in /proc/PID/stat, behind a command that may have any byte in it. */
static bool is_stopped(uint32_t pid) {
    char path[64], text[512];
    snprintf(path, sizeof(path), "/proc/%u/stat", pid);
    FILE *file = fopen(path, "re");
    size_t length = file ? fread(text, 1, sizeof(text) - 1, file) : 0;
    if (file)
        fclose(file);
    text[length] = '\0';
    const char *end = strrchr(text, ')');
    return end && end[1] == ' ' && (end[2] == 'T' || end[2] == 't');
}

/* Asked once in a round for each process. */
static bool is_frozen(struct sockets *sockets, const struct record_owner *owner) {
    if (!owner->tgid)
        return false;
    const char *known = table_get(&sockets->frozen, owner->tgid);
    if (!known) {
        bool frozen = process_runs(owner->tgid, owner->start_time) &&
                      (is_stopped(owner->tgid) || is_in_frozen_group(sockets, owner->tgid));
        known = frozen ? &yes : &no;
        (void)table_put(&sockets->frozen, owner->tgid, (void *)known); /* without memory it is asked again */
    }
    return known == &yes;
}

/* ---- */

static void show_one(void *context, const struct socket_seen *seen) {
    struct sockets *sockets = context;
    if (seen->cookie) { /* given out when first asked for; without one, a socket cannot be told from others */
        if (table_get(&sockets->seen, seen->cookie))
            return;
        (void)table_put(&sockets->seen, seen->cookie, &yes);
    }
    struct socket_view view = {
        .cookie = seen->cookie,
        .owner = seen->owner,
        .family = seen->family,
        .protocol = seen->protocol,
        .state = seen->state,
        .local_port = seen->local_port,
        .remote_port = seen->remote_port,
        .netns = seen->owner.netns,
        .receive_queue = seen->receive_queue,
        .receive_queue_limit = seen->receive_queue_limit,
        .send_queue = seen->send_queue,
        .drops = seen->drops,
        .retransmits = seen->retransmits,
        .backoff = seen->retransmits_now > seen->backoff ? seen->retransmits_now : seen->backoff,
        .srtt_us = seen->srtt_us,
        .min_rtt_us = seen->min_rtt_us,
        .cwnd = seen->cwnd,
        .lost = seen->lost,
        .segments_out = seen->segments_out,
        .segments_in = seen->segments_in,
        .frozen = is_frozen(sockets, &seen->owner),
    };
    memcpy(view.local_address, seen->local_address, sizeof(view.local_address));
    memcpy(view.remote_address, seen->remote_address, sizeof(view.remote_address));
    sockets->visit(sockets->context, &view);
}

int sockets_show(struct sockets *sockets, struct packets *packets,
                 void (*visit)(void *context, const struct socket_view *socket), void *context) {
    sockets->visit = visit;
    sockets->context = context;
    int result = packets_sockets(packets, show_one, sockets);
    table_done(&sockets->seen);
    table_done(&sockets->frozen);
    return result;
}

int sockets_new(struct sockets **ret_sockets) {
    struct sockets *sockets = calloc(1, sizeof(*sockets));
    if (!sockets)
        return -ENOMEM;
    find_mounts(sockets);
    *ret_sockets = sockets;
    return 0;
}

void sockets_free(struct sockets *sockets) {
    if (!sockets)
        return;
    table_done(&sockets->seen);
    table_done(&sockets->frozen);
    free(sockets);
}
