/* SPDX-License-Identifier: Apache-2.0 */
/* What stands in a flow's key, in words: records, rows and drawings say the same. Pure; any thread. */
#ifndef WEFT_TOPOLOGY_FLOW_TEXT_H
#define WEFT_TOPOLOGY_FLOW_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flows.h"

enum { FLOW_TRANSPORT_LENGTH = 12, FLOW_ADDRESS_LENGTH = 46 };

/* tcp, udp, icmp, icmpv6, sctp, gre, ...; ip-N: another protocol of IP; ethernet: not IP. */
void flow_transport(const struct flow_key *key, char *ret_text, size_t size);
/* Empty: no address of that family (4 or 6). */
void flow_address(const uint8_t *address, uint8_t family, char *ret_text, size_t size);
const char *flow_way_name(uint8_t way);         /* ingress, egress */
const char *flow_tunnel_name(uint8_t tunnel);   /* vxlan, geneve, gre, ipip; NULL: none */
const char *flow_hook_name(uint8_t hook);       /* enum drop_hook, as iptables has it: FORWARD; NULL: none */
const char *flow_end_state_name(uint8_t state); /* socket, listener, none; NULL: not looked for */
const char *flow_tcp_state_name(uint8_t state); /* as ss shows it: ESTAB, SYN-SENT, ...; NULL: no state of TCP */
/* The kernel's own reason; where it tells none, the place. */
const char *flow_drop_name(const struct drop_view *drop);
bool flow_has_ports(const struct flow_key *key);

/* ICMP has no ports: echo is told by its identifier, all else by type and code. */
struct flow_icmp {
    bool echo;
    uint16_t identifier;
    uint8_t type, code;
};
bool flow_icmp(const struct flow_key *key, struct flow_icmp *ret_icmp); /* false: it is no ICMP */

#endif
