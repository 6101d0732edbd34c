/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One agent for each scope: a second one would see the same sockets, and its records would count everything twice.
 *
 * A claim is a BPF map of one entry, found by its name through the kernel's list of maps. That list is one for the
 * whole machine, whatever mount, network or pid namespace an agent lives in, and an entry is gone with the process that
 * held it, however it ended: no stale file, no socket that only one namespace sees. Two that start at once both see
 * both; the one whose map has the lower id stays.
 */
#ifndef WEFT_AGENT_CLAIM_H
#define WEFT_AGENT_CLAIM_H

#include <stddef.h>
#include <stdint.h>

/* Network namespaces are their inode's number; CLAIM_HOST overlaps all of them. */
enum { CLAIM_HOST = 0 };

/*
 * Before programs are loaded. The claim lasts until `ret_claim` is closed. -EBUSY: another agent's scope overlaps;
 * `error` has its pid. -EPERM: it cannot be known (CAP_BPF and CAP_SYS_ADMIN are needed); `error` says so.
 */
int claim_new(uint32_t netns, int *ret_claim, char *error, size_t error_size);

/*
 * Without claiming anything: 0 if no running agent's scope overlaps, -EBUSY with its pid, or -EPERM as above. For
 * CLAIM_HOST, any agent does.
 */
int claim_look(uint32_t netns, uint32_t *ret_pid);

/* Of the process. 0: not known. */
uint32_t claim_own_netns(void);

#endif
