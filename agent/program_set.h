/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The programs of one BPF object: which of them this kernel takes, what each is for, and what its absence costs.
 *
 * Each program is taken on its own merits: libbpf loads all of an object or nothing, so what the kernel refuses is left
 * out, with its reason kept, and the rest is loaded again. Stand-ins (for programs that the kernel lacks what they hang
 * on) are loaded only where they are needed. The owner has the skeleton and attaches. One thread, and one load at a
 * time in a process.
 */
#ifndef WEFT_AGENT_PROGRAM_SET_H
#define WEFT_AGENT_PROGRAM_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bpf_link;
struct bpf_object;
struct bpf_program;
struct btf;

struct live_program {
    const char *name, *purpose;
    const char *cost; /* what is not seen without it */
    bool attached;
    bool needed;      /* on this kernel */
    char reason[200]; /* why it is not attached */
};

enum { PROGRAM_NONE = -1, PROGRAM_ESSENTIAL = 1, PROGRAM_SET_MOST = 32 };

struct program_row {
    const char *name, *purpose, *cost;
    int hook;          /* how it is attached, in its owner's terms */
    int stands_in_for; /* the row that makes this one needless when the kernel takes it; PROGRAM_NONE */
    int essential;     /* the object is of no use without it, or without its stand-ins */
};

struct program_set;
struct program_set_ops {
    const struct program_row *rows;
    int count;
    /* A skeleton, anew for each attempt, with its settings made; NULL: see errno. */
    struct bpf_object *(*open)(void *context);
    int (*load)(void *context); /* that skeleton; negative errno */
    void (*close)(void *context);
    /* Is this row needed? NULL: unless what it stands in for is taken. */
    bool (*needed)(const struct program_set *set, int row);
};

struct program_set {
    const struct program_set_ops *ops;
    void *context; /* of ops */
    struct bpf_object *object;
    struct btf *kernel;
    struct live_program list[PROGRAM_SET_MOST];
    bool absent[PROGRAM_SET_MOST];  /* what it hangs on is not in this kernel */
    bool refused[PROGRAM_SET_MOST]; /* absent, not loadable or not attachable; `reason` says which */
    struct bpf_link *links[PROGRAM_SET_MOST];
};

void program_set_init(struct program_set *set, const struct program_set_ops *ops, void *context);
void program_set_done(struct program_set *set); /* detaches and closes; fine after init alone */

/* May be called again, after refusals. `error` says what failed and what to do. */
int program_set_load(struct program_set *set, char *error, size_t error_size);

/* For the owner's attaching: of rows that are needed and not refused. */
bool program_set_wants(const struct program_set *set, int row);
struct bpf_program *program_set_at(const struct program_set *set, int row);
void program_set_refuse(struct program_set *set, int row, const char *reason);
/* After that: -EOPNOTSUPP and `error` if something essential is missing. */
int program_set_require(struct program_set *set, char *error, size_t error_size);

/* Runs that the kernel passed over because the same program was running on that CPU. */
uint64_t program_set_missed(const struct program_set *set, int row);

#endif
