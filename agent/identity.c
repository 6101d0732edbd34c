/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/identity.h"
#include "agent/hierarchy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <jansson.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

#define PROCESSES 8192 /* powers of two */
#define CGROUPS 8192
#define CONTAINERS 4096
#define WORKLOADS 4096
#define ADDRESS_WORKLOADS (WORKLOADS / 2) /* so that many peers do not crowd out what runs here */
#define PROBES 8
#define PROC_BYTES 65536
#define NANOSECONDS 1000000000u
#define DOCKER_TIMEOUT_S 2
#define DOCKER_RETRY_S 5
#define SHORT_ID 12
#define DOCKER_EVENTS                                                                                                  \
    "/events?filters=%7B%22type%22%3A%5B%22container%22%5D%2C%22event%22%3A%5B%22create%22%2C%22rename%22%5D%7D"
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* A set-associative table: what is least recently used among PROBES neighbours makes room. */
struct slot {
    uint64_t key;
    uint64_t used; /* 0: free */
};

struct table {
    unsigned char *slots;
    size_t size; /* of one slot, which begins with a struct slot */
    size_t capacity;
    uint64_t clock;
};

struct process {
    struct slot slot;
    uint64_t cgroup_id; /* that `workload` was found with */
    uint64_t generation;
    const struct workload *workload; /* NULL: to be found */
    uint64_t instance;
    char executable[256];
    char program[128]; /* what an interpreter runs, else the executable's last component; empty if unknown */
    char service_name[128];
    struct cgroup_name cgroup; /* from /proc */
};

struct cgroup {
    struct slot slot;
    struct cgroup_name name;
};

struct container {
    struct slot slot;
    char scope[128]; /* namespace or compose project */
    char name[128];
};

struct identity {
    pthread_mutex_t mutex;
    pthread_cond_t stopping;
    pthread_t follower;
    bool follows;
    bool stop;
    int events; /* Docker's event stream, or -1 */
    char docker_socket[sizeof((struct sockaddr_un *)NULL)->sun_path];
    char host[128];
    char warning[192];
    struct table processes, cgroups, containers;
    uint64_t generation; /* grows when a container's name is learnt */
    struct workload *workloads[2 * WORKLOADS];
    size_t workload_count, address_count;
    uint64_t overflowed;
    struct workload *other;
    char buffer[PROC_BYTES];
};

/* ---- tables ---- */

static int table_new(struct table *table, size_t capacity, size_t size) {
    *table = (struct table){.slots = calloc(capacity, size), .size = size, .capacity = capacity};
    return table->slots ? 0 : -ENOMEM;
}

static struct slot *table_at(const struct table *table, uint64_t key, size_t probe) {
    return (struct slot *)(void *)(table->slots + ((key + probe) & (table->capacity - 1)) * table->size);
}

static void *table_find(struct table *table, uint64_t key) {
    for (size_t i = 0; i < PROBES; i++) {
        struct slot *slot = table_at(table, key, i);
        if (slot->used && slot->key == key) {
            slot->used = ++table->clock;
            return slot;
        }
    }
    return NULL;
}

/* Finds or makes; what is made is zeroed. */
static void *table_add(struct table *table, uint64_t key, bool *ret_new) {
    struct slot *found = table_find(table, key);
    *ret_new = !found;
    if (found)
        return found;
    found = table_at(table, key, 0);
    for (size_t i = 1; i < PROBES; i++) {
        struct slot *slot = table_at(table, key, i);
        if (slot->used < found->used)
            found = slot;
    }
    memset(found, 0, table->size);
    found->key = key;
    found->used = ++table->clock;
    return found;
}

static uint64_t hash(const void *data, size_t length) {
    return XXH3_64bits(data, length);
}

static uint64_t now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * NANOSECONDS + (uint64_t)time.tv_nsec;
}

/* ---- text ---- */

static void copy(char *into, size_t size, const char *from) {
    const size_t length = strnlen(from, size - 1);
    memcpy(into, from, length);
    into[length] = '\0';
}

