/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/process.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* Arguments are separated by '|'; `links` are the names that lead to the executable. */
static const struct {
    const char *executable, *filename, *arguments, *links, *name, *script;
} cases[] = {
    /* Symbolic links, multi-call binaries and titles. */
    {"/usr/bin/redis-check-rdb", "", "/usr/bin/redis-server 127.0.0.1:6379", "/usr/bin/redis-server", "redis-server",
     ""},
    {"/usr/bin/redis-check-rdb", "", "redis-server *:6379", "redis-server", "redis-server", ""},
    {"/usr/bin/redis-check-rdb", "/usr/bin/redis-server", "x", "/usr/bin/redis-server", "redis-server", ""},
    {"/usr/bin/redis-check-rdb", "", "somebody else", "", "redis-check-rdb", ""},
    {"/usr/sbin/nginx", "", "nginx: worker process", "nginx", "nginx", ""},
    {"/usr/sbin/nginx", "/usr/sbin/nginx", "nginx: master process nginx", "", "nginx", ""},
    {"/usr/lib/postgresql/15/bin/postgres", "", "postgres: main: checkpointer", "", "postgres", ""},
    {"/usr/sbin/php-fpm8.2", "", "php-fpm: pool www", "", "php-fpm8.2", ""},
    {"/bin/busybox", "/usr/sbin/httpd", "httpd|-f", "/usr/sbin/httpd", "httpd", ""},
    {"/bin/busybox", "/bin/busybox", "/bin/busybox|httpd|-f", "", "httpd", "httpd"},
    {"/bin/busybox", "/bin/sh", "sh|/etc/init.d/rcS", "/bin/sh", "rcS", "/etc/init.d/rcS"},
    {"/usr/bin/bash", "/bin/bash", "-bash", "bash", "bash", ""},
    {"/usr/bin/dockerd", "/proc/self/exe", "docker-proxy|-proto", "", "dockerd", ""},
    {"/usr/bin/nc.openbsd", "/usr/bin/nc", "nc|-l", "/usr/bin/nc", "nc", ""},
    {"/usr/bin/sleep", "/usr/bin/sleep", "another|9", "", "sleep", ""},
    {"/usr/bin/curl", "", "", "", "curl", ""},
    /* Interpreters. */
    {"/usr/bin/python3.11", "/usr/bin/python3", "python3|-u|/srv/app.py|--port|80", "/usr/bin/python3", "app.py",
     "/srv/app.py"},
    {"/usr/bin/python3.11", "/usr/bin/gunicorn", "/usr/bin/python3|/usr/bin/gunicorn|shop:app", "/usr/bin/python3",
     "gunicorn", "/usr/bin/gunicorn"},
    {"/usr/bin/python3.11", "", "gunicorn: master [shop:app]", "", "gunicorn", ""},
    {"/usr/bin/ruby3.1", "", "puma 6.0.0 (tcp://0.0.0.0:9292) [shop]", "", "puma", ""},
    {"/usr/bin/python3.11", "", "python3|/srv/shop/__main__.py", "", "shop", "/srv/shop/__main__.py"},
    {"/usr/bin/python3.11", "/usr/bin/python3", "python3|-m|http.server", "/usr/bin/python3", "http.server",
     "http.server"},
    {"/usr/bin/python3.11", "/usr/bin/python3", "python3|-c|print()", "/usr/bin/python3", "python3", ""},
    {"/usr/bin/node", "", "node|--require|./tracing.js|server.js", "", "server.js", "server.js"},
    {"/usr/bin/node", "", "node|-e|1", "", "node", ""},
    {"/usr/local/bin/bun", "", "bun|run|server.ts", "", "server.ts", "server.ts"},
    {"/usr/lib/jvm/17/bin/java", "/usr/bin/java", "java|-Xmx1g|-jar|/srv/orders.jar", "/usr/bin/java", "orders.jar",
     "/srv/orders.jar"},
    {"/usr/lib/jvm/17/bin/java", "", "java|-cp|a.jar:b.jar|com.example.Main|x", "", "com.example.Main",
     "com.example.Main"},
    {"/usr/share/dotnet/dotnet", "", "dotnet|exec|/app/Api.dll", "", "Api.dll", "/app/Api.dll"},
    {"/usr/bin/perl", "", "perl|-w|daemon.pl", "", "daemon.pl", "daemon.pl"},
    {"/usr/bin/dash", "/bin/sh", "sh|-c|curl x", "/bin/sh", "sh", ""},
    /* Gone: only what the exec told. */
    {"", "/usr/bin/curl", "curl|http://x/", "", "curl", ""},
    {"", "/usr/local/bin/backup", "/bin/bash|/usr/local/bin/backup", "", "backup", "/usr/local/bin/backup"},
    {"", "/usr/bin/python3", "python3|job.py", "", "job.py", "job.py"},
    {"", "", "", "", "", ""},
};

