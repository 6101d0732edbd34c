/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PostgreSQL, protocol 3. A call is one simple Query (or FunctionCall) or one Execute. What the server owes is kept
 * as groups, one for each ReadyForQuery to come: a Query is a group, and so is everything up to a Sync.
 * A response is reported when its outcome is known, which is at its end, or at the error.
 */
#include "protocols/protocol.h"
#include "protocols/sql.h"

#include <string.h>

#define GROUPS_MAX 48
#define GROUP_QUERY UINT16_MAX
#define STATEMENTS_MAX 16
#define QUERY_WINDOW 2048 /* how much of a statement is waited for */
#define ERROR_WINDOW 1024
#define HEADER_SIZE 5
#define MESSAGE_MAX (1u << 30)
#define STARTUP_MAX 10000
#define KEYWORD_MAX 24
#define VERSION_CANCEL 80877102u
#define VERSION_SSL 80877103u
#define VERSION_GSS 80877104u

struct flow {
    bool begun; /* the message whose body is being skipped was reported by begin() */
    bool lost;
};

struct postgresql_state {
    struct flow flows[2];
    bool typed;         /* the start of the request direction is over, messages have types */
    bool byte_answer;   /* the server's next byte answers an SSLRequest or GSSENCRequest */
    bool encrypted;     /* the rest is not for us */
    bool starting;      /* the ReadyForQuery of the start is still to come */
    bool tail_open;     /* the last group has had no Sync yet */
    bool errored;       /* the first group has had its error */
    bool answering;     /* the first group has had some answer */
    bool failed_call;   /* the Query of the first group was begun with an error, its end is to come */
    bool finished_call; /* ... and its end was reported, too */
    bool bound;         /* `portal` and `bound_statement` are known */
    bool parsed;        /* `text` is the statement `parsed_statement` */
    uint8_t next_statement;
    uint8_t text_length;
    uint8_t group_count;
    uint8_t operations[STATEMENTS_MAX];
    uint32_t statements[STATEMENTS_MAX]; /* hashes of names */
    uint32_t portal;
    uint32_t bound_statement;
    uint32_t parsed_statement;
    uint16_t groups[GROUPS_MAX]; /* Executes still to be answered, or GROUP_QUERY; the first is being answered */
    char text[SQL_TEXT_MAX];
};

/* A message at hand: `there` bytes of the body are visible of `size`. */
struct packet {
    uint8_t type;
    const uint8_t *body;
    size_t there;
    size_t size;
};

/* Operations that the table of statements can hold, by index; 0 is none. */
static const char *const keywords[] = {
    "EXECUTE", "SELECT", "INSERT",  "UPDATE",  "DELETE", "WITH",       "MERGE",     "BEGIN",   "COMMIT",  "ROLLBACK",
    "SET",     "SHOW",   "VALUES",  "CALL",    "COPY",   "TRUNCATE",   "LOCK",      "START",   "CREATE",  "ALTER",
    "DROP",    "FETCH",  "DECLARE", "CLOSE",   "LISTEN", "NOTIFY",     "UNLISTEN",  "DO",      "EXPLAIN", "VACUUM",
    "ANALYZE", "END",    "REFRESH", "DISCARD", "RESET",  "DEALLOCATE", "SAVEPOINT", "RELEASE", "TABLE",   "PREPARE",
};

static uint32_t get32(const uint8_t *bytes) {
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static struct slice slice_of(const char *text) {
    return (struct slice){text, strlen(text)};
}

/* The zero-terminated text at `*at`, moving past it; false when its end is not there. */
static bool read_text(const struct packet *packet, size_t *at, struct slice *text) {
    if (*at >= packet->there)
        return false;
    const uint8_t *start = packet->body + *at;
    const uint8_t *end = memchr(start, 0, packet->there - *at);
    if (end == NULL)
        return false;
    *text = (struct slice){(const char *)start, (size_t)(end - start)};
    *at += text->length + 1;
    return true;
}

static uint32_t hash_name(struct slice name) {
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < name.length; i++)
        hash = (hash ^ (uint8_t)name.data[i]) * 16777619u;
    return hash;
}

/* --- groups --- */

static bool add_group(struct postgresql_state *state, uint16_t group) {
    if (state->group_count == GROUPS_MAX)
        return false;
    state->groups[state->group_count++] = group;
    return true;
}

/* The group that the extended protocol's messages belong to until the next Sync. */
static bool open_tail(struct postgresql_state *state) {
    if (!state->tail_open && !add_group(state, 0))
        return false;
    state->tail_open = true;
    return true;
}

