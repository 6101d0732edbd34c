/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The packet programs on crafted packets, through BPF_PROG_TEST_RUN: keys and counters of each form of header, hostile
 * ones, and that each packet is counted in exactly one flow that is in no tunnel, or in overflow. Needs root; without,
 * it is skipped.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "craft.h"

enum { SKIPPED = 77, SHOWN_MOST = 64, SECOND = 1000000000 };
#define FIN 1
#define SYN 2
#define RST 4
#define ACK 0x10

/* One kernel object for all tests; each test begins with an empty table. */
static struct packets *packets;
static uint64_t now = SECOND;

static struct {
    struct flow_key keys[SHOWN_MOST];
    struct flow flows[SHOWN_MOST];
    size_t count, all;
    uint64_t malformed, troubles;
    struct trouble_reused reused;
} shown;

static void keep_interface(void *context, const struct interface_key *key, const struct interface_totals *totals) {
    (void)context, (void)key;
    shown.malformed = totals->malformed[0] + totals->malformed[1];
}
static void keep_flow(void *context, const struct flow_key *key, const struct flow *flow, bool last) {
    (void)context;
    shown.all += !last;
    if (last || shown.count == SHOWN_MOST)
        return;
    shown.keys[shown.count] = *key;
    shown.flows[shown.count++] = *flow;
}
static void keep_drop(void *context, const struct drop_key *key, const struct drop_totals *totals) {
    (void)context, (void)key, (void)totals;
}
static void keep_trouble(void *context, const struct trouble *trouble, size_t size) {
    (void)context;
    shown.troubles++;
    if (size == sizeof(shown.reused))
        shown.reused = *(const struct trouble_reused *)(const void *)trouble;
}

static uint64_t clock_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * SECOND + time.tv_nsec;
}

/* Rounds are told a time, so that tests need not wait. */
static void show_at(uint64_t time) {
    const struct packets_sink sink = {NULL, keep_interface, keep_flow, keep_drop, keep_trouble};
    shown.count = shown.all = 0;
    assert_int_equal(packets_show(packets, &sink, time), 0);
}
static void show(void) {
    show_at(now);
}

static struct packets_balance sums;
static void add_balance(void *context, const struct interface_key *key, enum flow_way way,
                        const struct packets_balance *balance) {
    (void)context, (void)key, (void)way;
    sums.total.packets += balance->total.packets;
    sums.total.bytes += balance->total.bytes;
    sums.living.packets += balance->living.packets;
    sums.living.bytes += balance->living.bytes;
    sums.deleted.packets += balance->deleted.packets;
    sums.deleted.bytes += balance->deleted.bytes;
    sums.overflow.packets += balance->overflow.packets;
    sums.overflow.bytes += balance->overflow.bytes;
}
static void assert_balanced(void) {
    sums = (struct packets_balance){0};
    packets_balance(packets, add_balance, NULL);
    assert_int_equal(sums.total.packets, sums.living.packets + sums.deleted.packets + sums.overflow.packets);
    assert_int_equal(sums.total.bytes, sums.living.bytes + sums.deleted.bytes + sums.overflow.bytes);
}

/* Everything leaves: a round asks, the next one finds the request. Far in the future each time, past all idle times. */
static int empty_table(void **state) {
    (void)state;
    now = (now < clock_ns() ? clock_ns() : now) + 1000ULL * SECOND;
    show_at(now);
    show_at(now += 2ULL * SECOND);
    show_at(now += 1); /* too soon to ask anybody again */
    assert_int_equal(shown.all, 0);
    assert_balanced();
    shown.malformed = 0;
    return 0;
}

static void run(const struct craft *craft) {
    assert_true(craft_run(packets, FLOW_INGRESS, craft, 1) >= 0);
}
static void run_way(const struct craft *craft, enum flow_way way) {
    assert_true(craft_run(packets, way, craft, 1) >= 0);
}

