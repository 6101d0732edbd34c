/* SPDX-License-Identifier: Apache-2.0 */
#include "connection.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

enum {
    BUFFER_LIMIT = 16384,    /* bytes a parser may leave unconsumed in one direction */
    PENDING_LIMIT = 4096,    /* bytes kept per direction while the protocol is unknown */
    UNKNOWN_RECORDS = 16,    /* after these the connection is opaque */
    CALLS_OUTSTANDING = 256, /* unanswered requests kept per connection */
    SERVERS_KNOWN = 16384    /* addresses whose listener is remembered */
};

struct call {
    uint64_t id, start;
    enum message_status status;
    unsigned flags;
    bool answered, timed_out;
    char operation[16], endpoint[ENDPOINT_LENGTH];
};

struct stream {
    uint64_t next;    /* offset of the next byte to be seen */
    uint64_t counted; /* bytes up to here are in an edge, or from before this agent */
    uint64_t skip;    /* bytes the parser need not see */
    uint64_t began;   /* time of the first byte in the buffer */
    uint8_t *buffer;
    size_t length;
    bool known, lost; /* an offset was seen; framing is lost until the next turn */
    bool fits[PROTOCOL_COUNT];
};

struct end {
    uint64_t cookie; /* 0: this end is not on this host, or not seen */
    struct edge_end owner;
};

struct connection {
    struct parser_output output; /* first: the callbacks get back to the connection from it */
    struct connections *all;
    uint64_t isn, parsed_cookie, now;
    struct end client, server;
    uint8_t family, client_address[16], server_address[16], proof;
    uint16_t server_port;
    bool opaque, open_counted, connect_counted;
    uint32_t netns; /* of an end that is here */
    uint32_t lost, records;
    const struct protocol *protocol;
    uint64_t state[512 / 8];
    struct stream streams[2];
    struct call *calls; /* a ring of CALLS_OUTSTANDING, allocated at the first */
    uint32_t first_call, call_count, response_call;
    struct edge *edge;
};

struct connections {
    struct connection_options options;
    struct table by_cookie, by_isn;
    struct table servers; /* what was last known to listen at an address and port */
    struct connection_losses losses;
};

int connections_new(const struct connection_options *options, struct connections **ret_connections) {
    struct connections *all = calloc(1, sizeof(*all));
    if (!all)
        return -12;
    all->options = *options;
    all->by_cookie.limit = options->limit * 2;
    all->servers.limit = SERVERS_KNOWN;
    *ret_connections = all;
    return 0;
}

const struct connection_losses *connections_losses(const struct connections *connections) {
    return &connections->losses;
}

/* ---- edges ---- */

static void count_open(struct connection *c, int by) {
    if (c->edge && by > 0 && !c->open_counted)
        c->edge->open_connections++, c->open_counted = true;
    else if (c->edge && by < 0 && c->open_counted)
        c->edge->open_connections--, c->open_counted = false;
}

/* What listens at an address: so that a refused connect turns the edge red that the answered ones made. */
struct known_server {
    struct edge_end end;
    enum protocol_id protocol;
};

static uint64_t address_key(const uint8_t *address, uint8_t family, uint16_t port, uint32_t netns) {
    static const uint8_t loopback6[16] = {[15] = 1};
    struct {
        uint8_t address[16];
        uint32_t port, netns;
    } key = {.port = port};
    bool loopback = family == 4 ? address[0] == 127 : !memcmp(address, loopback6, 16);
    memcpy(key.address, address, family == 4 ? 4 : 16);
    key.netns = loopback ? netns : 0;
    uint64_t hash = XXH3_64bits(&key, sizeof(key));
    return hash ? hash : 1;
}

static void remember_server(struct connection *c, const struct edge_end *end) {
    struct table *servers = &c->all->servers;
    uint64_t key = address_key(c->server_address, c->family, c->server_port, c->netns);
    struct known_server *known = table_get(servers, key);
    if (!known) {
        known = calloc(1, sizeof(*known));
        if (!known || table_put(servers, key, known)) {
            free(known);
            c->all->losses.servers_forgotten++;
            return;
        }
    }
    known->end = *end;
    known->protocol = c->protocol ? c->protocol->id : known->protocol;
}

