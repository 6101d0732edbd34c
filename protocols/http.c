/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.0 and HTTP/1.1. A message begins with its start line; of the header fields only the two that frame the body
 * are read. Lines are consumed one by one and nothing is kept, so a head may be of any size. Bodies are skipped.
 */
#include <string.h>

#include "protocols/protocol.h"
#include "protocols/template.h"

enum {
    LONGEST_METHOD = 20,
    LONGEST_START_LINE = 4096, /* of a longer one, the start is reported and the rest passed over */
    LONGEST_FIELD = 256,       /* a framing field that is longer than this is not understood */
    LONGEST_ENDPOINT = 256,
    STATUS_LINE_HEAD = 12, /* "HTTP/1.1 200" */
    QUEUE_LENGTH = 64,
};

enum step {
    STEP_START = 0,  /* before or in a start line */
    STEP_START_REST, /* in a start line that was reported already */
    STEP_FIELD,      /* at the start of a header field or of the empty line */
    STEP_FIELD_REST, /* in a field of no interest */
    STEP_BODY,       /* a skip was asked for: it has passed when parse() is called */
    STEP_CHUNK_SIZE,
    STEP_CHUNK_REST, /* after the size, up to the end of its line */
    STEP_CHUNK_DATA, /* as STEP_BODY, for one chunk */
    STEP_TRAILER,
    STEP_TRAILER_REST,
    STEP_LOST,
};

struct stream {
    uint8_t step; /* enum step */
    bool open;    /* begin() was called, end() was not */
    bool interim; /* a 1xx head: nothing is reported */
    bool bodiless;
    bool tunnels; /* the connection is no longer HTTP after this head */
    bool has_length;
    bool chunked;
    bool encoded; /* a Transfer-Encoding is there, chunked or not */
    bool broken;  /* the framing fields contradict each other or make no sense */
    uint8_t digits;
    uint64_t length; /* Content-Length, or the size of the current chunk */
};

/* `heads` and `connects` have a bit for each of the `waiting` oldest requests without an answer, oldest lowest. */
struct http_state {
    struct stream streams[2];
    uint64_t heads, connects;
    unsigned waiting;
    unsigned beyond; /* requests behind those, of unknown kind */
    bool seen;       /* a start line was understood: this is HTTP */
    bool may_switch; /* a CONNECT was sent: what follows may be anything */
    bool tunnel;
};
_Static_assert(sizeof(struct http_state) <= 512, "see struct protocol");

/* One call of parse(). */
struct cursor {
    struct http_state *state;
    struct stream *stream;
    struct parser_output *output;
    const char *at, *end;
    uint64_t skip;
    enum direction direction;
    enum parse_status status;
    bool gap_follows;
};

enum progress { GO_ON, STOP };

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_method_character(char c) {
    return (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
}

static bool is_version(const char *text) {
    return memcmp(text, "HTTP/1.", 7) == 0 && is_digit(text[7]);
}

/* `lower` is in lower case and consists of letters and '-'. */
static bool equals_ignoring_case(const char *text, const char *lower, size_t length) {
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        if ((c >= 'A' && c <= 'Z' ? c | 0x20 : c) != lower[i]) {
            return false;
        }
    }
    return true;
}

static void begin(struct cursor *cursor, const struct message *message) {
    cursor->stream->open = true;
    cursor->state->seen = true;
    cursor->output->begin(cursor->output, cursor->direction, message);
}

static void end_message(struct stream *stream, enum direction direction, struct parser_output *output) {
    if (stream->open) {
        stream->open = false;
        output->end(output, direction);
    }
}

static void finish(struct cursor *cursor) {
    end_message(cursor->stream, cursor->direction, cursor->output);
    *cursor->stream = (struct stream){0};
}

static enum progress lose(struct cursor *cursor) {
    cursor->stream->step = STEP_LOST;
    cursor->status = PARSE_LOST;
    cursor->at = cursor->end;
    return STOP;
}

