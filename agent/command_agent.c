/* SPDX-License-Identifier: Apache-2.0 */
/* `weft agent`: from options and configuration to what watch.h wants. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "claim.h"
#include "command.h"
#include "config.h"
#include "packet_settings.h"
#include "privileges.h"
#include "value.h"
#include "watch.h"

static const char options_help[] =
    "  -c FILE                  the configuration, instead of " CONFIG_STANDARD_FILE ", which is read if it exists\n"
    "  --sink KIND[:ARGUMENT]   where records go, see below; may be given more than once (default: none)\n"
    "  --page ADDRESS:PORT|off  where the page is served (default: 127.0.0.1:7575)\n"
    "  --page-token-file FILE   holds the token that the page asks for; needed beyond loopback\n"
    "  --socket PATH|off        where `weft map` and `weft check` ask (default: /run/weft/weft.sock)\n"
    "  --for TIME               stop after this long: 500ms, 30s, 5m, 1h (default: never)\n"
    "  --window TIME            length of a window, aligned to the clock (default: 10s)\n"
    "  --ring SIZE              bytes of each ring between kernel and agent: 64K, 16M (default: 16M)\n"
    "  --rings N                how many rings there are, each with its own thread (default: one for every 8 CPUs)\n"
    "  --namespace host|self    self: only sockets of the agent's own network namespace (default: host)\n"
    "  --packets on|off         count packets at network interfaces (default: on)\n"
    "  --packets-scope own|all  all: in every network namespace of the host, not only the agent's own (default: own)\n"
    "  --include-interfaces PATTERNS, --exclude-interfaces PATTERNS\n"
    "                           of names (veth*) or kinds (kind:bridge), joined by commas (default: every interface)\n"
    "  --ready-fd N             write a line to this descriptor when everything is attached\n"
    "\n"
    "The configuration has more: `weft config explain`. Options win over it.\n"
    "SIGTERM, SIGINT and the end of --for write out what is still open before the agent leaves.\n"
    "\n"
    "sinks:\n";

enum { OPTION_FOR = 256, OPTION_TOKEN_FILE, OPTION_READY_FD, OPTION_KEYS };

/* What the command line says, apart from what the configuration has a key for. */
struct request {
    const char *file, *token_file;
    uint64_t duration_ns;
    int ready_fd;
    struct {
        const char *option, *value;
    } settings[64]; /* applied after the file, in their order */
    size_t setting_count;
};

static void describe(FILE *out) {
    fputs(options_help, out);
    sinks_help(out);
}

static int wrong(const char *option, const char *value, const char *allowed) {
    return wrong_usage(&command_agent, "--%s %s: not understood; %s", option, value, allowed);
}

static int remember(struct request *request, const char *option, const char *value) {
    if (request->setting_count == sizeof(request->settings) / sizeof(request->settings[0]))
        return wrong_usage(&command_agent, "more than %zu options", request->setting_count);
    request->settings[request->setting_count].option = option;
    request->settings[request->setting_count++].value = value;
    return STATUS_DONE;
}

static int take_option(int option, const char *name, struct request *request) {
    uint64_t number;
    switch (option) {
    case 'c':
        request->file = optarg;
        return STATUS_DONE;
    case OPTION_FOR:
        return value_time(optarg, &request->duration_ns) ? wrong(name, optarg, "a time such as 500ms, 30s, 5m, 1h") : 0;
    case OPTION_TOKEN_FILE:
        request->token_file = optarg;
        return STATUS_DONE;
    case OPTION_READY_FD:
        if (value_count(optarg, &number) || number < 3 || number > 1 << 20)
            return wrong(name, optarg, "an open descriptor above 2");
        request->ready_fd = (int)number;
        return STATUS_DONE;
    case '?':
        return wrong_usage(&command_agent, "see the options");
    }
    return remember(request, name, optarg);
}

