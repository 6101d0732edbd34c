/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets made by hand, header by header, and given to the packet programs through BPF_PROG_TEST_RUN. Lengths are
 * filled in by craft_run's caller: each header is written as what follows it is known to be, so crafting goes from the
 * outside in and `craft_close` sets the lengths of every IP header that was opened.
 */
#ifndef WEFT_TESTS_CRAFT_H
#define WEFT_TESTS_CRAFT_H

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/packets.h"

struct craft {
    uint8_t bytes[4096];
    size_t size;
    struct {
        size_t at;
        int version;
    } ip[4];
    int ip_count;
    uint32_t gso_size, gso_segments;
};

static inline void craft_8(struct craft *craft, unsigned value) {
    craft->bytes[craft->size++] = value;
}
static inline void craft_16(struct craft *craft, unsigned value) {
    craft_8(craft, value >> 8 & 0xff);
    craft_8(craft, value & 0xff);
}
static inline void craft_32(struct craft *craft, uint32_t value) {
    craft_16(craft, value >> 16);
    craft_16(craft, value & 0xffff);
}
static inline void craft_fill(struct craft *craft, size_t count, uint8_t value) {
    memset(craft->bytes + craft->size, value, count);
    craft->size += count;
}
static inline void craft_ethernet(struct craft *craft, unsigned ethertype) {
    craft_fill(craft, 12, 2);
    craft_16(craft, ethertype);
}
/* A tag after the ethertype 0x8100 or 0x88a8. */
static inline void craft_tag(struct craft *craft, unsigned identifier, unsigned ethertype) {
    craft_16(craft, identifier);
    craft_16(craft, ethertype);
}
/* 10.0.0.1 to 10.0.0.2; `fragment` as the header has it; options: words. */
static inline void craft_v4(struct craft *craft, int protocol, unsigned fragment, unsigned options) {
    craft->ip[craft->ip_count].version = 4;
    craft->ip[craft->ip_count++].at = craft->size;
    craft_8(craft, 0x45 + options);
    craft_8(craft, 0);
    craft_16(craft, 0);
    craft_16(craft, 7); /* identification */
    craft_16(craft, fragment);
    craft_8(craft, 64);
    craft_8(craft, protocol);
    craft_16(craft, 0);
    craft_32(craft, 0x0a000001);
    craft_32(craft, 0x0a000002);
    craft_fill(craft, (size_t)options * 4, 1);
}
/* fd00::1 to fd00::2 */
static inline void craft_v6(struct craft *craft, int protocol) {
    craft->ip[craft->ip_count].version = 6;
    craft->ip[craft->ip_count++].at = craft->size;
    craft_32(craft, 0x60000000);
    craft_16(craft, 0);
    craft_8(craft, protocol);
    craft_8(craft, 63);
    for (int last = 1; last <= 2; last++) {
        craft_16(craft, 0xfd00);
        craft_fill(craft, 13, 0);
        craft_8(craft, last);
    }
}
static inline void craft_extension(struct craft *craft, int next, unsigned units) {
    craft_8(craft, next);
    craft_8(craft, units);
    craft_fill(craft, units * 8 + 6, 0);
}
static inline void craft_ports(struct craft *craft, unsigned source, unsigned destination) {
    craft_16(craft, source);
    craft_16(craft, destination);
}
static inline void craft_udp(struct craft *craft, unsigned source, unsigned destination) {
    craft_ports(craft, source, destination);
    craft_32(craft, 0);
}
static inline void craft_tcp(struct craft *craft, unsigned source, unsigned destination, unsigned flags,
                             uint32_t sequence, unsigned options) {
    craft_ports(craft, source, destination);
    craft_32(craft, sequence);
    craft_32(craft, 0);
    craft_8(craft, (5 + options) << 4);
    craft_8(craft, flags);
    craft_16(craft, 1000); /* window */
    craft_32(craft, 0);
}
static inline void craft_close(struct craft *craft) {
    for (int i = 0; i < craft->ip_count; i++) {
        size_t at = craft->ip[i].at, length = craft->size - at;
        uint8_t *field = craft->bytes + at + (craft->ip[i].version == 4 ? 2 : 4);
        if (craft->ip[i].version == 6)
            length -= 40;
        field[0] = length >> 8;
        field[1] = length;
    }
}

/* A whole packet of a TCP connection: Ethernet, IPv4, payload of `length` bytes. */
static inline struct craft craft_segment(unsigned source, unsigned destination, unsigned flags, uint32_t sequence,
                                         size_t length) {
    struct craft craft = {.size = 0};
    craft_ethernet(&craft, 0x0800);
    craft_v4(&craft, IPPROTO_TCP, 0x4000, 0);
    craft_tcp(&craft, source, destination, flags, sequence, 0);
    craft_fill(&craft, length, 'x');
    craft_close(&craft);
    return craft;
}

/* Makes interface 1 of this network namespace known. */
static inline int craft_place(struct packets *packets) {
    struct stat status;
    if (stat("/proc/self/ns/net", &status))
        return -1;
    const struct interface_key key = {.netns = status.st_ino, .ifindex = 1};
    return packets_set_link(packets, &key, -1);
}

/* Through the program, `repeat` times, as seen at interface 1; ns of one run, or negative errno. */
static inline long craft_run(const struct packets *packets, enum flow_way way, const struct craft *craft,
                             uint32_t repeat) {
    struct __sk_buff context = {.ifindex = 1, .gso_size = craft->gso_size, .gso_segs = craft->gso_segments};
    LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = craft->bytes, .data_size_in = craft->size, .repeat = repeat,
                .ctx_in = &context, .ctx_size_in = sizeof(context));
    int result = bpf_prog_test_run_opts(packets_program(packets, way), &run);
    return result ? result : (int)run.retval == -1 ? (long)run.duration : -1000;
}

#endif