static uint64_t malformed_before;
static void begin(void) {
    show();
    malformed_before = shown.malformed;
    assert_int_equal(shown.all, 0);
}

/* The one flow with this tunnel and, if it is not 0, this destination port. */
static const struct flow_key *find(enum flow_tunnel tunnel, unsigned port, const struct flow **ret_flow) {
    int found = -1;
    for (size_t i = 0; i < shown.count; i++)
        if (shown.keys[i].tunnel == tunnel && (!port || shown.keys[i].destination_port == port)) {
            assert_int_equal(found, -1);
            found = i;
        }
    assert_true(found >= 0);
    if (ret_flow)
        *ret_flow = &shown.flows[found];
    return &shown.keys[found];
}

static const struct flow_key *only(const struct flow **ret_flow) {
    show();
    assert_int_equal(shown.count, 1);
    assert_balanced();
    return find(TUNNEL_NONE, 0, ret_flow);
}

static const uint8_t ONE[4] = {10, 0, 0, 1}, TWO[4] = {10, 0, 0, 2};

static void assert_v4(const struct flow_key *key, int protocol, unsigned source, unsigned destination) {
    static const uint8_t zero[12];
    assert_int_equal(key->family, 4);
    assert_int_equal(key->protocol, protocol);
    assert_memory_equal(key->source, ONE, 4);
    assert_memory_equal(key->destination, TWO, 4);
    assert_memory_equal(key->source + 4, zero, 12);
    assert_int_equal(key->source_port, source);
    assert_int_equal(key->destination_port, destination);
}
static void assert_v6(const struct flow_key *key, int protocol, unsigned source, unsigned destination) {
    assert_int_equal(key->family, 6);
    assert_int_equal(key->protocol, protocol);
    assert_int_equal(key->source[0], 0xfd);
    assert_int_equal(key->source[15], 1);
    assert_int_equal(key->destination[15], 2);
    assert_int_equal(key->source_port, source);
    assert_int_equal(key->destination_port, destination);
}

/* ---- forms ---- */

static void test_segment(void **state) {
    (void)state;
    const struct flow *flow;
    struct craft craft = craft_segment(1000, 2000, ACK, 5, 100);
    begin();
    run(&craft);
    run(&craft);
    const struct flow_key *key = only(&flow);
    assert_v4(key, IPPROTO_TCP, 1000, 2000);
    assert_int_equal(key->ifindex, 1);
    assert_int_not_equal(key->netns, 0);
    assert_int_equal(key->vlan, 0);
    assert_int_equal(key->way, FLOW_INGRESS);
    assert_int_equal(flow->packets, 2);
    assert_int_equal(flow->segments, 2);
    assert_int_equal(flow->bytes, 2 * craft.size);
    assert_int_equal(flow->payload_packets, 2);
    assert_int_equal(flow->repeats, 1);
    assert_int_equal(flow->ttl_min, 64);
    assert_int_equal(flow->ttl_max, 64);
    assert_int_equal(flow->largest, 140);
    assert_true(flow->flags & FLOW_DONT_FRAGMENT);
    assert_true(flow->first_time && flow->first_time <= flow->last_time);
    assert_int_equal(shown.malformed, malformed_before);
}

static void test_tags(void **state) {
    (void)state;
    for (int tags = 1; tags <= 3; tags++) {
        struct craft craft = {.size = 0};
        begin();
        craft_ethernet(&craft, tags == 1 ? 0x8100 : 0x88a8);
        for (int i = 1; i <= tags; i++)
            craft_tag(&craft, 0x2000 | (100 + i), i == tags ? 0x0800 : 0x8100);
        craft_v4(&craft, IPPROTO_UDP, 0, 0);
        craft_udp(&craft, 1, 2);
        craft_close(&craft);
        run(&craft);
        const struct flow_key *key = only(NULL);
        assert_v4(key, IPPROTO_UDP, 1, 2);
        assert_true(key->vlan == 101 || key->vlan == 102); /* test runs take the outermost tag off, as a device does */
        empty_table(NULL);
    }
}

