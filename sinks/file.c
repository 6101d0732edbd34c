/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Standard output and files: one JSON object a line.
 *
 * A line is either whole or not there: what a full disk cuts off is taken back (or, in a pipe, ended by a newline)
 * before anything else is written. A full disk is waited out in the sink's queue; a reader that has gone is not. A file
 * that reaches `rotate` becomes PATH.1, PATH.1 becomes PATH.2, ... PATH.<keep> goes; each step is one rename. A file
 * that somebody else moved or deleted is opened anew, so logrotate needs no signal.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sink.h"

struct file_sink {
    int fd;                       /* -1: to be opened again */
    const char *path;             /* NULL: standard output; the settings' */
    uint64_t rotate, keep, limit; /* limit: size at which to rotate next */
    uint64_t size;                /* of a regular file */
    bool regular;
    bool torn;          /* it ends in half a line */
    bool complained;    /* since the last write that went well */
    bool said_rotation; /* since the last rotation that went well */
    _Atomic uint64_t rotations, rotations_failed;
};

static const char *name_of(const struct file_sink *sink) {
    return sink->path ? sink->path : "stdout";
}

static void complain(struct file_sink *sink, const char *what, int error) {
    if (!sink->complained)
        fprintf(stderr, "weft: sink %s: %s: %s\n", name_of(sink), what, strerror(error));
    sink->complained = true;
}

/* Whether the last line has its end. */
static bool ends_in_newline(int fd, uint64_t size) {
    char last = '\n';
    return !size || (pread(fd, &last, 1, size - 1) == 1 && last == '\n');
}