/* The edge of this connection's verdict; asked anew when the verdict or an end changes. */
static struct edge *edge_of(struct connection *c) {
    if (c->edge)
        return c->edge;
    const struct namer *namer = &c->all->options.namer;
    struct edge like = {.protocol = c->protocol ? c->protocol->id : PROTOCOL_UNKNOWN,
                        .server_port = c->server_port,
                        .family = c->family,
                        .proof = c->proof,
                        .client_here = c->client.cookie,
                        .server_here = c->server.cookie};
    memcpy(like.address, c->server_address, 16);
    like.client = like.client_here ? c->client.owner : namer->client(namer->context, c->client_address, c->family);
    like.server = like.server_here ? c->server.owner
                                   : namer->server(namer->context, c->server_address, c->family, c->server_port);
    if (like.server_here || c->protocol)
        remember_server(c, &like.server);
    c->edge = edges_get(c->all->options.edges, &like);
    return c->edge;
}

static void forget_edge(struct connection *c) {
    count_open(c, -1);
    c->edge = NULL;
}

/* Bytes and the connect go to the edge as soon as there is a verdict, and at the latest when the connection ends. */
static void account(struct connection *c) {
    struct edge *edge = edge_of(c);
    if (!edge)
        return;
    struct stream *request = &c->streams[DIRECTION_REQUEST], *response = &c->streams[DIRECTION_RESPONSE];
    edge->window.request_bytes += request->next - request->counted;
    edge->window.response_bytes += response->next - response->counted;
    request->counted = request->next;
    response->counted = response->next;
    if (!c->connect_counted)
        edge->window.connects++;
    c->connect_counted = true;
}

/* ---- calls ---- */

static struct call *call_at(struct connection *c, uint32_t index) {
    return &c->calls[(c->first_call + index) % CALLS_OUTSTANDING];
}

static void copy_slice(char *to, size_t size, struct slice from) {
    size_t length = from.length < size ? from.length : size - 1;
    memcpy(to, from.data ? from.data : "", length);
    to[length] = 0;
}

static void drop_calls(struct connection *c) {
    if (c->edge)
        c->edge->in_flight -= c->call_count;
    c->first_call = c->call_count = 0;
    c->response_call = UINT32_MAX;
}

static void complete(struct connection *c, const struct call *call, uint64_t end) {
    struct edge *edge = edge_of(c);
    if (!edge || call->timed_out)
        return;
    if (call->flags & MESSAGE_WAITING) {
        edge->window.waiting++;
        return;
    }
    uint64_t duration = end > call->start ? end - call->start : 0;
    bool failed = call->status == STATUS_SERVER_ERROR;
    edge->window.calls++;
    edge->window.client_error += call->status == STATUS_CLIENT_ERROR;
    edge->window.server_error += failed;
    struct histogram *total = c->server.cookie ? &edge->window.duration : &edge->window.client_duration;
    struct endpoint *endpoint = edge_endpoint(edge, call->operation, call->endpoint);
    endpoint->calls++;
    endpoint->errors += failed;
    if (call->flags & MESSAGE_ONEWAY)
        return;
    histogram_add(total, duration);
    histogram_add(&endpoint->duration, duration);
}

static void begin_request(struct connection *c, const struct message *message, uint64_t time) {
    if (!c->calls)
        c->calls = malloc(sizeof(*c->calls) * CALLS_OUTSTANDING);
    if (!c->calls || c->call_count == CALLS_OUTSTANDING) {
        c->all->losses.calls_dropped += c->calls != NULL;
        c->all->losses.memory += c->calls == NULL;
        return;
    }
    struct call *call = call_at(c, c->call_count++);
    call->id = message->id;
    call->start = time;
    call->flags = message->flags;
    call->status = STATUS_UNKNOWN;
    call->answered = call->timed_out = false;
    copy_slice(call->operation, sizeof(call->operation), message->operation);
    copy_slice(call->endpoint, sizeof(call->endpoint),
               message->endpoint.length ? message->endpoint : message->operation);
    struct edge *edge = edge_of(c);
    if (edge)
        edge->in_flight++;
}

