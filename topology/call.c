/* SPDX-License-Identifier: Apache-2.0 */
#include "call.h"

#include <string.h>

struct call {
    uint64_t id, start;
    char operation[16], endpoint[ENDPOINT_LENGTH];
    uint8_t status, flags;
    bool answered, timed_out;
};

/* A ring, as large as the calls that waited at once so far; from the engine's pool. */
struct calls {
    uint32_t first, count, capacity;
    uint32_t response; /* the one whose answer is being read; UINT32_MAX: none */
    struct call at[];
};

static size_t bytes_for(uint32_t capacity) {
    return sizeof(struct calls) + capacity * sizeof(struct call);
}

static struct call *call_at(struct calls *calls, uint32_t index) {
    uint32_t place = calls->first + index;
    return &calls->at[place >= calls->capacity ? place - calls->capacity : place];
}

uint32_t calls_outstanding(const struct conversation *c) {
    return c->calls ? c->calls->count : 0;
}

uint32_t calls_in_flight(const struct conversation *c) {
    return c->timing ? 0 : calls_outstanding(c);
}

void calls_count_lost(struct engine *engine, struct conversation *c, uint32_t lost) {
    struct edge *edge = lost ? conversation_edge(engine, c) : NULL;
    engine->losses.lost_calls += lost;
    if (edge)
        edges_window(engine->edges, edge, engine->now)->lost += lost;
}

static void give_back(struct engine *engine, struct conversation *c) {
    if (c->calls)
        pool_give(&engine->pool, c->calls, bytes_for(c->calls->capacity));
    c->calls = NULL;
}

static struct calls *grow(struct engine *engine, struct conversation *c) {
    uint32_t count = calls_outstanding(c);
    size_t size = pool_size(bytes_for(count + 1));
    struct calls *bigger = pool_take(&engine->pool, size);
    if (!bigger)
        return NULL;
    bigger->first = 0;
    bigger->count = count;
    bigger->capacity = (size - sizeof(*bigger)) / sizeof(bigger->at[0]);
    bigger->response = c->calls ? c->calls->response : UINT32_MAX;
    for (uint32_t i = 0; i < count; i++)
        bigger->at[i] = *call_at(c->calls, i);
    give_back(engine, c);
    return c->calls = bigger;
}

static struct call *push(struct engine *engine, struct conversation *c) {
    struct calls *calls = c->calls;
    if (!calls || calls->count == calls->capacity) {
        if (calls && calls->count >= CALLS_OUTSTANDING) {
            engine->losses.calls_dropped++;
            return NULL;
        }
        calls = grow(engine, c);
        if (!calls) {
            engine->losses.memory++;
            return NULL;
        }
    }
    /* A datagram's other end may show itself yet, and with it the right edge. */
    struct edge *edge = c->transport == TRANSPORT_TCP ? conversation_edge(engine, c) : c->edge;
    if (edge && !c->timing)
        edge->in_flight++;
    return call_at(calls, calls->count++);
}

static void pop(struct engine *engine, struct conversation *c, uint32_t index) {
    struct calls *calls = c->calls;
    if (index)
        *call_at(calls, index) = *call_at(calls, 0);
    calls->first = calls->first + 1 == calls->capacity ? 0 : calls->first + 1;
    calls->count--;
    calls->response = UINT32_MAX;
    if (c->edge && !c->timing)
        c->edge->in_flight--;
    if (!calls->count)
        give_back(engine, c);
}

static void copy_slice(char *to, size_t size, struct slice from) {
    size_t length = from.length < size ? from.length : size - 1;
    memcpy(to, from.data ? from.data : "", length);
    to[length] = 0;
}

static void complete(struct engine *engine, struct conversation *c, const struct call *call, uint64_t end) {
    struct edge *edge = conversation_edge(engine, c);
    if (!edge || call->timed_out)
        return;
    uint64_t duration = end > call->start ? end - call->start : 0;
    if (c->timing) {
        if (!(call->flags & (MESSAGE_ONEWAY | MESSAGE_WAITING)))
            histogram_add(&edges_window(engine->edges, edge, end)->client_duration, duration);
        return;
    }
    if (call->flags & MESSAGE_WAITING) {
        edges_window(engine->edges, edge, end)->waiting++;
        return;
    }
    struct edge_window *window = edges_window_of_call(engine->edges, edge, end);
    bool failed = call->status == STATUS_SERVER_ERROR;
    window->calls++;
    window->client_error += call->status == STATUS_CLIENT_ERROR;
    window->server_error += failed;
    struct endpoint *endpoint = edge_endpoint(window, call->operation, call->endpoint);
    if (endpoint) {
        endpoint->calls++;
        endpoint->errors += failed;
    }
    if (call->flags & MESSAGE_ONEWAY)
        return;
    histogram_add(c->parsed == SIDE_SERVER ? &window->duration : &window->client_duration, duration);
    if (endpoint)
        histogram_add(&endpoint->duration, duration);
}