static void test_options(void **state) {
    (void)state;
    const struct flow *flow;
    struct craft craft = {.size = 0};
    begin();
    craft_ethernet(&craft, 0x0800);
    craft_v4(&craft, IPPROTO_TCP, 0, 10); /* as many as there can be */
    craft_tcp(&craft, 1, 2, SYN, 77, 2);
    craft_32(&craft, 0x01010101);
    craft_32(&craft, 0x020405b4);
    craft_close(&craft);
    run(&craft);
    assert_v4(only(&flow), IPPROTO_TCP, 1, 2);
    assert_int_equal(flow->mss, 1460);
    assert_int_equal(flow->syn, 1);
    assert_int_equal(flow->isn >> 32, 77);
    assert_int_equal(flow->flags & (FLOW_SYN_SEEN | FLOW_ISN_CLIENT | FLOW_ISN_SERVER | FLOW_FROM_CLIENT),
                     FLOW_SYN_SEEN | FLOW_ISN_CLIENT | FLOW_FROM_CLIENT);
    assert_true(flow->syn_time);
}

static struct craft chain(int headers, unsigned units) {
    struct craft craft = {.size = 0};
    craft_ethernet(&craft, 0x86dd);
    craft_v6(&craft, headers ? IPPROTO_DSTOPTS : IPPROTO_UDP);
    for (int i = 1; i <= headers; i++)
        craft_extension(&craft, i == headers ? IPPROTO_UDP : i % 2 ? IPPROTO_ROUTING : IPPROTO_DSTOPTS, units);
    craft_udp(&craft, 1, 2);
    craft_close(&craft);
    return craft;
}

static void test_extensions(void **state) {
    (void)state;
    for (int headers = 0; headers <= 40; headers += 10) {
        struct craft craft = chain(headers, headers % 4);
        begin();
        run(&craft);
        assert_v6(only(NULL), IPPROTO_UDP, 1, 2);
        assert_int_equal(shown.malformed, malformed_before);
        empty_table(NULL);
    }
    struct craft craft = chain(60, 0); /* farther than anybody looks */
    begin();
    run(&craft);
    const struct flow_key *key = only(NULL);
    assert_int_equal(key->family, 6);
    assert_true(key->protocol == IPPROTO_DSTOPTS || key->protocol == IPPROTO_ROUTING);
    assert_int_equal(key->source_port | key->destination_port, 0);
    assert_int_equal(shown.malformed, malformed_before + 1);
}

static struct craft fragment_v4(unsigned offset, bool more, unsigned source) {
    struct craft craft = {.size = 0};
    craft_ethernet(&craft, 0x0800);
    craft_v4(&craft, IPPROTO_UDP, (more ? 0x2000 : 0) | offset, 0);
    craft_udp(&craft, source, 2000);
    craft_fill(&craft, 32, 0);
    craft_close(&craft);
    return craft;
}

static void test_fragments(void **state) {
    (void)state;
    const struct flow *flow;
    struct craft first = fragment_v4(0, true, 1000), later = fragment_v4(5, true, 9),
                 overlapping = fragment_v4(2, false, 9);
    begin();
    run_way(&later, FLOW_EGRESS); /* whose first one was not seen here */
    assert_v4(only(&flow), IPPROTO_UDP, 0, 0);
    assert_int_equal(flow->fragments, 1);
    run(&first);
    run(&later);
    run(&overlapping);
    show();
    assert_int_equal(shown.count, 2);
    assert_v4(find(TUNNEL_NONE, 2000, &flow), IPPROTO_UDP, 1000, 2000);
    assert_int_equal(flow->packets, 3);
    assert_int_equal(flow->fragments, 3);
    assert_balanced();
}

