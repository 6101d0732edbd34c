/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Drops, troubles and sockets as the packet side shows them, without flows or an agent, for tests that know what the
 * kernel itself counted.
 *
 * Reads commands, one a line, and answers each with JSON lines and an empty one:
 *
 *   drops     every drop so far
 *   troubles  those that came since the last time
 *   sockets   every socket
 *   pairs P   what connection tracking rewrites in the network namespace of that path
 *   chains P  the chains there that can drop, by family and hook
 *   counters  what was lost, by name
 *   programs  which are attached
 *   attach N  counts packets that come in at interface N of this network namespace, and sees ICMP errors there
 *
 * usage: packet_troubles
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "agent/chains.h"
#include "agent/conntrack.h"
#include "agent/packets.h"
#include "agent/reasons.h"
#include "agent/sockets.h"

#define TCX_INGRESS ((enum bpf_attach_type)46) /* younger than the headers may be */

enum { DROPS_MOST = 16384, TROUBLES_MOST = 65536 };

static struct packets *packets;
static struct reasons *reasons;

static void fail(const char *what) {
    fprintf(stderr, "packet_troubles: %s: %s\n", what, strerror(errno));
    exit(1);
}

static const char *text(const char *text) {
    return text ? text : "";
}

static void print_tuple(const uint8_t *source, const uint8_t *destination, unsigned source_port,
                        unsigned destination_port, unsigned family) {
    char from[INET6_ADDRSTRLEN] = "", to[INET6_ADDRSTRLEN] = "";
    inet_ntop(family == 6 ? AF_INET6 : AF_INET, source, from, sizeof(from));
    inet_ntop(family == 6 ? AF_INET6 : AF_INET, destination, to, sizeof(to));
    printf("\"source\":\"%s\",\"destination\":\"%s\",\"source_port\":%u,\"destination_port\":%u,\"family\":%u", from,
           to, source_port, destination_port, family);
}

/* ---- drops ---- */

static void print_drop(const struct drop_key *key, const struct drop_totals *totals) {
    printf("{");
    print_tuple(key->source, key->destination, key->source_port, key->destination_port, key->family);
    printf(",\"netns\":%u,\"ifindex\":%u,\"protocol\":%u,\"reason\":\"%s\",\"place\":\"%s\",\"hook\":\"%s\"",
           key->netns, key->ifindex, key->protocol, text(reasons_drop(reasons, key->reason)),
           text(reasons_place(reasons, key->location)), text(reasons_hook(key->hook)));
    printf(",\"class\":%d,\"text\":\"%s\",\"packets\":%" PRIu64 ",\"segments\":%" PRIu64 ",\"bytes\":%" PRIu64
           ",\"sequence\":%u,\"flags\":%u,\"cookie\":%" PRIu64 "}\n",
           reasons_class(reasons, key->reason, key->location), text(reasons_text(reasons, key->reason, key->location)),
           (uint64_t)totals->packets, (uint64_t)totals->segments, (uint64_t)totals->bytes, totals->sequence,
           totals->tcp_flags, (uint64_t)totals->cookie);
}

/* ---- troubles ---- */

static void print_trouble(const struct trouble *trouble) {
    char sender[INET6_ADDRSTRLEN] = "";
    inet_ntop(trouble->family == 6 ? AF_INET6 : AF_INET, trouble->icmp_sender, sender, sizeof(sender));
    printf("{\"kind\":%u,\"reason\":\"%s\",\"reason_text\":\"%s\",", trouble->kind,
           text(reasons_reset(reasons, trouble->reason)), text(reasons_reset_text(reasons, trouble->reason)));
    print_tuple(trouble->source, trouble->destination, trouble->source_port, trouble->destination_port,
                trouble->family);
    printf(
        ",\"netns\":%u,\"ifindex\":%u,\"protocol\":%u,\"sequence\":%u,\"segments\":%u,\"state\":%u,\"cookie\":%" PRIu64
        ",\"isn\":%" PRIu64 ",\"icmp_type\":%u,\"icmp_code\":%u,\"icmp_mtu\":%u,\"icmp_sender\":\"%s\"}\n",
        trouble->netns, trouble->ifindex, trouble->protocol, trouble->sequence, trouble->segments, trouble->state,
        (uint64_t)trouble->cookie, (uint64_t)trouble->isn, trouble->icmp_type, trouble->icmp_code, trouble->icmp_mtu,
        sender);
}

