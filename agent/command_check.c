/* SPDX-License-Identifier: Apache-2.0 */
/* `weft check`: what this kernel allows, and what is missing. */
#include "command.h"
#include "live.h"

static void describe(FILE *out) {
    fputs("Loads and attaches every program for a moment, and says for each whether that worked, and why not.\n", out);
}

static void print_program(const struct live_program *program) {
    const char *state = program->attached ? "attached" : program->needed ? "missing" : "not needed";
    printf("%-18s %-10s %s\n", program->name, state, program->purpose);
    if (program->reason[0])
        printf("%-18s %-10s why: %s\n", "", "", program->reason);
    if (program->needed && !program->attached)
        printf("%-18s %-10s cost: %s\n", "", "", program->cost);
}

static int run(int argc, char **argv) {
    struct live *live;
    struct live_options options = {.ring_bytes = 1 << 16};
    char error[256] = "out of memory";
    size_t count;
    if (argc > 1)
        return wrong_usage(&command_check, "takes no argument: %s", argv[1]);
    if (live_new(&options, &live, error, sizeof(error)) < 0) {
        fprintf(stderr, "weft: %s\n", error);
        return STATUS_FAILED;
    }
    const struct live_program *programs = live_programs(live, &count);
    printf("sends and receives are seen by %s\n\n%-18s %-10s %s\n", live_path(live), "program", "state",
           "what it is for");
    for (size_t i = 0; i < count; i++)
        print_program(&programs[i]);
    live_free(live);
    return STATUS_DONE;
}

const struct command command_check = {
    .name = "check",
    .help = "what this kernel allows, what is attached, and what is missing",
    .synopsis = "",
    .describe = describe,
    .run = run,
};
