/* SPDX-License-Identifier: Apache-2.0 */
/* How topology/ learns names: its questions, put to identity. Any thread. */
#ifndef WEFT_AGENT_NAMES_H
#define WEFT_AGENT_NAMES_H

#include "identity.h"
#include "live.h"
#include "packet_side.h"
#include "topology/connection.h"

struct names {
    struct identity *identity;
    struct live *live;
    struct packet_side *packets; /* NULL: off */
    uint32_t own_netns;          /* the agent's */
};

struct namer names_for(struct names *names); /* `names` must outlive it */
void names_drain(struct names *names);       /* what the kernel told of processes and containers goes to identity */

#endif