/* Negative errno. A pipe that nobody reads is refused instead of waited for. */
static int open_file(struct file_sink *sink) {
    struct stat status;
    /* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): a file sink has a path */
    int fd = open(sink->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
    if (fd < 0 || fstat(fd, &status)) {
        int result = -errno;
        if (fd >= 0)
            close(fd);
        return result;
    }
    fcntl(fd, F_SETFL, O_APPEND);
    sink->fd = fd;
    sink->regular = S_ISREG(status.st_mode);
    sink->size = sink->regular ? status.st_size : 0;
    int reading = sink->regular ? open(sink->path, O_RDONLY | O_CLOEXEC) : -1;
    sink->torn = reading >= 0 && !ends_in_newline(reading, sink->size);
    if (reading >= 0)
        close(reading);
    return 0;
}

static struct file_sink *new_sink(char *error, size_t error_size) {
    struct file_sink *sink = calloc(1, sizeof(*sink));
    if (!sink)
        snprintf(error, error_size, "out of memory");
    return sink;
}

static int stdout_open(const struct sink_settings *settings, void **ret_sink, char *error, size_t error_size) {
    (void)settings;
    struct file_sink *sink = new_sink(error, error_size);
    if (!sink)
        return -ENOMEM;
    sink->fd = STDOUT_FILENO;
    *ret_sink = sink;
    return 0;
}

static int file_open(const struct sink_settings *settings, void **ret_sink, char *error, size_t error_size) {
    struct file_sink *sink = new_sink(error, error_size);
    if (!sink)
        return -ENOMEM;
    sink->path = settings->argument;
    sink->rotate = sink->limit = settings_number(settings, "rotate");
    sink->keep = settings_number(settings, "keep");
    int result = open_file(sink);
    if (result < 0) {
        snprintf(error, error_size, "%s", result == -ENXIO ? "a pipe that nobody reads" : strerror(-result));
        free(sink);
        return result;
    }
    *ret_sink = sink;
    return 0;
}

/* PATH.<from> -> PATH.<from + 1>; 0 is PATH itself. One that is not there is none to move. */
static int shift(const struct file_sink *sink, uint64_t from) {
    char *old = NULL, *new = NULL;
    int result = -ENOMEM;
    if ((from ? asprintf(&old, "%s.%llu", sink->path, (unsigned long long)from) : asprintf(&old, "%s", sink->path)) >
            0 &&
        asprintf(&new, "%s.%llu", sink->path, (unsigned long long)from + 1) > 0)
        result = rename(old, new) && errno != ENOENT ? -errno : 0;
    free(old);
    free(new);
    return result;
}

static void rotate(struct file_sink *sink) {
    int result = 0;
    for (uint64_t i = sink->keep; i > 1 && !result; i--)
        result = shift(sink, i - 1);
    if (!result)
        /* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): a file sink has a path */
        result = sink->keep ? shift(sink, 0) : unlink(sink->path) ? -errno : 0;
    if (result) {
        sink->rotations_failed++;
        sink->limit = sink->size + sink->rotate;
        if (!sink->said_rotation)
            fprintf(stderr, "weft: sink %s: cannot be rotated, goes on in the same file: %s\n", sink->path,
                    strerror(-result));
        sink->said_rotation = true;
        return;
    }
    sink->rotations++;
    sink->limit = sink->rotate;
    sink->said_rotation = false;
    close(sink->fd);
    sink->fd = -1;
}

static void reopen_if_moved(struct file_sink *sink) {
    struct stat here, there;
    if (sink->fd < 0 || !sink->regular || fstat(sink->fd, &here))
        return;
    if (!stat(sink->path, &there) && there.st_dev == here.st_dev && there.st_ino == here.st_ino) {
        sink->size = here.st_size;
        return;
    }
    close(sink->fd);
    sink->fd = -1;
}

/* How many whole records are in the first `bytes`, and how long they are. */
static size_t whole(const struct sink_record *records, size_t count, size_t bytes, size_t *ret_length) {
    size_t done = 0, length = 0;
    while (done < count && length + records[done].length <= bytes)
        length += records[done++].length;
    *ret_length = length;
    return done;
}

/* How many records fit before the file has to be rotated: at least one. */
static size_t before_rotation(const struct file_sink *sink, const struct sink_record *records, size_t count) {
    uint64_t size = sink->size;
    size_t fit = 0;
    if (!sink->regular || !sink->rotate)
        return count;
    while (fit < count && (!fit || size + records[fit].length <= sink->limit))
        size += records[fit++].length;
    return fit;
}

/* Writes until done or refused; returns how much and leaves why in errno. */
static size_t put(int fd, const char *bytes, size_t length) {
    size_t done = 0;
    errno = 0;
    while (done < length) {
        ssize_t wrote = write(fd, bytes + done, length - done);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            break;
        done += wrote;
    }
    return done;
}

/* Ends or takes back the half line that the last write left. */
static bool mend(struct file_sink *sink) {
    if (!sink->torn)
        return true;
    if (put(sink->fd, "\n", 1) != 1)
        return false;
    sink->size++;
    sink->torn = false;
    return true;
}

static enum sink_status refused(struct file_sink *sink, int error) {
    bool passes = error == ENOSPC || error == EDQUOT || error == EIO || error == EAGAIN || error == ENOENT;
    complain(sink, passes ? "cannot be written, trying on" : "cannot be written, records are dropped", error);
    return passes ? SINK_RETRY : SINK_FAIL;
}

/* One run of records without a rotation between. They lie one behind the other. */
static enum sink_status write_run(struct file_sink *sink, const struct sink_record *records, size_t count,
                                  size_t *ret_taken) {
    size_t wanted, kept;
    *ret_taken = 0;
    if (!mend(sink))
        return refused(sink, errno);
    whole(records, count, SIZE_MAX, &wanted);
    size_t wrote = put(sink->fd, records[0].bytes, wanted);
    int error = errno;
    *ret_taken = whole(records, count, wrote, &kept);
    if (wrote != kept)
        sink->torn = !sink->regular || ftruncate(sink->fd, sink->size + kept);
    sink->size += sink->torn ? wrote : kept;
    if (wrote < wanted)
        return refused(sink, error);
    if (sink->complained)
        fprintf(stderr, "weft: sink %s: writing again\n", name_of(sink));
    sink->complained = false;
    return SINK_OK;
}

static enum sink_status file_write(void *context, const struct sink_record *records, size_t count, size_t *ret_taken) {
    struct file_sink *sink = context;
    enum sink_status status = SINK_OK;
    if (sink->path)
        reopen_if_moved(sink);
    for (*ret_taken = 0; *ret_taken < count && status == SINK_OK;) {
        size_t taken;
        if (sink->fd >= 0 && sink->regular && sink->rotate && sink->size &&
            sink->size + records[*ret_taken].length > sink->limit)
            rotate(sink);
        int result = sink->fd < 0 ? open_file(sink) : 0;
        if (result < 0)
            return refused(sink, -result);
        size_t run = before_rotation(sink, records + *ret_taken, count - *ret_taken);
        status = write_run(sink, records + *ret_taken, run, &taken);
        *ret_taken += taken;
    }
    return status;
}

static size_t file_counters(void *context, struct counter *counters) {
    struct file_sink *sink = context;
    counters[0] = (struct counter){"file_rotations", sink->rotations};
    counters[1] = (struct counter){"file_rotations_failed", sink->rotations_failed};
    return 2;
}

static void file_close(void *context, uint64_t deadline_ns) {
    struct file_sink *sink = context;
    (void)deadline_ns;
    if (sink->fd >= 0 && sink->path)
        close(sink->fd);
    free(sink);
}

static const struct sink_option file_options[] = {
    {"rotate", SINK_OPTION_SIZE, "64M", "size at which a new file begins; 0: never", NULL},
    {"keep", SINK_OPTION_NUMBER, "8", "how many old files stay: PATH.1 is the youngest", NULL},
    {0},
};

const struct sink_ops sink_stdout = {
    .name = "stdout",
    .help = "one JSON object per line",
    .open = stdout_open,
    .write = file_write,
    .close = file_close,
};

const struct sink_ops sink_file = {
    .name = "file",
    .argument = "PATH",
    .help = "the same, appended to a file",
    .options = file_options,
    .open = file_open,
    .write = file_write,
    .counters = file_counters,
    .close = file_close,
};
