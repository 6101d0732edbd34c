/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * A packet's headers: which flow it belongs to, and what they tell.
 *
 * Headers are read where they lie if they lie in the linear part, else copied out; the packet is never pulled, changed
 * or marked. Where a header is cut or wrong, reading stops there: what was understood so far is the flow, and the
 * packet counts as malformed.
 */
#ifndef WEFT_BPF_TC_PARSE_H
#define WEFT_BPF_TC_PARSE_H

#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86dd
#define ETH_P_8021Q 0x8100
#define ETH_P_8021AD 0x88a8
#define ETH_P_TEB 0x6558 /* an Ethernet frame inside a tunnel */
#define ARPHRD_ETHER 1
#define ARPHRD_LOOPBACK 772
#define IPPROTO_HOPOPTS 0
#define IPPROTO_ROUTING 43
#define IPPROTO_FRAGMENT 44
#define IPPROTO_ICMPV6 58
#define IPPROTO_DSTOPTS 60
#define IPPROTO_MH 135
#define IP_FRAGMENT_OFFSET 0x1fff
#define IP_MORE_FRAGMENTS 0x2000
#define IP_DONT_FRAGMENT 0x4000
#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10
#define TCP_ECE 0x40
#define TCP_CWR 0x80
#define TCP_OPTION_MSS 2
#define ICMP_ECHO_REPLY 0
#define ICMP_ECHO 8
#define ICMPV6_ECHO 128
#define ICMPV6_ECHO_REPLY 129
#define PORT_VXLAN 4789
#define PORT_VXLAN_OLD 8472 /* what Linux took before the number was assigned; flannel and Cilium still do */
#define PORT_GENEVE 6081
#define VXLAN_HAS_VNI 0x08000000
#define GRE_CHECKSUM 0x8000
#define GRE_KEY 0x2000
#define GRE_SEQUENCE 0x1000
#define GRE_VERSION 0x0007

#define OFFSET_MOST 0x7fff /* of a header: the verifier follows no further */
#define VLAN_TAGS_MOST 3
#define EXTENSIONS_MOST 48

struct vlan_tag {
    __be16 control, ethertype;
};
struct extension_header {
    __u8 next, length;
    __be16 fragment;
    __be32 identification;
};
struct port_pair {
    __be16 source, destination;
};
struct tunnel_header { /* VXLAN and Geneve */
    __be32 flags, identifier;
};

struct packet {
    struct flow_key key;
    __u32 network, transport, payload, end; /* offsets; `payload` follows the transport header, `end` as IP says */
    __u32 inner;                            /* offset of the packet inside; 0: none */
    __u32 sequence, acknowledgement;
    __u32 tunnel_id;
    __u16 ethertype, inner_ethertype, window;
    __u8 tunnel; /* enum flow_tunnel, of the packet inside */
    __u8 tcp_flags, ttl, traffic_class;
    bool fragment, later_fragment, dont_fragment, malformed;
};

/* Keeps the compiler from computing a pointer anew that the verifier knows. */
#define KEEP(variable) asm volatile("" : "+r"(variable))

/* Copies what stands at an offset; false: the packet ends before, or it is farther than anybody looks. */
#define READ(skb, offset, to)                                                                                          \
    ({                                                                                                                 \
        __u64 offset_ = (offset);                                                                                      \
        bool read_ = false;                                                                                            \
        KEEP(offset_);                                                                                                 \
        if (offset_ <= OFFSET_MOST) {                                                                                  \
            void *at_ = (void *)(long)(skb)->data + offset_;                                                           \
            KEEP(at_);                                                                                                 \
            read_ = true;                                                                                              \
            if (at_ + sizeof(*(to)) <= (void *)(long)(skb)->data_end)                                                  \
                *(to) = *(typeof(to))at_;                                                                              \
            else                                                                                                       \
                read_ = !bpf_skb_load_bytes(skb, offset_, to, sizeof(*(to)));                                          \
        }                                                                                                              \
        read_;                                                                                                         \
    })

static __always_inline bool is_cut(struct packet *packet) {
    packet->malformed = true;
    return false;
}

/* ---- link ---- */

/* Past the tags that stand in the packet; the identifier of the first is the flow's, unless the device took one off. */
static __always_inline bool parse_tags(struct __sk_buff *skb, struct packet *packet) {
    for (int i = 0; i < VLAN_TAGS_MOST; i++) {
        struct vlan_tag tag;
        if (packet->ethertype != ETH_P_8021Q && packet->ethertype != ETH_P_8021AD)
            return true;
        if (!READ(skb, packet->network, &tag))
            return is_cut(packet);
        if (!packet->key.vlan)
            packet->key.vlan = bpf_ntohs(tag.control) & 0xfff;
        packet->ethertype = bpf_ntohs(tag.ethertype);
        packet->network = packet->network + sizeof(tag);
    }
    return true;
}

