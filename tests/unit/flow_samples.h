/* SPDX-License-Identifier: Apache-2.0 */
/* Flows as topology shows them, made up: for whatever writes or asks about them. */
#ifndef WEFT_TESTS_FLOW_SAMPLES_H
#define WEFT_TESTS_FLOW_SAMPLES_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "topology/flows.h"

static inline void sample_address(uint8_t *into, const char *text) {
    memset(into, 0, 16);
    inet_pton(strchr(text, ':') ? AF_INET6 : AF_INET, text, into);
}

/* A flow of web (10.0.0.2:41000) to orders-db (10.0.0.3:5432) over veth0, its only hop. */
static inline struct flow_view sample_flow(void) {
    struct flow_view view = {
        .conn_id = "8c0e4d0000000001",
        .edge_id = 0xc11e,
        .key = {.source_port = 41000,
                .destination_port = 5432,
                .netns = 4026531840,
                .ifindex = 7,
                .family = 4,
                .protocol = IPPROTO_TCP,
                .way = FLOW_EGRESS},
        .flow = {.packets = 100,
                 .segments = 120,
                 .bytes = 50000,
                 .first_time = 5000000000,
                 .last_time = 6000000000,
                 .ttl_min = 64,
                 .ttl_max = 64,
                 .largest = 1500,
                 .flags = FLOW_DONT_FRAGMENT | FLOW_FROM_CLIENT,
                 .source_end = {.state = END_SOCKET, .owner = {.tgid = 4711}},
                 .destination_end = {.state = END_NONE}},
        .since = {.packets = 12, .segments = 14, .bytes = 3110, .syn = 1},
        .hop =
            {.netns = 4026531840, .ifindex = 7, .name = "veth0", .kind = "veth", .namespace_name = "host", .mtu = 1500},
        .order = 1,
        .hops = 1,
        .forward = true,
        .direction_known = true,
        .source = {.id = 1, .name = "web", .kind = "process", .executable = "/usr/bin/node"},
        .destination = {.id = 2, .name = "orders-db", .kind = "address"},
    };
    sample_address(view.key.source, "10.0.0.2");
    sample_address(view.key.destination, "10.0.0.3");
    return view;
}

/* The same hop the other way: what the server sends. */
static inline struct flow_view sample_answer(void) {
    struct flow_view view = sample_flow();
    struct edge_end end = view.source;
    view.source = view.destination;
    view.destination = end;
    memcpy(view.key.source, view.key.destination, 16);
    sample_address(view.key.destination, "10.0.0.2");
    view.key.source_port = 5432;
    view.key.destination_port = 41000;
    view.key.way = FLOW_INGRESS;
    view.flow.source_end = (struct flow_end){.state = END_NONE};
    view.flow.destination_end = (struct flow_end){.state = END_SOCKET, .owner = {.tgid = 4711}};
    view.flow.packets = 200;
    view.flow.segments = 220;
    view.flow.bytes = 900000;
    view.forward = false;
    return view;
}

#endif
