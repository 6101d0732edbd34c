/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What the packet side keeps. What must add up is in plain hashes, which forget nothing by themselves; userspace reads
 * them in batches. Entries are made as they are needed: a host that is quiet pays for few.
 */
#ifndef WEFT_BPF_TC_MAPS_H
#define WEFT_BPF_TC_MAPS_H

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 65536);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, struct flow_key);
    __type(value, struct flow);
} flows SEC(".maps");

/*
 * Interfaces that userspace told of, and which totals are theirs. A flow knows its totals by number, so a packet of a
 * known flow is counted for its interface without looking that up.
 */
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, INTERFACES_MOST);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, struct interface_key);
    __type(value, struct interface_place);
} interfaces SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, INTERFACES_MOST);
    __type(key, __u32);
    __type(value, struct interface_totals);
} totals SEC(".maps");

/* Of a veth: how its peer's network namespace is called in its own; -1: it cannot be told. Written by userspace. */
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, INTERFACES_MOST);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, struct interface_key);
    __type(value, __s32);
} link_netns SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 16384);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, struct drop_key);
    __type(value, struct drop_totals);
} drops SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, TROUBLES_BYTES);
} troubles SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, PACKET_COUNTER_KINDS);
    __type(key, __u32);
    __type(value, __u64);
} packet_counters SEC(".maps");

static void count(__u32 which) {
    __u64 *counter = bpf_map_lookup_elem(&packet_counters, &which);
    if (counter)
        (*counter)++;
}

#endif
