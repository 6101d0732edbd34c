/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One BPF ring buffer and its single consumer.
 *
 * ring_new -> ring_drain and ring_wait in turns, by one thread -> ring_free. Producers wake nobody as long as the
 * consumer keeps coming; it says so before it sleeps by setting `asleep`, a flag in the BPF programs' memory, and the
 * next record to be written then wakes it.
 */
#ifndef WEFT_AGENT_RING_H
#define WEFT_AGENT_RING_H

#include <stddef.h>
#include <stdint.h>

typedef void (*ring_record)(void *context, const void *record, size_t size);

struct ring;
/* Takes `map_fd`, a BPF_MAP_TYPE_RINGBUF of `bytes`; `asleep` may be NULL: then ring_wait only waits. */
int ring_new(int map_fd, uint32_t bytes, uint32_t *asleep, struct ring **ret_ring); /* negative errno */
void ring_free(struct ring *ring);                                                  /* NULL is fine */

int ring_fd(const struct ring *ring);
/* Calls back for what is there, bounded to one round of the buffer; returns how many records it showed. */
size_t ring_drain(struct ring *ring, ring_record callback, void *context);
/* Bytes of all times that were written and that were shown; by any thread. */
uint64_t ring_written(const struct ring *ring);
uint64_t ring_shown(const struct ring *ring);
/* Until there is something, the time is over, or a SIGUSR1 comes or has come, which the caller keeps blocked. */
void ring_wait(struct ring *ring, uint64_t timeout_ns);

#endif
