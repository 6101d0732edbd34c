/* SPDX-License-Identifier: Apache-2.0 */
/* The table of keys, and how one value gets from text into struct config. Reading the file is in config_file.c. */

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "config_table.h"
#include "value.h"

#define FIELD(name) .offset = offsetof(struct config, name)
#define MIB ((uint64_t)1 << 20)
#define SECOND ((uint64_t)1000000000)

static const struct config_key keys[] = {
    {"window", CONFIG_TIME, "10s", "a time from 100ms to 1h", "length of a window, aligned to the clock",
     "short enough to look at while something happens, long enough that a record is worth its bytes", "window",
     FIELD(window_ns), SECOND / 10, 3600 * SECOND},
    {"call_timeout", CONFIG_TIME, "30s", "a time from 100ms to 1h",
     "a request unanswered for so long is counted as `timeout`, once, even if the answer comes later",
     "longer than most clients wait", NULL, FIELD(call_timeout_ns), SECOND / 10, 3600 * SECOND},
    {"memory_max", CONFIG_SIZE, "256M", "a size from 64M to 64G",
     "ceiling of the agent's memory: its tables, the rings and the kernel's maps (what hangs on each socket is "
     "charged to the socket)",
     "room for 60,000 connections at once with their packets and an hour of windows, and small beside what a host runs",
     NULL, FIELD(memory_max), 64 * MIB, 65536 * MIB},
    {"ring.size", CONFIG_SIZE, "16M", "a power of two from 64K to 1G",
     "bytes of each ring between kernel and agent; records that find it full are lost and counted",
     "a quarter of a second of 200,000 requests/s, so that a busy host may keep the agent waiting that long", "ring",
     FIELD(ring_size), 64 << 10, 1024 * MIB, true},
    {"ring.count", CONFIG_COUNT, "auto", "auto, or a power of two from 1 to 16",
     "how many rings there are, each with a thread that reads it",
     "one for every 8 CPUs, as far as all of them take no more than a quarter of memory_max", "rings",
     FIELD(ring_count), 1, 16, true},
    {"connections_max", CONFIG_COUNT, "auto", "auto, or a number from 64 to 10000000",
     "connections followed at once; those beyond are counted as `connections_refused`", "its share of memory_max", NULL,
     FIELD(connections_max), 64, 10000000},
    {"edges_max", CONFIG_COUNT, "auto", "auto, or a number from 16 to 1000000",
     "edges kept at once; those beyond are counted as `edges_refused`", "its share of memory_max", NULL,
     FIELD(edges_max), 16, 1000000},
    {"clients_per_server", CONFIG_COUNT, "256", "a number from 1 to 100000",
     "distinct unresolved clients of one server; the rest are folded into `other`, and counted",
     "more than anybody can tell apart on a map, and a bound for scans", NULL, FIELD(clients_per_server), 1, 100000},
    {"namespace", CONFIG_CHOICE, "host", "host|self",
     "`host`: every network namespace; `self`: only sockets of the agent's own one",
     "what a host runs is usually spread over many", "namespace", FIELD(namespace)},
    {"packets", CONFIG_CHOICE, "on", "on|off",
     "whether packets are counted at network interfaces: flows, drops, retransmits, the path of a connection",
     "sockets say what was asked and answered, only packets what the network did to it", "packets", FIELD(packets)},
    {"packets_scope", CONFIG_CHOICE, "own", "own|all",
     "`own`: interfaces of the agent's own network namespace; `all`: of every one on this host, where the hops inside "
     "of "
     "containers are seen as well",
     "the ends of containers' veths are in the host's namespace; nothing need be entered, and less be counted twice",
     "packets-scope", FIELD(packets_scope)},
    {"interfaces.include", CONFIG_PATTERNS, "", "patterns of names (veth*) or kinds (kind:bridge), joined by commas",
     "interfaces that are watched; none: all", "a path has no hole", "include-interfaces", FIELD(include_interfaces)},
    {"interfaces.exclude", CONFIG_PATTERNS, "", "patterns of names (veth*) or kinds (kind:bridge), joined by commas",
     "interfaces that are not watched, though they be included", "a path has no hole", "exclude-interfaces",
     FIELD(exclude_interfaces)},
    {"flows_max", CONFIG_COUNT, "auto", "auto, or a number from 64 to 10000000",
     "flows held at once, one for each connection, interface and direction; packets of those beyond are counted by "
     "their interface alone, as `flows_full`",
     "its share of memory_max", NULL, FIELD(flows_max), 64, 10000000},
    {"page", CONFIG_ADDRESS, "127.0.0.1:7575", "ADDRESS:PORT, [IPv6]:PORT, PORT on 127.0.0.1, or off",
     "where the page and its API are served", "loopback: what talks to what is nobody else's business", "page",
     FIELD(page)},
    {"page_token", CONFIG_SECRET, "", "16 to 256 of A-Z a-z 0-9 . _ ~ -",
     "what a reader of the page must show; required where `page` is not on loopback", "loopback needs none", NULL,
     FIELD(page_token)},
    {"socket", CONFIG_PATH, "/run/weft/weft.sock", "an absolute path of at most 107 bytes, or off",
     "Unix socket on which `weft map` and `weft check` ask the agent; its folder is made with mode 0700",
     "/run is emptied at boot", "socket", FIELD(socket)},
    {"sinks", CONFIG_SINKS, "[]", "a list; each item as in --sink, or a mapping with `kind`", "where records go",
     "nothing leaves the host unless somebody says so", "sink", FIELD(sinks)},
    {"names", CONFIG_NAMES, "[]",
     "a list of mappings with `name` and at least one of address, executable, cgroup, container_label",
     "rules that name workloads, before any other source of a name; the first that fits is taken",
     "most hosts name their containers and services well enough", NULL, FIELD(names)},
    {"docker_socket", CONFIG_PATH, "/var/run/docker.sock", "an absolute path of at most 107 bytes, or off",
     "where Docker is asked for names, images and labels of containers", "Docker's own default", NULL,
     FIELD(docker_socket)},
    {"mmdb.asn", CONFIG_PATH, "off", "an absolute path, or off",
     "MMDB file that names public addresses by their network (ASN)", "weft brings none", NULL, FIELD(mmdb_asn)},
    {"mmdb.country", CONFIG_PATH, "off", "an absolute path, or off",
     "MMDB file that names public addresses by their country", "weft brings none", NULL, FIELD(mmdb_country)},
    {"conn_id_key", CONFIG_ID_KEY, "776566742d64656661756c742d6b6579", "32 hexadecimal digits",
     "key of the hash that turns sequence numbers into connection ids; hosts whose halves are to be joined need the "
     "same one",
     "the same everywhere, so that hosts join without configuration; it is public, and who has it can test a guess at "
     "the sequence numbers of a connection, so a fleet should set its own",
     NULL, FIELD(conn_id_key)},
};
enum { KEYS = sizeof(keys) / sizeof(keys[0]) };
_Static_assert(sizeof(keys) / sizeof(keys[0]) <= (size_t)CONFIG_KEY_LIMIT, "CONFIG_KEY_LIMIT is too small");

