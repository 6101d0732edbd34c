/* SPDX-License-Identifier: Apache-2.0 */
/* The command line: which command, and the help that all of them share. */
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include "command.h"

static const struct command *const commands[] = {&command_agent, &command_check, &command_config,
                                                 &command_flows, &command_map,   &command_path};
enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

static const char introduction[] = "weft watches this host from its kernel and shows what talks to what.\n"
                                   "\n"
                                   "usage: weft COMMAND [OPTION]... [ARGUMENT]...\n"
                                   "       weft COMMAND --help\n"
                                   "       weft --version\n"
                                   "\n"
                                   "commands:\n";

static int print_usage(FILE *out) {
    fputs(introduction, out);
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(out, "  %-8s %s\n", commands[i]->name, commands[i]->help);
    fputs("\nExit status: 0 done, 1 failed, 2 wrong usage. Answers and records go to stdout, messages to stderr.\n",
          out);
    return fflush(out) || ferror(out) ? STATUS_FAILED : STATUS_DONE;
}

static int print_help(const struct command *command) {
    const char *line = command->synopsis, *start = "usage: ";
    do {
        int length = (int)strcspn(line, "\n");
        printf("%sweft %s%s%.*s\n", start, command->name, length ? " " : "", length, line);
        line += length + (line[length] == '\n');
        start = "       ";
    } while (*line);
    printf("\n%s\n\n", command->help);
    command->describe(stdout);
    return fflush(stdout) || ferror(stdout) ? STATUS_FAILED : STATUS_DONE;
}

int wrong_usage(const struct command *command, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "weft %s: ", command->name);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, " (weft %s --help)\n", command->name);
    va_end(arguments);
    return STATUS_USAGE;
}

static const struct command *find(const char *name) {
    for (size_t i = 0; i < COMMANDS; i++)
        if (!strcmp(commands[i]->name, name))
            return commands[i];
    return NULL;
}

/* An argument after `--` is no option. */
static int asks_for_help(int argc, char **argv) {
    for (int i = 1; i < argc && strcmp(argv[i], "--"); i++)
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
            return 1;
    return 0;
}

int main(int argc, char **argv) {
    const char *name = argc > 1 ? argv[1] : "";
    if (!strcmp(name, "--version")) {
        printf("weft " WEFT_VERSION "\n");
        return fflush(stdout) ? STATUS_FAILED : STATUS_DONE;
    }
    bool help = !strcmp(name, "help");
    if (!strcmp(name, "--help") || !strcmp(name, "-h") || (help && argc == 2))
        return print_usage(stdout);
    const struct command *command = find(help ? argv[2] : name);
    if (!command) {
        if (*name)
            fprintf(stderr, "weft: no command named %s\n\n", help ? argv[2] : name);
        print_usage(stderr);
        return STATUS_USAGE;
    }
    if (help || asks_for_help(argc - 1, argv + 1))
        return print_help(command);
    return command->run(argc - 1, argv + 1);
}
