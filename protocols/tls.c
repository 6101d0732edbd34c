/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS is recognised by its handshake and then left alone. The server name in the ClientHello is reported with no
 * address: it belongs to the address the connection was made to, which the engine knows.
 */
#include <string.h>

#include "protocols/protocol.h"

enum {
    RECORD_HEADER = 5,
    HANDSHAKE_HEADER = 4,
    PROBE_LENGTH = RECORD_HEADER + HANDSHAKE_HEADER + 2,
    LONGEST_RECORD = 16384,
    LONGEST_WAIT = 8192, /* a ClientHello is read once this much is there, whole or not */
    LONGEST_NAME = 253,
    RECORD_HANDSHAKE = 22,
    CLIENT_HELLO = 1,
    SERVER_HELLO = 2,
    RANDOM_LENGTH = 32,
    EXTENSION_SERVER_NAME = 0,
    NAME_TYPE_HOST = 0,
};

struct tls_state {
    bool done;
};

struct reader {
    const uint8_t *at;
    size_t left;
};

static bool read_number(struct reader *reader, size_t width, size_t *value) {
    if (reader->left < width) {
        return false;
    }
    *value = 0;
    for (size_t i = 0; i < width; i++) {
        *value = *value << 8 | reader->at[i];
    }
    reader->at += width;
    reader->left -= width;
    return true;
}

static bool read_skip(struct reader *reader, size_t length) {
    if (reader->left < length) {
        return false;
    }
    reader->at += length;
    reader->left -= length;
    return true;
}

/* Passes a run of bytes that is preceded by its length in `width` bytes. */
static bool read_skip_vector(struct reader *reader, size_t width) {
    size_t length;
    return read_number(reader, width, &length) && read_skip(reader, length);
}

static bool is_host(const uint8_t *name, size_t length) {
    if (length == 0 || length > LONGEST_NAME) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        uint8_t c = name[i], lower = c | 0x20;
        bool letter = lower >= 'a' && lower <= 'z';
        if (!letter && !(c >= '0' && c <= '9') && c != '-' && c != '.' && c != '_') {
            return false;
        }
    }
    return true;
}

/* The body of a server_name extension. */
static bool read_server_name(struct reader reader, struct slice *host) {
    size_t list_length, type, length;
    if (!read_number(&reader, 2, &list_length) || !read_number(&reader, 1, &type) ||
        !read_number(&reader, 2, &length) || type != NAME_TYPE_HOST || length > reader.left ||
        !is_host(reader.at, length)) {
        return false;
    }
    *host = (struct slice){(const char *)reader.at, length};
    return true;
}

/* `bytes` starts with a record that holds the start of a ClientHello, and may be cut anywhere. */
static bool find_server_name(const uint8_t *bytes, size_t length, struct slice *host) {
    struct reader reader = {bytes, length};
    size_t type, extension, extension_length;
    if (!read_skip(&reader, RECORD_HEADER) || !read_number(&reader, 1, &type) || type != CLIENT_HELLO ||
        !read_skip(&reader, 3 + 2 + RANDOM_LENGTH) || !read_skip_vector(&reader, 1) || !read_skip_vector(&reader, 2) ||
        !read_skip_vector(&reader, 1) || !read_skip(&reader, 2)) {
        return false;
    }
    while (read_number(&reader, 2, &extension) && read_number(&reader, 2, &extension_length)) {
        if (extension_length > reader.left) {
            return false;
        }
        if (extension == EXTENSION_SERVER_NAME) {
            return read_server_name((struct reader){reader.at, extension_length}, host);
        }
        read_skip(&reader, extension_length);
    }
    return false;
}

static bool fits(const uint8_t *bytes, size_t length) {
    size_t record = length >= RECORD_HEADER ? (size_t)bytes[3] << 8 | bytes[4] : RECORD_HEADER;
    return (length < 1 || bytes[0] == RECORD_HANDSHAKE) && (length < 2 || bytes[1] == 3) &&
           (length < 3 || bytes[2] <= 4) && record >= HANDSHAKE_HEADER && record <= LONGEST_RECORD &&
           (length < 6 || bytes[5] == CLIENT_HELLO || bytes[5] == SERVER_HELLO) && (length < 7 || bytes[6] == 0) &&
           (length < 10 || bytes[9] == 3) && (length < 11 || bytes[10] <= 4);
}

/* Either hello is accepted in either direction: which end connected may have been guessed. */
static enum probe_verdict tls_probe(enum direction direction, const uint8_t *bytes, size_t length) {
    (void)direction;
    if (!fits(bytes, length)) {
        return PROBE_NO;
    }
    return length < PROBE_LENGTH ? PROBE_MORE : PROBE_CERTAIN;
}

static struct parse_result tls_parse(void *state_memory, enum direction direction, const uint8_t *bytes, size_t length,
                                     bool gap_follows, struct parser_output *output) {
    struct tls_state *state = state_memory;
    struct slice host;
    if (direction == DIRECTION_REQUEST && !state->done && fits(bytes, length)) {
        size_t record = length < RECORD_HEADER ? LONGEST_WAIT : RECORD_HEADER + ((size_t)bytes[3] << 8 | bytes[4]);
        if (length < record && length < LONGEST_WAIT && !gap_follows) {
            return (struct parse_result){PARSE_OK, 0, 0};
        }
        state->done = true;
        if (output->name && find_server_name(bytes, length < record ? length : record, &host)) {
            output->name(output, host, NULL, 0, 0);
        }
    }
    return (struct parse_result){PARSE_OK, length, PARSE_SKIP_ALL};
}

static void tls_gap(void *state, enum direction direction, struct parser_output *output) {
    (void)direction;
    (void)output;
    ((struct tls_state *)state)->done = true;
}

static void tls_turn(void *state, enum direction direction, struct parser_output *output) {
    (void)state;
    (void)direction;
    (void)output;
}

static const uint16_t ports[] = {443, 8443, 0};

const struct protocol protocol_tls = {
    .id = PROTOCOL_TLS,
    .name = "tls",
    .state_size = sizeof(struct tls_state),
    .ports = ports,
    .probe = tls_probe,
    .parse = tls_parse,
    .gap = tls_gap,
    .turn = tls_turn,
};