static void test_fragments_v6(void **state) {
    (void)state;
    const struct flow *flow;
    begin();
    for (int i = 0; i < 2; i++) {
        struct craft craft = {.size = 0};
        craft_ethernet(&craft, 0x86dd);
        craft_v6(&craft, IPPROTO_FRAGMENT);
        craft_8(&craft, IPPROTO_UDP);
        craft_8(&craft, 0);
        craft_16(&craft, i ? 40 : 1);
        craft_32(&craft, 0xdeadbeef);
        craft_udp(&craft, i ? 7 : 1000, 2000);
        craft_fill(&craft, 32, 0);
        craft_close(&craft);
        run(&craft);
    }
    assert_v6(only(&flow), IPPROTO_UDP, 1000, 2000);
    assert_int_equal(flow->fragments, 2);
}

static void test_other_protocols(void **state) {
    (void)state;
    static const struct {
        int protocol;
        unsigned first_word;
        unsigned source, destination;
    } cases[] = {
        {IPPROTO_SCTP, 1000 << 16 | 2000, 1000, 2000},
        {IPPROTO_UDPLITE, 1000 << 16 | 2000, 1000, 2000},
        {IPPROTO_ICMP, 8 << 24, 4242, 4242}, /* echo: its identifier */
        {IPPROTO_ICMP, 0, 4242, 4242},
        {IPPROTO_ICMP, 3 << 24 | 4 << 16, 3 << 8 | 4, 0}, /* fragmentation needed */
        {IPPROTO_ESP, 0x01020304, 0, 0},
        {IPPROTO_ICMPV6, 128U << 24, 4242, 4242},
        {IPPROTO_ICMPV6, 2 << 24, 2 << 8, 0}, /* packet too big */
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct craft craft = {.size = 0};
        bool six = cases[i].protocol == IPPROTO_ICMPV6;
        begin();
        craft_ethernet(&craft, six ? 0x86dd : 0x0800);
        if (six)
            craft_v6(&craft, cases[i].protocol);
        else
            craft_v4(&craft, cases[i].protocol, 0, 0);
        craft_32(&craft, cases[i].first_word);
        craft_32(&craft, 4242 << 16 | 1);
        craft_fill(&craft, 20, 0);
        craft_close(&craft);
        run(&craft);
        (six ? assert_v6 : assert_v4)(only(NULL), cases[i].protocol, cases[i].source, cases[i].destination);
        assert_int_equal(shown.malformed, malformed_before);
        empty_table(NULL);
    }
}

static void test_not_ip(void **state) {
    (void)state;
    struct craft craft = {.size = 0};
    begin();
    craft_ethernet(&craft, 0x0806);
    craft_fill(&craft, 28, 1);
    run(&craft);
    const struct flow_key *key = only(NULL);
    assert_int_equal(key->family, 0);
    assert_int_equal(key->source_port, 0x0806);
    assert_int_equal(shown.malformed, malformed_before);
}

/* ---- tunnels ---- */

enum form { VXLAN, VXLAN_OLD, GENEVE, GENEVE_IP, GRE, GRE_KEYED, IPIP, SIX_IN_FOUR, FOUR_IN_SIX, FORMS };