static void pop_call(struct connection *c, uint32_t index) {
    if (index)
        *call_at(c, index) = *call_at(c, 0);
    c->first_call = (c->first_call + 1) % CALLS_OUTSTANDING;
    c->call_count--;
    if (c->edge)
        c->edge->in_flight--;
}

static void begin_response(struct connection *c, const struct message *message) {
    c->response_call = UINT32_MAX;
    for (uint32_t i = 0; i < c->call_count; i++) {
        struct call *call = call_at(c, i);
        if ((message->flags & MESSAGE_BY_ID) && call->id != message->id)
            continue;
        call->status = message->status;
        call->answered = true;
        c->response_call = i;
        return;
    }
}

static void on_begin(struct parser_output *output, enum direction direction, const struct message *message) {
    struct connection *c = (struct connection *)output;
    struct stream *stream = &c->streams[direction];
    if (direction == DIRECTION_REQUEST)
        begin_request(c, message, stream->length && stream->began ? stream->began : c->now);
    else
        begin_response(c, message);
}

static void on_end(struct parser_output *output, enum direction direction) {
    struct connection *c = (struct connection *)output;
    uint32_t index = direction == DIRECTION_RESPONSE ? c->response_call : c->call_count - 1;
    if (direction == DIRECTION_REQUEST && (!c->call_count || !(call_at(c, index)->flags & MESSAGE_ONEWAY)))
        return;
    if (index >= c->call_count)
        return;
    complete(c, call_at(c, index), c->now);
    pop_call(c, index);
    c->response_call = UINT32_MAX;
}

static void on_name(struct parser_output *output, struct slice host, const uint8_t *address, size_t length,
                    uint32_t ttl_seconds) {
    (void)output, (void)host, (void)address, (void)length, (void)ttl_seconds;
}

/* ---- bytes ---- */

static void lose(struct connection *c, enum direction direction) {
    c->streams[direction].lost = true;
    c->streams[direction].length = 0;
    c->streams[direction].skip = 0;
    if (c->protocol)
        c->protocol->gap(c->state, direction, &c->output);
}

static void withdraw(struct connection *c) {
    drop_calls(c);
    forget_edge(c);
    c->protocol = NULL;
    c->opaque = true;
}

/* Shows the parser `bytes`; gives how many it used, skips included. */
static size_t parse_some(struct connection *c, enum direction direction, const uint8_t *bytes, size_t length,
                         bool gap) {
    struct stream *stream = &c->streams[direction];
    size_t used = 0;
    while (!stream->lost && c->protocol) {
        uint64_t skip = stream->skip < length - used ? stream->skip : length - used;
        used += skip;
        if (stream->skip != PARSE_SKIP_ALL)
            stream->skip -= skip;
        if (stream->skip)
            break;
        struct parse_result result =
            c->protocol->parse(c->state, direction, bytes + used, length - used, gap, &c->output);
        if (result.status == PARSE_ERROR)
            withdraw(c);
        else if (result.status == PARSE_LOST)
            lose(c, direction);
        used += result.consumed;
        stream->skip = stream->lost ? 0 : result.skip;
        if (!result.skip && (!result.consumed || used >= length))
            break;
        if (result.skip && used >= length)
            break;
    }
    return used;
}

static void keep(struct connection *c, enum direction direction, const uint8_t *bytes, size_t length) {
    struct stream *stream = &c->streams[direction];
    if (stream->length + length > BUFFER_LIMIT) {
        lose(c, direction);
        return;
    }
    if (!stream->buffer && !(stream->buffer = malloc(BUFFER_LIMIT))) {
        c->all->losses.memory++;
        lose(c, direction);
        return;
    }
    if (!stream->length)
        stream->began = c->now;
    memcpy(stream->buffer + stream->length, bytes, length);
    stream->length += length;
}

