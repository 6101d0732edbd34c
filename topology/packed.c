/* SPDX-License-Identifier: Apache-2.0 */
#include "packed.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    HEADER = 4 + 8,        /* length of the numbers, id */
    BUCKETS_MAX = 16 * 33, /* 1 us to 1 h are 32 doublings */
    ENDPOINTS_MAX = 200    /* of a sum; each window has ENDPOINT_LIMIT, but an hour of them may all differ */
};

static int reserve(struct packed *packed, size_t more) {
    if (packed->length + more <= packed->capacity)
        return 0;
    size_t capacity = (packed->capacity ? packed->capacity : 4096) * 2;
    while (capacity < packed->length + more)
        capacity *= 2;
    uint8_t *bytes = realloc(packed->bytes, capacity);
    if (!bytes)
        return -ENOMEM;
    packed->bytes = bytes;
    packed->capacity = capacity;
    return 0;
}

/* The most that `edge` can take: ten bytes to a number. */
static size_t bound(const struct edge_window *window) {
    size_t buckets = window->duration.length + window->client_duration.length;
    for (unsigned i = 0; i < window->endpoint_count; i++)
        buckets += window->endpoints[i].duration.length;
    if (window->packets)
        buckets += window->packets->rtt.length + window->packets->connect_latency.length + 20 +
                   DROP_LIMIT * (2 + DROP_LENGTH / 10);
    return HEADER + 10 * (17 + 2 * ERRNO_LIMIT + 10 + buckets) +
           (size_t)window->endpoint_count * (sizeof(struct endpoint) + 80);
}

static void put(struct packed *packed, uint64_t value) {
    for (; value >= 0x80; value >>= 7)
        packed->bytes[packed->length++] = (uint8_t)(value | 0x80);
    packed->bytes[packed->length++] = (uint8_t)value;
}

static void put_text(struct packed *packed, const char *text) {
    size_t length = strlen(text);
    put(packed, length);
    memcpy(packed->bytes + packed->length, text, length);
    packed->length += length;
}

static void put_histogram(struct packed *packed, const struct histogram *histogram) {
    put(packed, histogram->count ? histogram->length : 0);
    if (!histogram->count)
        return;
    put(packed, (uint32_t)histogram->offset);
    put(packed, histogram->sum);
    put(packed, histogram->min);
    put(packed, histogram->max);
    for (uint32_t i = 0; i < histogram->length; i++)
        put(packed, histogram->counts[i]);
}

static void put_packets(struct packed *packed, const struct edge_packets *packets) {
    char reason[DROP_LENGTH];
    put(packed, packets != NULL);
    if (!packets)
        return;
    put(packed, packets->request);
    put(packed, packets->response);
    put(packed, packets->retransmits);
    put(packed, packets->zero_windows);
    put_histogram(packed, &packets->rtt);
    put_histogram(packed, &packets->connect_latency);
    for (int i = 0; i < DROP_LIMIT && packets->drops[i].reason; i++) {
        snprintf(reason, sizeof(reason), "%s", packets->drops[i].reason);
        put_text(packed, reason);
        put(packed, packets->drops[i].packets);
    }
    put(packed, 0);
}

int packed_edge(struct packed *packed, const struct edge *edge) {
    const struct edge_window *window = &edge->window;
    if (reserve(packed, bound(window)))
        return -ENOMEM;
    size_t start = packed->length;
    packed->length += HEADER;
    const uint64_t numbers[] = {
        window->calls,    window->client_error,   window->server_error, window->timeout,       window->no_response,
        window->waiting,  window->lost,           window->late,         window->request_bytes, window->response_bytes,
        window->connects, edge->open_connections, edge->in_flight,      window->clients.count, window->clients.more};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
        put(packed, numbers[i]);
    for (int i = 0; i < ERRNO_LIMIT && window->failures[i].count; i++) {
        put(packed, window->failures[i].count);
        put(packed, (uint32_t)window->failures[i].error);
    }
    put(packed, 0);
    put_histogram(packed, &window->duration);
    put_histogram(packed, &window->client_duration);
    put_packets(packed, window->packets);
    put(packed, window->endpoint_count);
    for (unsigned i = 0; i < window->endpoint_count; i++) {
        put_text(packed, window->endpoints[i].operation);
        put_text(packed, window->endpoints[i].name);
        put(packed, window->endpoints[i].calls);
        put(packed, window->endpoints[i].errors);
        put_histogram(packed, &window->endpoints[i].duration);
    }
    uint32_t length = (uint32_t)(packed->length - start - HEADER);
    memcpy(packed->bytes + start, &length, sizeof(length));
    memcpy(packed->bytes + start + 4, &edge->id, sizeof(edge->id));
    return 0;
}