static const char *last_component(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* Whether `word` is among the space-separated `list`. */
static bool listed(const char *list, const char *word) {
    const size_t length = strlen(word);
    if (length == 0)
        return false;
    for (const char *at = list; (at = strstr(at, word)); at += length)
        if ((at == list || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0'))
            return true;
    return false;
}

/* ---- interpreters ---- */

static const struct interpreter {
    const char *names;   /* version digits after one are ignored */
    const char *valued;  /* options that take the next argument */
    const char *named;   /* options whose next argument is what runs */
    const char *inlined; /* options that give a program's text: it has no name */
} interpreters[] = {
    {"python pypy", "-W -X --check-hash-based-pycs", "-m", "-c"},
    {"node nodejs", "-r --require --import --loader --experimental-loader -C --conditions --env-file", "",
     "-e --eval -p --print -pe"},
    {"java", "-cp -classpath --class-path -p --module-path --add-opens --add-exports --add-modules --add-reads",
     "-jar -m --module", ""},
    {"ruby jruby", "-I -r -C -E", "", "-e"},
    {"perl", "-I", "", "-e -E"},
    {"php", "-c -d -t -S -z", "-f -F", "-r -R -B"},
    {"bash sh dash zsh ksh ash", "-o +o -O +O --rcfile --init-file", "", "-c -lc -ec -ic"},
};

static const struct interpreter *interpreter_of(const char *executable) {
    char name[64];
    copy(name, sizeof name, last_component(executable));
    size_t length = strlen(name);
    while (length > 0 && strchr("0123456789.", name[length - 1]))
        name[--length] = '\0';
    for (size_t i = 0; i < COUNT(interpreters); i++)
        if (listed(interpreters[i].names, name))
            return &interpreters[i];
    return NULL;
}

/* The argument after `at`, or NULL. The text ends with a zero byte of its own. */
static const char *next_argument(const char *at, const char *end) {
    at += strlen(at) + 1;
    return at < end ? at : NULL;
}

static const char *program_run(const struct interpreter *interpreter, const char *arguments, const char *end) {
    const char *at = arguments < end ? next_argument(arguments, end) : NULL;
    for (; at; at = next_argument(at, end)) {
        if (listed(interpreter->inlined, at))
            return NULL;
        if (listed(interpreter->named, at))
            return next_argument(at, end);
        if (listed(interpreter->valued, at))
            at = next_argument(at, end);
        else if (strcmp(at, "--") == 0)
            return next_argument(at, end);
        else if (at[0] != '-' && at[0] != '\0')
            return at;
        if (!at)
            return NULL;
    }
    return NULL;
}

/* `arguments` ends with a zero byte beyond `length`. */
static void set_program(struct process *process, const char *executable, const char *arguments, size_t length) {
    const struct interpreter *interpreter = interpreter_of(executable);
    const char *program = interpreter ? program_run(interpreter, arguments, arguments + length) : NULL;
    if (!program || !last_component(program)[0])
        program = executable;
    copy(process->executable, sizeof process->executable, executable);
    copy(process->program, sizeof process->program, last_component(program));
}

/* ---- /proc ---- */

/* Reads what fits and ends it with a zero byte. */
static int read_proc(uint32_t tgid, const char *file, char *into, size_t size, size_t *ret_length) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%u/%s", tgid, file);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    size_t length = 0;
    ssize_t got = 1;
    while (got > 0 && length + 1 < size) {
        got = read(fd, into + length, size - 1 - length);
        length += got > 0 ? (size_t)got : 0;
    }
    const int error = got < 0 ? -errno : 0;
    close(fd);
    into[length] = '\0';
    *ret_length = length;
    return error;
}

/* The kernel's boot-time clock, in /proc to the tick: a pid used again is another process. */
static bool still_runs(uint32_t tgid, uint64_t start_time_ns) {
    char stat[1024];
    size_t length;
    if (read_proc(tgid, "stat", stat, sizeof stat, &length) < 0)
        return false;
    if (start_time_ns == 0)
        return true;
    const char *at = strrchr(stat, ')'); /* comm may hold anything */
    for (int field = 2; at && field < 22; field++)
        at = strchr(at + 1, ' ');
    if (!at)
        return false;
    const uint64_t ticks = strtoull(at + 1, NULL, 10);
    const uint64_t expected = start_time_ns / (NANOSECONDS / (uint64_t)sysconf(_SC_CLK_TCK));
    return ticks <= expected + 1 && expected <= ticks + 1;
}

static void read_program(struct identity *identity, struct process *process, uint32_t tgid) {
    char link[64], executable[256];
    snprintf(link, sizeof link, "/proc/%u/exe", tgid);
    const ssize_t length = readlink(link, executable, sizeof executable - 1);
    if (length <= 0)
        return; /* a kernel thread, or gone */
    executable[length] = '\0';
    char *deleted = strstr(executable, " (deleted)");
    if (deleted && deleted[strlen(" (deleted)")] == '\0')
        *deleted = '\0';
    size_t arguments = 0;
    if (read_proc(tgid, "cmdline", identity->buffer, sizeof identity->buffer, &arguments) < 0)
        arguments = 0;
    set_program(process, executable, identity->buffer, arguments);
}

static void read_environment(struct identity *identity, struct process *process, uint32_t tgid) {
    static const char variable[] = "OTEL_SERVICE_NAME=";
    size_t length = 0;
    if (read_proc(tgid, "environ", identity->buffer, sizeof identity->buffer, &length) < 0)
        return;
    process->service_name[0] = '\0';
    for (const char *at = identity->buffer; at && length > 0; at = next_argument(at, identity->buffer + length))
        if (strncmp(at, variable, sizeof variable - 1) == 0)
            copy(process->service_name, sizeof process->service_name, at + sizeof variable - 1);
}

/* One line on v2, one a hierarchy on v1 and hybrid: the line that says most. */
static void read_cgroup(struct identity *identity, struct process *process, uint32_t tgid) {
    size_t length;
    if (read_proc(tgid, "cgroup", identity->buffer, sizeof identity->buffer, &length) < 0)
        return;
    process->cgroup = (struct cgroup_name){0};
    char *rest = identity->buffer;
    for (char *line; (line = strsep(&rest, "\n"));) {
        struct cgroup_name name;
        cgroup_name_parse(line, &name);
        const bool better = name.container_id[0] && !process->cgroup.container_id[0];
        if (process->cgroup.kind == WORKLOAD_PROCESS || better)
            process->cgroup = name;
    }
}

static void read_process(struct identity *identity, struct process *process, uint32_t tgid, uint64_t start_time_ns) {
    if (!still_runs(tgid, start_time_ns))
        return;
    read_program(identity, process, tgid);
    read_environment(identity, process, tgid);
    read_cgroup(identity, process, tgid);
}

/* ---- workloads ---- */

static uint64_t workload_id(const struct identity *identity, enum workload_kind kind, const char *scope,
                            const char *name) {
    char text[512];
    const bool local = kind == WORKLOAD_PROCESS || kind == WORKLOAD_SERVICE;
    const int length =
        snprintf(text, sizeof text, "%d%c%s%c%s%c%s", (int)kind, 0, scope, 0, name, 0, local ? identity->host : "");
    return hash(text, (size_t)length);
}

static struct workload *overflow(struct identity *identity) {
    identity->overflowed++;
    return identity->other;
}

static struct workload *intern(struct identity *identity, enum workload_kind kind, const char *scope,
                               const char *name) {
    const uint64_t id = workload_id(identity, kind, scope, name);
    size_t place = id % COUNT(identity->workloads);
    while (identity->workloads[place] && identity->workloads[place]->id != id)
        place = (place + 1) % COUNT(identity->workloads);
    if (identity->workloads[place])
        return identity->workloads[place];
    const bool address = kind == WORKLOAD_ADDRESS || kind == WORKLOAD_GROUP;
    if (identity->workload_count == WORKLOADS || (address && identity->address_count == ADDRESS_WORKLOADS))
        return overflow(identity);
    struct workload *workload = workload_new(id, kind, scope, name);
    if (!workload)
        return overflow(identity);
    identity->workloads[place] = workload;
    identity->workload_count++;
    identity->address_count += address;
    return workload;
}

static const struct cgroup_name *cgroup_of(struct identity *identity, const struct process *process,
                                           uint64_t cgroup_id) {
    const struct cgroup *cgroup = cgroup_id ? table_find(&identity->cgroups, cgroup_id) : NULL;
    return cgroup && cgroup->name.kind != WORKLOAD_PROCESS ? &cgroup->name : &process->cgroup;
}

/* The name, and in *ret_scope the namespace it is unique in. */
static const char *choose_name(struct identity *identity, const struct process *process,
                               const struct cgroup_name *cgroup, const char *comm, const char **ret_scope,
                               char short_id[static SHORT_ID + 1]) {
    *ret_scope = "";
    if (process->service_name[0])
        return process->service_name;
    if (cgroup->container_id[0]) {
        const struct container *container =
            table_find(&identity->containers, hash(cgroup->container_id, strlen(cgroup->container_id)));
        *ret_scope = container ? container->scope : "";
        if (container)
            return container->name;
        copy(short_id, SHORT_ID + 1, cgroup->container_id);
        return short_id;
    }
    if (cgroup->pod_uid[0])
        return cgroup->pod_uid;
    if (cgroup->service[0])
        return cgroup->service;
    return process->program[0] ? process->program : comm;
}

static uint64_t instance_id(const struct cgroup_name *cgroup, const struct owner *owner) {
    const uint64_t pair[2] = {owner->tgid, owner->start_time_ns};
    const size_t length = strlen(cgroup->container_id);
    const uint64_t id = length ? hash(cgroup->container_id, length) : hash(pair, sizeof pair);
    return id ? id : 1;
}

static void describe(struct workload *workload, const struct process *process, const struct cgroup_name *cgroup,
                     const struct owner *owner, const char *name) {
    struct workload_program program = {0};
    copy(program.executable, sizeof program.executable, process->executable);
    workload_learn(workload, &program, cgroup->runtime);
    struct workload_instance instance = {.id = instance_id(cgroup, owner),
                                         .start_time_ns = owner->start_time_ns,
                                         .last_seen_ns = now_ns(),
                                         .pid = owner->tgid};
    copy(instance.container_id, sizeof instance.container_id, cgroup->container_id);
    if (cgroup->container_id[0])
        copy(instance.container, sizeof instance.container, name);
    workload_saw(workload, &instance);
}

static const struct workload *name_process(struct identity *identity, struct process *process,
                                           const struct owner *owner) {
    const struct cgroup_name *cgroup = cgroup_of(identity, process, owner->cgroup_id);
    char comm[sizeof owner->comm + 1] = "", short_id[SHORT_ID + 1];
    memcpy(comm, owner->comm, sizeof owner->comm);
    const char *scope;
    const char *name = choose_name(identity, process, cgroup, comm[0] ? comm : "unknown", &scope, short_id);
    struct workload *workload = intern(identity, cgroup->kind, scope, name);
    process->instance = instance_id(cgroup, owner);
    if (workload != identity->other)
        describe(workload, process, cgroup, owner, name);
    return workload;
}

/* ---- Docker ---- */

__attribute__((format(printf, 2, 3))) static void warn(struct identity *identity, const char *format, ...) {
    va_list values;
    va_start(values, format);
    pthread_mutex_lock(&identity->mutex);
    vsnprintf(identity->warning, sizeof identity->warning, format, values);
    pthread_mutex_unlock(&identity->mutex);
    va_end(values);
}

static void learn_container(struct identity *identity, const char *id, const char *name, const json_t *labels) {
    const char *pod = json_string_value(json_object_get(labels, "io.kubernetes.container.name"));
    const char *namespace = json_string_value(json_object_get(labels, "io.kubernetes.pod.namespace"));
    const char *service = json_string_value(json_object_get(labels, "com.docker.compose.service"));
    const char *project = json_string_value(json_object_get(labels, "com.docker.compose.project"));
    const char *chosen = pod ? pod : service ? service : name;
    const char *scope = pod ? namespace : service ? project : NULL;
    if (!id || !chosen)
        return;
    chosen += chosen[0] == '/';
    bool new;
    pthread_mutex_lock(&identity->mutex);
    struct container *container = table_add(&identity->containers, hash(id, strlen(id)), &new);
    copy(container->name, sizeof container->name, chosen);
    copy(container->scope, sizeof container->scope, scope ? scope : "");
    identity->generation++;
    pthread_mutex_unlock(&identity->mutex);
}

static int docker_connect(const struct identity *identity) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    copy(address.sun_path, sizeof address.sun_path, identity->docker_socket);
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    const struct timeval limit = {.tv_sec = DOCKER_TIMEOUT_S};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    const int error = -errno;
    close(fd);
    return error;
}

/* HTTP/1.0, so the body is not chunked and ends with the connection. Reads up to the body. */
static int docker_get(const struct identity *identity, const char *target, FILE **ret_stream) {
    char text[512];
    const int fd = docker_connect(identity);
    if (fd < 0)
        return fd;
    const int length = snprintf(text, sizeof text, "GET %s HTTP/1.0\r\nHost: docker\r\n\r\n", target);
    FILE *stream = send(fd, text, (size_t)length, MSG_NOSIGNAL) == length ? fdopen(fd, "r") : NULL;
    if (!stream) {
        close(fd);
        return -EIO;
    }
    unsigned int status = 0;
    if (fgets(text, sizeof text, stream) && sscanf(text, "HTTP/1.%*u %u", &status) == 1 && status == 200)
        while (fgets(text, sizeof text, stream))
            if (text[strspn(text, "\r")] == '\n') {
                *ret_stream = stream;
                return 0;
            }
    fclose(stream);
    return -EPROTO;
}

/* Links add "/other/alias" to a container's names; its own has one slash. */
static const char *own_name(const json_t *names) {
    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *name = json_string_value(json_array_get(names, i));
        if (name && strrchr(name, '/') == name)
            return name;
    }
    return NULL;
}

