/* SPDX-License-Identifier: Apache-2.0 */
/* Cgroup paths to owners. Read from the root down: the innermost container wins, else the innermost service. */
#include "agent/cgroup.h"

#include <ctype.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#define ID_LENGTH 64
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

struct part {
    const char *text;
    size_t length;
};

/* What stands before a container's id in its component, and the runtime that writes it. */
static const struct {
    const char *prefix;
    const char *runtime; /* NULL: a runtime's own helper, which names nothing */
} prefixes[] = {
    {"crio-conmon-", NULL},     {"libpod-conmon-", NULL},          {"docker-", "docker"},
    {"crio-", "cri-o"},         {"cri-containerd-", "containerd"}, {"containerd-", "containerd"},
    {"nerdctl-", "containerd"}, {"libpod-payload-", "podman"},     {"libpod-", "podman"},
};

/* For a bare id, the component before it. */
static const struct {
    const char *parent;
    const char *runtime;
} parents[] = {
    {"docker", "docker"},     {"cri-containerd", "containerd"}, {"default", "containerd"},
    {"k8s.io", "containerd"}, {"libpod_parent", "podman"},      {"crio", "cri-o"},
};

/* Services that only start what others own. */
static const char *const launchers[] = {
    "user@*",
    "run-*",
    "session-*",
    "cron",
    "crond",
    "cronie",
    "anacron",
    "atd",
    "ssh",
    "sshd",
    "ssh@*",
    "sshd@*",
    "docker",
    "containerd",
    "crio",
    "podman",
    "k3s",
    "k3s-agent",
    "snap.docker.dockerd*",
    "rke2-server",
    "rke2-agent",
    "supervisor",
    "supervisord",
    "xinetd",
    "inetd",
    "getty@*",
    "serial-getty@*",
    "console-getty",
    "user-runtime-dir@*",
};

static bool is_hex(const char *text, size_t length) {
    for (size_t i = 0; i < length; i++)
        if (!isdigit((unsigned char)text[i]) && (text[i] < 'a' || text[i] > 'f'))
            return false;
    return true;
}

static bool cut_suffix(struct part *part, const char *suffix) {
    const size_t length = strlen(suffix);
    if (part->length <= length || memcmp(part->text + part->length - length, suffix, length) != 0)
        return false;
    part->length -= length;
    return true;
}

static bool cut_prefix(struct part *part, const char *prefix) {
    const size_t length = strlen(prefix);
    if (part->length <= length || memcmp(part->text, prefix, length) != 0)
        return false;
    part->text += length;
    part->length -= length;
    return true;
}

static bool part_is(const struct part *part, const char *text) {
    return part->length == strlen(text) && memcmp(part->text, text, part->length) == 0;
}

/* 64 hex digits; Fargate has 32 of them, a dash and a number. */
static bool is_container_id(const struct part *part) {
    if (part->length == ID_LENGTH && is_hex(part->text, ID_LENGTH))
        return true;
    if (part->length < 34 || part->length > ID_LENGTH || !is_hex(part->text, 32) || part->text[32] != '-')
        return false;
    for (size_t i = 33; i < part->length; i++)
        if (!isdigit((unsigned char)part->text[i]))
            return false;
    return true;
}

static void set_container(struct cgroup_name *name, const struct part *id, const char *runtime) {
    name->kind = name->pod_uid[0] ? WORKLOAD_POD : WORKLOAD_CONTAINER;
    snprintf(name->container_id, sizeof name->container_id, "%.*s", (int)id->length, id->text);
    snprintf(name->runtime, sizeof name->runtime, "%s", runtime);
    name->service[0] = name->container[0] = '\0';
}

static bool read_container(struct cgroup_name *name, struct part part, const struct part *parent) {
    (void)cut_suffix(&part, ".scope");
    if (is_container_id(&part)) {
        const char *runtime = "";
        for (size_t i = 0; i < COUNT(parents); i++)
            if (part_is(parent, parents[i].parent))
                runtime = parents[i].runtime;
        set_container(name, &part, runtime);
        return true;
    }
    for (size_t i = 0; i < COUNT(prefixes); i++) {
        struct part id = part;
        if (!cut_prefix(&id, prefixes[i].prefix) || !is_container_id(&id))
            continue;
        if (prefixes[i].runtime)
            set_container(name, &id, prefixes[i].runtime);
        else
            *name = (struct cgroup_name){0};
        return true;
    }
    return false;
}

/* 8-4-4-4-12 with `dash` between, or the 32 digits of a static pod. */
static bool is_pod_uid(const struct part *uid) {
    if (uid->length == 32)
        return is_hex(uid->text, 32);
    if (uid->length != 36)
        return false;
    for (size_t i = 0; i < 36; i++) {
        const bool separates = i == 8 || i == 13 || i == 18 || i == 23;
        if (separates ? uid->text[i] != '-' && uid->text[i] != '_' : !is_hex(uid->text + i, 1))
            return false;
    }
    return true;
}

