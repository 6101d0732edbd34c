/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is known of a process from /proc and from its exec: which program, under which name, in which cgroup.
 *
 * process_name is pure. process_read asks /proc, some 100 us: once per process, never per call. Any thread.
 */
#ifndef WEFT_AGENT_PROCESS_H
#define WEFT_AGENT_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/cgroup.h"

enum { PROCESS_ARGUMENTS = 192 };

/* What was told of an exec; it outlives the process. */
struct process_exec {
    char filename[128]; /* as executed; of a script, the script */
    uint32_t length;
    char arguments[PROCESS_ARGUMENTS + 1]; /* separated and ended by zero bytes, may be cut */
};

struct process_facts {
    char executable[256];   /* path in its own mount namespace */
    char name[64];          /* what it goes by; empty if unknown */
    char script[96];        /* what an interpreter runs; empty if none */
    char service_name[128]; /* OTEL_SERVICE_NAME */
    char cgroup_path[240];
    struct cgroup_name cgroup;
    uint64_t device, inode, changed_ns; /* of the executable; 0 if not known */
};

/* Where the words for a name come from. */
struct process_words {
    const char *executable; /* "" if not known */
    const char *filename;   /* as executed; "" if not seen */
    const char *arguments;  /* separated and ended by zero bytes */
    size_t length;
    /* Whether `path`, as that process finds it, is the file it runs. May be NULL: then nothing is. */
    bool (*runs)(void *context, const char *path);
    void *context;
};

/*
 * The name of a program: what an interpreter runs, else the name under which it was started (`redis-server` may be a
 * link to `redis-check-rdb`) if that is the file it runs, else the executable's.
 */
void process_name(const struct process_words *words, char ret_name[static 64], char ret_script[static 96]);

/* `start_time_ns` 0: not known, any process of that number will do. */
bool process_runs(uint32_t pid, uint64_t start_time_ns);
/* `exec` may be NULL. False if the process is gone: then the facts are those of its exec. */
bool process_read(uint32_t pid, uint64_t start_time_ns, const struct process_exec *exec,
                  struct process_facts *ret_facts);

/* Opens a file as the process sees it, without following links out of its root. Descriptor, or negative errno. */
int process_open(uint32_t pid, const char *path, int flags);

#endif
