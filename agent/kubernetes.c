/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/kubernetes.h"
#include "agent/text.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

/* What Kubernetes makes random names of: no vowels, nothing that looks like another letter. */
#define RANDOM "bcdfghjklmnpqrstvwxz2456789"
/* A hash is a decimal number, each digit of it written in that alphabet. */
#define HASH "456789bcdf"
#define DIGITS "0123456789"

enum { SUFFIX = 5, HASH_MIN = 5, HASH_MAX = 10, MINUTES = 8, ORDINAL_MAX = 4 };

/* Cuts "-" and `min` to `max` letters of `alphabet` off the end. */
static bool cut(char *name, const char *alphabet, size_t min, size_t max) {
    char *dash = strrchr(name, '-');
    const size_t length = dash ? strlen(dash + 1) : 0;
    if (!dash || dash == name || length < min || length > max || strspn(dash + 1, alphabet) != length)
        return false;
    *dash = '\0';
    return true;
}

bool kubernetes_owner(const char *pod, const char *node, char *ret_owner, size_t size) {
    const size_t length = strlen(node);
    text_copy(ret_owner, size, pod);
    const size_t whole = strlen(ret_owner);
    if (length && whole > length + 1 && text_ends_with(ret_owner, node) && ret_owner[whole - length - 1] == '-') {
        ret_owner[whole - length - 1] = '\0'; /* a static pod */
        return true;
    }
    if (!cut(ret_owner, RANDOM, SUFFIX, SUFFIX))
        return cut(ret_owner, DIGITS, 1, ORDINAL_MAX);
    if (!cut(ret_owner, HASH, HASH_MIN, HASH_MAX))
        cut(ret_owner, DIGITS, MINUTES, MINUTES);
    return true;
}

static void read_container(const char *folder, struct pod *pod) {
    DIR *containers = opendir(folder);
    unsigned count = 0;
    for (struct dirent *entry; containers && (entry = readdir(containers));)
        if (entry->d_name[0] != '.' && ++count == 1)
            text_copy(pod->container, sizeof pod->container, entry->d_name);
    if (count > 1)
        pod->container[0] = '\0';
    if (containers)
        closedir(containers);
}

/* Neither namespaces nor pods have an underscore in their names. */
static bool read_folder(const char *name, const char *uid, struct pod *pod) {
    const char *first = strchr(name, '_'), *second = first ? strchr(first + 1, '_') : NULL;
    if (!second || strcmp(second + 1, uid) != 0 || first == name || second == first + 1)
        return false;
    snprintf(pod->namespace, sizeof pod->namespace, "%.*s", (int)(first - name), name);
    snprintf(pod->name, sizeof pod->name, "%.*s", (int)(second - first - 1), first + 1);
    return true;
}

bool kubernetes_pod(const char *root, const char *uid, struct pod *ret_pod) {
    char logs[256], folder[768];
    bool found = false;
    *ret_pod = (struct pod){0};
    snprintf(logs, sizeof logs, "%s/var/log/pods", strcmp(root, "/") == 0 ? "" : root);
    DIR *pods = opendir(logs);
    for (struct dirent *entry; pods && !found && (entry = readdir(pods));)
        if (read_folder(entry->d_name, uid, ret_pod)) {
            snprintf(folder, sizeof folder, "%s/%s", logs, entry->d_name);
            read_container(folder, ret_pod);
            found = true;
        }
    if (pods)
        closedir(pods);
    return found;
}
