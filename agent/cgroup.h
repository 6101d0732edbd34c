/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a cgroup path says about who is inside: a pure function, so that a table test covers every layout.
 * docs/names.md shows the layouts that are known.
 */
#ifndef WEFT_AGENT_CGROUP_H
#define WEFT_AGENT_CGROUP_H

#include "topology/workload.h"

struct cgroup_name {
    enum workload_kind kind; /* WORKLOAD_PROCESS: the path names nothing */
    char runtime[16];        /* docker, containerd, cri-o, podman, lxc, ...; empty if the path does not tell */
    char container_id[65];   /* as the runtime has it, mostly 64 hex digits; empty if none */
    char container[64];      /* its name, where the path has one (lxc, nspawn, Nomad) */
    char pod_uid[37];        /* with dashes; empty if none */
    char service[128];       /* systemd service without ".service" */
};
/* A path from the hierarchy's root, or a whole line of /proc/PID/cgroup. */
void cgroup_name_parse(const char *path, struct cgroup_name *ret_name);

#endif