static bool leads_there(void *context, const char *path) {
    return strcmp(context, path) == 0;
}

static void names(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char arguments[128], name[64], script[96];
        const size_t length = cases[i].arguments[0] ? strlen(cases[i].arguments) + 1 : 0;
        strcpy(arguments, cases[i].arguments);
        for (char *at = arguments; (at = strchr(at, '|')); at++)
            *at = '\0';
        const struct process_words words = {cases[i].executable, cases[i].filename,     arguments, length,
                                            leads_there,         (void *)cases[i].links};
        process_name(&words, name, script);
        if (strcmp(name, cases[i].name) != 0)
            print_error("%s, %s: %s\n", cases[i].executable, cases[i].arguments, name);
        assert_string_equal(name, cases[i].name);
        assert_string_equal(script, cases[i].script);
    }
}

static pid_t start(const char *folder, const char *path, char *const arguments[]) {
    int pipes[2];
    char byte;
    assert_int_equal(pipe(pipes), 0);
    const pid_t child = fork();
    if (child == 0) {
        dup2(pipes[1], 1);
        if (chdir(folder) == 0)
            execve(path, arguments, (char *[]){"PATH=/usr/bin:/bin", "OTEL_SERVICE_NAME=checkout", NULL});
        _exit(1);
    }
    close(pipes[1]);
    assert_int_equal(read(pipes[0], &byte, 1), 1); /* it runs */
    close(pipes[0]);
    return child;
}

static void stop(pid_t child) {
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

/* A link called `greeter` to the shell, as Debian's redis-server is one to redis-check-rdb. */
static void a_link_names_a_real_process(void **state) {
    (void)state;
    char folder[] = "/tmp/weft-test-process-XXXXXX", link[64];
    struct process_facts facts;
    assert_non_null(mkdtemp(folder));
    snprintf(link, sizeof link, "%s/greeter", folder);
    assert_int_equal(symlink("/bin/sh", link), 0);
    char *const arguments[] = {"./greeter", "-c", "echo; kill -STOP $$; :", NULL};
    const pid_t child = start(folder, "./greeter", arguments);
    assert_true(process_read((uint32_t)child, 0, NULL, &facts));
    assert_string_equal(facts.name, "greeter");
    assert_string_equal(facts.service_name, "checkout");
    assert_non_null(strstr(facts.executable, "sh"));
    assert_true(facts.inode != 0);
    stop(child);
    const struct process_exec exec = {.filename = "/usr/bin/curl", .length = 5, .arguments = "curl"};
    assert_false(process_read((uint32_t)child, 0, &exec, &facts));
    assert_string_equal(facts.name, "curl");
    assert_string_equal(facts.executable, "/usr/bin/curl");
    unlink(link);
    rmdir(folder);
}

/* A name that leads elsewhere is not believed. */
static void a_false_name_is_not_believed(void **state) {
    (void)state;
    struct process_facts facts;
    char *const arguments[] = {"/usr/bin/env", "-c", "echo; kill -STOP $$; :", NULL};
    const pid_t child = start("/", "/bin/sh", arguments);
    assert_true(process_read((uint32_t)child, 0, NULL, &facts));
    assert_string_equal(facts.name, strrchr(facts.executable, '/') + 1);
    stop(child);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(a_link_names_a_real_process),
        cmocka_unit_test(a_false_name_is_not_believed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
