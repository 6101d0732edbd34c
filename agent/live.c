/* SPDX-License-Identifier: Apache-2.0 */
#include "live.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hierarchy.h"
#include "sock.skel.h"

/* The programs, and what each is for: the table behind `weft check`. */
static const struct {
    const char *name, *purpose;
    bool iterator;
    int preferred; /* index of a program that makes this one needless when attached; -1: none */
} table[] = {
    {"socket_send", "sends, with their first bytes", false, -1},
    {"socket_receive", "receives, with their first bytes", false, -1},
    {"inet_send", "sends over IPv4 before Linux 6.3", false, 0},
    {"inet6_send", "sends over IPv6 before Linux 6.3", false, 0},
    {"inet_receive", "receives over IPv4 before Linux 6.3", false, 1},
    {"inet6_receive", "receives over IPv6 before Linux 6.3", false, 1},
    {"tcp_state", "connects, accepts, failures, closes", false, -1},
    {"stamp_socket", "the owner of each new socket", false, -1},
    {"process_exec", "names of processes that live shortly", false, -1},
    {"cgroup_made", "names of containers that live shortly", false, -1},
    {"seed_owners", "owners of sockets that were open before", true, -1},
    {"seed_connections", "connections that were open before", true, -1},
};
enum { PROGRAMS = sizeof(table) / sizeof(table[0]) };

struct live {
    struct sock_bpf *skeleton;
    struct ring_buffer *ring;
    struct live_program programs[PROGRAMS];
    struct bpf_link *links[PROGRAMS];
    int cgroup;
    live_record callback;
    void *context;
};

static const char *const counter_names[COUNTER_KINDS] = {
    "ring_full_opened",      "ring_full_data",  "ring_full_closed", "ring_full_other",
    "lost_turns_unreported", "storage_refused", "peers_full",       "payload_unreadable",
};

const char *live_counter_name(enum kernel_counter counter) {
    return counter_names[counter];
}

const struct live_program *live_programs(const struct live *live, size_t *ret_count) {
    *ret_count = PROGRAMS;
    return live->programs;
}

static struct bpf_program *program_at(struct live *live, int i) {
    return bpf_object__find_program_by_name(live->skeleton->obj, table[i].name);
}

static bool needless(const struct live *live, int i) {
    return table[i].preferred >= 0 && live->programs[table[i].preferred].attached;
}

/* Loads one candidate set; a program that the kernel refuses is left out and the rest is tried again. */
static int open_skeleton(struct live *live, const struct live_options *options, const bool *wanted) {
    struct stat netns;
    live->skeleton = sock_bpf__open();
    if (!live->skeleton)
        return -errno;
    live->skeleton->rodata->self_tgid = getpid();
    live->skeleton->rodata->cgroup_subsystem = hierarchy_subsystem();
    if (options->only_this_netns && !stat("/proc/self/ns/net", &netns))
        live->skeleton->rodata->only_netns = netns.st_ino;
    bpf_map__set_max_entries(live->skeleton->maps.ring, options->ring_bytes);
    for (int i = 0; i < PROGRAMS; i++)
        bpf_program__set_autoload(program_at(live, i), wanted[i]);
    return sock_bpf__load(live->skeleton);
}

static int load(struct live *live, const struct live_options *options) {
    bool wanted[PROGRAMS];
    bool modern = libbpf_find_vmlinux_btf_id("sock_send_length", BPF_TRACE_RAW_TP) > 0;
    for (int i = 0; i < PROGRAMS; i++)
        wanted[i] = modern ? table[i].preferred < 0 : i > 1;
    if (!modern)
        for (int i = 0; i < 2; i++)
            snprintf(live->programs[i].reason, sizeof(live->programs[i].reason), "this kernel has no such tracepoint");
    return open_skeleton(live, options, wanted);
}

static void run_iterator(struct bpf_link *link) {
    char buffer[4096];
    int fd = bpf_iter_create(bpf_link__fd(link));
    while (fd >= 0 && read(fd, buffer, sizeof(buffer)) > 0)
        ;
    if (fd >= 0)
        close(fd);
}

