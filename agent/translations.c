/* SPDX-License-Identifier: Apache-2.0 */
#include "translations.h"

#include <errno.h>
#include <linux/capability.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "privileges.h"

enum { PAIRS_MAX = 65536 };

struct pairs {
    struct nat_pair *list;
    size_t count, capacity;
};

struct translations {
    uint32_t netns;
    pthread_t thread;
    pthread_mutex_t lock; /* of all that follows */
    pthread_cond_t changed;
    bool ready, asked, stop;
    int result;
    struct pairs read; /* last, whole */
};

static void keep(void *context, const struct nat_pair *pair) {
    struct pairs *pairs = context;
    if (pairs->count == pairs->capacity) {
        size_t capacity = pairs->capacity ? pairs->capacity * 2 : 64;
        struct nat_pair *bigger = capacity > PAIRS_MAX ? NULL : realloc(pairs->list, capacity * sizeof(*bigger));
        if (!bigger)
            return; /* what is beyond is joined by its addresses, or not at all */
        pairs->list = bigger;
        pairs->capacity = capacity;
    }
    pairs->list[pairs->count++] = *pair;
}

static void say_ready(struct translations *translations, int result) {
    pthread_mutex_lock(&translations->lock);
    translations->ready = true;
    translations->result = result;
    pthread_cond_broadcast(&translations->changed);
    pthread_mutex_unlock(&translations->lock);
}

/* Sleeps until it is asked; false: the end. */
static bool wait_for_question(struct translations *translations) {
    pthread_mutex_lock(&translations->lock);
    while (!translations->asked && !translations->stop)
        pthread_cond_wait(&translations->changed, &translations->lock);
    translations->asked = false;
    bool go_on = !translations->stop;
    pthread_mutex_unlock(&translations->lock);
    return go_on;
}

static void *follow(void *context) {
    static const unsigned kept[] = {CAP_NET_ADMIN};
    struct translations *translations = context;
    struct conntrack *conntrack = NULL;
    char error[256];
    prctl(PR_SET_NAME, "conntrack");
    int result = privileges_confine(kept, 1, error, sizeof(error));
    if (!result)
        result = conntrack_new(translations->netns, &conntrack);
    say_ready(translations, result);
    /* It may not end before privileges are dropped, so that it waits for the end even if it has nothing to do. */
    while (wait_for_question(translations)) {
        struct pairs pairs = {0};
        if (conntrack)
            conntrack_show(conntrack, keep, &pairs);
        pthread_mutex_lock(&translations->lock);
        free(translations->read.list);
        translations->read = pairs;
        pthread_mutex_unlock(&translations->lock);
    }
    conntrack_free(conntrack);
    return NULL;
}

int translations_new(uint32_t netns, struct translations **ret_translations) {
    struct translations *translations = calloc(1, sizeof(*translations));
    if (!translations)
        return -ENOMEM;
    translations->netns = netns;
    pthread_mutex_init(&translations->lock, NULL);
    pthread_cond_init(&translations->changed, NULL);
    int result = -pthread_create(&translations->thread, NULL, follow, translations);
    if (result) {
        free(translations);
        return result;
    }
    pthread_mutex_lock(&translations->lock);
    while (!translations->ready)
        pthread_cond_wait(&translations->changed, &translations->lock);
    result = translations->result;
    pthread_mutex_unlock(&translations->lock);
    if (result) {
        translations_free(translations);
        return result;
    }
    *ret_translations = translations;
    return 0;
}

void translations_free(struct translations *translations) {
    if (!translations)
        return;
    pthread_mutex_lock(&translations->lock);
    translations->stop = true;
    pthread_cond_broadcast(&translations->changed);
    pthread_mutex_unlock(&translations->lock);
    pthread_join(translations->thread, NULL);
    free(translations->read.list);
    pthread_cond_destroy(&translations->changed);
    pthread_mutex_destroy(&translations->lock);
    free(translations);
}

void translations_ask(struct translations *translations) {
    if (!translations)
        return;
    pthread_mutex_lock(&translations->lock);
    translations->asked = true;
    pthread_cond_broadcast(&translations->changed);
    pthread_mutex_unlock(&translations->lock);
}

void translations_show(struct translations *translations, void (*visit)(void *context, const struct nat_pair *pair),
                       void *context) {
    if (!translations)
        return;
    pthread_mutex_lock(&translations->lock);
    for (size_t i = 0; i < translations->read.count; i++)
        visit(context, &translations->read.list[i]);
    pthread_mutex_unlock(&translations->lock);
}
