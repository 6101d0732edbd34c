/* SPDX-License-Identifier: Apache-2.0 */
/* Redis: RESP2, RESP3 and inline commands. Only the command's name is ever shown, never an argument. */
#include "protocols/protocol.h"
#include "protocols/redis_commands.h"

#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 24
#define COMMAND_MAX 32
#define LINE_MAX_SEEN 512 /* of an error line; the rest is passed over */
#define HEAD_MAX 4096     /* how much of a request is waited for to understand it */
#define COUNT_MAX (1 << 30)
#define SUBSCRIBES_MAX 16
#define FLUSH_MAX 1024

enum value_result { VALUE_DONE, VALUE_MORE, VALUE_BAD };

struct flow {
    uint32_t left[DEPTH_MAX]; /* elements still to come, outermost first */
    uint8_t depth;
    bool begun;   /* the message at hand was reported by begin() */
    bool in_line; /* inside a line whose head was understood */
    bool body;    /* a bulk body was skipped: its element is complete at the next call */
    bool lost;
    bool guessed; /* the framing at hand was taken up after a gap: it may be the middle of a value */
};

struct redis_state {
    struct flow flows[2];
    uint32_t pending;                       /* reported requests that await a response */
    uint16_t confirmations[SUBSCRIBES_MAX]; /* still to come for each pending subscription, oldest first */
    uint8_t subscribes;
    bool confirmed; /* the oldest one has had its response */
    bool subscribed;
    bool monitor;
    bool reply_off;
    bool reply_skip;
    bool inlines; /* this client has sent an inline command where framing was sure */
};

struct reader {
    struct redis_state *state;
    struct flow *flow;
    enum direction direction;
    const uint8_t *bytes;
    size_t length;
    size_t at;
    uint64_t skip;
    bool last; /* more will not come */
    struct parser_output *output;
};

/* The line at `at`: its length without the line end, and where the next one starts (0: no line end is there). */
static size_t find_line(const uint8_t *bytes, size_t length, size_t at, size_t *next) {
    const uint8_t *end = at < length ? memchr(bytes + at, '\n', length - at) : NULL;
    if (end == NULL) {
        *next = 0;
        return length - at;
    }
    size_t stop = (size_t)(end - bytes);
    *next = stop + 1;
    return stop > at && bytes[stop - 1] == '\r' ? stop - 1 - at : stop - at;
}

/* A count or length: -1 or 0..COUNT_MAX. */
static bool read_count(const uint8_t *bytes, size_t length, int64_t *count) {
    if (length == 2 && bytes[0] == '-' && bytes[1] == '1') {
        *count = -1;
        return true;
    }
    if (length == 0 || length > 10)
        return false;
    *count = 0;
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] < '0' || bytes[i] > '9')
            return false;
        *count = *count * 10 + (bytes[i] - '0');
    }
    return *count <= COUNT_MAX;
}

/* `<mark><count>\r\n` at `*at`, moving past it. */
static enum value_result read_header(const uint8_t *bytes, size_t length, size_t *at, uint8_t mark, int64_t *count) {
    size_t next;
    if (*at >= length)
        return VALUE_MORE;
    if (bytes[*at] != mark)
        return VALUE_BAD;
    size_t size = find_line(bytes, length, *at, &next);
    if (next == 0)
        return size > 14 ? VALUE_BAD : VALUE_MORE;
    if (size < 2 || !read_count(bytes + *at + 1, size - 1, count))
        return VALUE_BAD;
    *at = next;
    return VALUE_DONE;
}

static enum value_result read_bulk(const uint8_t *bytes, size_t length, size_t *at, struct slice *text) {
    int64_t count;
    size_t start = *at;
    enum value_result result = read_header(bytes, length, &start, '$', &count);
    if (result != VALUE_DONE)
        return result;
    if (count < 0)
        return VALUE_BAD;
    if ((uint64_t)count + 2 > length - start)
        return VALUE_MORE;
    *text = (struct slice){(const char *)bytes + start, (size_t)count};
    *at = start + (size_t)count + 2;
    return VALUE_DONE;
}

