/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/identity.h"
#include "agent/addresses.h"
#include "agent/cache.h"
#include "agent/container.h"
#include "agent/docker.h"
#include "agent/hierarchy.h"
#include "agent/kubernetes.h"
#include "agent/mmdb.h"
#include "agent/process.h"
#include "agent/programs.h"
#include "agent/text.h"
#include "topology/table.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

#define SECOND_NS 1000000000ULL
#define DOCKER_SOCKET "/var/run/docker.sock"

enum {
    NAMES = 16384,
    TABLE_LEAST = 64,
    SHORT_ID = 12,
    EXECS_READ = 100, /* a second: see identity_saw_exec */
    CONTAINER_AGAIN_S = 2
};

struct process {
    struct cache_slot slot;
    uint64_t cgroup_id; /* that `workload` was found with */
    uint64_t generation;
    struct workload *workload; /* NULL: to be found */
    uint64_t instance;
    struct process_facts facts;
};

struct exec {
    struct cache_slot slot;
    struct process_exec said;
};

struct cgroup {
    struct cache_slot slot;
    struct cgroup_name name;
    char path[240];
};

struct container {
    struct cache_slot slot;
    bool known; /* else only its id is, and it is looked up again */
    uint64_t asked_ns;
    struct workload *unnamed;  /* that goes by the short id */
    struct workload *workload; /* found last for a process inside, or for an address */
    char id[65], name[64], image[96];
    char service[64], project[64];
    char pod_namespace[64], pod[64], owner[64];
    bool inferred;
    struct rule_set labels;
    unsigned address_count;
    struct address addresses[CONTAINER_ADDRESSES];
};

struct identity {
    pthread_mutex_t mutex;
    char host[128], root[192], docker_socket[128];
    uint32_t netns; /* the host's */
    struct rules *rules;
    struct docker *docker;
    struct programs *programs;
    struct mmdb *asn, *country;
    int docker_error;
    bool docker_missed; /* a container of Docker was seen whose name is not known */
    struct cache processes, execs, cgroups, containers;
    struct cache looked; /* which executables of which workloads were looked at, so that a new version is, too */
    struct addresses addresses;
    uint64_t generation; /* grows when a container's name is learnt */
    struct table by_id;  /* workloads; one may stand under two ids after a better name */
    struct workload **all;
    size_t workload_count, address_count, workload_limit;
    uint64_t overflowed;
    struct workload *other;
    uint64_t execs_left, execs_second;
};

static uint64_t now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * SECOND_NS + (uint64_t)time.tv_nsec;
}

static uint64_t hash_of(const void *data, size_t length) {
    const uint64_t hash = XXH3_64bits(data, length);
    return hash ? hash : 1;
}

/* ---- workloads ---- */

static uint64_t workload_id(const struct identity *identity, enum workload_kind kind, const char *scope,
                            const char *name) {
    char text[512];
    const bool local = kind == WORKLOAD_PROCESS || kind == WORKLOAD_SERVICE;
    const int length =
        snprintf(text, sizeof text, "%d%c%s%c%s%c%s", (int)kind, 0, scope, 0, name, 0, local ? identity->host : "");
    return hash_of(text, (size_t)length < sizeof text ? (size_t)length : sizeof text - 1);
}

static struct workload *overflow(struct identity *identity) {
    identity->overflowed++;
    return identity->other;
}

static struct workload *intern(struct identity *identity, enum workload_kind kind, const char *scope, const char *name,
                               bool inferred) {
    const uint64_t id = workload_id(identity, kind, scope, name);
    struct workload *workload = table_get(&identity->by_id, id);
    if (workload)
        return workload;
    const bool address = kind == WORKLOAD_ADDRESS || kind == WORKLOAD_GROUP;
    /* Not more than half are addresses, so that many peers do not crowd out what runs here. */
    if (identity->workload_count == identity->workload_limit ||
        (address && identity->address_count == identity->workload_limit / 2))
        return overflow(identity);
    workload = workload_new(id, kind, scope, name);
    if (!workload || table_put(&identity->by_id, id, workload) < 0) {
        workload_free(workload);
        return overflow(identity);
    }
    workload->inferred = inferred;
    identity->all[identity->workload_count++] = workload;
    identity->address_count += address;
    return workload;
}

