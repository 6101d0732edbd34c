/* SPDX-License-Identifier: Apache-2.0 */
/* What one rtnetlink message says of an interface. Pure: no I/O. */
#ifndef WEFT_AGENT_LINK_H
#define WEFT_AGENT_LINK_H

#include <stdbool.h>
#include <stdint.h>

struct nlmsghdr;

struct link {
    uint32_t ifindex;
    char name[16];
    char kind[16]; /* IFLA_INFO_KIND, else "loopback" or "physical" */
    uint32_t master, mtu;
    uint32_t peer;                 /* ifindex of a veth's other end; 0: none */
    int32_t peer_nsid;             /* the peer's namespace, as the interface's own numbers it; -1: the same one */
    bool xdp;                      /* an XDP program is at it: what that keeps is not seen behind it */
    uint64_t packets[2], bytes[2]; /* by enum flow_way, as the interface counts */
};

/* False: the message is not about an interface itself (a bridge tells of its ports with the same types). */
bool link_read(const struct nlmsghdr *message, struct link *ret_link);

#endif
