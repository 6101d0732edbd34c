/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration as people read it: YAML with where each value comes from, help, and the documents made from the
 * table. */
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"

static const char *const type_names[] = {
    [CONFIG_TIME] = "time",     [CONFIG_SIZE] = "size",
    [CONFIG_COUNT] = "number",  [CONFIG_CHOICE] = "word",
    [CONFIG_TEXT] = "text",     [CONFIG_PATTERNS] = "patterns",
    [CONFIG_PATH] = "path",     [CONFIG_ADDRESS] = "address and port",
    [CONFIG_SECRET] = "secret", [CONFIG_ID_KEY] = "secret",
    [CONFIG_SINKS] = "list",    [CONFIG_NAMES] = "list",
};

/* What a plain scalar may hold; the rest is put in double quotes. */
static void write_scalar(FILE *out, const char *text) {
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:+,=@-";
    size_t length = strlen(text);
    if (length && strspn(text, plain) == length && !strchr("-=@,:", *text) && text[length - 1] != ':') {
        fputs(text, out);
        return;
    }
    fputc('"', out);
    for (; *text; text++) {
        unsigned char byte = *text;
        if (byte == '"' || byte == '\\')
            fprintf(out, "\\%c", byte);
        else if (byte < 0x20 || byte == 0x7f)
            fprintf(out, "\\x%02x", byte);
        else
            fputc(byte, out);
    }
    fputc('"', out);
}

/* Opens the section of a key where a new one begins; returns the name inside it. */
static const char *enter(FILE *out, const struct config_key *key, const struct config_key *before, const char *mark) {
    const char *dot = strchr(key->name, '.');
    size_t length = dot ? dot - key->name + 1 : 0;
    if (dot && (!before || strncmp(before->name, key->name, length)))
        fprintf(out, "%s%.*s:\n", mark, (int)length - 1, key->name);
    return dot ? dot + 1 : key->name;
}

/* A sink's own settings name files that hold secrets; only librdkafka's properties can hold one themselves. */
static bool is_secret(const char *setting) {
    return !strncmp(setting, "rdkafka.", 8) && (strstr(setting, "password") || strstr(setting, "secret") ||
                                                strstr(setting, "pem") || strstr(setting, "config"));
}

static void print_sink(const struct config_sink *sink, const char *file, FILE *out) {
    fprintf(out, "  - kind: %s", sink->ops->name);
    if (sink->origin.source == CONFIG_FILE)
        fprintf(out, " # %s:%u", file, sink->origin.line);
    if (sink->settings->argument) {
        fputs("\n    to: ", out);
        write_scalar(out, sink->settings->argument);
    }
    for (size_t i = 0; i < sink->settings->count; i++) {
        const struct sink_value *value = &sink->settings->values[i];
        fputs("\n    ", out);
        write_scalar(out, value->name);
        fputs(": ", out);
        write_scalar(out, is_secret(value->name) ? "***" : value->value);
    }
    fputc('\n', out);
}

static void print_sinks(const struct config *config, const char *origin, FILE *out) {
    fprintf(out, config->sink_count ? "sinks: # %s\n" : "sinks: [] # %s\n", origin);
    for (size_t i = 0; i < config->sink_count; i++)
        print_sink(&config->sinks[i], config->file, out);
}

static void print_matcher(FILE *out, const char *lead, const char *name, const char *value) {
    if (!value)
        return;
    fprintf(out, "%s%s: ", lead, name);
    write_scalar(out, value);
    fputc('\n', out);
}

static void print_names(const struct config *config, const char *origin, FILE *out) {
    fprintf(out, config->name_count ? "names: # %s\n" : "names: [] # %s\n", origin);
    for (size_t i = 0; i < config->name_count; i++) {
        print_matcher(out, "  - ", "name", config->names[i].name);
        print_matcher(out, "    ", "address", config->names[i].address);
        print_matcher(out, "    ", "executable", config->names[i].executable);
        print_matcher(out, "    ", "cgroup", config->names[i].cgroup);
        print_matcher(out, "    ", "container_label", config->names[i].container_label);
    }
}

static void print_key(const struct config *config, const struct config_key *key, const struct config_key *before,
                      FILE *out) {
    char value[4200], origin[4200];
    config_value(config, key, value, sizeof(value));
    config_origin_text(config, key, origin, sizeof(origin));
    if (key->type == CONFIG_SINKS) {
        print_sinks(config, origin, out);
        return;
    }
    if (key->type == CONFIG_NAMES) {
        print_names(config, origin, out);
        return;
    }
    bool secret = key->type == CONFIG_SECRET || key->type == CONFIG_ID_KEY;
    const char *name = enter(out, key, before, "");
    fprintf(out, "%s%s%s:", secret ? "# " : "", name == key->name ? "" : "  ", name);
    if (!secret) {
        fputc(' ', out);
        write_scalar(out, value);
        fputs(" #", out);
    } else
        fputs(" (not shown)", out);
    fprintf(out, " %s\n", origin);
}

