/* SPDX-License-Identifier: Apache-2.0 */
#include "hook.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
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
enum { ESSENTIAL = 1, NONE = -1 };

/* Indices that other rows or the code name. */
enum { SOCKET_SEND, SOCKET_RECEIVE };

static const struct {
    const char *name, *purpose, *cost;
    enum hook hook;
    int stands_in_for; /* the row that makes this one needless when the kernel takes it; NONE */
    int essential;     /* weft is of no use without it, or without its stand-ins */
} table[] = {
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

struct hooks {
    struct sock_bpf *skeleton;
    struct btf *kernel;
    struct live_program list[PROGRAMS];
    bool absent[PROGRAMS];  /* what it hangs on is not in this kernel */
    bool refused[PROGRAMS]; /* absent, not loadable or not attachable; `reason` says which */
    struct bpf_link *links[PROGRAMS];
};

/* ---- what libbpf says while it loads ---- */

/* libbpf tells in words only which program failed and why. One load at a time in a process. */
static struct {
    char program[64];
    char reason[160];
} said;

/* The verifier's last word stands before its statistics. */
static void keep_last_line(char *log, char *ret_line, size_t size) {
    char *end = strstr(log, "\nprocessed ");
    if (!end)
        end = strstr(log, "\n-- END PROG LOAD LOG");
    if (!end)
        return;
    *end = '\0';
    char *line = strrchr(log, '\n');
    snprintf(ret_line, size, "%s", line ? line + 1 : log);
}

static void remember(char *text) {
    static const char prefix[] = "libbpf: prog '";
    if (strncmp(text, prefix, sizeof(prefix) - 1))
        return;
    char *name = text + sizeof(prefix) - 1, *quote = strchr(name, '\'');
    if (!quote)
        return;
    if (strstr(quote, "-- BEGIN PROG LOAD LOG --"))
        keep_last_line(quote, said.reason, sizeof(said.reason));
    else if (strstr(quote, "failed")) { /* other warnings name parts that several programs share */
        *quote = '\0';
        snprintf(said.program, sizeof(said.program), "%s", name);
        if (!said.reason[0])
            snprintf(said.reason, sizeof(said.reason), "%.*s", (int)strcspn(quote + 3, "\n"), quote + 3);
    }
}

static int listen_to_libbpf(enum libbpf_print_level level, const char *format, va_list arguments) {
    char *text;
    if (level != LIBBPF_WARN || vasprintf(&text, format, arguments) < 0)
        return 0;
    if (getenv("WEFT_BPF_LOG"))
        fputs(text, stderr);
    remember(text);
    free(text);
    return 0;
}

/* ---- which are wanted ---- */

static struct bpf_program *program_at(const struct hooks *hooks, int i) {
    return bpf_object__find_program_by_name(hooks->skeleton->obj, table[i].name);
}

static void refuse(struct hooks *hooks, int i, const char *reason) {
    hooks->refused[i] = true;
    snprintf(hooks->list[i].reason, sizeof(hooks->list[i].reason), "%s", reason);
}

/* Does the kernel have what the program hangs on? */
static void look_for_target(struct hooks *hooks, int i) {
    const char *section = bpf_program__section_name(program_at(hooks, i)), *target = strchr(section, '/');
    char name[128], reason[160];
    int found = 1;
    if (!target || !hooks->kernel)
        return;
    if (!strncmp(section, "tp_btf/", 7)) {
        snprintf(name, sizeof(name), "btf_trace_%s", target + 1);
        found = btf__find_by_name_kind(hooks->kernel, name, BTF_KIND_TYPEDEF);
        snprintf(reason, sizeof(reason), "this kernel has no tracepoint %s", target + 1);
    } else if (!strncmp(section, "fexit/", 6)) {
        found = btf__find_by_name_kind(hooks->kernel, target + 1, BTF_KIND_FUNC);
        snprintf(reason, sizeof(reason), "this kernel has no function %s", target + 1);
    }
    hooks->absent[i] = found <= 0;
    if (found <= 0)
        refuse(hooks, i, reason);
}

/* Is there something that does the work of this refused program? */
static bool has_stand_in(const struct hooks *hooks, int i) {
    bool any = false;
    for (int j = 0; j < PROGRAMS; j++)
        any = any || (table[j].stands_in_for == i && table[j].essential && !hooks->refused[j]);
    return any;
}

static bool is_needed(const struct hooks *hooks, int i) {
    if (i == SOCKET_SEND || i == SOCKET_RECEIVE)
        return !hooks->refused[i] || !has_stand_in(hooks, i);
    if (!strcmp(table[i].name, "inet_sendfile"))
        return !hooks->absent[i]; /* gone from the kernel where it is needed no more */
    return table[i].stands_in_for < 0 || hooks->refused[table[i].stands_in_for];
}

static bool is_wanted(const struct hooks *hooks, int i) {
    return hooks->list[i].needed && !hooks->refused[i];
}

static void weigh(struct hooks *hooks) {
    for (int i = 0; i < PROGRAMS; i++)
        hooks->list[i].needed = is_needed(hooks, i);
}

/* ---- loading ---- */

static void unload(struct hooks *hooks) {
    for (int i = 0; i < PROGRAMS; i++) {
        bpf_link__destroy(hooks->links[i]);
        hooks->links[i] = NULL;
        hooks->list[i].attached = false;
    }
    sock_bpf__destroy(hooks->skeleton);
    hooks->skeleton = NULL;
}

static int load_once(struct hooks *hooks, const struct hook_settings *settings, bool first) {
    unload(hooks);
    memset(&said, 0, sizeof(said));
    hooks->skeleton = sock_bpf__open();
    if (!hooks->skeleton)
        return -errno;
    hooks->skeleton->rodata->self_tgid = getpid();
    hooks->skeleton->rodata->cgroup_subsystem = hierarchy_subsystem();
    hooks->skeleton->rodata->only_netns = settings->only_netns;
    hooks->skeleton->rodata->ring_mask = settings->ring_count - 1;
    for (int i = 0; i < PROGRAMS && first; i++)
        look_for_target(hooks, i);
    weigh(hooks);
    for (int i = 0; i < PROGRAMS; i++)
        bpf_program__set_autoload(program_at(hooks, i), is_wanted(hooks, i));
    return sock_bpf__load(hooks->skeleton);
}

/* Index of the program that libbpf blamed, or negative. */
static int blamed(const struct hooks *hooks) {
    for (int i = 0; i < PROGRAMS; i++)
        if (!strcmp(said.program, table[i].name) && !hooks->refused[i])
            return i;
    return -1;
}

static void explain(int result, char *error, size_t size) {
    if (result == -EPERM)
        snprintf(error, size,
                 "loading BPF programs: permission denied; run weft as root, or with CAP_BPF, CAP_PERFMON and "
                 "CAP_NET_ADMIN");
    else if (access("/sys/kernel/btf/vmlinux", R_OK))
        snprintf(
            error, size,
            "loading BPF programs: this kernel has no BTF (/sys/kernel/btf/vmlinux); weft needs CONFIG_DEBUG_INFO_BTF");
    else
        snprintf(error, size, "loading BPF programs: %s; set WEFT_BPF_LOG=1 for libbpf's words", strerror(-result));
}

/* A missing program that nothing stands in for, and without which there is no map. */
static int require(const struct hooks *hooks, char *error, size_t size) {
    for (int i = 0; i < PROGRAMS; i++) {
        if (!table[i].essential || !hooks->list[i].needed || !hooks->refused[i])
            continue;
        int first = table[i].stands_in_for;
        int length = snprintf(error, size, "this kernel does not take %s (%s)", table[i].name, hooks->list[i].reason);
        if (first >= 0 && length >= 0 && (size_t)length < size)
            length +=
                snprintf(error + length, size - length, ", nor %s (%s)", table[first].name, hooks->list[first].reason);
        if (length >= 0 && (size_t)length < size)
            snprintf(error + length, size - length, ": without it %s", table[i].cost);
        return -EOPNOTSUPP;
    }
    return 0;
}

int hooks_load(struct hooks *hooks, const struct hook_settings *settings, char *error, size_t error_size) {
    libbpf_set_print(listen_to_libbpf);
    if (!hooks->kernel)
        hooks->kernel = btf__load_vmlinux_btf();
    bool first = !hooks->skeleton;
    for (;;) {
        int result = load_once(hooks, settings, first), refused = result ? blamed(hooks) : -1;
        if (result && (refused < 0 || (result == -EPERM && geteuid()))) { /* some kernels forbid root fexit, too */
            explain(result, error, error_size);
            return result;
        }
        if (refused >= 0)
            refuse(hooks, refused, said.reason);
        weigh(hooks);
        first = false;
        if (require(hooks, error, error_size))
            return -EOPNOTSUPP;
        if (!result)
            return 0;
    }
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
    struct bpf_program *program = program_at(hooks, i);
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

static bool is_connections(int i) {
    return !strcmp(table[i].name, "seed_connections");
}

static int seed(struct hooks *hooks, int i) {
    int result = run_iterator(hooks->links[i]);
    if (!result && is_connections(i)) {
        hooks->skeleton->bss->seed_phase = PHASE_CONNECTIONS;
        return run_iterator(hooks->links[i]);
    }
    bpf_link__destroy(hooks->links[i]);
    hooks->links[i] = NULL;
    return result;
}

void hooks_flush(struct hooks *hooks) {
    hooks->skeleton->bss->seed_phase = PHASE_PROGRESS;
    for (int i = 0; i < PROGRAMS; i++)
        if (is_connections(i) && hooks->links[i])
            run_iterator(hooks->links[i]);
}

static bool has_stand_ins(int i) {
    return i == SOCKET_SEND || i == SOCKET_RECEIVE;
}

int hooks_attach(struct hooks *hooks, int cgroup_fd, char *error, size_t error_size) {
    bool again = false;
    for (int i = 0; i < PROGRAMS; i++) {
        if (!is_wanted(hooks, i))
            continue;
        char reason[160];
        hooks->links[i] = attach_one(hooks, i, cgroup_fd);
        int result = hooks->links[i] ? 0 : -errno;
        if (!result && table[i].hook == HOOK_ITERATOR)
            result = seed(hooks, i);
        hooks->list[i].attached = !result;
        if (!result)
            continue;
        snprintf(reason, sizeof(reason), "cannot be attached: %s", strerror(-result));
        refuse(hooks, i, reason);
        again = again || has_stand_ins(i);
    }
    weigh(hooks);
    return again ? -EAGAIN : require(hooks, error, error_size);
}

/* ---- what is there ---- */

uint64_t hooks_missed(const struct hooks *hooks) {
    uint64_t missed = 0;
    for (int i = 0; i < PROGRAMS; i++) {
        struct bpf_prog_info info = {0};
        uint32_t size = sizeof(info);
        if (hooks->list[i].attached && strcmp(table[i].name, "tcp_state_nested") && /* then tcp_state runs */
            !bpf_obj_get_info_by_fd(bpf_program__fd(program_at(hooks, i)), &info, &size))
            missed += info.recursion_misses;
    }
    return missed;
}

const struct live_program *hooks_list(const struct hooks *hooks, size_t *ret_count) {
    *ret_count = PROGRAMS;
    return hooks->list;
}

const char *hooks_path(const struct hooks *hooks) {
    bool send = hooks->list[SOCKET_SEND].attached, receive = hooks->list[SOCKET_RECEIVE].attached;
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
    for (int i = 0; i < PROGRAMS; i++)
        hooks->list[i] =
            (struct live_program){.name = table[i].name, .purpose = table[i].purpose, .cost = table[i].cost};
    *ret_hooks = hooks;
    return 0;
}

void hooks_free(struct hooks *hooks) {
    if (!hooks)
        return;
    unload(hooks);
    btf__free(hooks->kernel);
    free(hooks);
}