/* ---- names ---- */

struct chosen {
    enum workload_kind kind;
    const char *name, *scope;
    bool inferred;
    bool short_id; /* for want of a name */
};

static void choose_container(const struct container *container, struct chosen *chosen) {
    if (container->owner[0]) {
        chosen->name = container->owner;
        chosen->scope = container->pod_namespace;
        chosen->inferred = container->inferred;
    } else if (container->service[0]) {
        chosen->name = container->service;
        chosen->scope = container->project;
    } else if (container->name[0]) {
        chosen->name = container->name;
    }
}

/* What a process is known by; pointers into its arguments. */
struct known {
    const struct process_facts *facts;
    const struct cgroup_name *cgroup;
    const char *cgroup_path;
    const struct container *container; /* or NULL */
    const char *comm;
    char short_id[SHORT_ID + 1];
};

static void choose(const struct identity *identity, struct known *known, struct chosen *ret_chosen) {
    const struct cgroup_name *cgroup = known->cgroup;
    const struct rule_subject subject = {.executable = known->facts->executable,
                                         .cgroup = known->cgroup_path,
                                         .labels = known->container ? &known->container->labels : NULL};
    *ret_chosen = (struct chosen){.kind = cgroup->kind, .scope = ""};
    const char *rule = rules_match(identity->rules, &subject);
    if (rule) {
        ret_chosen->name = rule;
        return;
    }
    if (known->container)
        choose_container(known->container, ret_chosen);
    if (known->facts->service_name[0]) {
        ret_chosen->name = known->facts->service_name;
        ret_chosen->inferred = false;
    }
    if (ret_chosen->name)
        return;
    ret_chosen->short_id = cgroup->container_id[0] != '\0';
    text_copy(known->short_id, sizeof known->short_id, cgroup->container_id);
    ret_chosen->name = cgroup->container[0]    ? cgroup->container
                       : known->short_id[0]    ? known->short_id
                       : cgroup->pod_uid[0]    ? cgroup->pod_uid
                       : cgroup->service[0]    ? cgroup->service
                       : known->facts->name[0] ? known->facts->name
                       : known->comm[0]        ? known->comm
                                               : "unknown";
}

/* A container that went by its short id is the same workload under its name, unless that one is there already. */
static void upgrade(struct identity *identity, struct container *container, const struct chosen *chosen) {
    const uint64_t id = workload_id(identity, chosen->kind, chosen->scope, chosen->name);
    if (!container->unnamed || chosen->short_id)
        return;
    if (container->unnamed->kind == chosen->kind && !table_get(&identity->by_id, id) &&
        workload_rename(container->unnamed, chosen->scope, chosen->name, chosen->inferred) == 0)
        table_put(&identity->by_id, id, container->unnamed);
    container->unnamed = NULL;
}

/* ---- containers ---- */

static uint64_t container_key(const struct cgroup_name *cgroup) {
    return text_hash(cgroup->container_id[0] ? cgroup->container_id : cgroup->pod_uid);
}

static struct container *container_of(struct identity *identity, const struct cgroup_name *cgroup) {
    return cgroup->container_id[0] || cgroup->pod_uid[0] ? cache_find(&identity->containers, container_key(cgroup))
                                                         : NULL;
}

static void set_pod(const struct identity *identity, struct container *container, const char *namespace,
                    const char *pod) {
    char owner[256];
    if (!pod[0])
        return;
    container->inferred = kubernetes_owner(pod, identity->host, owner, sizeof owner);
    text_copy(container->owner, sizeof container->owner, owner);
    text_copy(container->pod, sizeof container->pod, pod);
    text_copy(container->pod_namespace, sizeof container->pod_namespace, namespace);
}

static struct workload_instance container_instance(const struct container *container) {
    struct workload_instance instance = {.id = text_hash(container->id), .last_seen_ns = now_ns()};
    text_copy(instance.container_id, sizeof instance.container_id, container->id);
    text_copy(instance.container, sizeof instance.container, container->name);
    text_copy(instance.image, sizeof instance.image, container->image);
    text_copy(instance.pod, sizeof instance.pod, container->pod);
    return instance;
}

