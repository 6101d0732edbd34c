/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/docker.h"
#include "agent/text.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* {"type":["container","network"],"event":["create","rename","start","die","connect"]} */
#define EVENTS                                                                                                         \
    "/events?filters=%7B%22type%22%3A%5B%22container%22%2C%22network%22%5D%2C%22event%22%3A%5B%22create%22%2C"         \
    "%22rename%22%2C%22start%22%2C%22die%22%2C%22connect%22%5D%7D"

enum {
    ANSWER_BYTES = 64 << 20, /* of one list; ten thousand containers are some 20 MB */
    LINE_BYTES = 1 << 20,
    RETRY_FIRST_S = 5,
    RETRY_LAST_S = 60
};

struct docker {
    struct docker_listener listener;
    char socket_path[sizeof((struct sockaddr_un *)NULL)->sun_path];
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed; /* stop, poked or answered */
    bool stop, poked, answered;
    int events; /* the event stream, or -1 */
};

/* ---- HTTP/1.0, so that no body is chunked and each ends with its connection ---- */

static int64_t now_ms(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static int ask(const struct docker *docker, const char *target) {
    char text[512];
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    text_copy(address.sun_path, sizeof address.sun_path, docker->socket_path);
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    const struct timeval limit = {.tv_sec = DOCKER_PATIENCE_MS / 1000};
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit); /* connect waits for a full backlog, too */
    const int length = snprintf(text, sizeof text, "GET %s HTTP/1.0\r\nHost: docker\r\n\r\n", target);
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0 &&
        send(fd, text, (size_t)length, MSG_NOSIGNAL) == length)
        return fd;
    const int error = errno == EAGAIN ? -ETIMEDOUT : -errno;
    close(fd);
    return error;
}

/* Waits for bytes until `deadline` (0: for ever). Bytes read, 0 at the end, or negative errno. */
static ssize_t read_some(int fd, char *into, size_t size, int64_t deadline) {
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    const int64_t left = deadline ? deadline - now_ms() : -1;
    if (deadline && left <= 0)
        return -ETIMEDOUT;
    const int ready = poll(&poll_fd, 1, (int)left);
    if (ready == 0)
        return -ETIMEDOUT;
    const ssize_t got = ready < 0 ? -1 : read(fd, into, size);
    return got < 0 ? -errno : got;
}

/* The body in `answer`, if its status is 200. */
static char *body_of(char *answer) {
    unsigned status = 0;
    char *body = strstr(answer, "\r\n\r\n");
    return body && sscanf(answer, "HTTP/1.%*u %u", &status) == 1 && status == 200 ? body + 4 : NULL;
}

static int get(const struct docker *docker, const char *target, json_t **ret_json) {
    const int64_t deadline = now_ms() + DOCKER_PATIENCE_MS;
    const int fd = ask(docker, target);
    size_t size = 1 << 16, length = 0;
    char *answer = fd < 0 ? NULL : malloc(size);
    ssize_t got = fd < 0 ? fd : answer ? 1 : -ENOMEM;
    while (got > 0 && (got = read_some(fd, answer + length, size - length - 1, deadline)) > 0) {
        length += (size_t)got;
        if (length + 1 < size)
            continue;
        char *more = size < ANSWER_BYTES ? realloc(answer, size * 2) : NULL;
        if (!more)
            got = -EFBIG;
        else
            answer = more, size *= 2;
    }
    if (fd >= 0)
        close(fd);
    if (got == 0) {
        answer[length] = '\0';
        const char *body = body_of(answer);
        *ret_json = body ? json_loads(body, 0, NULL) : NULL;
        got = *ret_json ? 0 : -EPROTO;
    }
    free(answer);
    return (int)got;
}

/* ---- what it says ---- */

static const char *text(const json_t *object, const char *key) {
    return json_string_value(json_object_get(object, key));
}

static void set_name(struct container_facts *facts, const char *name) {
    text_copy(facts->name, sizeof facts->name, name && name[0] == '/' ? name + 1 : name);
}

static void add_networks(struct container_facts *facts, json_t *settings) {
    const char *key;
    json_t *network;
    json_object_foreach(json_object_get(settings, "Networks"), key, network) {
        container_add_address(facts, text(network, "IPAddress"));
        container_add_address(facts, text(network, "GlobalIPv6Address"));
    }
}

