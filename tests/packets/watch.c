/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attaches the packet programs to interfaces, and prints what they counted: the packet side by itself.
 *
 * usage: packet_watch [-o] [-i IDLE_NS] [-f FLOWS_MAX] NETNS:INTERFACE[@LINK_NETNSID]...
 * NETNS: a file (/run/netns/a), or nothing for the own one. -o: with the socket layer, for owners.
 * Prints "ready", then for each line on stdin one JSON object: everything that packets_show shows. Ends with its input.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "agent/live.h"
#include "agent/packets.h"

#define TCX_INGRESS ((enum bpf_attach_type)46) /* younger than the headers may be */
#define TCX_EGRESS ((enum bpf_attach_type)47)

static const char *const states[] = {"unknown", "socket", "listener", "none"};

static void fail(const char *what) {
    fprintf(stderr, "packet_watch: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* ---- attaching ---- */

static void enter(const char *path) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, CLONE_NEWNET))
        fail(path);
    close(fd);
}

static uint32_t netns_inode(void) {
    struct stat status;
    if (stat("/proc/thread-self/ns/net", &status))
        fail("/proc/thread-self/ns/net");
    return status.st_ino;
}

static void attach(struct packets *packets, char *place, int own) {
    char *colon = strrchr(place, ':'), *at = strrchr(place, '@'), path[256];
    int link_netnsid = at ? atoi(at + 1) : -1;
    if (at)
        *at = '\0';
    if (!colon)
        fail("an interface is NETNS:NAME");
    snprintf(path, sizeof(path), "%.*s", (int)(colon - place), place);
    if (path[0])
        enter(path);
    struct interface_key key = {.netns = netns_inode(), .ifindex = if_nametoindex(colon + 1)};
    if (!key.ifindex || packets_set_link(packets, &key, link_netnsid) < 0)
        fail(place);
    LIBBPF_OPTS(bpf_link_create_opts, options);
    if (bpf_link_create(packets_program(packets, FLOW_INGRESS), key.ifindex, TCX_INGRESS, &options) < 0 ||
        bpf_link_create(packets_program(packets, FLOW_EGRESS), key.ifindex, TCX_EGRESS, &options) < 0)
        fail("attaching");
    if (setns(own, CLONE_NEWNET))
        fail("going back to the own network namespace");
}

/* ---- printing ---- */

static const char *comma = "";

static void print_address(const char *name, const uint8_t *address, int family) {
    char text[INET6_ADDRSTRLEN] = "";
    if (family)
        inet_ntop(family == 4 ? AF_INET : AF_INET6, address, text, sizeof(text));
    printf("\"%s\":\"%s\",", name, text);
}

static void print_end(const char *name, const struct flow_end *end) {
    printf("\"%s\":{\"state\":\"%s\",\"cookie\":%llu,\"tgid\":%u,\"looked\":%u},", name, states[end->state & 3],
           end->cookie, end->owner.tgid, end->looked);
}

static void print_key(const struct flow_key *key) {
    print_address("source", key->source, key->family);
    print_address("destination", key->destination, key->family);
    printf("\"source_port\":%u,\"destination_port\":%u,\"netns\":%u,\"ifindex\":%u,\"family\":%u,\"protocol\":%u,"
           "\"vlan\":%u,\"tunnel\":%u,\"tunnel_id\":%u,\"way\":\"%s\",",
           key->source_port, key->destination_port, key->netns, key->ifindex, key->family, key->protocol, key->vlan,
           key->tunnel, key->tunnel_id, key->way == FLOW_INGRESS ? "ingress" : "egress");
}

static void print_flow(void *context, const struct flow_key *key, const struct flow *flow, bool last) {
    (void)context;
    printf("%s{", comma);
    print_key(key);
    print_end("source_end", &flow->source_end);
    print_end("destination_end", &flow->destination_end);
    printf("\"packets\":%llu,\"segments\":%llu,\"bytes\":%llu,\"first_time\":%llu,\"last_time\":%llu,\"isn\":%llu,"
           "\"syn_time\":%llu,\"syn_ack_time\":%llu,\"ack_time\":%llu,",
           flow->packets, flow->segments, flow->bytes, flow->first_time, flow->last_time, flow->isn, flow->syn_time,
           flow->syn_ack_time, flow->ack_time);
    printf("\"generation\":%u,\"flags\":%u,\"syn\":%u,\"fin\":%u,\"rst\":%u,\"fragments\":%u,\"payload_packets\":%u,"
           "\"repeats\":%u,\"out_of_order\":%u,\"holes\":%u,\"zero_windows\":%u,\"ecn_ce\":%u,\"ecn_echo\":%u,"
           "\"congestion_window_reduced\":%u,",
           flow->generation, flow->flags, flow->syn, flow->fin, flow->rst, flow->fragments, flow->payload_packets,
           flow->repeats, flow->out_of_order, flow->holes, flow->zero_windows, flow->ecn_ce, flow->ecn_echo,
           flow->congestion_window_reduced);
    printf("\"largest\":%u,\"mss\":%u,\"ttl_min\":%u,\"ttl_max\":%u,\"socket_time\":%llu,\"srtt_us\":%u,\"min_rtt_us\":"
           "%u,\"cwnd\":%u,\"lost\":%u,\"total_retransmits\":%u,\"segments_out\":%u,\"last\":%s}",
           flow->largest, flow->mss, flow->ttl_min, flow->ttl_max, flow->socket_time, flow->srtt_us, flow->min_rtt_us,
           flow->cwnd, flow->lost, flow->total_retransmits, flow->segments_out, last ? "true" : "false");
    comma = ",\n";
}

