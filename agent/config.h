/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration: defaults, then the file, then the options of the command line; the last one wins.
 *
 *   config_init -> config_read_file -> config_set_option / config_add_sink, as often as there are options
 *     -> config_finish -> use -> config_done
 *
 * One table says everything about a key: its type, default, what is allowed, what it is for and why. Reading the file,
 * the options, `weft config print|explain` and docs/configuration.md are made from it. A new key is a field of struct
 * config and a line of the table in config.c.
 *
 * The configuration owns every string in it. One thread.
 */
#ifndef WEFT_AGENT_CONFIG_H
#define WEFT_AGENT_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "limits.h"
#include "rules.h"
#include "sinks/sink.h"

enum { CONFIG_KEY_LIMIT = 32, CONFIG_SINK_LIMIT = SINK_LIMIT, CONFIG_RULE_LIMIT = RULES };

#define CONFIG_STANDARD_FILE "/etc/weft/weft.yaml"

enum config_type {
    CONFIG_TIME,     /* uint64_t, ns */
    CONFIG_SIZE,     /* uint64_t, bytes */
    CONFIG_COUNT,    /* uint64_t */
    CONFIG_CHOICE,   /* uint64_t: which of the words of `allowed`, from 0 */
    CONFIG_TEXT,     /* char *, never NULL */
    CONFIG_PATTERNS, /* char *: patterns joined by commas, at most PATTERN_LIMIT; empty: none */
    CONFIG_PATH,     /* char *, absolute; empty: off */
    CONFIG_ADDRESS,  /* struct config_address */
    CONFIG_SECRET,   /* char *, empty if none */
    CONFIG_ID_KEY,   /* uint8_t[16] */
    CONFIG_SINKS,
    CONFIG_NAMES
};

struct config_key {
    const char *name; /* section.name or name, as in the file */
    enum config_type type;
    const char *standard; /* as it would stand in the file; "auto": from memory_max and the number of CPUs */
    const char *allowed;  /* ends an error message; the words of a choice, parted by | */
    const char *help;     /* what it is */
    const char *reason;   /* why the default is what it is */
    const char *option;   /* of `weft agent`, without the dashes; NULL: none */
    size_t offset;        /* in struct config */
    uint64_t minimum, maximum;
    bool power_of_two;
};

enum config_source { CONFIG_DEFAULT, CONFIG_DERIVED, CONFIG_FILE, CONFIG_OPTION };

struct config_origin {
    enum config_source source;
    unsigned line, column; /* in the file, from 1 */
};

struct config_address {
    bool off;
    char host[64]; /* a literal address, no brackets */
    uint16_t port;
};

/* Checked against the sink's own table of options; sinks_open_values opens it. */
struct config_sink {
    const struct sink_ops *ops;
    struct sink_settings *settings;
    struct config_origin origin;
};

enum config_namespace { NAMESPACE_HOST, NAMESPACE_SELF };
enum config_packets { PACKETS_ON, PACKETS_OFF };
enum config_packets_scope { PACKETS_OWN, PACKETS_ALL };
enum { PATTERN_LIMIT = 32 };

struct config {
    uint64_t window_ns, call_timeout_ns;
    uint64_t memory_max;
    uint64_t ring_size, ring_count; /* of each ring; 0 until config_finish if "auto" */
    uint64_t connections_max, edges_max, clients_per_server;
    uint64_t namespace; /* enum config_namespace */
    uint64_t packets, packets_scope, flows_max;
    char *include_interfaces, *exclude_interfaces; /* patterns joined by commas */
    struct config_address page;
    char *page_token, *socket, *docker_socket, *mmdb_asn, *mmdb_country;
    uint8_t conn_id_key[16];
    struct config_sink sinks[CONFIG_SINK_LIMIT];
    size_t sink_count;
    struct name_rule *names;
    size_t name_count;

    struct limits limits; /* after config_finish */
    char *file;           /* that was read; NULL: none */
    struct config_origin origins[CONFIG_KEY_LIMIT];
};

/* What is wrong, one line each: FILE:LINE:COLUMN: what; what is allowed. Long lists are cut and say so. */
struct config_problems {
    char text[8192];
    size_t length;
    unsigned count;
};

int config_init(struct config *config); /* the defaults; -ENOMEM */
void config_done(struct config *config);

/* -EINVAL: see `problems`, and nothing of the file is to be used. A file that cannot be read is a problem, too. */
int config_read_file(struct config *config, const char *path, struct config_problems *problems);
/* The same from memory; `path` for messages. */
int config_read(struct config *config, const char *path, const void *bytes, size_t size,
                struct config_problems *problems);
/* `option` is a key's, without the dashes. */
int config_set_option(struct config *config, const char *option, const char *value, struct config_problems *problems);
/* `text` is KIND[:ARGUMENT][,NAME=VALUE]... The first one takes the place of the sinks of the file. */
int config_add_sink_option(struct config *config, const char *text, struct config_problems *problems);
/* `page_token`, which no command line is to show. */
int config_set_token(struct config *config, const char *token);
/* Checks what concerns several keys, and derives what is "auto". */
int config_finish(struct config *config, unsigned cpus, struct config_problems *problems);

/*
 * All of it for a command without options of its own: `path`, else the standard file if it exists. Negative: what is
 * wrong was said on stderr, and there is nothing to be done with `ret_config`.
 */
int config_load(struct config *ret_config, const char *path);

const struct config_key *config_keys(size_t *ret_count);
const struct config_key *config_find(const char *name); /* NULL: no such key */
/* The key or option whose name is nearest; NULL if none is near. */
const char *config_nearest(const char *name);

/* The value of a key as it would stand in the file; lists are not for this. Secrets are not shown. */
void config_value(const struct config *config, const struct config_key *key, char *ret_text, size_t size);
/* "default", "from memory_max", "FILE:LINE", "--option" */
void config_origin_text(const struct config *config, const struct config_key *key, char *ret_text, size_t size);

/* config_document.c: what people read. */
void config_print(const struct config *config, FILE *out); /* YAML, reads back as it is */
void config_explain(const struct config *config, const struct config_key *key, FILE *out);
void config_write_markdown(FILE *out);      /* docs/configuration.md */
void config_write_standard_file(FILE *out); /* deploy/weft.yaml */

/* For those who read parts of a configuration. */
void config_problem(struct config_problems *problems, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
