/* SPDX-License-Identifier: Apache-2.0 */
/* `weft check`: what this kernel allows, what a running agent misses, and why a service is or is not on the map. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "claim.h"
#include "client.h"
#include "command.h"
#include "config.h"
#include "hierarchy.h"
#include "inspect.h"
#include "interface_print.h"
#include "live.h"
#include "map_print.h"
#include "packet_settings.h"
#include "packet_side.h"
#include "reasons.h"

enum { OPTION_SOCKET = 256, OPTION_CLEAN };

struct request {
    const char *file, *socket, *target;
    bool clean;
};

static void describe(FILE *out) {
    fputs(
        "Without an argument: loads and attaches every program for a moment and says for each whether that worked, "
        "why\n"
        "not, and what that costs; what else of this host matters; the network interfaces, how packets are seen there "
        "and\n"
        "whether their counts add up; and what a running agent cannot read, and why.\n"
        "\n"
        "With one: the processes behind a pid, a port, a container (name, or 12 digits and more of its id) or a name;\n"
        "what they go by on the map and where that name comes from; what of them stays unseen, and why; and whether "
        "the\n"
        "running agent has them on its map.\n"
        "\n"
        "  -c FILE         the configuration, instead of " CONFIG_STANDARD_FILE "\n"
        "  --socket PATH   of the running agent (default: as configured)\n"
        "  --clean         remove what a killed agent left\n",
        out);
}

/* ---- this host ---- */

static void print_program(const struct live_program *program) {
    const char *state = program->attached ? "attached" : program->needed ? "missing" : "not needed";
    printf("%-22s %-10s %s\n", program->name, state, program->purpose);
    if (program->reason[0])
        printf("%-22s %-10s why: %s\n", "", "", program->reason);
    if (program->needed && !program->attached)
        printf("%-22s %-10s cost: %s\n", "", "", program->cost);
}

static void print_row(const char *name, const char *text) {
    printf("%-22s %s\n", name, text);
}

static void print_symbols(void) {
    struct reasons *reasons;
    const char *why;
    char text[160];
    if (reasons_new(&reasons))
        return;
    if (reasons_places_known(reasons, &why))
        snprintf(text, sizeof(text), "functions and netfilter hooks in which packets are dropped are named");
    else
        snprintf(text, sizeof(text), "%s: drops have a reason, but neither function nor netfilter hook", why);
    print_row("kernel symbols", text);
    reasons_free(reasons);
}

static void print_host(const struct config *config, const struct live *live) {
    struct utsname system;
    struct stat btf;
    struct live_memory memory;
    char text[256], size[32];
    int cgroup = hierarchy_open_v2(), subsystem = hierarchy_subsystem();
    uname(&system);
    snprintf(text, sizeof(text), "%s %s, for information: nothing is decided by it", system.release, system.machine);
    print_row("kernel", text);
    snprintf(text, sizeof(text), "%lld KiB of types",
             stat("/sys/kernel/btf/vmlinux", &btf) ? 0LL : (long long)btf.st_size >> 10);
    print_row("BTF", text);
    snprintf(text, sizeof(text), "%s; containers are told apart by %s",
             cgroup < 0 ? "v2 is mounted nowhere" : "v2 found",
             subsystem < 0 ? "v2" : "a v1 controller (pids or memory)");
    print_row("cgroups", text);
    if (cgroup >= 0)
        close(cgroup);
    config_value(config, config_find("ring.size"), size, sizeof(size));
    snprintf(text, sizeof(text), "%" PRIu64 " of %s for %d CPUs", config->ring_count, size, get_nprocs());
    print_row("rings", text);
    live_memory(live, &memory);
    snprintf(text, sizeof(text), "%zu bytes on each socket; %.1f MiB of maps and rings", memory.socket_bytes,
             memory.map_bytes / (double)(1 << 20));
    print_row("kernel memory", text);
    print_symbols();
}

/* ---- the running agent ---- */

static json_t *ask(const char *socket, const char *what, char *error, size_t error_size) {
    const struct client_options options = {.at = socket};
    if (!*socket) {
        snprintf(error, error_size, "no socket is configured");
        return NULL;
    }
    return client_get(&options, what, error, error_size);
}

