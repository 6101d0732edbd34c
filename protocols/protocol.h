/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an application protocol is to weft.
 *
 * A parser is one file with one `struct protocol`. It gets bytes of one direction of one connection, in order, and
 * reports messages; it has no clock, does no I/O and allocates nothing. Everything it must remember between two
 * calls lives in a zeroed state of `state_size` bytes that the engine owns (one per connection, both directions).
 *
 * Life of a connection, as the parser sees it:
 *   probe()  while the protocol is unknown, with the head of what was seen so far in one direction
 *   parse()  with contiguous bytes; the engine keeps what the parser did not consume and presents it again with more
 *   gap()    when bytes are missing and no skip covers them (they were not copied, or were lost)
 *   turn()   when the peer starts to speak after this direction was left in a gap: framing is found again here
 *
 * Times, matching of responses to requests, timeouts and counting belong to the engine.
 * One worker thread owns a connection; parsers need no locks and must not use static mutable data.
 */
#ifndef WEFT_PROTOCOLS_PROTOCOL_H
#define WEFT_PROTOCOLS_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum direction {
    DIRECTION_REQUEST = 0,  /* from the end that connected to the end that accepted */
    DIRECTION_RESPONSE = 1, /* the other way */
};

enum protocol_id {
    PROTOCOL_UNKNOWN = 0, /* an edge of the transport only: "tcp" or "udp" */
    PROTOCOL_HTTP,
    PROTOCOL_REDIS,
    PROTOCOL_POSTGRESQL,
    PROTOCOL_DNS,
    PROTOCOL_TLS,
    PROTOCOL_COUNT,
};

/* A run of bytes owned by somebody else; valid only during the call that shows it. */
struct slice {
    const char *data;
    size_t length;
};

enum probe_verdict {
    PROBE_NO,      /* these bytes are not this protocol */
    PROBE_MORE,    /* too few bytes to say */
    PROBE_MAYBE,   /* fits, but so would others: the engine wants the other direction to fit too */
    PROBE_CERTAIN, /* nothing else looks like this */
};

enum message_status {
    STATUS_OK,
    STATUS_CLIENT_ERROR, /* the request's fault, by the protocol's own meaning */
    STATUS_SERVER_ERROR,
    STATUS_UNKNOWN, /* the answer was not understood, or its head is missing */
};

enum message_flag {
    MESSAGE_ONEWAY = 1 << 0,  /* a request that has no answer by the protocol's rules */
    MESSAGE_WAITING = 1 << 1, /* a request that waits by its meaning (BLPOP, a subscription): kept out of histograms */
    MESSAGE_BY_ID = 1 << 2,   /* match by `id`, not by order */
};

/*
 * One message. A request carries operation, resource and endpoint; a response carries status and code.
 * `endpoint` is what calls are grouped by (empty: the engine uses `operation`); it must hold no literal, value or
 * query string. `resource` is redacted already. Slices may point into the parsed bytes or into the state.
 */
struct message {
    uint64_t id;
    unsigned flags; /* enum message_flag */
    enum message_status status;
    struct slice operation;
    struct slice resource;
    struct slice endpoint;
    struct slice code;
};

/*
 * Where a parser reports. begin() when a message's head is understood; end() when its last byte has been consumed
 * or skipped (right away for a message without body). Exactly one end() per begin(), in order within a direction.
 * name() tells that `address` (4 or 16 bytes, network order) was resolved from, or reached under, `host`; of length 0,
 * that this connection's server was reached under it.
 */
struct parser_output {
    void (*begin)(struct parser_output *self, enum direction direction, const struct message *message);
    void (*end)(struct parser_output *self, enum direction direction);
    void (*name)(struct parser_output *self, struct slice host, const uint8_t *address, size_t address_length,
                 uint32_t ttl_seconds);
};

enum parse_status {
    PARSE_OK,    /* consumed what it could; call again when more bytes are there */
    PARSE_LOST,  /* framing lost in this direction: the engine drops bytes until turn() */
    PARSE_ERROR, /* this is not the protocol after all: the verdict is withdrawn */
};

/*
 * `consumed` <= length; what follows is kept (at most 16 KiB) and shown again, with more bytes behind it.
 * `skip`: that many bytes after `consumed` need not be seen (a body); parse() is called again when they have passed,
 * with length 0 if nothing follows yet. A skip of PARSE_SKIP_ALL lasts until the connection ends.
 */
#define PARSE_SKIP_ALL UINT64_MAX
struct parse_result {
    enum parse_status status;
    size_t consumed;
    uint64_t skip;
};

struct protocol {
    enum protocol_id id;
    const char *name;      /* as in records: "http" */
    size_t state_size;     /* at most 512 bytes */
    bool datagrams;        /* parse() is shown one whole datagram at a time (UDP), never a remainder */
    const uint16_t *ports; /* zero-terminated; break ties only, never decide */

    enum probe_verdict (*probe)(enum direction direction, const uint8_t *bytes, size_t length);

    /* `gap_follows`: the byte after these is missing; make the best of what is there, more will not come. */
    struct parse_result (*parse)(void *state, enum direction direction, const uint8_t *bytes, size_t length,
                                 bool gap_follows, struct parser_output *output);

    /* Bytes are missing here (count unknown when 0). An open message is ended by the parser or at turn(). */
    void (*gap)(void *state, enum direction direction, struct parser_output *output);

    /* The next byte of `direction` starts a new turn after a gap: forget partial framing, end open messages. */
    void (*turn)(void *state, enum direction direction, struct parser_output *output);
};

extern const struct protocol protocol_http;
extern const struct protocol protocol_redis;
extern const struct protocol protocol_postgresql;
extern const struct protocol protocol_dns;
extern const struct protocol protocol_tls;

/* All of them, NULL-terminated, in the order they are asked. */
extern const struct protocol *const protocols[];

const char *protocol_name(enum protocol_id id); /* NULL for PROTOCOL_UNKNOWN */

#endif
