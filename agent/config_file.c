/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file: YAML, as far as the table of keys needs it.
 *
 * libyaml makes a tree in which an alias is a second reference to the same node, so nothing is ever expanded; the walk
 * below goes as deep as the schema does and no deeper; lists are bounded. So a hostile file costs no more than its
 * bytes, and those are bounded, too.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>
#include <yaml.h>

#include "config_table.h"
#include "value.h"

enum { FILE_LIMIT = 256 << 10, PROBLEM_LIMIT = 20, PAIR_LIMIT = 256 };

struct reading {
    struct config *config;
    const char *path;
    struct config_problems *problems;
    unsigned complaints; /* those not shown, too */
    yaml_document_t document;
};

static void complain(struct reading *reading, const yaml_node_t *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void complain(struct reading *reading, const yaml_node_t *node, const char *format, ...) {
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    reading->complaints++;
    if (reading->complaints <= PROBLEM_LIMIT)
        config_problem(reading->problems, "%s:%zu:%zu: %s", reading->path, node->start_mark.line + 1,
                       node->start_mark.column + 1, text);
    else if (reading->complaints == PROBLEM_LIMIT + 1)
        config_problem(reading->problems, "%s: more is wrong, not shown", reading->path);
}

static yaml_node_t *node_at(struct reading *reading, int index) {
    return yaml_document_get_node(&reading->document, index);
}

static const char *kind_of(const yaml_node_t *node) {
    return node->type == YAML_MAPPING_NODE ? "a mapping" : node->type == YAML_SEQUENCE_NODE ? "a list" : "a value";
}

/* NULL: no scalar, or one with a NUL byte in it. */
static const char *text_of(const yaml_node_t *node) {
    if (node->type != YAML_SCALAR_NODE || memchr(node->data.scalar.value, '\0', node->data.scalar.length))
        return NULL;
    return (const char *)node->data.scalar.value;
}

/* For a message: short, and nothing that a terminal would obey. */
struct shown {
    char text[48];
};

static struct shown shown(const char *text) {
    struct shown result;
    size_t length = 0;
    for (; length < sizeof(result.text) - 4 && text[length]; length++)
        result.text[length] = isprint((unsigned char)text[length]) ? text[length] : '?';
    strcpy(result.text + length, text[length] ? "..." : "");
    return result;
}

typedef void (*pair_reader)(struct reading *reading, void *context, const char *name, const yaml_node_t *key,
                            const yaml_node_t *value);

static bool seen_before(struct reading *reading, const yaml_node_t *mapping, const yaml_node_pair_t *pair,
                        const char *name) {
    for (const yaml_node_pair_t *other = mapping->data.mapping.pairs.start; other < pair; other++) {
        const char *text = text_of(node_at(reading, other->key));
        if (text && !strcmp(text, name))
            return true;
    }
    return false;
}

static void read_pairs(struct reading *reading, const yaml_node_t *mapping, pair_reader reader, void *context) {
    const yaml_node_pair_t *start = mapping->data.mapping.pairs.start, *end = mapping->data.mapping.pairs.top;
    if (end - start > PAIR_LIMIT) {
        complain(reading, mapping, "%td keys in one mapping; at most %d", end - start, PAIR_LIMIT);
        return;
    }
    for (const yaml_node_pair_t *pair = start; pair < end; pair++) {
        const yaml_node_t *key = node_at(reading, pair->key), *value = node_at(reading, pair->value);
        const char *name = text_of(key);
        if (!name)
            complain(reading, key, "a key that is %s; a key is a word", kind_of(key));
        else if (seen_before(reading, mapping, pair, name))
            complain(reading, key, "%s: given twice in one mapping; once is allowed", shown(name).text);
        else
            reader(reading, context, name, key, value);
    }
}

/* --- names --------------------------------------------------------------------------------------------------------*/

static bool is_address_or_prefix(const char *text) {
    if (strpbrk(text, "*?") && strspn(text, "0123456789abcdefABCDEF.:*?[]-") == strlen(text))
        return true;
    char address[INET6_ADDRSTRLEN];
    struct in6_addr bytes;
    uint64_t length = 0;
    size_t end = strcspn(text, "/");
    if (end >= sizeof(address) || (text[end] && value_count(text + end + 1, &length)))
        return false;
    memcpy(address, text, end);
    address[end] = '\0';
    return inet_pton(AF_INET, address, &bytes) == 1 ? length <= 32
                                                    : inet_pton(AF_INET6, address, &bytes) == 1 && length <= 128;
}

static bool is_label(const char *text) {
    return strchr(text, '=') > text;
}

static bool is_pattern(const char *text) {
    return *text && strlen(text) < 1024;
}

static bool is_name(const char *text) {
    return *text && strlen(text) < 128;
}

static const struct {
    const char *name;
    size_t offset;
    bool (*valid)(const char *text);
    const char *allowed;
} matchers[] = {
    {"name", offsetof(struct name_rule, name), is_name, "1 to 127 bytes"},
    {"address", offsetof(struct name_rule, address), is_address_or_prefix,
     "an address, a prefix or a pattern, such as 10.0.0.7, 10.0.0.0/8, fd00::/8, 10.1.*"},
    {"executable", offsetof(struct name_rule, executable), is_pattern, "a pattern, such as /opt/shop/bin/*"},
    {"cgroup", offsetof(struct name_rule, cgroup), is_pattern, "a pattern, such as */shop-*.service"},
    {"container_label", offsetof(struct name_rule, container_label), is_label, "KEY=VALUE; the value is a pattern"},
};
enum { MATCHERS = sizeof(matchers) / sizeof(matchers[0]) };

static void read_matcher(struct reading *reading, void *context, const char *name, const yaml_node_t *key,
                         const yaml_node_t *value) {
    size_t i = 0;
    while (i < MATCHERS && strcmp(matchers[i].name, name))
        i++;
    if (i == MATCHERS) {
        complain(reading, key, "%s: unknown in a rule; allowed: name, address, executable, cgroup, container_label",
                 shown(name).text);
        return;
    }
    const char *text = text_of(value);
    if (!text || !matchers[i].valid(text)) {
        complain(reading, value, "%s: %s; allowed: %s", name, text ? shown(text).text : kind_of(value),
                 matchers[i].allowed);
        return;
    }
    char **target = (char **)((char *)context + matchers[i].offset);
    *target = strdup(text);
    if (!*target)
        complain(reading, value, "out of memory");
}

static bool complete(const struct name_rule *rule) {
    return rule->name && (rule->address || rule->executable || rule->cgroup || rule->container_label);
}

static void read_rule(struct reading *reading, const yaml_node_t *node) {
    struct name_rule *rule = &reading->config->names[reading->config->name_count];
    unsigned before = reading->complaints;
    if (node->type != YAML_MAPPING_NODE) {
        complain(reading, node, "a rule that is %s; it is a mapping with `name` and what to match", kind_of(node));
        return;
    }
    reading->config->name_count++; /* so that config_done frees what was copied */
    read_pairs(reading, node, read_matcher, rule);
    if (reading->complaints == before && !complete(rule))
        complain(reading, node, "a rule needs `name` and at least one of address, executable, cgroup, container_label");
}

static void read_names(struct reading *reading, const yaml_node_t *list) {
    size_t count = list->data.sequence.items.top - list->data.sequence.items.start;
    if (count > CONFIG_RULE_LIMIT) {
        complain(reading, list, "%zu rules; at most %d", count, CONFIG_RULE_LIMIT);
        return;
    }
    reading->config->names = calloc(count ? count : 1, sizeof(struct name_rule));
    if (!reading->config->names)
        complain(reading, list, "out of memory");
    for (size_t i = 0; i < count && reading->config->names; i++)
        read_rule(reading, node_at(reading, list->data.sequence.items.start[i]));
}

/* --- sinks --------------------------------------------------------------------------------------------------------*/

enum { SETTING_LIMIT = 64 };

/* A sink's mapping: kind, `to` (its argument), the rest are its settings. */
struct sink_mapping {
    char *kind, *to;
    struct sink_value settings[SETTING_LIMIT];
    size_t count;
};

/* A list is joined as --sink has it, a+b+c. NULL: not understood. */
static char *setting_value(struct reading *reading, const yaml_node_t *value) {
    if (value->type == YAML_SCALAR_NODE)
        return text_of(value) ? strdup(text_of(value)) : NULL;
    char *joined = NULL;
    if (value->type != YAML_SEQUENCE_NODE || value->data.sequence.items.top - value->data.sequence.items.start > 64)
        return NULL;
    for (const int *item = value->data.sequence.items.start; item < value->data.sequence.items.top; item++) {
        const char *text = text_of(node_at(reading, *item));
        char *longer = NULL;
        if (!text || asprintf(&longer, "%s%s%s", joined ? joined : "", joined ? "+" : "", text) < 0) {
            free(joined);
            return NULL;
        }
        free(joined);
        joined = longer;
    }
    return joined ? joined : strdup("");
}

static void read_sink_setting(struct reading *reading, void *context, const char *name, const yaml_node_t *key,
                              const yaml_node_t *value) {
    struct sink_mapping *sink = context;
    char *text = setting_value(reading, value);
    if (!text || !*text)
        complain(reading, value, "%s: %s; allowed: a value, or a list of at most 64 values", shown(name).text,
                 text ? "empty" : kind_of(value));
    else if (!strcmp(name, "kind") || !strcmp(name, "to")) {
        *(*name == 'k' ? &sink->kind : &sink->to) = text;
        return;
    } else if (sink->count == SETTING_LIMIT)
        complain(reading, key, "more than %d settings", SETTING_LIMIT);
    else {
        sink->settings[sink->count++] = (struct sink_value){strdup(name), text};
        return;
    }
    free(text);
}

static void sink_mapping_done(struct sink_mapping *sink) {
    for (size_t i = 0; i < sink->count; i++) {
        free((char *)sink->settings[i].name);
        free((char *)sink->settings[i].value);
    }
    free(sink->kind);
    free(sink->to);
}

static void read_sink(struct reading *reading, const yaml_node_t *node) {
    struct config_origin origin = {CONFIG_FILE, node->start_mark.line + 1, node->start_mark.column + 1};
    struct sink_mapping sink = {0};
    unsigned before = reading->complaints;
    char error[512] = "";
    if (text_of(node)) {
        if (config_add_sink_text(reading->config, text_of(node), origin, error, sizeof(error)))
            complain(reading, node, "%s: %s", shown(text_of(node)).text, error);
        return;
    }
    if (node->type != YAML_MAPPING_NODE) {
        complain(reading, node, "a sink that is %s; it is KIND[:ARGUMENT] or a mapping with `kind`", kind_of(node));
        return;
    }
    read_pairs(reading, node, read_sink_setting, &sink);
    if (!sink.kind && reading->complaints == before)
        complain(reading, node, "a sink without `kind`");
    else if (reading->complaints == before && config_add_sink_values(reading->config, sink.kind, sink.to, sink.settings,
                                                                     sink.count, origin, error, sizeof(error)))
        complain(reading, node, "%s: %s", shown(sink.kind).text, error);
    sink_mapping_done(&sink);
}

static void read_sinks(struct reading *reading, const yaml_node_t *list) {
    config_forget_sinks(reading->config);
    size_t count = list->data.sequence.items.top - list->data.sequence.items.start;
    for (size_t i = 0; i < count && i <= CONFIG_SINK_LIMIT; i++)
        read_sink(reading, node_at(reading, list->data.sequence.items.start[i]));
}

/* --- keys ---------------------------------------------------------------------------------------------------------*/

static void read_list(struct reading *reading, const struct config_key *key, const yaml_node_t *value) {
    if (value->type != YAML_SEQUENCE_NODE)
        complain(reading, value, "%s: %s; allowed: %s", key->name, kind_of(value), key->allowed);
    else if (key->type == CONFIG_SINKS)
        read_sinks(reading, value);
    else
        read_names(reading, value);
}

static void read_value(struct reading *reading, const struct config_key *key, const yaml_node_t *value) {
    const char *text = text_of(value);
    *config_origin(reading->config, key) =
        (struct config_origin){CONFIG_FILE, value->start_mark.line + 1, value->start_mark.column + 1};
    if (key->type == CONFIG_SINKS || key->type == CONFIG_NAMES)
        read_list(reading, key, value);
    else if (!text || config_set(reading->config, key, text))
        complain(reading, value, "%s: %s; allowed: %s", key->name,
                 !text                        ? kind_of(value)
                 : key->type == CONFIG_SECRET ? "not shown here"
                 : *text                      ? shown(text).text
                                              : "empty",
                 key->allowed);
}

static void read_key(struct reading *reading, void *context, const char *name, const yaml_node_t *key,
                     const yaml_node_t *value);

static bool is_section(const char *name) {
    size_t count, length = strlen(name);
    const struct config_key *keys = config_keys(&count);
    for (size_t i = 0; i < count; i++)
        if (!strncmp(keys[i].name, name, length) && keys[i].name[length] == '.')
            return true;
    return false;
}

/* `context` is the section's name, NULL at the top. */
static void read_key(struct reading *reading, void *context, const char *name, const yaml_node_t *key,
                     const yaml_node_t *value) {
    const char *section = context;
    char full[64];
    snprintf(full, sizeof(full), "%s%s%s", section ? section : "", section ? "." : "", name);
    const struct config_key *known = section || !strchr(name, '.') ? config_find(full) : NULL;
    if (known)
        read_value(reading, known, value);
    else if (!section && is_section(name) && value->type == YAML_MAPPING_NODE)
        read_pairs(reading, value, read_key, (void *)name);
    else if (!section && is_section(name))
        complain(reading, value, "%s: %s; it is a mapping (weft config explain)", name, kind_of(value));
    else if (config_find(full))
        complain(reading, key, "%s: unknown; write the part after the dot under `%.*s:`", full, (int)strcspn(full, "."),
                 full);
    else if (config_nearest(full))
        complain(reading, key, "%s: unknown; did you mean %s? (weft config explain lists them all)", shown(full).text,
                 config_nearest(full));
    else
        complain(reading, key, "%s: unknown; weft config explain lists what is allowed", shown(full).text);
}

static void read_document(struct reading *reading) {
    const yaml_node_t *root = yaml_document_get_root_node(&reading->document);
    if (!root || (root->type == YAML_SCALAR_NODE && !root->data.scalar.length))
        return;
    if (root->type == YAML_MAPPING_NODE)
        read_pairs(reading, root, read_key, NULL);
    else
        complain(reading, root, "%s; a configuration is a mapping of keys (weft config explain)", kind_of(root));
}

/* The reader stops before there are marks: it knows its byte only. */
static yaml_mark_t place_of(const yaml_parser_t *parser, const char *bytes, size_t size) {
    yaml_mark_t mark = parser->problem_mark;
    if (parser->error != YAML_READER_ERROR)
        return mark;
    mark.line = mark.column = 0;
    for (size_t i = 0; i < parser->problem_offset && i < size; i++) {
        mark.column = bytes[i] == '\n' ? 0 : mark.column + 1;
        mark.line += bytes[i] == '\n';
    }
    return mark;
}

static void complain_parser(struct reading *reading, const yaml_parser_t *parser, const char *bytes, size_t size) {
    yaml_mark_t mark = place_of(parser, bytes, size);
    config_problem(reading->problems, "%s:%zu:%zu: no YAML: %s%s%s", reading->path, mark.line + 1, mark.column + 1,
                   parser->context ? parser->context : "", parser->context ? ": " : "",
                   parser->problem ? parser->problem : "out of memory");
}

static void read_documents(struct reading *reading, yaml_parser_t *parser, const char *bytes, size_t size) {
    for (bool first = true;; first = false) {
        if (!yaml_parser_load(parser, &reading->document)) {
            complain_parser(reading, parser, bytes, size);
            return;
        }
        const yaml_node_t *root = yaml_document_get_root_node(&reading->document);
        if (first)
            read_document(reading);
        else if (root)
            complain(reading, root, "a second document; one is allowed");
        yaml_document_delete(&reading->document);
        if (!root || !first)
            return;
    }
}

int config_read(struct config *config, const char *path, const void *bytes, size_t size,
                struct config_problems *problems) {
    struct reading reading = {.config = config, .path = path, .problems = problems};
    unsigned before = problems->count;
    yaml_parser_t parser;
    free(config->file);
    config->file = strdup(path);
    if (size > FILE_LIMIT)
        config_problem(problems, "%s: more than %d KiB; no configuration is that long", path, FILE_LIMIT >> 10);
    else if (!config->file || !yaml_parser_initialize(&parser))
        config_problem(problems, "%s: out of memory", path);
    else {
        yaml_parser_set_input_string(&parser, bytes, size);
        yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
        read_documents(&reading, &parser, bytes, size);
        yaml_parser_delete(&parser);
    }
    return problems->count > before ? -EINVAL : 0;
}

int config_read_file(struct config *config, const char *path, struct config_problems *problems) {
    FILE *file = fopen(path, "re");
    char *bytes = malloc(FILE_LIMIT + 1);
    size_t size = file && bytes ? fread(bytes, 1, FILE_LIMIT + 1, file) : 0;
    int result = -EINVAL;
    if (!bytes)
        config_problem(problems, "%s: out of memory", path);
    else if (!file || ferror(file))
        config_problem(problems, "%s: %s", path, strerror(errno));
    else
        result = config_read(config, path, bytes, size, problems);
    if (file)
        fclose(file);
    free(bytes);
    return result;
}

int config_load(struct config *ret_config, const char *path) {
    struct config_problems problems = {0};
    if (config_init(ret_config)) {
        fprintf(stderr, "weft: out of memory\n");
        return -ENOMEM;
    }
    if (!path && !access(CONFIG_STANDARD_FILE, F_OK))
        path = CONFIG_STANDARD_FILE;
    if (path)
        config_read_file(ret_config, path, &problems);
    if (!problems.count)
        config_finish(ret_config, (unsigned)get_nprocs(), &problems);
    fputs(problems.text, stderr);
    if (!problems.count)
        return 0;
    config_done(ret_config);
    return -EINVAL;
}