/* An Ethernet frame at this offset. */
static __always_inline bool parse_ethernet(struct __sk_buff *skb, struct packet *packet, __u32 offset) {
    __be16 ethertype;
    if (!READ(skb, offset + 12, &ethertype))
        return is_cut(packet);
    packet->ethertype = bpf_ntohs(ethertype);
    packet->network = offset + 14;
    return parse_tags(skb, packet);
}

/* ---- transport ---- */

/* Where the maximum segment size of a SYN stands; 0 if it does not, or if the options are wrong. */
__noinline int parse_mss(struct __sk_buff *skb, __u32 offset, __u32 end) {
    for (int i = 0; i < 40; i++) {
        struct {
            __u8 kind, length;
        } option = {};
        __be16 mss;
        if (offset >= end || bpf_skb_load_bytes(skb, offset, &option.kind, 1) || !option.kind)
            return 0;
        if (option.kind == 1) {
            offset++;
            continue;
        }
        if (offset + 2 > end || bpf_skb_load_bytes(skb, offset + 1, &option.length, 1) || option.length < 2)
            return 0;
        if (option.kind == TCP_OPTION_MSS && option.length == 4 && offset + 4 <= end)
            return bpf_skb_load_bytes(skb, offset + 2, &mss, 2) ? 0 : bpf_ntohs(mss);
        offset += option.length;
    }
    return 0;
}

static __always_inline bool parse_ports(struct __sk_buff *skb, struct packet *packet) {
    struct port_pair ports;
    if (!READ(skb, packet->transport, &ports))
        return is_cut(packet);
    packet->key.source_port = bpf_ntohs(ports.source);
    packet->key.destination_port = bpf_ntohs(ports.destination);
    return true;
}

static __always_inline void parse_tcp(struct __sk_buff *skb, struct packet *packet) {
    struct tcphdr header;
    if (!READ(skb, packet->transport, &header)) {
        parse_ports(skb, packet);
        is_cut(packet);
        return;
    }
    packet->key.source_port = bpf_ntohs(header.source);
    packet->key.destination_port = bpf_ntohs(header.dest);
    packet->payload = packet->transport + header.doff * 4;
    if (header.doff < 5 || packet->payload > packet->end) {
        is_cut(packet);
        return;
    }
    packet->tcp_flags = ((__u8 *)&header)[13];
    packet->sequence = bpf_ntohl(header.seq);
    packet->acknowledgement = bpf_ntohl(header.ack_seq);
    packet->window = bpf_ntohs(header.window);
}

static __always_inline void parse_icmp(struct __sk_buff *skb, struct packet *packet) {
    struct {
        __u8 type, code;
        __be16 checksum, identifier, sequence;
    } header;
    if (!READ(skb, packet->transport, &header)) {
        is_cut(packet);
        return;
    }
    packet->payload = packet->transport + sizeof(header);
    bool echo = packet->key.protocol == IPPROTO_ICMP ? header.type == ICMP_ECHO || header.type == ICMP_ECHO_REPLY
                                                     : header.type == ICMPV6_ECHO || header.type == ICMPV6_ECHO_REPLY;
    packet->key.source_port = echo ? bpf_ntohs(header.identifier) : (__u16)(header.type << 8 | header.code);
    packet->key.destination_port = echo ? packet->key.source_port : 0;
}

/* VXLAN and Geneve, told by the port they go to. */
static __always_inline void parse_udp_tunnel(struct __sk_buff *skb, struct packet *packet) {
    __u16 port = packet->key.destination_port;
    struct tunnel_header header;
    if (port != PORT_VXLAN && port != PORT_VXLAN_OLD && port != PORT_GENEVE)
        return;
    if (!READ(skb, packet->payload, &header))
        return; /* somebody else's use of the port */
    __u32 flags = bpf_ntohl(header.flags), options = 0;
    if (port == PORT_GENEVE) {
        if (flags >> 30) /* version */
            return;
        options = (flags >> 24 & 0x3f) * 4;
        packet->inner_ethertype = flags & 0xffff;
        packet->tunnel = TUNNEL_GENEVE;
    } else {
        if (!(flags & VXLAN_HAS_VNI))
            return;
        packet->inner_ethertype = ETH_P_TEB;
        packet->tunnel = TUNNEL_VXLAN;
    }
    packet->tunnel_id = bpf_ntohl(header.identifier) >> 8;
    packet->inner = packet->payload + sizeof(header) + options;
}

