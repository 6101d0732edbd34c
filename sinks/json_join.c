/* SPDX-License-Identifier: Apache-2.0 */
#include "json_join.h"

#include <arpa/inet.h>

static void socket_end(struct writer *out, const char *name, uint8_t family, const uint8_t *address, uint16_t port) {
    char text[INET6_ADDRSTRLEN] = "";
    inet_ntop(family == 4 ? AF_INET : AF_INET6, address, text, sizeof(text));
    writer_key(out, name);
    writer_text(out, "{");
    writer_member_string(out, "address", text);
    writer_member_unsigned(out, "port", port);
    writer_text(out, "}");
}

void json_join(struct writer *out, struct agent_stamp *stamp, const struct window *window, const struct edge *edge,
               const struct edge_join *join, uint64_t conn_id) {
    json_head(out, "join", stamp);
    json_window(out, window);
    writer_member_hex(out, "conn_id", conn_id);
    writer_member_string(out, "side", edge->server_here ? "server" : "client");
    writer_member_hex(out, "edge_id", edge->id);
    writer_member_hex(out, "workload_id", edge->server_here ? edge->server.id : edge->client.id);
    socket_end(out, "client", join->family, join->client_address, join->client_port);
    socket_end(out, "server", join->family, join->server_address, join->server_port);
    json_tail(out);
}