static enum progress enter_tunnel(struct cursor *cursor) {
    cursor->state->tunnel = true;
    finish(cursor);
    cursor->at = cursor->end;
    cursor->skip = PARSE_SKIP_ALL;
    return STOP;
}

/* The start line is not one. */
static enum progress refuse(struct cursor *cursor) {
    if (cursor->direction == DIRECTION_REQUEST && cursor->state->may_switch) {
        return enter_tunnel(cursor);
    }
    if (cursor->state->seen) {
        return lose(cursor);
    }
    cursor->status = PARSE_ERROR;
    return STOP;
}

/* More bytes are needed; when none will come, the message is left open until turn(). */
static enum progress wait(struct cursor *cursor) {
    return cursor->gap_follows ? lose(cursor) : STOP;
}

static void queue_push(struct http_state *state, bool is_head, bool is_connect) {
    if (state->waiting == QUEUE_LENGTH || state->beyond > 0) {
        state->beyond += state->beyond < UINT32_MAX;
        return;
    }
    state->heads |= (uint64_t)is_head << state->waiting;
    state->connects |= (uint64_t)is_connect << state->waiting;
    state->waiting++;
}

static void queue_pop(struct http_state *state, bool *is_head, bool *is_connect) {
    *is_head = state->heads & 1;
    *is_connect = state->connects & 1;
    if (state->waiting > 0) {
        state->heads >>= 1;
        state->connects >>= 1;
        state->waiting--;
    } else if (state->beyond > 0) {
        state->beyond--;
    }
}

/* Keeps the newest `keep` (0 or 1) of the requests. */
static void queue_trim(struct http_state *state, unsigned keep) {
    unsigned drop = state->waiting > keep ? state->waiting - keep : 0;
    bool forget = state->beyond > 0 || drop == QUEUE_LENGTH;
    state->heads = forget ? 0 : state->heads >> drop;
    state->connects = forget ? 0 : state->connects >> drop;
    state->waiting -= drop;
    state->beyond = 0;
}

/* Without scheme, authority, query and fragment. */
static struct slice target_path(const char *target, const char *end, bool is_connect) {
    const char *path = target;
    size_t length = (size_t)(end - target);
    if (length == 0) {
        return (struct slice){0};
    }
    if (*target != '/') {
        const char *query = memchr(target, '?', length);
        const char *limit = query ? query : end;
        const char *scheme = memchr(target, ':', (size_t)(limit - target));
        bool absolute = scheme && limit - scheme >= 3 && scheme[1] == '/' && scheme[2] == '/';
        const char *authority = absolute ? scheme + 3 : target;
        if (absolute) {
            const char *slash = memchr(authority, '/', (size_t)(limit - authority));
            path = slash ? slash : limit;
        } else if (is_connect) {
            for (const char *at = authority; at < limit; at++) {
                path = *at == '@' ? at + 1 : path;
            }
        }
        end = limit;
    }
    const char *stop = path;
    while (stop < end && *stop != '?' && *stop != '#') {
        stop++;
    }
    if (stop == path) {
        return (struct slice){"/", 1};
    }
    return (struct slice){path, (size_t)(stop - path)};
}

/* `target` to `end` may be cut short: then `whole` is false, and the route is unknown. */
static void begin_request(struct cursor *cursor, struct slice method, const char *target, const char *end, bool whole) {
    char endpoint[LONGEST_ENDPOINT];
    bool is_connect = method.length == 7 && memcmp(method.data, "CONNECT", 7) == 0;
    bool is_head = method.length == 4 && memcmp(method.data, "HEAD", 4) == 0;
    struct message message = {.operation = method, .resource = target_path(target, end, is_connect)};
    if (!is_connect && whole) {
        message.endpoint.length =
            template_path(message.resource.data, message.resource.length, endpoint, LONGEST_ENDPOINT);
        message.endpoint.data = endpoint;
    }
    cursor->state->may_switch = is_connect;
    queue_push(cursor->state, is_head, is_connect);
    begin(cursor, &message);
}