static void feed(struct connection *c, enum direction direction, const uint8_t *bytes, size_t length, bool gap) {
    struct stream *stream = &c->streams[direction];
    if (stream->length) {
        keep(c, direction, bytes, length);
        if (stream->lost)
            return;
        size_t used = parse_some(c, direction, stream->buffer, stream->length, gap);
        if (stream->lost || !c->protocol)
            return;
        memmove(stream->buffer, stream->buffer + used, stream->length - used);
        stream->length -= used;
        if (used)
            stream->began = c->now;
        return;
    }
    size_t used = parse_some(c, direction, bytes, length, gap);
    if (!stream->lost && c->protocol && used < length && !gap)
        keep(c, direction, bytes + used, length - used);
}

/* The direction moved on to `offset` without showing its bytes. */
static void advance(struct connection *c, enum direction direction, uint64_t offset, uint64_t time) {
    struct stream *stream = &c->streams[direction];
    if (!stream->known || offset <= stream->next) {
        if (!stream->known && c->connect_counted)
            stream->counted = offset; /* found open: what went before is not ours to count */
        stream->next = stream->known ? stream->next : offset;
        stream->known = true;
        return;
    }
    uint64_t hidden = offset - stream->next, now = c->now;
    stream->next = offset;
    if (!c->protocol)
        return;
    if (stream->lost) {
        c->all->losses.bytes_missing += hidden;
        return;
    }
    c->now = time;
    if (stream->skip >= hidden && !stream->length) {
        if (stream->skip != PARSE_SKIP_ALL)
            stream->skip -= hidden;
        if (!stream->skip)
            parse_some(c, direction, NULL, 0, false);
    } else {
        c->all->losses.bytes_missing += hidden > stream->skip ? hidden - stream->skip : 0;
        lose(c, direction);
    }
    c->now = now;
}

/* A turn begins: what stayed open in the other direction ended with the turn before. */
static void find_framing(struct connection *c, enum direction direction, uint64_t time) {
    struct stream *stream = &c->streams[direction];
    if (!stream->lost || !c->protocol)
        return;
    uint64_t now = c->now;
    c->now = time;
    c->protocol->turn(c->state, direction, &c->output);
    c->now = now;
    stream->lost = false;
}

static void adopt(struct connection *c, const struct protocol *protocol) {
    forget_edge(c);
    c->protocol = protocol;
    memset(c->state, 0, sizeof(c->state));
    for (int d = 0; d < 2; d++) {
        struct stream *stream = &c->streams[d];
        if (!stream->length)
            continue;
        size_t used = parse_some(c, d, stream->buffer, stream->length, false);
        if (stream->lost || !c->protocol)
            continue;
        memmove(stream->buffer, stream->buffer + used, stream->length - used);
        stream->length -= used;
    }
}

/* Asks every protocol about the bytes so far; one that is certain, or fits both directions, is the verdict. */
static void infer(struct connection *c, enum direction direction, const uint8_t *bytes, size_t length) {
    struct stream *stream = &c->streams[direction];
    if (stream->length + length <= PENDING_LIMIT)
        keep(c, direction, bytes, length);
    if (stream->lost || !stream->length)
        return;
    for (int i = 0; protocols[i] && !c->protocol; i++) {
        if (protocols[i]->datagrams)
            continue;
        enum probe_verdict verdict = protocols[i]->probe(direction, stream->buffer, stream->length);
        stream->fits[protocols[i]->id] = verdict >= PROBE_MAYBE;
        if (verdict == PROBE_CERTAIN || (verdict == PROBE_MAYBE && c->streams[!direction].fits[protocols[i]->id]))
            adopt(c, protocols[i]);
    }
    if (!c->protocol && ++c->records >= UNKNOWN_RECORDS)
        c->opaque = true;
}

/* ---- records ---- */

static void connection_free(struct connection *c) {
    count_open(c, -1);
    drop_calls(c);
    free(c->streams[0].buffer);
    free(c->streams[1].buffer);
    free(c->calls);
    free(c);
}

