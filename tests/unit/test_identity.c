/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/identity.h"

#define FIRST "1111111111111111111111111111111111111111111111111111111111111111"
#define SECOND "2222222222222222222222222222222222222222222222222222222222222222"
#define UNKNOWN "3333333333333333333333333333333333333333333333333333333333333333"
#define GONE 4194999u /* above pid_max: no such process */

static struct identity *start(const char *docker_socket) {
    const struct identity_options options = {
        .host = "testhost", .docker_socket = docker_socket, .root = "/nonexistent"};
    struct identity *identity;
    assert_int_equal(identity_new(&options, &identity), 0);
    return identity;
}

static void this_process_has_its_executable(void **state) {
    (void)state;
    struct identity *identity = start("");
    const struct owner owner = {.tgid = (uint32_t)getpid(), .comm = "wrong"};
    const struct workload *workload = identity_resolve(identity, &owner, NULL);
    char executable[256] = "";
    assert_true(readlink("/proc/self/exe", executable, sizeof executable - 1) > 0);
    assert_string_equal(workload->executable, executable);
    if (workload->kind == WORKLOAD_PROCESS)
        assert_string_equal(workload->name, strrchr(executable, '/') + 1);
    assert_true(strcmp(workload->name, "wrong") != 0);
    assert_ptr_equal(identity_resolve(identity, &owner, NULL), workload);
    identity_free(identity);
}

static void a_reused_pid_is_not_believed(void **state) {
    (void)state;
    struct identity *identity = start("");
    const struct owner owner = {.tgid = (uint32_t)getpid(), .start_time_ns = 1, .comm = "older"};
    assert_string_equal(identity_resolve(identity, &owner, NULL)->name, "older");
    identity_free(identity);
}

static uint64_t start_time_of(pid_t pid) {
    char path[64], stat[1024] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_true(fread(stat, 1, sizeof stat - 1, file) > 0);
    fclose(file);
    unsigned long long ticks = 0;
    const char *at = strrchr(stat, ')') + 2;
    assert_int_equal(
        sscanf(at, "%*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu", &ticks), 1);
    return ticks * (1000000000u / (uint64_t)sysconf(_SC_CLK_TCK)) + 12345;
}

static void the_environment_names_first(void **state) {
    (void)state;
    struct identity *identity = start("");
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    const pid_t child = fork();
    if (child == 0) {
        dup2(pipes[1], 1);
        execle("/bin/sh", "sh", "-c", "echo; sleep 5; :", NULL, (char *[]){"A=1", "OTEL_SERVICE_NAME=checkout", NULL});
        _exit(1);
    }
    char byte;
    assert_int_equal(read(pipes[0], &byte, 1), 1); /* it has run exec */
    const struct owner owner = {.tgid = (uint32_t)child, .start_time_ns = start_time_of(child), .comm = "sh"};
    const struct workload *workload = identity_resolve(identity, &owner, NULL);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_string_equal(workload->name, "checkout");
    identity_saw_exec(identity, owner.tgid, owner.start_time_ns, "/usr/bin/curl", "curl", 5);
    assert_string_equal(identity_resolve(identity, &owner, NULL)->name, "checkout");
    close(pipes[0]);
    close(pipes[1]);
    identity_free(identity);
}

static const struct {
    const char *executable;
    const char *arguments; /* separated by '|' here */
    const char *name;
} programs[] = {
    {"/usr/bin/python3.11", "python3|-u|/srv/app.py|--port|80", "app.py"},
    {"/usr/bin/python3", "python3|-W|ignore|-m|http.server", "http.server"},
    {"/usr/bin/python3", "python3|-c|print()", "python3"},
    {"/usr/bin/python3", "python3", "python3"},
    {"/usr/bin/python3", "python3||x", "x"},
    {"/usr/bin/node", "node|--require|./tracing.js|server.js", "server.js"},
    {"/usr/bin/node", "node|-e|1", "node"},
    {"/opt/jdk/bin/java", "java|-Xmx1g|-jar|/srv/orders.jar", "orders.jar"},
    {"/opt/jdk/bin/java", "java|-cp|a.jar:b.jar|com.example.Main|arg", "com.example.Main"},
    {"/usr/bin/ruby3.1", "ruby|-I|lib|bin/puma", "puma"},
    {"/usr/bin/perl", "perl|-w|daemon.pl", "daemon.pl"},
    {"/usr/bin/php8.2", "php|-S|0.0.0.0:80|router.php", "router.php"},
    {"/usr/sbin/php-fpm8.2", "php-fpm: pool www", "php-fpm8.2"},
    {"/bin/bash", "bash|/usr/local/bin/backup.sh", "backup.sh"},
    {"/bin/sh", "sh|-c|curl x", "sh"},
    {"/usr/bin/curl", "curl|http://x/", "curl"},
};

