/* SPDX-License-Identifier: Apache-2.0 */
#include "inspect.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/elf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "process.h"

enum { TCP_LISTEN = 10, TCP_ESTABLISHED = 1 };
enum transport_kind { KIND_TCP, KIND_UDP, KIND_UNIX };

/* One line of /proc/PID/net. */
struct socket_line {
    uint64_t inode;
    enum transport_kind kind;
    unsigned port, state;
};

/* The sockets of one network namespace; read again only when the next process lives in another one. */
struct sockets {
    uint64_t netns;
    struct socket_line *lines;
    size_t count, capacity;
};

struct use {
    unsigned listening, established, udp, unix_sockets, rings;
    unsigned ports[8]; /* it listens on or is bound to, the first ones */
    unsigned port_count;
};

struct search {
    struct identity *identity;
    const struct identity_options *names;
    const char *target;
    uint64_t number; /* of the target; 0: it is none */
    FILE *out;
    struct sockets sockets;
    struct inspection *found;
};

static void add_line(struct sockets *sockets, const struct socket_line *line) {
    if (sockets->count == sockets->capacity) {
        size_t capacity = sockets->capacity ? 2 * sockets->capacity : 1024;
        struct socket_line *lines = reallocarray(sockets->lines, capacity, sizeof(*lines));
        if (!lines)
            return;
        sockets->lines = lines;
        sockets->capacity = capacity;
    }
    sockets->lines[sockets->count++] = *line;
}

static void read_table(struct sockets *sockets, uint32_t pid, const char *table, enum transport_kind kind) {
    char path[64], text[512];
    snprintf(path, sizeof(path), "/proc/%u/net/%s", pid, table);
    FILE *file = fopen(path, "re");
    while (file && fgets(text, sizeof(text), file)) {
        struct socket_line line = {.kind = kind};
        int fields = kind == KIND_UNIX ? sscanf(text, "%*s %*s %*s %*s %*s %*s %" SCNu64, &line.inode) + 2
                                       : sscanf(text, " %*d: %*[0-9A-Fa-f]:%x %*s %x %*s %*s %*s %*d %*d %" SCNu64,
                                                &line.port, &line.state, &line.inode);
        if (fields == 3 && line.inode)
            add_line(sockets, &line);
    }
    if (file)
        fclose(file);
}

static int by_inode(const void *a, const void *b) {
    const struct socket_line *left = a, *right = b;
    return left->inode < right->inode ? -1 : left->inode > right->inode;
}

static void read_sockets(struct sockets *sockets, uint32_t pid, uint64_t netns) {
    if (sockets->netns == netns)
        return;
    sockets->netns = netns;
    sockets->count = 0;
    read_table(sockets, pid, "tcp", KIND_TCP);
    read_table(sockets, pid, "tcp6", KIND_TCP);
    read_table(sockets, pid, "udp", KIND_UDP);
    read_table(sockets, pid, "udp6", KIND_UDP);
    read_table(sockets, pid, "unix", KIND_UNIX);
    qsort(sockets->lines, sockets->count, sizeof(*sockets->lines), by_inode);
}

static void use_port(struct use *use, unsigned port) {
    for (unsigned i = 0; i < use->port_count; i++)
        if (use->ports[i] == port)
            return;
    if (port && use->port_count < sizeof(use->ports) / sizeof(use->ports[0]))
        use->ports[use->port_count++] = port;
}

static void use_socket(struct use *use, const struct socket_line *line) {
    use->unix_sockets += line->kind == KIND_UNIX;
    use->udp += line->kind == KIND_UDP;
    use->listening += line->kind == KIND_TCP && line->state == TCP_LISTEN;
    use->established += line->kind == KIND_TCP && line->state == TCP_ESTABLISHED;
    if (line->kind == KIND_UDP || (line->kind == KIND_TCP && line->state == TCP_LISTEN))
        use_port(use, line->port);
}

