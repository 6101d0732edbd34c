/* SPDX-License-Identifier: Apache-2.0 */
#include "value.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct unit {
    const char *name;
    uint64_t scale;
};

/* The first is meant where none is written; the rest from small to large. */
static const struct unit times[] = {{"", 1000000000},   {"ms", 1000000},      {"s", 1000000000},
                                    {"m", 60000000000}, {"h", 3600000000000}, {NULL, 0}};
static const struct unit sizes[] = {{"", 1}, {"K", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}, {NULL, 0}};
static const struct unit counts[] = {{"", 1}, {NULL, 0}};

static int parse(const char *text, const struct unit *units, uint64_t *ret_value) {
    char *end;
    if (!isdigit((unsigned char)*text))
        return -EINVAL;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    while (units->name && strcmp(units->name, end))
        units++;
    if (errno || !units->name || value > UINT64_MAX / units->scale)
        return -EINVAL;
    *ret_value = value * units->scale;
    return 0;
}

int value_time(const char *text, uint64_t *ret_ns) {
    uint64_t ns;
    if (parse(text, times, &ns) || !ns)
        return -EINVAL;
    *ret_ns = ns;
    return 0;
}

int value_size(const char *text, uint64_t *ret_bytes) {
    return parse(text, sizes, ret_bytes);
}

int value_count(const char *text, uint64_t *ret_count) {
    return parse(text, counts, ret_count);
}

/* Negative: not understood. 0 is the kernel's choice. */
static int parse_port(const char *text) {
    uint64_t port;
    return parse(text, counts, &port) || port > UINT16_MAX ? -EINVAL : (int)port;
}

int value_address(const char *text, char *ret_host, size_t host_size, uint16_t *ret_port) {
    struct in6_addr address;
    bool six = *text == '[';
    const char *end = six ? strchr(text, ']') : strrchr(text, ':');
    size_t length = end ? (size_t)(end - text) - six : 0;
    if (!length || length >= host_size || (six && end[1] != ':'))
        return -EINVAL;
    int port = parse_port(end + 1 + six);
    char host[INET6_ADDRSTRLEN];
    if (port < 0 || length >= sizeof(host))
        return -EINVAL;
    memcpy(host, text + six, length);
    host[length] = '\0';
    if (inet_pton(six ? AF_INET6 : AF_INET, host, &address) != 1)
        return -EINVAL;
    memcpy(ret_host, host, length + 1);
    *ret_port = port;
    return 0;
}

int value_hex(const char *text, uint8_t *ret_bytes, size_t size) {
    uint8_t bytes[64];
    if (size > sizeof(bytes) || strlen(text) != 2 * size || strspn(text, "0123456789abcdefABCDEF") != 2 * size)
        return -EINVAL;
    for (size_t i = 0; i < size; i++)
        sscanf(text + 2 * i, "%2" SCNx8, &bytes[i]);
    memcpy(ret_bytes, bytes, size);
    return 0;
}

static void write_largest(uint64_t value, const struct unit *units, char *ret_text, size_t size) {
    const struct unit *fits = units;
    for (const struct unit *unit = units + 1; unit->name; unit++)
        if (value % unit->scale == 0 && value)
            fits = unit;
    snprintf(ret_text, size, "%" PRIu64 "%s", value / fits->scale, fits->name);
}

void value_time_text(uint64_t ns, char *ret_text, size_t size) {
    write_largest(ns, times, ret_text, size);
}

void value_size_text(uint64_t bytes, char *ret_text, size_t size) {
    write_largest(bytes, sizes, ret_text, size);
}