static struct bpf_link *attach_one(struct live *live, int i) {
    struct bpf_program *program = program_at(live, i);
    if (!strcmp(table[i].name, "stamp_socket"))
        return live->cgroup < 0 ? NULL : bpf_program__attach_cgroup(program, live->cgroup);
    return table[i].iterator ? bpf_program__attach_iter(program, NULL) : bpf_program__attach(program);
}

static void attach(struct live *live) {
    for (int i = 0; i < PROGRAMS; i++) {
        struct live_program *state = &live->programs[i];
        if (!bpf_program__autoload(program_at(live, i))) {
            if (!state->reason[0])
                snprintf(state->reason, sizeof(state->reason), "not needed on this kernel");
            continue;
        }
        if (needless(live, i))
            continue;
        struct bpf_link *link = attach_one(live, i);
        if (!link) {
            snprintf(state->reason, sizeof(state->reason), "attach: %s", strerror(errno));
            continue;
        }
        state->attached = true;
        if (!table[i].iterator) {
            live->links[i] = link;
            continue;
        }
        run_iterator(link);
        if (!strcmp(table[i].name, "seed_connections")) {
            live->skeleton->bss->seed_phase = 1;
            run_iterator(link);
        }
        bpf_link__destroy(link);
    }
}

static int on_record(void *context, void *data, size_t size) {
    struct live *live = context;
    live->callback(live->context, data, size);
    return 0;
}

static int quiet(enum libbpf_print_level level, const char *format, va_list arguments) {
    return level == LIBBPF_WARN && getenv("WEFT_BPF_LOG") ? vfprintf(stderr, format, arguments) : 0;
}

static void explain(int result, char *error, size_t size) {
    if (result == -EPERM || result == -EACCES)
        snprintf(error, size,
                 "loading BPF programs: permission denied; run weft as root, or with CAP_BPF, CAP_PERFMON and "
                 "CAP_NET_ADMIN");
    else if (access("/sys/kernel/btf/vmlinux", R_OK))
        snprintf(
            error, size,
            "loading BPF programs: this kernel has no BTF (/sys/kernel/btf/vmlinux); weft needs CONFIG_DEBUG_INFO_BTF");
    else
        snprintf(error, size, "loading BPF programs: %s; set WEFT_BPF_LOG=1 for the verifier's words",
                 strerror(-result));
}

int live_new(const struct live_options *options, struct live **ret_live, char *error, size_t error_size) {
    libbpf_set_print(quiet);
    struct live *live = calloc(1, sizeof(*live));
    if (!live)
        return -ENOMEM;
    for (int i = 0; i < PROGRAMS; i++) {
        live->programs[i].name = table[i].name;
        live->programs[i].purpose = table[i].purpose;
    }
    live->cgroup = hierarchy_open_v2();
    int result = load(live, options);
    if (result) {
        explain(result, error, error_size);
        live_free(live);
        return result;
    }
    live->ring = ring_buffer__new(bpf_map__fd(live->skeleton->maps.ring), on_record, live, NULL);
    if (!live->ring) {
        result = -errno;
        snprintf(error, error_size, "mapping the ring of %u bytes: %s", options->ring_bytes, strerror(errno));
        live_free(live);
        return result;
    }
    attach(live);
    *ret_live = live;
    return 0;
}

void live_free(struct live *live) {
    if (!live)
        return;
    for (int i = 0; i < PROGRAMS; i++)
        bpf_link__destroy(live->links[i]);
    ring_buffer__free(live->ring);
    sock_bpf__destroy(live->skeleton);
    if (live->cgroup >= 0)
        close(live->cgroup);
    free(live);
}

size_t live_drain(struct live *live, live_record callback, void *context) {
    live->callback = callback;
    live->context = context;
    int records = ring_buffer__consume(live->ring);
    return records > 0 ? records : 0;
}

void live_counters(struct live *live, uint64_t ret_counters[COUNTER_KINDS]) {
    int cpus = libbpf_num_possible_cpus();
    uint64_t *values = calloc(cpus > 0 ? cpus : 1, sizeof(*values));
    for (uint32_t key = 0; values && key < COUNTER_KINDS; key++) {
        ret_counters[key] = 0;
        if (bpf_map_lookup_elem(bpf_map__fd(live->skeleton->maps.counters), &key, values))
            continue;
        for (int cpu = 0; cpu < cpus; cpu++)
            ret_counters[key] += values[cpu];
    }
    free(values);
}
