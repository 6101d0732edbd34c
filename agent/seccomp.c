/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The filter of system calls.
 *
 * What is not on the list fails with EPERM, and the kernel logs it: the lists come from what weft and its libraries
 * were seen and read to use, and another version of one of these may well want another harmless call. An agent that
 * falls over for that is worse than a call that fails. What no library here would ever try, and what somebody who had
 * got in would, ends the process.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "privileges.h"

/* Names that an architecture or this libseccomp does not know are passed over. */
static const char *const allowed[] = {
    /* files that are open, and reading others */
    "read", "write", "readv", "writev", "pread64", "pwrite64", "preadv", "pwritev", "preadv2", "pwritev2", "close",
    "close_range", "lseek", "_llseek", "fstat", "newfstatat", "stat", "lstat", "statx", "fstatfs", "statfs", "access",
    "faccessat", "faccessat2", "readlink", "readlinkat", "getdents64", "getcwd", "dup", "dup2", "dup3", "fcntl",
    "openat2", "memfd_create", "fsync", "fdatasync", "ftruncate", "sendfile", "flock", "name_to_handle_at", "fadvise64",
    /* memory */
    "mmap", "munmap", "mremap", "mprotect", "madvise", "brk", "msync", "membarrier",
    /* threads and time; clone is below */
    "futex", "futex_waitv", "set_robust_list", "get_robust_list", "set_tid_address", "rseq", "exit", "exit_group",
    "sched_yield", "sched_getaffinity", "sched_getparam", "sched_getscheduler", "getcpu", "clock_gettime",
    "clock_getres", "clock_nanosleep", "nanosleep", "gettimeofday", "time", "times", "restart_syscall",
    "timerfd_create", "timerfd_settime", "timerfd_gettime",
    /* signals; tgkill is below */
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigtimedwait", "rt_sigsuspend", "rt_sigpending",
    "sigaltstack", "signalfd4",
    /* waiting */
    "poll", "ppoll", "select", "pselect6", "epoll_create1", "epoll_create", "epoll_ctl", "epoll_wait", "epoll_pwait",
    "epoll_pwait2", "eventfd2", "pipe", "pipe2", "inotify_init1", "inotify_add_watch", "inotify_rm_watch",
    /* sockets; socket is below */
    "bind", "listen", "accept", "accept4", "connect", "getsockname", "getpeername", "setsockopt", "getsockopt",
    "sendto", "recvfrom", "sendmsg", "recvmsg", "sendmmsg", "recvmmsg", "shutdown", "socketpair",
    /* who and where */
    "getpid", "getppid", "gettid", "getuid", "geteuid", "getgid", "getegid", "getresuid", "getresgid", "getgroups",
    "getpgrp", "getsid", "uname", "sysinfo", "getrusage", "getrandom", "getrlimit", "getpriority", "umask", "unlink",
    "unlinkat", /* the Unix socket, at the end */
};

/* For sinks that keep files. */
static const char *const files[] = {
    "rename", "renameat",  "renameat2", "mkdir", "mkdirat", "rmdir",    "link",
    "linkat", "fallocate", "truncate",  "chmod", "fchmod",  "fchmodat", "utimensat",
};

static const char *const fatal[] = {
    "execve",
    "execveat",
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "init_module",
    "finit_module",
    "delete_module",
    "kexec_load",
    "kexec_file_load",
    "mount",
    "umount2",
    "move_mount",
    "open_tree",
    "pivot_root",
    "chroot",
    "unshare",
    "reboot",
    "swapon",
    "swapoff",
    "add_key",
    "keyctl",
    "request_key",
    "userfaultfd",
    "io_uring_setup",
    "perf_event_open",
    "open_by_handle_at",
    "iopl",
    "ioperm",
    "settimeofday",
    "clock_settime",
};

static const int bpf_commands[] = {
    BPF_MAP_LOOKUP_ELEM,
    BPF_MAP_UPDATE_ELEM,
    BPF_MAP_DELETE_ELEM,
    BPF_MAP_GET_NEXT_KEY,
    BPF_MAP_LOOKUP_AND_DELETE_ELEM,
    BPF_MAP_LOOKUP_BATCH,
    BPF_MAP_LOOKUP_AND_DELETE_BATCH,
    BPF_MAP_UPDATE_BATCH,
    BPF_MAP_DELETE_BATCH,
    BPF_OBJ_GET_INFO_BY_FD,
    BPF_ITER_CREATE /* live_flush */,
};
/* For the thread that follows interfaces, which alone has the capabilities for them; and to run the program that looks
 * for idle flows. */
static const int attaching_commands[] = {BPF_LINK_CREATE, BPF_PROG_QUERY, BPF_PROG_TEST_RUN};
static const int families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK /* getaddrinfo asks for the interfaces */};
static const unsigned long requests[] = {FIONBIO, FIONREAD, FIOCLEX, TCGETS, TIOCGWINSZ};
static const int prctls[] = {PR_SET_NAME, PR_GET_NAME, 0x53564d41 /* PR_SET_VMA, which malloc uses */};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static int add_names(scmp_filter_ctx filter, uint32_t action, const char *const *names, size_t count) {
    int result = 0;
    for (size_t i = 0; i < count && !result; i++) {
        int number = seccomp_syscall_resolve_name(names[i]);
        if (number == __NR_SCMP_ERROR || number < 0)
            continue;
        result = seccomp_rule_add_exact_array(filter, action, number, 0, NULL);
    }
    return result;
}

