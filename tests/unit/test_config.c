/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/config.h"

static struct config config;
static struct config_problems problems;

static int set_up(void **state) {
    (void)state;
    problems = (struct config_problems){0};
    return config_init(&config);
}

static int tear_down(void **state) {
    (void)state;
    config_done(&config);
    return 0;
}

static int read_text(const char *text) {
    return config_read(&config, "f", text, strlen(text), &problems);
}

static void expect_problem(const char *text, const char *expected) {
    config_done(&config);
    set_up(NULL);
    assert_int_not_equal(read_text(text), 0);
    if (strcmp(problems.text, expected))
        fail_msg("for:\n%s\nexpected: %sgot:      %s", text, expected, problems.text);
}

static void every_default_is_what_its_key_allows(void **state) {
    (void)state;
    size_t count;
    const struct config_key *keys = config_keys(&count);
    for (size_t i = 0; i < count; i++) {
        char value[64], standard[64];
        if (keys[i].type >= CONFIG_SECRET)
            continue;
        config_value(&config, &keys[i], value, sizeof(value));
        snprintf(standard, sizeof(standard), "%s", keys[i].standard);
        assert_string_equal(value, standard);
    }
    assert_int_equal(config.window_ns, 10000000000);
    assert_int_equal(config.memory_max, 256 << 20);
    assert_int_equal(config.conn_id_key[0], 'w');
    assert_int_equal(config_finish(&config, 2, &problems), 0);
}

static void a_file_sets_what_it_names(void **state) {
    (void)state;
    assert_int_equal(read_text("window: 5s\n"
                               "ring:\n"
                               "  size: 1M\n"
                               "namespace: self\n"
                               "page: '[::1]:80'\n"
                               "socket: off\n"
                               "sinks:\n"
                               "  - stdout\n"
                               "  - {kind: kafka, to: 'a:1,b:2', records: [edge, call], queue: 5M}\n"
                               "names:\n"
                               "  - {name: shop, executable: /opt/*, address: 10.0.0.0/8}\n"
                               "  - name: cache\n"
                               "    container_label: role=cache\n"),
                     0);
    assert_int_equal(config.window_ns, 5000000000);
    assert_int_equal(config.ring_size, 1 << 20);
    assert_int_equal(config.namespace, NAMESPACE_SELF);
    assert_string_equal(config.page.host, "::1");
    assert_int_equal(config.page.port, 80);
    assert_string_equal(config.socket, "");
    assert_int_equal(config.sink_count, 2);
    assert_string_equal(config.sinks[0].ops->name, "stdout");
    assert_string_equal(config.sinks[1].ops->name, "kafka");
    assert_string_equal(config.sinks[1].settings->argument, "a:1,b:2");
    assert_string_equal(settings_text(config.sinks[1].settings, "records"), "edge+call");
    assert_int_equal(settings_number(config.sinks[1].settings, "queue"), 5 << 20);
    assert_int_equal(config.sinks[1].origin.line, 9);
    assert_int_equal(config.name_count, 2);
    assert_string_equal(config.names[0].address, "10.0.0.0/8");
    assert_null(config.names[0].cgroup);
    assert_string_equal(config.names[1].container_label, "role=cache");
    char origin[64];
    config_origin_text(&config, config_find("ring.size"), origin, sizeof(origin));
    assert_string_equal(origin, "f:3");
    config_origin_text(&config, config_find("ring.count"), origin, sizeof(origin));
    assert_string_equal(origin, "default");
}

static void nothing_and_a_comment_are_files_too(void **state) {
    (void)state;
    assert_int_equal(read_text(""), 0);
    assert_int_equal(read_text("# nothing\n---\n"), 0);
    assert_int_equal(config.window_ns, 10000000000);
}