const struct config_key *config_keys(size_t *ret_count) {
    *ret_count = KEYS;
    return keys;
}

const struct config_key *config_find(const char *name) {
    for (size_t i = 0; i < KEYS; i++)
        if (!strcmp(keys[i].name, name))
            return &keys[i];
    return NULL;
}

void config_problem(struct config_problems *problems, const char *format, ...) {
    va_list arguments;
    size_t left = sizeof(problems->text) - problems->length;
    problems->count++;
    va_start(arguments, format);
    int length = vsnprintf(problems->text + problems->length, left, format, arguments);
    va_end(arguments);
    if (length > 0 && (size_t)length + 1 < left) {
        problems->length += length;
        problems->text[problems->length++] = '\n';
    }
    problems->text[problems->length] = '\0'; /* what does not fit is left out whole */
}

struct config_origin *config_origin(struct config *config, const struct config_key *key) {
    return &config->origins[key - keys];
}

static void *field(const struct config *config, const struct config_key *key) {
    return (char *)config + key->offset;
}

static bool automatic(const struct config_key *key) {
    return !strcmp(key->standard, "auto");
}

static int set_number(void *ret_field, const struct config_key *key, const char *text) {
    uint64_t value;
    if (automatic(key) && !strcmp(text, "auto")) {
        *(uint64_t *)ret_field = 0;
        return 0;
    }
    int result = key->type == CONFIG_TIME   ? value_time(text, &value)
                 : key->type == CONFIG_SIZE ? value_size(text, &value)
                                            : value_count(text, &value);
    if (result || value < key->minimum || value > key->maximum || (key->power_of_two && (value & (value - 1))))
        return -EINVAL;
    *(uint64_t *)ret_field = value;
    return 0;
}

