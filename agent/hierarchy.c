/* SPDX-License-Identifier: Apache-2.0 */
#include "hierarchy.h"

#include <fcntl.h>
#include <fts.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

int hierarchy_subsystem(void) {
    char line[256], name[64];
    int index = -1, hierarchy, row = 0;
    FILE *file = fopen("/proc/cgroups", "re");
    while (file && fgets(line, sizeof(line), file)) {
        if (sscanf(line, "%63s %d", name, &hierarchy) != 2 || name[0] == '#')
            continue;
        if (!strcmp(name, "pids") && hierarchy)
            index = row;
        row++;
    }
    if (file)
        fclose(file);
    return index;
}

/* Is this line of mountinfo the v2 mount, or a v1 mount with the pids controller? */
static bool is_mount(const char *line, bool v2) {
    const char *type = strstr(line, v2 ? " - cgroup2 " : " - cgroup ");
    const char *option = type && !v2 ? strstr(type, "pids") : NULL;
    return v2 ? type != NULL : option != NULL;
}

static bool find_mount(bool v2, char *path, size_t size) {
    char line[1024], found[512];
    bool ok = false;
    FILE *mounts = fopen("/proc/self/mountinfo", "re");
    while (mounts && !ok && fgets(line, sizeof(line), mounts))
        if (is_mount(line, v2) && sscanf(line, "%*s %*s %*s %*s %511s", found) == 1)
            ok = snprintf(path, size, "%s", found) < (int)size;
    if (mounts)
        fclose(mounts);
    return ok;
}

int hierarchy_open_v2(void) {
    char path[512];
    return find_mount(true, path, sizeof(path)) ? open(path, O_DIRECTORY | O_CLOEXEC) : -1;
}

void hierarchy_walk(hierarchy_group callback, void *context) {
    char root[512];
    if (!find_mount(hierarchy_subsystem() < 0, root, sizeof(root)))
        return;
    char *const roots[] = {root, NULL};
    FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_XDEV | FTS_NOCHDIR, NULL);
    for (FTSENT *entry; tree && (entry = fts_read(tree));)
        if (entry->fts_info == FTS_D && entry->fts_level > 0)
            callback(context, entry->fts_statp->st_ino, entry->fts_path + strlen(root));
    if (tree)
        fts_close(tree);
}
