/* SPDX-License-Identifier: Apache-2.0 */
/* `weft config`: is it right, what is in force, what does a key mean. */
#include <getopt.h>
#include <string.h>

#include "command.h"
#include "config.h"

static void describe(FILE *out) {
    fputs("  check [FILE]     says everything that is wrong with it; status 1 if anything is\n"
          "  print            what is in force, as YAML, and where each value comes from\n"
          "  explain [KEY]    type, default, what is allowed, and why; without a key all of them\n"
          "\n"
          "  -c FILE          instead of " CONFIG_STANDARD_FILE ", which is read if it exists\n"
          "  --markdown, --yaml   with explain: the manual's page; a file with every key and its default\n",
          out);
}

static int check(const char *file) {
    struct config config;
    if (config_load(&config, file))
        return STATUS_FAILED;
    printf(config.file ? "%s: all right\n" : "no file; the defaults are in force\n", config.file);
    config_done(&config);
    return STATUS_DONE;
}

static int print(const char *file) {
    struct config config;
    if (config_load(&config, file))
        return STATUS_FAILED;
    config_print(&config, stdout);
    config_done(&config);
    return STATUS_DONE;
}

static int explain(const char *file, const char *name) {
    struct config config;
    size_t count;
    const struct config_key *keys = config_keys(&count), *wanted = name ? config_find(name) : NULL;
    if (name && !wanted) {
        const char *near = config_nearest(name);
        return wrong_usage(&command_config, "no key named %s%s%s", name, near ? "; did you mean " : "",
                           near ? near : "");
    }
    if (config_load(&config, file))
        return STATUS_FAILED;
    for (size_t i = 0; i < count; i++)
        if (!wanted || wanted == &keys[i])
            config_explain(&config, &keys[i], stdout);
    config_done(&config);
    return STATUS_DONE;
}

static int run(int argc, char **argv) {
    static const struct option options[] = {
        {"markdown", no_argument, NULL, 'm'}, {"yaml", no_argument, NULL, 'y'}, {NULL, 0, NULL, 0}};
    const char *file = NULL;
    void (*write)(FILE *) = NULL;
    int option;
    while ((option = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
        if (option == '?')
            return wrong_usage(&command_config, "see the options");
        if (option == 'c')
            file = optarg;
        else
            write = option == 'm' ? config_write_markdown : config_write_standard_file;
    }
    const char *what = optind < argc ? argv[optind] : "";
    const char *argument = optind + 1 < argc ? argv[optind + 1] : NULL;
    if (optind + 2 < argc)
        return wrong_usage(&command_config, "%s: one argument too many", argv[optind + 2]);
    if (write) {
        write(stdout);
        return STATUS_DONE;
    }
    if (!strcmp(what, "check"))
        return check(argument ? argument : file);
    if (!strcmp(what, "explain"))
        return explain(file, argument);
    if (!strcmp(what, "print") && !argument)
        return print(file);
    return wrong_usage(&command_config,
                       *what ? "%s: not understood; allowed: check, print, explain" : "%scheck, print or explain?",
                       what);
}

const struct command command_config = {
    .name = "config",
    .help = "the configuration: is it right, what is in force, what does a key mean",
    .synopsis = "[-c FILE] check [FILE]\n[-c FILE] print\n[-c FILE] explain [KEY]",
    .describe = describe,
    .run = run,
};