static void exec_names_the_gone(void **state) {
    (void)state;
    struct identity *identity = start("");
    for (uint32_t i = 0; i < sizeof programs / sizeof programs[0]; i++) {
        char arguments[128];
        const size_t length = strlen(programs[i].arguments) + 1;
        memcpy(arguments, programs[i].arguments, length);
        for (char *at = arguments; (at = strchr(at, '|')); at++)
            *at = '\0';
        identity_saw_exec(identity, GONE, i + 1, programs[i].executable, arguments, length);
        const struct owner owner = {.tgid = GONE, .start_time_ns = i + 1, .comm = "comm"};
        const struct workload *workload = identity_resolve(identity, &owner, NULL);
        assert_string_equal(workload->name, programs[i].name);
        assert_int_equal(workload->kind, WORKLOAD_PROCESS);
    }
    identity_free(identity);
}

static void comm_is_the_last_resort(void **state) {
    (void)state;
    struct identity *identity = start("");
    struct owner owner = {.tgid = GONE, .start_time_ns = 1};
    memcpy(owner.comm, "sixteen-letters!", sizeof owner.comm);
    assert_string_equal(identity_resolve(identity, &owner, NULL)->name, "sixteen-letters!");
    identity_free(identity);
}

static void cgroups_name_the_gone(void **state) {
    (void)state;
    struct identity *identity = start("");
    identity_saw_cgroup(identity, 7, "/system.slice/nginx.service");
    identity_saw_cgroup(identity, 8, "/system.slice/docker-" FIRST ".scope");
    struct owner owner = {.tgid = GONE, .start_time_ns = 1, .cgroup_id = 7, .comm = "nginx"};
    const struct workload *service = identity_resolve(identity, &owner, NULL);
    assert_int_equal(service->kind, WORKLOAD_SERVICE);
    assert_string_equal(service->name, "nginx");
    owner.cgroup_id = 8;
    const struct workload *container = identity_resolve(identity, &owner, NULL);
    assert_int_equal(container->kind, WORKLOAD_CONTAINER);
    assert_string_equal(container->name, "111111111111");
    struct workload_facts facts;
    workload_facts(container, &facts);
    assert_int_equal(facts.instance_count, 1);
    assert_string_equal(facts.instances[0].container_id, FIRST);
    assert_true(container->id != service->id);
    identity_free(identity);
}

static const char *client(struct identity *identity, const char *text) {
    uint8_t address[16];
    const int family = strchr(text, ':') ? 6 : 4;
    assert_int_equal(inet_pton(family == 4 ? AF_INET : AF_INET6, text, address), 1);
    uint64_t instance;
    bool stale;
    return identity_client_address(identity, address, family, &instance, &stale)->name;
}

static void clients_are_grouped(void **state) {
    (void)state;
    struct identity *identity = start("");
    assert_string_equal(client(identity, "10.1.2.3"), "10.1.2.0/24");
    assert_ptr_equal(client(identity, "10.1.2.3"), client(identity, "::ffff:10.1.2.200"));
    assert_string_equal(client(identity, "172.31.0.9"), "172.31.0.0/24");
    assert_string_equal(client(identity, "172.32.0.9"), "internet");
    assert_string_equal(client(identity, "192.168.7.9"), "192.168.7.0/24");
    assert_string_equal(client(identity, "8.8.8.8"), "internet");
    assert_string_equal(client(identity, "2001:4860::1"), "internet");
    assert_string_equal(client(identity, "fd00:1:2:3:4::5"), "fd00:1:2:3::/64");
    identity_free(identity);
}

static const struct workload *server(struct identity *identity, const uint8_t *address, int family, uint16_t port) {
    uint64_t instance;
    bool stale;
    return identity_server_address(identity, address, family, port, &instance, &stale);
}

static void servers_are_addresses(void **state) {
    (void)state;
    struct identity *identity = start("");
    const uint8_t four[4] = {10, 0, 0, 1}, six[16] = {[15] = 1};
    assert_string_equal(server(identity, four, 4, 5432)->name, "10.0.0.1:5432");
    assert_string_equal(server(identity, four, 4, 0)->name, "10.0.0.1");
    const struct workload *workload = server(identity, six, 6, 80);
    assert_string_equal(workload->name, "[::1]:80");
    assert_int_equal(workload->kind, WORKLOAD_ADDRESS);
    identity_free(identity);
}

static void what_does_not_fit_is_other(void **state) {
    (void)state;
    struct identity *identity = start("");
    const struct workload *last = NULL;
    for (uint32_t i = 0; i < 10000; i++) {
        const uint32_t address = htonl(i + 1);
        last = server(identity, (const uint8_t *)&address, 4, 80);
    }
    assert_string_equal(last->name, "other");
    struct identity_losses losses;
    identity_losses(identity, &losses);
    assert_true(losses.names_overflowed > 0);
    const struct owner owner = {.tgid = GONE, .start_time_ns = 1, .comm = "local"};
    assert_string_equal(identity_resolve(identity, &owner, NULL)->name, "local");
    identity_free(identity);
}