/* Links add "/other/alias" to a container's names; its own has one slash. */
static const char *own_name(const json_t *names) {
    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *name = json_string_value(json_array_get(names, i));
        if (name && strrchr(name, '/') == name)
            return name;
    }
    return NULL;
}

static void tell(const struct docker *docker, struct container_facts *facts) {
    if (facts->id[0] && facts->name[0])
        docker->listener.learned(docker->listener.context, facts);
    container_done(facts);
}

static int list(const struct docker *docker) {
    json_t *containers, *one;
    const int error = get(docker, "/containers/json?all=1", &containers);
    if (error < 0)
        return error;
    size_t i;
    json_array_foreach(containers, i, one) {
        struct container_facts facts = {0};
        text_copy(facts.id, sizeof facts.id, text(one, "Id"));
        set_name(&facts, own_name(json_object_get(one, "Names")));
        text_copy(facts.image, sizeof facts.image, text(one, "Image"));
        container_take_labels(&facts, json_object_get(one, "Labels"));
        const char *state = text(one, "State");
        facts.running = state && strcmp(state, "running") == 0;
        if (facts.running)
            add_networks(&facts, json_object_get(one, "NetworkSettings"));
        tell(docker, &facts);
    }
    const bool good = json_is_array(containers);
    json_decref(containers);
    return good ? 0 : -EPROTO;
}

static void inspect(const struct docker *docker, const char *id) {
    char target[128];
    json_t *one = NULL;
    snprintf(target, sizeof target, "/containers/%.64s/json", id);
    if (get(docker, target, &one) < 0)
        return;
    struct container_facts facts = {0};
    json_t *config = json_object_get(one, "Config");
    text_copy(facts.id, sizeof facts.id, text(one, "Id"));
    set_name(&facts, text(one, "Name"));
    text_copy(facts.image, sizeof facts.image, text(config, "Image"));
    container_take_labels(&facts, json_object_get(config, "Labels"));
    facts.running = json_is_true(json_object_get(json_object_get(one, "State"), "Running"));
    add_networks(&facts, json_object_get(one, "NetworkSettings"));
    tell(docker, &facts);
    json_decref(one);
}

/* The event of a container carries its name, image and labels; that of a network only the container's id. */
static void event(const struct docker *docker, const char *line) {
    json_t *json = json_loads(line, 0, NULL);
    json_t *actor = json_object_get(json, "Actor"), *attributes = json_object_get(actor, "Attributes");
    const char *action = text(json, "Action"), *id = text(actor, "ID");
    const bool connects = action && strcmp(action, "connect") == 0;
    id = connects ? text(attributes, "container") : id;
    if (!action || !id) {
        json_decref(json);
        return;
    }
    if (strcmp(action, "die") == 0) {
        docker->listener.gone(docker->listener.context, id);
    } else if (connects || strcmp(action, "start") == 0) {
        inspect(docker, id);
    } else {
        struct container_facts facts = {0};
        text_copy(facts.id, sizeof facts.id, id);
        set_name(&facts, text(attributes, "name"));
        text_copy(facts.image, sizeof facts.image, text(attributes, "image"));
        container_take_labels(&facts, attributes);
        tell(docker, &facts);
    }
    json_decref(json);
}

/* ---- the thread ---- */

/* Says which descriptor docker_free has to shut down; false if it is too late. */
static bool set_events(struct docker *docker, int fd) {
    pthread_mutex_lock(&docker->mutex);
    docker->events = fd;
    const bool goes_on = !docker->stop;
    pthread_mutex_unlock(&docker->mutex);
    return goes_on;
}

static void answered(struct docker *docker, int error) {
    docker->listener.failed(docker->listener.context, error);
    pthread_mutex_lock(&docker->mutex);
    docker->answered = true;
    pthread_cond_broadcast(&docker->changed);
    pthread_mutex_unlock(&docker->mutex);
}

/* Hands on whole lines; false when there is no room for the next. */
static bool take_lines(const struct docker *docker, char *buffer, size_t *length) {
    char *start = buffer, *end;
    buffer[*length] = '\0';
    while ((end = memchr(start, '\n', *length - (size_t)(start - buffer)))) {
        *end = '\0';
        if (*start == '{')
            event(docker, start);
        start = end + 1;
    }
    *length -= (size_t)(start - buffer);
    memmove(buffer, start, *length);
    return *length + 1 < LINE_BYTES;
}

