/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A kernel that takes fewer programs, played to the whole of weft.
 *
 * ABSENCE_REFUSED names programs that shall not load: each is given a type in which the kernel's own verifier refuses
 * it. ABSENCE_UNATTACHED names programs that load and cannot be attached.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Is the program's name among the words of this variable? */
static bool is_named(const char *variable, const struct bpf_program *program) {
    const char *words = getenv(variable), *name = bpf_program__name(program);
    size_t length = strlen(name);
    for (const char *at = words; at && (at = strstr(at, name)); at += length)
        if ((at == words || at[-1] == ' ') && (at[length] == ' ' || !at[length]))
            return true;
    return false;
}

int __real_bpf_object__load_skeleton(struct bpf_object_skeleton *skeleton);
int __wrap_bpf_object__load_skeleton(struct bpf_object_skeleton *skeleton) {
    struct bpf_program *program;
    bpf_object__for_each_program(program, *skeleton->obj) {
        if (is_named("ABSENCE_REFUSED", program))
            bpf_program__set_type(program, BPF_PROG_TYPE_SOCKET_FILTER);
    }
    return __real_bpf_object__load_skeleton(skeleton);
}

static bool may_attach(const struct bpf_program *program) {
    if (!is_named("ABSENCE_UNATTACHED", program))
        return true;
    errno = EOPNOTSUPP;
    return false;
}

struct bpf_link *__real_bpf_program__attach(const struct bpf_program *program);
struct bpf_link *__wrap_bpf_program__attach(const struct bpf_program *program) {
    return may_attach(program) ? __real_bpf_program__attach(program) : NULL;
}

struct bpf_link *__real_bpf_program__attach_cgroup(const struct bpf_program *program, int cgroup);
struct bpf_link *__wrap_bpf_program__attach_cgroup(const struct bpf_program *program, int cgroup) {
    return may_attach(program) ? __real_bpf_program__attach_cgroup(program, cgroup) : NULL;
}

struct bpf_link *__real_bpf_program__attach_iter(const struct bpf_program *program,
                                                 const struct bpf_iter_attach_opts *options);
struct bpf_link *__wrap_bpf_program__attach_iter(const struct bpf_program *program,
                                                 const struct bpf_iter_attach_opts *options) {
    return may_attach(program) ? __real_bpf_program__attach_iter(program, options) : NULL;
}

/* ABSENCE_TCX, set to anything: no tcx links, as before Linux 6.6. */
int __real_bpf_link_create(int program, int target, enum bpf_attach_type type,
                           const struct bpf_link_create_opts *options);
int __wrap_bpf_link_create(int program, int target, enum bpf_attach_type type,
                           const struct bpf_link_create_opts *options) {
    const unsigned tcx_ingress = 46, tcx_egress = 47; /* libbpf 1.1 has no names for these */
    if (!getenv("ABSENCE_TCX") || ((unsigned)type != tcx_ingress && (unsigned)type != tcx_egress))
        return __real_bpf_link_create(program, target, type, options);
    errno = EINVAL;
    return -EINVAL;
}
