/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An HTTP server that knows how long it took: `timed_server PORT LOG`. /200 answers after 200 us, /50000 after 50 ms,
 * and so on. One thread for each connection. For each request a line of nanoseconds is written at the end (SIGTERM):
 * from the return of the read that brought it to the return of the write that answered it.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 1 << 20 };
static uint64_t times[MOST];
static unsigned count;

static uint64_t now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void sleep_until(uint64_t when) {
    struct timespec time = {.tv_sec = (time_t)(when / 1000000000), .tv_nsec = (long)(when % 1000000000)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL) == EINTR)
        ;
}

static void *serve(void *argument) {
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    int fd = (int)(intptr_t)argument, one = 1;
    char buffer[4096];
    ssize_t length;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    while ((length = read(fd, buffer, sizeof(buffer) - 1)) > 0) {
        uint64_t began = now_ns();
        buffer[length] = 0;
        sleep_until(began + strtoull(strchr(buffer, '/') + 1, NULL, 10) * 1000);
        if (write(fd, answer, sizeof(answer) - 1) < 0)
            break;
        unsigned place = __atomic_fetch_add(&count, 1, __ATOMIC_RELAXED);
        if (place < MOST)
            times[place] = now_ns() - began;
    }
    close(fd);
    return NULL;
}

static void *accept_all(void *argument) {
    int listener = (int)(intptr_t)argument, fd;
    while ((fd = accept(listener, NULL, NULL)) >= 0) {
        pthread_t thread;
        if (!pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd))
            pthread_detach(thread);
    }
    return NULL;
}

int main(int argc, char **argv) {
    sigset_t stop;
    pthread_t thread;
    int signal_number, one = 1;
    if (argc != 3)
        return 2;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &stop, NULL);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(listener, (struct sockaddr *)&address, sizeof(address)) || listen(listener, 128) ||
        pthread_create(&thread, NULL, accept_all, (void *)(intptr_t)listener))
        return 1;
    sigwait(&stop, &signal_number);
    FILE *log = fopen(argv[2], "w");
    for (unsigned i = 0; log && i < count && i < MOST; i++)
        fprintf(log, "%lu\n", times[i]);
    return !log || fclose(log);
}