static __always_inline void parse_udp(struct __sk_buff *skb, struct packet *packet) {
    if (!parse_ports(skb, packet))
        return;
    packet->payload = packet->transport + sizeof(struct udphdr);
    if (packet->payload > packet->end)
        is_cut(packet);
    else if (!packet->fragment)
        parse_udp_tunnel(skb, packet);
}

static __always_inline void parse_gre(struct __sk_buff *skb, struct packet *packet) {
    struct {
        __be16 flags, ethertype;
    } header;
    __be32 key = 0;
    if (!READ(skb, packet->transport, &header)) {
        is_cut(packet);
        return;
    }
    __u16 flags = bpf_ntohs(header.flags);
    if (packet->fragment || (flags & GRE_VERSION)) /* 1: PPTP, which bears PPP */
        return;
    __u32 offset = packet->transport + sizeof(header) + (flags & GRE_CHECKSUM ? 4 : 0);
    if ((flags & GRE_KEY) && !READ(skb, offset, &key)) {
        is_cut(packet);
        return;
    }
    packet->tunnel_id = bpf_ntohl(key);
    packet->inner_ethertype = bpf_ntohs(header.ethertype);
    packet->tunnel = TUNNEL_GRE;
    packet->inner = offset + (flags & GRE_KEY ? 4 : 0) + (flags & GRE_SEQUENCE ? 4 : 0);
}

static __always_inline void parse_transport(struct __sk_buff *skb, struct packet *packet) {
    switch (packet->key.protocol) {
    case IPPROTO_TCP:
        parse_tcp(skb, packet);
        break;
    case IPPROTO_UDP:
        parse_udp(skb, packet);
        break;
    case IPPROTO_SCTP:
    case IPPROTO_UDPLITE:
    case IPPROTO_DCCP:
        parse_ports(skb, packet);
        break;
    case IPPROTO_ICMP:
    case IPPROTO_ICMPV6:
        parse_icmp(skb, packet);
        break;
    case IPPROTO_GRE:
        parse_gre(skb, packet);
        break;
    case IPPROTO_IPIP:
    case IPPROTO_IPV6:
        packet->inner_ethertype = packet->key.protocol == IPPROTO_IPIP ? ETH_P_IP : ETH_P_IPV6;
        packet->tunnel = packet->fragment ? TUNNEL_NONE : TUNNEL_IPIP;
        packet->inner = packet->fragment ? 0 : packet->transport;
        break;
    }
}

/* ---- fragments ---- */

/* Ports of the last datagrams that came in pieces: a flow's key, with the datagram's identification for ports. */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH); /* nothing is counted by it */
    __uint(max_entries, 1024);
    __type(key, struct flow_key);
    __type(value, __u32);
} fragments SEC(".maps");

/* The first piece tells the ports; the others are given them, if they come later. */
__noinline int follow_fragments(struct packet *packet, __u32 identification) {
    if (!packet)
        return 0;
    struct flow_key key = packet->key;
    __u32 ports = (__u32)packet->key.source_port << 16 | packet->key.destination_port, *known;
    key.source_port = identification >> 16;
    key.destination_port = identification & 0xffff;
    if (!packet->later_fragment) {
        bpf_map_update_elem(&fragments, &key, &ports, BPF_ANY);
        return 0;
    }
    known = bpf_map_lookup_elem(&fragments, &key);
    if (!known)
        return 0;
    packet->key.source_port = *known >> 16;
    packet->key.destination_port = *known & 0xffff;
    return 0;
}

/* ---- network ---- */

static __always_inline bool parse_v4(struct __sk_buff *skb, struct packet *packet, __u32 *ret_identification) {
    struct iphdr header;
    if (!READ(skb, packet->network, &header) || header.version != 4 || header.ihl < 5)
        return is_cut(packet);
    __u16 fragment = bpf_ntohs(header.frag_off);
    __u32 length = bpf_ntohs(header.tot_len);
    packet->key.family = 4;
    packet->key.protocol = header.protocol;
    *(__u32 *)packet->key.source = header.saddr;
    *(__u32 *)packet->key.destination = header.daddr;
    packet->ttl = header.ttl;
    packet->traffic_class = header.tos;
    packet->dont_fragment = fragment & IP_DONT_FRAGMENT;
    packet->fragment = fragment & (IP_FRAGMENT_OFFSET | IP_MORE_FRAGMENTS);
    packet->later_fragment = fragment & IP_FRAGMENT_OFFSET;
    packet->transport = packet->network + header.ihl * 4;
    packet->end = length ? packet->network + length : skb->len; /* 0: more than the field can say */
    *ret_identification = bpf_ntohs(header.id);
    return packet->transport <= packet->end || is_cut(packet);
}