void calls_request(struct engine *engine, struct conversation *c, const struct message *message) {
    struct call *call = push(engine, c);
    c->requested = true;
    if (!call)
        return;
    call->id = message->id;
    call->start = engine->began;
    call->flags = message->flags;
    call->status = STATUS_UNKNOWN;
    call->answered = call->timed_out = false;
    copy_slice(call->operation, sizeof(call->operation), message->operation);
    copy_slice(call->endpoint, sizeof(call->endpoint),
               message->endpoint.length ? message->endpoint : message->operation);
}

/* An answer whose request was not shown: a call all the same, unless it is older than this agent or counted already. */
static void unmatched(struct engine *engine, struct conversation *c) {
    if (c->timing)
        return;
    bool excused = c->excused > 0, stream = c->transport == TRANSPORT_TCP;
    c->excused -= excused;
    engine->losses.unmatched_responses++;
    /* The kernel counts lost calls of streams; of datagrams, only how many were lost. */
    if (stream ? !excused && c->requested : excused)
        calls_count_lost(engine, c, 1);
}

void calls_response(struct engine *engine, struct conversation *c, const struct message *message) {
    struct calls *calls = c->calls;
    for (uint32_t i = 0; calls && i < calls->count; i++) {
        struct call *call = call_at(calls, i);
        if ((message->flags & MESSAGE_BY_ID) && (call->id != message->id || call->answered))
            continue;
        call->status = message->status;
        call->answered = true;
        calls->response = i;
        return;
    }
    if (calls)
        calls->response = UINT32_MAX;
    unmatched(engine, c);
}

void calls_end(struct engine *engine, struct conversation *c, enum direction direction) {
    struct calls *calls = c->calls;
    if (!calls)
        return;
    uint32_t index = direction == DIRECTION_RESPONSE ? calls->response : calls->count - 1;
    if (index >= calls->count)
        return;
    if (direction == DIRECTION_REQUEST && !(call_at(calls, index)->flags & MESSAGE_ONEWAY))
        return;
    complete(engine, c, call_at(calls, index), engine->now);
    pop(engine, c, index);
}

static bool counts(const struct call *call) {
    return !call->timed_out && !(call->flags & MESSAGE_WAITING);
}

uint32_t calls_drop(struct engine *engine, struct conversation *c) {
    uint32_t dropped = 0;
    for (uint32_t i = 0; i < calls_outstanding(c); i++)
        dropped += counts(call_at(c->calls, i));
    if (c->edge)
        c->edge->in_flight -= calls_in_flight(c);
    give_back(engine, c);
    return c->timing ? 0 : dropped;
}

void calls_abandon(struct engine *engine, struct conversation *c, uint32_t lost) {
    struct edge *edge = calls_outstanding(c) && !c->timing ? conversation_edge(engine, c) : NULL;
    uint32_t unanswered = calls_drop(engine, c);
    if (!edge || !unanswered)
        return;
    lost = lost < unanswered ? lost : unanswered;
    unanswered -= lost;
    calls_count_lost(engine, c, lost);
    struct edge_window *window = edges_window(engine->edges, edge, engine->now);
    window->calls += unanswered;
    window->no_response += unanswered;
}

static void time_out(struct engine *engine, struct conversation *c, uint64_t when, uint32_t *unexplained) {
    struct edge *edge = conversation_edge(engine, c);
    if (unexplained && *unexplained) {
        --*unexplained;
        engine->now = when;
        calls_count_lost(engine, c, 1);
    } else if (edge) {
        struct edge_window *window = edges_window_of_call(engine->edges, edge, when);
        window->calls++;
        window->timeout++;
    }
}

void calls_time_out(struct engine *engine, struct conversation *c, uint64_t now, uint32_t *unexplained) {
    uint64_t limit = engine->call_timeout_ns;
    for (uint32_t i = 0; i < calls_outstanding(c);) {
        struct call *call = call_at(c->calls, i++);
        if (call->answered || !counts(call) || call->start + limit > now)
            continue;
        call->timed_out = true;
        if (!c->timing)
            time_out(engine, c, call->start + limit, unexplained);
        if (c->transport != TRANSPORT_TCP) /* its place in the order tells nothing, so it need not be kept */
            pop(engine, c, --i);
    }
}