static struct connection *connection_new(struct connections *all, const struct record_opened *record) {
    struct connection *c = calloc(1, sizeof(*c));
    if (!c) {
        all->losses.memory++;
        return NULL;
    }
    bool client = record->role == ROLE_CLIENT;
    c->output = (struct parser_output){on_begin, on_end, on_name};
    c->all = all;
    c->isn = record->isn;
    c->family = record->family == 2 ? 4 : 6;
    c->proof = record->proof;
    c->netns = record->owner.netns;
    c->connect_counted = record->proof == PROOF_LISTEN;
    c->response_call = UINT32_MAX;
    memcpy(c->client_address, client ? record->local_address : record->remote_address, 16);
    memcpy(c->server_address, client ? record->remote_address : record->local_address, 16);
    c->server_port = client ? record->remote_port : record->local_port;
    return c;
}

void connections_opened(struct connections *all, const struct record_opened *record) {
    struct connection *c = table_get(&all->by_cookie, record->cookie);
    bool again = c != NULL, made = false;
    if (!c)
        c = table_get(&all->by_isn, record->isn);
    if (!c) {
        c = connection_new(all, record);
        made = true;
    }
    if (!c)
        return;
    if (!again && table_put(&all->by_cookie, record->cookie, c)) {
        all->losses.connections_refused++;
        if (made)
            connection_free(c);
        return;
    }
    if (made)
        table_put(&all->by_isn, c->isn, c);
    struct end *end = record->role == ROLE_CLIENT ? &c->client : &c->server;
    end->cookie = record->cookie;
    end->owner = all->options.namer.owner(all->options.namer.context, &record->owner, record->command);
    if (record->role == ROLE_SERVER) { /* its own port, and its own address, are the truth behind any NAT */
        c->server_port = record->local_port;
    }
    forget_edge(c);
}

static void note_lost(struct connection *c, uint32_t lost) {
    if (lost <= c->lost)
        return;
    struct edge *edge = edge_of(c);
    if (edge)
        edge->window.lost += lost - c->lost;
    c->all->losses.lost_calls += lost - c->lost;
    c->lost = lost;
    drop_calls(c);
    for (int d = 0; d < 2; d++)
        if (c->protocol)
            lose(c, d), find_framing(c, d, c->now);
}

void connections_data(struct connections *all, const struct record_data *record, const uint8_t *bytes) {
    struct connection *c = table_get(&all->by_cookie, record->cookie);
    if (!c) {
        all->losses.unknown_socket++;
        return;
    }
    if (!c->parsed_cookie)
        c->parsed_cookie = record->cookie;
    if (c->parsed_cookie != record->cookie || c->opaque)
        return;
    bool client = record->cookie == c->client.cookie;
    enum direction direction = client == record->egress ? DIRECTION_REQUEST : DIRECTION_RESPONSE;
    struct stream *stream = &c->streams[direction];
    c->now = record->time;
    advance(c, !direction, record->other_offset, record->previous_turn_end ? record->previous_turn_end : record->time);
    advance(c, direction, record->offset, record->time);
    note_lost(c, record->lost);
    if (record->first && direction == DIRECTION_REQUEST)
        find_framing(c, DIRECTION_RESPONSE, record->previous_turn_end);
    if (record->first)
        find_framing(c, direction, record->time);
    bool gap = record->captured < record->length;
    if (!c->protocol)
        infer(c, direction, bytes, record->captured);
    else if (!stream->lost)
        feed(c, direction, bytes, record->captured, gap);
    stream->next = record->offset + record->captured;
    count_open(c, edge_of(c) ? 1 : 0);
    advance(c, direction, record->offset + record->length, record->time);
    if (c->protocol || c->opaque)
        account(c);
}

void connections_turns(struct connections *all, const struct record_turns *record) {
    struct connection *c = table_get(&all->by_cookie, record->cookie);
    struct edge *edge = c ? edge_of(c) : NULL;
    if (!edge) {
        all->losses.unknown_socket += c == NULL;
        return;
    }
    for (uint32_t i = 0; i < record->count && i < TURNS_PER_RECORD; i++)
        histogram_add(&edge->window.client_duration, record->durations[i]);
}

