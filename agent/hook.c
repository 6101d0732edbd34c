/* SPDX-License-Identifier: Apache-2.0 */
#include "hook.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bpf/record.h"
#include "hierarchy.h"
#include "sock.skel.h"

enum hook { HOOK_TRACING, HOOK_CGROUP, HOOK_ITERATOR };
enum { ESSENTIAL = PROGRAM_ESSENTIAL, NONE = PROGRAM_NONE };

/* Indices that other rows or the code name. */
enum { SOCKET_SEND, SOCKET_RECEIVE };

static const struct program_row table[] = {
    {"socket_send", "sends, with their first bytes", "no send is seen, so no call is", HOOK_TRACING, NONE, 0},
    {"socket_receive", "receives, with their first bytes", "no receive is seen, so no call is", HOOK_TRACING, NONE, 0},
    {"inet_send", "sends over IPv4 before Linux 6.3", "no send is seen, so no call is", HOOK_TRACING, SOCKET_SEND,
     ESSENTIAL},
    {"inet6_send", "sends over IPv6 before Linux 6.3", "calls over IPv6 are not seen", HOOK_TRACING, SOCKET_SEND, 0},
    {"inet_sendfile", "sendfile and splice before Linux 6.5", "answers that sendfile sends show as a gap", HOOK_TRACING,
     NONE, 0},
    {"unix_stream_send", "AF_UNIX sends before Linux 6.3", "AF_UNIX traffic is not counted", HOOK_TRACING, SOCKET_SEND,
     0},
    {"inet_receive", "receives over IPv4 before Linux 6.3", "no receive is seen, so no call is", HOOK_TRACING,
     SOCKET_RECEIVE, ESSENTIAL},
    {"inet6_receive", "receives over IPv6 before Linux 6.3", "calls over IPv6 are not seen", HOOK_TRACING,
     SOCKET_RECEIVE, 0},
    {"tcp_state", "connects, accepts, failures, closes", "no connection is seen to open, fail or close", HOOK_TRACING,
     NONE, ESSENTIAL},
    {"tcp_state_nested", "the same, when it comes while another one is seen to",
     "few connections may be seen open too long (`runs_missed`)", HOOK_TRACING, NONE, 0},
    {"stamp_socket", "the owner of each new socket", "a socket has no owner before its first send or receive",
     HOOK_CGROUP, NONE, 0},
    {"socket_released", "ends of UDP sessions", "a UDP session ends only when it was idle for 60 s", HOOK_CGROUP, NONE,
     0},
    {"socket_bound4", "UDP servers over IPv4 before they are spoken to",
     "who sends to one that has not read yet sends to an address", HOOK_CGROUP, NONE, 0},
    {"socket_bound6", "UDP servers over IPv6 before they are spoken to",
     "who sends to one that has not read yet sends to an address", HOOK_CGROUP, NONE, 0},
    {"send_peer4", "peers of unconnected UDP sockets, sending over IPv4", "what they send is in `peer_unknown`",
     HOOK_CGROUP, NONE, 0},
    {"send_peer6", "peers of unconnected UDP sockets, sending over IPv6", "what they send is in `peer_unknown`",
     HOOK_CGROUP, NONE, 0},
    {"receive_peer4", "peers of unconnected UDP sockets, receiving over IPv4", "what they receive is in `peer_unknown`",
     HOOK_CGROUP, NONE, 0},
    {"receive_peer6", "peers of unconnected UDP sockets, receiving over IPv6", "what they receive is in `peer_unknown`",
     HOOK_CGROUP, NONE, 0},
    {"process_exec", "names of processes that live shortly",
     "a process that ended at once is named by its command only", HOOK_TRACING, NONE, 0},
    {"cgroup_made", "names of containers that live shortly", "a container that ended at once has no name", HOOK_TRACING,
     NONE, 0},
    {"seed_owners", "owners of sockets that were open before",
     "connections older than the agent are seen from their next operation on", HOOK_ITERATOR, NONE, 0},
    {"seed_connections", "connections that were open before",
     "connections older than the agent are seen from their next operation on; when it stops, the last bytes of opaque "
     "connections are not told",
     HOOK_ITERATOR, NONE, 0},
    {"seed_datagrams", "UDP sockets that were open before", "whoever is seen first in an older session is its client",
     HOOK_ITERATOR, NONE, 0},
};
enum { PROGRAMS = sizeof(table) / sizeof(table[0]) };

_Static_assert((int)PROGRAMS <= (int)PROGRAM_SET_MOST, "rows of a set");

struct hooks {
    struct sock_bpf *skeleton;
    struct hook_settings settings;
    struct program_set set;
};

/* ---- which are wanted ---- */

/* Is there something that does the work of this refused program? */
static bool has_stand_in(const struct program_set *set, int i) {
    bool any = false;
    for (int j = 0; j < PROGRAMS; j++)
        any = any || (table[j].stands_in_for == i && table[j].essential && !set->refused[j]);
    return any;
}

static bool is_needed(const struct program_set *set, int i) {
    if (i == SOCKET_SEND || i == SOCKET_RECEIVE)
        return !set->refused[i] || !has_stand_in(set, i);
    if (!strcmp(table[i].name, "inet_sendfile"))
        return !set->absent[i]; /* gone from the kernel where it is needed no more */
    return table[i].stands_in_for < 0 || set->refused[table[i].stands_in_for];
}

/* ---- loading ---- */

