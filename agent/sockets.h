/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where each socket stands, with what is known of its owner: is it frozen (a paused container) or stopped?
 *
 * sockets_new finds where cgroups say that they are frozen. sockets_show asks the kernel for every socket, some
 * microseconds each, so it is for when somebody looks. One thread.
 */
#ifndef WEFT_AGENT_SOCKETS_H
#define WEFT_AGENT_SOCKETS_H

#include "topology/flows.h"

struct packets;
struct sockets;
int sockets_new(struct sockets **ret_sockets); /* -ENOMEM */
void sockets_free(struct sockets *sockets);    /* NULL is fine */

/* Each socket once. Negative errno as packets_sockets gives it. */
int sockets_show(struct sockets *sockets, struct packets *packets,
                 void (*visit)(void *context, const struct socket_view *socket), void *context);

#endif
