/* SPDX-License-Identifier: Apache-2.0 */
#include "program_set.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- what libbpf says while it loads ---- */

/* libbpf tells in words only which program failed and why. One load at a time in a process. */
static struct {
    char program[64];
    char reason[160];
} said;

/* The verifier's last word stands before its statistics. */
static void keep_last_line(char *log, char *ret_line, size_t size) {
    char *end = strstr(log, "\nprocessed ");
    if (!end)
        end = strstr(log, "\n-- END PROG LOAD LOG");
    if (!end)
        return;
    *end = '\0';
    char *line = strrchr(log, '\n');
    if (line) /* else the verifier had nothing to say: it was refused before */
        snprintf(ret_line, size, "%s", line + 1);
}

static void remember(char *text) {
    static const char prefix[] = "libbpf: prog '";
    if (strncmp(text, prefix, sizeof(prefix) - 1))
        return;
    char *name = text + sizeof(prefix) - 1, *quote = strchr(name, '\'');
    if (!quote)
        return;
    if (strstr(quote, "-- BEGIN PROG LOAD LOG --"))
        keep_last_line(quote, said.reason, sizeof(said.reason));
    else if (strstr(quote, "failed")) { /* other warnings name parts that several programs share */
        *quote = '\0';
        snprintf(said.program, sizeof(said.program), "%s", name);
        if (!said.reason[0])
            snprintf(said.reason, sizeof(said.reason), "%.*s", (int)strcspn(quote + 3, "\n"), quote + 3);
    }
}

static int listen_to_libbpf(enum libbpf_print_level level, const char *format, va_list arguments) {
    char *text;
    if (level != LIBBPF_WARN || vasprintf(&text, format, arguments) < 0)
        return 0;
    if (getenv("WEFT_BPF_LOG"))
        fputs(text, stderr);
    remember(text);
    free(text);
    return 0;
}

/* ---- which are wanted ---- */

struct bpf_program *program_set_at(const struct program_set *set, int row) {
    return bpf_object__find_program_by_name(set->object, set->ops->rows[row].name);
}

void program_set_refuse(struct program_set *set, int row, const char *reason) {
    set->refused[row] = true;
    snprintf(set->list[row].reason, sizeof(set->list[row].reason), "%s", reason);
}

/* Does the kernel have what the program hangs on? */
static void look_for_target(struct program_set *set, int row) {
    const char *section = bpf_program__section_name(program_set_at(set, row)), *target = strchr(section, '/');
    char name[128], reason[160];
    int found = 1;
    if (!target || !set->kernel)
        return;
    if (!strncmp(section, "tp_btf/", 7)) {
        snprintf(name, sizeof(name), "btf_trace_%s", target + 1);
        found = btf__find_by_name_kind(set->kernel, name, BTF_KIND_TYPEDEF);
        snprintf(reason, sizeof(reason), "this kernel has no tracepoint %s", target + 1);
    } else if (!strncmp(section, "fexit/", 6)) {
        found = btf__find_by_name_kind(set->kernel, target + 1, BTF_KIND_FUNC);
        snprintf(reason, sizeof(reason), "this kernel has no function %s", target + 1);
    }
    set->absent[row] = found <= 0;
    if (found <= 0)
        program_set_refuse(set, row, reason);
}

static bool is_needed(const struct program_set *set, int row) {
    if (set->ops->needed)
        return set->ops->needed(set, row);
    int first = set->ops->rows[row].stands_in_for;
    return first < 0 || set->refused[first];
}

bool program_set_wants(const struct program_set *set, int row) {
    return set->list[row].needed && !set->refused[row];
}

static void weigh(struct program_set *set) {
    for (int i = 0; i < set->ops->count; i++)
        set->list[i].needed = is_needed(set, i);
}

/* ---- loading ---- */

static void unload(struct program_set *set) {
    for (int i = 0; i < set->ops->count; i++) {
        bpf_link__destroy(set->links[i]);
        set->links[i] = NULL;
        set->list[i].attached = false;
    }
    if (set->object)
        set->ops->close(set->context);
    set->object = NULL;
}

