/* SPDX-License-Identifier: Apache-2.0 */
#include "names.h"

#include <string.h>

static void on_event(void *context, const void *record, size_t size) {
    struct identity *identity = context;
    const struct record_exec *exec = record;
    const struct record_cgroup *cgroup = record;
    (void)size;
    if (exec->kind == RECORD_EXEC)
        identity_saw_exec(identity, exec->tgid, exec->start_time, exec->executable, exec->arguments,
                          exec->arguments_length);
    else
        identity_saw_cgroup(identity, cgroup->id, cgroup->path);
}

void names_drain(struct names *names) {
    live_drain_events(names->live, on_event, names->identity);
}

static struct edge_end end_of(const struct workload *workload) {
    return (struct edge_end){.id = workload->id,
                             .name = workload->name,
                             .kind = workload_kind_name(workload->kind),
                             .executable = workload->executable,
                             .workload = workload};
}

static struct owner owner_of(const struct record_owner *record, const char *command) {
    struct owner owner = {.tgid = record->tgid,
                          .netns = record->netns,
                          .start_time_ns = record->start_time,
                          .cgroup_id = record->cgroup_id};
    memcpy(owner.comm, command, sizeof(owner.comm));
    return owner;
}

/* A network namespace goes by the name of the container that it is of. */
static void name_namespace(const struct names *names, uint32_t netns, const struct workload *workload,
                           uint64_t instance) {
    struct interfaces *interfaces = packet_side_interfaces(names->packets);
    struct workload_instance container;
    if (!interfaces || !netns || netns == names->own_netns || !workload_instance(workload, instance, &container))
        return;
    const char *name = container.container[0] ? container.container : container.pod;
    if (name[0])
        interfaces_name_namespace(interfaces, netns, name);
}

/* What names the owner stands among the events before anything of its sockets stands in the ring. */
static struct edge_end name_owner(void *context, const struct record_owner *record, const char *command) {
    struct names *names = context;
    struct owner owner = owner_of(record, command);
    names_drain(names);
    uint64_t instance;
    const struct workload *workload = identity_resolve(names->identity, &owner, &instance);
    struct edge_end end = end_of(workload);
    name_namespace(names, record->netns, workload, instance);
    end.instance = instance;
    end.pid = record->tgid;
    return end;
}

static struct edge_end name_server(void *context, const uint8_t *address, int family, uint16_t port) {
    const struct names *names = context;
    uint64_t instance;
    bool stale;
    struct edge_end end = end_of(identity_server_address(names->identity, address, family, port, &instance, &stale));
    end.instance = instance;
    end.stale = stale;
    return end;
}

static struct edge_end name_client(void *context, const uint8_t *address, int family) {
    const struct names *names = context;
    uint64_t instance;
    bool stale;
    struct edge_end end = end_of(identity_client_address(names->identity, address, family, &instance, &stale));
    end.instance = instance;
    end.stale = stale;
    return end;
}

/* An address that a container's socket is bound to names the container for whoever calls it. */
static void on_opened(void *context, const struct record_opened *record) {
    struct names *names = context;
    struct owner owner = owner_of(&record->owner, record->command);
    names_drain(names);
    identity_saw_address(names->identity, &owner, record->local_address, record->family == 2 ? 4 : 6);
}

static void on_learned(void *context, struct slice host, const uint8_t *address, size_t length, uint32_t ttl_seconds) {
    const struct names *names = context;
    identity_learned_name(names->identity, host.data, host.length, address, length == 4 ? 4 : 6, ttl_seconds);
}

static void on_placed(void *context, const struct flow_placement *placement) {
    const struct names *names = context;
    struct flows *flows = packet_side_flows(names->packets);
    if (flows)
        flows_edge(flows, placement);
}

struct namer names_for(struct names *names) {
    return (struct namer){.context = names,
                          .owner = name_owner,
                          .server = name_server,
                          .client = name_client,
                          .opened = on_opened,
                          .learned = on_learned,
                          .placed = on_placed};
}
