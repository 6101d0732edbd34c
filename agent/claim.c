/* SPDX-License-Identifier: Apache-2.0 */
#include "claim.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CLAIM_NAME "weft_agent"

enum { CLAIM_VERSION = 1, UNWRITTEN_TRIES = 50, UNWRITTEN_PAUSE_NS = 10 * 1000 * 1000 };

/* Read by agents of other versions: fields are only added. */
struct claim {
    uint32_t version; /* 0: made, not written yet */
    uint32_t pid;     /* as its own pid namespace has it */
    uint32_t netns;
    uint32_t unused;
};

uint32_t claim_own_netns(void) {
    struct stat stat_of;
    return stat("/proc/self/ns/net", &stat_of) ? 0 : (uint32_t)stat_of.st_ino;
}

static bool overlap(uint32_t a, uint32_t b) {
    return a == CLAIM_HOST || b == CLAIM_HOST || a == b;
}

static int identify(int map, struct bpf_map_info *ret_info) {
    uint32_t size = sizeof(*ret_info);
    memset(ret_info, 0, size);
    return bpf_obj_get_info_by_fd(map, ret_info, &size);
}

static int make(uint32_t netns, uint32_t *ret_id) {
    struct claim claim = {.version = CLAIM_VERSION, .pid = (uint32_t)getpid(), .netns = netns};
    struct bpf_map_info info;
    uint32_t key = 0;
    int map = bpf_map_create(BPF_MAP_TYPE_ARRAY, CLAIM_NAME, sizeof(key), sizeof(claim), 1, NULL);
    if (map < 0)
        return -errno;
    if (bpf_map_update_elem(map, &key, &claim, BPF_ANY) || identify(map, &info)) {
        int result = -errno;
        close(map);
        return result;
    }
    *ret_id = info.id;
    return map;
}

/* False: it is no claim, or went away. */
static bool read_claim(int map, struct claim *ret_claim) {
    const struct timespec pause = {.tv_nsec = UNWRITTEN_PAUSE_NS};
    struct bpf_map_info info;
    uint32_t key = 0;
    if (identify(map, &info) || strcmp(info.name, CLAIM_NAME) || info.type != BPF_MAP_TYPE_ARRAY ||
        info.value_size != sizeof(*ret_claim))
        return false;
    for (int i = 0; i < UNWRITTEN_TRIES; i++) {
        if (bpf_map_lookup_elem(map, &key, ret_claim) || ret_claim->version)
            return ret_claim->version;
        nanosleep(&pause, NULL);
    }
    return false;
}

/* Looks at every map that is older than `own`. 0: none stands in the way. */
static int look(uint32_t own, uint32_t netns, struct claim *ret_other) {
    for (uint32_t id = 0; !bpf_map_get_next_id(id, &id) && id < own;) {
        int map = bpf_map_get_fd_by_id(id);
        if (map < 0 && errno == ENOENT)
            continue;
        if (map < 0)
            return -errno;
        bool found = read_claim(map, ret_other) && overlap(netns, ret_other->netns);
        close(map);
        if (found)
            return -EBUSY;
    }
    return 0;
}

int claim_new(uint32_t netns, int *ret_claim, char *error, size_t error_size) {
    struct claim other = {0};
    uint32_t id = 0, last;
    int map = make(netns, &id);
    if (map < 0) {
        snprintf(error, error_size, "whether another agent runs cannot be known: %s", strerror(-map));
        return map == -EACCES ? -EPERM : map;
    }
    int result = bpf_map_get_next_id(0, &last) ? -errno : look(id, netns, &other);
    if (!result) {
        *ret_claim = map;
        return 0;
    }
    close(map);
    if (result == -EBUSY)
        snprintf(error, error_size,
                 "an agent already watches %s: pid %u; stop it, or let both watch network namespaces of their own "
                 "(--namespace self)",
                 other.netns == CLAIM_HOST ? "this host" : "a part of this host", other.pid);
    else
        snprintf(error, error_size, "whether another agent runs cannot be known: %s", strerror(-result));
    return result;
}

int claim_look(uint32_t netns, uint32_t *ret_pid) {
    struct claim other = {0};
    uint32_t id;
    int result = bpf_map_get_next_id(0, &id) && errno != ENOENT ? -EPERM : look(UINT32_MAX, netns, &other);
    *ret_pid = other.pid;
    return result == -EBUSY || !result ? result : -EPERM;
}
