/* SPDX-License-Identifier: Apache-2.0 */
#include "netlink.h"

#include <errno.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum {
    ANSWER_BYTES = 32768, /* what the kernel puts into one piece of a dump at most */
    DUMPS = 8,            /* tries, while everything changes */
    PATIENCE_S = 10,      /* an answer that never comes must not stop the agent */
};

struct mnl_socket *netlink_open(void) {
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    int on = 1;
    struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
    if (!socket)
        return NULL;
    if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) ||
        mnl_socket_setsockopt(socket, NETLINK_GET_STRICT_CHK, &on, sizeof(on)) ||
        setsockopt(mnl_socket_get_fd(socket), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience))) {
        int error = errno;
        mnl_socket_close(socket);
        errno = error;
        return NULL;
    }
    return socket;
}

struct nlmsghdr *netlink_begin(void *buffer, uint16_t type, uint16_t flags) {
    memset(buffer, 0, NETLINK_MESSAGE_BYTES);
    struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
    message->nlmsg_type = type;
    message->nlmsg_flags = flags;
    return message;
}

struct answer {
    uint32_t sequence;
    mnl_cb_t callback;
    void *context;
    bool done, interrupted;
    int result;
};

static void take_message(struct answer *answer, const struct nlmsghdr *message) {
    if (message->nlmsg_seq != answer->sequence)
        return; /* what a question that was given up on still brings */
    answer->interrupted |= (message->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
    if (message->nlmsg_type == NLMSG_ERROR || message->nlmsg_type == NLMSG_DONE) {
        /* Both begin with an int, 0 or negative errno; the end of a dump may be without. */
        if (mnl_nlmsg_get_payload_len(message) >= sizeof(int) && !answer->result)
            answer->result = *(const int *)mnl_nlmsg_get_payload(message);
        answer->done = true;
    } else if (message->nlmsg_type >= NLMSG_MIN_TYPE && answer->callback && !answer->result)
        answer->result = answer->callback(message, answer->context) < 0 ? -errno : 0;
}

int netlink_ask(struct mnl_socket *socket, struct nlmsghdr *message, mnl_cb_t callback, void *context) {
    static __thread uint32_t sequence;
    sequence++;
    struct answer answer = {.sequence = sequence, .callback = callback, .context = context};
    char buffer[ANSWER_BYTES] __attribute__((aligned(8)));
    bool dump = (message->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
    message->nlmsg_flags |= dump ? NLM_F_REQUEST : NLM_F_REQUEST | NLM_F_ACK;
    message->nlmsg_seq = answer.sequence;
    if (mnl_socket_sendto(socket, message, message->nlmsg_len) < 0)
        return -errno;
    while (!answer.done) {
        ssize_t got = mnl_socket_recvfrom(socket, buffer, sizeof(buffer));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno == EAGAIN ? -ETIMEDOUT : -errno;
        int left = (int)got;
        for (const struct nlmsghdr *one = (void *)buffer; mnl_nlmsg_ok(one, left); one = mnl_nlmsg_next(one, &left))
            take_message(&answer, one);
    }
    return answer.result ? answer.result : answer.interrupted ? -EINTR : 0;
}

int netlink_dump(struct mnl_socket *socket, struct nlmsghdr *message, mnl_cb_t callback, void *context) {
    int result = -EINTR;
    message->nlmsg_flags |= NLM_F_DUMP;
    for (int i = 0; i < DUMPS && result == -EINTR; i++)
        result = netlink_ask(socket, message, callback, context);
    return result;
}

void netlink_attributes(const void *attributes, size_t size, const struct nlattr **ret_table, uint16_t most) {
    const char *end = (const char *)attributes + size;
    memset(ret_table, 0, (most + 1) * sizeof(struct nlattr *));
    for (const struct nlattr *one = attributes; mnl_attr_ok(one, (int)(end - (const char *)one));
         one = mnl_attr_next(one))
        if (mnl_attr_get_type(one) <= most)
            ret_table[mnl_attr_get_type(one)] = one;
}