static int docker_list(struct identity *identity) {
    FILE *stream;
    const int error = docker_get(identity, "/containers/json?all=1", &stream);
    if (error < 0)
        return error;
    json_t *list = json_loadf(stream, 0, NULL);
    fclose(stream);
    if (!json_is_array(list)) {
        json_decref(list);
        return -EPROTO;
    }
    size_t i;
    json_t *one;
    json_array_foreach(list, i, one)
        learn_container(identity, json_string_value(json_object_get(one, "Id")),
                        own_name(json_object_get(one, "Names")), json_object_get(one, "Labels"));
    json_decref(list);
    warn(identity, "%s", ""); /* what it said no longer holds */
    return 0;
}

static void docker_event(struct identity *identity, const char *line) {
    json_t *event = json_loads(line, 0, NULL);
    const json_t *actor = json_object_get(event, "Actor");
    const json_t *attributes = json_object_get(actor, "Attributes");
    learn_container(identity, json_string_value(json_object_get(actor, "ID")),
                    json_string_value(json_object_get(attributes, "name")), attributes);
    json_decref(event);
}

/* Says which descriptor identity_free has to shut down; false if it is too late. */
static bool set_events(struct identity *identity, int fd) {
    pthread_mutex_lock(&identity->mutex);
    identity->events = fd;
    const bool goes_on = !identity->stop;
    pthread_mutex_unlock(&identity->mutex);
    return goes_on;
}