static void own_addresses(struct identity *identity, struct container *container) {
    const struct address_owner owner = {
        .workload = container->workload, .instance = text_hash(container->id), .certain = true};
    for (unsigned i = 0; i < container->address_count; i++)
        addresses_own(&identity->addresses, &container->addresses[i], &owner, now_ns());
}

static void leave_addresses(struct identity *identity, struct container *container) {
    for (unsigned i = 0; container->workload && i < container->address_count; i++)
        addresses_leave(&identity->addresses, &container->addresses[i], container->workload, now_ns());
    container->address_count = 0;
}

/* With its addresses it names what is called there, even before anything inside opens a socket. */
static void take_addresses(struct identity *identity, struct container *container,
                           const struct container_facts *facts) {
    if (!facts->running || facts->address_count == 0)
        return;
    leave_addresses(identity, container);
    for (unsigned i = 0; i < facts->address_count; i++)
        container->addresses[container->address_count++] =
            address_of(facts->addresses[i].bytes, facts->addresses[i].family);
    const struct rule_subject subject = {.labels = &container->labels};
    const char *rule = rules_match(identity->rules, &subject);
    struct chosen chosen = {.kind = facts->pod[0] ? WORKLOAD_POD : WORKLOAD_CONTAINER, .name = rule, .scope = ""};
    if (!rule)
        choose_container(container, &chosen);
    if (!container->workload && chosen.name) {
        upgrade(identity, container, &chosen);
        container->workload = intern(identity, chosen.kind, chosen.scope, chosen.name, chosen.inferred);
    }
    if (container->workload)
        own_addresses(identity, container);
}

static void learn(struct identity *identity, const struct container_facts *facts) {
    bool made;
    struct container *container = cache_add(&identity->containers, text_hash(facts->id), &made);
    container->known = true;
    text_copy(container->id, sizeof container->id, facts->id);
    if (facts->name[0])
        text_copy(container->name, sizeof container->name, facts->name);
    else if (!container->name[0])
        text_copy(container->name, sizeof container->name, facts->pod_container);
    if (facts->image[0])
        text_copy(container->image, sizeof container->image, facts->image);
    text_copy(container->service, sizeof container->service, facts->service);
    text_copy(container->project, sizeof container->project, facts->project);
    set_pod(identity, container, facts->pod_namespace, facts->pod);
    if (facts->labels)
        rules_labels(identity->rules, facts->labels, &container->labels);
    take_addresses(identity, container, facts);
    identity->generation++;
}

/* Kubelet's folders know the pod, and its container if it is the only one. */
static void learn_pod(struct identity *identity, const struct cgroup_name *cgroup, const struct pod *pod) {
    bool made;
    struct container *container = cache_add(&identity->containers, container_key(cgroup), &made);
    container->known = true;
    text_copy(container->id, sizeof container->id, cgroup->container_id);
    text_copy(container->name, sizeof container->name, pod->container);
    set_pod(identity, container, pod->namespace, pod->name);
    identity->generation++;
}

/* With the lock held, which it lets go of while it reads: what the disk says of a container seen for the first time. */
static void look_up_container(struct identity *identity, const struct cgroup_name *cgroup) {
    struct container_facts facts = {0};
    struct pod pod = {0};
    bool made;
    if (!cgroup->container_id[0] && !cgroup->pod_uid[0])
        return;
    struct container *container = cache_add(&identity->containers, container_key(cgroup), &made);
    if (container->known || now_ns() < container->asked_ns + CONTAINER_AGAIN_S * SECOND_NS)
        return;
    container->asked_ns = now_ns();
    text_copy(container->id, sizeof container->id, cgroup->container_id);
    pthread_mutex_unlock(&identity->mutex);
    bool known = container_read(identity->root, cgroup->container_id, &facts);
    const bool pods = !facts.pod[0] && cgroup->pod_uid[0] && kubernetes_pod(identity->root, cgroup->pod_uid, &pod);
    if (made && !known)
        docker_poke(identity->docker);
    pthread_mutex_lock(&identity->mutex);
    if (known)
        learn(identity, &facts);
    if (pods)
        learn_pod(identity, cgroup, &pod);
    identity->docker_missed |= !known && !pods && strcmp(cgroup->runtime, "docker") == 0;
    container_done(&facts);
}

