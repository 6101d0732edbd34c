/* SPDX-License-Identifier: Apache-2.0 */
/* The drop of capabilities. The filter of system calls is in seccomp.c. */
#include "privileges.h"

#include <cap-ng.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/bpf.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static unsigned thread_count(void) {
    unsigned count = 0;
    DIR *folder = opendir("/proc/self/task");
    for (struct dirent *entry; folder && (entry = readdir(folder));)
        count += entry->d_name[0] != '.';
    if (folder)
        closedir(folder);
    return count;
}

/* What would work without capabilities is found out by trying: they are per thread, so a thread gives its own up. */
struct trial {
    bool (*try)(struct trial *trial);
    const char *path;
    int map;
    bool worked;
};

static void *run_trial(void *context) {
    struct trial *trial = context;
    capng_clear(CAPNG_SELECT_CAPS);
    trial->worked = !capng_apply(CAPNG_SELECT_CAPS) && trial->try(trial);
    return NULL;
}

static bool works_without(struct trial *trial) {
    pthread_t thread;
    if (!pthread_create(&thread, NULL, run_trial, trial))
        pthread_join(thread, NULL);
    return trial->worked;
}

static bool look_up(struct trial *trial) {
    uint32_t key = 0;
    uint64_t value = 0;
    union bpf_attr attr = {.map_fd = trial->map, .key = (uintptr_t)&key, .value = (uintptr_t)&value};
    return !syscall(SYS_bpf, BPF_MAP_LOOKUP_ELEM, &attr, sizeof(attr));
}

/* Before Linux 5.19 not even a map that is held may be read, where unprivileged BPF is off. */
static bool maps_need_capability(void) {
    union bpf_attr attr = {
        .map_type = BPF_MAP_TYPE_ARRAY, .key_size = sizeof(uint32_t), .value_size = sizeof(uint64_t), .max_entries = 1};
    struct trial trial = {.try = look_up, .map = (int)syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr))};
    bool needed = trial.map < 0 || !works_without(&trial);
    if (trial.map >= 0)
        close(trial.map);
    return needed;
}

/* A folder that exists, or the file and the folder that holds it. */
static bool make_file(struct trial *trial) {
    struct stat stat;
    char copy[4096];
    if (!fstatat(AT_FDCWD, trial->path, &stat, 0) && S_ISDIR(stat.st_mode))
        return !faccessat(AT_FDCWD, trial->path, W_OK | X_OK, AT_EACCESS);
    snprintf(copy, sizeof(copy), "%s", trial->path);
    return !faccessat(AT_FDCWD, dirname(copy), W_OK | X_OK, AT_EACCESS) &&
           (!faccessat(AT_FDCWD, trial->path, W_OK, AT_EACCESS) || errno == ENOENT);
}

bool privileges_writable(const char *path) {
    struct trial trial = {.try = make_file, .path = path};
    return works_without(&trial);
}

void privileges_text(char *ret_text, size_t size) {
    size_t used = 0;
    capng_get_caps_process();
    *ret_text = '\0';
    for (unsigned i = 0; i <= CAP_LAST_CAP && used < size; i++)
        if (capng_have_capability(CAPNG_EFFECTIVE, i))
            used += snprintf(ret_text + used, size - used, "%scap_%s", used ? " " : "", capng_capability_to_name(i));
}

/* A thread that was joined stands in /proc for a moment more. */
static unsigned threads_left(void) {
    const struct timespec moment = {.tv_nsec = 1000 * 1000};
    unsigned threads = thread_count();
    for (int i = 0; threads > 1 && i < 100; i++) {
        nanosleep(&moment, NULL);
        threads = thread_count();
    }
    return threads;
}

int privileges_drop(const struct privileges *privileges, char *error, size_t error_size) {
    unsigned threads = threads_left();
    if (threads != 1) {
        snprintf(error, error_size, "capabilities cannot be dropped: %u threads run already", threads);
        return -EBUSY;
    }
    bool wanted[CAP_LAST_CAP + 1] = {[CAP_SYS_PTRACE] = true, [CAP_DAC_READ_SEARCH] = true};
    wanted[CAP_BPF] = maps_need_capability();
    wanted[CAP_NET_BIND_SERVICE] = privileges->low_port;
    wanted[CAP_DAC_OVERRIDE] = privileges->writes_any;
    capng_get_caps_process();
    for (unsigned i = 0; i <= CAP_LAST_CAP; i++)
        wanted[i] = wanted[i] && capng_have_capability(CAPNG_PERMITTED, i);
    bool bounds = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP); /* else no_new_privs makes up for it */
    capng_clear(CAPNG_SELECT_ALL);
    for (unsigned i = 0; i <= CAP_LAST_CAP; i++)
        if (wanted[i])
            capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, i);
    int result = capng_apply(bounds ? CAPNG_SELECT_ALL : CAPNG_SELECT_CAPS);
    if (!result && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        result = -1;
    if (result)
        snprintf(error, error_size, "capabilities cannot be dropped: %s", strerror(errno));
    return result ? -EPERM : 0;
}