static void what_is_wrong_says_where_and_what_is_allowed(void **state) {
    (void)state;
    expect_problem("windw: 5s\n", "f:1:1: windw: unknown; did you mean window? (weft config explain lists them all)\n");
    expect_problem("zebra: 5s\n", "f:1:1: zebra: unknown; weft config explain lists what is allowed\n");
    expect_problem("\nring:\n  sizes: 1M\n",
                   "f:3:3: ring.sizes: unknown; did you mean ring.size? (weft config explain lists them all)\n");
    expect_problem("ring.size: 1M\n", "f:1:1: ring.size: unknown; write the part after the dot under `ring:`\n");
    expect_problem("window: 5x\n", "f:1:9: window: 5x; allowed: a time from 100ms to 1h\n");
    expect_problem("window:\n", "f:1:8: window: empty; allowed: a time from 100ms to 1h\n");
    expect_problem("window: [1s]\n", "f:1:9: window: a list; allowed: a time from 100ms to 1h\n");
    expect_problem("window: {a: 1s}\n", "f:1:9: window: a mapping; allowed: a time from 100ms to 1h\n");
    expect_problem("window: 2h\n", "f:1:9: window: 2h; allowed: a time from 100ms to 1h\n");
    expect_problem("ring: {size: 3M}\n", "f:1:14: ring.size: 3M; allowed: a power of two from 64K to 1G\n");
    expect_problem("ring: 3M\n", "f:1:7: ring: a value; it is a mapping (weft config explain)\n");
    expect_problem("window: 5s\nwindow: 6s\n", "f:2:1: window: given twice in one mapping; once is allowed\n");
    expect_problem("namespace: other\n", "f:1:12: namespace: other; allowed: host|self\n");
    expect_problem("conn_id_key: 12\n", "f:1:14: conn_id_key: 12; allowed: 32 hexadecimal digits\n");
    expect_problem("page_token: short\n",
                   "f:1:13: page_token: not shown here; allowed: 16 to 256 of A-Z a-z 0-9 . _ ~ -\n");
    expect_problem("socket: run/x\n", "f:1:9: socket: run/x; allowed: an absolute path of at most 107 bytes, or off\n");
    expect_problem("sinks: stdout\n",
                   "f:1:8: sinks: a value; allowed: a list; each item as in --sink, or a mapping with `kind`\n");
    expect_problem("sinks:\n  - {to: x}\n", "f:2:5: a sink without `kind`\n");
    expect_problem("sinks:\n  - file\n", "f:2:5: file: file needs PATH\n");
    expect_problem("sinks:\n  - {kind: stdout, to: x}\n", "f:2:5: stdout: stdout takes no argument\n");
    expect_problem("sinks:\n  - {kind: stdout, queue: x}\n",
                   "f:2:5: stdout: queue: not understood; allowed: a size such as 64K, 16M or 1G\n");
    expect_problem("sinks:\n  - {kind: stdout, queue: {}}\n",
                   "f:2:27: queue: a mapping; allowed: a value, or a list of at most 64 values\n");
    expect_problem("sinks:\n  - [x]\n",
                   "f:2:5: a sink that is a list; it is KIND[:ARGUMENT] or a mapping with `kind`\n");
    expect_problem("names: [3]\n", "f:1:9: a rule that is a value; it is a mapping with `name` and what to match\n");
    expect_problem("names: [{name: x, address: 10.0.0.0/33}]\n",
                   "f:1:28: address: 10.0.0.0/33; allowed: an address, a prefix or a pattern, such as 10.0.0.7, "
                   "10.0.0.0/8, fd00::/8, 10.1.*\n");
    expect_problem("- window\n", "f:1:1: a list; a configuration is a mapping of keys (weft config explain)\n");
    expect_problem("window\n", "f:1:1: a value; a configuration is a mapping of keys (weft config explain)\n");
    expect_problem("? [a]\n: b\n", "f:1:3: a key that is a list; a key is a word\n");
    expect_problem("window: 5s\n---\nwindow: 6s\n", "f:3:1: a second document; one is allowed\n");
    expect_problem("window: *x\n", "f:1:9: no YAML: found undefined alias\n");
    expect_problem("window: \"5\\es\"\n", "f:1:9: window: 5?s; allowed: a time from 100ms to 1h\n");
}