/* ---- rounds ---- */

static struct {
    struct drop_key key;
    struct drop_totals totals;
} drops[DROPS_MOST];
static struct trouble troubles[TROUBLES_MOST];
static size_t drop_count, trouble_count;

static void pass_interface(void *context, const struct interface_key *key, const struct interface_totals *totals) {
    (void)context, (void)key, (void)totals;
}

static void pass_flow(void *context, const struct flow_key *key, const struct flow *flow, bool last) {
    (void)context, (void)key, (void)flow, (void)last;
}

static void keep_drop(void *context, const struct drop_key *key, const struct drop_totals *totals) {
    (void)context;
    if (drop_count == DROPS_MOST)
        fail("more drops than there is room for");
    drops[drop_count].key = *key;
    drops[drop_count++].totals = *totals;
}

static void keep_trouble(void *context, const struct trouble *trouble, size_t size) {
    (void)context, (void)size;
    if (trouble_count == TROUBLES_MOST)
        fail("more troubles than there is room for");
    troubles[trouble_count++] = *trouble;
}

static void show_round(void) {
    const struct packets_sink sink = {NULL, pass_interface, pass_flow, keep_drop, keep_trouble};
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    drop_count = 0;
    if (packets_show(packets, &sink, (uint64_t)now.tv_sec * 1000000000 + now.tv_nsec) < 0)
        fail("showing");
}

/* Symbols are read at most once a second. */
static void show_drops(void) {
    show_round();
    for (size_t i = 0; i < drop_count; i++)
        for (int tries = 0; tries < 20 && !reasons_place(reasons, drops[i].key.location); tries++) {
            usleep(100000);
            reasons_resolve(reasons);
        }
    for (size_t i = 0; i < drop_count; i++)
        print_drop(&drops[i].key, &drops[i].totals);
}

static void show_troubles(void) {
    show_round();
    for (size_t i = 0; i < trouble_count; i++)
        print_trouble(&troubles[i]);
    trouble_count = 0;
}

/* ---- sockets ---- */

static void print_socket(void *context, const struct socket_view *view) {
    (void)context;
    printf("{");
    print_tuple(view->local_address, view->remote_address, view->local_port, view->remote_port, view->family);
    printf(",\"netns\":%u,\"pid\":%u,\"protocol\":%u,\"state\":%u,\"receive_queue\":%u,\"limit\":%u,\"send_queue\":%u",
           view->netns, view->owner.tgid, view->protocol, view->state, view->receive_queue, view->receive_queue_limit,
           view->send_queue);
    printf(",\"drops\":%u,\"retransmits\":%u,\"backoff\":%u,\"srtt\":%u,\"segments_out\":%u,\"segments_in\":%u,"
           "\"cookie\":%" PRIu64 ",\"frozen\":%s}\n",
           view->drops, view->retransmits, view->backoff, view->srtt_us, view->segments_out, view->segments_in,
           view->cookie, view->frozen ? "true" : "false");
}

static void show_sockets(void) {
    struct sockets *sockets;
    if (sockets_new(&sockets) || sockets_show(sockets, packets, print_socket, NULL))
        fail("showing sockets");
    sockets_free(sockets);
}

/* ---- connection tracking ---- */

static void print_pair(void *context, const struct nat_pair *pair) {
    (void)context;
    printf("{");
    print_tuple(pair->original.source, pair->original.destination, pair->original.source_port,
                pair->original.destination_port, pair->family);
    printf(",\"netns\":%u,\"protocol\":%u,\"reply\":{", pair->netns, pair->protocol);
    print_tuple(pair->reply.source, pair->reply.destination, pair->reply.source_port, pair->reply.destination_port,
                pair->family);
    printf("}}\n");
}