/* Subscribes before listing, so that no container falls between. Returns when the stream ends. */
static int docker_follow(struct identity *identity) {
    FILE *stream;
    int error = docker_get(identity, DOCKER_EVENTS, &stream);
    if (error < 0)
        return error;
    const struct timeval forever = {0};
    setsockopt(fileno(stream), SOL_SOCKET, SO_RCVTIMEO, &forever, sizeof forever);
    char *line = NULL;
    size_t size = 0;
    if (set_events(identity, fileno(stream)) && (error = docker_list(identity)) == 0)
        while (getline(&line, &size, stream) > 0)
            docker_event(identity, line);
    (void)set_events(identity, -1);
    free(line);
    fclose(stream);
    return error;
}

static void *follow(void *argument) {
    struct identity *identity = argument;
    for (bool goes_on = true; goes_on;) {
        const int error = docker_follow(identity);
        if (error < 0)
            warn(identity, "%s: %s; containers are named by their id", identity->docker_socket, strerror(-error));
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += DOCKER_RETRY_S;
        pthread_mutex_lock(&identity->mutex);
        while (!identity->stop && pthread_cond_timedwait(&identity->stopping, &identity->mutex, &until) == 0)
            ;
        goes_on = !identity->stop;
        pthread_mutex_unlock(&identity->mutex);
    }
    return NULL;
}