/* Reads what there is of a request line. `line_end` is its line feed, or NULL if that is not there and will not be. */
static enum progress read_request_line(struct cursor *cursor, const char *line_end) {
    const char *line = cursor->at, *end = line_end ? line_end : cursor->end;
    const char *space = line;
    while (space < end && is_method_character(*space)) {
        space++;
    }
    struct slice method = {line, (size_t)(space - line)};
    if (space == end && !line_end && method.length <= LONGEST_METHOD) {
        return lose(cursor);
    }
    if (method.length == 0 || method.length > LONGEST_METHOD || space == end || *space != ' ') {
        return refuse(cursor);
    }
    const char *target = space + 1, *target_end;
    if (line_end) {
        end -= end > line && end[-1] == '\r';
        if (end - target < 10 || end[-9] != ' ' || !is_version(end - 8)) {
            return refuse(cursor);
        }
        target_end = end - 9;
    } else {
        target_end = memchr(target, ' ', (size_t)(end - target));
        target_end = target_end ? target_end : end;
    }
    bool whole = target_end < end || memchr(target, '?', (size_t)(target_end - target));
    begin_request(cursor, method, target, target_end, whole);
    cursor->stream->bodiless = false;
    return GO_ON;
}

static void begin_response(struct cursor *cursor, const char *code) {
    static const uint8_t statuses[10] = {STATUS_UNKNOWN,      STATUS_OK,           STATUS_OK,      STATUS_OK,
                                         STATUS_CLIENT_ERROR, STATUS_SERVER_ERROR, STATUS_UNKNOWN, STATUS_UNKNOWN,
                                         STATUS_UNKNOWN,      STATUS_UNKNOWN};
    struct stream *stream = cursor->stream;
    bool is_switch = memcmp(code, "101", 3) == 0;
    bool is_head, is_connect;
    if (code[0] == '1' && !is_switch) {
        stream->interim = true;
        cursor->state->seen = true;
        return;
    }
    queue_pop(cursor->state, &is_head, &is_connect);
    stream->tunnels = is_switch || (is_connect && code[0] == '2');
    stream->bodiless = is_head || memcmp(code, "204", 3) == 0 || memcmp(code, "304", 3) == 0;
    struct message message = {.status = statuses[code[0] - '0'], .code = {code, 3}};
    begin(cursor, &message);
}

static enum progress read_status_line(struct cursor *cursor, const char *line_end) {
    const char *line = cursor->at, *end = line_end ? line_end : cursor->end;
    size_t length = (size_t)(end - line);
    if (length < STATUS_LINE_HEAD && !line_end) {
        return lose(cursor);
    }
    if (length < STATUS_LINE_HEAD || !is_version(line) || line[8] != ' ' || !is_digit(line[9]) || !is_digit(line[10]) ||
        !is_digit(line[11]) || (length > STATUS_LINE_HEAD && is_digit(line[12]))) {
        return refuse(cursor);
    }
    begin_response(cursor, line + 9);
    return GO_ON;
}

/* Whether the bytes so far can still become a start line; keeps garbage from being waited for. */
static bool may_start(const struct cursor *cursor) {
    size_t length = (size_t)(cursor->end - cursor->at);
    if (cursor->direction == DIRECTION_RESPONSE) {
        return memcmp(cursor->at, "HTTP/1.", length < 7 ? length : 7) == 0;
    }
    size_t i = 0;
    while (i < length && i <= LONGEST_METHOD && is_method_character(cursor->at[i])) {
        i++;
    }
    return i == length || (i > 0 && i <= LONGEST_METHOD && cursor->at[i] == ' ');
}