static void show_pairs(uint32_t netns) {
    struct conntrack *conntrack;
    errno = -conntrack_new(netns, &conntrack);
    if (errno)
        fail("opening connection tracking");
    errno = -conntrack_show(conntrack, print_pair, NULL);
    if (errno)
        fail("reading connection tracking");
    conntrack_free(conntrack);
}

/* {"4 INPUT": "filter INPUT", ...} of hooks at which something can drop. */
static void show_chains(uint32_t netns) {
    struct chains *chains;
    (void)netns;
    errno = -chains_read(&chains);
    if (errno)
        fail("reading chains");
    printf("{\"\":\"\"");
    for (int family = 4; family <= 6; family += 2)
        for (int hook = 0; hook < 32; hook++)
            if (chains_at(chains, family, hook))
                printf(",\"%d %s\":\"%s\"", family, text(reasons_hook(hook)), chains_at(chains, family, hook));
    printf("}\n");
    chains_free(chains);
}

/* In a namespace by its file; this is the only thread, and it comes back. */
static void within(const char *path, void (*act)(uint32_t netns)) {
    struct stat status;
    int own = open("/proc/self/ns/net", O_RDONLY), there = open(path, O_RDONLY);
    if (own < 0 || there < 0 || fstat(there, &status) || setns(there, CLONE_NEWNET))
        fail(path);
    act(status.st_ino);
    if (setns(own, CLONE_NEWNET))
        fail("going back to the own network namespace");
    close(own);
    close(there);
}

/* ---- */

static void show_counters(void) {
    uint64_t counters[PACKET_COUNTER_KINDS];
    packets_counters(packets, counters);
    printf("{");
    for (int i = 0; i < PACKET_COUNTER_KINDS; i++)
        printf("%s\"%s\":%" PRIu64, i ? "," : "", packets_counter_name(i), counters[i]);
    printf("}\n");
}

static void show_programs(void) {
    size_t count;
    const struct live_program *list = packets_programs(packets, &count);
    for (size_t i = 0; i < count; i++)
        printf("{\"program\":\"%s\",\"attached\":%s,\"reason\":\"%s\"}\n", list[i].name,
               list[i].attached ? "true" : "false", list[i].reason);
}

static void attach(int ifindex) {
    LIBBPF_OPTS(bpf_link_create_opts, options);
    if (bpf_link_create(packets_program(packets, FLOW_INGRESS), ifindex, TCX_INGRESS, &options) < 0)
        fail("attaching to the interface");
}

int main(void) {
    char line[160], path[128], error[256];
    int number;
    if (reasons_new(&reasons))
        fail("reading reasons");
    const struct packets_options options = {.reasons = reasons, .idle_ns = 20000000000};
    if (packets_new(&options, &packets, error, sizeof(error))) {
        fprintf(stderr, "packet_troubles: %s\n", error);
        return 1;
    }
    puts("");
    fflush(stdout);
    while (fgets(line, sizeof(line), stdin)) {
        if (!strcmp(line, "drops\n"))
            show_drops();
        else if (!strcmp(line, "troubles\n"))
            show_troubles();
        else if (!strcmp(line, "sockets\n"))
            show_sockets();
        else if (sscanf(line, "pairs %127s", path) == 1)
            within(path, show_pairs);
        else if (sscanf(line, "chains %127s", path) == 1)
            within(path, show_chains);
        else if (!strcmp(line, "counters\n"))
            show_counters();
        else if (!strcmp(line, "programs\n"))
            show_programs();
        else if (sscanf(line, "attach %d", &number) == 1)
            attach(number);
        puts("");
        fflush(stdout);
    }
    packets_free(packets);
    reasons_free(reasons);
    return 0;
}