static void settle(struct connection *c, const struct record_closed *record, bool client) {
    c->now = record->last_time;
    advance(c, client ? DIRECTION_REQUEST : DIRECTION_RESPONSE, record->bytes_sent, record->last_time);
    advance(c, client ? DIRECTION_RESPONSE : DIRECTION_REQUEST, record->bytes_received, record->last_time);
    note_lost(c, record->lost);
    find_framing(c, DIRECTION_RESPONSE, record->last_time);
    struct edge *edge = edge_of(c);
    if (!edge)
        return;
    for (uint32_t i = 0; i < c->call_count; i++)
        if (!(call_at(c, i)->flags & MESSAGE_WAITING) && !call_at(c, i)->timed_out) {
            edge->window.calls++;
            edge->window.no_response++;
        }
    drop_calls(c);
    account(c);
}

void connections_closed(struct connections *all, const struct record_closed *record) {
    struct connection *c = table_remove(&all->by_cookie, record->cookie);
    if (!c) {
        all->losses.unknown_socket++;
        return;
    }
    bool client = record->cookie == c->client.cookie;
    uint64_t other = client ? c->server.cookie : c->client.cookie;
    /* The end that was parsed settles the connection; without bytes, the last end to go. */
    bool last = !other || !table_get(&all->by_cookie, other);
    if (record->cookie == c->parsed_cookie || (!c->parsed_cookie && last))
        settle(c, record, client);
    else if (!c->parsed_cookie) /* all it showed was lost, and the other end will not tell */
        note_lost(c, record->lost);
    if (last) {
        table_remove(&all->by_isn, c->isn);
        connection_free(c);
    }
}

void connections_failed(struct connections *all, const struct record_opened *record) {
    const struct namer *namer = &all->options.namer;
    struct edge like = {.server_port = record->remote_port,
                        .family = record->family == 2 ? 4 : 6,
                        .client_here = true,
                        .proof = record->proof};
    memcpy(like.address, record->remote_address, 16);
    like.client = namer->owner(namer->context, &record->owner, record->command);
    struct known_server *known = table_get(
        &all->servers, address_key(record->remote_address, like.family, record->remote_port, record->owner.netns));
    if (known) {
        like.server = known->end;
        like.protocol = known->protocol;
    } else {
        like.server = namer->server(namer->context, record->remote_address, like.family, record->remote_port);
    }
    struct edge *edge = edges_get(all->options.edges, &like);
    if (edge)
        edge_add_failure(edge, record->error);
}

static void time_out_calls(struct connection *c, uint64_t now, uint64_t limit) {
    for (uint32_t i = 0; i < c->call_count; i++) {
        struct call *call = call_at(c, i);
        struct edge *edge = edge_of(c);
        if (!edge || call->timed_out || call->answered || (call->flags & MESSAGE_WAITING) || call->start + limit > now)
            continue;
        call->timed_out = true;
        edge->window.calls++;
        edge->window.timeout++;
    }
}

void connections_tick(struct connections *all, uint64_t now) {
    for (size_t i = 0; i < all->by_cookie.capacity; i++) {
        struct connection *c = all->by_cookie.slots[i].value;
        if (c && c->call_count)
            time_out_calls(c, now, all->options.call_timeout_ns);
    }
}

void connections_free(struct connections *all) {
    if (!all)
        return;
    for (size_t i = 0; i < all->by_cookie.capacity; i++) {
        struct connection *c = all->by_cookie.slots[i].value;
        if (!c)
            continue;
        uint64_t other = c->client.cookie == all->by_cookie.slots[i].key ? c->server.cookie : c->client.cookie;
        if (!other || !table_get(&all->by_cookie, other) || other > all->by_cookie.slots[i].key)
            connection_free(c);
    }
    for (size_t i = 0; i < all->servers.capacity; i++)
        free(all->servers.slots[i].value);
    table_done(&all->servers);
    table_done(&all->by_cookie);
    table_done(&all->by_isn);
    free(all);
}
