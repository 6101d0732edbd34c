/* SPDX-License-Identifier: Apache-2.0 */
/* What an answer to "A to B" is made of. Private to topology/path*.c; under the mutex of flows. */
#ifndef WEFT_TOPOLOGY_PATH_PARTS_H
#define WEFT_TOPOLOGY_PATH_PARTS_H

#include "flow_store.h"
#include "path.h"

enum { PATH_TRAILS_MAX = 256, PATH_PARTS_MAX = 4, PATH_CAUSES_MAX = 8, PATH_TEXT_LENGTH = 640 };

enum path_code {
    PATH_OK,
    PATH_DROPPED,
    PATH_REJECTED,
    PATH_NO_ROUTE,
    PATH_NO_LISTENER,
    PATH_NO_ANSWER,
    PATH_LISTEN_QUEUE_FULL,
    PATH_PEER_STALLED,
    PATH_MTU,
    PATH_LOSS,
    PATH_RESET,
    PATH_NOT_SEEN,
    PATH_CODES
};
const char *path_code_name(enum path_code code);

/* Connections between the same two, the one that tells most first. */
struct path_part {
    struct flow_trail *trails[PATH_TRAILS_MAX];
    unsigned count;
    size_t found; /* beyond the limit, too */
};

/* Something that stands in the way, at one place. */
struct path_cause {
    enum path_code code;
    const struct flow_entry *hop; /* after which; NULL: before the first, or not known */
    const struct flow_drop *drop; /* NULL: not a drop */
    bool forward;
    uint64_t packets, of; /* lost, of how many; 0: not known */
    char text[256];
};

struct path_finding {
    enum path_code code;
    unsigned part;
    const struct flow_entry *hop;
    bool forward;
    bool pending; /* too young to tell */
    char text[PATH_TEXT_LENGTH];
    struct path_cause causes[PATH_CAUSES_MAX];
    unsigned cause_count;
};

/* path_select.c */
bool path_matches(struct flows *flows, struct flow_trail *trail, int side, const char *text);
/* Newest first; those that moved since `since`. */
void path_select(struct flows *flows, const char *from, const char *to, uint64_t since, struct path_part *ret_part);
/* The connection that the server of `trail`, a proxy, has opened for it; NULL: none is known. */
struct flow_trail *path_behind(struct flows *flows, const struct flow_trail *trail, const char *to);

/* path_finding.c: one connection; path_judge.c: all of a part, whose first one is then the one that the finding is of.
 */
void path_find_one(struct flows *flows, struct flow_trail *trail, struct path_finding *ret_finding);
void path_say_drop(const struct flows *flows, const struct flow_trail *trail, struct path_cause *cause);
void path_take_main(struct path_finding *finding); /* the cause that it is called after comes first */
void path_judge(struct flows *flows, struct path_part *part, struct path_finding *ret_finding);

/* path_facts.c */
struct path_facts {
    struct flow_trail *trail;
    const struct flow_entry *first[2], *last[2];     /* hops of the client's direction, of the server's; NULL: none */
    const struct flow_entry *reset[2];               /* where a RST of that direction appears first */
    const struct flow_socket *sockets[2], *listener; /* client's and server's; the one that the server's came from */
    const struct trouble *icmp;                      /* the last error that speaks of it */
    bool tcp, answered, established;
    bool fin[2];
    bool refused;       /* a reset was sent for want of a socket */
    bool reset_told[2]; /* this host's TCP says that a socket of the client, the server sent a reset */
    bool listen_full;
    uint64_t retransmits[2];
};
void path_facts(const struct flows *flows, struct flow_trail *trail, struct path_facts *ret_facts);
bool path_is_stuck(const struct path_facts *facts, int side); /* its sender waits longer and longer for an answer */

/* path_text.c */
void path_where(const struct flow_entry *hop, char *ret_text, size_t size); /* "veth2 in host" */
void path_where_of_drop(const struct flows *flows, const struct flow_drop *drop, char *ret_text, size_t size);
void path_address(uint8_t family, const struct flow_address *end, char *ret_text, size_t size);
const char *path_name(const struct flow_trail *trail, int side);

/* path_json.c */
json_t *path_part_json(struct flows *flows, const struct path_part *part);

#endif
