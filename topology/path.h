/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The question "why can't A reach B": the connections and attempts between two names, the way that their packets take
 * hop by hop, and one finding. Over what topology/flows.h holds; any thread.
 */
#ifndef WEFT_TOPOLOGY_PATH_H
#define WEFT_TOPOLOGY_PATH_H

#include <jansson.h>

#include "flows.h"

struct path_options {
    uint64_t now;     /* CLOCK_MONOTONIC ns; 0: as of the last round */
    uint64_t back_ns; /* how far back connections are looked for; 0: all that is held */
};

/*
 * `from` and `to`: a workload's or a container's name, an executable's (its path or the last part of that), an address,
 * address:port, [address]:port or :port; "*" or empty: anybody. `from` is the client. NULL without memory.
 *
 *  {"from", "to",
 *   "connections": how many were found,
 *   "finding": {"code", "text", "part", "direction": "forward" or "reverse", "order" of the hop (0: before the first),
 *               "interface", "namespace", "causes": [{"code", "text", "packets", "share"}] if there are several},
 *   "parts": one, or with proxies one for each connection on the way: [{
 *     "client", "server": {"name", "kind", "address", "port", "pid", "executable"},
 *     "transport", "conn_id", "connections", "established", "started_ns", "last_ns" (before now),
 *     "retransmits": {"client", "server"}, "rtt_ns",
 *     "hops": client to server, summed over the connections that took this way: [{
 *       "order", "interface", "ifindex", "namespace", "netns", "kind", "direction": "ingress" or "egress",
 *       "source", "source_port", "destination", "destination_port", "packets", "segments", "bytes",
 *       "lost_after": segments, absent if it cannot be told,
 *       "drops": [{"reason", "text", "place", "hook", "chains", "class", "packets"}] after this hop,
 *       "from_before_ns", "rtt_ns", "rewritten": {"kind": "dnat", "snat" or "both", "from", "to", "namespace"},
 *       "tunnel": {"kind", "id", "source", "destination"}, "owner": {"name", "pid"} of the socket here,
 *       "mtu", "largest", "branch": true for copies that a bridge sent astray, "shadowed": true}],
 *     "dropped_before": drops before the first hop, as "drops",
 *     "reverse": server to client, likewise}],
 *   "proxies": [{"name", "pid", "executable"}] between the parts}
 *
 * Codes: ok, dropped, rejected, no_route, no_listener, no_answer, listen_queue_full, peer_stalled, mtu, loss, reset,
 * not_seen.
 */
json_t *path_find(struct flows *flows, const char *from, const char *to, const struct path_options *options);

#endif
