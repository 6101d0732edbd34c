/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one packet costs at one hook, by BPF_PROG_TEST_RUN: nanoseconds in the program, no network around it.
 *
 *   empty    a program that returns at once, run as often: what the test itself adds
 *   known    packets of one flow that is in the table, one after the other; by kind of packet
 *   singly   the same, one packet to a test run: what a run alone adds, and cold caches
 *   new      the first packet of each flow, one to a test run
 *   refused  the first packet of flows that find the table full, likewise
 *
 * Each is the best of a few rounds, except new and refused, which are means over many flows. One JSON line.
 *
 * usage: bench_packets
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "../packets/craft.h"
#include "agent/packets.h"
#include "empty.skel.h"

enum { ROUNDS = 7, REPEAT = 300000, SINGLE = 20000, FLOWS = 65536, REFUSED = 50000 };

static void fail(const char *what) {
    fprintf(stderr, "bench_packets: %s: %s\n", what, strerror(errno));
    exit(1);
}

static long best(const struct packets *packets, enum flow_way way, const struct craft *craft) {
    long least = 0;
    for (int i = 0; i < ROUNDS; i++) {
        long ns = craft_run(packets, way, craft, REPEAT);
        if (ns < 0)
            fail("running");
        least = !i || ns < least ? ns : least;
    }
    return least;
}

/* Mean over `count` runs of one packet each; `vary`: each of another flow. */
static double singly(const struct packets *packets, struct craft craft, uint32_t first, uint32_t count, bool vary) {
    uint64_t sum = 0;
    for (uint32_t i = first; i < first + count; i++) {
        if (vary)
            memcpy(craft.bytes + 26, &i, sizeof(i)); /* source address */
        long ns = craft_run(packets, FLOW_INGRESS, &craft, 1);
        if (ns < 0)
            fail("running");
        sum += ns;
    }
    return (double)sum / count;
}

static long empty_run(const struct craft *craft) {
    struct empty_bpf *empty = empty_bpf__open_and_load();
    if (!empty)
        fail("loading");
    long least = 0;
    for (int i = 0; i < ROUNDS; i++) {
        LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = craft->bytes, .data_size_in = craft->size, .repeat = REPEAT);
        if (bpf_prog_test_run_opts(bpf_program__fd(empty->progs.empty_packet), &run))
            fail("running");
        least = !i || run.duration < least ? run.duration : least;
    }
    empty_bpf__destroy(empty);
    return least;
}

static struct craft udp_v6(void) {
    struct craft craft = {.size = 0};
    craft_ethernet(&craft, 0x86dd);
    craft_v6(&craft, IPPROTO_UDP);
    craft_udp(&craft, 1000, 2000);
    craft_fill(&craft, 100, 0);
    craft_close(&craft);
    return craft;
}

static struct craft vxlan(void) {
    struct craft craft = {.size = 0};
    craft_ethernet(&craft, 0x0800);
    craft_v4(&craft, IPPROTO_UDP, 0, 0);
    craft_udp(&craft, 1000, 4789);
    craft_32(&craft, 0x08000000);
    craft_32(&craft, 42 << 8);
    craft_ethernet(&craft, 0x0800);
    craft_v4(&craft, IPPROTO_TCP, 0, 0);
    craft_tcp(&craft, 1, 2, 0x10, 1, 0);
    craft_fill(&craft, 100, 0);
    craft_close(&craft);
    return craft;
}

int main(void) {
    struct packets_options options = {.flows_max = FLOWS};
    struct packets *packets;
    char error[256];
    if (packets_new(&options, &packets, error, sizeof(error)) < 0 || craft_place(packets)) {
        fprintf(stderr, "bench_packets: %s\n", error);
        return 1;
    }
    struct craft acknowledgement = craft_segment(1000, 2000, 0x10, 1, 0),
                 data = craft_segment(1000, 2000, 0x18, 1, 1000), datagram = udp_v6(), tunnel = vxlan(),
                 other = craft_segment(1, 2, 0x10, 1, 0);
    long empty = empty_run(&data), known_acknowledgement = best(packets, FLOW_EGRESS, &acknowledgement),
         known_data = best(packets, FLOW_EGRESS, &data), ingress = best(packets, FLOW_INGRESS, &data),
         known_datagram = best(packets, FLOW_EGRESS, &datagram), known_tunnel = best(packets, FLOW_EGRESS, &tunnel);
    double alone = singly(packets, data, 0, SINGLE, false), new = singly(packets, other, 0, FLOWS - 8, true);
    singly(packets, other, FLOWS, 16, true); /* full from here on */
    double refused = singly(packets, other, 2 * FLOWS, REFUSED, true);
    printf("{\"summary\":\"packets\",\"unit\":\"ns per packet and "
           "hook\",\"empty\":%ld,\"known_ack\":%ld,\"known_data\":%ld,"
           "\"known_data_ingress\":%ld,\"known_udp_v6\":%ld,\"known_vxlan_both\":%ld,\"singly\":%.0f,\"new\":%.0f,"
           "\"refused\":%.0f}\n",
           empty, known_acknowledgement, known_data, ingress, known_datagram, known_tunnel, alone, new, refused);
    packets_free(packets);
    return 0;
}
