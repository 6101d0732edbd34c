/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of one connection, as far as a finding needs it. */
#include <netinet/in.h>
#include <string.h>

#include "path_parts.h"

#define FRESH_NS 5000000000ULL /* what was last seen of a socket holds for so long: it may be gone */

enum { STATE_ESTABLISHED = 1, STATE_LISTEN = 10 };

static void take_hop(struct path_facts *facts, const struct flow_entry *entry) {
    int way = !entry->forward;
    const struct flow *flow = &entry->flow;
    if (entry->branch)
        return;
    if (!facts->first[way])
        facts->first[way] = entry;
    facts->last[way] = entry;
    if (flow->rst && !facts->reset[way])
        facts->reset[way] = entry;
    facts->fin[way] |= flow->fin != 0;
    facts->answered |= flow->syn_ack_time != 0 || (way == 1 && flow->payload_packets);
    facts->established |= flow->ack_time != 0 || (way == 1 && flow->payload_packets);
    /* Older than this agent: what has no SYN here was open before. */
    facts->established |= facts->tcp && !flow->syn && flow->payload_packets && !(flow->flags & FLOW_SYN_SEEN);
}

static bool from_client(const struct flow_trail *trail, const struct trouble *trouble) {
    struct flow_tuple tuple = flow_tuple_make(trouble->family, trouble->protocol, trouble->source, trouble->source_port,
                                              trouble->destination, trouble->destination_port);
    struct flow_tuple ordered = flow_tuple_ordered(&tuple);
    for (const struct flow_node *node = trail->nodes; node; node = node->next)
        if (flow_tuple_equal(&node->tuple, &ordered))
            return (node->client == CLIENT_FIRST) == flow_tuple_equal(&ordered, &tuple);
    return true;
}

static void take_trouble(struct path_facts *facts, const struct trouble *trouble) {
    switch (trouble->kind) {
    case TROUBLE_RESET_SENT:
        if (!trouble->cookie)
            facts->refused = true;
        else
            facts->reset_told[!from_client(facts->trail, trouble)] = true;
        break;
    case TROUBLE_ICMP_ERROR:
        if (!facts->icmp || facts->icmp->time < trouble->time)
            facts->icmp = trouble;
        break;
    case TROUBLE_LISTEN_FULL:
        facts->listen_full = true;
        break;
    default:
        break;
    }
}

static void take_troubles(const struct flows *flows, struct path_facts *facts) {
    size_t count = flows->trouble_count < FLOW_TROUBLES_MAX ? flows->trouble_count : FLOW_TROUBLES_MAX;
    for (size_t i = 0; i < count; i++)
        if (flows->troubles[i].trail == facts->trail->serial)
            take_trouble(facts, &flows->troubles[i].trouble);
}

/* Bound to this address, or to any. */
static bool listens_at(const struct socket_view *view, const struct flow_entry *last) {
    static const uint8_t any[16];
    return view->state == STATE_LISTEN && view->netns == last->key.netns &&
           view->local_port == last->key.destination_port &&
           (!memcmp(view->local_address, any, 16) || !memcmp(view->local_address, last->key.destination, 16) ||
            view->family != last->key.family);
}

static bool is_fresh(const struct flows *flows, const struct flow_socket *socket) {
    return socket && socket->seen + FRESH_NS > flows->now;
}

static const struct flow_socket *find_listener(const struct flows *flows, const struct flow_entry *last) {
    for (size_t i = 0; last && i < flows->sockets.capacity; i++) {
        const struct flow_socket *socket = flows->sockets.slots[i].value;
        if (is_fresh(flows, socket) && listens_at(&socket->view, last))
            return socket;
    }
    return NULL;
}

void path_facts(const struct flows *flows, struct flow_trail *trail, struct path_facts *ret_facts) {
    memset(ret_facts, 0, sizeof(*ret_facts));
    ret_facts->trail = trail;
    ret_facts->tcp = trail->protocol == IPPROTO_TCP;
    for (const struct flow_entry *entry = trail->entries; entry; entry = entry->next)
        take_hop(ret_facts, entry);
    take_troubles(flows, ret_facts);
    if (ret_facts->tcp && ret_facts->last[0])
        ret_facts->listener = find_listener(flows, ret_facts->last[0]);
    for (int side = 0; side < 2; side++) {
        const struct flow_socket *socket = flow_socket_of(flows, trail->cookies[side]);
        ret_facts->sockets[side] = is_fresh(flows, socket) ? socket : NULL;
        ret_facts->retransmits[side] = flow_sent_again(flows, trail, side);
        if (ret_facts->sockets[side] && ret_facts->sockets[side]->view.state == STATE_ESTABLISHED)
            ret_facts->established = true;
    }
    ret_facts->established &= ret_facts->tcp;
}

bool path_is_stuck(const struct path_facts *facts, int side) {
    const struct flow_socket *socket = facts->sockets[side];
    return socket && socket->view.backoff > 1 && socket->view.send_queue;
}