void config_print(const struct config *config, FILE *out) {
    size_t count;
    const struct config_key *keys = config_keys(&count);
    for (size_t i = 0; i < count; i++)
        print_key(config, &keys[i], i ? &keys[i - 1] : NULL, out);
}

/* --- how memory is shared -----------------------------------------------------------------------------------------*/

static void share(FILE *out, const char *line, const char *what, uint64_t bytes, uint64_t count, uint64_t each) {
    char length[64] = "";
    if (count)
        snprintf(length, sizeof(length), "%" PRIu64 " of %" PRIu64 " bytes", count, each);
    fprintf(out, line, what, bytes / (double)(1 << 20), length);
}

static void write_shares(FILE *out, const struct limits *limits, const char *line) {
    share(out, line, "program, libraries, stacks", limits->program, 0, 0);
    share(out, line, "kernel maps", limits->kernel_maps, 0, 0);
    share(out, line, "rings", limits->rings, limits->ring_count, limits->rings / limits->ring_count);
    share(out, line, "connections", limits->connections * limits->connection_bytes, limits->connections,
          limits->connection_bytes);
    share(out, line, "edges", limits->edges * limits->edge_bytes, limits->edges, limits->edge_bytes);
    share(out, line, "names", limits->names * limits->name_bytes, limits->names, limits->name_bytes);
    if (limits->flows)
        share(out, line, "flows of packets", limits->flows * limits->flow_bytes, limits->flows, limits->flow_bytes);
    share(out, line, "the last hour, for the page", limits->graph, 0, 0);
    share(out, line, "records waiting for sinks", limits->sinks, 0, 0);
}

/* --- explain ------------------------------------------------------------------------------------------------------*/

void config_explain(const struct config *config, const struct config_key *key, FILE *out) {
    char value[4200], origin[4200];
    config_value(config, key, value, sizeof(value));
    config_origin_text(config, key, origin, sizeof(origin));
    fprintf(out, "%s\n  %s\n", key->name, key->help);
    fprintf(out, "  type     %s\n  default  %s\n  why      %s\n  allowed  %s\n", type_names[key->type],
            *key->standard ? key->standard : "none", key->reason, key->allowed);
    if (key->option)
        fprintf(out, "  option   --%s\n", key->option);
    if (*value)
        fprintf(out, "  now      %s (%s)\n", value, origin);
    if (!strcmp(key->name, "memory_max") && config->limits.ring_count) {
        fputs("  shared   \n", out);
        write_shares(out, &config->limits, "           %-28s %7.1f MiB  %s\n");
    }
}

/* --- documents ----------------------------------------------------------------------------------------------------*/

static const char markdown_head[] =
    "# Configuration\n"
    "\n"
    "Made from the table in agent/config.c by `weft config explain --markdown`; a test holds it against that.\n"
    "\n"
    "weft needs no configuration. Defaults come first, then the file, then the options of the command line; the last "
    "one\n"
    "wins. The file is `" CONFIG_STANDARD_FILE
    "` if it exists, or what `-c FILE` names. It is YAML; times are written\n"
    "`500ms`, `10s`, `5m`, `1h`, sizes `64K`, `16M`, `1G` (powers of 1024). An unknown key, a value that is not "
    "allowed or\n"
    "a key given twice is an error with file, line and column; the agent then does not start.\n"
    "\n"
    "    weft config check [FILE]     is it right?\n"
    "    weft config print            what is in force, and where each value comes from\n"
    "    weft config explain [KEY]    this page\n";

static const char markdown_names[] = "Matchers are fnmatch patterns, and `address` may be a prefix; all that a rule "
                                     "gives must match. docs/names.md tells\n"
                                     "which names come after these. At most 256 rules.\n"
                                     "\n"
                                     "```yaml\n"
                                     "names:\n"
                                     "  - name: ledger\n"
                                     "    address: 10.20.0.0/16\n"
                                     "  - name: shop\n"
                                     "    executable: /opt/shop/bin/*\n"
                                     "    cgroup: \"*/shop-*.service\"\n"
                                     "  - name: cache\n"
                                     "    container_label: com.example.role=cache*\n"
                                     "```\n";

static const char markdown_sinks[] = "An item is what `--sink` takes, `KIND[:ARGUMENT][,NAME=VALUE]...`, or a mapping: "
                                     "`kind`, `to` (its argument) and the\n"
                                     "kind's settings. A list of words may be written as a YAML list. `--sink` on the "
                                     "command line takes the place of the\n"
                                     "whole list. At most 8. `weft config print` leaves out the values of secrets.\n"
                                     "\n"
                                     "```yaml\n"
                                     "sinks:\n"
                                     "  - file:/var/log/weft/records.json\n"
                                     "  - kind: kafka\n"
                                     "    to: broker-1:9092,broker-2:9092\n"
                                     "```\n";

static void cell(FILE *out, const char *text) {
    for (; *text; text++)
        fprintf(out, *text == '|' ? "\\|" : "%c", *text);
}