static __always_inline bool is_extension(__u8 protocol) {
    return protocol == IPPROTO_HOPOPTS || protocol == IPPROTO_ROUTING || protocol == IPPROTO_FRAGMENT ||
           protocol == IPPROTO_DSTOPTS || protocol == IPPROTO_AH || protocol == IPPROTO_MH;
}

static __always_inline __u32 extension_length(__u8 protocol, const struct extension_header *header) {
    if (protocol == IPPROTO_FRAGMENT)
        return 8;
    return protocol == IPPROTO_AH ? (header->length + 2) * 4 : (header->length + 1) * 8;
}

__noinline int parse_extensions(struct __sk_buff *skb, struct packet *packet, __u32 *identification) {
    if (!packet || !identification)
        return 0;
    __u8 protocol = packet->key.protocol;
    __u32 offset = packet->transport;
    for (int i = 0; i < EXTENSIONS_MOST && is_extension(protocol); i++) {
        struct extension_header header;
        if (bpf_skb_load_bytes(skb, offset, &header, sizeof(header)))
            return is_cut(packet);
        if (protocol == IPPROTO_FRAGMENT) {
            __u16 fragment = bpf_ntohs(header.fragment);
            packet->fragment = fragment & 0xfff9; /* an offset, or more to come */
            packet->later_fragment = fragment & 0xfff8;
            *identification = bpf_ntohl(header.identification);
        }
        offset += extension_length(protocol, &header);
        protocol = header.next;
        packet->key.protocol = protocol;
        packet->transport = offset;
        if (packet->later_fragment) /* what follows is no header */
            return true;
        if (offset > packet->end)
            return is_cut(packet);
    }
    return !is_extension(protocol) || is_cut(packet);
}

static __always_inline bool parse_v6(struct __sk_buff *skb, struct packet *packet, __u32 *ret_identification) {
    struct ipv6hdr header;
    if (!READ(skb, packet->network, &header) || header.version != 6)
        return is_cut(packet);
    __u32 length = bpf_ntohs(header.payload_len);
    packet->key.family = 6;
    packet->key.protocol = header.nexthdr;
    *(struct in6_addr *)packet->key.source = header.saddr;
    *(struct in6_addr *)packet->key.destination = header.daddr;
    packet->ttl = header.hop_limit;
    packet->traffic_class = header.priority << 4 | header.flow_lbl[0] >> 4;
    packet->dont_fragment = true;
    packet->transport = packet->network + sizeof(header);
    packet->end = length ? packet->network + sizeof(header) + length : skb->len;
    return !is_extension(header.nexthdr) || parse_extensions(skb, packet, ret_identification);
}

/* From the network header on. The key's place, way and tunnel are filled in before. */
static __always_inline void parse_network(struct __sk_buff *skb, struct packet *packet) {
    __u32 identification = 0;
    bool known;
    packet->transport = packet->payload = packet->end = packet->inner = 0;
    if (packet->ethertype == ETH_P_IP)
        known = parse_v4(skb, packet, &identification);
    else if (packet->ethertype == ETH_P_IPV6)
        known = parse_v6(skb, packet, &identification);
    else
        known = false;
    if (!packet->key.family) {
        packet->key.source_port = packet->ethertype;
        return;
    }
    if (packet->end > skb->len) {
        packet->end = skb->len;
        packet->malformed = true;
    }
    if (known && !packet->later_fragment)
        parse_transport(skb, packet);
    if (packet->fragment)
        follow_fragments(packet, identification);
}

/* ---- all of it ---- */

static __always_inline void parse(struct __sk_buff *skb, struct packet *packet, __u32 link_type) {
    if (skb->vlan_present)
        packet->key.vlan = skb->vlan_tci & 0xfff;
    if (link_type == ARPHRD_ETHER || link_type == ARPHRD_LOOPBACK)
        parse_ethernet(skb, packet, 0);
    else
        packet->ethertype = bpf_ntohs(skb->protocol);
    parse_network(skb, packet);
}

/* The packet inside, in the place of the one outside. */
static __always_inline void parse_inner(struct __sk_buff *skb, struct packet *packet) {
    __u32 offset = packet->inner;
    struct flow_key *key = &packet->key, outside = packet->key;
    __builtin_memset(key, 0, sizeof(*key));
    key->netns = outside.netns;
    key->ifindex = outside.ifindex;
    key->way = outside.way;
    key->tunnel = packet->tunnel;
    key->tunnel_id = packet->tunnel_id;
    packet->tcp_flags = 0;
    packet->fragment = packet->later_fragment = packet->malformed = false;
    packet->ethertype = packet->inner_ethertype;
    packet->network = offset;
    if (packet->inner_ethertype == ETH_P_TEB)
        parse_ethernet(skb, packet, offset);
    parse_network(skb, packet);
}

#endif
