/* SPDX-License-Identifier: Apache-2.0 */
#include "sink.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "outlet.h"

#define CLOSE_NS 10000000000ULL

static const struct sink_ops *const kinds[] = {&sink_stdout, &sink_file, &sink_kafka, &sink_prometheus, NULL};

const struct sink_ops *const *sink_kinds(void) {
    return kinds;
}

static const struct sink_ops *find(const char *text, size_t length) {
    for (const struct sink_ops *const *kind = kinds; *kind; kind++)
        if (strlen((*kind)->name) == length && !memcmp((*kind)->name, text, length))
            return *kind;
    return NULL;
}

static int not_understood(char *error, size_t error_size) {
    size_t used = snprintf(error, error_size, "not understood; allowed:");
    for (const struct sink_ops *const *kind = kinds; *kind && used < error_size; kind++)
        used += snprintf(error + used, error_size - used, "%s %s%s%s", kind == kinds ? "" : ",", (*kind)->name,
                         (*kind)->argument ? ":" : "", (*kind)->argument ? (*kind)->argument : "");
    return -EINVAL;
}

static int set_queue(const struct sinks *sinks, struct sink_settings *settings) {
    char text[24];
    if (!sinks->queue_bytes || settings_given(settings, "queue"))
        return 0;
    snprintf(text, sizeof(text), "%zu", sinks->queue_bytes);
    return settings_give(settings, "queue", text);
}

/* Takes `settings`. */
static int open_sink(struct sinks *sinks, const struct sink_ops *ops, struct sink_settings *settings, char *error,
                     size_t error_size) {
    if ((!settings->argument && ops->standard && !(settings->argument = strdup(ops->standard))) ||
        set_queue(sinks, settings)) {
        settings_free(settings);
        snprintf(error, error_size, "out of memory");
        return -ENOMEM;
    }
    if (!ops->argument != !settings->argument || (settings->argument && !*settings->argument)) {
        settings_free(settings);
        return not_understood(error, error_size);
    }
    if (sinks->count == SINK_LIMIT) {
        settings_free(settings);
        snprintf(error, error_size, "more than %d sinks", SINK_LIMIT);
        return -E2BIG;
    }
    int result = outlet_new(ops, settings, &sinks->open[sinks->count], error, error_size);
    if (!result)
        sinks->count++;
    return result;
}

int sinks_open(struct sinks *sinks, const char *text, char *error, size_t error_size) {
    size_t length = strcspn(text, ":,");
    const struct sink_ops *ops = find(text, length);
    struct sink_settings *settings;
    if (!ops)
        return not_understood(error, error_size);
    int result = settings_parse(ops->options, text + length, &settings, error, error_size);
    return result ? result : open_sink(sinks, ops, settings, error, error_size);
}

int sinks_open_values(struct sinks *sinks, const char *kind, const char *argument, const struct sink_value *values,
                      size_t count, char *error, size_t error_size) {
    const struct sink_ops *ops = find(kind, strlen(kind));
    struct sink_settings *settings;
    if (!ops)
        return not_understood(error, error_size);
    int result = settings_new(ops->options, argument, values, count, &settings, error, error_size);
    return result ? result : open_sink(sinks, ops, settings, error, error_size);
}

bool sinks_take(const struct sinks *sinks, enum sink_record_kind kind) {
    bool taken = false;
    for (size_t i = 0; i < sinks->count; i++)
        taken |= outlet_takes(sinks->open[i], kind);
    return taken;
}

void sinks_write(struct sinks *sinks, const struct batch *batch) {
    sinks->refused += batch->refused;
    for (size_t i = 0; i < sinks->count; i++)
        outlet_offer(sinks->open[i], batch->records, batch->count);
}

static size_t add(struct counter *counters, size_t count, const struct counter *counter) {
    size_t i = 0;
    while (i < count && strcmp(counters[i].name, counter->name))
        i++;
    if (i == SINK_COUNTER_LIMIT)
        return count;
    if (i == count)
        counters[count++] = (struct counter){counter->name, 0};
    counters[i].value += counter->value;
    return count;
}

size_t sinks_counters(const struct sinks *sinks, struct counter *counters) {
    uint64_t dropped = sinks->refused;
    for (size_t i = 0; i < sinks->count; i++) {
        struct sink_report report = outlet_report(sinks->open[i]);
        dropped += report.queue_full + report.failed;
    }
    size_t count = add(counters, 0, &(struct counter){"sink_dropped", dropped});
    for (size_t i = 0; i < sinks->count; i++) {
        struct counter own[SINK_COUNTER_LIMIT];
        size_t owned = outlet_counters(sinks->open[i], own);
        for (size_t k = 0; k < owned; k++)
            count = add(counters, count, &own[k]);
    }
    return count;
}

const struct sink_report *sinks_report(struct sinks *sinks, size_t *ret_count) {
    for (size_t i = 0; i < sinks->count; i++)
        sinks->reports[i] = outlet_report(sinks->open[i]);
    *ret_count = sinks->count;
    return sinks->reports;
}

void sinks_close(struct sinks *sinks) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    uint64_t deadline = (uint64_t)time.tv_sec * 1000000000 + time.tv_nsec + CLOSE_NS;
    for (size_t i = 0; i < sinks->count; i++)
        outlet_stop(sinks->open[i], deadline);
    for (size_t i = 0; i < sinks->count; i++)
        outlet_join(sinks->open[i]);
    sinks->count = 0;
}

static void help_options(FILE *out, const struct sink_option *options) {
    for (const struct sink_option *o = options; o && o->name; o++) {
        bool words = o->allowed && o->type == SINK_OPTION_CHOICE;
        fprintf(out, "    %s=%-*s %s", o->name, (int)(25 - strlen(o->name)), o->standard ? o->standard : "", o->help);
        fprintf(out, "%s%s\n", words ? ": " : "", words ? o->allowed : "");
    }
}

void sinks_help(FILE *out) {
    for (const struct sink_ops *const *kind = kinds; *kind; kind++) {
        char form[64];
        snprintf(form, sizeof(form), "%s%s%s", (*kind)->name, (*kind)->argument ? ":" : "",
                 (*kind)->argument ? (*kind)->argument : "");
        fprintf(out, "  %-28s %s\n", form, (*kind)->help);
        help_options(out, (*kind)->options);
    }
    fprintf(out, "  options of every sink (KIND[:ARGUMENT][,NAME=VALUE]...)\n");
    help_options(out, sink_common_options);
}