static struct craft tunnel(enum form form, struct craft inner) {
    struct craft craft = {.size = 0};
    const size_t link = 14; /* inner is a frame: some tunnels bear it without its first header */
    bool frame = form <= GENEVE, outer_six = form == FOUR_IN_SIX;
    int protocol = form < GRE            ? IPPROTO_UDP
                   : form < IPIP         ? IPPROTO_GRE
                   : form == SIX_IN_FOUR ? IPPROTO_IPV6
                                         : IPPROTO_IPIP;
    unsigned ethertype = inner.bytes[12] << 8 | inner.bytes[13];
    craft_ethernet(&craft, outer_six ? 0x86dd : 0x0800);
    if (outer_six)
        craft_v6(&craft, protocol);
    else
        craft_v4(&craft, protocol, 0, 0);
    if (form < GRE)
        craft_udp(&craft, 5555, form == VXLAN ? 4789 : form == VXLAN_OLD ? 8472 : 6081);
    if (form == VXLAN || form == VXLAN_OLD) {
        craft_32(&craft, 0x08000000);
        craft_32(&craft, 0x123456 << 8);
    } else if (form == GENEVE || form == GENEVE_IP) {
        craft_8(&craft, 3); /* words of options */
        craft_8(&craft, 0);
        craft_16(&craft, frame ? 0x6558 : ethertype);
        craft_32(&craft, 0x123456 << 8);
        craft_fill(&craft, 12, 0xaa);
    } else if (form == GRE || form == GRE_KEYED) {
        craft_16(&craft, form == GRE ? 0 : 0xb000); /* checksum, key, sequence */
        craft_16(&craft, ethertype);
        for (int i = 0; form == GRE_KEYED && i < 3; i++)
            craft_32(&craft, i == 1 ? 0x123456 : 9);
    }
    size_t skip = frame ? 0 : link;
    memcpy(craft.bytes + craft.size, inner.bytes + skip, inner.size - skip);
    craft.size += inner.size - skip;
    craft_close(&craft);
    return craft;
}

static struct craft inner_of(enum form form) {
    struct craft craft = {.size = 0};
    if (form != SIX_IN_FOUR)
        return craft_segment(1000, 2000, ACK, 1, 50);
    craft_ethernet(&craft, 0x86dd);
    craft_v6(&craft, IPPROTO_UDP);
    craft_udp(&craft, 1000, 2000);
    craft_close(&craft);
    return craft;
}

static void test_tunnels(void **state) {
    (void)state;
    static const enum flow_tunnel kinds[FORMS] = {TUNNEL_VXLAN, TUNNEL_VXLAN, TUNNEL_GENEVE, TUNNEL_GENEVE, TUNNEL_GRE,
                                                  TUNNEL_GRE,   TUNNEL_IPIP,  TUNNEL_IPIP,   TUNNEL_IPIP};
    for (enum form form = 0; form < FORMS; form++) {
        const struct flow *flow;
        struct craft craft = tunnel(form, inner_of(form));
        begin();
        run(&craft);
        show();
        assert_int_equal(shown.count, 2);
        assert_balanced();
        const struct flow_key *inner = find(kinds[form], 0, &flow), *outer = find(TUNNEL_NONE, 0, NULL);
        (form == SIX_IN_FOUR ? assert_v6 : assert_v4)(inner, form == SIX_IN_FOUR ? IPPROTO_UDP : IPPROTO_TCP, 1000,
                                                      2000);
        assert_int_equal(inner->tunnel_id, form < GRE || form == GRE_KEYED ? 0x123456 : 0);
        assert_int_equal(outer->tunnel_id, 0);
        assert_int_equal(outer->family, form == FOUR_IN_SIX ? 6 : 4);
        assert_int_equal(flow->packets, 1);
        assert_int_equal(shown.malformed, malformed_before);
        empty_table(NULL);
    }
}

/* ---- hostile ---- */

/* Each form, cut at each length: counted once, whatever could be read. */
static void test_cut_anywhere(void **state) {
    (void)state;
    struct craft forms[FORMS + 3];
    for (enum form form = 0; form < FORMS; form++)
        forms[form] = tunnel(form, inner_of(form));
    forms[FORMS] = craft_segment(1, 2, SYN, 1, 0);
    forms[FORMS + 1] = chain(40, 0);
    forms[FORMS + 2] = fragment_v4(0, true, 1);
    uint64_t sent = 0;
    begin();
    assert_balanced();
    uint64_t before = sums.total.packets;
    for (int form = 0; form < FORMS + 3; form++)
        for (size_t size = 15; size < forms[form].size; size++) {
            struct craft craft = forms[form];
            craft.size = size;
            long result = craft_run(packets, FLOW_INGRESS, &craft, 1);
            assert_true(result >= 0 || result == -EINVAL); /* too little for a test run of some kernels */
            sent += result >= 0;
        }
    assert_true(sent > 1000);
    show();
    assert_balanced();
    assert_int_equal(sums.total.packets - before, sent);
    assert_true(shown.malformed - malformed_before > sent / 2);
}

