/* SPDX-License-Identifier: Apache-2.0 */
/* DNS (RFC 1035), over datagrams and over a stream. */
#include "protocols/dns.h"

#include <stdio.h>
#include <string.h>

#define HEADER_SIZE 12
#define NAME_TEXT_MAX 255
/* A longer message of a stream is read this far; the rest is skipped. */
#define STREAM_WINDOW 4096
#define TYPE_A 1
#define TYPE_CNAME 5
#define TYPE_AAAA 28

struct dns_state {
    bool open[2]; /* a message was begun and its rest is being skipped */
    bool lost[2];
};

struct dns_name {
    char text[NAME_TEXT_MAX];
    size_t length;
};

struct dns_question {
    uint16_t id;
    uint16_t flags;
    uint16_t counts[4];
    bool present; /* the question was there as a whole */
    struct dns_name name;
    uint16_t type;
    uint16_t class;
    size_t end; /* where the answers start */
};

struct number_name {
    uint16_t number;
    const char *name;
};

static const struct number_name types[] = {
    {1, "A"},      {2, "NS"},     {5, "CNAME"},  {6, "SOA"},     {12, "PTR"},   {13, "HINFO"}, {15, "MX"},
    {16, "TXT"},   {28, "AAAA"},  {29, "LOC"},   {33, "SRV"},    {35, "NAPTR"}, {39, "DNAME"}, {43, "DS"},
    {44, "SSHFP"}, {46, "RRSIG"}, {47, "NSEC"},  {48, "DNSKEY"}, {50, "NSEC3"}, {52, "TLSA"},  {64, "SVCB"},
    {65, "HTTPS"}, {99, "SPF"},   {251, "IXFR"}, {252, "AXFR"},  {255, "ANY"},  {256, "URI"},  {257, "CAA"},
};

static const char *const rcodes[16] = {
    "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP",  "REFUSED", "YXDOMAIN", "YXRRSET",
    "NXRRSET", "NOTAUTH", "NOTZONE",  "RCODE11",  "RCODE12", "RCODE13", "RCODE14",  "RCODE15",
};

static uint16_t get16(const uint8_t *bytes) {
    return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static uint32_t get32(const uint8_t *bytes) {
    return (uint32_t)get16(bytes) << 16 | get16(bytes + 2);
}

static struct slice slice_of(const char *text) {
    return (struct slice){text, strlen(text)};
}

static const char *type_name(uint16_t type) {
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (types[i].number == type)
            return types[i].name;
    }
    return NULL;
}

static void append_label(struct dns_name *name, const uint8_t *label, size_t length) {
    if (name->length > 0 && name->length < NAME_TEXT_MAX)
        name->text[name->length++] = '.';
    for (size_t i = 0; i < length && name->length < NAME_TEXT_MAX; i++) {
        char c = (char)label[i];
        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        if (c <= ' ' || c == 0x7f || c == '.' || c == '\\')
            c = '?';
        name->text[name->length++] = c;
    }
}

/* The question's name, which nothing stands before that it could point to. Where it ends, or 0. */
static size_t read_name(const uint8_t *bytes, size_t length, size_t at, struct dns_name *name) {
    size_t start = at;
    name->length = 0;
    while (at < length && at - start < NAME_TEXT_MAX) {
        size_t label = bytes[at++];
        if (label == 0) {
            if (name->length == 0)
                name->text[name->length++] = '.';
            return at;
        }
        if (label > 63 || label > length - at)
            return 0;
        append_label(name, bytes + at, label);
        at += label;
    }
    return 0;
}

/* Past a name that may end in a pointer, without following it. Where it ends, or 0. */
static size_t skip_name(const uint8_t *bytes, size_t length, size_t at) {
    size_t start = at;
    while (at < length && at - start < NAME_TEXT_MAX) {
        size_t label = bytes[at];
        if (label == 0)
            return at + 1;
        if (label >= 0xc0)
            return length - at >= 2 ? at + 2 : 0;
        if (label > 63 || label > length - at - 1)
            return 0;
        at += 1 + label;
    }
    return 0;
}

