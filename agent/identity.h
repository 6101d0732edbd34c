/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who owns a socket: from the kernel's stamp (process, start time, cgroup) to a name.
 *
 * Life cycle: identity_new -> identity_saw_exec / identity_saw_cgroup as events arrive -> identity_resolve once per
 * connection -> identity_free. Names are interned: a `struct workload` returned stays valid until identity_free.
 * Tables are bounded; what finds them full is named `other` and counted. Thread safe (one mutex; asked per
 * connection, never per call).
 *
 * A name is the first that exists: OTEL_SERVICE_NAME; Kubernetes or compose labels; the container's name (Docker's
 * socket) or short id; the systemd service; for an interpreter the script, jar or module it runs; the executable.
 */
#ifndef WEFT_AGENT_IDENTITY_H
#define WEFT_AGENT_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "topology/workload.h"

/* What a cgroup path says; a pure function, so that a table test covers every layout. */
struct cgroup_name {
    enum workload_kind kind; /* WORKLOAD_PROCESS: the path names nothing */
    char runtime[16];        /* docker, containerd, cri-o, podman, ... */
    char container_id[65];   /* full id, lower-case hex; empty if none */
    char pod_uid[37];        /* with dashes; empty if none */
    char service[128];       /* systemd service without ".service" */
};
void cgroup_name_parse(const char *path, struct cgroup_name *ret_name);

struct owner {
    uint32_t tgid; /* in the initial pid namespace */
    uint64_t start_time_ns;
    uint64_t cgroup_id;
    char comm[16];
};

struct identity_options {
    const char *host;          /* NULL: gethostname */
    const char *docker_socket; /* NULL: /var/run/docker.sock; "": never asked */
};

struct identity;
int identity_new(const struct identity_options *options, struct identity **ret_identity); /* negative errno */
void identity_free(struct identity *identity);

void identity_saw_exec(struct identity *identity, uint32_t tgid, uint64_t start_time_ns, const char *executable,
                       const char *arguments, size_t arguments_length); /* arguments: NUL-separated, may be cut */
void identity_saw_cgroup(struct identity *identity, uint64_t cgroup_id, const char *path);
/* `ret_instance` (may be NULL): which of the workload's instances it is. */
const struct workload *identity_resolve(struct identity *identity, const struct owner *owner, uint64_t *ret_instance);
/* family 4 or 6, network order. A name learnt for the address, else the address (and port), interned. */
const struct workload *identity_server_address(struct identity *identity, const uint8_t *address, int family,
                                               uint16_t port);
/* Unresolved clients are grouped: private by /24 and /64, public as "internet". */
const struct workload *identity_client_address(struct identity *identity, const uint8_t *address, int family);

/* What is wrong with a source of names and what to do; empty when nothing is. */
void identity_warning(struct identity *identity, char *ret_text, size_t size);
uint64_t identity_overflowed(struct identity *identity); /* names folded into `other` because a table was full */

#endif
