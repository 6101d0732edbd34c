/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What connection tracking rewrites, read from the kernel through netlink: connections whose answers do not simply
 * come the way back (DNAT, SNAT, masquerade), with both their tuples.
 *
 * conntrack_new opens the socket in the network namespace of the thread that calls it, with CAP_NET_ADMIN; reading
 * needs that capability once more where the kernel asks for it. One object for each namespace; one thread each.
 * A kernel without connection tracking is no error: there is nothing to show.
 */
#ifndef WEFT_AGENT_CONNTRACK_H
#define WEFT_AGENT_CONNTRACK_H

#include <stddef.h>
#include <stdint.h>

#include "topology/flows.h"

struct conntrack;
/* `netns`: inode of the namespace, for what is shown. -ENOSYS, -EPROTONOSUPPORT: this kernel cannot be asked. */
int conntrack_new(uint32_t netns, struct conntrack **ret_conntrack);
void conntrack_free(struct conntrack *conntrack); /* NULL is fine */

/*
 * Shows every pair that is rewritten, TCP, UDP, ICMP or SCTP, over IPv4 and IPv6. Negative errno if the kernel did not
 * tell all; -EINTR: the table changed while it was told, and what changed may be missing.
 */
int conntrack_show(struct conntrack *conntrack, void (*visit)(void *context, const struct nat_pair *pair),
                   void *context);

/* One message of the kernel's, for tests: 1 and `ret_pair` if it is a pair that is rewritten, else 0. */
int conntrack_parse(const void *message, size_t size, struct nat_pair *ret_pair);

#endif
