/* SPDX-License-Identifier: Apache-2.0 */
#include "clients.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "table.h"

enum { FORGOTTEN_WINDOWS = 60 }; /* ten minutes of windows of 10 s */

struct server {
    struct table seen; /* by client; the value is the sequence it was last seen in, plus 1 */
    uint32_t swept;    /* the sequence in which those not seen for long were last taken out */
};

struct clients {
    pthread_mutex_t mutex;
    size_t limit;
    struct table servers;
};

int clients_new(size_t limit_per_server, struct clients **ret_clients) {
    struct clients *clients = calloc(1, sizeof(*clients));
    if (!clients)
        return -ENOMEM;
    pthread_mutex_init(&clients->mutex, NULL);
    clients->limit = limit_per_server;
    *ret_clients = clients;
    return 0;
}

void clients_free(struct clients *clients) {
    if (!clients)
        return;
    for (size_t i = 0; i < clients->servers.capacity; i++) {
        struct server *server = clients->servers.slots[i].value;
        if (server)
            table_done(&server->seen);
        free(server);
    }
    table_done(&clients->servers);
    pthread_mutex_destroy(&clients->mutex);
    free(clients);
}

static struct server *server_of(struct clients *clients, uint64_t id) {
    struct server *server = table_get(&clients->servers, id);
    if (server)
        return server;
    server = calloc(1, sizeof(*server));
    if (!server || table_put(&clients->servers, id, server)) {
        free(server);
        return NULL;
    }
    server->seen.limit = clients->limit;
    return server;
}

static void sweep(struct server *server, uint32_t sequence) {
    if (server->swept == sequence)
        return;
    server->swept = sequence;
    for (size_t i = 0; i < server->seen.capacity;) {
        const struct table_slot *slot = &server->seen.slots[i];
        if (slot->value && (uintptr_t)slot->value + FORGOTTEN_WINDOWS < (uintptr_t)sequence + 1)
            table_remove(&server->seen, slot->key); /* another may stand in its slot now */
        else
            i++;
    }
}

static bool admit(struct clients *clients, uint64_t server_id, uint64_t client, uint32_t sequence) {
    struct server *server = server_of(clients, server_id ? server_id : 1);
    void *now = (void *)((uintptr_t)sequence + 1);
    if (!server)
        return false;
    if (!table_put(&server->seen, client, now))
        return true;
    sweep(server, sequence);
    return !table_put(&server->seen, client, now);
}

bool clients_admit(struct clients *clients, uint64_t server, uint64_t client, uint32_t sequence) {
    pthread_mutex_lock(&clients->mutex);
    bool admitted = admit(clients, server, client ? client : 1, sequence);
    pthread_mutex_unlock(&clients->mutex);
    return admitted;
}