static bool note_query(struct postgresql_state *state) {
    state->tail_open = false;
    return add_group(state, GROUP_QUERY);
}

static bool note_execute(struct postgresql_state *state) {
    if (!open_tail(state) || state->groups[state->group_count - 1] >= GROUP_QUERY - 1)
        return false;
    state->groups[state->group_count - 1]++;
    return true;
}

static bool note_sync(struct postgresql_state *state) {
    if (!open_tail(state))
        return false;
    state->tail_open = false;
    return true;
}

static void drop_group(struct postgresql_state *state) {
    if (state->group_count > 0) {
        state->group_count--;
        memmove(state->groups, state->groups + 1, state->group_count * sizeof *state->groups);
        if (state->group_count == 0)
            state->tail_open = false;
    }
    state->errored = state->answering = state->failed_call = state->finished_call = false;
}

/* --- requests --- */

static void begin_call(struct postgresql_state *state, struct slice operation, struct slice text,
                       struct parser_output *output) {
    struct message message = {.operation = operation, .resource = text, .endpoint = text};
    if (operation.length == 17 && memcmp(operation.data, "START_REPLICATION", 17) == 0)
        message.flags = MESSAGE_WAITING;
    state->flows[DIRECTION_REQUEST].begun = true;
    output->begin(output, DIRECTION_REQUEST, &message);
}

static void begin_text(struct postgresql_state *state, struct slice text, struct parser_output *output) {
    char word[KEYWORD_MAX];
    size_t size = sql_keyword(text.data, text.length, word, sizeof word);
    begin_call(state, size > 0 ? (struct slice){word, size} : slice_of("QUERY"), text, output);
}

static bool take_query(struct postgresql_state *state, const struct packet *packet, struct parser_output *output) {
    char text[SQL_TEXT_MAX];
    size_t length = sql_normalise((const char *)packet->body, packet->there, text, sizeof text);
    if (!note_query(state))
        return false;
    begin_text(state, (struct slice){text, length}, output);
    return true;
}

static size_t find_statement(const struct postgresql_state *state, uint32_t hash) {
    size_t i = 0;
    while (i < STATEMENTS_MAX && !(state->operations[i] != 0 && state->statements[i] == hash))
        i++;
    return i;
}

static void remember_statement(struct postgresql_state *state, uint32_t hash, const char *word, size_t size) {
    size_t slot = find_statement(state, hash);
    if (slot == STATEMENTS_MAX) {
        slot = state->next_statement;
        state->next_statement = (uint8_t)((slot + 1) % STATEMENTS_MAX);
    }
    state->statements[slot] = hash;
    state->operations[slot] = 0;
    for (size_t i = 1; i < sizeof keywords / sizeof *keywords; i++) {
        if (strlen(keywords[i]) == size && memcmp(keywords[i], word, size) == 0)
            state->operations[slot] = (uint8_t)i;
    }
}

static void take_parse(struct postgresql_state *state, const struct packet *packet) {
    struct slice name;
    char word[KEYWORD_MAX];
    size_t at = 0;
    if (!read_text(packet, &at, &name))
        return;
    const char *text = (const char *)packet->body + at;
    const char *end = memchr(text, 0, packet->there - at);
    size_t length = end != NULL ? (size_t)(end - text) : packet->there - at;
    state->text_length = (uint8_t)sql_normalise(text, length, state->text, sizeof state->text);
    state->parsed_statement = hash_name(name);
    state->parsed = true;
    size_t size = sql_keyword(text, length, word, sizeof word);
    remember_statement(state, state->parsed_statement, word, size);
}

static void take_bind(struct postgresql_state *state, const struct packet *packet) {
    struct slice portal, statement;
    size_t at = 0;
    state->bound = read_text(packet, &at, &portal) && read_text(packet, &at, &statement);
    if (state->bound) {
        state->portal = hash_name(portal);
        state->bound_statement = hash_name(statement);
    }
}

static bool take_execute(struct postgresql_state *state, const struct packet *packet, struct parser_output *output) {
    struct slice portal;
    size_t at = 0, slot = STATEMENTS_MAX;
    if (!note_execute(state))
        return false;
    bool known = state->bound && read_text(packet, &at, &portal) && hash_name(portal) == state->portal;
    if (known && state->parsed && state->parsed_statement == state->bound_statement) {
        begin_text(state, (struct slice){state->text, state->text_length}, output);
        return true;
    }
    if (known)
        slot = find_statement(state, state->bound_statement);
    begin_call(state, slice_of(keywords[slot < STATEMENTS_MAX ? state->operations[slot] : 0]), (struct slice){NULL, 0},
               output);
    return true;
}