static bool read_pod(struct cgroup_name *name, struct part part) {
    (void)cut_suffix(&part, ".slice");
    for (size_t i = 0; i + 3 < part.length; i++) {
        const struct part uid = {part.text + i + 3, part.length - i - 3};
        if (memcmp(part.text + i, "pod", 3) != 0 || (i > 0 && part.text[i - 1] != '-') || !is_pod_uid(&uid))
            continue;
        *name = (struct cgroup_name){.kind = WORKLOAD_POD};
        for (size_t j = 0; j < uid.length; j++)
            name->pod_uid[j] = uid.text[j] == '_' ? '-' : uid.text[j];
        return true;
    }
    return false;
}

/* Copies with systemd's \xHH undone. */
static void unescape(char *into, size_t size, const struct part *part) {
    size_t used = 0;
    for (size_t i = 0; i < part->length && used + 1 < size; i++) {
        unsigned int byte;
        char digits[3] = "";
        if (part->length - i >= 4 && part->text[i] == '\\' && part->text[i + 1] == 'x')
            memcpy(digits, part->text + i + 2, 2);
        if (isxdigit((unsigned char)digits[0]) && isxdigit((unsigned char)digits[1]) &&
            sscanf(digits, "%x", &byte) == 1 && byte >= ' ') {
            into[used++] = (char)byte;
            i += 3;
        } else {
            into[used++] = part->text[i];
        }
    }
    into[used] = '\0';
}

static void read_service(struct cgroup_name *name, struct part part) {
    if (!cut_suffix(&part, ".service"))
        return;
    name->kind = WORKLOAD_SERVICE;
    unescape(name->service, sizeof name->service, &part);
    for (size_t i = 0; i < COUNT(launchers); i++)
        if (fnmatch(launchers[i], name->service, 0) == 0)
            *name = (struct cgroup_name){0};
}

/* Containers that the path names itself. `part` is a whole component. */
static bool read_named_container(struct cgroup_name *name, struct part part, const struct part *parent) {
    static const struct {
        const char *parent, *prefix, *suffix, *runtime;
    } layouts[] = {
        {NULL, "lxc.payload.", "", "lxc"},
        {"lxc.payload", "", "", "lxc"},
        {"lxc", "", "", "lxc"},
        {"machine.slice", "machine-", ".scope", "machine"},
    };
    for (size_t i = 0; i < COUNT(layouts); i++) {
        struct part found = part;
        if ((layouts[i].parent && !part_is(parent, layouts[i].parent)) ||
            (layouts[i].prefix[0] && !cut_prefix(&found, layouts[i].prefix)) ||
            (layouts[i].suffix[0] && !cut_suffix(&found, layouts[i].suffix)))
            continue;
        *name = (struct cgroup_name){.kind = WORKLOAD_CONTAINER};
        unescape(name->container, sizeof name->container, &found);
        snprintf(name->runtime, sizeof name->runtime, "%s", layouts[i].runtime);
        return true;
    }
    return false;
}

/* Nomad: ALLOCATION.TASK.scope in nomad.slice, the allocation being a UUID. */
static bool read_task(struct cgroup_name *name, struct part part) {
    const struct part uuid = {part.text, 36};
    if (part.length < 39 || part.text[36] != '.' || !is_pod_uid(&uuid) || !cut_suffix(&part, ".scope"))
        return false;
    const struct part task = {part.text + 37, part.length - 37};
    *name = (struct cgroup_name){.kind = WORKLOAD_CONTAINER, .runtime = "nomad"};
    unescape(name->container, sizeof name->container, &task);
    return true;
}

static bool is_lxc_monitor(const struct part *part, const struct part *parent) {
    struct part monitor = *part;
    return cut_prefix(&monitor, "lxc.monitor.") || part_is(parent, "lxc.monitor");
}

/*
 * Components end at '/', and at ':' because containerd under systemd's v1 driver writes "slice:cri-containerd:id".
 * That also lets a whole line of /proc/PID/cgroup be given. A service's name may have a ':' of its own.
 */
static struct part next_part(const char *path) {
    struct part part = {path, strcspn(path, "/\n")};
    struct part service = part;
    if (!cut_suffix(&service, ".service"))
        part.length = strcspn(path, "/:\n");
    return part;
}

void cgroup_name_parse(const char *path, struct cgroup_name *ret_name) {
    *ret_name = (struct cgroup_name){0};
    struct part parent = {"", 0};
    while (*path) {
        const struct part part = next_part(path);
        path += part.length;
        path += *path != '\0';
        if (part.length == 0)
            continue;
        const bool container = read_container(ret_name, part, &parent) || read_pod(ret_name, part);
        const bool inside = ret_name->container_id[0] || ret_name->pod_uid[0] || ret_name->container[0];
        if (!container && is_lxc_monitor(&part, &parent))
            *ret_name = (struct cgroup_name){0};
        else if (!container && !inside && !read_named_container(ret_name, part, &parent) && !read_task(ret_name, part))
            read_service(ret_name, part);
        parent = part;
    }
}