static int set_choice(uint64_t *ret_field, const char *words, const char *text) {
    size_t length = strlen(text);
    for (uint64_t i = 0;; i++) {
        size_t word = strcspn(words, "|");
        if (word == length && !memcmp(words, text, length)) {
            *ret_field = i;
            return 0;
        }
        if (!words[word])
            return -EINVAL;
        words += word + 1;
    }
}

static int set_string(char **ret_field, const char *text) {
    char *copy = strdup(text);
    if (!copy)
        return -ENOMEM;
    free(*ret_field);
    *ret_field = copy;
    return 0;
}

/* Both Unix sockets among the paths must fit sun_path. */
static int set_path(char **ret_field, const struct config_key *key, const char *text) {
    size_t longest = strstr(key->name, "socket") ? 107 : 4095;
    if (!strcmp(text, "off"))
        return set_string(ret_field, "");
    return *text == '/' && strlen(text) <= longest ? set_string(ret_field, text) : -EINVAL;
}

static int set_address(struct config_address *ret_field, const char *text) {
    struct config_address address = {.off = !strcmp(text, "off")};
    uint64_t port;
    if (!value_count(text, &port) && port <= UINT16_MAX) {
        strcpy(address.host, "127.0.0.1");
        address.port = (uint16_t)port;
    } else if (!address.off && value_address(text, address.host, sizeof(address.host), &address.port))
        return -EINVAL;
    *ret_field = address;
    return 0;
}

static int set_secret(char **ret_field, const char *text) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._~-";
    size_t length = strlen(text);
    if (length && (length < 16 || length > 256 || strspn(text, letters) != length))
        return -EINVAL;
    return set_string(ret_field, text);
}

/* Each is at most as long as the name of an interface with its wildcards, or a kind's. */
static bool are_patterns(const char *text) {
    enum { LONGEST = 40 };
    for (int count = 0; *text; count++) {
        size_t length = strcspn(text, ",");
        if (!length || length > LONGEST || count == PATTERN_LIMIT || memchr(text, ' ', length))
            return false;
        text += length;
        if (*text && !*++text) /* nothing after the last comma */
            return false;
    }
    return true;
}

int config_set(struct config *config, const struct config_key *key, const char *text) {
    void *target = field(config, key);
    switch (key->type) {
    case CONFIG_TIME:
    case CONFIG_SIZE:
    case CONFIG_COUNT:
        return set_number(target, key, text);
    case CONFIG_CHOICE:
        return set_choice(target, key->allowed, text);
    case CONFIG_TEXT:
        return set_string(target, text);
    case CONFIG_PATTERNS:
        return are_patterns(text) ? set_string(target, text) : -EINVAL;
    case CONFIG_PATH:
        return set_path(target, key, text);
    case CONFIG_ADDRESS:
        return set_address(target, text);
    case CONFIG_SECRET:
        return set_secret(target, text);
    case CONFIG_ID_KEY:
        return value_hex(text, target, sizeof(config->conn_id_key));
    case CONFIG_SINKS:
    case CONFIG_NAMES:
        break;
    }
    return -EINVAL;
}

