/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/rules.h"
#include "agent/text.h"

#include <errno.h>
#include <fnmatch.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct rule {
    struct name_rule text;
    struct prefix prefix;
    bool has_prefix; /* else the address is a pattern */
};

struct rules {
    size_t count;
    struct rule all[];
};

static bool copy_text(char **into, const char *from) {
    if (from)
        *into = strdup(from);
    return !from || *into;
}

int rules_new(const struct name_rule *rules, size_t count, struct rules **ret_rules) {
    if (count > RULES)
        return -E2BIG;
    struct rules *made = calloc(1, sizeof *made + count * sizeof *made->all);
    bool good = made != NULL;
    for (size_t i = 0; good && i < count; i++) {
        struct rule *rule = &made->all[made->count++];
        good = copy_text(&rule->text.name, rules[i].name) && copy_text(&rule->text.address, rules[i].address) &&
               copy_text(&rule->text.executable, rules[i].executable) &&
               copy_text(&rule->text.cgroup, rules[i].cgroup) &&
               copy_text(&rule->text.container_label, rules[i].container_label);
        rule->has_prefix = good && rule->text.address && prefix_parse(rule->text.address, &rule->prefix);
    }
    if (!good) {
        rules_free(made);
        return -ENOMEM;
    }
    *ret_rules = made;
    return 0;
}

void rules_free(struct rules *rules) {
    for (size_t i = 0; rules && i < rules->count; i++) {
        struct name_rule *text = &rules->all[i].text;
        free(text->name);
        free(text->address);
        free(text->executable);
        free(text->cgroup);
        free(text->container_label);
    }
    free(rules);
}

void rules_labels(const struct rules *rules, const json_t *labels, struct rule_set *ret_set) {
    char label[512];
    const char *key;
    json_t *value;
    *ret_set = (struct rule_set){0};
    for (size_t i = 0; i < rules->count; i++) {
        const char *wanted = rules->all[i].text.container_label;
        if (!wanted)
            continue;
        json_object_foreach((json_t *)labels, key, value) {
            snprintf(label, sizeof label, "%s=%s", key, json_is_string(value) ? json_string_value(value) : "");
            if (fnmatch(wanted, label, 0) == 0)
                ret_set->bits[i / 64] |= 1ULL << i % 64;
        }
    }
}

static bool address_fits(const struct rule *rule, const struct address *address) {
    char text[INET6_ADDRSTRLEN];
    if (!address || rule->has_prefix)
        return address && prefix_holds(&rule->prefix, address);
    address_text(address, text, sizeof text);
    return fnmatch(rule->text.address, text, 0) == 0;
}

static bool path_fits(const char *pattern, const char *path) {
    if (!path || !path[0])
        return false;
    return fnmatch(pattern, strchr(pattern, '/') ? path : text_base(path), 0) == 0;
}

static bool fits(const struct rule *rule, size_t i, const struct rule_subject *subject) {
    const struct name_rule *text = &rule->text;
    if (!text->address && !text->executable && !text->cgroup && !text->container_label)
        return false;
    if (text->address && !address_fits(rule, subject->address))
        return false;
    if (text->executable && !path_fits(text->executable, subject->executable))
        return false;
    if (text->cgroup && (!subject->cgroup || fnmatch(text->cgroup, subject->cgroup, 0) != 0))
        return false;
    return !text->container_label || (subject->labels && (subject->labels->bits[i / 64] >> i % 64 & 1));
}

const char *rules_match(const struct rules *rules, const struct rule_subject *subject) {
    for (size_t i = 0; i < rules->count; i++)
        if (fits(&rules->all[i], i, subject))
            return rules->all[i].text.name;
    return NULL;
}