/* The list is asked here too, so that the first connection finds its names. */
static void start_docker(struct identity *identity, const char *path) {
    if (!path[0])
        return;
    if (strlen(path) >= sizeof identity->docker_socket) {
        warn(identity, "the path of Docker's socket is too long");
        return;
    }
    copy(identity->docker_socket, sizeof identity->docker_socket, path);
    const int error = docker_list(identity);
    if (error < 0)
        warn(identity, "%s: %s; containers are named by their id", path, strerror(-error));
    if (pthread_create(&identity->follower, NULL, follow, identity) == 0)
        identity->follows = true;
    else
        warn(identity, "no thread to follow Docker's events");
}

/* ---- addresses ---- */

static bool is_mapped(const uint8_t *address) {
    static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};
    return memcmp(address, prefix, sizeof prefix) == 0;
}

static bool is_private4(const uint8_t *a) {
    return a[0] == 10 || a[0] == 127 || (a[0] == 172 && (a[1] & 0xf0) == 16) || (a[0] == 192 && a[1] == 168) ||
           (a[0] == 169 && a[1] == 254) || (a[0] == 100 && (a[1] & 0xc0) == 64);
}

static bool is_private6(const uint8_t *a) {
    static const uint8_t loopback[16] = {[15] = 1};
    return (a[0] & 0xfe) == 0xfc || (a[0] == 0xfe && (a[1] & 0xc0) == 0x80) || memcmp(a, loopback, 16) == 0;
}