static int add_equal(scmp_filter_ctx filter, const char *name, unsigned argument, uint64_t value) {
    struct scmp_arg_cmp equal = SCMP_CMP64(argument, SCMP_CMP_MASKED_EQ, UINT32_MAX, (uint32_t)value);
    int number = seccomp_syscall_resolve_name(name);
    return number < 0 ? 0 : seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, number, 1, &equal);
}

/*
 * None of the bits, or anything: the agent opens for reading, unless a sink keeps files. openat2 is on the list above
 * all the same: files of containers are opened with it so that no link leads out of their root, and its flags stand
 * behind a pointer, where a filter cannot look.
 */
static int add_open(scmp_filter_ctx filter, const char *name, unsigned argument, bool writes) {
    struct scmp_arg_cmp reading =
        SCMP_CMP64(argument, SCMP_CMP_MASKED_EQ, O_ACCMODE | O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY), O_RDONLY);
    int number = seccomp_syscall_resolve_name(name);
    return number < 0 ? 0 : seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, number, writes ? 0 : 1, &reading);
}

static int add_threads(scmp_filter_ctx filter) {
    struct scmp_arg_cmp thread = SCMP_A0_64(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD);
    /* Its flags are behind a pointer; the C library falls back to clone when there is no clone3. */
    int result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    return result ? result : seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, &thread);
}

/* Into other network namespaces, where that was asked for; into any other kind, never. */
static int add_namespaces(scmp_filter_ctx filter, bool enters) {
    struct scmp_arg_cmp network = {.arg = 1, .op = SCMP_CMP_EQ, .datum_a = CLONE_NEWNET};
    struct scmp_arg_cmp less = {.arg = 1, .op = SCMP_CMP_LT, .datum_a = CLONE_NEWNET};
    struct scmp_arg_cmp more = {.arg = 1, .op = SCMP_CMP_GT, .datum_a = CLONE_NEWNET};
    if (!enters)
        return seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, SCMP_SYS(setns), 0);
    int result = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(setns), 1, &network);
    if (!result)
        result = seccomp_rule_add_array(filter, SCMP_ACT_KILL_PROCESS, SCMP_SYS(setns), 1, &less);
    return result ? result : seccomp_rule_add_array(filter, SCMP_ACT_KILL_PROCESS, SCMP_SYS(setns), 1, &more);
}

static int add_arguments(scmp_filter_ctx filter, const struct privileges *privileges) {
    bool writes = privileges->writes_files;
    int result = add_threads(filter);
    for (size_t i = 0; i < COUNT(bpf_commands) && !result; i++)
        result = add_equal(filter, "bpf", 0, bpf_commands[i]);
    for (size_t i = 0; i < COUNT(attaching_commands) && !result && privileges->attaches; i++)
        result = add_equal(filter, "bpf", 0, attaching_commands[i]);
    if (!result)
        result = add_namespaces(filter, privileges->enters);
    for (size_t i = 0; i < COUNT(families) && !result; i++)
        result = add_equal(filter, "socket", 0, families[i]);
    for (size_t i = 0; i < COUNT(requests) && !result; i++)
        result = add_equal(filter, "ioctl", 1, requests[i]);
    for (size_t i = 0; i < COUNT(prctls) && !result; i++)
        result = add_equal(filter, "prctl", 0, prctls[i]);
    if (!result)
        result = add_equal(filter, "tgkill", 0, getpid()); /* abort */
    if (!result) {                                         /* reading limits, not setting them */
        struct scmp_arg_cmp none = SCMP_A2_64(SCMP_CMP_EQ, 0, 0);
        result = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 1, &none);
    }
    if (!result)
        result = add_open(filter, "openat", 2, writes);
    return result ? result : add_open(filter, "open", 1, writes);
}

/* What the sanitizers of a debug build do at the end of the process: no release has this. */
static int add_sanitizers(scmp_filter_ctx filter) {
#ifdef __SANITIZE_ADDRESS__
    static const char *const names[] = {"clone", "ptrace", "wait4", "kill", "prctl", "tgkill", "getppid"};
    return add_names(filter, SCMP_ACT_ALLOW, names, COUNT(names));
#else
    (void)filter;
    return 0;
#endif
}

static int add_fatal(scmp_filter_ctx filter) {
    int result = 0;
    for (size_t i = 0; i < COUNT(fatal) && !result; i++) {
#ifdef __SANITIZE_ADDRESS__
        if (!strcmp(fatal[i], "ptrace"))
            continue;
#endif
        result = add_names(filter, SCMP_ACT_KILL_PROCESS, &fatal[i], 1);
    }
    return result;
}

int privileges_seal(const struct privileges *privileges, char *error, size_t error_size) {
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    int result = filter ? 0 : -ENOMEM;
    if (!result)
        result = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    if (!result)
        seccomp_attr_set(filter, SCMP_FLTATR_CTL_LOG, 1); /* before Linux 4.14: no log */
    if (!result)
        result = add_names(filter, SCMP_ACT_ALLOW, allowed, COUNT(allowed));
    if (!result && privileges->writes_files)
        result = add_names(filter, SCMP_ACT_ALLOW, files, COUNT(files));
    if (!result)
        result = add_fatal(filter);
    if (!result)
        result = add_sanitizers(filter);
    if (!result)
        result = add_arguments(filter, privileges);
    if (!result)
        result = seccomp_load(filter);
    if (filter)
        seccomp_release(filter);
    if (result)
        snprintf(error, error_size, "the filter of system calls cannot be installed: %s", strerror(-result));
    return result;
}
