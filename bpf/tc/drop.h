/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Packets that the kernel drops: whose, where, why.
 *
 * tp_btf/kfree_skb has the reason since Linux 5.17; before, the place where it was freed is all there is. Reasons that
 * are part of healthy traffic are left out by number, which userspace reads from the kernel's own types. The netfilter
 * hook is found in the kernel's stack: whoever called the hook stands there. Only netfilter's drops are looked at so,
 * and only some thousands of them in a second.
 */
#ifndef WEFT_BPF_TC_DROP_H
#define WEFT_BPF_TC_DROP_H

#define HOOK_FRAMES 16             /* the caller of a hook stands within these */
#define HOOK_WALKS_PER_SECOND 2000 /* on one CPU; one takes about two microseconds */
#define EXTENSION_HEADERS 8

#define AF_INET 2
#define AF_INET6 10

const volatile struct drop_settings drop_settings;

/* At most so many of something in a second, on one CPU. */
struct budget {
    __u64 second, used;
};
static bool budget_take(struct budget *budget, __u64 now, __u64 most) {
    __u64 second = now >> 30; /* about one */
    if (budget->second != second) {
        budget->second = second;
        budget->used = 0;
    }
    return budget->used++ < most;
}

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct budget);
} hook_walks SEC(".maps");

/* ---- where ---- */

struct net_device___place { /* of the kernel's, what is read */
    possible_net_t nd_net;
    int ifindex;
} __attribute__((preserve_access_index));
struct net___place {
    struct net_device___place *loopback_dev;
} __attribute__((preserve_access_index));

/*
 * skb->dev shares its place with other things while a packet waits in a socket's queue. What it points to is a device
 * only if its namespace is one.
 */
static struct net *namespace_of_device(struct net_device___place *device) {
    struct net *net = device ? BPF_CORE_READ(device, nd_net.net) : NULL;
    return net && BPF_CORE_READ((struct net___place *)net, loopback_dev, nd_net.net) == net ? net : NULL;
}

static struct net_device___place *routed_to(const struct sk_buff *skb) {
    struct dst_entry *route = (struct dst_entry *)(skb->_skb_refdst & ~1UL);
    return route ? (struct net_device___place *)BPF_CORE_READ(route, dev) : NULL;
}

/* The namespace's inode, 0 if it cannot be told. `sk` may be NULL. */
static __u32 whereabouts(const struct sk_buff *skb, struct sock *sk, __u32 *ret_ifindex) {
    struct net_device___place *device = (struct net_device___place *)skb->dev;
    struct net *net = namespace_of_device(device);
    if (net) {
        *ret_ifindex = BPF_CORE_READ(device, ifindex);
        return BPF_CORE_READ(net, ns.inum);
    }
    *ret_ifindex = skb->skb_iif;
    if (sk)
        net = BPF_CORE_READ(sk, __sk_common.skc_net.net);
    if (net && *ret_ifindex)
        return BPF_CORE_READ(net, ns.inum);
    device = routed_to(skb);
    struct net *routed = namespace_of_device(device);
    if (!routed)
        return net ? BPF_CORE_READ(net, ns.inum) : 0;
    if (!*ret_ifindex)
        *ret_ifindex = BPF_CORE_READ(device, ifindex);
    return BPF_CORE_READ(routed, ns.inum);
}

/* ---- whose ---- */

/* A packet in the kernel's memory, by address: what reads it is verified by itself. */
struct dropped {
    struct drop_key key;
    struct drop_totals totals;
    __u64 head;
    __u32 network, tail; /* offsets; what lies between is in the linear part */
    __u32 length;        /* from the network header on */
    __u16 ethertype;
    bool bare; /* a TCP segment with at most the one byte of a probe */
};

/* Whoever came so far as to drop a packet has put its headers into the linear part. */
static bool read_header(const struct dropped *dropped, __u32 offset, void *into, __u32 size) {
    return offset + size <= dropped->tail && !bpf_probe_read_kernel(into, size, (void *)(dropped->head + offset));
}

struct tcp_start {
    __be16 source, destination;
    __be32 sequence, acknowledged;
    __u8 length, flags;
};

