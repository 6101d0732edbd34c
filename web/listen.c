/* SPDX-License-Identifier: Apache-2.0 */
#include "listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 64 };

union any_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static bool parse(const char *text, uint16_t port, union any_address *address, bool *loopback) {
    memset(address, 0, sizeof(*address));
    if (inet_pton(AF_INET, text, &address->v4.sin_addr) == 1) {
        address->v4.sin_family = AF_INET;
        address->v4.sin_port = htons(port);
        *loopback = ntohl(address->v4.sin_addr.s_addr) >> 24 == 127;
        return true;
    }
    if (inet_pton(AF_INET6, text, &address->v6.sin6_addr) == 1) {
        address->v6.sin6_family = AF_INET6;
        address->v6.sin6_port = htons(port);
        *loopback = IN6_IS_ADDR_LOOPBACK(&address->v6.sin6_addr);
        return true;
    }
    return false;
}

static int fail(int fd, int result, char *error, size_t size, const char *where, const char *advice) {
    if (fd >= 0)
        close(fd);
    snprintf(error, size, "cannot listen on %s: %s%s%s", where, strerror(-result), *advice ? "; " : "", advice);
    return result;
}

static const char *tcp_advice(int result) {
    return result == -EADDRINUSE      ? "another program (another weft?) has that port: give a free one with --page "
                                        "ADDRESS:PORT, or --page off"
           : result == -EADDRNOTAVAIL ? "this host has no such address: see `ip address`"
           : result == -EACCES        ? "ports below 1024 need privileges: give a higher one with --page ADDRESS:PORT"
                                      : "";
}

int listen_tcp(const char *address, uint16_t port, uint16_t *ret_port, bool *ret_loopback, char *error, size_t size) {
    union any_address any;
    char where[INET6_ADDRSTRLEN + 10];
    int on = 1;
    if (!parse(address, port, &any, ret_loopback)) {
        snprintf(error, size, "%s is no IPv4 or IPv6 address to listen on", address);
        return -EINVAL;
    }
    bool v6 = any.any.sa_family == AF_INET6;
    snprintf(where, sizeof(where), v6 ? "[%s]:%u" : "%s:%u", address, port);
    int fd = socket(any.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return fail(fd, -errno, error, size, where, "");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    socklen_t length = v6 ? sizeof(any.v6) : sizeof(any.v4);
    if (bind(fd, &any.any, length) || listen(fd, BACKLOG) || getsockname(fd, &any.any, &length)) {
        int result = -errno;
        return fail(fd, result, error, size, where, tcp_advice(result));
    }
    *ret_port = ntohs(v6 ? any.v6.sin6_port : any.v4.sin_port);
    return fd;
}

static void make_directory_of(const char *path) {
    char directory[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
    const char *slash = strrchr(path, '/');
    if (!slash || slash == path)
        return;
    snprintf(directory, sizeof(directory), "%.*s", (int)(slash - path), path);
    mkdir(directory, 0700); /* if it fails, so does bind, and says why */
}

/* A socket left by an agent that was killed; -EADDRINUSE if somebody answers there. */
static int remove_dead_socket(const struct sockaddr_un *address) {
    struct stat status;
    if (lstat(address->sun_path, &status) || !S_ISSOCK(status.st_mode))
        return 0;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    int result = connect(fd, (const struct sockaddr *)address, sizeof(*address)) ? -errno : 0;
    close(fd);
    if (result != -ECONNREFUSED)
        return -EADDRINUSE;
    return unlink(address->sun_path) ? -errno : 0;
}

int listen_unix(const char *path, char *error, size_t size) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *advice = "give another place with --socket PATH, or --socket off";
    if (strlen(path) >= sizeof(address.sun_path))
        return fail(-1, -ENAMETOOLONG, error, size, path, "a Unix socket's path has at most 107 bytes");
    strcpy(address.sun_path, path);
    make_directory_of(path);
    int result = remove_dead_socket(&address);
    if (result == -EADDRINUSE)
        advice = "another agent answers there: stop it, or give this one another place with --socket PATH";
    if (result)
        return fail(-1, result, error, size, path, advice);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    /* The file takes the mode of the socket, so that it is never open to others, not even for a moment. */
    if (fd < 0 || fchmod(fd, 0600) || bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, BACKLOG))
        return fail(fd, -errno, error, size, path, advice);
    return fd;
}
