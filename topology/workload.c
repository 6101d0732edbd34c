/* SPDX-License-Identifier: Apache-2.0 */
#include "workload.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILTER_BITS = 16384 };

const char *workload_kind_name(enum workload_kind kind) {
    static const char *const names[] = {
        [WORKLOAD_PROCESS] = "process", [WORKLOAD_SERVICE] = "service", [WORKLOAD_CONTAINER] = "container",
        [WORKLOAD_POD] = "pod",         [WORKLOAD_ADDRESS] = "address", [WORKLOAD_GROUP] = "group",
    };
    return names[kind];
}

struct workload *workload_new(uint64_t id, enum workload_kind kind, const char *scope, const char *name) {
    struct workload *workload = calloc(1, sizeof(*workload) + strlen(scope) + strlen(name) + 2);
    if (!workload)
        return NULL;
    char *text = (char *)(workload + 1);
    memcpy(text, name, strlen(name) + 1);
    workload->name = text;
    workload->scope = memcpy(text + strlen(name) + 1, scope, strlen(scope) + 1);
    workload->executable = "";
    workload->id = id;
    workload->kind = kind;
    workload->changed = true;
    pthread_mutex_init(&workload->mutex, NULL);
    return workload;
}

/* The texts of a rename, behind a pointer to those of the one before. */
int workload_rename(struct workload *workload, const char *scope, const char *name, bool inferred) {
    const size_t length = strlen(name) + 1;
    char *block = malloc(sizeof(char *) + length + strlen(scope) + 1);
    if (!block)
        return -ENOMEM;
    char *text = block + sizeof(char *);
    memcpy(text, name, length);
    strcpy(text + length, scope);
    pthread_mutex_lock(&workload->mutex);
    memcpy(block, &workload->renamed, sizeof(char *));
    workload->renamed = block;
    __atomic_store_n(&workload->name, text, __ATOMIC_RELEASE);
    __atomic_store_n(&workload->scope, text + length, __ATOMIC_RELEASE);
    workload->inferred = inferred;
    workload->changed = true;
    pthread_mutex_unlock(&workload->mutex);
    return 0;
}

void workload_free(struct workload *workload) {
    if (!workload)
        return;
    for (char *block = workload->renamed, *before; block; block = before) {
        memcpy(&before, block, sizeof(char *));
        free(block);
    }
    pthread_mutex_destroy(&workload->mutex);
    free(workload->program);
    free(workload->instances);
    free(workload->seen);
    free(workload);
}

/* Copies `from` where `to` is empty; true if that changed it. */
static bool fill(char *to, size_t size, const char *from) {
    if (to[0] || !from[0])
        return false;
    snprintf(to, size, "%s", from);
    return true;
}

static bool merge_instance(struct workload_instance *known, const struct workload_instance *seen) {
    bool changed = fill(known->container_id, sizeof(known->container_id), seen->container_id);
    changed |= fill(known->pod, sizeof(known->pod), seen->pod);
    if (seen->container[0] && strcmp(known->container, seen->container)) { /* renamed, or known by now */
        memcpy(known->container, seen->container, sizeof(known->container));
        changed = true;
    }
    changed |= fill(known->image, sizeof(known->image), seen->image);
    known->last_seen_ns = seen->last_seen_ns;
    return changed;
}

/* Where a new instance goes: capacities are 1, 2, 4, 8, 16. */
static struct workload_instance *place_for_instance(struct workload *workload) {
    const unsigned count = workload->instance_count;
    if (count < WORKLOAD_INSTANCES) {
        if ((count & (count - 1)) == 0) {
            struct workload_instance *more =
                realloc(workload->instances, (count ? 2 * count : 1) * sizeof(*workload->instances));
            if (!more)
                return NULL;
            workload->instances = more;
        }
        return &workload->instances[workload->instance_count++];
    }
    struct workload_instance *oldest = workload->instances;
    for (unsigned i = 1; i < count; i++)
        if (workload->instances[i].last_seen_ns < oldest->last_seen_ns)
            oldest = &workload->instances[i];
    return oldest;
}

static struct workload_instance *find_instance(const struct workload *workload, uint64_t id) {
    for (unsigned i = 0; i < workload->instance_count; i++)
        if (workload->instances[i].id == id)
            return &workload->instances[i];
    return NULL;
}