static void read_tcp(struct dropped *dropped, __u32 offset) {
    struct tcp_start header;
    if (!read_header(dropped, offset, &header, 14))
        return;
    dropped->totals.sequence = bpf_ntohl(header.sequence);
    dropped->totals.tcp_flags = header.flags;
    dropped->bare = offset + (header.length >> 4) * 4 + 1 >= dropped->network + dropped->length;
}

static void read_icmp(struct dropped *dropped, __u32 offset) {
    struct drop_key *key = &dropped->key;
    __u8 icmp[6];
    if (!read_header(dropped, offset, icmp, sizeof(icmp)))
        return;
    bool echo = key->protocol == IPPROTO_ICMP ? icmp[0] == ICMP_ECHO || icmp[0] == ICMP_ECHO_REPLY
                                              : icmp[0] == ICMPV6_ECHO || icmp[0] == ICMPV6_ECHO_REPLY;
    key->source_port = echo ? icmp[4] << 8 | icmp[5] : icmp[0] << 8 | icmp[1];
    key->destination_port = echo ? key->source_port : 0;
}

static void read_transport(struct dropped *dropped, __u32 offset) {
    struct drop_key *key = &dropped->key;
    struct port_pair ports;
    __u8 protocol = key->protocol;
    if (protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6) {
        read_icmp(dropped, offset);
        return;
    }
    if (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP && protocol != IPPROTO_UDPLITE && protocol != IPPROTO_DCCP &&
        protocol != IPPROTO_SCTP)
        return;
    if (!read_header(dropped, offset, &ports, sizeof(ports)))
        return;
    key->source_port = bpf_ntohs(ports.source);
    key->destination_port = bpf_ntohs(ports.destination);
    if (protocol == IPPROTO_TCP)
        read_tcp(dropped, offset);
}

/* Offset of what is to be read next; 0: nothing. */
static __u32 read_ipv4(struct dropped *dropped) {
    struct iphdr header;
    if (!read_header(dropped, dropped->network, &header, sizeof(header)) || (*(__u8 *)&header & 0xf0) != 0x40)
        return 0;
    dropped->key.family = 4;
    dropped->key.protocol = header.protocol;
    *(__u32 *)dropped->key.source = header.saddr;
    *(__u32 *)dropped->key.destination = header.daddr;
    return header.frag_off & bpf_htons(IP_FRAGMENT_OFFSET) ? 0 : dropped->network + (*(__u8 *)&header & 15) * 4;
}

static bool is_skipped(__u8 protocol) {
    return protocol == IPPROTO_HOPOPTS || protocol == IPPROTO_ROUTING || protocol == IPPROTO_DSTOPTS ||
           protocol == IPPROTO_AH || protocol == IPPROTO_FRAGMENT;
}

static __u32 read_ipv6(struct dropped *dropped) {
    struct ipv6hdr header;
    struct extension_header extension;
    if (!read_header(dropped, dropped->network, &header, sizeof(header)) || (*(__u8 *)&header & 0xf0) != 0x60)
        return 0;
    dropped->key.family = 6;
    __builtin_memcpy(dropped->key.source, &header.saddr, 16);
    __builtin_memcpy(dropped->key.destination, &header.daddr, 16);
    __u32 offset = dropped->network + sizeof(header);
    __u8 protocol = header.nexthdr;
    for (int i = 0; i < EXTENSION_HEADERS && is_skipped(protocol); i++) {
        if (!read_header(dropped, offset, &extension, sizeof(extension)))
            break;
        if (protocol == IPPROTO_FRAGMENT && (extension.fragment & bpf_htons(0xfff8))) {
            dropped->key.protocol = extension.next;
            return 0;
        }
        offset += protocol == IPPROTO_FRAGMENT ? 8
                  : protocol == IPPROTO_AH     ? (extension.length + 2) * 4
                                               : (extension.length + 1) * 8;
        protocol = extension.next;
    }
    dropped->key.protocol = protocol;
    return offset;
}

