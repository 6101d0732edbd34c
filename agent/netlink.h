/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions to the kernel over rtnetlink: one message out, its answers in. A socket belongs to the network namespace in
 * which its thread was when it was opened, and to one thread at a time.
 */
#ifndef WEFT_AGENT_NETLINK_H
#define WEFT_AGENT_NETLINK_H

#include <libmnl/libmnl.h>
#include <stddef.h>
#include <stdint.h>

enum { NETLINK_MESSAGE_BYTES = 1024 }; /* enough for each question that weft asks */

/* In the namespace of the calling thread; the kernel checks messages strictly. NULL: errno says why. */
struct mnl_socket *netlink_open(void);

/* A message begun in `buffer`, of NETLINK_MESSAGE_BYTES; netlink_ask adds NLM_F_REQUEST. */
struct nlmsghdr *netlink_begin(void *buffer, uint16_t type, uint16_t flags);

/*
 * Sends, and calls back for each answer up to the last (`callback` may be NULL; MNL_CB_OK goes on). Negative errno,
 * the kernel's own; -EINTR: a dump of what changed meanwhile, to be asked for again.
 */
int netlink_ask(struct mnl_socket *socket, struct nlmsghdr *message, mnl_cb_t callback, void *context);
/* The same for a dump, asked for again while it is interrupted; `callback` then sees some of it twice. */
int netlink_dump(struct mnl_socket *socket, struct nlmsghdr *message, mnl_cb_t callback, void *context);

/* The attributes of one kind that a message or a nest has, by type, up to `most`; those that are not there are NULL. */
void netlink_attributes(const void *attributes, size_t size, const struct nlattr **ret_table, uint16_t most);

#endif
