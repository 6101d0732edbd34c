/* SPDX-License-Identifier: Apache-2.0 */
#include "settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct sink_option sink_common_options[] = {
    {"records", SINK_OPTION_LIST, "edge+workload+join+agent", "kinds of records, joined by +",
     "edge workload join agent call flow"},
    {"queue", SINK_OPTION_SIZE, "16M",
     "memory for records that wait for this sink, or less if its part of memory_max is; what finds it full is dropped",
     NULL},
    {0},
};

static bool fits(const struct sink_option *option, const char *name, size_t length) {
    size_t own = strlen(option->name);
    if (own > 2 && !strcmp(option->name + own - 2, ".*"))
        return length > own - 1 && !strncmp(option->name, name, own - 1);
    return own == length && !strncmp(option->name, name, length);
}

static const struct sink_option *find(const struct sink_option *own, const char *name, size_t length) {
    for (const struct sink_option *o = own; o && o->name; o++)
        if (fits(o, name, length))
            return o;
    for (const struct sink_option *o = sink_common_options; o->name; o++)
        if (fits(o, name, length))
            return o;
    return NULL;
}

/* A number and its unit; false if the text is something else. */
static bool scaled(const char *text, const struct sink_option *option, uint64_t *ret_value) {
    static const struct {
        enum sink_option_type type;
        const char *unit;
        uint64_t scale;
    } units[] = {
        {SINK_OPTION_NUMBER, "", 1},
        {SINK_OPTION_SIZE, "", 1},
        {SINK_OPTION_SIZE, "K", 1 << 10},
        {SINK_OPTION_SIZE, "M", 1 << 20},
        {SINK_OPTION_SIZE, "G", 1 << 30},
        {SINK_OPTION_TIME, "ms", 1000000},
        {SINK_OPTION_TIME, "s", 1000000000},
        {SINK_OPTION_TIME, "m", 60000000000},
        {SINK_OPTION_TIME, "h", 3600000000000},
    };
    char *unit;
    errno = 0;
    uint64_t value = strtoull(text, &unit, 10);
    if (errno || *text < '0' || *text > '9')
        return false;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (units[i].type != option->type || strcmp(units[i].unit, unit))
            continue;
        if (value > UINT64_MAX / units[i].scale)
            return false;
        *ret_value = value * units[i].scale;
        return true;
    }
    return false;
}

/* Which word of `allowed` this is; -1: none. */
static int word(const char *allowed, const char *text, size_t length) {
    for (int i = 0;; i++) {
        size_t size = strcspn(allowed, " ");
        if (size == length && !strncmp(allowed, text, length))
            return i;
        if (!allowed[size])
            return -1;
        allowed += size + 1;
    }
}

static bool listed(const struct sink_option *option, const char *text, unsigned *ret_set) {
    *ret_set = 0;
    for (;; text++) {
        size_t size = strcspn(text, "+");
        int at = word(option->allowed, text, size);
        if (at < 0)
            return false;
        *ret_set |= 1u << at;
        text += size;
        if (!*text)
            return true;
    }
}

static int bad_value(const struct sink_option *option, const char *name, char *error, size_t error_size) {
    static const char *const forms[] = {
        [SINK_OPTION_SIZE] = "a size such as 64K, 16M or 1G",
        [SINK_OPTION_TIME] = "a time such as 500ms, 30s or 5m",
        [SINK_OPTION_BOOL] = "yes or no",
        [SINK_OPTION_NUMBER] = "a whole number",
        [SINK_OPTION_LIST] = "one or more of these joined by +:",
        [SINK_OPTION_CHOICE] = "one of:",
        [SINK_OPTION_TEXT] = "not empty",
    };
    bool words = option->type == SINK_OPTION_LIST || option->type == SINK_OPTION_CHOICE;
    snprintf(error, error_size, "%s: not understood; allowed: %s%s%s", name, forms[option->type], words ? " " : "",
             words ? option->allowed : "");
    return -EINVAL;
}

static int check(const struct sink_option *own, const char *name, const char *value, char *error, size_t error_size) {
    const struct sink_option *option = find(own, name, strlen(name));
    uint64_t number;
    unsigned set;
    bool good = true;
    if (!option) {
        size_t used = snprintf(error, error_size, "no option %s; allowed:", name);
        for (const struct sink_option *o = own; o && o->name && used < error_size; o++)
            used += snprintf(error + used, error_size - used, " %s", o->name);
        for (const struct sink_option *o = sink_common_options; o->name && used < error_size; o++)
            used += snprintf(error + used, error_size - used, " %s", o->name);
        return -EINVAL;
    }
    switch (option->type) {
    case SINK_OPTION_TEXT:
        good = *value;
        break;
    case SINK_OPTION_SIZE:
    case SINK_OPTION_TIME:
    case SINK_OPTION_NUMBER:
        good = scaled(value, option, &number);
        break;
    case SINK_OPTION_BOOL:
        good = !strcmp(value, "yes") || !strcmp(value, "no");
        break;
    case SINK_OPTION_CHOICE:
        good = word(option->allowed, value, strlen(value)) >= 0;
        break;
    case SINK_OPTION_LIST:
        good = listed(option, value, &set);
        break;
    }
    return good ? 0 : bad_value(option, name, error, error_size);
}