/* Subscribes before listing, so that no container falls between. Returns when the stream ends. */
static int follow_once(struct docker *docker, char *buffer) {
    size_t length = 0;
    ssize_t got = 1;
    int error = ask(docker, EVENTS);
    const int fd = error;
    if (fd < 0)
        return error;
    error = set_events(docker, fd) ? list(docker) : -ECANCELED;
    if (error == 0)
        answered(docker, 0);
    while (error == 0 && got > 0 && take_lines(docker, buffer, &length)) {
        got = read_some(fd, buffer + length, LINE_BYTES - 1 - length, 0);
        length += got > 0 ? (size_t)got : 0;
    }
    set_events(docker, -1);
    close(fd);
    return error;
}

static bool rest(struct docker *docker, int seconds) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += seconds;
    pthread_mutex_lock(&docker->mutex);
    while (!docker->stop && !docker->poked &&
           pthread_cond_timedwait(&docker->changed, &docker->mutex, &until) != ETIMEDOUT)
        ;
    docker->poked = false;
    const bool goes_on = !docker->stop;
    pthread_mutex_unlock(&docker->mutex);
    return goes_on;
}

static void *follow(void *context) {
    struct docker *docker = context;
    char *buffer = malloc(LINE_BYTES);
    int seconds = RETRY_FIRST_S;
    bool goes_on = buffer != NULL;
    while (goes_on) {
        const int error = follow_once(docker, buffer);
        if (error < 0 && error != -ECANCELED)
            answered(docker, error);
        seconds = error == 0 ? RETRY_FIRST_S : seconds * 2 < RETRY_LAST_S ? seconds * 2 : RETRY_LAST_S;
        goes_on = rest(docker, seconds);
    }
    free(buffer);
    return NULL;
}

static void wait_for_answer(struct docker *docker) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += DOCKER_PATIENCE_MS / 1000;
    pthread_mutex_lock(&docker->mutex);
    while (!docker->answered && pthread_cond_timedwait(&docker->changed, &docker->mutex, &until) != ETIMEDOUT)
        ;
    const bool slow = !docker->answered;
    pthread_mutex_unlock(&docker->mutex);
    if (slow)
        docker->listener.failed(docker->listener.context, -ETIMEDOUT);
}

int docker_new(const char *socket_path, const struct docker_listener *listener, struct docker **ret_docker) {
    struct docker *docker = calloc(1, sizeof *docker);
    if (!docker)
        return -ENOMEM;
    if (strlen(socket_path) >= sizeof docker->socket_path) {
        free(docker);
        return -ENAMETOOLONG;
    }
    docker->listener = *listener;
    docker->events = -1;
    text_copy(docker->socket_path, sizeof docker->socket_path, socket_path);
    pthread_condattr_t clock;
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&docker->changed, &clock);
    pthread_condattr_destroy(&clock);
    pthread_mutex_init(&docker->mutex, NULL);
    const int error = -pthread_create(&docker->thread, NULL, follow, docker);
    if (error < 0) {
        pthread_cond_destroy(&docker->changed);
        pthread_mutex_destroy(&docker->mutex);
        free(docker);
        return error;
    }
    wait_for_answer(docker);
    *ret_docker = docker;
    return 0;
}

void docker_poke(struct docker *docker) {
    if (!docker)
        return;
    pthread_mutex_lock(&docker->mutex);
    docker->poked = true;
    pthread_cond_broadcast(&docker->changed);
    pthread_mutex_unlock(&docker->mutex);
}

void docker_free(struct docker *docker) {
    if (!docker)
        return;
    pthread_mutex_lock(&docker->mutex);
    docker->stop = true;
    if (docker->events >= 0)
        shutdown(docker->events, SHUT_RDWR);
    pthread_cond_broadcast(&docker->changed);
    pthread_mutex_unlock(&docker->mutex);
    pthread_join(docker->thread, NULL);
    pthread_cond_destroy(&docker->changed);
    pthread_mutex_destroy(&docker->mutex);
    free(docker);
}
