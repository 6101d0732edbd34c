/* SPDX-License-Identifier: Apache-2.0 */
#include "spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { SEGMENTS_PER_SPOOL = 16, SEGMENT_MAX = 64 << 20 };

/* In a segment, before a record's bytes. The machine's byte order: a spool does not travel. */
struct header {
    uint64_t checksum; /* XXH3 of what follows and the bytes, seeded with the record's offset */
    uint64_t key;
    uint32_t kind, length;
};

/* In `position` there are two, written in turn, so that a torn one leaves the other. */
struct mark {
    uint64_t checksum, generation, segment, offset;
};

struct segment {
    uint64_t number;
    uint64_t size;     /* of the file, which is also where it is appended to */
    uint64_t readable; /* where the records end: less than `size` if there is damage */
    uint64_t count;    /* what spool_position.count is behind its last record */
};

struct spool {
    int folder, lock, position;
    uint64_t max_bytes, segment_bytes;
    struct segment *segments; /* oldest first; the last one is appended to */
    size_t count;
    int append_fd, read_fd; /* -1: not open */
    uint64_t read_segment;  /* of read_fd */
    struct spool_position committed, next, before_next;
    uint64_t bytes, damaged;
    uint64_t appended; /* records, those found at spool_open included */
    uint64_t generation;
    struct {
        char *bytes;
        size_t size;
    } buffer;
};

static bool before(struct spool_position a, struct spool_position b) {
    return a.segment != b.segment ? a.segment < b.segment : a.offset < b.offset;
}

static int open_segment(const struct spool *spool, uint64_t number, int flags) {
    char name[32];
    snprintf(name, sizeof(name), "%020" PRIu64 ".spool", number);
    int fd = openat(spool->folder, name, flags | O_CLOEXEC, 0640);
    return fd < 0 ? -errno : fd;
}

static void unlink_segment(const struct spool *spool, uint64_t number) {
    char name[32];
    snprintf(name, sizeof(name), "%020" PRIu64 ".spool", number);
    unlinkat(spool->folder, name, 0);
}

