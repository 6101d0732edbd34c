/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/container.h"
#include "agent/text.h"

#include <arpa/inet.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

enum { FILE_BYTES = 4 << 20 }; /* no runtime writes larger ones; a damaged one is not read whole */

static const char *text(const json_t *object, const char *key) {
    return json_string_value(json_object_get(object, key));
}

/* Each field, and the labels and annotations that fill it, the best first. */
static const struct {
    size_t offset, size;
    const char *labels[3];
} fields[] = {
#define FIELD(name) offsetof(struct container_facts, name), sizeof((struct container_facts *)NULL)->name
    {FIELD(service), {"com.docker.compose.service", "io.podman.compose.service"}},
    {FIELD(project), {"com.docker.compose.project", "io.podman.compose.project"}},
    {FIELD(pod_namespace), {"io.kubernetes.pod.namespace", "io.kubernetes.cri.sandbox-namespace"}},
    {FIELD(pod), {"io.kubernetes.pod.name", "io.kubernetes.cri.sandbox-name"}},
    {FIELD(pod_container), {"io.kubernetes.container.name", "io.kubernetes.cri.container-name"}},
    {FIELD(image), {"io.kubernetes.cri.image-name", "io.kubernetes.cri-o.ImageName", "io.kubernetes.container.image"}},
    {FIELD(name), {"nerdctl/name"}},
#undef FIELD
};

void container_take_labels(struct container_facts *facts, json_t *labels) {
    if (!json_is_object(labels))
        return;
    for (size_t i = 0; i < COUNT(fields); i++) {
        char *field = (char *)facts + fields[i].offset;
        for (size_t j = 0; j < COUNT(fields[i].labels) && fields[i].labels[j] && !field[0]; j++)
            text_copy(field, fields[i].size, text(labels, fields[i].labels[j]));
    }
    if (facts->labels)
        json_object_update_missing(facts->labels, labels);
    else
        facts->labels = json_deep_copy(labels);
}

void container_add_address(struct container_facts *facts, const char *address) {
    if (!address || facts->address_count == CONTAINER_ADDRESSES)
        return;
    struct container_address *next = &facts->addresses[facts->address_count];
    next->family = strchr(address, ':') ? 6 : 4;
    if (inet_pton(next->family == 4 ? AF_INET : AF_INET6, address, next->bytes) == 1)
        facts->address_count++;
}

void container_done(struct container_facts *facts) {
    json_decref(facts->labels);
    facts->labels = NULL;
}

static json_t *load(const char *path) {
    struct stat file;
    FILE *stream = fopen(path, "re");
    json_t *json = NULL;
    if (stream && fstat(fileno(stream), &file) == 0 && S_ISREG(file.st_mode) && file.st_size <= FILE_BYTES)
        json = json_loadf(stream, 0, NULL);
    if (stream)
        fclose(stream);
    return json;
}

static bool read_docker(const char *path, struct container_facts *facts) {
    json_t *json = load(path);
    const char *name = text(json, "Name");
    json_t *config = json_object_get(json, "Config"), *networks, *network;
    if (name) {
        text_copy(facts->name, sizeof facts->name, name + (name[0] == '/'));
        text_copy(facts->image, sizeof facts->image, text(config, "Image"));
        container_take_labels(facts, json_object_get(config, "Labels"));
        facts->running = json_is_true(json_object_get(json_object_get(json, "State"), "Running"));
        networks = json_object_get(json_object_get(json, "NetworkSettings"), "Networks");
        const char *key;
        json_object_foreach(networks, key, network) {
            container_add_address(facts, text(network, "IPAddress"));
            container_add_address(facts, text(network, "GlobalIPv6Address"));
        }
    }
    json_decref(json);
    return name != NULL;
}

/* The bundle's annotations. Only containers that somebody has named are worth it. */
static bool read_bundle(const char *path, struct container_facts *facts) {
    json_t *json = load(path);
    container_take_labels(facts, json_object_get(json, "annotations"));
    json_decref(json);
    return facts->pod[0] || facts->pod_container[0] || facts->name[0];
}

/* One file for all containers of a user. */
static bool read_podman(const char *path, struct container_facts *facts) {
    json_t *json = load(path), *one;
    size_t i;
    bool found = false;
    json_array_foreach(json, i, one) {
        const char *id = text(one, "id");
        const char *name = json_string_value(json_array_get(json_object_get(one, "names"), 0));
        if (!id || !name || strcmp(id, facts->id) != 0)
            continue;
        text_copy(facts->name, sizeof facts->name, name);
        json_t *more = json_loads(text(one, "metadata") ? text(one, "metadata") : "", 0, NULL);
        text_copy(facts->image, sizeof facts->image, text(more, "image-name"));
        json_decref(more);
        found = true;
    }
    json_decref(json);
    return found;
}

/* Where runtimes keep what they know. %s is the container's id. */
static const struct {
    const char *pattern;
    bool (*read)(const char *path, struct container_facts *facts);
} places[] = {
    {"/run/containerd/io.containerd.runtime.v2.task/k8s.io/%s/config.json", read_bundle},
    {"/run/k3s/containerd/io.containerd.runtime.v2.task/k8s.io/%s/config.json", read_bundle},
    {"/run/k0s/containerd/io.containerd.runtime.v2.task/k8s.io/%s/config.json", read_bundle},
    {"/var/snap/microk8s/common/run/containerd/io.containerd.runtime.v2.task/k8s.io/%s/config.json", read_bundle},
    {"/run/containers/storage/overlay-containers/%s/userdata/config.json", read_bundle},
    {"/var/lib/containers/storage/overlay-containers/%s/userdata/config.json", read_bundle},
    {"/var/lib/docker/containers/%s/config.v2.json", read_docker},
    {"/var/snap/docker/common/var-lib-docker/containers/%s/config.v2.json", read_docker},
    {"/home/*/.local/share/docker/containers/%s/config.v2.json", read_docker},
    {"/run/containerd/io.containerd.runtime.v2.task/*/%s/config.json", read_bundle},
    {"/var/lib/containers/storage/overlay-containers/containers.json", read_podman},
    {"/home/*/.local/share/containers/storage/overlay-containers/containers.json", read_podman},
};

static bool read_places(const char *pattern, bool (*read)(const char *, struct container_facts *),
                        struct container_facts *facts) {
    glob_t found = {0};
    bool done = false;
    if (!strchr(pattern, '*'))
        return read(pattern, facts);
    if (glob(pattern, GLOB_NOSORT, NULL, &found) == 0)
        for (size_t i = 0; i < found.gl_pathc && !done; i++)
            done = read(found.gl_pathv[i], facts);
    globfree(&found);
    return done;
}

bool container_read(const char *root, const char *id, struct container_facts *ret_facts) {
    *ret_facts = (struct container_facts){0};
    if (strspn(id, "0123456789abcdef-") != strlen(id) || !id[0])
        return false;
    text_copy(ret_facts->id, sizeof ret_facts->id, id);
    for (size_t i = 0; i < COUNT(places); i++) {
        char below[256], path[512];
        const char *percent = strstr(places[i].pattern, "%s");
        if (percent)
            snprintf(below, sizeof below, "%.*s%s%s", (int)(percent - places[i].pattern), places[i].pattern, id,
                     percent + 2);
        else
            text_copy(below, sizeof below, places[i].pattern);
        snprintf(path, sizeof path, "%s%s", strcmp(root, "/") == 0 ? "" : root, below);
        if (read_places(path, places[i].read, ret_facts))
            return true;
    }
    container_done(ret_facts);
    return false;
}
