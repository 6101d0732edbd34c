/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The two hooks with nothing behind them: what any program there costs at the least. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("tp_btf/sock_send_length")
int BPF_PROG(empty_send, struct sock *sk, int result, int flags) {
    return 0;
}

SEC("tp_btf/sock_recv_length")
int BPF_PROG(empty_receive, struct sock *sk, int result, int flags) {
    return 0;
}

SEC("tc")
int empty_packet(struct __sk_buff *skb) {
    return -1;
}
