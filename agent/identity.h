/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who owns a socket: from the kernel's stamp (process, start time, cgroup) to a workload; and who is at an address.
 *
 * Life cycle: identity_new -> identity_saw_exec / identity_saw_cgroup as events arrive -> identity_resolve once per
 * connection -> identity_free. Workloads are interned: a pointer returned stays valid until identity_free. Tables are
 * bounded; what finds them full is named `other` and counted. Thread safe: one mutex, asked per connection and never
 * per call, and not held while files are read.
 *
 * A name is the first that exists: a rule of the configuration; OTEL_SERVICE_NAME; the pod's owner; the compose
 * service or the container's name; the systemd service; what an interpreter runs; the executable. docs/names.md tells
 * where each comes from. A container whose name is not known yet goes by the first 12 digits of its id; when the name
 * is learnt, the same workload takes it.
 */
#ifndef WEFT_AGENT_IDENTITY_H
#define WEFT_AGENT_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/cgroup.h"
#include "agent/rules.h"
#include "topology/workload.h"

struct owner {
    uint32_t tgid; /* in the initial pid namespace */
    uint32_t netns;
    uint64_t start_time_ns;
    uint64_t cgroup_id;
    char comm[16];
};

struct identity_options {
    const char *host;          /* NULL: gethostname */
    const char *docker_socket; /* NULL: /var/run/docker.sock; "": never asked */
    const char *root;          /* NULL: "/"; where the files of runtimes and kubelet are */
    const struct name_rule *rules;
    size_t rule_count;
    size_t names_max;                    /* workloads; every other table is in proportion. 0: 16384 */
    const char *mmdb_asn, *mmdb_country; /* files; NULL: none */
};

struct identity;
int identity_new(const struct identity_options *options, struct identity **ret_identity); /* negative errno */
void identity_free(struct identity *identity);

void identity_saw_exec(struct identity *identity, uint32_t tgid, uint64_t start_time_ns, const char *executable,
                       const char *arguments, size_t arguments_length); /* arguments: NUL-separated, may be cut */
void identity_saw_cgroup(struct identity *identity, uint64_t cgroup_id, const char *path);
/* `ret_instance` (may be NULL): which of the workload's instances it is. */
const struct workload *identity_resolve(struct identity *identity, const struct owner *owner, uint64_t *ret_instance);

/* Family 4 or 6, network order, here and below. That owner has a socket bound to this address. */
void identity_saw_address(struct identity *identity, const struct owner *owner, const uint8_t *address, int family);
/* A DNS answer: that address is `host`'s (no zero byte at its end). */
void identity_learned_name(struct identity *identity, const char *host, size_t host_length, const uint8_t *address,
                           int family, uint32_t ttl_s);

/* A server that is not a socket of this host: who has the address, a name learnt for it, or address and port. */
const struct workload *identity_server_address(struct identity *identity, const uint8_t *address, int family,
                                               uint16_t port, uint64_t *ret_instance, bool *ret_stale);
/*
 * A client that is not a socket of this host: who has the address, a name learnt for it, or a group: private
 * addresses by /24 and /64, public ones by autonomous system and country if there is a file that knows, else
 * "internet".
 */
const struct workload *identity_client_address(struct identity *identity, const uint8_t *address, int family,
                                               uint64_t *ret_instance, bool *ret_stale);

/* Calls back for each workload that is new or changed since this was last asked. One thread. */
void identity_changed(struct identity *identity, void (*callback)(void *context, const struct workload *workload),
                      void *context);
/* The same for every workload. */
void identity_each(struct identity *identity, void (*callback)(void *context, const struct workload *workload),
                   void *context);
/* Once a window: files that were replaced are read. */
void identity_tick(struct identity *identity);

/* What is wrong with a source of names and what to do; empty when nothing is. */
void identity_warning(struct identity *identity, char *ret_text, size_t size);

struct identity_losses {
    uint64_t names_overflowed;  /* named `other` because the table of workloads was full */
    uint64_t programs_not_read; /* programs whose file was not looked at because too many waited */
};
void identity_losses(struct identity *identity, struct identity_losses *ret_losses);

/* Waits until the background has looked at every program seen so far; for tests. */
void identity_settle(struct identity *identity);

#endif
