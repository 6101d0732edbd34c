/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/programs.h"
#include "agent/cache.h"
#include "agent/elf.h"
#include "agent/text.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

#ifndef FUSE_SUPER_MAGIC
#define FUSE_SUPER_MAGIC 0x65735546
#endif

enum { QUEUE = 256, FILES = 1024, MAPS_LINES = 65536 };

struct job {
    struct workload *workload;
    uint32_t pid;
    uint64_t start_time_ns, device, inode, changed_ns;
    int64_t due_s; /* CLOCK_MONOTONIC */
    bool again;
    char executable[256], script[96];
};

struct file {
    struct cache_slot slot;
    struct workload_program program;
};

struct programs {
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool stop, busy;
    struct job jobs[QUEUE];
    size_t count;
    uint64_t refused;
    struct cache files; /* the thread's own */
};

/* ---- one process ---- */

static bool may_be_read(int fd) {
    struct stat file;
    struct statfs system;
    /* A file system in userspace may never answer. */
    return fstat(fd, &file) == 0 && S_ISREG(file.st_mode) && fstatfs(fd, &system) == 0 &&
           system.f_type != FUSE_SUPER_MAGIC;
}

static void read_file(struct programs *programs, const struct job *job, struct workload_program *program) {
    char link[64];
    bool made;
    const uint64_t key[3] = {job->device, job->inode, job->changed_ns};
    struct file *file = cache_add(&programs->files, XXH3_64bits(key, sizeof key), &made);
    if (made) {
        snprintf(link, sizeof link, "/proc/%u/exe", job->pid);
        const int fd = open(link, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        text_copy(file->program.executable, sizeof file->program.executable, job->executable);
        if (fd >= 0 && may_be_read(fd))
            elf_read(fd, &file->program);
        else
            cache_remove(&programs->files, file);
        if (fd >= 0)
            close(fd);
    }
    *program = file->program;
    text_copy(program->executable, sizeof program->executable, job->executable);
    text_copy(program->script, sizeof program->script, job->script);
}

/* JAVA_VERSION="17.0.15" in the file `release` beside the folder that libjvm.so's folder is in. */
static void read_java_release(const struct job *job, const char *jvm, struct workload_program *program) {
    char path[512], line[256];
    const char *lib = strstr(jvm, "/lib/");
    if (!lib)
        return;
    snprintf(path, sizeof path, "%.*s/release", (int)(lib - jvm < 400 ? lib - jvm : 400), jvm);
    const int fd = process_open(job->pid, path, O_RDONLY | O_NONBLOCK);
    if (fd < 0)
        return;
    FILE *release = may_be_read(fd) ? fdopen(fd, "r") : NULL;
    if (!release) {
        close(fd);
        return;
    }
    for (int i = 0; i < 64 && fgets(line, sizeof line, release); i++)
        if (sscanf(line, "JAVA_VERSION=\"%23[0-9._+]", program->language_version) == 1)
            break;
    fclose(release);
}

static void saw_library(const struct job *job, const char *path, struct workload_program *program) {
    char language[12], version[24];
    const char *tls = elf_tls_library(path);
    if (tls && !program->tls_library[0]) {
        const int fd = process_open(job->pid, path, O_RDONLY | O_NONBLOCK);
        text_copy(program->tls_library, sizeof program->tls_library, tls);
        program->tls_reachable = fd >= 0 && may_be_read(fd) && elf_exports_tls(fd);
        if (fd >= 0)
            close(fd);
    }
    if (!elf_runtime_of(path, language, version))
        return;
    /* The file that was executed knows its own version best. */
    if (strcmp(program->language, language) != 0) {
        memcpy(program->language, language, sizeof language);
        program->language_version[0] = '\0';
    }
    if (!program->language_version[0])
        memcpy(program->language_version, version, sizeof version);
    if (strcmp(language, "java") == 0 && !program->language_version[0])
        read_java_release(job, path, program);
}

static void read_maps(const struct job *job, struct workload_program *program) {
    char name[64], last[512] = "";
    char *line = NULL;
    size_t size = 0;
    snprintf(name, sizeof name, "/proc/%u/maps", job->pid);
    FILE *maps = fopen(name, "re");
    for (int i = 0; maps && i < MAPS_LINES && getline(&line, &size, maps) > 0; i++) {
        char *path = strchr(line, '/');
        if (!path)
            continue;
        path[strcspn(path, "\n")] = '\0';
        if (strcmp(path, last) == 0)
            continue;
        text_copy(last, sizeof last, path);
        saw_library(job, last, program);
    }
    free(line);
    if (maps)
        fclose(maps);
}

static void look(struct programs *programs, const struct job *job) {
    struct workload_program program = {0};
    if (!process_runs(job->pid, job->start_time_ns))
        return;
    read_file(programs, job, &program);
    read_maps(job, &program);
    workload_learn(job->workload, &program, "");
    if (program.tls_library[0] || job->again)
        return;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    pthread_mutex_lock(&programs->mutex);
    if (programs->count < QUEUE) {
        programs->jobs[programs->count] = *job;
        programs->jobs[programs->count].again = true;
        programs->jobs[programs->count++].due_s = now.tv_sec + PROGRAMS_AGAIN_S;
    }
    pthread_mutex_unlock(&programs->mutex);
}

/* ---- the thread ---- */

/* The job that is due first, or NULL. */
static struct job *next_job(struct programs *programs) {
    struct job *next = NULL;
    for (size_t i = 0; i < programs->count; i++)
        if (!next || programs->jobs[i].due_s < next->due_s)
            next = &programs->jobs[i];
    return next;
}

/* With the mutex held: sleeps until a job is due; false when it is time to stop. */
static bool wait_for_job(struct programs *programs, struct job *ret_job) {
    while (!programs->stop) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        struct job *next = next_job(programs);
        if (next && next->due_s <= now.tv_sec) {
            *ret_job = *next;
            *next = programs->jobs[--programs->count];
            return true;
        }
        const struct timespec due = {.tv_sec = next ? next->due_s : 0};
        if (next)
            pthread_cond_timedwait(&programs->changed, &programs->mutex, &due);
        else
            pthread_cond_wait(&programs->changed, &programs->mutex);
    }
    return false;
}

