/* SPDX-License-Identifier: Apache-2.0 */
/* Sinks as configured: kind, argument and settings, checked and not yet opened. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "config_table.h"

void config_forget_sinks(struct config *config) {
    for (size_t i = 0; i < config->sink_count; i++)
        settings_free(config->sinks[i].settings);
    config->sink_count = 0;
}

static const struct sink_ops *find(const char *kind, size_t length, char *error, size_t error_size) {
    const struct sink_ops *const *kinds = sink_kinds();
    for (size_t i = 0; kinds[i]; i++)
        if (strlen(kinds[i]->name) == length && !memcmp(kinds[i]->name, kind, length))
            return kinds[i];
    size_t used = snprintf(error, error_size, "no such kind; allowed:");
    for (size_t i = 0; kinds[i] && used < error_size; i++)
        used += snprintf(error + used, error_size - used, " %s", kinds[i]->name);
    return NULL;
}

/* Takes `settings`. */
static int add(struct config *config, const struct sink_ops *ops, struct sink_settings *settings,
               struct config_origin origin, char *error, size_t error_size) {
    const char *argument = settings->argument ? settings->argument : ops->standard;
    int result = 0;
    if (config->sink_count == CONFIG_SINK_LIMIT) {
        snprintf(error, error_size, "one sink too many; at most %d", CONFIG_SINK_LIMIT);
        result = -E2BIG;
    } else if (ops->argument && (!argument || !*argument)) {
        snprintf(error, error_size, "%s needs %s", ops->name, ops->argument);
        result = -EINVAL;
    } else if (!ops->argument && argument) {
        snprintf(error, error_size, "%s takes no argument", ops->name);
        result = -EINVAL;
    }
    if (result)
        settings_free(settings);
    else
        config->sinks[config->sink_count++] = (struct config_sink){ops, settings, origin};
    return result;
}

void config_count_queues(const struct config *config, uint64_t *ret_bytes, unsigned *ret_untold) {
    *ret_bytes = 0;
    *ret_untold = 0;
    for (size_t i = 0; i < config->sink_count; i++) {
        const struct config_sink *sink = &config->sinks[i];
        if (sink->ops->observe) /* it writes at once */
            continue;
        if (settings_given(sink->settings, "queue"))
            *ret_bytes += settings_number(sink->settings, "queue");
        else
            ++*ret_untold;
    }
}

int config_add_sink_text(struct config *config, const char *text, struct config_origin origin, char *error,
                         size_t error_size) {
    size_t length = strcspn(text, ":,");
    const struct sink_ops *ops = find(text, length, error, error_size);
    struct sink_settings *settings;
    int result = ops ? settings_parse(ops->options, text + length, &settings, error, error_size) : -EINVAL;
    return result ? result : add(config, ops, settings, origin, error, error_size);
}

int config_add_sink_values(struct config *config, const char *kind, const char *argument,
                           const struct sink_value *values, size_t count, struct config_origin origin, char *error,
                           size_t error_size) {
    const struct sink_ops *ops = find(kind, strlen(kind), error, error_size);
    struct sink_settings *settings;
    int result = ops ? settings_new(ops->options, argument, values, count, &settings, error, error_size) : -EINVAL;
    return result ? result : add(config, ops, settings, origin, error, error_size);
}

int config_add_sink_option(struct config *config, const char *text, struct config_problems *problems) {
    struct config_origin *origin = config_origin(config, config_find("sinks"));
    char error[512] = "";
    if (origin->source != CONFIG_OPTION)
        config_forget_sinks(config);
    *origin = (struct config_origin){.source = CONFIG_OPTION};
    int result = config_add_sink_text(config, text, *origin, error, sizeof(error));
    if (result)
        config_problem(problems, "--sink %s: %s", text, error);
    return result;
}