struct packed_cursor packed_block(const uint8_t *bytes, size_t length) {
    return (struct packed_cursor){bytes, bytes + length};
}

uint64_t packed_next(struct packed_cursor *block, struct packed_cursor *ret_edge) {
    uint32_t length;
    uint64_t id;
    if (block->at == block->end)
        return 0;
    memcpy(&length, block->at, sizeof(length));
    memcpy(&id, block->at + 4, sizeof(id));
    *ret_edge = (struct packed_cursor){block->at + HEADER, block->at + HEADER + length};
    block->at += HEADER + length;
    return id;
}

static uint64_t take(struct packed_cursor *cursor) {
    uint64_t value = 0;
    for (unsigned shift = 0; cursor->at < cursor->end; shift += 7) {
        uint8_t byte = *cursor->at++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            break;
    }
    return value;
}

static void take_text(struct packed_cursor *cursor, char *text, size_t size) {
    size_t length = take(cursor);
    size_t kept = length < size ? length : size - 1;
    memcpy(text, cursor->at, kept);
    text[kept] = '\0';
    cursor->at += length;
}

static void take_histogram(struct packed_cursor *cursor, struct histogram *into) {
    uint32_t counts[BUCKETS_MAX];
    struct histogram one = {.counts = counts, .length = take(cursor)};
    if (!one.length)
        return;
    one.offset = (int32_t)take(cursor);
    one.sum = take(cursor);
    one.min = take(cursor);
    one.max = take(cursor);
    for (uint32_t i = 0; i < one.length; i++) {
        counts[i] = (uint32_t)take(cursor);
        one.count += counts[i];
    }
    if (into)
        histogram_merge(into, &one);
}

static void add_failure(struct edge_sum *sum, int error, uint32_t count) {
    sum->failed += count;
    for (int i = 0; i < ERRNO_LIMIT; i++) {
        if (!sum->failures[i].count)
            sum->failures[i].error = error;
        if (sum->failures[i].error == error || i == ERRNO_LIMIT - 1) {
            sum->failures[i].count += count;
            return;
        }
    }
}

static void add_drop(struct edge_sum *sum, const char *reason, uint64_t packets) {
    struct drop_sum *drop = sum->drops, *last = drop + DROP_LIMIT - 1;
    while (drop < last && drop->reason[0] && strcmp(drop->reason, reason))
        drop++;
    if (strcmp(drop->reason, reason))
        snprintf(drop->reason, sizeof(drop->reason), "%s", drop == last ? "other" : reason);
    drop->packets += packets;
    sum->dropped += packets;
}

static void take_packets(struct packed_cursor *edge, struct edge_sum *sum) {
    char reason[DROP_LENGTH];
    if (!take(edge))
        return;
    sum->has_packets = true;
    sum->request_packets += take(edge);
    sum->response_packets += take(edge);
    sum->retransmits += take(edge);
    sum->zero_windows += take(edge);
    take_histogram(edge, &sum->rtt);
    take_histogram(edge, &sum->connect_latency);
    for (take_text(edge, reason, sizeof(reason)); reason[0]; take_text(edge, reason, sizeof(reason)))
        add_drop(sum, reason, take(edge));
}

static void merge_packets(struct edge_sum *into, const struct edge_sum *from) {
    into->has_packets |= from->has_packets;
    into->request_packets += from->request_packets;
    into->response_packets += from->response_packets;
    into->retransmits += from->retransmits;
    into->zero_windows += from->zero_windows;
    histogram_merge(&into->rtt, &from->rtt);
    histogram_merge(&into->connect_latency, &from->connect_latency);
    for (int i = 0; i < DROP_LIMIT && from->drops[i].reason[0]; i++)
        add_drop(into, from->drops[i].reason, from->drops[i].packets);
}