static bool read_question(const uint8_t *bytes, size_t length, struct dns_question *question) {
    if (length < HEADER_SIZE)
        return false;
    question->id = get16(bytes);
    question->flags = get16(bytes + 2);
    for (size_t i = 0; i < 4; i++)
        question->counts[i] = get16(bytes + 4 + 2 * i);
    question->present = false;
    question->name.length = 0;
    question->end = 0;
    if (question->counts[0] != 1)
        return true;
    size_t at = read_name(bytes, length, HEADER_SIZE, &question->name);
    if (at == 0 || length - at < 4)
        return true;
    question->type = get16(bytes + at);
    question->class = get16(bytes + at + 2);
    question->end = at + 4;
    question->present = true;
    return true;
}

static bool is_response(const struct dns_question *question) {
    return question->flags >> 15;
}

static unsigned opcode(const struct dns_question *question) {
    return question->flags >> 11 & 15;
}

/* The addresses of the answer section, all of them under the name that was asked for. */
static void report_names(const uint8_t *bytes, size_t length, const struct dns_question *question,
                         struct parser_output *output) {
    uint32_t ttl = UINT32_MAX;
    size_t at = question->end;
    struct slice host = {question->name.text, question->name.length};
    for (size_t i = 0; i < question->counts[1]; i++) {
        at = skip_name(bytes, length, at);
        if (at == 0 || length - at < 10)
            return;
        uint16_t type = get16(bytes + at);
        uint16_t class = get16(bytes + at + 2) & 0x7fff;
        uint32_t record_ttl = get32(bytes + at + 4);
        size_t size = get16(bytes + at + 8);
        at += 10;
        if (size > length - at)
            return;
        if (record_ttl > INT32_MAX)
            record_ttl = 0;
        if (type == TYPE_CNAME && record_ttl < ttl)
            ttl = record_ttl;
        if (class == 1 && ((type == TYPE_A && size == 4) || (type == TYPE_AAAA && size == 16)))
            output->name(output, host, bytes + at, size, record_ttl < ttl ? record_ttl : ttl);
        at += size;
    }
}

static void begin_request(const struct dns_question *question, struct parser_output *output) {
    char number[16];
    const char *type = question->present ? type_name(question->type) : "UNKNOWN";
    if (type == NULL) {
        snprintf(number, sizeof number, "TYPE%u", (unsigned)question->type);
        type = number;
    }
    struct slice name = {question->name.text, question->present ? question->name.length : 0};
    struct message message = {
        .id = question->id,
        .flags = MESSAGE_BY_ID,
        .operation = slice_of(type),
        .resource = name,
        .endpoint = name,
    };
    output->begin(output, DIRECTION_REQUEST, &message);
}

static enum message_status rcode_status(unsigned rcode) {
    switch (rcode) {
    case 0:
        return STATUS_OK;
    case 1:
    case 3:
    case 6:
    case 7:
    case 8:
    case 10:
        return STATUS_CLIENT_ERROR;
    default:
        return STATUS_SERVER_ERROR;
    }
}

static void begin_response(const struct dns_question *question, struct parser_output *output) {
    unsigned rcode = question->flags & 15;
    struct message message = {
        .id = question->id,
        .flags = MESSAGE_BY_ID,
        .status = rcode_status(rcode),
        .code = slice_of(rcodes[rcode]),
    };
    output->begin(output, DIRECTION_RESPONSE, &message);
}

/* Begins the message if these bytes are one; the caller ends it. */
static bool begin_message(enum direction direction, const uint8_t *bytes, size_t length, struct parser_output *output) {
    struct dns_question question;
    if (!read_question(bytes, length, &question) || opcode(&question) != 0 ||
        is_response(&question) != (direction == DIRECTION_RESPONSE))
        return false;
    if (direction == DIRECTION_REQUEST) {
        begin_request(&question, output);
        return true;
    }
    if (question.present)
        report_names(bytes, length, &question, output);
    begin_response(&question, output);
    return true;
}