/* Global, so that it is verified once. */
__noinline int read_dropped(struct dropped *dropped) {
    if (!dropped)
        return 0;
    __u32 transport = dropped->ethertype == ETH_P_IP     ? read_ipv4(dropped)
                      : dropped->ethertype == ETH_P_IPV6 ? read_ipv6(dropped)
                                                         : 0;
    if (transport)
        read_transport(dropped, transport);
    return 0;
}

/* False: it is not IP, or cut. */
static bool read_packet(const struct sk_buff *skb, struct dropped *dropped) {
    dropped->head = (__u64)skb->head;
    dropped->network = skb->network_header;
    dropped->tail = skb->tail;
    dropped->length = skb->len + (__u32)(skb->data - skb->head) - dropped->network;
    dropped->ethertype = bpf_ntohs(skb->protocol);
    read_dropped(dropped);
    return dropped->key.family;
}

static bool is_mapped(const struct in6_addr *address) {
    const __u32 *words = address->in6_u.u6_addr32;
    return !words[0] && !words[1] && words[2] == bpf_htonl(0xffff);
}

/* Sockets of every state have these, requests and what is in TIME_WAIT too. A v4 address may be mapped. */
static bool read_ends(struct sock *sk, struct drop_key *key) {
    __u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);
    struct in6_addr peer = {};
    if (family == AF_INET6)
        peer = BPF_CORE_READ(sk, __sk_common.skc_v6_daddr);
    if (family == AF_INET || is_mapped(&peer)) {
        key->family = 4;
        *(__u32 *)key->source = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);
        *(__u32 *)key->destination = BPF_CORE_READ(sk, __sk_common.skc_daddr);
    } else if (family == AF_INET6) {
        key->family = 6;
        bpf_core_read(key->source, 16, &sk->__sk_common.skc_v6_rcv_saddr);
        __builtin_memcpy(key->destination, &peer, 16);
    } else
        return false;
    key->source_port = BPF_CORE_READ(sk, __sk_common.skc_num); /* 0: given up already */
    if (!key->source_port && BPF_CORE_READ(sk, __sk_common.skc_state) == BPF_TCP_CLOSE)
        key->source_port = bpf_ntohs(BPF_CORE_READ((struct inet_sock *)sk, inet_sport));
    key->destination_port = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
    return true;
}

/* A packet that its socket could not send has no header yet. Its socket says whose it is. */
static bool read_sender(struct sock *sk, struct drop_key *key) {
    key->protocol = BPF_CORE_READ(sk, sk_protocol);
    return read_ends(sk, key);
}

/* ---- how much ---- */

struct skb_shared_info___gso {
    unsigned short gso_segs;
} __attribute__((preserve_access_index));

static void measure(const struct sk_buff *skb, const struct dropped *dropped, struct drop_totals *totals) {
    struct skb_shared_info___gso *shared = (struct skb_shared_info___gso *)(skb->head + skb->end);
    __u32 segments = BPF_CORE_READ(shared, gso_segs);
    totals->packets = 1;
    totals->segments = segments ? segments : 1;
    totals->bytes = dropped->length;
}

/* ---- netfilter ---- */

/* Global, so that it is verified once. */
__noinline __u32 hook_of_function(__u64 address) {
    for (int i = 0; i < HOOK_PLACES; i++)
        if (address >= drop_settings.places[i].start && address < drop_settings.places[i].end)
            return drop_settings.places[i].hook;
    return DROP_HOOK_NONE;
}

static bool is_netfilter(__u64 address) {
    return address >= drop_settings.netfilter_start && address < drop_settings.netfilter_end;
}

/* Whoever called nf_hook_slow stands behind it; where a hook is called without it, that place is the hook's. */
static __noinline __u32 hook_of(void *context, __u64 location) {
    __u64 frames[HOOK_FRAMES] = {}, caller = 0, behind = 0;
    __u32 hook = hook_of_function(location);
    if (hook)
        return hook;
    bpf_get_stack(context, frames, sizeof(frames), 0);
    for (int i = 0; i < HOOK_FRAMES - 2; i++)
        if (!caller && is_netfilter(frames[i])) {
            caller = frames[i + 1];
            behind = frames[i + 2];
        }
    hook = hook_of_function(caller);
    return hook == DROP_HOOK_BEHIND ? hook_of_function(behind) : hook;
}

