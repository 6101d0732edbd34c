/* SPDX-License-Identifier: Apache-2.0 */
#include "protocols/dns.h"
#include "protocols/protocol.h"

const struct protocol *const protocols[] = {
    &protocol_tls, &protocol_http, &protocol_postgresql, &protocol_redis, &protocol_dns, &protocol_dns_tcp, NULL,
};

const char *protocol_name(enum protocol_id id) {
    for (size_t i = 0; protocols[i] != NULL; i++) {
        if (protocols[i]->id == id)
            return protocols[i]->name;
    }
    return NULL;
}
