/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kubernetes without its API: which pod a pod's uid is, from the folders that kubelet keeps for its logs, and which
 * owner a pod's name tells of. kubernetes_owner is pure; kubernetes_pod reads a directory, once per pod. Any thread.
 */
#ifndef WEFT_AGENT_KUBERNETES_H
#define WEFT_AGENT_KUBERNETES_H

#include <stdbool.h>
#include <stddef.h>

struct pod {
    char namespace[64];
    char name[256];
    char container[64]; /* the only one of the pod; empty if there are several */
};

/* From ROOT/var/log/pods/NAMESPACE_POD_UID/CONTAINER. */
bool kubernetes_pod(const char *root, const char *uid, struct pod *ret_pod);

/*
 * The owner that a pod's name tells of: Deployment NAME-HASH-XXXXX, DaemonSet, ReplicaSet and Job NAME-XXXXX, CronJob
 * NAME-MINUTES-XXXXX, StatefulSet NAME-0, static pods NAME-NODE. True if the name was cut, so the owner is a guess.
 */
bool kubernetes_owner(const char *pod, const char *node, char *ret_owner, size_t size);

#endif