static struct bpf_object *open_skeleton(void *context) {
    struct hooks *hooks = context;
    hooks->skeleton = sock_bpf__open();
    if (!hooks->skeleton)
        return NULL;
    hooks->skeleton->rodata->self_tgid = getpid();
    hooks->skeleton->rodata->cgroup_subsystem = hierarchy_subsystem();
    hooks->skeleton->rodata->only_netns = hooks->settings.only_netns;
    hooks->skeleton->rodata->ring_mask = hooks->settings.ring_count - 1;
    return hooks->skeleton->obj;
}

static int load_skeleton(void *context) {
    struct hooks *hooks = context;
    return sock_bpf__load(hooks->skeleton);
}

static void close_skeleton(void *context) {
    struct hooks *hooks = context;
    sock_bpf__destroy(hooks->skeleton);
    hooks->skeleton = NULL;
}

static const struct program_set_ops ops = {
    .rows = table,
    .count = PROGRAMS,
    .open = open_skeleton,
    .load = load_skeleton,
    .close = close_skeleton,
    .needed = is_needed,
};

int hooks_load(struct hooks *hooks, const struct hook_settings *settings, char *error, size_t error_size) {
    hooks->settings = *settings;
    return program_set_load(&hooks->set, error, error_size);
}

/* ---- attaching ---- */

static int run_iterator(struct bpf_link *link) {
    char buffer[4096];
    int fd = bpf_iter_create(bpf_link__fd(link));
    if (fd < 0)
        return -errno;
    while (read(fd, buffer, sizeof(buffer)) > 0)
        ;
    close(fd);
    return 0;
}

static struct bpf_link *attach_one(const struct hooks *hooks, int i, int cgroup_fd) {
    struct bpf_program *program = program_set_at(&hooks->set, i);
    switch (table[i].hook) {
    case HOOK_TRACING:
        return bpf_program__attach(program);
    case HOOK_CGROUP:
        errno = ENOENT;
        return cgroup_fd < 0 ? NULL : bpf_program__attach_cgroup(program, cgroup_fd);
    case HOOK_ITERATOR:
        return bpf_program__attach_iter(program, NULL);
    }
    return NULL;
}

/* Those that run again later. */
static bool sees_connections(int i) {
    return !strcmp(table[i].name, "seed_connections") || !strcmp(table[i].name, "seed_owners");
}

static int seed(struct hooks *hooks, int i) {
    int result = run_iterator(hooks->set.links[i]);
    if (!sees_connections(i)) {
        bpf_link__destroy(hooks->set.links[i]);
        hooks->set.links[i] = NULL;
    }
    return result;
}

static void run_phase(struct hooks *hooks, enum seed_phase phase) {
    hooks->skeleton->bss->seed_phase = phase;
    for (int i = 0; i < PROGRAMS; i++)
        if (sees_connections(i) && hooks->set.links[i])
            run_iterator(hooks->set.links[i]);
}

uint64_t hooks_tell_open(struct hooks *hooks) {
    hooks->skeleton->bss->seed_refused = 0;
    run_phase(hooks, PHASE_CONNECTIONS);
    return hooks->skeleton->bss->seed_refused;
}

void hooks_flush(struct hooks *hooks) {
    run_phase(hooks, PHASE_PROGRESS);
}

static bool has_stand_ins(int i) {
    return i == SOCKET_SEND || i == SOCKET_RECEIVE;
}

int hooks_attach(struct hooks *hooks, int cgroup_fd, char *error, size_t error_size) {
    bool again = false;
    for (int i = 0; i < PROGRAMS; i++) {
        if (!program_set_wants(&hooks->set, i))
            continue;
        char reason[160];
        hooks->set.links[i] = attach_one(hooks, i, cgroup_fd);
        int result = hooks->set.links[i] ? 0 : -errno;
        if (!result && table[i].hook == HOOK_ITERATOR)
            result = seed(hooks, i);
        hooks->set.list[i].attached = !result;
        if (!result)
            continue;
        snprintf(reason, sizeof(reason), "cannot be attached: %s", strerror(-result));
        program_set_refuse(&hooks->set, i, reason);
        again = again || has_stand_ins(i);
    }
    int missing = program_set_require(&hooks->set, error, error_size);
    return again ? -EAGAIN : missing;
}

/* ---- what is there ---- */

uint64_t hooks_missed(const struct hooks *hooks) {
    uint64_t missed = 0;
    for (int i = 0; i < PROGRAMS; i++)
        if (strcmp(table[i].name, "tcp_state_nested")) /* then tcp_state runs */
            missed += program_set_missed(&hooks->set, i);
    return missed;
}

const struct live_program *hooks_list(const struct hooks *hooks, size_t *ret_count) {
    *ret_count = PROGRAMS;
    return hooks->set.list;
}

const char *hooks_path(const struct hooks *hooks) {
    bool send = hooks->set.list[SOCKET_SEND].attached, receive = hooks->set.list[SOCKET_RECEIVE].attached;
    if (send && receive)
        return "the tracepoints sock_send_length and sock_recv_length";
    if (!send && !receive)
        return "fexit on inet_sendmsg, inet_recvmsg and their sisters";
    return send ? "the tracepoint sock_send_length, fexit on inet_recvmsg and inet6_recvmsg"
                : "fexit on inet_sendmsg and inet6_sendmsg, the tracepoint sock_recv_length";
}

struct sock_bpf *hooks_skeleton(struct hooks *hooks) {
    return hooks->skeleton;
}

int hooks_new(struct hooks **ret_hooks) {
    struct hooks *hooks = calloc(1, sizeof(*hooks));
    if (!hooks)
        return -ENOMEM;
    program_set_init(&hooks->set, &ops, hooks);
    *ret_hooks = hooks;
    return 0;
}

void hooks_free(struct hooks *hooks) {
    if (!hooks)
        return;
    program_set_done(&hooks->set);
    free(hooks);
}