/* ---- processes ---- */

static uint64_t process_key(uint32_t tgid, uint64_t start_time_ns) {
    const uint64_t pair[2] = {tgid, start_time_ns};
    return hash_of(pair, sizeof pair);
}

/* With the lock held, which it lets go of while it reads /proc. */
static struct process *read_facts(struct identity *identity, uint32_t tgid, uint64_t start_time_ns) {
    struct process_facts facts;
    struct process_exec said = {0};
    bool made;
    const uint64_t key = process_key(tgid, start_time_ns);
    const struct exec *exec = cache_find(&identity->execs, key);
    if (exec)
        said = exec->said;
    pthread_mutex_unlock(&identity->mutex);
    const bool here = process_read(tgid, start_time_ns, &said, &facts);
    pthread_mutex_lock(&identity->mutex);
    struct process *process = cache_add(&identity->processes, key, &made);
    char service_name[sizeof facts.service_name];
    memcpy(service_name, process->facts.service_name, sizeof service_name);
    process->facts = facts;
    if (!here) /* what it left when it was here */
        memcpy(process->facts.service_name, service_name, sizeof service_name);
    process->workload = NULL;
    return process;
}

static const struct cgroup *cgroup_of(struct identity *identity, const struct process *process, uint64_t cgroup_id) {
    bool made;
    struct cgroup *cgroup = cgroup_id ? cache_add(&identity->cgroups, cgroup_id, &made) : NULL;
    if (!cgroup || (!made && (cgroup->name.kind != WORKLOAD_PROCESS || process->facts.cgroup.kind == WORKLOAD_PROCESS)))
        return cgroup;
    cgroup->name = process->facts.cgroup;
    text_copy(cgroup->path, sizeof cgroup->path, process->facts.cgroup_path);
    return cgroup;
}

static void describe(struct identity *identity, struct process *process, const struct cgroup_name *cgroup,
                     const struct container *container, const struct owner *owner) {
    struct workload_program program = {0};
    struct workload_instance instance = {0};
    struct workload *workload = process->workload;
    if (container)
        instance = container_instance(container);
    if (!instance.container[0])
        text_copy(instance.container, sizeof instance.container, cgroup->container);
    instance.id = process->instance;
    instance.start_time_ns = owner->start_time_ns;
    instance.last_seen_ns = now_ns();
    instance.pid = owner->tgid;
    text_copy(instance.container_id, sizeof instance.container_id, cgroup->container_id);
    text_copy(program.executable, sizeof program.executable, process->facts.executable);
    text_copy(program.script, sizeof program.script, process->facts.script);
    workload_learn(workload, &program, cgroup->runtime);
    workload_saw(workload, &instance);
    const uint64_t version[4] = {workload->id, process->facts.device, process->facts.inode, process->facts.changed_ns};
    bool first;
    cache_add(&identity->looked, hash_of(version, sizeof version), &first);
    if (first)
        programs_look(identity->programs, workload, owner->tgid, owner->start_time_ns, &process->facts);
}

/* A container, else a pod, else a process. */
static uint64_t instance_of(const struct cgroup_name *cgroup, const struct owner *owner) {
    if (cgroup->pod_uid[0])
        return text_hash(cgroup->pod_uid);
    if (cgroup->container_id[0] || cgroup->container[0])
        return text_hash(cgroup->container_id[0] ? cgroup->container_id : cgroup->container);
    return process_key(owner->tgid, owner->start_time_ns);
}

static void name_process(struct identity *identity, struct process *process, const struct owner *owner) {
    const struct cgroup *cgroup = cgroup_of(identity, process, owner->cgroup_id);
    const struct cgroup_name *name = cgroup ? &cgroup->name : &process->facts.cgroup;
    struct container *container = container_of(identity, name);
    char comm[sizeof owner->comm + 1] = "";
    memcpy(comm, owner->comm, sizeof owner->comm);
    struct known known = {.facts = &process->facts,
                          .cgroup = name,
                          .cgroup_path = cgroup ? cgroup->path : process->facts.cgroup_path,
                          .container = container,
                          .comm = comm};
    struct chosen chosen;
    choose(identity, &known, &chosen);
    if (container)
        upgrade(identity, container, &chosen);
    process->workload = intern(identity, chosen.kind, chosen.scope, chosen.name, chosen.inferred);
    process->instance = instance_of(name, owner);
    process->cgroup_id = owner->cgroup_id;
    process->generation = identity->generation;
    if (process->workload == identity->other)
        return;
    describe(identity, process, name, container, owner);
    if (container && container->workload != process->workload) {
        container->workload = process->workload;
        own_addresses(identity, container);
    }
    if (container && chosen.short_id)
        container->unnamed = process->workload;
}

