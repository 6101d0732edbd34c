/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every record of every ring, raw, is appended to the file that WITNESS names, its length as 32 bits before it; the
 * agent then sees it as always. For tests of what the kernel's side lets out, whatever userspace makes of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "ring.h"

struct shown {
    ring_record callback;
    void *context;
};

static int file = -1;

/* Before the agent gives up the right to open files. */
__attribute__((constructor)) static void open_file(void) {
    const char *path = getenv("WITNESS");
    file = path ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600) : -1;
    if (path && file < 0) {
        fprintf(stderr, "witness: %s: %s\n", path, strerror(errno));
        exit(2);
    }
}

static void keep(void *context, const void *record, size_t size) {
    const struct shown *shown = context;
    uint32_t length = size;
    struct iovec parts[] = {{&length, sizeof(length)}, {(void *)record, size}};
    if (file >= 0 && writev(file, parts, 2) != (ssize_t)(sizeof(length) + size))
        abort();
    shown->callback(shown->context, record, size);
}

size_t __real_ring_drain(struct ring *ring, ring_record callback, void *context);
size_t __wrap_ring_drain(struct ring *ring, ring_record callback, void *context) {
    struct shown shown = {callback, context};
    return __real_ring_drain(ring, keep, &shown);
}