/* NULL when memory is refused. */
static struct endpoint_sum *find_endpoint(struct edge_sum *sum, const char *operation, const char *name) {
    for (size_t i = 0; i < sum->endpoint_count; i++)
        if (!strcmp(sum->endpoints[i].name, name) && !strcmp(sum->endpoints[i].operation, operation))
            return &sum->endpoints[i];
    if (sum->endpoint_count >= ENDPOINTS_MAX && strcmp(name, "other"))
        return find_endpoint(sum, "", "other");
    if (sum->endpoint_count == sum->endpoint_capacity) {
        size_t capacity = sum->endpoint_capacity ? sum->endpoint_capacity * 2 : 32;
        struct endpoint_sum *bigger = realloc(sum->endpoints, capacity * sizeof(*bigger));
        if (!bigger)
            return NULL;
        sum->endpoints = bigger;
        sum->endpoint_capacity = capacity;
    }
    struct endpoint_sum *endpoint = &sum->endpoints[sum->endpoint_count++];
    memset(endpoint, 0, sizeof(*endpoint));
    strcpy(endpoint->operation, operation);
    strcpy(endpoint->name, name);
    return endpoint;
}

static void merge_endpoints(struct packed_cursor *edge, struct edge_sum *sum) {
    char operation[sizeof(((struct endpoint_sum *)NULL)->operation)], name[ENDPOINT_LENGTH];
    for (uint64_t count = take(edge); count; count--) {
        take_text(edge, operation, sizeof(operation));
        take_text(edge, name, sizeof(name));
        uint64_t calls = take(edge), errors = take(edge);
        struct endpoint_sum *endpoint = find_endpoint(sum, operation, name);
        take_histogram(edge, endpoint ? &endpoint->duration : NULL);
        if (!endpoint)
            continue;
        endpoint->calls += calls;
        endpoint->errors += errors;
    }
}

void packed_merge(struct packed_cursor edge, struct edge_sum *sum, bool with_endpoints) {
    sum->calls += take(&edge);
    sum->client_error += take(&edge);
    sum->server_error += take(&edge);
    sum->timeout += take(&edge);
    sum->no_response += take(&edge);
    sum->waiting += take(&edge);
    sum->lost += take(&edge);
    sum->late += take(&edge);
    sum->request_bytes += take(&edge);
    sum->response_bytes += take(&edge);
    sum->connects += take(&edge);
    sum->open_connections = (uint32_t)take(&edge);
    sum->in_flight = (uint32_t)take(&edge);
    uint32_t addresses = (uint32_t)take(&edge);
    if (addresses > sum->client_addresses)
        sum->client_addresses = addresses;
    sum->client_addresses_more |= take(&edge) != 0;
    for (uint64_t count; (count = take(&edge));)
        add_failure(sum, (int)take(&edge), (uint32_t)count);
    take_histogram(&edge, &sum->duration);
    take_histogram(&edge, &sum->client_duration);
    take_packets(&edge, sum);
    if (with_endpoints)
        merge_endpoints(&edge, sum);
}

void edge_sum_add(struct edge_sum *into, const struct edge_sum *from) {
    into->calls += from->calls;
    into->client_error += from->client_error;
    into->server_error += from->server_error;
    into->timeout += from->timeout;
    into->no_response += from->no_response;
    into->waiting += from->waiting;
    into->lost += from->lost;
    into->late += from->late;
    into->request_bytes += from->request_bytes;
    into->response_bytes += from->response_bytes;
    into->connects += from->connects;
    for (int i = 0; i < ERRNO_LIMIT && from->failures[i].count; i++)
        add_failure(into, from->failures[i].error, from->failures[i].count);
    histogram_merge(&into->duration, &from->duration);
    histogram_merge(&into->client_duration, &from->client_duration);
    merge_packets(into, from);
}

void edge_sum_done(struct edge_sum *sum) {
    histogram_done(&sum->duration);
    histogram_done(&sum->client_duration);
    histogram_done(&sum->rtt);
    histogram_done(&sum->connect_latency);
    for (size_t i = 0; i < sum->endpoint_count; i++)
        histogram_done(&sum->endpoints[i].duration);
    free(sum->endpoints);
    *sum = (struct edge_sum){0};
}