static char upper(char c) {
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

static bool is_word(struct slice text, const char *word) {
    if (text.length != strlen(word))
        return false;
    for (size_t i = 0; i < text.length; i++) {
        if (upper(text.data[i]) != word[i])
            return false;
    }
    return true;
}

static bool is_one_of(struct slice text, const char *const *words) {
    for (; *words != NULL; words++) {
        if (is_word(text, *words))
            return true;
    }
    return false;
}

static const char *const subscribe_words[] = {"SUBSCRIBE",    "PSUBSCRIBE",   "SSUBSCRIBE", "UNSUBSCRIBE",
                                              "PUNSUBSCRIBE", "SUNSUBSCRIBE", NULL};
static const char *const message_words[] = {"MESSAGE", "PMESSAGE", "SMESSAGE", NULL};
static const char *const waiting_words[] = {"BLPOP",      "BRPOP",   "BRPOPLPUSH", "BLMOVE",  "BLMPOP",    "BZPOPMIN",
                                            "BZPOPMAX",   "BZMPOP",  "WAIT",       "WAITAOF", "SUBSCRIBE", "PSUBSCRIBE",
                                            "SSUBSCRIBE", "MONITOR", "SYNC",       "PSYNC",   NULL};
static const char *const server_errors[] = {"LOADING", "OOM",        "BUSY",     "MASTERDOWN", "CLUSTERDOWN",
                                            "MISCONF", "NOREPLICAS", "TRYAGAIN", NULL};
static const char *const inline_words[] = {"PING", "INFO", "QUIT", "AUTH", "SET", "SELECT", "MONITOR", "ECHO", NULL};

enum { COMMANDS = sizeof(redis_commands) / sizeof(redis_commands[0]) };

/* Of a slice with a command. */
static int compare(const void *left, const void *right) {
    const struct slice *name = left;
    const char *command = *(const char *const *)right;
    int order = strncmp(name->data, command, name->length);
    return order ? order : command[name->length] ? -1 : 0;
}

/* A name fit to be shown: a known command, or one of a module by its form (JSON.GET). */
static struct slice command_name(struct slice word, char *out) {
    if (word.length == 0 || word.length > COMMAND_MAX)
        return (struct slice){"UNKNOWN", 7};
    for (size_t i = 0; i < word.length; i++) {
        char c = upper(word.data[i]);
        bool digit = c >= '0' && c <= '9';
        if (!(c >= 'A' && c <= 'Z') && !(i > 0 && (digit || c == '.' || c == '_' || c == '-')))
            return (struct slice){"UNKNOWN", 7};
        out[i] = c;
    }
    struct slice name = {out, word.length};
    bool known =
        memchr(out, '.', word.length) != NULL || bsearch(&name, redis_commands, COMMANDS, sizeof(char *), compare);
    return known ? name : (struct slice){"UNKNOWN", 7};
}

/* --- requests --- */

static void note_subscribe(struct redis_state *state, int64_t words, unsigned *flags) {
    state->subscribed = true;
    if (state->subscribes == SUBSCRIBES_MAX) {
        *flags |= MESSAGE_ONEWAY;
        return;
    }
    int64_t channels = words > 1 ? words - 1 : 1;
    state->confirmations[state->subscribes++] = (uint16_t)(channels > UINT16_MAX ? UINT16_MAX : channels);
}

/* CLIENT REPLY ON|OFF|SKIP */
static void note_reply_mode(struct redis_state *state, struct slice mode, unsigned *flags) {
    state->reply_off = is_word(mode, "OFF");
    state->reply_skip = is_word(mode, "SKIP");
    if (state->reply_off || state->reply_skip)
        *flags |= MESSAGE_ONEWAY;
}

static void begin_request(struct reader *reader, struct slice word, int64_t words, unsigned flags) {
    char name[COMMAND_MAX];
    struct redis_state *state = reader->state;
    struct slice command = command_name(word, name);
    if (is_one_of(word, waiting_words))
        flags |= MESSAGE_WAITING;
    if (state->reply_off)
        flags |= MESSAGE_ONEWAY;
    if (state->reply_skip && !(flags & MESSAGE_ONEWAY)) {
        flags |= MESSAGE_ONEWAY;
        state->reply_skip = false;
    }
    if (is_one_of(word, subscribe_words))
        note_subscribe(state, words, &flags);
    if (is_word(word, "MONITOR"))
        state->monitor = true;
    if (!(flags & MESSAGE_ONEWAY) && state->pending < UINT32_MAX)
        state->pending++;
    struct message message = {.flags = flags, .operation = command, .endpoint = command};
    reader->flow->begun = true;
    reader->output->begin(reader->output, DIRECTION_REQUEST, &message);
}

/* What depends on arguments. VALUE_MORE: they are not all there yet. */
static enum value_result read_options(struct reader *reader, struct slice word, size_t at, int64_t words,
                                      unsigned *flags) {
    struct slice argument;
    bool client = is_word(word, "CLIENT") && words == 3;
    bool stream = is_word(word, "XREAD") || is_word(word, "XREADGROUP");
    bool reply = false;
    for (int64_t i = 1; (client || stream) && i < words; i++) {
        enum value_result result = read_bulk(reader->bytes, reader->length, &at, &argument);
        if (result == VALUE_MORE && !reader->last && reader->length - reader->at < HEAD_MAX)
            return VALUE_MORE;
        if (result != VALUE_DONE || (stream && is_word(argument, "STREAMS")))
            break;
        if (stream && is_word(argument, "BLOCK"))
            *flags |= MESSAGE_WAITING;
        if (client && i == 2 && reply)
            note_reply_mode(reader->state, argument, flags);
        reply = client && i == 1 && is_word(argument, "REPLY");
    }
    return VALUE_DONE;
}

static enum value_result read_array_request(struct reader *reader) {
    int64_t words, first_length;
    size_t at = reader->at;
    unsigned flags = 0;
    struct slice word = {NULL, 0};
    enum value_result result = read_header(reader->bytes, reader->length, &at, '*', &words);
    if (result != VALUE_DONE)
        return result;
    if (words <= 0) {
        reader->at = at;
        return VALUE_DONE;
    }
    size_t elements = at, peek = at;
    result = read_header(reader->bytes, reader->length, &peek, '$', &first_length);
    if (result != VALUE_DONE)
        return result;
    if (first_length < 0)
        return VALUE_BAD;
    if (first_length <= COMMAND_MAX) {
        result = read_bulk(reader->bytes, reader->length, &at, &word);
        if (result == VALUE_DONE)
            result = read_options(reader, word, at, words, &flags);
        if (result == VALUE_MORE && !reader->last)
            return VALUE_MORE;
    }
    begin_request(reader, word, words, flags);
    reader->flow->left[0] = (uint32_t)words;
    reader->flow->depth = 1;
    reader->at = elements;
    return VALUE_DONE;
}

static enum value_result read_inline_request(struct reader *reader) {
    size_t next, start = reader->at, words = 0;
    size_t size = find_line(reader->bytes, reader->length, start, &next);
    const char *text = (const char *)reader->bytes + start;
    struct slice word = {text, 0};
    if (next == 0 && size < HEAD_MAX && !reader->last)
        return VALUE_MORE;
    while (word.length < size && text[word.length] != ' ' && text[word.length] != '\t')
        word.length++;
    for (size_t i = 0; i < size; i++)
        words += text[i] != ' ' && (i == 0 || text[i - 1] == ' ');
    if (size > 0) {
        char first = upper(text[0]);
        if (first != ' ' && (first < 'A' || first > 'Z'))
            return VALUE_BAD;
        begin_request(reader, word, (int64_t)words, 0);
        reader->state->inlines = true;
    }
    reader->flow->in_line = next == 0;
    reader->at = next == 0 ? reader->length : next;
    return VALUE_DONE;
}

/* --- responses --- */

static void begin_response(struct reader *reader, enum message_status status, struct slice code) {
    struct message message = {.status = status, .code = code};
    if (reader->state->pending > 0)
        reader->state->pending--;
    reader->flow->begun = true;
    reader->output->begin(reader->output, DIRECTION_RESPONSE, &message);
}

/* The first word of an error, if it is one: servers put their code there in capitals. */
static struct slice error_code(const uint8_t *text, size_t length) {
    size_t size = 0;
    while (size < length && size < COMMAND_MAX && ((text[size] >= 'A' && text[size] <= 'Z') || text[size] == '_'))
        size++;
    if (size == 0 || (size < length && text[size] != ' '))
        return (struct slice){"ERR", 3};
    return (struct slice){(const char *)text, size};
}

static void begin_error(struct reader *reader, const uint8_t *text, size_t length) {
    struct slice code = error_code(text, length);
    begin_response(reader, is_one_of(code, server_errors) ? STATUS_SERVER_ERROR : STATUS_CLIENT_ERROR, code);
}

/* A confirmation of a subscription: the first one is the response, the others belong to it. */
static bool take_confirmation(struct redis_state *state) {
    if (state->subscribes == 0)
        return false;
    bool first = !state->confirmed;
    state->confirmed = true;
    if (--state->confirmations[0] == 0) {
        state->subscribes--;
        memmove(state->confirmations, state->confirmations + 1, state->subscribes * sizeof *state->confirmations);
        state->confirmed = false;
    }
    return first;
}

/* Looks at the first element of an array or push: is it the response to something? */
static enum value_result is_answer(struct reader *reader, size_t at, bool push, bool *answer) {
    struct slice word;
    int64_t size;
    size_t peek = at;
    *answer = !push;
    if (!reader->state->subscribed)
        return VALUE_DONE;
    enum value_result result = read_header(reader->bytes, reader->length, &peek, '$', &size);
    if (result == VALUE_MORE)
        return reader->last ? VALUE_DONE : VALUE_MORE;
    if (result == VALUE_BAD || size < 0 || size > COMMAND_MAX)
        return VALUE_DONE;
    result = read_bulk(reader->bytes, reader->length, &at, &word);
    if (result == VALUE_MORE)
        return reader->last ? VALUE_DONE : VALUE_MORE;
    if (is_one_of(word, subscribe_words))
        *answer = take_confirmation(reader->state);
    else if (is_one_of(word, message_words))
        *answer = false;
    return VALUE_DONE;
}

/* Reports a response by its first line, which is at `reader->at` and goes on at `next`. */
static enum value_result begin_by_line(struct reader *reader, const uint8_t *line, size_t size, size_t next) {
    const struct slice none = {NULL, 0};
    bool answer = true;
    switch (line[0]) {
    case '-':
        begin_error(reader, line + 1, size - 1);
        return VALUE_DONE;
    case '!': {
        size_t there = reader->length - next;
        if (there < COMMAND_MAX + 1 && !reader->last) {
            int64_t count;
            if (read_count(line + 1, size - 1, &count) && count >= 0 && there < (uint64_t)count)
                return VALUE_MORE;
        }
        begin_error(reader, reader->bytes + next, there);
        return VALUE_DONE;
    }
    case '+':
        if (reader->state->monitor && size > 1 && line[1] >= '0' && line[1] <= '9')
            return VALUE_DONE;
        break;
    case '|':
        return VALUE_DONE;
    case '*':
    case '>': {
        enum value_result result = is_answer(reader, next, line[0] == '>', &answer);
        if (result != VALUE_DONE)
            return result;
        break;
    }
    }
    if (answer)
        begin_response(reader, STATUS_OK, none);
    return VALUE_DONE;
}

/* --- values of either direction --- */

static void finish_message(struct reader *reader) {
    if (reader->flow->begun)
        reader->output->end(reader->output, reader->direction);
    reader->flow->begun = false;
}

/* One element is complete, and with it whatever it was the last of. */
static void finish_element(struct reader *reader) {
    struct flow *flow = reader->flow;
    if (flow->depth > 0 && flow->left[flow->depth - 1] > 0)
        flow->left[flow->depth - 1]--;
    while (flow->depth > 0 && flow->left[flow->depth - 1] == 0) {
        flow->depth--;
        if (flow->depth > 0 && flow->left[flow->depth - 1] > 0)
            flow->left[flow->depth - 1]--;
    }
    if (flow->depth == 0)
        finish_message(reader);
}

static enum value_result open_aggregate(struct reader *reader, uint8_t mark, int64_t count) {
    struct flow *flow = reader->flow;
    uint32_t elements = (uint32_t)count * (mark == '%' || mark == '|' ? 2 : 1);
    if (count <= 0) {
        if (mark != '|')
            finish_element(reader);
        return VALUE_DONE;
    }
    if (flow->depth == DEPTH_MAX)
        return VALUE_BAD;
    /* Attributes stand before an element and are none themselves. */
    if (mark == '|' && flow->depth > 0)
        flow->left[flow->depth - 1]++;
    flow->left[flow->depth++] = elements;
    return VALUE_DONE;
}

static void open_bulk(struct reader *reader, int64_t count) {
    uint64_t rest = count < 0 ? 0 : (uint64_t)count + 2;
    size_t there = reader->length - reader->at;
    if (rest > there) {
        reader->at += there;
        reader->skip = rest - there;
        reader->flow->body = true;
        return;
    }
    reader->at += (size_t)rest;
    finish_element(reader);
}

static enum value_result read_scalar_line(struct reader *reader, size_t next) {
    if (next == 0) {
        reader->flow->in_line = true;
        reader->at = reader->length;
        return VALUE_DONE;
    }
    reader->at = next;
    finish_element(reader);
    return VALUE_DONE;
}

/* One value's head line, and its body if it has one. */
static enum value_result read_value(struct reader *reader) {
    size_t next;
    int64_t count = 0;
    const uint8_t *line = reader->bytes + reader->at;
    size_t size = find_line(reader->bytes, reader->length, reader->at, &next);
    bool counted = size > 0 && strchr("$!=*~>%|", line[0]) != NULL && line[0] != '\0';
    bool scalar = size > 0 && strchr("+-:_,#(", line[0]) != NULL && line[0] != '\0';
    if (size == 0 && next == 0)
        return VALUE_MORE;
    if (!counted && !scalar)
        return VALUE_BAD;
    if (next == 0 && size < (counted ? 15 : LINE_MAX_SEEN) && !(reader->last && scalar))
        return VALUE_MORE;
    if (counted && (next == 0 || !read_count(line + 1, size - 1, &count)))
        return VALUE_BAD;
    if (reader->flow->depth == 0 && reader->direction == DIRECTION_RESPONSE) {
        enum value_result result = begin_by_line(reader, line, size, next);
        if (result != VALUE_DONE)
            return result;
    }
    if (scalar)
        return read_scalar_line(reader, next);
    reader->at = next;
    if (strchr("$!=", line[0]) == NULL)
        return open_aggregate(reader, line[0], count);
    open_bulk(reader, count);
    return VALUE_DONE;
}

static enum value_result read_rest_of_line(struct reader *reader) {
    size_t next;
    find_line(reader->bytes, reader->length, reader->at, &next);
    reader->at = next == 0 ? reader->length : next;
    if (next != 0) {
        reader->flow->in_line = false;
        finish_element(reader);
    }
    return VALUE_DONE;
}

static enum value_result read_request(struct reader *reader) {
    if (reader->bytes[reader->at] == '*') {
        enum value_result array = read_array_request(reader);
        if (array == VALUE_DONE)
            reader->flow->guessed = false;
        return array;
    }
    /* Nearly any text reads as an inline command, and a pipeline's turn can start within a value. */
    if (reader->flow->guessed && !reader->state->inlines)
        return VALUE_BAD;
    enum value_result result = read_inline_request(reader);
    if (result == VALUE_DONE && !reader->flow->in_line)
        finish_message(reader);
    return result;
}

static enum value_result read_next(struct reader *reader) {
    if (reader->flow->in_line)
        return read_rest_of_line(reader);
    if (reader->direction == DIRECTION_REQUEST && reader->flow->depth == 0)
        return read_request(reader);
    return read_value(reader);
}

static struct parse_result redis_parse(void *opaque, enum direction direction, const uint8_t *bytes, size_t length,
                                       bool gap_follows, struct parser_output *output) {
    struct redis_state *state = opaque;
    struct reader reader = {state, &state->flows[direction], direction, bytes, length, 0, 0, gap_follows, output};
    if (reader.flow->lost)
        return (struct parse_result){PARSE_LOST, length, 0};
    if (reader.flow->body) {
        reader.flow->body = false;
        finish_element(&reader);
    }
    while (reader.at < length && reader.skip == 0) {
        enum value_result result = read_next(&reader);
        if (result == VALUE_BAD && direction == DIRECTION_REQUEST && !reader.flow->guessed) /* no gap to blame */
            return (struct parse_result){PARSE_ERROR, reader.at, 0};
        if (result == VALUE_BAD) {
            reader.flow->lost = true;
            finish_message(&reader);
            return (struct parse_result){PARSE_LOST, length, 0};
        }
        if (result == VALUE_MORE)
            break;
    }
    return (struct parse_result){PARSE_OK, reader.at, reader.skip};
}

static void reset_flow(struct redis_state *state, enum direction direction, bool lost, struct parser_output *output) {
    struct flow *flow = &state->flows[direction];
    if (flow->begun)
        output->end(output, direction);
    memset(flow, 0, sizeof *flow);
    flow->lost = lost;
}

static void redis_gap(void *opaque, enum direction direction, struct parser_output *output) {
    struct redis_state *state = opaque;
    reset_flow(state, direction, true, output);
    if (direction != DIRECTION_RESPONSE)
        return;
    /* Nobody can tell which answers were in the gap: those that were due by now are taken for lost. */
    const struct message message = {.status = STATUS_UNKNOWN};
    for (uint32_t i = 0; i < state->pending && i < FLUSH_MAX; i++) {
        output->begin(output, DIRECTION_RESPONSE, &message);
        output->end(output, DIRECTION_RESPONSE);
    }
    state->pending = 0;
    state->subscribes = 0;
    state->confirmed = false;
}

static void redis_turn(void *opaque, enum direction direction, struct parser_output *output) {
    struct redis_state *state = opaque;
    bool guessed = state->flows[direction].lost || state->flows[direction].guessed;
    reset_flow(state, direction, false, output);
    state->flows[direction].guessed = guessed;
}

static enum probe_verdict probe_request(const uint8_t *bytes, size_t length) {
    int64_t words, size;
    size_t at = 0, next;
    if (bytes[0] != '*') {
        struct slice word = {(const char *)bytes, 0};
        size_t line = find_line(bytes, length, 0, &next);
        while (word.length < line && word.length <= COMMAND_MAX && bytes[word.length] != ' ')
            word.length++;
        if (next == 0)
            return word.length <= 7 && bytes[0] >= 'A' && bytes[0] <= 'z' && length < 64 ? PROBE_MORE : PROBE_NO;
        return is_one_of(word, inline_words) ? PROBE_MAYBE : PROBE_NO;
    }
    enum value_result result = read_header(bytes, length, &at, '*', &words);
    if (result == VALUE_DONE)
        result = words > 0 ? read_header(bytes, length, &at, '$', &size) : VALUE_BAD;
    if (result != VALUE_DONE)
        return result == VALUE_MORE ? PROBE_MORE : PROBE_NO;
    return size > 0 && size <= COMMAND_MAX ? PROBE_CERTAIN : PROBE_MAYBE;
}

static enum probe_verdict redis_probe(enum direction direction, const uint8_t *bytes, size_t length) {
    size_t next;
    int64_t count;
    if (length == 0)
        return PROBE_MORE;
    if (direction == DIRECTION_REQUEST)
        return probe_request(bytes, length);
    size_t size = find_line(bytes, length, 0, &next);
    if (memchr("$*%~>!=|", bytes[0], 8) != NULL) {
        if (next == 0)
            return size < 15 ? PROBE_MORE : PROBE_NO;
        return read_count(bytes + 1, size - 1, &count) && bytes[next - 2] == '\r' ? PROBE_MAYBE : PROBE_NO;
    }
    if (memchr("+-:_,#(", bytes[0], 7) == NULL)
        return PROBE_NO;
    if (next == 0)
        return size < LINE_MAX_SEEN ? PROBE_MORE : PROBE_NO;
    return next >= 2 && bytes[next - 2] == '\r' ? PROBE_MAYBE : PROBE_NO;
}

static const uint16_t redis_ports[] = {6379, 0};

_Static_assert(sizeof(struct redis_state) <= 512, "the engine gives no more");

const struct protocol protocol_redis = {
    .id = PROTOCOL_REDIS,
    .name = "redis",
    .state_size = sizeof(struct redis_state),
    .ports = redis_ports,
    .probe = redis_probe,
    .parse = redis_parse,
    .gap = redis_gap,
    .turn = redis_turn,
};