static void no_docker_is_one_warning(void **state) {
    (void)state;
    struct identity *identity = start("/nonexistent/docker.sock");
    char warning[512];
    identity_warning(identity, warning, sizeof warning);
    assert_string_equal(warning, ""); /* a host without Docker misses nothing */
    identity_saw_cgroup(identity, 1, "/docker/" UNKNOWN);
    const struct owner owner = {.tgid = GONE, .start_time_ns = 1, .cgroup_id = 1, .comm = "comm"};
    assert_string_equal(identity_resolve(identity, &owner, NULL)->name, "333333333333");
    identity_warning(identity, warning, sizeof warning);
    assert_non_null(strstr(warning, "/nonexistent/docker.sock"));
    assert_non_null(strstr(warning, "docker_socket"));
    identity_free(identity);
}

#define LIST                                                                                                           \
    "[{\"Id\":\"" FIRST "\",\"Names\":[\"/web/db\",\"/db\"],\"Image\":\"postgres:15\",\"State\":\"running\","          \
    "\"NetworkSettings\":{\"Networks\":{\"b\":{\"IPAddress\":\"172.18.0.5\"}}},\"Labels\":{}}]"
#define CREATED                                                                                                        \
    "{\"Type\":\"container\",\"Action\":\"create\",\"Actor\":{\"ID\":\"" SECOND "\",\"Attributes\":"                   \
    "{\"name\":\"shop-cart-1\",\"com.docker.compose.service\":\"cart\","                                               \
    "\"com.docker.compose.project\":\"shop\"}}}\n"
#define DIED "{\"Type\":\"container\",\"Action\":\"die\",\"Actor\":{\"ID\":\"" FIRST "\",\"Attributes\":{}}}\n"

/* A Docker that lists one container, tells of another on its event stream, and that the first one died. */
static void *serve(void *argument) {
    const int listener = *(int *)argument;
    int events = -1;
    char byte;
    for (int i = 0; i < 2; i++) { /* the stream, the list */
        char request[512] = "";
        const int fd = accept(listener, NULL, NULL);
        const ssize_t got = read(fd, request, sizeof request - 1);
        const int list = got > 0 && strncmp(request, "GET /containers/json?all=1 HTTP/1.0\r\n", 37) == 0;
        dprintf(fd, "HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n%s", list ? LIST : "");
        if (list)
            close(fd);
        else
            events = fd;
    }
    dprintf(events, CREATED DIED);
    (void)!read(events, &byte, 1); /* until identity_free */
    close(events);
    return NULL;
}

static const char *container_name(struct identity *identity, uint64_t cgroup_id) {
    const struct owner owner = {.tgid = GONE, .start_time_ns = cgroup_id, .cgroup_id = cgroup_id, .comm = "comm"};
    return identity_resolve(identity, &owner, NULL)->name;
}

static void docker_names_containers(void **state) {
    (void)state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "/tmp/weft-test-docker-%d.sock", (int)getpid());
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 8), 0);
    pthread_t server;
    assert_int_equal(pthread_create(&server, NULL, serve, &listener), 0);
    struct identity *identity = start(address.sun_path);
    identity_saw_cgroup(identity, 1, "/docker/" FIRST);
    identity_saw_cgroup(identity, 2, "/system.slice/docker-" SECOND ".scope");
    identity_saw_cgroup(identity, 3, "/docker/" UNKNOWN);
    assert_string_equal(container_name(identity, 1), "db");
    const uint8_t home[4] = {172, 18, 0, 5};
    bool stale = false;
    uint64_t instance;
    for (int i = 0; i < 300 && !stale; i++) {
        const struct workload *db = identity_server_address(identity, home, 4, 5432, &instance, &stale);
        assert_string_equal(db->name, "db");
        usleep(10000);
    }
    assert_true(stale); /* it died, and its address is still known by it */
    for (int i = 0; i < 300 && strcmp(container_name(identity, 2), "cart") != 0; i++)
        usleep(10000);
    assert_string_equal(container_name(identity, 2), "cart");
    assert_string_equal(container_name(identity, 3), "333333333333");
    char warning[256];
    identity_warning(identity, warning, sizeof warning);
    assert_string_equal(warning, "");
    identity_free(identity);
    pthread_join(server, NULL);
    close(listener);
    unlink(address.sun_path);
}

/* ---- names that get better ---- */

static char root[64];