static int load_once(struct program_set *set, bool first) {
    unload(set);
    memset(&said, 0, sizeof(said));
    set->object = set->ops->open(set->context);
    if (!set->object)
        return -errno;
    for (int i = 0; i < set->ops->count && first; i++)
        look_for_target(set, i);
    weigh(set);
    for (int i = 0; i < set->ops->count; i++)
        bpf_program__set_autoload(program_set_at(set, i), program_set_wants(set, i));
    return set->ops->load(set->context);
}

/* Row that libbpf blamed, or negative. */
static int blamed(const struct program_set *set) {
    for (int i = 0; i < set->ops->count; i++)
        if (!strcmp(said.program, set->ops->rows[i].name) && !set->refused[i])
            return i;
    return -1;
}

static void explain(int result, char *error, size_t size) {
    if (result == -EPERM)
        snprintf(error, size,
                 "loading BPF programs: permission denied; run weft as root, or with CAP_BPF, CAP_PERFMON and "
                 "CAP_NET_ADMIN");
    else if (access("/sys/kernel/btf/vmlinux", R_OK))
        snprintf(
            error, size,
            "loading BPF programs: this kernel has no BTF (/sys/kernel/btf/vmlinux); weft needs CONFIG_DEBUG_INFO_BTF");
    else
        snprintf(error, size, "loading BPF programs: %s; set WEFT_BPF_LOG=1 for libbpf's words", strerror(-result));
}

/* A missing program that nothing stands in for, and without which the object is of no use. */
int program_set_require(struct program_set *set, char *error, size_t size) {
    weigh(set);
    for (int i = 0; i < set->ops->count; i++) {
        const struct program_row *row = &set->ops->rows[i];
        if (!row->essential || !set->list[i].needed || !set->refused[i])
            continue;
        int first = row->stands_in_for;
        int length = snprintf(error, size, "this kernel does not take %s (%s)", row->name, set->list[i].reason);
        if (first >= 0 && length >= 0 && (size_t)length < size)
            length += snprintf(error + length, size - length, ", nor %s (%s)", set->ops->rows[first].name,
                               set->list[first].reason);
        if (length >= 0 && (size_t)length < size)
            snprintf(error + length, size - length, ": without it %s", row->cost);
        return -EOPNOTSUPP;
    }
    return 0;
}

int program_set_load(struct program_set *set, char *error, size_t error_size) {
    libbpf_set_print(listen_to_libbpf);
    bool first = !set->object;
    if (!set->kernel)
        set->kernel = btf__load_vmlinux_btf();
    for (;;) {
        int result = load_once(set, first), refused = result ? blamed(set) : -1;
        if (result && (refused < 0 || (result == -EPERM && geteuid()))) { /* some kernels forbid root fexit, too */
            explain(result, error, error_size);
            return result;
        }
        if (refused >= 0)
            program_set_refuse(set, refused, said.reason);
        first = false;
        if (program_set_require(set, error, error_size))
            return -EOPNOTSUPP;
        if (!result)
            return 0;
    }
}

/* ---- life ---- */

void program_set_init(struct program_set *set, const struct program_set_ops *ops, void *context) {
    *set = (struct program_set){.ops = ops, .context = context};
    for (int i = 0; i < ops->count; i++)
        set->list[i] = (struct live_program){
            .name = ops->rows[i].name, .purpose = ops->rows[i].purpose, .cost = ops->rows[i].cost};
}

void program_set_done(struct program_set *set) {
    unload(set);
    btf__free(set->kernel);
    set->kernel = NULL;
}

uint64_t program_set_missed(const struct program_set *set, int row) {
    struct bpf_prog_info info = {0};
    uint32_t size = sizeof(info);
    if (!set->list[row].attached || bpf_obj_get_info_by_fd(bpf_program__fd(program_set_at(set, row)), &info, &size))
        return 0;
    return info.recursion_misses;
}