static bool take_request(struct postgresql_state *state, const struct packet *packet, struct parser_output *output) {
    switch (packet->type) {
    case 'Q':
        return take_query(state, packet, output);
    case 'F':
        if (!note_query(state))
            return false;
        begin_call(state, slice_of("FUNCTION"), (struct slice){NULL, 0}, output);
        return true;
    case 'P':
        take_parse(state, packet);
        return open_tail(state);
    case 'B':
        take_bind(state, packet);
        return open_tail(state);
    case 'D':
    case 'C':
        return open_tail(state);
    case 'E':
        return take_execute(state, packet, output);
    case 'S':
        return note_sync(state);
    default:
        return true;
    }
}

/* --- responses --- */

static void begin_answer(enum message_status status, struct slice code, struct parser_output *output) {
    struct message message = {.status = status, .code = code};
    output->begin(output, DIRECTION_RESPONSE, &message);
}

static void answer(enum message_status status, struct slice code, struct parser_output *output) {
    begin_answer(status, code, output);
    output->end(output, DIRECTION_RESPONSE);
}

static const struct slice no_code = {"", 0};

static bool is_query_group(const struct postgresql_state *state) {
    return state->group_count > 0 && state->groups[0] == GROUP_QUERY;
}

static void take_complete(struct postgresql_state *state, struct parser_output *output) {
    if (state->group_count == 0 || is_query_group(state) || state->groups[0] == 0 || state->errored)
        return;
    state->groups[0]--;
    answer(STATUS_OK, no_code, output);
}

/* The fields of an error that matter: SQLSTATE, and whether the connection ends with it. */
static struct slice read_error(const struct packet *packet, bool *fatal) {
    struct slice code = no_code, text;
    size_t at = 0;
    *fatal = false;
    while (at < packet->there && packet->body[at] != 0) {
        uint8_t field = packet->body[at++];
        if (!read_text(packet, &at, &text))
            break;
        if (field == 'C' && text.length == 5)
            code = text;
        if (field == 'V' || field == 'S')
            *fatal |= text.length == 5 && (memcmp(text.data, "FATAL", 5) == 0 || memcmp(text.data, "PANIC", 5) == 0);
    }
    for (size_t i = 0; i < code.length; i++) {
        char c = code.data[i];
        if (!(c >= '0' && c <= '9') && !(c >= 'A' && c <= 'Z'))
            return no_code;
    }
    return code;
}

static enum message_status code_status(struct slice code) {
    static const char classes[][3] = {"53", "57", "58", "XX"};
    if (code.length != 5)
        return STATUS_UNKNOWN;
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
        if (memcmp(code.data, classes[i], 2) == 0)
            return STATUS_SERVER_ERROR;
    }
    return STATUS_CLIENT_ERROR;
}

static void take_error(struct postgresql_state *state, const struct packet *packet, struct parser_output *output) {
    bool fatal;
    struct slice code = read_error(packet, &fatal);
    if (state->group_count == 0 || state->errored || state->starting)
        return;
    state->errored = true;
    if (!is_query_group(state)) {
        if (state->groups[0] > 0) {
            state->groups[0]--;
            answer(code_status(code), code, output);
        }
        return;
    }
    begin_answer(code_status(code), code, output);
    state->failed_call = true;
    if (fatal) {
        output->end(output, DIRECTION_RESPONSE);
        state->finished_call = true;
    }
}

/* ReadyForQuery: whatever the first group still owes was skipped by the server. */
static void take_ready(struct postgresql_state *state, struct parser_output *output) {
    if (state->starting) {
        state->starting = false;
        return;
    }
    if (state->group_count == 0)
        return;
    if (is_query_group(state)) {
        if (!state->failed_call)
            answer(STATUS_OK, no_code, output);
        else if (!state->finished_call)
            output->end(output, DIRECTION_RESPONSE);
    } else {
        for (; state->groups[0] > 0; state->groups[0]--)
            answer(state->errored ? STATUS_CLIENT_ERROR : STATUS_UNKNOWN, no_code, output);
    }
    drop_group(state);
}

/* COPY from the client by an Execute: the server ignores the Sync that was sent with it, another one will follow. */
static void take_copy_in(struct postgresql_state *state) {
    if (state->group_count == 1 && !is_query_group(state))
        state->tail_open = true;
}

static void take_response(struct postgresql_state *state, const struct packet *packet, struct parser_output *output) {
    switch (packet->type) {
    case 'C':
    case 'I':
    case 's':
        take_complete(state, output);
        break;
    case 'E':
        take_error(state, packet, output);
        return;
    case 'Z':
        take_ready(state, output);
        return;
    case 'G':
        take_copy_in(state);
        break;
    case 'A':
    case 'N':
    case 'S':
        return;
    }
    state->answering = state->group_count > 0;
}

