/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What a process runs and what a cgroup is called, told when they begin: some live too shortly to be looked up. */
#ifndef WEFT_BPF_SOCK_NAMES_H
#define WEFT_BPF_SOCK_NAMES_H

#define AVAILABLE_DATA 0 /* BPF_RB_AVAIL_DATA, which vmlinux.h does not have */

/* The agent reads names when it comes by. Where programs run and nobody talks, it is woken before they are too many. */
static void wake_for_names(void) {
    void *ring = ring_at(0);
    if (ring && bpf_ringbuf_query(&events, AVAILABLE_DATA) > EVENTS_BYTES / 2)
        wake_agent(0, ring);
}

static void send_exec(struct task_struct *task, struct linux_binprm *program) {
    struct record_exec *exec = bpf_ringbuf_reserve(&events, sizeof(*exec), 0);
    if (!exec) {
        count(COUNTER_RING_FULL_OTHER, 1);
        return;
    }
    __builtin_memset(exec, 0, sizeof(*exec));
    exec->kind = RECORD_EXEC;
    exec->tgid = task->tgid;
    exec->start_time = BPF_CORE_READ(task, group_leader, start_boottime);
    bpf_probe_read_kernel_str(exec->executable, sizeof(exec->executable), program->filename);
    unsigned long start = task->mm->arg_start, end = task->mm->arg_end;
    __u64 length = end - start;
    if (length > EXEC_ARGUMENTS)
        length = EXEC_ARGUMENTS;
    if (!bpf_probe_read_user(exec->arguments, length, (void *)start))
        exec->arguments_length = length;
    bpf_ringbuf_submit(exec, BPF_RB_NO_WAKEUP);
    wake_for_names();
}

/* Ids are unique within one hierarchy only. */
static bool in_naming_hierarchy(struct cgroup *group) {
    struct cgroup_subsys_state *state = NULL;
    if (cgroup_subsystem < 0)
        return BPF_CORE_READ(group, root, hierarchy_id) == 0;
    bpf_core_read(&state, sizeof(state), &group->subsys[cgroup_subsystem & 15]);
    return state && BPF_CORE_READ(state, cgroup) == group;
}

static void send_cgroup(struct cgroup *group, const char *path) {
    if (!in_naming_hierarchy(group))
        return;
    struct record_cgroup *record = bpf_ringbuf_reserve(&events, sizeof(*record), 0);
    if (!record) {
        count(COUNTER_RING_FULL_OTHER, 1);
        return;
    }
    __builtin_memset(record, 0, sizeof(*record));
    record->kind = RECORD_CGROUP;
    record->id = group->kn->id;
    bpf_probe_read_kernel_str(record->path, sizeof(record->path), path);
    bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
    wake_for_names();
}

#endif