static void everything_wrong_is_told_at_once(void **state) {
    (void)state;
    expect_problem("window: 5x\nring: {size: 3}\n", "f:1:9: window: 5x; allowed: a time from 100ms to 1h\n"
                                                    "f:2:14: ring.size: 3; allowed: a power of two from 64K to 1G\n");
}

static void hostile_files_cost_no_more_than_their_bytes(void **state) {
    (void)state;
    static char text[300000];
    char *end = text + sprintf(text, "a: &a [x, x]\n");
    for (char c = 'b'; c <= 'z'; c++)
        end += sprintf(end, "%c: &%c [*%c, *%c, *%c, *%c]\n", c, c, c - 1, c - 1, c - 1, c - 1);
    assert_int_not_equal(read_text(text), 0);
    assert_int_equal(problems.count, 21); /* twenty and how it ends */
    assert_int_not_equal(read_text("names: &a [*a]\n"), 0);
    memset(text, '[', 50000);
    text[50000] = '\0';
    assert_int_not_equal(read_text(text), 0);
    memset(text, '{', 50000);
    assert_int_not_equal(read_text(text), 0);
    memset(text, 'x', sizeof(text) - 1);
    assert_int_not_equal(read_text(text), 0);
    assert_int_not_equal(config_read(&config, "f", "window: \xff\xfe\0\1", 12, &problems), 0);
    assert_int_not_equal(config_read(&config, "f", "window: \"5s\\0\"", 14, &problems), 0);
}

static void options_win_over_the_file(void **state) {
    (void)state;
    char origin[64];
    assert_int_equal(read_text("window: 5s\nsinks: [stdout]\n"), 0);
    assert_int_equal(config_set_option(&config, "window", "6s", &problems), 0);
    assert_int_equal(config_add_sink_option(&config, "file:/x", &problems), 0);
    assert_int_equal(config_add_sink_option(&config, "file:/y", &problems), 0);
    assert_int_equal(config.window_ns, 6000000000);
    assert_int_equal(config.sink_count, 2);
    assert_string_equal(config.sinks[0].settings->argument, "/x");
    config_origin_text(&config, config_find("window"), origin, sizeof(origin));
    assert_string_equal(origin, "--window");
    assert_int_not_equal(config_set_option(&config, "window", "x", &problems), 0);
    assert_string_equal(problems.text, "--window x: not understood; allowed: a time from 100ms to 1h\n");
}

static void a_page_beyond_loopback_needs_a_token(void **state) {
    (void)state;
    assert_int_equal(read_text("window: 5s\npage: 0.0.0.0:7575\n"), 0);
    assert_int_not_equal(config_finish(&config, 2, &problems), 0);
    assert_string_equal(problems.text, "f:2:7: page: 0.0.0.0 is beyond loopback; set page_token, or use 127.0.0.1\n");
    problems = (struct config_problems){0};
    assert_int_equal(config_set_option(&config, "page", "127.0.0.2:1", &problems), 0);
    assert_int_equal(config_finish(&config, 2, &problems), 0);
}

static void a_token_lets_the_page_go_beyond_loopback(void **state) {
    (void)state;
    assert_int_equal(read_text("page_token: 0123456789abcdef\npage: '[::]:7575'\n"), 0);
    assert_int_equal(config_finish(&config, 2, &problems), 0);
}