static int no_memory(char *error, size_t error_size) {
    snprintf(error, error_size, "out of memory");
    return -ENOMEM;
}

int settings_give(struct sink_settings *settings, const char *name, const char *value) {
    struct sink_value *values = reallocarray(settings->values, settings->count + 1, sizeof(*values));
    if (!values)
        return -ENOMEM;
    settings->values = values;
    values[settings->count] = (struct sink_value){strdup(name), strdup(value)};
    settings->count++;
    return values[settings->count - 1].name && values[settings->count - 1].value ? 0 : -ENOMEM;
}

int settings_new(const struct sink_option *own, const char *argument, const struct sink_value *values, size_t count,
                 struct sink_settings **ret_settings, char *error, size_t error_size) {
    struct sink_settings *settings = calloc(1, sizeof(*settings));
    int result = settings ? 0 : no_memory(error, error_size);
    if (!result) {
        settings->own = own;
        settings->argument = argument ? strdup(argument) : NULL;
        if (argument && !settings->argument)
            result = no_memory(error, error_size);
    }
    for (size_t i = 0; i < count && !result; i++) {
        result = check(own, values[i].name, values[i].value, error, error_size);
        if (!result && settings_give(settings, values[i].name, values[i].value) < 0)
            result = no_memory(error, error_size);
    }
    if (result) {
        settings_free(settings);
        return result;
    }
    *ret_settings = settings;
    return 0;
}

/* NAME=VALUE? Names are lower-case letters, digits, dots and underscores. */
static char *equals_sign(char *part) {
    size_t length = strspn(part, "abcdefghijklmnopqrstuvwxyz0123456789._");
    return length && part[length] == '=' ? part + length : NULL;
}

/* Cuts `text` at the commas that begin an option. */
static size_t split(char *text, struct sink_value *values, size_t limit) {
    size_t count = 0;
    for (char *comma = strchr(text, ','); comma && count < limit; comma = strchr(comma + 1, ',')) {
        char *equals = equals_sign(comma + 1);
        if (!equals)
            continue;
        *comma = *equals = '\0';
        values[count++] = (struct sink_value){comma + 1, equals + 1};
        comma = equals;
    }
    return count;
}

int settings_parse(const struct sink_option *own, const char *text, struct sink_settings **ret_settings, char *error,
                   size_t error_size) {
    struct sink_value values[64];
    char *copy = strdup(text);
    if (!copy)
        return no_memory(error, error_size);
    size_t count = split(copy, values, sizeof(values) / sizeof(values[0]));
    const char *argument = *copy == ':' ? copy + 1 : NULL;
    int result = 0;
    if (*copy && *copy != ':') {
        snprintf(error, error_size, "%s: not understood; expected NAME=VALUE after a comma", copy);
        result = -EINVAL;
    }
    if (!result)
        result = settings_new(own, argument, values, count, ret_settings, error, error_size);
    free(copy);
    return result;
}

void settings_free(struct sink_settings *settings) {
    if (!settings)
        return;
    for (size_t i = 0; i < settings->count; i++) {
        free((char *)settings->values[i].name);
        free((char *)settings->values[i].value);
    }
    free(settings->values);
    free(settings->argument);
    free(settings);
}

const char *settings_text(const struct sink_settings *settings, const char *name) {
    for (size_t i = settings->count; i > 0; i--) /* the last one given */
        if (!strcmp(settings->values[i - 1].name, name))
            return settings->values[i - 1].value;
    const struct sink_option *option = find(settings->own, name, strlen(name));
    return option ? option->standard : NULL;
}

bool settings_given(const struct sink_settings *settings, const char *name) {
    for (size_t i = 0; i < settings->count; i++)
        if (!strcmp(settings->values[i].name, name))
            return true;
    return false;
}

uint64_t settings_number(const struct sink_settings *settings, const char *name) {
    const struct sink_option *option = find(settings->own, name, strlen(name));
    const char *text = settings_text(settings, name);
    uint64_t value = 0;
    return option && text && scaled(text, option, &value) ? value : 0;
}

bool settings_bool(const struct sink_settings *settings, const char *name) {
    const char *text = settings_text(settings, name);
    return text && !strcmp(text, "yes");
}

unsigned settings_list(const struct sink_settings *settings, const char *name) {
    const struct sink_option *option = find(settings->own, name, strlen(name));
    const char *text = settings_text(settings, name);
    unsigned set = 0;
    return option && text && listed(option, text, &set) ? set : 0;
}