static bool is_settled(const struct identity *identity, const struct process *process, const struct owner *owner) {
    return process && process->workload && process->cgroup_id == owner->cgroup_id &&
           process->generation == identity->generation;
}

/* With the lock held, which it may let go of in between. */
static struct process *resolve(struct identity *identity, const struct owner *owner) {
    const uint64_t key = process_key(owner->tgid, owner->start_time_ns);
    struct process *process = cache_find(&identity->processes, key);
    if (is_settled(identity, process, owner))
        return process;
    if (!process)
        process = read_facts(identity, owner->tgid, owner->start_time_ns);
    const struct cgroup *cgroup = cgroup_of(identity, process, owner->cgroup_id);
    const struct cgroup_name name = cgroup ? cgroup->name : process->facts.cgroup;
    look_up_container(identity, &name);
    bool made;
    process = cache_add(&identity->processes, key, &made);
    name_process(identity, process, owner);
    return process;
}

const struct workload *identity_resolve(struct identity *identity, const struct owner *owner, uint64_t *ret_instance) {
    pthread_mutex_lock(&identity->mutex);
    const struct process *process = resolve(identity, owner);
    const struct workload *workload = process->workload;
    if (ret_instance)
        *ret_instance = process->instance;
    pthread_mutex_unlock(&identity->mutex);
    return workload;
}

/* ---- events ---- */

/* A process that ends before its first connection is looked up leaves no environment: a share of them is read now. */
static bool may_read_now(struct identity *identity) {
    const uint64_t second = now_ns() / SECOND_NS;
    if (second != identity->execs_second)
        identity->execs_left = EXECS_READ;
    identity->execs_second = second;
    if (identity->execs_left == 0)
        return false;
    identity->execs_left--;
    return true;
}

void identity_saw_exec(struct identity *identity, uint32_t tgid, uint64_t start_time_ns, const char *executable,
                       const char *arguments, size_t arguments_length) {
    bool made;
    pthread_mutex_lock(&identity->mutex);
    const uint64_t key = process_key(tgid, start_time_ns);
    struct exec *exec = cache_add(&identity->execs, key, &made);
    exec->said = (struct process_exec){0};
    text_copy(exec->said.filename, sizeof exec->said.filename, executable);
    exec->said.length = (uint32_t)(arguments_length < PROCESS_ARGUMENTS ? arguments_length : PROCESS_ARGUMENTS);
    if (exec->said.length > 0)
        memcpy(exec->said.arguments, arguments, exec->said.length);
    struct process *process = cache_find(&identity->processes, key);
    if (may_read_now(identity))
        read_facts(identity, tgid, start_time_ns);
    else if (process)
        cache_remove(&identity->processes, process); /* what it was before */
    pthread_mutex_unlock(&identity->mutex);
}

void identity_saw_cgroup(struct identity *identity, uint64_t cgroup_id, const char *path) {
    bool made;
    pthread_mutex_lock(&identity->mutex);
    struct cgroup *cgroup = cache_add(&identity->cgroups, cgroup_id, &made);
    cgroup_name_parse(path, &cgroup->name);
    text_copy(cgroup->path, sizeof cgroup->path, path);
    identity->generation++;
    pthread_mutex_unlock(&identity->mutex);
}

/* ---- addresses ---- */