static void memory_too_small_names_the_minimum(void **state) {
    (void)state;
    assert_int_equal(read_text("memory_max: 64M\nring: {size: 64M}\n"), 0);
    assert_int_not_equal(config_finish(&config, 2, &problems), 0);
    char *minimum = strstr(problems.text, "at least ");
    assert_non_null(minimum);
    assert_non_null(strstr(problems.text, "f:1:13: memory_max: 64M is too small"));
    char text[64];
    unsigned long mib = strtoul(minimum + 9, NULL, 10);
    for (int less = 1; less >= 0; less--) { /* it is the smallest, indeed */
        config_done(&config);
        set_up(NULL);
        snprintf(text, sizeof(text), "memory_max: %luM\nring: {size: 64M}\n", mib - less);
        assert_int_equal(read_text(text), 0);
        assert_int_equal(config_finish(&config, 2, &problems) == 0, less == 0);
    }
}

static void every_share_together_stays_below_the_ceiling(void **state) {
    (void)state;
    for (uint64_t mib = 96; mib <= 65536; mib *= 2)
        for (unsigned cpus = 1; cpus <= 256; cpus *= 2) {
            struct limits_request request = {
                .memory_max = mib << 20, .ring_size = 16 << 20, .cpus = cpus, .packets = __builtin_ctz(cpus) % 2};
            struct limits limits;
            uint64_t minimum;
            assert_int_equal(limits_derive(&request, &limits, &minimum), 0);
            assert_true(minimum <= request.memory_max);
            assert_true(limits.ring_count >= 1 && limits.connections >= 4096 && limits.edges >= 256);
            uint64_t sum = limits.program + limits.kernel_maps + limits.rings + limits.graph + limits.sinks +
                           limits.connections * limits.connection_bytes + limits.edges * limits.edge_bytes +
                           limits.names * limits.name_bytes + limits.flows * limits.flow_bytes;
            assert_true(sum <= request.memory_max);
            assert_true(request.packets ? limits.flows >= 4096 : !limits.flows);
        }
}

static void interfaces_are_meant_by_patterns(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool understood;
    } cases[] = {{"veth*", true},
                 {"veth*,kind:bridge,eth0", true},
                 {"\"\"", true},
                 {"a,,b", false},
                 {"a, b", false},
                 {"',a'", false},
                 {"a,", false},
                 {"[a, b]", false},
                 {"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", false}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char text[128];
        config_done(&config);
        set_up(NULL);
        snprintf(text, sizeof(text), "interfaces:\n  include: %s\npackets_scope: all\n", cases[i].text);
        if ((read_text(text) == 0) != cases[i].understood)
            fail_msg("%s%s", text, problems.text);
    }
    config_done(&config);
    set_up(NULL);
    assert_int_equal(read_text("packets: off\n"), 0);
    assert_int_equal(config_finish(&config, 2, &problems), 0);
    assert_int_equal(config.limits.flows, 0);
}

static void what_is_printed_reads_back_the_same(void **state) {
    (void)state;
    char *first, *second;
    size_t length;
    assert_int_equal(read_text("window: 5s\npage: '[::1]:80'\nsinks: [stdout, 'file:/a \"b\"\\ # c']\n"
                               "names: [{name: \"a: b\\x01\xc3\xa9\", executable: '*', address: 'fd00::/8'}]\n"),
                     0);
    assert_int_equal(config_finish(&config, 2, &problems), 0);
    FILE *out = open_memstream(&first, &length);
    config_print(&config, out);
    fclose(out);
    config_done(&config);
    set_up(NULL);
    if (read_text(first))
        fail_msg("%s%s", first, problems.text);
    assert_string_equal(config.sinks[1].settings->argument, "/a \"b\"\\ # c");
    assert_string_equal(config.names[0].name, "a: b\x01\xc3\xa9");
    assert_int_equal(config_finish(&config, 2, &problems), 0);
    out = open_memstream(&second, &length);
    config_print(&config, out);
    fclose(out);
    for (char *c = strchr(first, '#'); c; c = strchr(c, '#')) /* origins differ, of course */
        memset(c, '.', strcspn(c, "\n"));
    for (char *c = strchr(second, '#'); c; c = strchr(c, '#'))
        memset(c, '.', strcspn(c, "\n"));
    free(first);
    free(second);
}

