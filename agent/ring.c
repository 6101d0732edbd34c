/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's layout (Documentation/bpf/ringbuf.rst, kernel/bpf/ringbuf.c): a page that the consumer writes with its
 * position, one that it reads with the producers' position, then the data, mapped twice in a row so that no record is
 * torn. Each record has a header of 8 bytes: its length with a busy and a discard bit, and a page offset.
 * libbpf's reader cannot say whether a record is still being written, which ring_wait must know before it sleeps.
 */
#include "ring.h"

#include <errno.h>
#include <linux/bpf.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum {
    POLL_NS = 4 * 1000 * 1000,   /* between two looks while records come: 16 MiB hold far more than that */
    IDLE_NS = 100 * 1000 * 1000, /* without a record for this long the consumer sleeps until it is woken */
    /* of the ring are read before the producers, who look at the consumer's position for each record, are told of it */
    TELL_PART = 16
};

struct ring {
    int fd;
    uint32_t bytes;
    uint32_t *asleep;
    unsigned long *consumer;       /* a page of its own */
    const unsigned long *producer; /* a page, and the data behind it */
    const uint8_t *data;
    uint64_t idle_ns; /* since the last record */
};

int ring_new(int map_fd, uint32_t bytes, uint32_t *asleep, struct ring **ret_ring) {
    long page = sysconf(_SC_PAGESIZE);
    struct ring *ring = calloc(1, sizeof(*ring));
    if (!ring)
        return -ENOMEM;
    *ring = (struct ring){.fd = map_fd, .bytes = bytes, .asleep = asleep};
    void *consumer = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, 0);
    void *producer = mmap(NULL, page + 2 * (size_t)bytes, PROT_READ, MAP_SHARED, map_fd, page);
    if (consumer == MAP_FAILED || producer == MAP_FAILED) {
        int error = -errno;
        if (consumer != MAP_FAILED)
            munmap(consumer, page);
        free(ring);
        return error;
    }
    ring->consumer = consumer;
    ring->producer = producer;
    ring->data = (const uint8_t *)producer + page;
    *ret_ring = ring;
    return 0;
}

void ring_free(struct ring *ring) {
    if (!ring)
        return;
    long page = sysconf(_SC_PAGESIZE);
    munmap(ring->consumer, page);
    munmap((void *)ring->producer, page + 2 * (size_t)ring->bytes);
    close(ring->fd);
    free(ring);
}

int ring_fd(const struct ring *ring) {
    return ring->fd;
}

size_t ring_drain(struct ring *ring, ring_record callback, void *context) {
    unsigned long at = *ring->consumer, end = __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE);
    unsigned long told = at, most = ring->bytes / TELL_PART;
    size_t shown = 0;
    while (at < end) {
        const uint8_t *head = ring->data + (at & (ring->bytes - 1));
        uint32_t length = __atomic_load_n((const uint32_t *)(const void *)head, __ATOMIC_ACQUIRE);
        if (length & BPF_RINGBUF_BUSY_BIT)
            break;
        uint32_t size = length & ~BPF_RINGBUF_DISCARD_BIT;
        if (!(length & BPF_RINGBUF_DISCARD_BIT)) {
            callback(context, head + BPF_RINGBUF_HDR_SZ, size);
            shown++;
        }
        at += (size + BPF_RINGBUF_HDR_SZ + 7) / 8 * 8;
        if (at - told >= most) {
            __atomic_store_n(ring->consumer, at, __ATOMIC_RELEASE);
            told = at;
        }
    }
    if (at != told)
        __atomic_store_n(ring->consumer, at, __ATOMIC_RELEASE);
    if (shown)
        ring->idle_ns = 0;
    return shown;
}

uint64_t ring_written(const struct ring *ring) {
    return __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE);
}

uint64_t ring_shown(const struct ring *ring) {
    return __atomic_load_n(ring->consumer, __ATOMIC_ACQUIRE);
}

static void pause_ns(uint64_t ns) {
    struct timespec time = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
    nanosleep(&time, NULL);
}

static int is_empty(const struct ring *ring) {
    return __atomic_load_n(ring->producer, __ATOMIC_SEQ_CST) == *ring->consumer;
}

void ring_wait(struct ring *ring, uint64_t timeout_ns) {
    uint64_t look = timeout_ns < POLL_NS ? timeout_ns : POLL_NS;
    if (!ring->asleep || ring->idle_ns < IDLE_NS || !is_empty(ring)) {
        ring->idle_ns += look;
        pause_ns(look);
        return;
    }
    /* A producer reserves, then reads the flag: if the ring is still empty now, it will see it set. */
    __atomic_store_n(ring->asleep, 1, __ATOMIC_SEQ_CST);
    if (is_empty(ring)) {
        struct timespec time = {.tv_sec = timeout_ns / 1000000000, .tv_nsec = timeout_ns % 1000000000};
        struct pollfd wanted = {.fd = ring->fd, .events = POLLIN};
        sigset_t others;
        sigfillset(&others);
        sigdelset(&others, SIGUSR1);
        ppoll(&wanted, 1, &time, &others);
    }
    __atomic_store_n(ring->asleep, 0, __ATOMIC_SEQ_CST);
}