const struct workload *identity_server_address(struct identity *identity, const uint8_t *address, int family,
                                               uint16_t port) {
    const bool four = family == 4 || is_mapped(address);
    char text[INET6_ADDRSTRLEN] = "", name[INET6_ADDRSTRLEN + 16];
    inet_ntop(four ? AF_INET : AF_INET6, four && family != 4 ? address + 12 : address, text, sizeof text);
    if (port == 0)
        snprintf(name, sizeof name, "%s", text);
    else
        snprintf(name, sizeof name, four ? "%s:%u" : "[%s]:%u", text, port);
    pthread_mutex_lock(&identity->mutex);
    const struct workload *workload = intern(identity, WORKLOAD_ADDRESS, "", name);
    pthread_mutex_unlock(&identity->mutex);
    return workload;
}

const struct workload *identity_client_address(struct identity *identity, const uint8_t *address, int family) {
    const bool four = family == 4 || is_mapped(address);
    const uint8_t *from = four && family != 4 ? address + 12 : address;
    uint8_t network[16] = {0};
    memcpy(network, from, four ? 3 : 8);
    char text[INET6_ADDRSTRLEN] = "", name[INET6_ADDRSTRLEN + 8] = "internet";
    inet_ntop(four ? AF_INET : AF_INET6, network, text, sizeof text);
    if (four ? is_private4(from) : is_private6(from))
        snprintf(name, sizeof name, "%s%s", text, four ? "/24" : "/64");
    pthread_mutex_lock(&identity->mutex);
    const struct workload *workload = intern(identity, WORKLOAD_GROUP, "", name);
    pthread_mutex_unlock(&identity->mutex);
    return workload;
}

/* ---- events and answers ---- */

static struct process *find_process(struct identity *identity, uint32_t tgid, uint64_t start_time_ns, bool *ret_new) {
    const uint64_t pair[2] = {tgid, start_time_ns};
    return table_add(&identity->processes, hash(pair, sizeof pair), ret_new);
}

void identity_saw_exec(struct identity *identity, uint32_t tgid, uint64_t start_time_ns, const char *executable,
                       const char *arguments, size_t arguments_length) {
    bool new;
    pthread_mutex_lock(&identity->mutex);
    struct process *process = find_process(identity, tgid, start_time_ns, &new);
    const size_t length = arguments_length < PROC_BYTES - 1 ? arguments_length : PROC_BYTES - 1;
    if (length > 0)
        memcpy(identity->buffer, arguments, length);
    identity->buffer[length] = '\0';
    set_program(process, executable, identity->buffer, length);
    process->workload = NULL;
    read_process(identity, process, tgid, start_time_ns);
    pthread_mutex_unlock(&identity->mutex);
}

