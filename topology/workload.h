/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A workload: the named thing that owns sockets, and its instances (processes, or containers where there are some).
 *
 * Agents make workloads (agent/identity.h interns them), edges point to them, sinks read them. A workload lives as long
 * as the identity that made it. `id` and `kind` never change. `name` and `scope` are pointers that may be replaced by
 * better ones; the text behind an older pointer stays valid. Everything else is read through the functions, which
 * copy under the workload's own lock: any thread.
 */
#ifndef WEFT_TOPOLOGY_WORKLOAD_H
#define WEFT_TOPOLOGY_WORKLOAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum workload_kind {
    WORKLOAD_PROCESS,
    WORKLOAD_SERVICE,
    WORKLOAD_CONTAINER,
    WORKLOAD_POD,
    WORKLOAD_ADDRESS, /* a remote server */
    WORKLOAD_GROUP    /* remote clients */
};

enum { WORKLOAD_INSTANCES = 16 };

/* One process, or one container. Text is empty and numbers are 0 where nothing is known. */
struct workload_instance {
    uint64_t id;            /* of the container, or of pid and start time; never 0 */
    uint64_t start_time_ns; /* since boot, of the process first seen */
    uint64_t last_seen_ns;  /* CLOCK_MONOTONIC, when it last opened a connection */
    uint32_t pid;           /* of the process first seen, in the initial pid namespace */
    char container_id[65];
    char container[64]; /* its name */
    char pod[64];
    char image[96];
};

/* What is known of the program, from its first instance. */
struct workload_program {
    char executable[256];
    char script[128];  /* what an interpreter runs: script, jar or module */
    char build_id[41]; /* lower-case hex */
    char language[12]; /* go, java, node, python, dotnet, rust, ruby, php, ... */
    char language_version[24];
    char tls_library[12]; /* openssl, gnutls, nss, boringssl, go, rustls, ... */
    bool tls_reachable;   /* its symbols can be found */
};

struct workload {
    uint64_t id; /* hash of kind, scope and name, and of the host for processes and services */
    enum workload_kind kind;
    const char *name;
    const char *scope;      /* Kubernetes namespace or compose project; "" if none */
    const char *executable; /* of the first instance; "" if not known */
    bool inferred;          /* the name is a pod's owner, deduced from the pod's name */
    /* Behind the lock: use the functions. */
    pthread_mutex_t mutex;
    struct workload_program *program;
    char runtime[16];
    struct workload_instance *instances;
    unsigned instance_count;
    uint64_t instances_seen;
    char *renamed;  /* texts of `name` and `scope` after the first, chained so that all stay valid */
    uint64_t *seen; /* a filter of those that were put out, so that they are counted once */
    bool changed;
};

const char *workload_kind_name(enum workload_kind kind);

/* All of it, as of now. */
struct workload_facts {
    struct workload_program program;
    char runtime[16]; /* docker, containerd, cri-o, podman, ...: of its containers */
    struct workload_instance instances[WORKLOAD_INSTANCES]; /* those seen last */
    unsigned instance_count;
    uint64_t instances_more; /* at least as many were seen besides */
};
void workload_facts(const struct workload *workload, struct workload_facts *ret_facts);

/* False if that instance is not among those kept. */
bool workload_instance(const struct workload *workload, uint64_t id, struct workload_instance *ret_instance);

/* For whoever makes workloads. workload_new copies its arguments; NULL without memory. */
struct workload *workload_new(uint64_t id, enum workload_kind kind, const char *scope, const char *name);
void workload_free(struct workload *workload);
/* The instance seen; the one seen longest ago makes room for a new one. Fields that were empty are filled in. */
void workload_saw(struct workload *workload, const struct workload_instance *instance);
/* Fills in what is empty, and replaces the build id and what goes with it when the executable is the same. */
void workload_learn(struct workload *workload, const struct workload_program *program, const char *runtime);
/* A better name, and the same workload. -ENOMEM leaves the old one. */
int workload_rename(struct workload *workload, const char *scope, const char *name, bool inferred);
/* Whether anything but last_seen_ns changed since this was last asked. */
bool workload_take_changed(struct workload *workload);

#endif