static struct use use_of(const struct sockets *sockets, uint32_t pid) {
    char path[320], target[64];
    struct use use = {0};
    snprintf(path, sizeof(path), "/proc/%u/fd", pid);
    DIR *folder = opendir(path);
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        struct socket_line wanted = {0};
        ssize_t length = readlinkat(dirfd(folder), entry->d_name, target, sizeof(target) - 1);
        target[length > 0 ? length : 0] = '\0';
        use.rings += !strcmp(target, "anon_inode:[io_uring]");
        if (sscanf(target, "socket:[%" SCNu64, &wanted.inode) != 1)
            continue;
        const struct socket_line *line =
            sockets->count ? bsearch(&wanted, sockets->lines, sockets->count, sizeof(wanted), by_inode) : NULL;
        if (line)
            use_socket(&use, line);
    }
    if (folder)
        closedir(folder);
    return use;
}

/* ---- one process ---- */

static bool read_owner(uint32_t pid, struct owner *ret_owner) {
    char path[64], text[1024];
    struct stat stat_of;
    unsigned long long ticks;
    snprintf(path, sizeof(path), "/proc/%u/stat", pid);
    FILE *file = fopen(path, "re");
    size_t length = file ? fread(text, 1, sizeof(text) - 1, file) : 0;
    if (file)
        fclose(file);
    text[length] = '\0';
    char *end = strrchr(text, ')'), *start = strchr(text, '(');
    if (!end || sscanf(end + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
                       &ticks) != 1)
        return false;
    *ret_owner = (struct owner){.tgid = pid, .start_time_ns = ticks * (1000000000u / (uint64_t)sysconf(_SC_CLK_TCK))};
    snprintf(ret_owner->comm, sizeof(ret_owner->comm), "%.*s", (int)(end - start - 1), start + 1);
    snprintf(path, sizeof(path), "/proc/%u/ns/net", pid);
    ret_owner->netns = stat(path, &stat_of) ? 0 : (uint32_t)stat_of.st_ino;
    return true;
}

static const char *name_source(const struct search *search, const struct workload *workload,
                               const struct process_facts *facts) {
    for (size_t i = 0; i < search->names->rule_count; i++)
        if (!strcmp(search->names->rules[i].name, workload->name))
            return "a rule of the configuration";
    if (facts->service_name[0])
        return "OTEL_SERVICE_NAME";
    switch (workload->kind) {
    case WORKLOAD_POD:
        return "the pod's owner";
    case WORKLOAD_CONTAINER:
        return strncmp(workload->name, facts->cgroup.container_id, 12)
                   ? "the container or its compose service"
                   : "the container's id: its runtime tells no name";
    case WORKLOAD_SERVICE:
        return "the systemd service";
    default:
        return facts->script[0] ? "what the interpreter runs" : "the executable";
    }
}