static __u8 find_hook(void *context, __u64 location, __u64 now) {
    __u32 zero = 0;
    struct budget *budget = bpf_map_lookup_elem(&hook_walks, &zero);
    if (budget && budget_take(budget, now, HOOK_WALKS_PER_SECOND))
        return hook_of(context, location);
    count(COUNTER_DROPS_HOOK_UNTOLD);
    return DROP_HOOK_NONE;
}

/* Before Linux 5.18 the place alone tells. */
static bool by_netfilter(__u64 location, __u32 reason) {
    return drop_settings.netfilter_reason ? reason == drop_settings.netfilter_reason : is_netfilter(location);
}

/* ---- */

static bool has(const volatile __u64 *reasons, __u32 reason) {
    return reason < 256 && (reasons[reason >> 6] >> (reason & 63) & 1);
}

static bool is_silent(__u64 location, __u32 reason) {
    return has(drop_settings.silent, reason) ||
           (location >= drop_settings.silent_place.start && location < drop_settings.silent_place.end);
}

/* Acknowledgements, probes and FINs that TCP is done with. It takes the device off what it was given. */
static bool is_bare(const struct sk_buff *skb, __u32 reason, const struct dropped *dropped) {
    return dropped->bare && !(dropped->totals.tcp_flags & TCP_SYN) && !skb->dev && has(drop_settings.bare, reason);
}

static void add_drop(const struct drop_key *key, const struct drop_totals *one) {
    struct drop_totals *totals = bpf_map_lookup_elem(&drops, key);
    if (!totals && !bpf_map_update_elem(&drops, key, one, BPF_NOEXIST))
        return;
    if (!totals)
        totals = bpf_map_lookup_elem(&drops, key); /* another CPU made it */
    if (!totals) {
        count(COUNTER_DROPS_FULL);
        return;
    }
    __sync_fetch_and_add(&totals->packets, 1);
    __sync_fetch_and_add(&totals->segments, one->segments);
    __sync_fetch_and_add(&totals->bytes, one->bytes);
    totals->last_time = one->last_time;
    totals->sequence = one->sequence;
    totals->tcp_flags |= one->tcp_flags;
    if (one->cookie)
        totals->cookie = one->cookie;
}

/* `sk`: who was to receive it, or NULL. `context` is the program's own, for its stack. */
static __always_inline int drop_packet(void *context, struct sk_buff *skb, __u64 location, __u32 reason,
                                       struct sock *sk) {
    if (is_silent(location, reason))
        return 0;
    struct dropped dropped = {.key = {.reason = reason, .location = location}};
    struct drop_key *key = &dropped.key;
    struct drop_totals *totals = &dropped.totals;
    struct sock *sender = BPF_CORE_READ(skb, sk);
    if (!sk)
        sk = sender;
    key->netns = whereabouts(skb, sk, &key->ifindex);
    if (!key->netns || (only_netns && key->netns != only_netns))
        return 0; /* of no network: a message of AF_UNIX or netlink */
    if (!read_packet(skb, &dropped) && !(sender && skb->protocol == 0 && read_sender(sender, key))) {
        count(COUNTER_DROPS_UNREADABLE);
        return 0;
    }
    if (is_bare(skb, reason, &dropped))
        return 0;
    measure(skb, &dropped, totals);
    totals->first_time = totals->last_time = bpf_ktime_get_ns();
    totals->cookie = sk ? BPF_CORE_READ(sk, __sk_common.skc_cookie.counter) : 0;
    if (by_netfilter(location, reason))
        key->hook = find_hook(context, location, totals->last_time);
    add_drop(key, totals);
    return 0;
}

SEC("tp_btf/kfree_skb")
int packet_dropped(__u64 *context) {
    struct sk_buff *skb = (struct sk_buff *)context[0];
    __u32 reason = bpf_core_type_exists(enum skb_drop_reason) ? context[2] : 0;
    struct sock *sk = drop_settings.has_socket ? (struct sock *)context[3] : NULL;
    return drop_packet(context, skb, context[1], reason, sk);
}

#endif
