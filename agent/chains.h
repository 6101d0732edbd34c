/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which chains of a network namespace can have dropped a packet at a netfilter hook: nftables' base chains and the
 * tables of iptables-legacy, as far as a drop can be reached from them: a rule or a policy that drops, a REJECT, a
 * queue, a verdict map, in the chain itself or in one that it jumps to.
 *
 * chains_read asks the kernel, in the namespace of the calling thread, with CAP_NET_ADMIN and CAP_NET_RAW. What it
 * returns does not change and may be read from any thread. Rules may change after it was read.
 */
#ifndef WEFT_AGENT_CHAINS_H
#define WEFT_AGENT_CHAINS_H

#include <stdint.h>

struct chains;
int chains_read(struct chains **ret_chains); /* negative errno; a kernel without either is none: there are no chains */
void chains_free(struct chains *chains);     /* NULL is fine */

/*
 * At this hook (enum drop_hook of bpf/flow.h) for packets of family 4 or 6: "filter INPUT", "one of raw PREROUTING,
 * inet shield early"; NULL: none is known. As long as `chains`.
 */
const char *chains_at(const struct chains *chains, uint8_t family, uint8_t hook);

#endif