static void assert_malformed(const struct craft *craft, int family, unsigned port) {
    begin();
    run(craft);
    const struct flow_key *key = only(NULL);
    assert_int_equal(key->family, family);
    assert_int_equal(key->destination_port, port);
    assert_int_equal(shown.malformed, malformed_before + 1);
    empty_table(NULL);
}

static void test_wrong_headers(void **state) {
    (void)state;
    struct craft craft = craft_segment(1, 2, ACK, 1, 20);
    craft.bytes[14] = 0x44; /* a header of 16 bytes */
    assert_malformed(&craft, 0, 0);
    craft.bytes[14] = 0x65; /* version 6 */
    assert_malformed(&craft, 0, 0);
    craft = craft_segment(1, 2, ACK, 1, 20);
    craft.bytes[17] = 15; /* shorter than its header */
    assert_malformed(&craft, 4, 0);
    craft = craft_segment(1, 2, ACK, 1, 20);
    craft.bytes[16] = 0xff; /* longer than the packet */
    assert_malformed(&craft, 4, 2);
    craft = craft_segment(1, 2, ACK, 1, 20);
    craft.bytes[46] = 0x40; /* TCP: a header of 16 bytes */
    assert_malformed(&craft, 4, 2);
    craft.bytes[46] = 0xf0; /* TCP: a header that ends behind the packet */
    craft_close(&craft);
    assert_malformed(&craft, 4, 2);
}

/* Options that lead nowhere: of length 0, past the end, nothing but padding. */
static void test_looped_options(void **state) {
    (void)state;
    static const uint8_t options[][40] = {{8, 0, 8, 0}, {8, 1, 8, 1}, {8, 255}, {2, 4}, {2, 3, 1, 1}, {1}};
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        const struct flow *flow;
        struct craft craft = {.size = 0};
        begin();
        craft_ethernet(&craft, 0x0800);
        craft_v4(&craft, IPPROTO_TCP, 0, 0);
        craft_tcp(&craft, 1, 2, SYN, 1, 10);
        memcpy(craft.bytes + craft.size, options[i], 40);
        if (options[i][0] == 1)
            memset(craft.bytes + craft.size, 1, 40);
        craft.size += 40;
        craft_close(&craft);
        run(&craft);
        only(&flow);
        assert_int_equal(flow->mss, 0);
        assert_int_equal(flow->syn, 1);
        empty_table(NULL);
    }
}

static uint32_t seed = 12345;
static uint32_t random_number(void) {
    return seed = seed * 1664525 + 1013904223;
}

static void test_bytes_changed_at_random(void **state) {
    (void)state;
    struct craft forms[FORMS + 2];
    for (enum form form = 0; form < FORMS; form++)
        forms[form] = tunnel(form, inner_of(form));
    forms[FORMS] = craft_segment(1, 2, SYN, 1, 40);
    forms[FORMS + 1] = chain(12, 1);
    begin();
    assert_balanced();
    uint64_t before = sums.total.packets;
    for (int i = 0; i < 30000; i++) {
        struct craft craft = forms[(random_number() >> 16) % (FORMS + 2)];
        for (int change = random_number() >> 16 & 3; change >= 0; change--)
            craft.bytes[12 + (random_number() >> 16) % (craft.size - 12)] = random_number() >> 16;
        craft.gso_size = 0;
        run_way(&craft, i & 1);
    }
    show();
    assert_balanced();
    assert_int_equal(sums.total.packets - before, 30000);
}

