/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A queue of records on disk: appended at one end, read at the other in the same order, bounded in bytes.
 *
 * Life cycle: spool_open -> spool_append, spool_sync / spool_next, spool_commit, any number of times -> spool_close.
 * What was appended and not committed is there at the next spool_open, also after SIGKILL, and after a power failure if
 * it was synced. Reading starts at what was last committed, so a record is seen again if the process ended between its
 * delivery and its commit. One thread; one process (a lock in the folder).
 *
 * In the folder: NUMBER.spool, segments of records, the oldest deleted when it is committed to its end; `position`,
 * what is committed; `lock`. Each record carries a checksum: a last one that is torn is cut off at spool_open; damage
 * further in costs the rest of its segment, and is counted.
 */
#ifndef WEFT_SINKS_SPOOL_H
#define WEFT_SINKS_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SPOOL_RECORD_MAX = 16 << 20, SPOOL_BYTES_MIN = 64 << 10 };

struct spool_record {
    uint32_t kind;
    uint64_t key;
    const char *bytes; /* of spool_next: valid until the next call of it */
    size_t length;
};

/* Between two records; later ones compare greater, segment first. */
struct spool_position {
    uint64_t segment, offset;
    uint64_t count; /* records before it, since spool_open */
};

struct spool;
/* `max_bytes`, at least SPOOL_BYTES_MIN, bounds the segments together. Negative errno with `error` saying what and why.
 */
int spool_open(const char *folder, uint64_t max_bytes, struct spool **ret_spool, char *error, size_t error_size);
void spool_close(struct spool *spool);

/* -ENOSPC: the bound is reached or the disk is full; -EMSGSIZE; else what write said. Nothing of it is there then. */
int spool_append(struct spool *spool, const struct spool_record *record);
int spool_sync(struct spool *spool); /* to the disk */

/* 1 and the next record, with the position behind it; 0: none is left; negative errno: the disk, try again. */
int spool_next(struct spool *spool, struct spool_record *ret_record, struct spool_position *ret_after);
/* Reads the record that spool_next just gave again. */
void spool_back(struct spool *spool);
/* Reading starts again at what was last committed. */
void spool_rewind(struct spool *spool);
/* Everything before `position` is done with. */
int spool_commit(struct spool *spool, struct spool_position position);

uint64_t spool_bytes(const struct spool *spool);   /* of all segments */
uint64_t spool_waiting(const struct spool *spool); /* records not yet committed */
uint64_t spool_damaged(const struct spool *spool); /* times that damage or a torn record was found */

#endif