/* The options of the configuration's table are added to those that only this command has. */
static int read_command_line(int argc, char **argv, struct request *request) {
    struct option options[CONFIG_KEY_LIMIT + 8] = {{"for", required_argument, NULL, OPTION_FOR},
                                                   {"page-token-file", required_argument, NULL, OPTION_TOKEN_FILE},
                                                   {"ready-fd", required_argument, NULL, OPTION_READY_FD}};
    size_t keys, count = 3;
    const struct config_key *key = config_keys(&keys);
    for (size_t i = 0; i < keys; i++)
        if (key[i].option)
            options[count++] = (struct option){key[i].option, required_argument, NULL, OPTION_KEYS};
    int option, index, status = STATUS_DONE;
    while (!status && (option = getopt_long(argc, argv, "c:", options, &index)) != -1)
        status = take_option(option, option < 256 ? "" : options[index].name, request);
    if (!status && optind < argc)
        status = wrong_usage(&command_agent, "takes no argument: %s", argv[optind]);
    return status;
}

static void apply(const struct request *request, struct config *config, struct config_problems *problems) {
    for (size_t i = 0; i < request->setting_count; i++) {
        const char *option = request->settings[i].option, *value = request->settings[i].value;
        /* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): what is counted is set */
        if (!strcmp(option, "sink"))
            config_add_sink_option(config, value, problems);
        else
            config_set_option(config, option, value, problems);
    }
}

/* From a file, since command lines are for everybody to read. */
static void read_token(const char *path, struct config *config, struct config_problems *problems) {
    char token[300] = "";
    FILE *file = fopen(path, "re");
    bool read = file && fgets(token, sizeof(token), file);
    token[strcspn(token, "\r\n")] = '\0';
    if (!read)
        config_problem(problems, "--page-token-file %s: %s", path, file ? "is empty" : strerror(errno));
    else if (config_set_token(config, token))
        config_problem(problems, "--page-token-file %s: not understood; allowed: %s", path,
                       config_find("page_token")->allowed);
    if (file)
        fclose(file);
}

static int configure(const struct request *request, struct config *config) {
    struct config_problems problems = {0};
    const char *file = request->file;
    if (!file && !access(CONFIG_STANDARD_FILE, F_OK))
        file = CONFIG_STANDARD_FILE;
    if (file && config_read_file(config, file, &problems)) {
        fputs(problems.text, stderr);
        return STATUS_FAILED;
    }
    apply(request, config, &problems);
    if (request->token_file)
        read_token(request->token_file, config, &problems);
    if (!problems.count)
        config_finish(config, get_nprocs(), &problems);
    if (problems.count)
        fprintf(stderr, "weft agent: %s", problems.text);
    return problems.count ? STATUS_USAGE : STATUS_DONE;
}

static int open_sink(struct sinks *sinks, const struct config_sink *sink) {
    char error[512] = "";
    const struct sink_settings *settings = sink->settings;
    int result = sinks_open_values(sinks, sink->ops->name, settings->argument, settings->values, settings->count, error,
                                   sizeof(error));
    if (result < 0)
        fprintf(stderr, "weft: sink %s%s%s: %s\n", sink->ops->name, settings->argument ? ":" : "",
                settings->argument ? settings->argument : "", error);
    return result;
}

/* What happens around the start: the drop before the threads of sinks and page exist, the filter after. */
struct starting {
    const struct config *config;
    const struct watch_options *watch;
    struct sinks sinks;
    struct privileges privileges;
};

/* Where a sink makes files: an existing folder, or the path of a file. NULL: nowhere. */
static const char *sink_files(const struct config_sink *sink) {
    if (!strcmp(sink->ops->name, "file"))
        return sink->settings->argument;
    for (size_t i = 0; i < sink->settings->count; i++)
        if (!strcmp(sink->settings->values[i].name, "spool"))
            return sink->settings->values[i].value;
    return NULL;
}

static bool low(uint64_t port) {
    return port && port < 1024;
}

static bool listens_low(const struct config_sink *sink) {
    const char *colon = sink->settings->argument ? strrchr(sink->settings->argument, ':') : NULL;
    uint64_t port;
    return !strcmp(sink->ops->name, "prometheus") && colon && !value_count(colon + 1, &port) && low(port);
}