/* ---- counting ---- */

static void send_segment(uint32_t sequence, size_t length, unsigned flags) {
    struct craft craft = craft_segment(1000, 2000, flags, sequence, length);
    run(&craft);
}

static void test_order(void **state) {
    (void)state;
    const struct flow *flow;
    begin();
    send_segment(0xffffff00, 0, SYN);
    send_segment(0xffffff01, 100, ACK);
    send_segment(0xffffff01 + 100, 200, ACK); /* past the wrap */
    send_segment(0xffffff01 + 400, 100, ACK); /* 300 - 400 is missing */
    send_segment(0xffffff01 + 350, 50, ACK);  /* fills the hole's end */
    send_segment(0xffffff01 + 300, 50, ACK);  /* and its start */
    send_segment(0xffffff01 + 300, 50, ACK);  /* again */
    send_segment(0xffffff01 + 500, 0, ACK);
    send_segment(0xffffff01 + 499, 0, ACK); /* keep-alive: no data */
    send_segment(0xffffff01 + 500, 0, FIN | ACK);
    only(&flow);
    assert_int_equal(flow->payload_packets, 6);
    assert_int_equal(flow->holes, 1);
    assert_int_equal(flow->out_of_order, 2);
    assert_int_equal(flow->repeats, 1);
    assert_int_equal(flow->fin, 1);
    assert_int_equal(flow->next_sequence, 0xffffff01 + 501);
}

static void test_offloaded_segments(void **state) {
    (void)state;
    const struct flow *flow;
    struct craft craft = craft_segment(1, 2, ACK, 1, 3000);
    craft.gso_size = 1000;
    begin();
    run(&craft);
    only(&flow);
    assert_int_equal(flow->packets, 1);
    assert_int_equal(flow->segments, 3);
    assert_int_equal(flow->largest, 1040);
    craft.gso_segments = 3;
    run(&craft);
    only(&flow);
    assert_int_equal(flow->segments, 6);
}

static void test_handshake(void **state) {
    (void)state;
    const struct flow *asked, *answered;
    struct craft syn = craft_segment(1000, 2000, SYN, 111, 0), answer = craft_segment(2000, 1000, SYN | ACK, 222, 0),
                 confirm = craft_segment(1000, 2000, ACK, 112, 0);
    memcpy(answer.bytes + 26, TWO, 4);
    memcpy(answer.bytes + 30, ONE, 4);
    answer.bytes[45] = 200; /* acknowledges more than the SYN: Fast Open */
    begin();
    run_way(&syn, FLOW_INGRESS);
    run_way(&answer, FLOW_EGRESS);
    run_way(&confirm, FLOW_INGRESS);
    show();
    find(TUNNEL_NONE, 2000, &asked);
    find(TUNNEL_NONE, 1000, &answered);
    assert_int_equal(asked->isn, 111ULL << 32 | 222);
    assert_int_equal(answered->isn, 111ULL << 32 | 222);
    assert_true(asked->syn_time && asked->syn_time < answered->syn_ack_time &&
                answered->syn_ack_time < asked->ack_time);
    assert_true(answered->flags & FLOW_FROM_SERVER);
}

static void test_reuse(void **state) {
    (void)state;
    const struct flow *flow;
    begin();
    uint64_t before = shown.troubles;
    send_segment(10, 0, SYN);
    send_segment(10, 0, SYN); /* again: the same connection */
    send_segment(11, 100, ACK);
    show();
    assert_int_equal(shown.troubles, before);
    send_segment(999, 0, SYN);
    only(&flow);
    assert_int_equal(shown.troubles, before + 1);
    assert_int_equal(shown.reused.flow.packets, 3);
    assert_int_equal(shown.reused.flow.isn >> 32, 10);
    assert_int_equal(shown.reused.key.source_port, 1000);
    assert_int_equal(flow->generation, 1);
    assert_int_equal(flow->packets, 4);
    assert_int_equal(flow->isn >> 32, 999);
    assert_int_equal(flow->flags & FLOW_CLOSED, 0);
}