int config_init(struct config *config) {
    *config = (struct config){0};
    for (size_t i = 0; i < KEYS; i++)
        if (keys[i].type != CONFIG_SINKS && keys[i].type != CONFIG_NAMES &&
            config_set(config, &keys[i], keys[i].standard)) {
            config_done(config);
            return -ENOMEM; /* test_config holds every default against its own key */
        }
    return 0;
}

void config_done(struct config *config) {
    for (size_t i = 0; i < KEYS; i++)
        if (keys[i].type == CONFIG_TEXT || keys[i].type == CONFIG_PATTERNS || keys[i].type == CONFIG_PATH ||
            keys[i].type == CONFIG_SECRET)
            free(*(char **)field(config, &keys[i]));
    config_forget_sinks(config);
    for (size_t i = 0; i < config->name_count; i++) {
        free(config->names[i].name);
        free(config->names[i].address);
        free(config->names[i].executable);
        free(config->names[i].cgroup);
        free(config->names[i].container_label);
    }
    free(config->names);
    free(config->file);
    *config = (struct config){0};
}

/* Levenshtein's distance; long words are far from everything. */
static unsigned distance(const char *a, const char *b) {
    unsigned row[40];
    size_t length = strlen(b);
    if (length >= 40 || strlen(a) >= 40)
        return 99;
    for (size_t j = 0; j <= length; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        unsigned diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= length; j++) {
            unsigned best = diagonal + (a[i - 1] != b[j - 1]);
            best = row[j] + 1 < best ? row[j] + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            diagonal = row[j];
            row[j] = best;
        }
    }
    return row[length];
}

const char *config_nearest(const char *name) {
    const char *nearest = NULL;
    unsigned least = 3; /* two slips, three are another word */
    for (size_t i = 0; i < KEYS; i++) {
        unsigned far = distance(name, keys[i].name);
        if (far < least) {
            least = far;
            nearest = keys[i].name;
        }
    }
    return nearest;
}

int config_set_option(struct config *config, const char *option, const char *value, struct config_problems *problems) {
    for (size_t i = 0; i < KEYS; i++) {
        if (!keys[i].option || strcmp(keys[i].option, option))
            continue;
        if (config_set(config, &keys[i], value)) {
            config_problem(problems, "--%s %s: not understood; allowed: %s", option, value, keys[i].allowed);
            return -EINVAL;
        }
        config_origin(config, &keys[i])->source = CONFIG_OPTION;
        return 0;
    }
    config_problem(problems, "--%s: no such option", option);
    return -EINVAL;
}

/* Where a key was set, for messages about several keys. */
static void place(const struct config *config, const struct config_key *key, char *ret_text, size_t size) {
    const struct config_origin *origin = &config->origins[key - keys];
    if (origin->source == CONFIG_OPTION)
        snprintf(ret_text, size, "--%s", key->option);
    else if (origin->source == CONFIG_FILE)
        snprintf(ret_text, size, "%s:%u:%u: %s", config->file, origin->line, origin->column, key->name);
    else
        snprintf(ret_text, size, "%s", key->name);
}

int config_set_token(struct config *config, const char *token) {
    const struct config_key *key = config_find("page_token");
    if (!*token || config_set(config, key, token))
        return -EINVAL;
    config_origin(config, key)->source = CONFIG_OPTION;
    return 0;
}

static bool loopback(const struct config_address *address) {
    return !strncmp(address->host, "127.", 4) || !strcmp(address->host, "::1");
}