static void *work(void *context) {
    struct programs *programs = context;
    struct job job;
    pthread_mutex_lock(&programs->mutex);
    while (wait_for_job(programs, &job)) {
        programs->busy = true;
        pthread_mutex_unlock(&programs->mutex);
        look(programs, &job);
        pthread_mutex_lock(&programs->mutex);
        programs->busy = false;
        pthread_cond_broadcast(&programs->changed);
    }
    pthread_mutex_unlock(&programs->mutex);
    return NULL;
}

int programs_new(struct programs **ret_programs) {
    struct programs *programs = calloc(1, sizeof *programs);
    if (!programs || cache_new(&programs->files, FILES, sizeof(struct file)) < 0) {
        free(programs);
        return -ENOMEM;
    }
    pthread_condattr_t clock;
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&programs->changed, &clock);
    pthread_condattr_destroy(&clock);
    pthread_mutex_init(&programs->mutex, NULL);
    const int error = -pthread_create(&programs->thread, NULL, work, programs);
    if (error < 0) {
        cache_done(&programs->files);
        free(programs);
        return error;
    }
    *ret_programs = programs;
    return 0;
}

void programs_free(struct programs *programs) {
    if (!programs)
        return;
    pthread_mutex_lock(&programs->mutex);
    programs->stop = true;
    pthread_cond_broadcast(&programs->changed);
    pthread_mutex_unlock(&programs->mutex);
    pthread_join(programs->thread, NULL);
    pthread_cond_destroy(&programs->changed);
    pthread_mutex_destroy(&programs->mutex);
    cache_done(&programs->files);
    free(programs);
}

void programs_look(struct programs *programs, struct workload *workload, uint32_t pid, uint64_t start_time_ns,
                   const struct process_facts *facts) {
    if (!programs || !facts->inode)
        return;
    struct job job = {.workload = workload,
                      .pid = pid,
                      .start_time_ns = start_time_ns,
                      .device = facts->device,
                      .inode = facts->inode,
                      .changed_ns = facts->changed_ns};
    text_copy(job.executable, sizeof job.executable, facts->executable);
    text_copy(job.script, sizeof job.script, facts->script);
    pthread_mutex_lock(&programs->mutex);
    if (programs->count < QUEUE) {
        programs->jobs[programs->count++] = job;
        pthread_cond_broadcast(&programs->changed);
    } else {
        programs->refused++;
    }
    pthread_mutex_unlock(&programs->mutex);
}

static bool is_quiet(struct programs *programs) {
    for (size_t i = 0; i < programs->count; i++)
        if (!programs->jobs[i].again)
            return false;
    return !programs->busy;
}

void programs_wait(struct programs *programs) {
    pthread_mutex_lock(&programs->mutex);
    while (!is_quiet(programs))
        pthread_cond_wait(&programs->changed, &programs->mutex);
    pthread_mutex_unlock(&programs->mutex);
}

uint64_t programs_refused(struct programs *programs) {
    pthread_mutex_lock(&programs->mutex);
    const uint64_t refused = programs->refused;
    pthread_mutex_unlock(&programs->mutex);
    return refused;
}