/* ---- leaving ---- */

static void test_a_packet_keeps_its_flow(void **state) {
    (void)state;
    const struct flow *flow;
    begin();
    send_segment(1, 10, ACK);
    now += 1000ULL * SECOND;
    show(); /* asks it to leave */
    send_segment(11, 10, ACK);
    show_at(now += 2ULL * SECOND);
    assert_int_equal(shown.all, 1); /* it was taken back; silent again by this clock, it is asked again */
    show_at(now += 2ULL * SECOND);
    assert_int_equal(shown.all, 0);
    assert_balanced();
    send_segment(21, 10, ACK);
    only(&flow);
    assert_int_equal(flow->packets, 1);
}

static void send_flows(uint32_t first, uint32_t count) {
    struct craft craft = craft_segment(1, 2, ACK, 1, 0);
    for (uint32_t i = first; i < first + count; i++) {
        memcpy(craft.bytes + 26, &i, sizeof(i));
        assert_true(craft_run(packets, i & 1, &craft, 1) >= 0);
    }
}

static void test_a_million_flows(void **state) {
    (void)state;
    enum { ALL = 1000000, ROOM = 65536 };
    begin();
    assert_balanced();
    struct packets_balance before = sums;
    send_flows(0, ALL);
    show();
    assert_balanced();
    assert_int_equal(sums.total.packets - before.total.packets, ALL);
    assert_int_equal(shown.all, ROOM);
    assert_int_equal(sums.living.packets, ROOM);
    assert_int_equal(sums.overflow.packets - before.overflow.packets, ALL - ROOM);
    uint64_t counters[PACKET_COUNTER_KINDS];
    packets_counters(packets, counters);
    assert_true(counters[COUNTER_FLOWS_FULL] >= ALL - ROOM);
    empty_table(NULL);
    send_flows(0, 1000); /* there is room again */
    show();
    assert_int_equal(shown.all, 1000);
    assert_balanced();
}

int main(void) {
    struct packets_options options = {0};
    char error[256];
    int result = packets_new(&options, &packets, error, sizeof(error));
    if (result == -EPERM) {
        fprintf(stderr, "skipped: %s\n", error);
        return SKIPPED;
    }
    if (result < 0 || craft_place(packets)) {
        fprintf(stderr, "%s\n", error);
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_segment, empty_table),
        cmocka_unit_test_teardown(test_tags, empty_table),
        cmocka_unit_test_teardown(test_options, empty_table),
        cmocka_unit_test_teardown(test_extensions, empty_table),
        cmocka_unit_test_teardown(test_fragments, empty_table),
        cmocka_unit_test_teardown(test_fragments_v6, empty_table),
        cmocka_unit_test_teardown(test_other_protocols, empty_table),
        cmocka_unit_test_teardown(test_not_ip, empty_table),
        cmocka_unit_test_teardown(test_tunnels, empty_table),
        cmocka_unit_test_teardown(test_cut_anywhere, empty_table),
        cmocka_unit_test_teardown(test_wrong_headers, empty_table),
        cmocka_unit_test_teardown(test_looped_options, empty_table),
        cmocka_unit_test_teardown(test_bytes_changed_at_random, empty_table),
        cmocka_unit_test_teardown(test_order, empty_table),
        cmocka_unit_test_teardown(test_offloaded_segments, empty_table),
        cmocka_unit_test_teardown(test_handshake, empty_table),
        cmocka_unit_test_teardown(test_reuse, empty_table),
        cmocka_unit_test_teardown(test_a_packet_keeps_its_flow, empty_table),
        cmocka_unit_test_teardown(test_a_million_flows, empty_table),
    };
    result = cmocka_run_group_tests(tests, NULL, NULL);
    packets_free(packets);
    return result;
}