static void put(const char *path, const char *text) {
    char whole[512];
    snprintf(whole, sizeof whole, "%s%s", root, path);
    for (char *at = whole + 1; (at = strchr(at, '/')); at++) {
        *at = '\0';
        mkdir(whole, 0755);
        *at = '/';
    }
    FILE *file = fopen(whole, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* A container whose name comes later is the same workload under its name. */
static void a_short_id_gives_way_to_the_name(void **state) {
    (void)state;
    strcpy(root, "/tmp/weft-test-identity-XXXXXX");
    assert_non_null(mkdtemp(root));
    const struct identity_options options = {.host = "testhost", .docker_socket = "", .root = root};
    struct identity *identity;
    assert_int_equal(identity_new(&options, &identity), 0);
    identity_saw_cgroup(identity, 1, "/docker/" FIRST);
    struct owner owner = {.tgid = GONE, .start_time_ns = 1, .cgroup_id = 1, .comm = "x"};
    const struct workload *before = identity_resolve(identity, &owner, NULL);
    const uint64_t id = before->id;
    assert_string_equal(before->name, "111111111111");
    put("/var/lib/docker/containers/" FIRST "/config.v2.json",
        "{\"Name\":\"/db\",\"State\":{\"Running\":true},\"Config\":{\"Image\":\"postgres:15\",\"Labels\":{}}}");
    sleep(3); /* it is looked up again after 2 s */
    owner.start_time_ns = 2;
    const struct workload *after = identity_resolve(identity, &owner, NULL);
    assert_ptr_equal(after, before);
    assert_string_equal(after->name, "db");
    assert_int_equal(after->id, id);
    owner.start_time_ns = 1;
    assert_ptr_equal(identity_resolve(identity, &owner, NULL), before);
    struct workload_facts facts;
    workload_facts(after, &facts);
    assert_int_equal(facts.instance_count, 1);
    assert_string_equal(facts.instances[0].container, "db");
    assert_string_equal(facts.instances[0].image, "postgres:15");
    assert_string_equal(facts.runtime, "docker");
    identity_free(identity);
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", root);
    assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c): a name of our own */
}

static void count_changed(void *context, const struct workload *workload) {
    (void)workload;
    ++*(int *)context;
}

static void changes_are_told_once(void **state) {
    (void)state;
    struct identity *identity = start("");
    const struct owner owner = {.tgid = GONE, .start_time_ns = 1, .comm = "one"};
    int count = 0;
    identity_resolve(identity, &owner, NULL);
    identity_changed(identity, count_changed, &count);
    assert_int_equal(count, 1);
    identity_resolve(identity, &owner, NULL);
    identity_changed(identity, count_changed, &count);
    assert_int_equal(count, 1);
    identity_free(identity);
}

static void dns_and_rules_name_addresses(void **state) {
    (void)state;
    const struct name_rule rules[] = {{.name = "ledger", .address = "10.9.0.0/16"},
                                      {.name = "checkout", .executable = "curl"}};
    const struct identity_options options = {
        .host = "testhost", .docker_socket = "", .root = "/nonexistent", .rules = rules, .rule_count = 2};
    struct identity *identity;
    assert_int_equal(identity_new(&options, &identity), 0);
    const uint8_t ledger[4] = {10, 9, 1, 1}, api[4] = {93, 184, 216, 34}, loopback[4] = {127, 0, 0, 1};
    identity_learned_name(identity, "api.example.com", 15, api, 4, 60);
    identity_learned_name(identity, "localhost", 9, loopback, 4, 60);
    assert_string_equal(server(identity, api, 4, 443)->name, "api.example.com");
    assert_string_equal(server(identity, loopback, 4, 443)->name, "127.0.0.1:443");
    assert_string_equal(server(identity, ledger, 4, 1)->name, "ledger");
    assert_ptr_equal(client(identity, "10.9.7.7"), server(identity, ledger, 4, 1)->name);
    identity_saw_exec(identity, GONE, 1, "/usr/bin/curl", "curl", 5);
    const struct owner owner = {.tgid = GONE, .start_time_ns = 1, .comm = "curl"};
    assert_string_equal(identity_resolve(identity, &owner, NULL)->name, "checkout");
    identity_free(identity);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(this_process_has_its_executable),
        cmocka_unit_test(a_reused_pid_is_not_believed),
        cmocka_unit_test(the_environment_names_first),
        cmocka_unit_test(exec_names_the_gone),
        cmocka_unit_test(comm_is_the_last_resort),
        cmocka_unit_test(cgroups_name_the_gone),
        cmocka_unit_test(clients_are_grouped),
        cmocka_unit_test(servers_are_addresses),
        cmocka_unit_test(what_does_not_fit_is_other),
        cmocka_unit_test(no_docker_is_one_warning),
        cmocka_unit_test(docker_names_containers),
        cmocka_unit_test(a_short_id_gives_way_to_the_name),
        cmocka_unit_test(changes_are_told_once),
        cmocka_unit_test(dns_and_rules_name_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
