/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/identity.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Anybody who may make cgroups chooses their paths. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct cgroup_name name;
    char *path = malloc(size + 1);
    memcpy(path, data, size);
    path[size] = 0;
    cgroup_name_parse(path, &name);
    size_t container_id = strnlen(name.container_id, sizeof(name.container_id));
    if (strnlen(name.runtime, sizeof(name.runtime)) == sizeof(name.runtime) ||
        strnlen(name.pod_uid, sizeof(name.pod_uid)) == sizeof(name.pod_uid) ||
        strnlen(name.service, sizeof(name.service)) == sizeof(name.service) ||
        container_id == sizeof(name.container_id) || strspn(name.container_id, "0123456789abcdef-") != container_id)
        abort();
    free(path);
    return 0;
}