void identity_saw_address(struct identity *identity, const struct owner *owner, const uint8_t *bytes, int family) {
    const struct address address = address_of(bytes, family);
    if (owner->tgid == 0 || owner->netns == identity->netns || address_is_loopback(&address))
        return; /* the host's own addresses belong to many */
    pthread_mutex_lock(&identity->mutex);
    const struct process *process = resolve(identity, owner);
    const struct address_owner found = {.workload = process->workload,
                                        .instance = process->instance,
                                        .start_time_ns = owner->start_time_ns,
                                        .pid = owner->tgid};
    if (process->workload->kind == WORKLOAD_CONTAINER || process->workload->kind == WORKLOAD_POD)
        addresses_own(&identity->addresses, &address, &found, now_ns());
    pthread_mutex_unlock(&identity->mutex);
}

void identity_learned_name(struct identity *identity, const char *host, size_t host_length, const uint8_t *bytes,
                           int family, uint32_t ttl_s) {
    const struct address address = address_of(bytes, family);
    if (address_is_loopback(&address))
        return;
    pthread_mutex_lock(&identity->mutex);
    addresses_name(&identity->addresses, &address, host, host_length, ttl_s, now_ns());
    pthread_mutex_unlock(&identity->mutex);
}

/* A rule's name, who has the address, or a name learnt; NULL if there is none of them. */
static const struct workload *find_address(struct identity *identity, const struct address *address,
                                           uint64_t *ret_instance, bool *ret_stale) {
    struct address_answer answer;
    const struct rule_subject subject = {.address = address};
    const char *rule = rules_match(identity->rules, &subject);
    *ret_instance = 0;
    *ret_stale = false;
    if (rule)
        return intern(identity, WORKLOAD_ADDRESS, "", rule, false);
    if (!addresses_find(&identity->addresses, address, now_ns(), &answer))
        return NULL;
    *ret_stale = answer.stale;
    *ret_instance = answer.instance;
    return answer.workload ? answer.workload : intern(identity, WORKLOAD_ADDRESS, "", answer.host, false);
}

const struct workload *identity_server_address(struct identity *identity, const uint8_t *bytes, int family,
                                               uint16_t port, uint64_t *ret_instance, bool *ret_stale) {
    const struct address address = address_of(bytes, family);
    char text[INET6_ADDRSTRLEN], name[INET6_ADDRSTRLEN + 16];
    pthread_mutex_lock(&identity->mutex);
    const struct workload *workload = find_address(identity, &address, ret_instance, ret_stale);
    if (!workload) {
        address_text(&address, text, sizeof text);
        if (port == 0)
            text_copy(name, sizeof name, text);
        else
            snprintf(name, sizeof name, address_is_four(&address) ? "%s:%u" : "[%s]:%u", text, port);
        workload = intern(identity, WORKLOAD_ADDRESS, "", name, false);
    }
    pthread_mutex_unlock(&identity->mutex);
    return workload;
}

static void name_network(const struct address *address, char *ret_name, size_t size) {
    struct address network = *address;
    char text[INET6_ADDRSTRLEN];
    const bool four = address_is_four(address);
    memset(network.bytes + (four ? 15 : 8), 0, four ? 1 : 8);
    address_text(&network, text, sizeof text);
    snprintf(ret_name, size, "%s%s", text, four ? "/24" : "/64");
}

/* "AS15169 GOOGLE (US)", "internet (US)", "internet". */
static void name_public(struct identity *identity, const struct address *address, char *ret_name, size_t size) {
    struct mmdb_place place = {0};
    char number[16] = "internet", country[8] = "";
    mmdb_refresh(identity->asn, now_ns());
    mmdb_refresh(identity->country, now_ns());
    mmdb_find(identity->asn, address, &place);
    mmdb_find(identity->country, address, &place);
    if (place.number)
        snprintf(number, sizeof number, "AS%u", place.number);
    if (place.country[0])
        snprintf(country, sizeof country, " (%s)", place.country);
    const bool named = place.number && place.owner[0];
    snprintf(ret_name, size, "%s%s%s%s", number, named ? " " : "", named ? place.owner : "", country);
}

const struct workload *identity_client_address(struct identity *identity, const uint8_t *bytes, int family,
                                               uint64_t *ret_instance, bool *ret_stale) {
    const struct address address = address_of(bytes, family);
    char name[128];
    pthread_mutex_lock(&identity->mutex);
    const struct workload *workload = find_address(identity, &address, ret_instance, ret_stale);
    if (!workload) {
        if (address_is_private(&address))
            name_network(&address, name, sizeof name);
        else
            name_public(identity, &address, name, sizeof name);
        workload = intern(identity, WORKLOAD_GROUP, "", name, false);
    }
    pthread_mutex_unlock(&identity->mutex);
    return workload;
}