static void pass_interface(void *context, const struct interface_key *key, const struct interface_totals *totals) {
    uint64_t *malformed = context;
    (void)key;
    *malformed += totals->malformed[0] + totals->malformed[1];
}

static void pass_drop(void *context, const struct drop_key *key, const struct drop_totals *totals) {
    (void)context, (void)key, (void)totals;
}

static struct {
    uint64_t kinds[8];
    struct trouble_reused reused; /* the last one */
} troubles;

static void keep_trouble(void *context, const struct trouble *trouble, size_t size) {
    (void)context;
    troubles.kinds[trouble->kind & 7]++;
    if (trouble->kind == TROUBLE_REUSED && size >= sizeof(troubles.reused))
        troubles.reused = *(const struct trouble_reused *)(const void *)trouble;
}

static void print_balance(void *context, const struct interface_key *key, enum flow_way way,
                          const struct packets_balance *balance) {
    (void)context;
    printf(
        "%s{\"netns\":%u,\"ifindex\":%u,\"way\":\"%s\",\"total\":[%lu,%lu],\"living\":[%lu,%lu],\"deleted\":[%lu,%lu],"
        "\"overflow\":[%lu,%lu]}",
        comma, key->netns, key->ifindex, way == FLOW_INGRESS ? "ingress" : "egress", balance->total.packets,
        balance->total.bytes, balance->living.packets, balance->living.bytes, balance->deleted.packets,
        balance->deleted.bytes, balance->overflow.packets, balance->overflow.bytes);
    comma = ",";
}

static void print_all(struct packets *packets) {
    uint64_t malformed = 0, counters[PACKET_COUNTER_KINDS];
    const struct packets_sink sink = {&malformed, pass_interface, print_flow, pass_drop, keep_trouble};
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    comma = "";
    printf("{\"flows\":[");
    int result = packets_show(packets, &sink, (uint64_t)now.tv_sec * 1000000000 + now.tv_nsec);
    comma = "";
    printf("],\n\"balance\":[");
    packets_balance(packets, print_balance, NULL);
    printf("],\n\"result\":%d,\"malformed\":%lu,\"counters\":{", result, malformed);
    packets_counters(packets, counters);
    for (int i = 0; i < PACKET_COUNTER_KINDS; i++)
        printf("%s\"%s\":%lu", i ? "," : "", packets_counter_name(i), counters[i]);
    printf("},\"reused\":%lu,\"reused_packets\":%llu,\"reused_isn\":%llu}\n", troubles.kinds[TROUBLE_REUSED],
           troubles.reused.flow.packets, troubles.reused.flow.isn);
}

static struct live *start_sockets(struct live **live) {
    const struct live_options options = {.ring_bytes = 1 << 20, .rings = 1};
    char error[256];
    if (live_new(&options, live, error, sizeof(error)) < 0) {
        fprintf(stderr, "packet_watch: %s\n", error);
        exit(1);
    }
    return *live;
}

int main(int argc, char **argv) {
    struct packets_options options = {0};
    struct packets *packets = NULL;
    struct live *live = NULL;
    char error[256], line[16];
    int option, own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    while ((option = getopt(argc, argv, "+oi:f:")) > 0) {
        if (option == 'i')
            options.idle_ns = strtoull(optarg, NULL, 10);
        else if (option == 'f')
            options.flows_max = strtoul(optarg, NULL, 10);
        else if (option == 'o')
            options.sockets = live_sockets(start_sockets(&live));
        else
            return 2;
    }
    if (packets_new(&options, &packets, error, sizeof(error)) < 0) {
        fprintf(stderr, "packet_watch: %s\n", error);
        return 1;
    }
    for (int i = optind; i < argc; i++)
        attach(packets, argv[i], own);
    puts("ready");
    fflush(stdout);
    while (fgets(line, sizeof(line), stdin)) {
        print_all(packets);
        fflush(stdout);
    }
    packets_free(packets);
    live_free(live);
    return 0;
}
