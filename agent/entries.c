/* SPDX-License-Identifier: Apache-2.0 */
#include "entries.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH_BYTES = 1 << 20, BATCH_LEAST = 64 /* a bucket that holds more is not read in a batch */ };

struct entries {
    int map;
    size_t key_size, value_size;
    uint32_t most; /* of a batch */
    bool single;   /* the kernel has no batches for this map */
    uint8_t *keys, *values;
};

int entries_new(int map_fd, size_t key_size, size_t value_size, struct entries **ret_entries) {
    struct entries *entries = calloc(1, sizeof(*entries));
    if (!entries)
        return -ENOMEM;
    size_t most = BATCH_BYTES / (key_size + value_size);
    *entries = (struct entries){
        .map = map_fd, .key_size = key_size, .value_size = value_size, .most = most < BATCH_LEAST ? BATCH_LEAST : most};
    entries->keys = calloc(entries->most, key_size);
    entries->values = calloc(entries->most, value_size);
    if (!entries->keys || !entries->values) {
        entries_free(entries);
        return -ENOMEM;
    }
    *ret_entries = entries;
    return 0;
}

void entries_free(struct entries *entries) {
    if (!entries)
        return;
    free(entries->keys);
    free(entries->values);
    free(entries);
}

/* The next key is taken before this one is shown and perhaps deleted. */
static int each_single(struct entries *entries, entries_visit visit, void *context) {
    uint8_t *key = entries->keys, *next = entries->keys + entries->key_size;
    int result = bpf_map_get_next_key(entries->map, NULL, key);
    while (!result) {
        result = bpf_map_get_next_key(entries->map, key, next);
        if (!bpf_map_lookup_elem(entries->map, key, entries->values))
            visit(context, key, entries->values);
        memcpy(key, next, entries->key_size);
    }
    return errno == ENOENT ? 0 : -errno;
}

int entries_each(struct entries *entries, entries_visit visit, void *context) {
    uint32_t place = 0, count;
    bool first = true;
    int result = 0;
    while (!result && !entries->single) {
        count = entries->most;
        result = bpf_map_lookup_batch(entries->map, first ? NULL : &place, &place, entries->keys, entries->values,
                                      &count, NULL);
        if (result && errno != ENOENT) {
            entries->single = first && errno != EINTR;
            if (!entries->single)
                return -errno;
            break;
        }
        for (uint32_t i = 0; i < count; i++)
            visit(context, entries->keys + i * entries->key_size, entries->values + i * entries->value_size);
        first = false;
    }
    return entries->single ? each_single(entries, visit, context) : 0;
}
