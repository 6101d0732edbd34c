/* SPDX-License-Identifier: Apache-2.0 */
#include "attach.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clsact.h"

/* libbpf 1.1 has no names for these. */
enum { TCX_INGRESS = 46, TCX_EGRESS = 47, PROGRAMS_MAX = 64 /* at one hook, the kernel's bound */ };
#define BEFORE_ALL (1U << 3) /* BPF_F_BEFORE without saying whom */

static const char *const way_names[] = {"ingress", "egress"};

void attach_init(struct attachment *attachment) {
    *attachment = (struct attachment){.link = {-1, -1}};
}

static int add_link(uint32_t ifindex, int program, enum flow_way way, int *ret_link) {
    LIBBPF_OPTS(bpf_link_create_opts, options, .flags = BEFORE_ALL);
    int link = bpf_link_create(program, (int)ifindex, TCX_INGRESS + way, &options);
    if (link < 0)
        return link;
    *ret_link = link;
    return 0;
}

static int add_filter(struct mnl_socket *socket, uint32_t ifindex, int program, enum flow_way way, bool *made) {
    bool made_now;
    int result = clsact_ensure(socket, ifindex, &made_now);
    *made |= made_now;
    if (result == -EADDRINUSE && way == FLOW_INGRESS) /* `ingress` has this way */
        result = 0;
    return result ? result : clsact_add(socket, ifindex, way, program, *made);
}

static void explain(struct attachment *attachment, enum flow_way way, int tcx, int clsact) {
    char *error = attachment->error;
    const size_t size = sizeof(attachment->error), used = strlen(error);
    if (clsact == -EADDRINUSE)
        snprintf(error + used, size - used, "%s%s: a qdisc `ingress` stands in the place of clsact", used ? "; " : "",
                 way_names[way]);
    else
        snprintf(error + used, size - used, "%s%s: tcx %s, clsact %s", used ? "; " : "", way_names[way], strerror(-tcx),
                 strerror(-clsact));
}

int attach_add(struct mnl_socket *socket, uint32_t ifindex, const int programs[2], struct attachment *attachment) {
    bool made = false;
    int result = 0;
    for (enum flow_way way = FLOW_INGRESS; way <= FLOW_EGRESS; way++) {
        int tcx = add_link(ifindex, programs[way], way, &attachment->link[way]);
        int clsact = tcx && tcx != -ENODEV ? add_filter(socket, ifindex, programs[way], way, &made) : tcx;
        attachment->mode[way] = !tcx ? ATTACH_TCX : !clsact ? ATTACH_CLSACT : ATTACH_NONE;
        if (clsact)
            explain(attachment, way, tcx, clsact);
        result = result ? result : clsact;
    }
    if (made && attachment->mode[0] != ATTACH_CLSACT && attachment->mode[1] != ATTACH_CLSACT)
        clsact_drop(socket, ifindex);
    return result;
}

void attach_remove(struct mnl_socket *socket, uint32_t ifindex, struct attachment *attachment) {
    bool filters = false;
    for (int way = 0; way < 2; way++) {
        if (attachment->link[way] >= 0)
            close(attachment->link[way]);
        filters |= attachment->mode[way] == ATTACH_CLSACT;
    }
    if (filters && socket)
        clsact_remove(socket, ifindex);
    attach_init(attachment);
}

/* Whether a program other than ours comes first among those of tcx. */
static bool link_preceded(uint32_t ifindex, int program, enum flow_way way) {
    struct bpf_prog_info info = {0};
    uint32_t size = sizeof(info), ids[PROGRAMS_MAX] = {0};
    LIBBPF_OPTS(bpf_prog_query_opts, query, .prog_ids = ids, .prog_cnt = PROGRAMS_MAX);
    if (bpf_obj_get_info_by_fd(program, &info, &size) || bpf_prog_query_opts((int)ifindex, TCX_INGRESS + way, &query))
        return false;
    return query.prog_cnt && ids[0] != info.id;
}

bool attach_preceded(struct mnl_socket *socket, uint32_t ifindex, const int programs[2],
                     const struct attachment *attachment, enum flow_way way) {
    /* What is attached by tcx comes before any filter. */
    if (attachment->mode[way] == ATTACH_NONE)
        return false;
    return link_preceded(ifindex, programs[way], way) ||
           (attachment->mode[way] == ATTACH_CLSACT && socket && clsact_preceded(socket, ifindex, way));
}

bool attach_is_any(const struct attachment *attachment) {
    return attachment->mode[FLOW_INGRESS] || attachment->mode[FLOW_EGRESS];
}

const char *attach_text(const struct attachment *attachment) {
    bool tcx = false, clsact = false;
    for (int way = 0; way < 2; way++) {
        tcx |= attachment->mode[way] == ATTACH_TCX;
        clsact |= attachment->mode[way] == ATTACH_CLSACT;
    }
    return tcx && clsact ? "tcx and clsact" : tcx ? "tcx" : clsact ? "clsact" : "nothing";
}

struct cleaning {
    struct mnl_socket *socket;
    int removed;
};

static void clean_one(void *context, uint32_t ifindex) {
    struct cleaning *cleaning = context;
    int removed = clsact_remove(cleaning->socket, ifindex);
    cleaning->removed += removed > 0 ? removed : 0;
}

int attach_clean(struct mnl_socket *socket) {
    struct cleaning cleaning = {.socket = socket};
    int result = clsact_find(socket, clean_one, &cleaning);
    return result ? result : cleaning.removed;
}