/* 32-bit programs: what they pass to system calls is laid out otherwise. */
static bool is_32_bit(uint32_t pid) {
    char path[64], head[EI_NIDENT] = "";
    snprintf(path, sizeof(path), "/proc/%u/exe", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool read_it = fd >= 0 && read(fd, head, sizeof(head)) == sizeof(head);
    if (fd >= 0)
        close(fd);
    return read_it && head[EI_CLASS] == ELFCLASS32;
}

static void print_sockets(const struct use *use, FILE *out) {
    fprintf(out, "  sockets   TCP: %u listening, %u established; UDP: %u; AF_UNIX: %u", use->listening,
            use->established, use->udp, use->unix_sockets);
    for (unsigned i = 0; i < use->port_count; i++)
        fprintf(out, "%s %u", i ? "," : "; ports", use->ports[i]);
    fputc('\n', out);
}

/* What stays unseen, and why; nothing when there is nothing. */
static void print_unseen(const struct use *use, const struct workload_facts *facts, const struct owner *owner,
                         FILE *out) {
    struct stat own;
    if (!use->listening && !use->established && !use->udp)
        fputs("  unseen    all of it: it has no TCP or UDP socket now, so it appears only when it opens one\n", out);
    if (use->unix_sockets)
        fputs("  unseen    AF_UNIX: counted for each pair of processes, never an edge\n", out);
    if (is_32_bit(owner->tgid))
        fputs(
            "  unseen    what it says: a 32-bit program, counted without payload; its protocol is unknown unless the\n"
            "            other end is on this host\n",
            out);
    if (use->rings)
        fputs("  unseen    what it says through io_uring: counted without payload\n", out);
    if (facts->program.tls_library[0])
        fprintf(out, "  unseen    what it says inside TLS (%s): such connections are edges of protocol tls\n",
                facts->program.tls_library);
    if (!stat("/proc/self/ns/net", &own) && own.st_ino != owner->netns)
        fputs("  unseen    everything, by an agent with --namespace self outside its network namespace\n", out);
}

static void remember(struct inspection *found, const char *name) {
    for (unsigned i = 0; i < found->name_count; i++)
        if (!strcmp(found->names[i], name))
            return;
    if (found->name_count < INSPECT_NAMES)
        snprintf(found->names[found->name_count++], sizeof(found->names[0]), "%s", name);
}

static void print_process(struct search *search, const struct owner *owner, const struct process_facts *facts,
                          const struct use *use) {
    const struct workload *workload = identity_resolve(search->identity, owner, NULL);
    struct workload_facts known;
    identity_settle(search->identity);
    workload_facts(workload, &known);
    fprintf(search->out, "process %u %s%s%s\n", owner->tgid, facts->executable[0] ? facts->executable : owner->comm,
            facts->script[0] ? " " : "", facts->script);
    fprintf(search->out, "  name      %s (%s), from %s\n", workload->name, workload_kind_name(workload->kind),
            name_source(search, workload, facts));
    if (facts->cgroup.container_id[0])
        fprintf(search->out, "  container %.12s, %s\n", facts->cgroup.container_id,
                facts->cgroup.runtime[0] ? facts->cgroup.runtime : "runtime not known");
    if (known.program.language[0])
        fprintf(search->out, "  runtime   %s %s\n", known.program.language, known.program.language_version);
    print_sockets(use, search->out);
    print_unseen(use, &known, owner, search->out);
    remember(search->found, workload->name);
    search->found->processes++;
}

/* ---- which processes ---- */

static bool has_port(const struct use *use, uint64_t port) {
    for (unsigned i = 0; i < use->port_count; i++)
        if (use->ports[i] == port)
            return true;
    return false;
}

static bool is_named(const struct search *search, const struct owner *owner, const struct process_facts *facts) {
    const char *target = search->target, *slash = strrchr(facts->executable, '/');
    size_t length = strlen(target);
    if (!strcmp(owner->comm, target) || !strcmp(facts->name, target) || !strcmp(facts->cgroup.service, target) ||
        (slash && !strcmp(slash + 1, target)))
        return true;
    if (length >= 12 && !strncmp(facts->cgroup.container_id, target, length))
        return true;
    return !strcmp(identity_resolve(search->identity, owner, NULL)->name, target);
}

static bool is_kernel_thread(const struct process_facts *facts) {
    return !facts->executable[0] && !facts->cgroup.container_id[0];
}

static void look_at(struct search *search, uint32_t pid) {
    struct process_facts facts;
    struct owner owner;
    if (!read_owner(pid, &owner) || !process_read(pid, owner.start_time_ns, NULL, &facts))
        return;
    if (is_kernel_thread(&facts) && search->number != pid)
        return;
    read_sockets(&search->sockets, pid, owner.netns);
    struct use use = use_of(&search->sockets, pid);
    bool fits =
        search->number ? search->number == pid || has_port(&use, search->number) : is_named(search, &owner, &facts);
    if (fits)
        print_process(search, &owner, &facts, &use);
}

void inspect(struct identity *identity, const struct identity_options *names, const char *target, FILE *out,
             struct inspection *ret_inspection) {
    struct search search = {
        .identity = identity, .names = names, .target = target, .out = out, .found = ret_inspection};
    *ret_inspection = (struct inspection){0};
    search.number = target[strspn(target, "0123456789")] ? 0 : strtoull(target, NULL, 10);
    DIR *folder = opendir("/proc");
    for (struct dirent *entry; folder && (entry = readdir(folder));)
        if (isdigit((unsigned char)entry->d_name[0]))
            look_at(&search, (uint32_t)strtoul(entry->d_name, NULL, 10));
    if (folder)
        closedir(folder);
    free(search.sockets.lines);
}
