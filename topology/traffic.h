/* SPDX-License-Identifier: Apache-2.0 */
/* How much of all traffic is counted but not read, and why. Cumulative; a connection or byte has at most one reason. */
#ifndef WEFT_TOPOLOGY_TRAFFIC_H
#define WEFT_TOPOLOGY_TRAFFIC_H

#include <stdint.h>

enum opaque_reason {
    OPAQUE_TLS,        /* encrypted */
    OPAQUE_UNKNOWN,    /* bytes were shown, and no protocol knows them */
    OPAQUE_UNSEEN,     /* it moved by ways on which no hook shows it: splice, zero copy, io_uring */
    OPAQUE_UNREADABLE, /* the hook ran and could not read the bytes */
    OPAQUE_LOST,       /* the ring was full when the first bytes came */
    OPAQUE_REASONS
};

struct traffic_sum {
    uint64_t connections, bytes;
};

/* UDP sessions count as connections. */
struct traffic {
    struct traffic_sum all, opaque[OPAQUE_REASONS];
};

const char *opaque_reason_name(enum opaque_reason reason); /* as in records */

#endif