static void markdown_options(FILE *out, const struct sink_option *options) {
    static const char *const types[] = {
        [SINK_OPTION_TEXT] = "text",    [SINK_OPTION_SIZE] = "size",     [SINK_OPTION_TIME] = "time",
        [SINK_OPTION_BOOL] = "yes, no", [SINK_OPTION_NUMBER] = "number", [SINK_OPTION_CHOICE] = "one of",
        [SINK_OPTION_LIST] = "some of",
    };
    fputs("\n| setting | type | default | |\n|---|---|---|---|\n", out);
    for (; options->name; options++) {
        bool words = options->type == SINK_OPTION_CHOICE || options->type == SINK_OPTION_LIST;
        const char *mark = options->standard ? "`" : "";
        fprintf(out, "| `%s` | %s%s", options->name, types[options->type], words ? " " : "");
        cell(out, words ? options->allowed : "");
        fprintf(out, " | %s%s%s | ", mark, options->standard ? options->standard : "", mark);
        cell(out, options->help);
        fputs(" |\n", out);
    }
}

static void markdown_kinds(FILE *out) {
    fputs("\nEvery kind has these settings:\n", out);
    markdown_options(out, sink_common_options);
    for (const struct sink_ops *const *kind = sink_kinds(); *kind; kind++) {
        fprintf(out, "\n### `%s%s%s`\n\n%c%s.\n", (*kind)->name, (*kind)->argument ? ":" : "",
                (*kind)->argument ? (*kind)->argument : "", toupper((unsigned char)*(*kind)->help), (*kind)->help + 1);
        if ((*kind)->options)
            markdown_options(out, (*kind)->options);
    }
}

static void markdown_key(FILE *out, const struct config_key *key) {
    fprintf(out, "\n## `%s`\n\n%c%s.\n\n", key->name, toupper((unsigned char)*key->help), key->help + 1);
    fprintf(out, "| type | default | allowed | option |\n|---|---|---|---|\n");
    fprintf(out, "| %s | %s%s%s | ", type_names[key->type], *key->standard ? "`" : "",
            *key->standard ? key->standard : "none", *key->standard ? "`" : "");
    cell(out, key->allowed);
    fprintf(out, " | %s%s%s |\n\nDefault: %s.\n", key->option ? "`--" : "", key->option ? key->option : "",
            key->option ? "`" : "", key->reason);
    if (key->type == CONFIG_NAMES)
        fprintf(out, "\n%s", markdown_names);
    if (key->type == CONFIG_SINKS) {
        fprintf(out, "\n%s", markdown_sinks);
        markdown_kinds(out);
    }
}

static void markdown_memory(FILE *out) {
    struct config config;
    struct config_problems problems = {0};
    if (config_init(&config))
        return;
    config_finish(&config, 1, &problems);
    fputs("\nShared out as follows with default settings and up to 8 CPUs; `weft config explain memory_max` shows it "
          "for\n"
          "the configuration in force. A value too small is refused, with the smallest one that would do.\n"
          "\n| for | MiB | length |\n|---|---|---|\n",
          out);
    write_shares(out, &config.limits, "| %s | %.1f | %s |\n");
    config_done(&config);
}

void config_write_markdown(FILE *out) {
    size_t count;
    const struct config_key *keys = config_keys(&count);
    fputs(markdown_head, out);
    for (size_t i = 0; i < count; i++) {
        markdown_key(out, &keys[i]);
        if (!strcmp(keys[i].name, "memory_max"))
            markdown_memory(out);
    }
}

static void comment(FILE *out, const char *indent, const char *text) {
    enum { WIDTH = 100 };
    while (*text) {
        size_t length = strlen(text);
        if (length > WIDTH)
            for (length = WIDTH; length > 1 && text[length] != ' '; length--)
                ;
        fprintf(out, "%s# %.*s\n", indent, (int)length, text);
        text += length;
        while (*text == ' ')
            text++;
    }
}

void config_write_standard_file(FILE *out) {
    size_t count;
    const struct config_key *keys = config_keys(&count);
    fputs("# SPDX-License-Identifier: Apache-2.0\n# Every key with its default. weft needs none of this: take the # "
          "away from what should be different.\n"
          "# Made by `weft config explain --yaml`; docs/configuration.md says more.\n",
          out);
    for (size_t i = 0; i < count; i++) {
        const char *dot = strchr(keys[i].name, '.');
        char text[2048];
        snprintf(text, sizeof(text), "%c%s. Allowed: %s", toupper((unsigned char)*keys[i].help), keys[i].help + 1,
                 keys[i].allowed);
        fputc('\n', out);
        enter(out, &keys[i], i ? &keys[i - 1] : NULL, "#");
        comment(out, "", text);
        fprintf(out, "#%s%s:%s", dot ? "  " : "", dot ? dot + 1 : keys[i].name, *keys[i].standard ? " " : "");
        if (*keys[i].standard == '[')
            fputs(keys[i].standard, out);
        else if (*keys[i].standard)
            write_scalar(out, keys[i].standard);
        fputc('\n', out);
    }
}
