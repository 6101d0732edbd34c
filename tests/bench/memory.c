/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a connection costs userspace while nothing happens on it: bytes of heap for each of 200,000, tables included.
 * silent: opened and never spoke. opaque: spoke what nobody knows. http: between two calls. Both ends on this host,
 * too.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "topology/connection.h"

enum { CONNECTIONS = 200000 };

static struct edge_end name_owner(void *context, const struct record_owner *owner, const char *command) {
    (void)context, (void)command;
    return (struct edge_end){.id = owner->tgid, .name = "process", .kind = "process"};
}

static struct edge_end name_address(void *context, const uint8_t *address, int family, uint16_t port) {
    (void)context, (void)address, (void)family;
    return (struct edge_end){.id = port + 1000u, .name = "address", .kind = "address"};
}

static struct edge_end name_client(void *context, const uint8_t *address, int family) {
    return name_address(context, address, family, 0);
}

static void open_end(struct connections *connections, uint64_t number, bool client) {
    struct record_opened record = {.kind = RECORD_OPENED,
                                   .family = 2,
                                   .role = client ? ROLE_CLIENT : ROLE_SERVER,
                                   .proof = client ? PROOF_CONNECT : PROOF_ACCEPT,
                                   .cookie = number * 2 + client,
                                   .isn = number,
                                   .owner.tgid = client ? 1 : 2,
                                   .local_port = client ? 40000 : 80,
                                   .remote_port = client ? 80 : 40000};
    connections_opened(connections, &record);
}

static uint64_t show(struct connections *connections, uint64_t number, bool egress, uint64_t offset, uint64_t other,
                     const char *text) {
    struct {
        struct record_data head;
        char bytes[256];
    } record = {.head = {.kind = RECORD_DATA,
                         .captured = strlen(text),
                         .length = strlen(text),
                         .cookie = number * 2,
                         .offset = offset,
                         .other_offset = other,
                         .egress = egress,
                         .first = 1}};
    memcpy(record.bytes, text, strlen(text));
    connections_data(connections, &record.head, (const uint8_t *)record.bytes);
    return offset + strlen(text);
}

static void speak(struct connections *connections, uint64_t number, const char *kind) {
    uint64_t asked = 0, answered = 0;
    if (!strcmp(kind, "http")) {
        asked = show(connections, number, false, asked, answered, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        show(connections, number, true, answered, asked, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    }
    for (int i = 0; !strcmp(kind, "opaque") && i < 16; i++)
        asked =
            show(connections, number, false, asked, answered, "\x01\x02 what nobody knows, in more than a few bytes");
}

static void measure(const char *kind, bool both) {
    struct edges edges;
    struct connections *connections;
    struct connection_options options = {.namer = {.owner = name_owner, .server = name_address, .client = name_client},
                                         .edges = &edges,
                                         .limit = CONNECTIONS};
    size_t before = mallinfo2().uordblks;
    edges_init(&edges, 1000);
    if (connections_new(&options, &connections))
        exit(1);
    for (uint64_t i = 1; i <= CONNECTIONS; i++) {
        open_end(connections, i, false);
        if (both)
            open_end(connections, i, true);
        speak(connections, i, kind);
    }
    connections_settle(connections, UINT64_MAX);
    const struct edge *edge = NULL;
    uint32_t open = 0;
    for (size_t i = 0; i < edges.table.capacity; i++)
        if ((edge = edges.table.slots[i].value) != NULL)
            open += edge->open_connections;
    size_t after = mallinfo2().uordblks + mallinfo2().hblkhd;
    printf("{\"connections\": \"%s\", \"ends\": %d, \"open\": %u, \"bytes_each\": %zu}\n", kind, both ? 2 : 1, open,
           (after - before) / CONNECTIONS);
    connections_free(connections);
    edges_done(&edges);
}

int main(void) {
    static const char *const kinds[] = {"silent", "opaque", "http"};
    for (int both = 0; both < 2; both++)
        for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
            measure(kinds[i], both);
    return 0;
}