static enum progress step_start(struct cursor *cursor) {
    while (cursor->at < cursor->end && (*cursor->at == '\r' || *cursor->at == '\n')) {
        cursor->at++;
    }
    size_t length = (size_t)(cursor->end - cursor->at);
    if (length == 0) {
        return STOP;
    }
    const char *line_end = memchr(cursor->at, '\n', length);
    bool cut = !line_end && (cursor->gap_follows || length > LONGEST_START_LINE);
    if (!line_end && !cut) {
        return may_start(cursor) ? STOP : refuse(cursor);
    }
    enum progress progress = cursor->direction == DIRECTION_REQUEST ? read_request_line(cursor, line_end)
                                                                    : read_status_line(cursor, line_end);
    if (progress == STOP) {
        return STOP;
    }
    cursor->at = line_end ? line_end + 1 : cursor->end;
    cursor->stream->step = line_end ? STEP_FIELD : STEP_START_REST;
    return GO_ON;
}

static void read_content_length(struct stream *stream, const char *value, const char *end) {
    uint64_t length = 0;
    stream->broken |= value == end;
    for (; value < end; value++) {
        if (!is_digit(*value) || length > (UINT64_MAX >> 5)) {
            stream->broken = true;
            return;
        }
        length = length * 10 + (uint64_t)(*value - '0');
    }
    stream->broken |= stream->has_length && stream->length != length;
    stream->has_length = true;
    stream->length = length;
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

static void read_transfer_encoding(struct stream *stream, const char *value, const char *end) {
    size_t length = (size_t)(end - value);
    stream->encoded = true;
    stream->chunked = length >= 7 && equals_ignoring_case(end - 7, "chunked", 7) &&
                      (length == 7 || end[-8] == ',' || is_blank(end[-8]));
}

/* Reads a field that frames the body; `end` is behind its last byte. */
static bool read_field(struct stream *stream, const char *line, const char *end, bool cut) {
    static const char content_length[] = "content-length:", transfer_encoding[] = "transfer-encoding:";
    size_t length = (size_t)(end - line);
    bool is_length = length >= 15 && line[14] == ':' && equals_ignoring_case(line, content_length, 15);
    bool is_encoding =
        !is_length && length >= 18 && line[17] == ':' && equals_ignoring_case(line, transfer_encoding, 18);
    if (!is_length && !is_encoding) {
        return false;
    }
    const char *value = line + (is_length ? 15 : 18);
    while (value < end && is_blank(*value)) {
        value++;
    }
    while (end > value && (is_blank(end[-1]) || end[-1] == '\r')) {
        end--;
    }
    if (cut) {
        stream->broken = true;
    } else if (is_length) {
        read_content_length(stream, value, end);
    } else {
        read_transfer_encoding(stream, value, end);
    }
    return true;
}

/* Passes over `length` bytes. Returns true when all of them were there. */
static bool pass(struct cursor *cursor, uint64_t length, enum step step) {
    uint64_t there = (uint64_t)(cursor->end - cursor->at);
    if (length <= there) {
        cursor->at += length;
        return true;
    }
    cursor->at = cursor->end;
    cursor->skip = length - there;
    cursor->stream->step = (uint8_t)step;
    return false;
}

static void start_chunk(struct stream *stream) {
    stream->step = STEP_CHUNK_SIZE;
    stream->length = 0;
    stream->digits = 0;
}

/* The empty line was read. */
static enum progress end_head(struct cursor *cursor) {
    struct stream *stream = cursor->stream;
    if (stream->tunnels) {
        return enter_tunnel(cursor);
    }
    if (stream->interim || stream->bodiless) {
        finish(cursor);
        return GO_ON;
    }
    bool until_close = stream->encoded ? !stream->chunked : !stream->has_length;
    if (stream->broken || (until_close && (stream->encoded || cursor->direction == DIRECTION_RESPONSE))) {
        return lose(cursor);
    }
    if (stream->chunked) {
        start_chunk(stream);
        return GO_ON;
    }
    if (!pass(cursor, stream->length, STEP_BODY)) {
        return STOP;
    }
    finish(cursor);
    return GO_ON;
}

/* Passes what is left of a line. */
static enum progress step_rest(struct cursor *cursor, enum step next) {
    const char *line_end = memchr(cursor->at, '\n', (size_t)(cursor->end - cursor->at));
    if (!line_end) {
        cursor->at = cursor->end;
        return wait(cursor);
    }
    cursor->at = line_end + 1;
    cursor->stream->step = (uint8_t)next;
    return GO_ON;
}

/* The line is not whole: keeps it only while it may be a field that matters, and is short. */
static enum progress step_part_of_field(struct cursor *cursor) {
    const char *line = cursor->at;
    size_t length = (size_t)(cursor->end - line);
    char first = *line | 0x20;
    bool matters = first == 'c' || first == 't' || *line == '\r';
    if (matters && length <= LONGEST_FIELD) {
        return wait(cursor);
    }
    if (matters) {
        read_field(cursor->stream, line, cursor->end, true);
    }
    cursor->stream->step = STEP_FIELD_REST;
    return GO_ON;
}

static enum progress step_field(struct cursor *cursor) {
    while (cursor->at < cursor->end) {
        const char *line = cursor->at;
        const char *line_end = memchr(line, '\n', (size_t)(cursor->end - line));
        if (!line_end) {
            return step_part_of_field(cursor);
        }
        cursor->at = line_end + 1;
        switch (*line) {
        case '\n':
            return end_head(cursor);
        case '\r':
            if (line + 1 == line_end) {
                return end_head(cursor);
            }
            break;
        case 'c':
        case 'C':
        case 't':
        case 'T':
            read_field(cursor->stream, line, line_end, false);
            break;
        default:
            break;
        }
    }
    return wait(cursor);
}

static int hex_digit(char c) {
    char lower = c | 0x20;
    return is_digit(c) ? c - '0' : lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

static enum progress step_chunk_size(struct cursor *cursor) {
    struct stream *stream = cursor->stream;
    for (; cursor->at < cursor->end; cursor->at++) {
        int digit = hex_digit(*cursor->at);
        if (digit < 0) {
            if (stream->digits == 0) {
                return lose(cursor);
            }
            stream->step = STEP_CHUNK_REST;
            return GO_ON;
        }
        if (stream->length >> 56) {
            return lose(cursor);
        }
        stream->length = stream->length << 4 | (uint64_t)digit;
        stream->digits = 1;
    }
    return wait(cursor);
}

static enum progress step_chunk_rest(struct cursor *cursor) {
    struct stream *stream = cursor->stream;
    enum progress progress = step_rest(cursor, STEP_TRAILER);
    if (progress == STOP || stream->length == 0) {
        return progress;
    }
    if (!pass(cursor, stream->length + 2, STEP_CHUNK_DATA)) {
        return STOP;
    }
    start_chunk(stream);
    return GO_ON;
}

static enum progress step_trailer(struct cursor *cursor) {
    const char *line = cursor->at;
    size_t length = (size_t)(cursor->end - line);
    if (length == 0 || (length == 1 && *line == '\r')) {
        return wait(cursor);
    }
    if (*line == '\n' || (*line == '\r' && line[1] == '\n')) {
        cursor->at += *line == '\n' ? 1 : 2;
        finish(cursor);
    } else {
        cursor->stream->step = STEP_TRAILER_REST;
    }
    return GO_ON;
}

static enum progress advance(struct cursor *cursor) {
    switch ((enum step)cursor->stream->step) {
    case STEP_START:
        return step_start(cursor);
    case STEP_START_REST:
    case STEP_FIELD_REST:
        return step_rest(cursor, STEP_FIELD);
    case STEP_FIELD:
        return step_field(cursor);
    case STEP_BODY:
        finish(cursor);
        return GO_ON;
    case STEP_CHUNK_SIZE:
        return step_chunk_size(cursor);
    case STEP_CHUNK_REST:
        return step_chunk_rest(cursor);
    case STEP_CHUNK_DATA:
        start_chunk(cursor->stream);
        return GO_ON;
    case STEP_TRAILER:
        return step_trailer(cursor);
    case STEP_TRAILER_REST:
        return step_rest(cursor, STEP_TRAILER);
    case STEP_LOST:
        break;
    }
    return lose(cursor);
}

static struct parse_result http_parse(void *state_memory, enum direction direction, const uint8_t *bytes, size_t length,
                                      bool gap_follows, struct parser_output *output) {
    struct http_state *state = state_memory;
    const char *text = length > 0 ? (const char *)bytes : "";
    struct cursor cursor = {
        .state = state,
        .stream = &state->streams[direction],
        .output = output,
        .at = text,
        .end = text + length,
        .direction = direction,
        .gap_follows = gap_follows,
    };
    if (state->tunnel) {
        enter_tunnel(&cursor);
    } else {
        while (advance(&cursor) == GO_ON) {
        }
    }
    return (struct parse_result){cursor.status, (size_t)(cursor.at - text), cursor.skip};
}

static void http_gap(void *state_memory, enum direction direction, struct parser_output *output) {
    struct http_state *state = state_memory;
    (void)output;
    state->streams[direction].step = STEP_LOST;
}

static void http_turn(void *state_memory, enum direction direction, struct parser_output *output) {
    struct http_state *state = state_memory;
    struct stream *stream = &state->streams[direction];
    end_message(stream, direction, output);
    *stream = (struct stream){0};
    queue_trim(state, direction == DIRECTION_RESPONSE);
}

static enum probe_verdict probe_request(const char *text, size_t length) {
    size_t i = 0;
    while (i < length && i <= LONGEST_METHOD && is_method_character(text[i])) {
        i++;
    }
    if (i == length && i <= LONGEST_METHOD) {
        return PROBE_MORE;
    }
    if (i < 3 || i > LONGEST_METHOD || text[i] != ' ') {
        return PROBE_NO;
    }
    const char *target = text + i + 1, *end = text + length;
    const char *line_end = memchr(target, '\n', (size_t)(end - target));
    if (!line_end) {
        return length < LONGEST_FIELD ? PROBE_MORE : *target == '/' ? PROBE_MAYBE : PROBE_NO;
    }
    line_end -= line_end > target && line_end[-1] == '\r';
    bool fits = line_end - target >= 10 && line_end[-9] == ' ' && is_version(line_end - 8);
    return fits ? PROBE_CERTAIN : PROBE_NO;
}

static enum probe_verdict probe_response(const char *text, size_t length) {
    static const char head[] = "HTTP/1.";
    if (memcmp(text, head, length < 7 ? length : 7) != 0) {
        return PROBE_NO;
    }
    if (length < STATUS_LINE_HEAD) {
        return PROBE_MORE;
    }
    bool fits = is_version(text) && text[8] == ' ' && is_digit(text[9]) && is_digit(text[10]) && is_digit(text[11]);
    return fits ? PROBE_CERTAIN : PROBE_NO;
}

static enum probe_verdict http_probe(enum direction direction, const uint8_t *bytes, size_t length) {
    if (length == 0) {
        return PROBE_MORE;
    }
    const char *text = (const char *)bytes;
    return direction == DIRECTION_REQUEST ? probe_request(text, length) : probe_response(text, length);
}

static const uint16_t ports[] = {80, 8080, 8000, 0};

const struct protocol protocol_http = {
    .id = PROTOCOL_HTTP,
    .name = "http",
    .state_size = sizeof(struct http_state),
    .ports = ports,
    .probe = http_probe,
    .parse = http_parse,
    .gap = http_gap,
    .turn = http_turn,
};