static void print_unix(const json_t *status) {
    const json_t *totals = json_object_get(json_object_get(status, "agent"), "unix");
    if (totals)
        printf("AF_UNIX: %" JSON_INTEGER_FORMAT " bytes in %" JSON_INTEGER_FORMAT " sends between %" JSON_INTEGER_FORMAT
               " pairs of processes; counted, not shown as edges.\n",
               json_integer_value(json_object_get(totals, "bytes")),
               json_integer_value(json_object_get(totals, "operations")),
               json_integer_value(json_object_get(totals, "pairs")));
}

static void print_counters(const json_t *status) {
    const char *name;
    json_t *value;
    bool any = false;
    json_object_foreach(json_object_get(json_object_get(status, "agent"), "counters"), name, value) {
        if (!json_integer_value(value) || !strcmp(name, "kafka_delivered"))
            continue;
        printf("%s%s %" JSON_INTEGER_FORMAT, any ? ", " : "Counted: ", name, json_integer_value(value));
        any = true;
    }
    puts(any ? " (docs/operations.md)." : "Nothing was lost.");
}

/* ---- interfaces ---- */

/*
 * Attached for a moment, which says why where that does not work; not beside an agent, whose filters would be in the
 * way. NULL: `ret_why` says why not.
 */
static struct packet_side *try_packets(const struct config *config, const struct live *live, char *ret_why,
                                       size_t size) {
    struct packet_side_options options = packet_settings(config, false);
    struct packet_side *side = NULL;
    uint32_t pid;
    if (config->packets == PACKETS_OFF)
        snprintf(ret_why, size, "`packets` is off");
    else if (claim_look(config->namespace == NAMESPACE_SELF ? claim_own_netns() : CLAIM_HOST, &pid) == -EBUSY)
        snprintf(ret_why, size, "an agent runs, pid %u", pid);
    else
        packet_side_attach(&options, live, &side, ret_why, size);
    return side;
}

/* The running agent's know what passed. */
static void print_interfaces(struct packet_side *side, const char *why, const char *socket) {
    char error[256] = "";
    json_t *answer = ask(socket, "interfaces", error, sizeof(error)), *own = side ? packet_side_json(side) : NULL;
    puts("");
    if (answer)
        interface_print(json_object_get(answer, "interfaces"), true, stdout);
    else if (own)
        interface_print(own, false, stdout);
    else
        printf("Nothing was attached to network interfaces: %s.\n", why);
    json_decref(answer);
    json_decref(own);
}

static void print_agent(const char *socket) {
    char error[256] = "";
    json_t *status = ask(socket, "status", error, sizeof(error));
    json_t *map = status ? ask(socket, "map?last=3600s", error, sizeof(error)) : NULL;
    printf("\n");
    if (!status)
        printf("No agent was asked: %s\n", error);
    else
        printf("The running agent:\n");
    if (map)
        map_print_opaque(map, stdout);
    if (status) {
        print_unix(status);
        print_counters(status);
    }
    json_decref(map);
    json_decref(status);
}

static void print_programs(const struct live *live, const struct packet_side *side) {
    size_t count;
    const struct live_program *programs = live_programs(live, &count);
    printf("sends and receives are seen by %s\n\n%-22s %-10s %s\n", live_path(live), "program", "state",
           "what it is for");
    for (size_t i = 0; i < count; i++)
        print_program(&programs[i]);
    programs = packet_side_programs(side, &count);
    for (size_t i = 0; i < count; i++)
        print_program(&programs[i]);
    printf("\n");
}

static int check_host(const struct config *config, const char *socket) {
    struct live *live;
    struct live_options options = {.ring_bytes = 1 << 16};
    char error[256] = "out of memory";
    if (live_new(&options, &live, error, sizeof(error)) < 0) {
        fprintf(stderr, "weft: %s\n", error);
        return STATUS_FAILED;
    }
    struct packet_side *side = try_packets(config, live, error, sizeof(error));
    print_programs(live, side);
    print_host(config, live);
    print_interfaces(side, error, socket);
    packet_side_free(side);
    live_free(live);
    print_agent(socket);
    return STATUS_DONE;
}

/* ---- a service ---- */

static const json_t *node_named(const json_t *map, const char *name) {
    size_t index;
    json_t *node;
    json_array_foreach(json_object_get(map, "nodes"), index, node) {
        const char *has = json_string_value(json_object_get(node, "name"));
        if (has && !strcmp(has, name))
            return node;
    }
    return NULL;
}