static void derive(struct config *config, unsigned cpus, struct config_problems *problems) {
    struct limits_request request = {.memory_max = config->memory_max,
                                     .ring_size = config->ring_size,
                                     .ring_count = config->ring_count,
                                     .connections = config->connections_max,
                                     .edges = config->edges_max,
                                     .packets = config->packets == PACKETS_ON,
                                     .flows = config->flows_max,
                                     .cpus = cpus};
    uint64_t minimum;
    char where[4200], value[32];
    config_count_queues(config, &request.queues, &request.sinks);
    if (!limits_derive(&request, &config->limits, &minimum))
        return;
    place(config, config_find("memory_max"), where, sizeof(where));
    value_size_text(config->memory_max, value, sizeof(value));
    config_problem(problems,
                   "%s: %s is too small for these rings, tables and sinks; at least %" PRIu64 "M, or less in "
                   "ring.size, ring.count, connections_max, edges_max, flows_max or a sink's queue",
                   where, value, minimum / MIB);
}

static void settle(struct config *config, const char *name, uint64_t value) {
    const struct config_key *key = config_find(name);
    uint64_t *target = field(config, key);
    if (*target)
        return;
    *target = value;
    config_origin(config, key)->source = CONFIG_DERIVED;
}

int config_finish(struct config *config, unsigned cpus, struct config_problems *problems) {
    unsigned before = problems->count;
    if (!config->page.off && !loopback(&config->page) && !*config->page_token) {
        char where[4200];
        place(config, config_find("page"), where, sizeof(where));
        config_problem(problems, "%s: %s is beyond loopback; set page_token, or use 127.0.0.1", where,
                       config->page.host);
    }
    derive(config, cpus, problems);
    if (problems->count > before)
        return -EINVAL;
    settle(config, "ring.count", config->limits.ring_count);
    settle(config, "connections_max", config->limits.connections);
    settle(config, "edges_max", config->limits.edges);
    if (config->packets == PACKETS_ON)
        settle(config, "flows_max", config->limits.flows);
    return 0;
}

void config_value(const struct config *config, const struct config_key *key, char *ret_text, size_t size) {
    const void *value = field(config, key);
    const struct config_address *address = value;
    const char *words = key->allowed;
    uint64_t number = 0;
    if (key->type <= CONFIG_CHOICE)
        number = *(const uint64_t *)value;
    if (key->type < CONFIG_CHOICE && !number) {
        snprintf(ret_text, size, "auto");
        return;
    }
    switch (key->type) {
    case CONFIG_TIME:
        value_time_text(number, ret_text, size);
        return;
    case CONFIG_SIZE:
        value_size_text(number, ret_text, size);
        return;
    case CONFIG_COUNT:
        snprintf(ret_text, size, "%" PRIu64, number);
        return;
    case CONFIG_CHOICE:
        for (; number && strchr(words, '|'); number--)
            words = strchr(words, '|') + 1;
        snprintf(ret_text, size, "%.*s", (int)strcspn(words, "|"), words);
        return;
    case CONFIG_TEXT:
    case CONFIG_PATTERNS:
        snprintf(ret_text, size, "%s", *(char *const *)value);
        return;
    case CONFIG_PATH:
        snprintf(ret_text, size, "%s", **(char *const *)value ? *(char *const *)value : "off");
        return;
    case CONFIG_ADDRESS:
        snprintf(ret_text, size,
                 address->off                 ? "off"
                 : strchr(address->host, ':') ? "[%s]:%u"
                                              : "%s:%u",
                 address->host, address->port);
        return;
    case CONFIG_SECRET:
    case CONFIG_ID_KEY:
    case CONFIG_SINKS:
    case CONFIG_NAMES:
        break;
    }
    snprintf(ret_text, size, "%s", "");
}

void config_origin_text(const struct config *config, const struct config_key *key, char *ret_text, size_t size) {
    const struct config_origin *origin = &config->origins[key - keys];
    if (origin->source == CONFIG_FILE)
        snprintf(ret_text, size, "%s:%u", config->file, origin->line);
    else if (origin->source == CONFIG_OPTION)
        snprintf(ret_text, size, "--%s", key->option ? key->option : "page-token-file");
    else
        snprintf(ret_text, size, "%s", origin->source == CONFIG_DERIVED ? "from memory_max" : "default");
}