/* ---- what others ask ---- */

void identity_changed(struct identity *identity, void (*callback)(void *context, const struct workload *workload),
                      void *context) {
    pthread_mutex_lock(&identity->mutex);
    const size_t count = identity->workload_count; /* they are only added, and stay */
    pthread_mutex_unlock(&identity->mutex);
    for (size_t i = 0; i < count; i++)
        if (workload_take_changed(identity->all[i]))
            callback(context, identity->all[i]);
}

void identity_each(struct identity *identity, void (*callback)(void *context, const struct workload *workload),
                   void *context) {
    pthread_mutex_lock(&identity->mutex);
    const size_t count = identity->workload_count;
    pthread_mutex_unlock(&identity->mutex);
    for (size_t i = 0; i < count; i++) {
        workload_take_changed(identity->all[i]);
        callback(context, identity->all[i]);
    }
}

void identity_tick(struct identity *identity) {
    pthread_mutex_lock(&identity->mutex);
    mmdb_refresh(identity->asn, now_ns());
    mmdb_refresh(identity->country, now_ns());
    pthread_mutex_unlock(&identity->mutex);
}

static const char *docker_advice(int error) {
    switch (error) {
    case -EACCES:
    case -EPERM:
        return "run weft as root or as a member of the group docker";
    case -ENOENT:
        return "a container of Docker runs, but its socket is not here: mount it, or set docker_socket to its path";
    case -ETIMEDOUT:
        return "it does not answer within 2 s: look at `systemctl status docker`; it is asked again";
    case -ECONNREFUSED:
        return "nothing listens there: start Docker, or set docker_socket to the path it uses";
    default:
        return "it is asked again; if this stays, set docker_socket to the path of Docker's API";
    }
}

/* Without Docker on this host its absence is no news. */
static void warn_of_docker(const struct identity *identity, char *ret_text, size_t size) {
    const int error = identity->docker_error;
    const bool absent = (error == -ENOENT || error == -ECONNREFUSED) && !identity->docker_missed;
    if (error && !absent)
        snprintf(ret_text, size, "%s: %s; %s; until then containers go by what is on disk, or by their short id",
                 identity->docker_socket, strerror(-error), docker_advice(error));
}

void identity_warning(struct identity *identity, char *ret_text, size_t size) {
    char docker[384] = "";
    pthread_mutex_lock(&identity->mutex);
    warn_of_docker(identity, docker, sizeof docker);
    const char *texts[] = {docker, mmdb_problem(identity->asn), mmdb_problem(identity->country)};
    size_t used = 0;
    ret_text[0] = '\0';
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (texts[i][0] && used < size)
            used += (size_t)snprintf(ret_text + used, size - used, "%s%s", used ? "\n" : "", texts[i]);
    pthread_mutex_unlock(&identity->mutex);
}

void identity_losses(struct identity *identity, struct identity_losses *ret_losses) {
    pthread_mutex_lock(&identity->mutex);
    ret_losses->names_overflowed = identity->overflowed;
    pthread_mutex_unlock(&identity->mutex);
    ret_losses->programs_not_read = programs_refused(identity->programs);
}

void identity_settle(struct identity *identity) {
    programs_wait(identity->programs);
}

/* ---- Docker's thread ---- */

static void docker_learned(void *context, const struct container_facts *facts) {
    struct identity *identity = context;
    pthread_mutex_lock(&identity->mutex);
    learn(identity, facts);
    pthread_mutex_unlock(&identity->mutex);
}

static void docker_gone(void *context, const char *id) {
    struct identity *identity = context;
    pthread_mutex_lock(&identity->mutex);
    struct container *container = cache_find(&identity->containers, text_hash(id));
    if (container)
        leave_addresses(identity, container);
    pthread_mutex_unlock(&identity->mutex);
}

static void docker_failed(void *context, int error) {
    struct identity *identity = context;
    pthread_mutex_lock(&identity->mutex);
    identity->docker_error = error;
    if (error == 0)
        identity->docker_missed = false;
    pthread_mutex_unlock(&identity->mutex);
}