/* Whether `id` is new to the filter; it may say no for one that is, never yes for one that is not. */
static bool first_seen(struct workload *workload, uint64_t id) {
    if (!workload->seen)
        workload->seen = calloc(FILTER_BITS / 64, sizeof(*workload->seen));
    if (!workload->seen)
        return false;
    uint64_t *word = &workload->seen[id % FILTER_BITS / 64], bit = 1ULL << id % 64;
    const bool first = !(*word & bit);
    *word |= bit;
    return first;
}

/* `instance` is not among those kept. */
static void add_instance(struct workload *workload, const struct workload_instance *instance) {
    const bool full = workload->instance_count == WORKLOAD_INSTANCES;
    struct workload_instance *place = place_for_instance(workload);
    if (!place)
        return;
    if (full)
        first_seen(workload, place->id);
    if (!full || first_seen(workload, instance->id))
        workload->instances_seen++;
    *place = *instance;
    workload->changed = true;
}

void workload_saw(struct workload *workload, const struct workload_instance *instance) {
    pthread_mutex_lock(&workload->mutex);
    struct workload_instance *known = find_instance(workload, instance->id);
    if (known)
        workload->changed |= merge_instance(known, instance);
    else
        add_instance(workload, instance);
    pthread_mutex_unlock(&workload->mutex);
}

static bool merge_program(struct workload_program *known, const struct workload_program *seen) {
    bool changed = fill(known->executable, sizeof(known->executable), seen->executable);
    if (strcmp(known->executable, seen->executable) != 0)
        return changed; /* another program of the same workload: the first one stands for it */
    changed |= fill(known->script, sizeof(known->script), seen->script);
    if (seen->build_id[0] && strcmp(known->build_id, seen->build_id) != 0) { /* a new version of it */
        memcpy(known->build_id, seen->build_id, sizeof(known->build_id));
        known->language[0] = known->language_version[0] = known->tls_library[0] = '\0';
        changed = true;
    }
    changed |= fill(known->language, sizeof(known->language), seen->language);
    changed |= fill(known->language_version, sizeof(known->language_version), seen->language_version);
    if (fill(known->tls_library, sizeof(known->tls_library), seen->tls_library)) {
        known->tls_reachable = seen->tls_reachable;
        changed = true;
    }
    return changed;
}

void workload_learn(struct workload *workload, const struct workload_program *program, const char *runtime) {
    pthread_mutex_lock(&workload->mutex);
    if (!workload->program)
        workload->program = calloc(1, sizeof(*workload->program));
    if (workload->program)
        workload->changed |= merge_program(workload->program, program);
    if (workload->program && workload->program->executable[0])
        workload->executable = workload->program->executable;
    workload->changed |= fill(workload->runtime, sizeof(workload->runtime), runtime);
    pthread_mutex_unlock(&workload->mutex);
}

bool workload_take_changed(struct workload *workload) {
    pthread_mutex_lock(&workload->mutex);
    const bool changed = workload->changed;
    workload->changed = false;
    pthread_mutex_unlock(&workload->mutex);
    return changed;
}

/* The lock is no part of what a reader sees. */
static pthread_mutex_t *lock_of(const struct workload *workload) {
    return (pthread_mutex_t *)&workload->mutex;
}

void workload_facts(const struct workload *workload, struct workload_facts *ret_facts) {
    *ret_facts = (struct workload_facts){0};
    pthread_mutex_lock(lock_of(workload));
    if (workload->program)
        ret_facts->program = *workload->program;
    memcpy(ret_facts->runtime, workload->runtime, sizeof(ret_facts->runtime));
    ret_facts->instance_count = workload->instance_count;
    ret_facts->instances_more = workload->instances_seen - workload->instance_count;
    if (workload->instance_count)
        memcpy(ret_facts->instances, workload->instances, workload->instance_count * sizeof(*workload->instances));
    pthread_mutex_unlock(lock_of(workload));
}

bool workload_instance(const struct workload *workload, uint64_t id, struct workload_instance *ret_instance) {
    pthread_mutex_lock(lock_of(workload));
    const struct workload_instance *known = find_instance(workload, id);
    if (known)
        *ret_instance = *known;
    pthread_mutex_unlock(lock_of(workload));
    return known != NULL;
}
