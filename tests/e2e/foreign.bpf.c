/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Somebody else's program at an interface. By the UDP port that a packet goes to: 5001 is dropped, 5002 marked, 5003
 * redirected, anything else passed on. It counts what it sees, and what came to it marked.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

enum { NEXT = -1, DROP = 2, MARK = 7, PORTS = 5000 };

const volatile struct { /* one, so that the compiler keeps the order */
    __u32 redirect_to;  /* an interface */
    __u32 only_count;   /* does nothing but count */
} settings;

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 10); /* by port - 5000; the same marked, plus 5 */
    __type(key, __u32);
    __type(value, __u64);
} seen SEC(".maps");

static void count(__u32 which) {
    __u64 *value = bpf_map_lookup_elem(&seen, &which);
    if (value)
        __sync_fetch_and_add(value, 1);
}

SEC("tc")
int foreign(struct __sk_buff *skb) {
    struct iphdr ip;
    struct udphdr udp;
    if (skb->protocol != bpf_htons(ETH_P_IP) || bpf_skb_load_bytes(skb, ETH_HLEN, &ip, sizeof(ip)) ||
        ip.protocol != IPPROTO_UDP || bpf_skb_load_bytes(skb, ETH_HLEN + sizeof(ip), &udp, sizeof(udp)))
        return NEXT;
    __u32 port = bpf_ntohs(udp.dest) - PORTS;
    if (port >= 5)
        return NEXT;
    count(skb->mark == MARK ? port + 5 : port);
    if (settings.only_count)
        return NEXT;
    if (port == 1)
        return DROP;
    if (port == 2)
        skb->mark = MARK;
    if (port == 3)
        return bpf_redirect(settings.redirect_to, 0);
    return NEXT;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
