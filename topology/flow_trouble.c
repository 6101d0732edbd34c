/* SPDX-License-Identifier: Apache-2.0 */
/* Troubles: of which connection. One that comes before its flow is shown waits for some seconds. */
#include <string.h>

#include "flow_store.h"

#define WAIT_NS 30000000000ULL

static struct flow_trail *find(const struct flows *flows, const struct trouble *trouble) {
    struct flow_tuple tuple = flow_tuple_make(trouble->family, trouble->protocol, trouble->source, trouble->source_port,
                                              trouble->destination, trouble->destination_port);
    struct flow_trail *trail = table_get(&flows->by_pair, trouble->isn);
    const struct flow_socket *socket = trail ? NULL : table_get(&flows->sockets, trouble->cookie);
    if (!trail && socket)
        trail = table_get(&flows->by_pair, socket->view.isn);
    return trail ? trail : flow_find_tuple(flows, &tuple, trouble->netns, trouble->time);
}

void flow_troubles_shown(struct flows *flows) {
    size_t count = flows->trouble_count < FLOW_TROUBLES_MAX ? flows->trouble_count : FLOW_TROUBLES_MAX;
    for (size_t i = 0; i < count; i++) {
        struct flow_trouble *one = &flows->troubles[i];
        if (one->trail || one->trouble.time + WAIT_NS < flows->now)
            continue;
        struct flow_trail *trail = find(flows, &one->trouble);
        if (!trail)
            continue;
        one->trail = trail->serial;
        trail->changed = true;
        if (one->trouble.kind <= TROUBLE_LISTEN_FULL)
            trail->troubles[one->trouble.kind]++;
    }
}
