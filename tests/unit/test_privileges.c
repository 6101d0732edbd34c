/* SPDX-License-Identifier: Apache-2.0 */
/* Each test is a child process, since what is dropped does not come back. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/privileges.h"

static char error[256];
static char file_before[] = "/tmp/weft-privileges-XXXXXX";

/* The child's status: of `body`, or a signal's number + 256. */
static int in_child(int (*body)(void)) {
    int status;
    pid_t child = fork();
    if (!child)
        _exit(body());
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? 256 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int seal(bool writes_files) {
    struct privileges privileges = {.writes_files = writes_files};
    return privileges_drop(&privileges, error, sizeof(error)) || privileges_seal(&privileges, error, sizeof(error));
}

static uint64_t status_field(const char *name) {
    char line[256];
    uint64_t value = UINT64_MAX;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof(line), file))
        if (!strncmp(line, name, strlen(name)))
            value = strtoull(line + strlen(name), NULL, 16);
    if (file)
        fclose(file);
    return value;
}

static int what_is_left(void) {
    const uint64_t documented = 1ULL << 2 /* dac_read_search */ | 1ULL << 19 /* sys_ptrace */ | 1ULL << 39 /* bpf */;
    if (seal(false))
        return 1;
    if (status_field("CapEff:") & ~documented || status_field("CapPrm:") & ~documented)
        return 2;
    return status_field("CapInh:") || status_field("CapAmb:") || status_field("NoNewPrivs:") != 1 ||
           status_field("Seccomp:") != 2;
}

static void no_more_is_left_than_is_documented(void **state) {
    (void)state;
    assert_int_equal(in_child(what_is_left), 0);
}

static void *nothing(void *context) {
    return context;
}

static int ordinary_work(void) {
    char text[64];
    pthread_t thread;
    int fd, pair[2];
    if (seal(false))
        return 1;
    if ((fd = open("/proc/self/comm", O_RDONLY | O_CLOEXEC)) < 0 || read(fd, text, sizeof(text)) <= 0 || close(fd))
        return 2;
    if ((fd = socket(AF_INET, SOCK_STREAM, 0)) < 0 || close(fd) || pipe(pair))
        return 3;
    return pthread_create(&thread, NULL, nothing, NULL) || pthread_join(thread, NULL);
}

static void ordinary_work_goes_on(void **state) {
    (void)state;
    assert_int_equal(in_child(ordinary_work), 0);
}

/* Which of these was not refused. */
static int refusals(void) {
    if (seal(false))
        return 1;
    if (socket(AF_PACKET, SOCK_RAW, 0) >= 0 || errno != EPERM)
        return 2;
    if (open(file_before, O_WRONLY | O_CLOEXEC) >= 0 || errno != EPERM)
        return 3;
    if (open("/tmp/weft-not-made", O_RDONLY | O_CREAT | O_CLOEXEC, 0600) >= 0 || errno != EPERM)
        return 4;
    if (rename(file_before, "/tmp/weft-not-made") != -1 || errno != EPERM)
        return 5;
    if (chmod(file_before, 0777) != -1 || errno != EPERM)
        return 6;
#ifndef __SANITIZE_ADDRESS__
    if (fork() >= 0 || errno != EPERM)
        return 7;
    if (kill(getppid(), 0) != -1 || errno != EPERM)
        return 8;
#endif
    return 0;
}

static void what_is_not_on_the_list_fails(void **state) {
    (void)state;
    assert_int_equal(in_child(refusals), 0);
}

static int execute(void) {
    if (seal(true))
        return 1;
    execl("/bin/true", "true", (char *)NULL);
    return 2;
}

static int mount_something(void) {
    if (seal(true))
        return 1;
    mount("none", "/mnt", "tmpfs", 0, NULL);
    return 2;
}

static void what_an_intruder_would_try_ends_the_process(void **state) {
    (void)state;
    assert_int_equal(in_child(execute), 256 + SIGSYS);
    assert_int_equal(in_child(mount_something), 256 + SIGSYS);
}