/* --- framing --- */

static size_t window(enum direction direction, uint8_t type) {
    if (direction == DIRECTION_REQUEST)
        return type == 'Q' || type == 'P' || type == 'B' || type == 'E' ? QUERY_WINDOW : 0;
    return type == 'E' ? ERROR_WINDOW : 0;
}

static bool is_type(enum direction direction, uint8_t type) {
    return type != 0 && strchr(direction == DIRECTION_REQUEST ? "QFPBDCESHXpdcf" : "RSKZTDCIEN123nstAGHWdcvV", type);
}

/* The typed message at `bytes`; false when more is to be waited for. `*bad`: there is none. */
static bool read_packet(enum direction direction, const uint8_t *bytes, size_t length, bool last, struct packet *packet,
                        bool *bad) {
    *bad = length > 0 && !is_type(direction, bytes[0]);
    if (*bad || length < HEADER_SIZE)
        return false;
    uint32_t size = get32(bytes + 1);
    *bad = size < 4 || size > MESSAGE_MAX;
    if (*bad)
        return false;
    packet->type = bytes[0];
    packet->body = bytes + HEADER_SIZE;
    packet->size = size - 4;
    packet->there = length - HEADER_SIZE < packet->size ? length - HEADER_SIZE : packet->size;
    return packet->there == packet->size || packet->there >= window(direction, packet->type) || last;
}

/* The untyped packets that start a connection. */
static struct parse_result parse_start(struct postgresql_state *state, const uint8_t *bytes, size_t length) {
    if (length < 8)
        return (struct parse_result){PARSE_OK, 0, 0};
    uint32_t size = get32(bytes), version = get32(bytes + 4);
    if (size < 8 || size > STARTUP_MAX)
        return (struct parse_result){PARSE_ERROR, 0, 0};
    if (version == VERSION_SSL || version == VERSION_GSS) {
        state->byte_answer = true;
    } else if (version >> 16 == 3) {
        state->typed = true;
        state->starting = true;
    } else if (version != VERSION_CANCEL) {
        return (struct parse_result){PARSE_ERROR, 0, 0};
    }
    size_t there = length < size ? length : size;
    return (struct parse_result){PARSE_OK, there, size - there};
}

static void finish_body(struct postgresql_state *state, enum direction direction, struct parser_output *output) {
    if (state->flows[direction].begun)
        output->end(output, direction);
    state->flows[direction].begun = false;
}

static struct parse_result give_up(struct postgresql_state *state, enum direction direction, size_t length) {
    state->flows[direction].lost = true;
    return (struct parse_result){PARSE_LOST, length, 0};
}

static struct parse_result parse_typed(struct postgresql_state *state, enum direction direction, const uint8_t *bytes,
                                       size_t length, bool last, struct parser_output *output) {
    size_t at = 0;
    struct packet packet;
    bool bad = false;
    while (at < length && read_packet(direction, bytes + at, length - at, last, &packet, &bad)) {
        if (direction == DIRECTION_RESPONSE)
            take_response(state, &packet, output);
        else if (!take_request(state, &packet, output))
            return (struct parse_result){PARSE_ERROR, at, 0};
        at += HEADER_SIZE + packet.there;
        if (packet.there < packet.size)
            return (struct parse_result){PARSE_OK, at, packet.size - packet.there};
        if (direction == DIRECTION_REQUEST)
            finish_body(state, direction, output);
    }
    return bad ? give_up(state, direction, length) : (struct parse_result){PARSE_OK, at, 0};
}

static struct parse_result parse_byte_answer(struct postgresql_state *state, const uint8_t *bytes, size_t length) {
    if (length == 0)
        return (struct parse_result){PARSE_OK, 0, 0};
    state->byte_answer = false;
    if (bytes[0] == 'S' || bytes[0] == 'G') {
        state->encrypted = true;
        return (struct parse_result){PARSE_OK, 1, PARSE_SKIP_ALL};
    }
    /* An old server's error has a whole message behind its first byte. */
    return (struct parse_result){PARSE_OK, bytes[0] == 'N' ? 1 : 0, 0};
}

