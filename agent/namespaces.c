/* SPDX-License-Identifier: Apache-2.0 */
#include "namespaces.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define NSFS 0x6e736673 /* NSFS_MAGIC */

static void see_mounts(const char *folder, int named, namespaces_found found, void *context) {
    DIR *list = opendir(folder);
    for (struct dirent *entry; list && (entry = readdir(list));) {
        char path[320];
        struct stat stat_of;
        struct statfs system;
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        if (!statfs(path, &system) && system.f_type == NSFS && !stat(path, &stat_of)) /* else not mounted yet */
            found(context, (uint32_t)stat_of.st_ino, path, named ? entry->d_name : NULL);
    }
    if (list)
        closedir(list);
}

/* Reading the link is all that it takes: "net:[4026531840]". */
static void see_process(const char *process, namespaces_found found, void *context) {
    char path[64], target[32];
    unsigned netns;
    snprintf(path, sizeof(path), "/proc/%.20s/ns/net", process);
    ssize_t length = readlink(path, target, sizeof(target) - 1);
    if (length <= 0)
        return;
    target[length] = '\0';
    if (sscanf(target, "net:[%u]", &netns) == 1)
        found(context, netns, path, NULL);
}

void namespaces_each(namespaces_found found, void *context) {
    see_process("self", found, context);
    see_mounts("/run/netns", 1, found, context);
    see_mounts("/run/docker/netns", 0, found, context);
    DIR *processes = opendir("/proc");
    for (struct dirent *entry; processes && (entry = readdir(processes));)
        if (isdigit((unsigned char)entry->d_name[0]))
            see_process(entry->d_name, found, context);
    if (processes)
        closedir(processes);
}

int namespaces_open(const char *path, uint32_t netns) {
    struct stat stat_of;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (fstat(fd, &stat_of) || (uint32_t)stat_of.st_ino != netns) {
        close(fd);
        return -ESTALE;
    }
    return fd;
}