static void print_presence(const struct inspection *found, const char *socket) {
    char error[256] = "";
    json_t *map = ask(socket, "map?last=3600s", error, sizeof(error));
    if (!map)
        printf("\nNo agent was asked whether it is on the map: %s\n", error);
    for (unsigned i = 0; map && i < found->name_count; i++) {
        const json_t *node = node_named(map, found->names[i]);
        if (node)
            printf("\n%s is on the map of the last hour.\n", found->names[i]);
        else
            printf("\n%s is not on the map of the last hour: it neither called anybody nor was called over TCP or UDP, "
                   "or\n"
                   "the agent goes by another configuration.\n",
                   found->names[i]);
    }
    json_decref(map);
}

static int check_target(const struct config *config, const char *target, const char *socket) {
    struct identity_options names = {
        .docker_socket = config->docker_socket, .rules = config->names, .rule_count = config->name_count};
    struct identity *identity;
    struct inspection found;
    if (identity_new(&names, &identity)) {
        fprintf(stderr, "weft: out of memory\n");
        return STATUS_FAILED;
    }
    inspect(identity, &names, target, stdout, &found);
    identity_free(identity);
    if (found.processes) {
        print_presence(&found, socket);
        return STATUS_DONE;
    }
    fprintf(stderr, "weft check: %s: no process, port, container or name like that%s\n", target,
            geteuid() ? "; without root only your own processes can be looked at" : "");
    return STATUS_FAILED;
}

/* ---- */

struct cleaning {
    bool unknown;
    uint32_t agent; /* pid of one that runs; 0: none */
};

/* What is in the scope of a running agent is in use. */
static bool may_clean(void *context, uint32_t netns) {
    struct cleaning *cleaning = context;
    uint32_t pid;
    int result = claim_look(netns, &pid);
    if (result == -EBUSY)
        cleaning->agent = pid;
    cleaning->unknown |= result == -EPERM;
    return !result;
}

static int clean(void) {
    struct cleaning cleaning = {0};
    int removed = interfaces_clean(may_clean, &cleaning);
    if (removed < 0 || cleaning.unknown) {
        fprintf(stderr, "weft check --clean: %s; run it as root\n", strerror(removed < 0 ? -removed : EPERM));
        return STATUS_FAILED;
    }
    if (cleaning.agent)
        printf("What the running agent (pid %u) uses stays.\n", cleaning.agent);
    if (removed)
        printf("Removed %d filters that a killed agent had left.\n", removed);
    else
        puts(
            "Nothing to remove: no interface has a filter that a killed agent left; everything else of weft's hangs on "
            "links that end with its process.");
    return STATUS_DONE;
}

static int take_options(int argc, char **argv, struct request *request) {
    static const struct option options[] = {{"socket", required_argument, NULL, OPTION_SOCKET},
                                            {"clean", no_argument, NULL, OPTION_CLEAN},
                                            {NULL, 0, NULL, 0}};
    int option;
    while ((option = getopt_long(argc, argv, "c:", options, NULL)) != -1)
        switch (option) {
        case 'c':
            request->file = optarg;
            break;
        case OPTION_SOCKET:
            request->socket = optarg;
            break;
        case OPTION_CLEAN:
            request->clean = true;
            break;
        default:
            return wrong_usage(&command_check, "see the options");
        }
    request->target = optind < argc ? argv[optind] : NULL;
    if (optind + 1 < argc)
        return wrong_usage(&command_check, "%s: one argument too many", argv[optind + 1]);
    if (request->target && request->clean)
        return wrong_usage(&command_check, "--clean takes no argument");
    return STATUS_DONE;
}

static int run(int argc, char **argv) {
    struct request request = {0};
    struct config config;
    int status = take_options(argc, argv, &request);
    if (status)
        return status;
    if (request.clean)
        return clean();
    if (config_load(&config, request.file))
        return STATUS_FAILED;
    const char *socket = request.socket ? request.socket : config.socket;
    status = request.target ? check_target(&config, request.target, socket) : check_host(&config, socket);
    config_done(&config);
    return status;
}

const struct command command_check = {
    .name = "check",
    .help = "what this kernel allows, what is missing, and why a service is or is not on the map",
    .synopsis = "[-c FILE] [--socket PATH] [PID|PORT|CONTAINER|NAME]\n--clean",
    .describe = describe,
    .run = run,
};