static struct parse_result postgresql_parse(void *opaque, enum direction direction, const uint8_t *bytes, size_t length,
                                            bool gap_follows, struct parser_output *output) {
    struct postgresql_state *state = opaque;
    size_t before = 0;
    if (state->encrypted)
        return (struct parse_result){PARSE_OK, length, PARSE_SKIP_ALL};
    if (state->flows[direction].lost)
        return (struct parse_result){PARSE_LOST, length, 0};
    finish_body(state, direction, output);
    while (direction == DIRECTION_REQUEST && !state->typed && length > before) {
        if (bytes[before] != 0) {
            state->typed = true;
            break;
        }
        struct parse_result result = parse_start(state, bytes + before, length - before);
        bool stuck = result.consumed == 0;
        before += result.consumed;
        result.consumed = before;
        if (stuck || result.skip != 0)
            return result;
    }
    if (direction == DIRECTION_RESPONSE && state->byte_answer) {
        struct parse_result result = parse_byte_answer(state, bytes, length);
        if (result.skip != 0)
            return result;
        before = result.consumed;
    }
    struct parse_result result =
        length > before ? parse_typed(state, direction, bytes + before, length - before, gap_follows, output)
                        : (struct parse_result){PARSE_OK, 0, 0};
    result.consumed += before;
    return result;
}

/* Nobody can tell which answers were in the gap: those that were due by now are taken for given. */
static void flush_groups(struct postgresql_state *state, struct parser_output *output) {
    while (state->group_count > 0) {
        enum message_status status = state->answering && !state->errored ? STATUS_OK : STATUS_UNKNOWN;
        if (!is_query_group(state)) {
            for (; state->groups[0] > 0; state->groups[0]--)
                answer(status, no_code, output);
        } else if (!state->failed_call) {
            answer(status, no_code, output);
        } else if (!state->finished_call) {
            output->end(output, DIRECTION_RESPONSE);
        }
        drop_group(state);
    }
}

static void postgresql_gap(void *opaque, enum direction direction, struct parser_output *output) {
    struct postgresql_state *state = opaque;
    finish_body(state, direction, output);
    state->flows[direction].lost = true;
    state->typed = true;
    state->byte_answer = false;
    if (direction == DIRECTION_RESPONSE) {
        flush_groups(state, output);
        state->starting = false;
    } else {
        state->bound = state->parsed = false;
    }
}

static void postgresql_turn(void *opaque, enum direction direction, struct parser_output *output) {
    struct postgresql_state *state = opaque;
    finish_body(state, direction, output);
    state->flows[direction].lost = false;
}

static enum probe_verdict probe_start(const uint8_t *bytes, size_t length) {
    if (length < 8)
        return length >= 2 && bytes[1] != 0 ? PROBE_NO : PROBE_MORE;
    uint32_t size = get32(bytes), version = get32(bytes + 4);
    if (size < 8 || size > STARTUP_MAX)
        return PROBE_NO;
    if (version == VERSION_SSL || version == VERSION_GSS)
        return size == 8 ? PROBE_CERTAIN : PROBE_NO;
    if (version == VERSION_CANCEL)
        return size >= 16 ? PROBE_CERTAIN : PROBE_NO;
    if (version >> 16 != 3 || size < 9)
        return PROBE_NO;
    return length < 13 ? PROBE_MORE : memcmp(bytes + 8, "user", 4) == 0 ? PROBE_CERTAIN : PROBE_MAYBE;
}

static enum probe_verdict postgresql_probe(enum direction direction, const uint8_t *bytes, size_t length) {
    struct packet packet;
    bool bad = false;
    size_t at = 0, seen = 0;
    if (length == 0)
        return PROBE_MORE;
    if (direction == DIRECTION_REQUEST && bytes[0] == 0)
        return probe_start(bytes, length);
    if (direction == DIRECTION_RESPONSE && length == 1 && strchr("SNG", bytes[0]) != NULL && bytes[0] != 0)
        return PROBE_MAYBE;
    if (direction == DIRECTION_RESPONSE && bytes[0] == 'N' && length > 1 && bytes[1] != 0)
        at = 1;
    while (at < length && read_packet(direction, bytes + at, length - at, true, &packet, &bad)) {
        if (packet.size > 1u << 24)
            return PROBE_NO;
        at += HEADER_SIZE + packet.there;
        seen++;
    }
    if (bad)
        return PROBE_NO;
    return seen > 0 ? PROBE_MAYBE : PROBE_MORE;
}

static const uint16_t postgresql_ports[] = {5432, 0};

_Static_assert(sizeof(struct postgresql_state) <= 512, "the engine gives no more");

const struct protocol protocol_postgresql = {
    .id = PROTOCOL_POSTGRESQL,
    .name = "postgresql",
    .state_size = sizeof(struct postgresql_state),
    .ports = postgresql_ports,
    .probe = postgresql_probe,
    .parse = postgresql_parse,
    .gap = postgresql_gap,
    .turn = postgresql_turn,
};