void identity_saw_cgroup(struct identity *identity, uint64_t cgroup_id, const char *path) {
    bool new;
    pthread_mutex_lock(&identity->mutex);
    struct cgroup *cgroup = table_add(&identity->cgroups, cgroup_id, &new);
    cgroup_name_parse(path, &cgroup->name);
    identity->generation++;
    pthread_mutex_unlock(&identity->mutex);
}

const struct workload *identity_resolve(struct identity *identity, const struct owner *owner, uint64_t *ret_instance) {
    bool new;
    pthread_mutex_lock(&identity->mutex);
    struct process *process = find_process(identity, owner->tgid, owner->start_time_ns, &new);
    if (new)
        read_process(identity, process, owner->tgid, owner->start_time_ns);
    if (!process->workload || process->cgroup_id != owner->cgroup_id || process->generation != identity->generation)
        process->workload = name_process(identity, process, owner);
    process->cgroup_id = owner->cgroup_id;
    process->generation = identity->generation;
    const struct workload *workload = process->workload;
    if (ret_instance)
        *ret_instance = process->instance;
    pthread_mutex_unlock(&identity->mutex);
    return workload;
}

void identity_warning(struct identity *identity, char *ret_text, size_t size) {
    pthread_mutex_lock(&identity->mutex);
    copy(ret_text, size, identity->warning);
    pthread_mutex_unlock(&identity->mutex);
}

uint64_t identity_overflowed(struct identity *identity) {
    pthread_mutex_lock(&identity->mutex);
    const uint64_t overflowed = identity->overflowed;
    pthread_mutex_unlock(&identity->mutex);
    return overflowed;
}

/* ---- life ---- */

static void found_cgroup(void *context, uint64_t id, const char *path) {
    identity_saw_cgroup(context, id, path);
}

int identity_new(const struct identity_options *options, struct identity **ret_identity) {
    struct identity *identity = calloc(1, sizeof *identity);
    if (!identity)
        return -ENOMEM;
    identity->events = -1;
    pthread_mutex_init(&identity->mutex, NULL);
    pthread_cond_init(&identity->stopping, NULL);
    if (options->host)
        copy(identity->host, sizeof identity->host, options->host);
    else if (gethostname(identity->host, sizeof identity->host - 1) < 0)
        copy(identity->host, sizeof identity->host, "localhost");
    if (table_new(&identity->processes, PROCESSES, sizeof(struct process)) < 0 ||
        table_new(&identity->cgroups, CGROUPS, sizeof(struct cgroup)) < 0 ||
        table_new(&identity->containers, CONTAINERS, sizeof(struct container)) < 0) {
        identity_free(identity);
        return -ENOMEM;
    }
    identity->other = workload_new(workload_id(identity, WORKLOAD_GROUP, "", "other"), WORKLOAD_GROUP, "", "other");
    if (!identity->other) {
        identity_free(identity);
        return -ENOMEM;
    }
    hierarchy_walk(found_cgroup, identity);
    start_docker(identity, options->docker_socket ? options->docker_socket : "/var/run/docker.sock");
    *ret_identity = identity;
    return 0;
}

static void stop_docker(struct identity *identity) {
    pthread_mutex_lock(&identity->mutex);
    identity->stop = true;
    if (identity->events >= 0)
        shutdown(identity->events, SHUT_RDWR);
    pthread_cond_signal(&identity->stopping);
    pthread_mutex_unlock(&identity->mutex);
    if (identity->follows)
        pthread_join(identity->follower, NULL);
}

void identity_free(struct identity *identity) {
    if (!identity)
        return;
    stop_docker(identity);
    for (size_t i = 0; i < COUNT(identity->workloads); i++)
        workload_free(identity->workloads[i]);
    workload_free(identity->other);
    free(identity->processes.slots);
    free(identity->cgroups.slots);
    free(identity->containers.slots);
    pthread_cond_destroy(&identity->stopping);
    pthread_mutex_destroy(&identity->mutex);
    free(identity);
}