static int keep_files(void) {
    char other[64];
    snprintf(other, sizeof(other), "%s.1", file_before);
    if (seal(true))
        return 1;
    int fd = open(other, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    return fd < 0 || write(fd, "x", 1) != 1 || close(fd) || rename(other, file_before) ? 2 : 0;
}

static void sinks_that_keep_files_may(void **state) {
    (void)state;
    assert_int_equal(in_child(keep_files), 0);
}

static void *sleep_forever(void *context) {
    (void)context;
    pause();
    return NULL;
}

static int with_a_thread(void) {
    pthread_t thread;
    struct privileges privileges = {0};
    return pthread_create(&thread, NULL, sleep_forever, NULL) ||
           privileges_drop(&privileges, error, sizeof(error)) != -EBUSY;
}

static void a_thread_that_would_keep_everything_is_noticed(void **state) {
    (void)state;
    assert_int_equal(in_child(with_a_thread), 0);
}

static uint64_t thread_effective(void) {
    char path[64], line[256];
    unsigned long long value = ~0ULL;
    snprintf(path, sizeof(path), "/proc/self/task/%d/status", gettid());
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof(line), file))
        if (sscanf(line, "CapEff: %llx", &value) == 1)
            break;
    if (file)
        fclose(file);
    return value;
}

static uint64_t kept_by_thread;
static pthread_barrier_t confined, dropped;

static void *confine_and_stay(void *context) {
    static const unsigned kept[] = {12 /* net_admin */};
    *(int *)context = privileges_confine(kept, 1, error, sizeof(error));
    pthread_barrier_wait(&confined);
    pthread_barrier_wait(&dropped);
    kept_by_thread = thread_effective();
    return NULL;
}

static int with_a_confined_thread(void) {
    pthread_t thread;
    struct privileges privileges = {0};
    int result = -1;
    const uint64_t before = thread_effective();
    if (pthread_barrier_init(&confined, NULL, 2) || pthread_barrier_init(&dropped, NULL, 2) ||
        pthread_create(&thread, NULL, confine_and_stay, &result))
        return 1;
    pthread_barrier_wait(&confined);
    if (result || privileges_drop(&privileges, error, sizeof(error)))
        return 2;
    pthread_barrier_wait(&dropped);
    if (pthread_join(thread, NULL) || kept_by_thread != (before & 1ULL << 12))
        return 3; /* the other one's drop is none of its own */
    return thread_effective() & 1ULL << 12 ? 4 : 0;
}

static void a_thread_that_confined_itself_keeps_what_it_needs(void **state) {
    (void)state;
    assert_int_equal(in_child(with_a_confined_thread), 0);
}

static int enter_own(int kind, bool enters) {
    struct privileges privileges = {.enters = enters};
    int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || privileges_drop(&privileges, error, sizeof(error)) ||
        privileges_seal(&privileges, error, sizeof(error)))
        return 1;
    return setns(fd, kind) == -1 && errno == EPERM ? 0 : 2; /* not by the filter: CAP_SYS_ADMIN is gone */
}

static int enter_network(void) {
    return enter_own(CLONE_NEWNET, true);
}

static int enter_any(void) {
    return enter_own(0, true);
}

static int enter_unasked(void) {
    return enter_own(CLONE_NEWNET, false);
}

static void namespaces_are_entered_only_of_the_network_and_where_asked(void **state) {
    (void)state;
    assert_int_equal(in_child(enter_network), 0);
    assert_int_equal(in_child(enter_any), 256 + SIGSYS);
    assert_int_equal(in_child(enter_unasked), 256 + SIGSYS);
}

static void a_folder_of_somebody_else_is_not_writable(void **state) {
    (void)state;
    char folder[] = "/tmp/weft-folder-XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/x", folder);
    assert_true(privileges_writable(path));
    if (geteuid() == 0) {
        assert_int_equal(chown(folder, 65534, 65534), 0);
        assert_false(privileges_writable(path));
    }
    assert_false(privileges_writable("/nonexistent/x"));
    assert_int_equal(rmdir(folder), 0);
}

static int make_file(void **state) {
    (void)state;
    int fd = mkstemp(file_before);
    return fd < 0 || close(fd);
}

static int remove_file(void **state) {
    (void)state;
    return unlink(file_before);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_more_is_left_than_is_documented),
        cmocka_unit_test(ordinary_work_goes_on),
        cmocka_unit_test(what_is_not_on_the_list_fails),
        cmocka_unit_test(what_an_intruder_would_try_ends_the_process),
        cmocka_unit_test(sinks_that_keep_files_may),
        cmocka_unit_test(a_thread_that_would_keep_everything_is_noticed),
        cmocka_unit_test(a_thread_that_confined_itself_keeps_what_it_needs),
        cmocka_unit_test(namespaces_are_entered_only_of_the_network_and_where_asked),
        cmocka_unit_test(a_folder_of_somebody_else_is_not_writable),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
