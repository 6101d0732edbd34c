/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The BPF programs of the socket layer: which of them this kernel takes, what each is for, and what its absence costs.
 *
 * hooks_new -> hooks_load -> hooks_attach -> hooks_free, which detaches all. Each program is taken on its own merits
 * (program_set.h). One thread.
 */
#ifndef WEFT_AGENT_HOOK_H
#define WEFT_AGENT_HOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "program_set.h"

struct hook_settings {
    uint32_t only_netns; /* 0: every network namespace */
    uint32_t ring_count; /* a power of two */
};

struct sock_bpf;
struct hooks;

int hooks_new(struct hooks **ret_hooks); /* negative errno */
void hooks_free(struct hooks *hooks);    /* NULL is fine */

/* May be called again after hooks_attach gave -EAGAIN. `error` says what failed and what to do. */
int hooks_load(struct hooks *hooks, const struct hook_settings *settings, char *error, size_t error_size);
struct sock_bpf *hooks_skeleton(struct hooks *hooks); /* valid until the next hooks_load */

/* -EAGAIN: a program could not be attached and its stand-ins are not loaded; load again. */
int hooks_attach(struct hooks *hooks, int cgroup_fd, char *error, size_t error_size);

/* Writes a record of each TCP connection that none was written of; returns how many found the ring full. Again tells
 * those. */
uint64_t hooks_tell_open(struct hooks *hooks);

/* Runs once more over every TCP socket, to tell what moved since its last record. */
void hooks_flush(struct hooks *hooks);

/* Operations and events that the kernel passed over because the same program was running on that CPU. */
uint64_t hooks_missed(const struct hooks *hooks);

const struct live_program *hooks_list(const struct hooks *hooks, size_t *ret_count);
/* How sends and receives are seen on this kernel. */
const char *hooks_path(const struct hooks *hooks);

#endif
