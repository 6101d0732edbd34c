/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/addresses.h"
#include "agent/text.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define SECOND_NS 1000000000ULL

enum {
    HOST = 112,
    BELIEVED_S = 5 /* an owner is not asked after again for so long */
};

struct entry {
    struct cache_slot slot;
    struct address_owner owner; /* workload NULL: none */
    uint64_t seen_ns, gone_ns;  /* gone_ns 0: still there */
    uint64_t expires_ns;        /* of the name */
    uint64_t asked_ns;
    char host[HOST]; /* empty: none */
};

/* ---- addresses ---- */

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

struct address address_of(const uint8_t *bytes, int family) {
    struct address address;
    memcpy(address.bytes, mapped, sizeof mapped);
    if (family == 4)
        memcpy(address.bytes + 12, bytes, 4);
    else
        memcpy(address.bytes, bytes, 16);
    return address;
}

bool address_is_four(const struct address *address) {
    return memcmp(address->bytes, mapped, sizeof mapped) == 0;
}

bool address_is_loopback(const struct address *address) {
    static const uint8_t loopback[16] = {[15] = 1};
    return address_is_four(address) ? address->bytes[12] == 127 : memcmp(address->bytes, loopback, 16) == 0;
}

bool address_is_private(const struct address *address) {
    const uint8_t *a = address->bytes + 12, *b = address->bytes;
    if (address_is_loopback(address))
        return true;
    if (address_is_four(address))
        return a[0] == 10 || (a[0] == 172 && (a[1] & 0xf0) == 16) || (a[0] == 192 && a[1] == 168) ||
               (a[0] == 169 && a[1] == 254) || (a[0] == 100 && (a[1] & 0xc0) == 64);
    return (b[0] & 0xfe) == 0xfc || (b[0] == 0xfe && (b[1] & 0xc0) == 0x80);
}

void address_text(const struct address *address, char *ret_text, size_t size) {
    const bool four = address_is_four(address);
    if (!inet_ntop(four ? AF_INET : AF_INET6, address->bytes + (four ? 12 : 0), ret_text, (socklen_t)size))
        ret_text[0] = '\0';
}

bool prefix_parse(const char *text, struct prefix *ret_prefix) {
    char address[INET6_ADDRSTRLEN];
    uint8_t bytes[16];
    const size_t length = strcspn(text, "/");
    if (length >= sizeof address)
        return false;
    text_copy(address, length + 1, text);
    const int family = strchr(address, ':') ? 6 : 4;
    if (inet_pton(family == 4 ? AF_INET : AF_INET6, address, bytes) != 1)
        return false;
    const unsigned widest = family == 4 ? 32 : 128;
    char *end = (char *)text + length;
    const unsigned long bits = text[length] ? strtoul(text + length + 1, &end, 10) : widest;
    if (*end || bits > widest || (text[length] && end == text + length + 1))
        return false;
    *ret_prefix = (struct prefix){address_of(bytes, family), (unsigned)bits + 128 - widest};
    return true;
}

bool prefix_holds(const struct prefix *prefix, const struct address *address) {
    const unsigned whole = prefix->bits / 8, rest = prefix->bits % 8;
    if (memcmp(prefix->address.bytes, address->bytes, whole) != 0)
        return false;
    return rest == 0 || (prefix->address.bytes[whole] ^ address->bytes[whole]) >> (8 - rest) == 0;
}

/* ---- the table ---- */

static uint64_t key_of(const struct address *address) {
    return XXH3_64bits(address->bytes, sizeof address->bytes);
}

int addresses_new(struct addresses *addresses, size_t entries, bool (*runs)(uint32_t pid, uint64_t start_time_ns)) {
    addresses->runs = runs;
    return cache_new(&addresses->cache, entries, sizeof(struct entry));
}

void addresses_done(struct addresses *addresses) {
    cache_done(&addresses->cache);
}

/* Whether the owner is there; one that was not asked after for a while is. */
static bool is_there(const struct addresses *addresses, struct entry *entry, uint64_t now_ns) {
    if (!entry->owner.workload || entry->gone_ns)
        return false;
    if (entry->owner.certain || now_ns < entry->seen_ns + BELIEVED_S * SECOND_NS)
        return true;
    if (!addresses->runs(entry->owner.pid, entry->owner.start_time_ns))
        entry->gone_ns = now_ns;
    else
        entry->seen_ns = now_ns;
    return !entry->gone_ns;
}

void addresses_own(struct addresses *addresses, const struct address *address, const struct address_owner *owner,
                   uint64_t now_ns) {
    bool made;
    struct entry *entry = cache_add(&addresses->cache, key_of(address), &made);
    const bool same = entry->owner.workload == owner->workload;
    /* Containers may share a network namespace: the first one keeps the address. */
    if (!same && !owner->certain && is_there(addresses, entry, now_ns))
        return;
    const bool certain = owner->certain || (same && entry->owner.certain && !entry->gone_ns);
    entry->owner = *owner;
    entry->owner.certain = certain;
    entry->seen_ns = now_ns;
    entry->gone_ns = 0;
}

void addresses_leave(struct addresses *addresses, const struct address *address, const struct workload *workload,
                     uint64_t now_ns) {
    struct entry *entry = cache_find(&addresses->cache, key_of(address));
    if (entry && entry->owner.workload == workload && !entry->gone_ns)
        entry->gone_ns = now_ns;
}

void addresses_name(struct addresses *addresses, const struct address *address, const char *host, size_t length,
                    uint32_t ttl_s, uint64_t now_ns) {
    bool made;
    if (length == 0 || length >= HOST)
        return;
    struct entry *entry = cache_add(&addresses->cache, key_of(address), &made);
    text_copy(entry->host, length + 1, host);
    const size_t last = strlen(entry->host);
    if (last > 1 && entry->host[last - 1] == '.')
        entry->host[last - 1] = '\0';
    entry->expires_ns = now_ns + ttl_s * SECOND_NS;
    entry->asked_ns = now_ns;
}

bool addresses_find(struct addresses *addresses, const struct address *address, uint64_t now_ns,
                    struct address_answer *ret_answer) {
    struct entry *entry = cache_find(&addresses->cache, key_of(address));
    if (!entry)
        return false;
    const bool there = is_there(addresses, entry, now_ns);
    if (entry->owner.workload && (there || now_ns - entry->gone_ns < ADDRESS_STALE_NS)) {
        *ret_answer = (struct address_answer){entry->owner.workload, entry->owner.instance, NULL, !there};
        return true;
    }
    const uint64_t kept_from = entry->asked_ns > entry->expires_ns ? entry->asked_ns : entry->expires_ns;
    if (!entry->host[0] || now_ns >= kept_from + ADDRESS_STALE_NS)
        return false;
    entry->asked_ns = now_ns;
    *ret_answer = (struct address_answer){NULL, 0, entry->host, now_ns >= entry->expires_ns};
    return true;
}