static void see_what_is_needed(struct starting *starting) {
    const struct config *config = starting->config;
    struct privileges *privileges = &starting->privileges;
    privileges->low_port = !config->page.off && low(config->page.port);
    privileges->attaches = starting->watch->packets;
    privileges->enters = privileges->attaches && starting->watch->packet_side.scope == SCOPE_ALL;
    for (size_t i = 0; i < config->sink_count; i++) {
        const char *path = sink_files(&config->sinks[i]);
        privileges->low_port |= listens_low(&config->sinks[i]);
        if (!path)
            continue;
        privileges->writes_files = true;
        privileges->writes_any |= !privileges_writable(path);
    }
}

static int loaded(void *context) {
    struct starting *starting = context;
    char error[256];
    see_what_is_needed(starting);
    int result = privileges_drop(&starting->privileges, error, sizeof(error));
    if (result < 0)
        fprintf(stderr, "weft: %s\n", error);
    for (size_t i = 0; i < starting->config->sink_count && !result; i++)
        result = open_sink(&starting->sinks, &starting->config->sinks[i]);
    return result;
}

static int started(void *context) {
    struct starting *starting = context;
    char error[256];
    int result = privileges_seal(&starting->privileges, error, sizeof(error));
    if (result < 0)
        fprintf(stderr, "weft: %s\n", error);
    return result;
}

static const char *unless_empty(const char *text) {
    return *text ? text : NULL;
}

/* `alone`: no other agent sees what this one does. */
static int watch_with(const struct request *request, const struct config *config, bool alone) {
    struct starting starting = {.config = config, .sinks.queue_bytes = config->limits.queue};
    struct watch_options options = {
        .sinks = &starting.sinks,
        .window_ns = config->window_ns,
        .duration_ns = request->duration_ns,
        .call_timeout_ns = config->call_timeout_ns,
        .edges_max = config->limits.edges,
        .connections_max = config->limits.connections,
        .held_max = config->limits.held,
        .clients_per_server = config->clients_per_server,
        .ring_bytes = config->ring_size,
        .rings = config->ring_count,
        .only_this_netns = config->namespace == NAMESPACE_SELF,
        .packets = config->packets == PACKETS_ON,
        .packet_side = packet_settings(config, alone),
        .names = {.docker_socket = config->docker_socket,
                  .rules = config->names,
                  .rule_count = config->name_count,
                  .names_max = config->limits.names,
                  .mmdb_asn = unless_empty(config->mmdb_asn),
                  .mmdb_country = unless_empty(config->mmdb_country)},
        .page = {.address = config->page.off ? NULL : config->page.host,
                 .port = config->page.port,
                 .token = unless_empty(config->page_token),
                 .socket = unless_empty(config->socket),
                 .memory_bytes = config->limits.graph},
        .ready_fd = request->ready_fd,
        .loaded = loaded,
        .started = started,
        .context = &starting,
    };
    memcpy(options.conn_id_key, config->conn_id_key, sizeof(options.conn_id_key));
    starting.watch = &options;
    int status = watch(&options);
    sinks_close(&starting.sinks);
    return status;
}

/* What cannot be known is said and does not stop the agent: loading says better what is missing. */
static int claim_scope(const struct config *config, int *ret_claim) {
    char error[256];
    bool self = config->namespace == NAMESPACE_SELF;
    int result = claim_new(self ? claim_own_netns() : CLAIM_HOST, ret_claim, error, sizeof(error));
    if (result)
        fprintf(stderr, "weft: %s\n", error);
    return result == -EBUSY ? STATUS_FAILED : STATUS_DONE;
}

static int run(int argc, char **argv) {
    struct request request = {.ready_fd = -1};
    struct config config;
    int status = read_command_line(argc, argv, &request);
    if (status)
        return status;
    if (config_init(&config)) {
        fprintf(stderr, "weft: out of memory\n");
        return STATUS_FAILED;
    }
    int claim = -1;
    status = configure(&request, &config);
    if (!status)
        status = claim_scope(&config, &claim);
    if (!status)
        status = watch_with(&request, &config, claim >= 0);
    if (claim >= 0)
        close(claim);
    config_done(&config);
    return status;
}

const struct command command_agent = {
    .name = "agent",
    .help = "watch this host",
    .synopsis = "[OPTION]...",
    .describe = describe,
    .run = run,
};
