/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is known of a container: from its runtime's files on disk, or from labels that somebody else has read.
 *
 * container_read needs no API and no running daemon: Docker's config.v2.json, podman's containers.json, and the OCI
 * bundle of containerd, CRI-O and nerdctl, below `root` ("" or "/" on a real host). It reads files: once per
 * container. Any thread.
 */
#ifndef WEFT_AGENT_CONTAINER_H
#define WEFT_AGENT_CONTAINER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum { CONTAINER_ADDRESSES = 8 };

struct container_address {
    uint8_t bytes[16];
    int family; /* 4 or 6 */
};

struct container_facts {
    char id[65];
    char name[64];
    char image[96];
    char service[64], project[64]; /* compose */
    char pod_namespace[64], pod[256], pod_container[64];
    bool running;
    unsigned address_count;
    struct container_address addresses[CONTAINER_ADDRESSES];
    json_t *labels; /* owned; NULL if none */
};

bool container_read(const char *root, const char *id, struct container_facts *ret_facts);
/* Docker's, compose's, nerdctl's and Kubernetes' labels and annotations into fields; keeps a reference. */
void container_take_labels(struct container_facts *facts, json_t *labels);
void container_add_address(struct container_facts *facts, const char *text);
void container_done(struct container_facts *facts);

#endif
