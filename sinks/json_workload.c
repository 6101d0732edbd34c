/* SPDX-License-Identifier: Apache-2.0 */
/* The workload record: a name, the program behind it and its instances, as far as they are known. */
#include <time.h>

#include "json.h"

static int64_t clock_ns(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

void json_clocks_read(struct json_clocks *clocks) {
    clocks->now = clock_ns(CLOCK_REALTIME);
    clocks->since_boot = clock_ns(CLOCK_BOOTTIME);
    clocks->monotonic = clock_ns(CLOCK_MONOTONIC);
}

static void known(struct writer *out, const char *name, const char *text) {
    if (text[0])
        writer_member_string(out, name, text);
}

/* A moment of another clock as Unix time; nothing if it is not known. */
static void moment(struct writer *out, const char *name, const struct json_clocks *clocks, uint64_t then,
                   uint64_t now) {
    if (then && then <= now && now - then < clocks->now)
        writer_member_unsigned(out, name, clocks->now - (now - then));
}

static void program(struct writer *out, const struct workload_program *program) {
    if (!program->executable[0])
        return;
    writer_key(out, "process");
    writer_text(out, "{");
    writer_member_string(out, "executable", program->executable);
    known(out, "script", program->script);
    known(out, "build_id", program->build_id);
    known(out, "language", program->language);
    known(out, "language_version", program->language_version);
    known(out, "tls_library", program->tls_library);
    if (program->tls_library[0])
        writer_member_bool(out, "tls_reachable", program->tls_reachable);
    writer_text(out, "}");
}

static void instance(struct writer *out, const struct json_clocks *clocks, const struct workload_instance *instance) {
    writer_comma(out);
    writer_text(out, "{");
    writer_member_hex(out, "id", instance->id);
    if (instance->pid)
        writer_member_unsigned(out, "pid", instance->pid);
    moment(out, "start_time", clocks, instance->start_time_ns, clocks->since_boot);
    moment(out, "last_seen", clocks, instance->last_seen_ns, clocks->monotonic);
    json_container(out, instance);
    known(out, "pod", instance->pod);
    writer_text(out, "}");
}

void json_container(struct writer *out, const struct workload_instance *instance) {
    if (!instance->container_id[0])
        return;
    writer_key(out, "container");
    writer_text(out, "{");
    writer_member_string(out, "id", instance->container_id);
    known(out, "name", instance->container);
    known(out, "image", instance->image);
    writer_text(out, "}");
}

void json_workload(struct writer *out, struct agent_stamp *stamp, const struct json_clocks *clocks,
                   const struct workload *workload) {
    struct workload_facts facts;
    const char *scope = __atomic_load_n(&workload->scope, __ATOMIC_ACQUIRE);
    workload_facts(workload, &facts);
    json_head(out, "workload", stamp);
    writer_member_unsigned(out, "time", clocks->now);
    writer_member_hex(out, "id", workload->id);
    writer_member_string(out, "name", __atomic_load_n(&workload->name, __ATOMIC_ACQUIRE));
    writer_member_string(out, "kind", workload_kind_name(workload->kind));
    known(out, "namespace", scope);
    if (workload->inferred)
        writer_member_bool(out, "inferred", true);
    if (facts.instance_count)
        writer_member_string(out, "host", stamp->host);
    known(out, "runtime", facts.runtime);
    program(out, &facts.program);
    if (facts.instance_count) {
        writer_key(out, "instances");
        writer_text(out, "[");
        for (unsigned i = 0; i < facts.instance_count; i++)
            instance(out, clocks, &facts.instances[i]);
        writer_text(out, "]");
    }
    if (facts.instances_more)
        writer_member_unsigned(out, "instances_more", facts.instances_more);
    json_tail(out);
}
