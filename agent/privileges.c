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
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { CONFINED_MAX = 4 };

static pthread_mutex_t confined_lock = PTHREAD_MUTEX_INITIALIZER;
static pid_t confined[CONFINED_MAX];
static unsigned confined_count;

static bool is_confined(pid_t thread) {
    bool found = false;
    pthread_mutex_lock(&confined_lock);
    for (unsigned i = 0; i < confined_count; i++)
        found |= confined[i] == thread;
    pthread_mutex_unlock(&confined_lock);
    return found;
}

/* Other threads than this one and those that were confined. */
static unsigned thread_count(void) {
    unsigned count = 0;
    DIR *folder = opendir("/proc/self/task");
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        pid_t thread = (pid_t)strtol(entry->d_name, NULL, 10);
        count += thread && thread != gettid() && !is_confined(thread);
    }
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
    for (int i = 0; threads && i < 100; i++) {
        nanosleep(&moment, NULL);
        threads = thread_count();
    }
    return threads;
}

/* For this thread alone: `wanted` as far as it is there, nothing else, and nothing more by what it executes. */
static int keep_only(bool wanted[CAP_LAST_CAP + 1], char *error, size_t error_size) {
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

int privileges_confine(const unsigned *capabilities, size_t count, char *error, size_t error_size) {
    bool wanted[CAP_LAST_CAP + 1] = {false};
    for (size_t i = 0; i < count; i++)
        wanted[capabilities[i]] = true;
    int result = keep_only(wanted, error, error_size);
    if (result)
        return result;
    pthread_mutex_lock(&confined_lock);
    if (confined_count < CONFINED_MAX)
        confined[confined_count++] = gettid();
    pthread_mutex_unlock(&confined_lock);
    return 0;
}

int privileges_drop(const struct privileges *privileges, char *error, size_t error_size) {
    unsigned threads = threads_left();
    if (threads) {
        snprintf(error, error_size, "capabilities cannot be dropped: %u other threads run already", threads);
        return -EBUSY;
    }
    bool wanted[CAP_LAST_CAP + 1] = {[CAP_SYS_PTRACE] = true, [CAP_DAC_READ_SEARCH] = true};
    wanted[CAP_BPF] = maps_need_capability();
    wanted[CAP_NET_BIND_SERVICE] = privileges->low_port;
    wanted[CAP_DAC_OVERRIDE] = privileges->writes_any;
    return keep_only(wanted, error, error_size);
}
