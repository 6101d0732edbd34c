/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a sink was told: its argument and its options, checked against its table before it opens.
 *
 * Life cycle: settings_parse (command line) or settings_new (configuration file) -> settings_text, ... by the sink, for
 * as long as it lives -> settings_free. A value that passed the check is always understood, so reading cannot fail.
 */
#ifndef WEFT_SINKS_SETTINGS_H
#define WEFT_SINKS_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sink_option_type {
    SINK_OPTION_TEXT,
    SINK_OPTION_SIZE,   /* 64K, 16M, 1G; bytes without a unit */
    SINK_OPTION_TIME,   /* 500ms, 30s, 5m, 1h */
    SINK_OPTION_BOOL,   /* yes or no */
    SINK_OPTION_NUMBER, /* a whole number, not negative */
    SINK_OPTION_CHOICE, /* one of `allowed` */
    SINK_OPTION_LIST    /* one or more of `allowed`, joined by + */
};

/* A table of these ends with name NULL. A name that ends in ".*" stands for every name with that beginning. */
struct sink_option {
    const char *name;
    enum sink_option_type type;
    const char *standard; /* value if not given; NULL: none */
    const char *help;
    const char *allowed; /* of a choice or a list: words divided by one space */
};

struct sink_value {
    const char *name, *value;
};

struct sink_settings {
    const struct sink_option *own; /* the sink's table */
    char *argument;                /* NULL: none */
    struct sink_value *values;     /* as given; owned */
    size_t count;
};

/* What every sink takes: `records` and `queue`. */
extern const struct sink_option sink_common_options[];

/* 0 or a negative errno with `error` saying what is wrong and what is allowed. Strings are copied. */
int settings_new(const struct sink_option *own, const char *argument, const struct sink_value *values, size_t count,
                 struct sink_settings **ret_settings, char *error, size_t error_size);
/*
 * `text` is what follows KIND: `[:ARGUMENT][,NAME=VALUE]...`. The argument may hold commas: it ends where a part looks
 * like NAME=VALUE. A later part without `=` goes on with the value before it (rdkafka.debug=broker,topic).
 */
int settings_parse(const struct sink_option *own, const char *text, struct sink_settings **ret_settings, char *error,
                   size_t error_size);
/* A value that passed the check, as if it had been given; -ENOMEM. */
int settings_give(struct sink_settings *settings, const char *name, const char *value);
void settings_free(struct sink_settings *settings);

/* The value given, else the standard one, else NULL. */
const char *settings_text(const struct sink_settings *settings, const char *name);
bool settings_given(const struct sink_settings *settings, const char *name); /* and not left to its standard value */
uint64_t settings_number(const struct sink_settings *settings, const char *name); /* also sizes (bytes), times (ns) */
bool settings_bool(const struct sink_settings *settings, const char *name);
/* Bit i: word i of the option's `allowed` is in the list. */
unsigned settings_list(const struct sink_settings *settings, const char *name);

#endif
