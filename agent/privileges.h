/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the agent may still do once its programs are attached. docs/operations.md has the reasons.
 *
 *   load and attach -> privileges_drop -> threads, sinks, page -> privileges_seal -> work
 *
 * Capabilities belong to threads and are handed on to those made later, so the drop comes before any other thread
 * exists, but for those that need other ones and have given up the rest themselves (privileges_confine). The filter is
 * for all threads at once, so it comes last, when everything is open.
 */
#ifndef WEFT_AGENT_PRIVILEGES_H
#define WEFT_AGENT_PRIVILEGES_H

#include <stdbool.h>
#include <stddef.h>

struct privileges {
    bool low_port;     /* a port below 1024 is to be bound after the drop */
    bool writes_any;   /* a sink writes where root has no right of its own */
    bool writes_files; /* a sink makes, renames or removes files while the agent runs */
    bool attaches;     /* programs are attached to interfaces while the agent runs */
    bool enters;       /* other network namespaces are entered for that */
};

/* Whether files can be kept at `path`, a file's or an existing folder's, without CAP_DAC_OVERRIDE. */
bool privileges_writable(const char *path);

/*
 * For a thread that starts before privileges_drop and needs other capabilities than the rest: it keeps those of
 * `capabilities` (CAP_...) that it has, and gives up the others for good. It may not end before privileges_drop.
 */
int privileges_confine(const unsigned *capabilities, size_t count, char *error, size_t error_size);

/*
 * Keeps what `privileges` needs and gives up the rest for good, for this thread and whatever it starts.
 * -EBUSY: there are other threads already, which are not confined.
 */
int privileges_drop(const struct privileges *privileges, char *error, size_t error_size);

/* The names of the capabilities that are left, parted by spaces. */
void privileges_text(char *ret_text, size_t size);

/* A system call that is not on the list fails with EPERM and is logged by the kernel; some end the process. */
int privileges_seal(const struct privileges *privileges, char *error, size_t error_size);

#endif