static void secrets_are_not_printed(void **state) {
    (void)state;
    char *text;
    size_t length;
    assert_int_equal(read_text("page_token: canary-canary-canary\n"
                               "conn_id_key: c0ffeec0ffeec0ffeec0ffeec0ffee00\n"
                               "sinks: [{kind: kafka, to: 'a:1', rdkafka.sasl.password: canary, ca: /shown}]\n"),
                     0);
    FILE *out = open_memstream(&text, &length);
    config_print(&config, out);
    size_t count;
    const struct config_key *keys = config_keys(&count);
    for (size_t i = 0; i < count; i++)
        config_explain(&config, &keys[i], out);
    fclose(out);
    assert_null(strstr(text, "canary"));
    assert_null(strstr(text, "c0ffee"));
    assert_non_null(strstr(text, "rdkafka.sasl.password: \"***\""));
    assert_non_null(strstr(text, "ca: /shown"));
    free(text);
}

static void is_as_written(const char *path, void (*write)(FILE *), const char *command) {
    char *text;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    write(out);
    fclose(out);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    char *checked_in = calloc(1, 1 << 20);
    assert_true(fread(checked_in, 1, (1 << 20) - 1, file) > 0);
    fclose(file);
    if (strcmp(text, checked_in))
        fail_msg("%s is out of date: build/release/weft config explain %s >%s", path, command, path);
    free(checked_in);
    free(text);
}

static void the_documents_are_what_the_table_says(void **state) {
    (void)state;
    is_as_written(SOURCE_FOLDER "/docs/configuration.md", config_write_markdown, "--markdown");
    is_as_written(SOURCE_FOLDER "/deploy/weft.yaml", config_write_standard_file, "--yaml");
}

/* With its comment signs taken away the default file is a configuration, and changes nothing. */
static void the_standard_file_says_the_defaults(void **state) {
    (void)state;
    char *text;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    config_write_standard_file(out);
    fclose(out);
    assert_int_equal(config_read(&config, "f", text, length, &problems), 0);
    for (char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n')
        if (line[0] == '#' && line[1] != ' ')
            line[0] = ' ';
        else if (line[0] == '#' && line[1] == ' ' && line[2] == ' ')
            line[0] = ' ';
    struct config other;
    assert_int_equal(config_init(&other), 0);
    if (config_read(&other, "f", text, length, &problems))
        fail_msg("%s%s", text, problems.text);
    size_t count;
    const struct config_key *keys = config_keys(&count);
    for (size_t i = 0; i < count; i++) {
        char was[64], is[64];
        config_value(&config, &keys[i], was, sizeof(was));
        config_value(&other, &keys[i], is, sizeof(is));
        assert_string_equal(was, is);
        assert_int_equal(other.origins[i].source, CONFIG_FILE);
    }
    config_done(&other);
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_default_is_what_its_key_allows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_sets_what_it_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_and_a_comment_are_files_too, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_wrong_says_where_and_what_is_allowed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(everything_wrong_is_told_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(hostile_files_cost_no_more_than_their_bytes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(options_win_over_the_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_page_beyond_loopback_needs_a_token, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_token_lets_the_page_go_beyond_loopback, set_up, tear_down),
        cmocka_unit_test_setup_teardown(memory_too_small_names_the_minimum, set_up, tear_down),
        cmocka_unit_test_setup_teardown(interfaces_are_meant_by_patterns, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_printed_reads_back_the_same, set_up, tear_down),
        cmocka_unit_test_setup_teardown(secrets_are_not_printed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_standard_file_says_the_defaults, set_up, tear_down),
        cmocka_unit_test(every_share_together_stays_below_the_ceiling),
        cmocka_unit_test(the_documents_are_what_the_table_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