/* ---- life ---- */

static void found_cgroup(void *context, uint64_t id, const char *path) {
    identity_saw_cgroup(context, id, path);
}

static uint32_t host_netns(void) {
    struct stat file;
    if (stat("/proc/1/ns/net", &file) == 0 || stat("/proc/self/ns/net", &file) == 0)
        return (uint32_t)file.st_ino;
    return 0;
}

static size_t power_of_two_within(size_t count) {
    size_t power = TABLE_LEAST;
    while (power * 2 <= count)
        power *= 2;
    return power;
}

static int make_tables(struct identity *identity, size_t names) {
    const size_t quarter = power_of_two_within(names / 4);
    identity->workload_limit = names;
    identity->all = calloc(names, sizeof *identity->all);
    if (!identity->all || cache_new(&identity->processes, quarter, sizeof(struct process)) < 0 ||
        cache_new(&identity->execs, quarter, sizeof(struct exec)) < 0 ||
        cache_new(&identity->cgroups, power_of_two_within(names / 2), sizeof(struct cgroup)) < 0 ||
        cache_new(&identity->containers, quarter, sizeof(struct container)) < 0 ||
        cache_new(&identity->looked, quarter, sizeof(struct cache_slot)) < 0 ||
        addresses_new(&identity->addresses, power_of_two_within(names), process_runs) < 0)
        return -ENOMEM;
    identity->other = workload_new(workload_id(identity, WORKLOAD_GROUP, "", "other"), WORKLOAD_GROUP, "", "other");
    return identity->other ? 0 : -ENOMEM;
}

static int open_sources(struct identity *identity, const struct identity_options *options) {
    int error = rules_new(options->rules, options->rule_count, &identity->rules);
    if (error == 0)
        error = programs_new(&identity->programs);
    if (error == 0 && options->mmdb_asn)
        error = mmdb_new(options->mmdb_asn, &identity->asn);
    if (error == 0 && options->mmdb_country)
        error = mmdb_new(options->mmdb_country, &identity->country);
    return error;
}

static void start_docker(struct identity *identity, const char *path) {
    const struct docker_listener listener = {identity, docker_learned, docker_gone, docker_failed};
    text_copy(identity->docker_socket, sizeof identity->docker_socket, path);
    const int error = path[0] ? docker_new(path, &listener, &identity->docker) : 0;
    if (error < 0)
        docker_failed(identity, error);
}

int identity_new(const struct identity_options *options, struct identity **ret_identity) {
    struct identity *identity = calloc(1, sizeof *identity);
    if (!identity)
        return -ENOMEM;
    pthread_mutex_init(&identity->mutex, NULL);
    if (options->host)
        text_copy(identity->host, sizeof identity->host, options->host);
    else if (gethostname(identity->host, sizeof identity->host - 1) < 0)
        text_copy(identity->host, sizeof identity->host, "localhost");
    text_copy(identity->root, sizeof identity->root, options->root ? options->root : "/");
    identity->netns = host_netns();
    int error = make_tables(identity, options->names_max ? options->names_max : NAMES);
    if (error == 0)
        error = open_sources(identity, options);
    if (error < 0) {
        identity_free(identity);
        return error;
    }
    hierarchy_walk(found_cgroup, identity);
    start_docker(identity, options->docker_socket ? options->docker_socket : DOCKER_SOCKET);
    *ret_identity = identity;
    return 0;
}

void identity_free(struct identity *identity) {
    if (!identity)
        return;
    docker_free(identity->docker);
    programs_free(identity->programs);
    mmdb_free(identity->asn);
    mmdb_free(identity->country);
    rules_free(identity->rules);
    for (size_t i = 0; i < identity->workload_count; i++)
        workload_free(identity->all[i]);
    free(identity->all);
    workload_free(identity->other);
    table_done(&identity->by_id);
    cache_done(&identity->processes);
    cache_done(&identity->execs);
    cache_done(&identity->cgroups);
    cache_done(&identity->containers);
    cache_done(&identity->looked);
    addresses_done(&identity->addresses);
    pthread_mutex_destroy(&identity->mutex);
    free(identity);
}