static enum probe_verdict probe_message(enum direction direction, const uint8_t *bytes, size_t length, bool whole) {
    struct dns_question question;
    if (!read_question(bytes, length, &question))
        return whole ? PROBE_NO : PROBE_MORE;
    bool request = direction == DIRECTION_REQUEST;
    if (is_response(&question) == request || opcode(&question) != 0 || (question.flags & 0x40) != 0)
        return PROBE_NO;
    if (request && (question.counts[1] != 0 || question.counts[3] > 4 || (question.flags & 15) != 0))
        return PROBE_NO;
    if (question.counts[0] != 1)
        return !request && question.counts[0] == 0 && (question.flags & 15) != 0 ? PROBE_MAYBE : PROBE_NO;
    if (!question.present)
        return whole || length > HEADER_SIZE + NAME_TEXT_MAX + 4 ? PROBE_NO : PROBE_MORE;
    uint16_t class = question.class & 0x7fff;
    if (class != 1 && class != 3 && class != 4 && class != 255)
        return PROBE_NO;
    return type_name(question.type) != NULL ? PROBE_CERTAIN : PROBE_MAYBE;
}

static enum probe_verdict dns_probe(enum direction direction, const uint8_t *bytes, size_t length) {
    return probe_message(direction, bytes, length, true);
}

static struct parse_result dns_parse(void *state, enum direction direction, const uint8_t *bytes, size_t length,
                                     bool gap_follows, struct parser_output *output) {
    (void)state;
    (void)gap_follows;
    if (begin_message(direction, bytes, length, output))
        output->end(output, direction);
    return (struct parse_result){PARSE_OK, length, 0};
}

static void end_open(struct dns_state *state, enum direction direction, struct parser_output *output) {
    if (state->open[direction])
        output->end(output, direction);
    state->open[direction] = false;
}

static void dns_gap(void *opaque, enum direction direction, struct parser_output *output) {
    struct dns_state *state = opaque;
    end_open(state, direction, output);
    state->lost[direction] = true;
}

static void dns_turn(void *opaque, enum direction direction, struct parser_output *output) {
    struct dns_state *state = opaque;
    end_open(state, direction, output);
    state->lost[direction] = false;
}

static enum probe_verdict stream_probe(enum direction direction, const uint8_t *bytes, size_t length) {
    if (length < 2)
        return PROBE_MORE;
    size_t size = get16(bytes);
    if (size < HEADER_SIZE)
        return PROBE_NO;
    bool whole = length - 2 >= size;
    return probe_message(direction, bytes + 2, whole ? size : length - 2, whole);
}

static struct parse_result stream_parse(void *opaque, enum direction direction, const uint8_t *bytes, size_t length,
                                        bool gap_follows, struct parser_output *output) {
    struct dns_state *state = opaque;
    size_t at = 0;
    if (state->lost[direction])
        return (struct parse_result){PARSE_LOST, length, 0};
    end_open(state, direction, output);
    while (length - at >= 2) {
        size_t size = get16(bytes + at);
        size_t there = length - at - 2;
        if (size < HEADER_SIZE)
            return (struct parse_result){PARSE_ERROR, at, 0};
        if (there < size && there < STREAM_WINDOW && !gap_follows)
            break;
        if (there > size)
            there = size;
        bool begun = begin_message(direction, bytes + at + 2, there, output);
        at += 2 + there;
        if (there < size) {
            state->open[direction] = begun;
            return (struct parse_result){PARSE_OK, at, size - there};
        }
        if (begun)
            output->end(output, direction);
    }
    return (struct parse_result){PARSE_OK, at, 0};
}

static const uint16_t dns_ports[] = {53, 0};

const struct protocol protocol_dns = {
    .id = PROTOCOL_DNS,
    .name = "dns",
    .state_size = sizeof(struct dns_state),
    .datagrams = true,
    .ports = dns_ports,
    .probe = dns_probe,
    .parse = dns_parse,
    .gap = dns_turn, /* a lost datagram loses no framing */
    .turn = dns_turn,
};

const struct protocol protocol_dns_tcp = {
    .id = PROTOCOL_DNS,
    .name = "dns",
    .state_size = sizeof(struct dns_state),
    .datagrams = false,
    .ports = dns_ports,
    .probe = stream_probe,
    .parse = stream_parse,
    .gap = dns_gap,
    .turn = dns_turn,
};