static void close_fd(int *fd) {
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static uint64_t checksum(const struct header *header, const char *bytes, uint64_t offset) {
    const char *covered = (const char *)header + sizeof(header->checksum);
    uint64_t seed = XXH3_64bits_withSeed(covered, sizeof(*header) - sizeof(header->checksum), offset + 1);
    return XXH3_64bits_withSeed(bytes, header->length, seed);
}

static int grow_buffer(struct spool *spool, size_t size) {
    if (size <= spool->buffer.size)
        return 0;
    char *bytes = realloc(spool->buffer.bytes, size);
    if (!bytes)
        return -ENOMEM;
    spool->buffer.bytes = bytes;
    spool->buffer.size = size;
    return 0;
}

static int read_at(int fd, void *bytes, size_t size, uint64_t offset) {
    ssize_t got = pread(fd, bytes, size, offset);
    return got < 0 ? -errno : got == (ssize_t)size ? 1 : 0;
}

/* 1: a whole record, its bytes in the buffer; 0: the end, or no record; negative errno. */
static int read_record(struct spool *spool, int fd, uint64_t offset, struct header *ret_header) {
    int result = read_at(fd, ret_header, sizeof(*ret_header), offset);
    if (result <= 0)
        return result;
    if (ret_header->length > SPOOL_RECORD_MAX)
        return 0;
    result = grow_buffer(spool, ret_header->length + 1);
    if (!result)
        result = read_at(fd, spool->buffer.bytes, ret_header->length, offset + sizeof(*ret_header));
    if (result <= 0)
        return result;
    return ret_header->checksum == checksum(ret_header, spool->buffer.bytes, offset);
}

/* Counts the whole records from `from` on; `ret_end` is behind the last of them. */
static int scan(struct spool *spool, const struct segment *segment, uint64_t from, uint64_t *ret_records,
                uint64_t *ret_end) {
    struct header header;
    int result, fd = open_segment(spool, segment->number, O_RDONLY);
    if (fd < 0)
        return fd;
    *ret_records = 0;
    while ((result = read_record(spool, fd, from, &header)) > 0) {
        from += sizeof(header) + header.length;
        ++*ret_records;
    }
    close(fd);
    *ret_end = from;
    return result;
}

static int by_number(const void *a, const void *b) {
    const struct segment *x = a, *y = b;
    return x->number < y->number ? -1 : x->number > y->number;
}

static int add_segment(struct spool *spool, uint64_t number, uint64_t size) {
    struct segment *segments = reallocarray(spool->segments, spool->count + 1, sizeof(*segments));
    if (!segments)
        return -ENOMEM;
    spool->segments = segments;
    segments[spool->count++] =
        (struct segment){.number = number, .size = size, .readable = size, .count = spool->appended};
    spool->bytes += size;
    return 0;
}

static int list_segments(struct spool *spool) {
    int result = 0, copy = openat(spool->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = copy < 0 ? NULL : fdopendir(copy);
    if (!folder) {
        result = -errno;
        if (copy >= 0)
            close(copy);
        return result;
    }
    for (struct dirent *entry; !result && (entry = readdir(folder));) {
        struct stat status;
        char *end;
        uint64_t number = strtoull(entry->d_name, &end, 10);
        if (end != entry->d_name + 20 || strcmp(end, ".spool") || fstatat(spool->folder, entry->d_name, &status, 0))
            continue;
        result = add_segment(spool, number, status.st_size);
    }
    closedir(folder);
    if (spool->count)
        qsort(spool->segments, spool->count, sizeof(*spool->segments), by_number);
    return result;
}

static uint64_t mark_checksum(const struct mark *mark) {
    return XXH3_64bits((const char *)mark + sizeof(mark->checksum), sizeof(*mark) - sizeof(mark->checksum));
}

static void read_position(struct spool *spool) {
    for (int i = 0; i < 2; i++) {
        struct mark mark;
        if (read_at(spool->position, &mark, sizeof(mark), i * sizeof(mark)) != 1 ||
            mark.checksum != mark_checksum(&mark) || mark.generation < spool->generation)
            continue;
        spool->generation = mark.generation;
        spool->committed = (struct spool_position){.segment = mark.segment, .offset = mark.offset};
    }
}

static int write_position(struct spool *spool, struct spool_position position) {
    struct mark mark = {.generation = spool->generation + 1, .segment = position.segment, .offset = position.offset};
    mark.checksum = mark_checksum(&mark);
    ssize_t wrote = pwrite(spool->position, &mark, sizeof(mark), mark.generation % 2 * sizeof(mark));
    if (wrote != sizeof(mark))
        return wrote < 0 ? -errno : -ENOSPC;
    spool->generation++;
    return 0;
}

/* Gives up segments that are wholly committed. The one that is appended to stays. */
static void delete_committed(struct spool *spool) {
    size_t gone = 0;
    while (gone + 1 < spool->count && spool->segments[gone].number < spool->committed.segment) {
        unlink_segment(spool, spool->segments[gone].number);
        spool->bytes -= spool->segments[gone++].size;
    }
    if (gone)
        memmove(spool->segments, spool->segments + gone, (spool->count - gone) * sizeof(*spool->segments));
    spool->count -= gone;
}

/* Counts what waits, and cuts off a torn end. */
static int recover(struct spool *spool) {
    for (size_t i = 0; i < spool->count; i++) {
        struct segment *segment = &spool->segments[i];
        uint64_t records, end, from = 0;
        if (segment->number < spool->committed.segment)
            continue;
        if (segment->number == spool->committed.segment)
            from = spool->committed.offset < segment->size ? spool->committed.offset : segment->size;
        int result = scan(spool, segment, from, &records, &end);
        if (result < 0)
            return result;
        segment->count = spool->appended += records;
        segment->readable = end;
        if (end == segment->size)
            continue;
        spool->damaged++;
        if (i + 1 < spool->count)
            continue;
        int fd = open_segment(spool, segment->number, O_WRONLY);
        if (fd < 0 || ftruncate(fd, end)) {
            result = fd < 0 ? fd : -errno;
            close_fd(&fd);
            return result;
        }
        close(fd);
        spool->bytes -= segment->size - end;
        segment->size = end;
    }
    return 0;
}

static int begin_segment(struct spool *spool) {
    uint64_t number = spool->count ? spool->segments[spool->count - 1].number + 1 : spool->committed.segment + 1;
    int fd = open_segment(spool, number, O_WRONLY | O_CREAT | O_TRUNC);
    if (fd < 0)
        return fd;
    int result = add_segment(spool, number, 0);
    if (result) {
        close(fd);
        return result;
    }
    close_fd(&spool->append_fd);
    spool->append_fd = fd;
    return 0;
}

static int start(struct spool *spool) {
    if (flock(spool->lock, LOCK_EX | LOCK_NB))
        return -errno;
    read_position(spool);
    int result = list_segments(spool);
    if (!result)
        result = recover(spool);
    if (result)
        return result;
    delete_committed(spool);
    if (!spool->count && (result = begin_segment(spool)))
        return result;
    const struct segment *last = &spool->segments[spool->count - 1];
    const struct spool_position begin = {.segment = spool->segments[0].number};
    const struct spool_position end = {.segment = last->number, .offset = last->size};
    if (before(spool->committed, begin))
        spool->committed = begin;
    if (before(end, spool->committed))
        spool->committed = end;
    spool->next = spool->before_next = spool->committed;
    /* Twice, so that both marks have their place: a full disk cannot refuse them later. */
    /* NOLINTNEXTLINE(misc-redundant-expression) */
    if ((result = write_position(spool, spool->committed)) || (result = write_position(spool, spool->committed)))
        return result;
    if (spool->append_fd < 0)
        spool->append_fd = open_segment(spool, last->number, O_WRONLY);
    return spool->append_fd < 0 ? spool->append_fd : 0;
}

static int fail(struct spool *spool, const char *folder, int result, char *error, size_t error_size) {
    snprintf(error, error_size, "spool %s: %s%s", folder, strerror(-result),
             result == -EWOULDBLOCK ? ": another process uses it; give each its own folder" : "");
    spool_close(spool);
    return result;
}

int spool_open(const char *folder, uint64_t max_bytes, struct spool **ret_spool, char *error, size_t error_size) {
    struct spool *spool = calloc(1, sizeof(*spool));
    if (!spool) {
        snprintf(error, error_size, "out of memory");
        return -ENOMEM;
    }
    spool->folder = spool->lock = spool->position = spool->append_fd = spool->read_fd = -1;
    spool->max_bytes = max_bytes;
    uint64_t part = max_bytes / SEGMENTS_PER_SPOOL;
    spool->segment_bytes = part < SEGMENT_MAX ? part : SEGMENT_MAX;
    if (max_bytes < SPOOL_BYTES_MIN) {
        snprintf(error, error_size, "spool %s: at least %d KiB", folder, SPOOL_BYTES_MIN >> 10);
        spool_close(spool);
        return -EINVAL;
    }
    if (mkdir(folder, 0750) && errno != EEXIST)
        return fail(spool, folder, -errno, error, error_size);
    spool->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (spool->folder < 0)
        return fail(spool, folder, -errno, error, error_size);
    spool->lock = openat(spool->folder, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    spool->position = openat(spool->folder, "position", O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (spool->lock < 0 || spool->position < 0)
        return fail(spool, folder, -errno, error, error_size);
    int result = start(spool);
    if (result)
        return fail(spool, folder, result, error, error_size);
    *ret_spool = spool;
    return 0;
}

void spool_close(struct spool *spool) {
    if (!spool)
        return;
    close_fd(&spool->append_fd);
    close_fd(&spool->read_fd);
    close_fd(&spool->position);
    close_fd(&spool->lock);
    close_fd(&spool->folder);
    free(spool->segments);
    free(spool->buffer.bytes);
    free(spool);
}

/* All of it or nothing. */
static int write_record(struct spool *spool, struct segment *segment, struct header *header, const char *bytes) {
    const struct {
        const void *bytes;
        size_t size;
    } parts[] = {{header, sizeof(*header)}, {bytes, header->length}};
    uint64_t at = segment->size;
    for (int i = 0; i < 2; i++)
        for (size_t done = 0; done < parts[i].size;) {
            ssize_t wrote = pwrite(spool->append_fd, (const char *)parts[i].bytes + done, parts[i].size - done, at);
            if (wrote <= 0) {
                int result = wrote < 0 ? -errno : -ENOSPC;
                if (ftruncate(spool->append_fd, segment->size))
                    return -EIO; /* the next record is written over it, and a shorter one leaves a torn end */
                return result;
            }
            done += wrote;
            at += wrote;
        }
    segment->size = segment->readable = at;
    return 0;
}

int spool_append(struct spool *spool, const struct spool_record *record) {
    uint64_t size = sizeof(struct header) + record->length;
    struct segment *last = &spool->segments[spool->count - 1];
    int result;
    if (record->length > SPOOL_RECORD_MAX || size > spool->max_bytes)
        return -EMSGSIZE;
    if (spool->bytes + size > spool->max_bytes)
        return -ENOSPC;
    if (last->size && last->size + size > spool->segment_bytes) {
        if ((result = begin_segment(spool)))
            return result;
        delete_committed(spool);
        last = &spool->segments[spool->count - 1];
    }
    struct header header = {.key = record->key, .kind = record->kind, .length = record->length};
    header.checksum = checksum(&header, record->bytes, last->size);
    if ((result = write_record(spool, last, &header, record->bytes)))
        return result;
    spool->bytes += size;
    last->count = ++spool->appended;
    return 0;
}

int spool_sync(struct spool *spool) {
    return fdatasync(spool->append_fd) ? -errno : 0;
}

static struct segment *segment_of(struct spool *spool, uint64_t number) {
    for (size_t i = 0; i < spool->count; i++)
        if (spool->segments[i].number >= number)
            return &spool->segments[i];
    return NULL;
}

/* A descriptor for reading it; negative errno. */
static int reading(struct spool *spool, const struct segment *segment) {
    if (spool->read_fd >= 0 && spool->read_segment == segment->number)
        return spool->read_fd;
    close_fd(&spool->read_fd);
    spool->read_fd = open_segment(spool, segment->number, O_RDONLY);
    spool->read_segment = segment->number;
    return spool->read_fd;
}

/* What was whole when it was written or found, and is no more. */
static void give_up_rest(struct spool *spool, struct segment *segment) {
    spool->damaged++;
    segment->readable = spool->next.offset;
}

int spool_next(struct spool *spool, struct spool_record *ret_record, struct spool_position *ret_after) {
    for (;;) {
        struct header header;
        struct segment *segment = segment_of(spool, spool->next.segment);
        if (spool->next.offset >= segment->readable) {
            if (segment == &spool->segments[spool->count - 1])
                return 0;
            spool->next = (struct spool_position){segment[1].number, 0, segment->count};
            continue;
        }
        int fd = reading(spool, segment);
        int result = fd < 0 ? fd : read_record(spool, fd, spool->next.offset, &header);
        if (result < 0)
            return result;
        if (!result) {
            give_up_rest(spool, segment);
            continue;
        }
        spool->before_next = spool->next;
        spool->next.offset += sizeof(header) + header.length;
        spool->next.count++;
        *ret_record = (struct spool_record){header.kind, header.key, spool->buffer.bytes, header.length};
        *ret_after = spool->next;
        return 1;
    }
}

void spool_back(struct spool *spool) {
    spool->next = spool->before_next;
}

void spool_rewind(struct spool *spool) {
    spool->next = spool->before_next = spool->committed;
}

int spool_commit(struct spool *spool, struct spool_position position) {
    if (!before(spool->committed, position))
        return 0;
    int result = write_position(spool, position);
    if (result)
        return result;
    spool->committed = position;
    delete_committed(spool);
    return 0;
}

uint64_t spool_bytes(const struct spool *spool) {
    return spool->bytes;
}

uint64_t spool_waiting(const struct spool *spool) {
    return spool->appended - spool->committed.count;
}

uint64_t spool_damaged(const struct spool *spool) {
    return spool->damaged;
}
