/* SPDX-License-Identifier: Apache-2.0 */
#include "page.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "topology/path.h"
#include "web/server.h"

#define SECOND_NS 1000000000ULL
#define READER_NS                                                                                                      \
    (3 * SECOND_NS) /* who has read asks again within this, or has left; an open stream reads each second */

struct page {
    struct graph *graph;
    struct web *web;
    const struct agent_stamp *stamp;
    void (*wake)(void *context);
    json_t *(*interfaces)(void *context);
    void *context;
    pthread_mutex_t lock; /* of all that follows */
    json_t *report;       /* of the last window; replaced, never changed */
    pthread_cond_t shown; /* what runs, or nothing will be any more */
    uint64_t shown_ns, read_ns;
    bool resting; /* page_wanted said no: whoever reads next wakes the main thread */
    bool ending;
};

static uint64_t now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * SECOND_NS + (uint64_t)time.tv_nsec;
}

static void reading(void *context, bool stream) {
    struct page *page = context;
    pthread_mutex_lock(&page->lock);
    uint64_t now = page->read_ns = now_ns(), until = now + SECOND_NS;
    struct timespec deadline = {until / SECOND_NS, until % SECOND_NS};
    if (page->resting)
        page->wake(page->context);
    page->resting = false;
    while (!stream && !page->ending && page->shown_ns + SECOND_NS < now)
        if (pthread_cond_clockwait(&page->shown, &page->lock, CLOCK_MONOTONIC, &deadline))
            break;
    pthread_mutex_unlock(&page->lock);
}

static json_t *counters_object(const struct agent_report *report) {
    json_t *object = json_object();
    for (size_t i = 0; i < report->counter_count; i++)
        json_object_set_new(object, report->counters[i].name, json_integer((json_int_t)report->counters[i].value));
    return object;
}

static json_t *hooks_array(const struct agent_report *report) {
    json_t *array = json_array();
    for (size_t i = 0; i < report->hook_count; i++) {
        const struct hook_report *hook = &report->hooks[i];
        json_t *object = json_object();
        json_object_set_new(object, "name", json_string(hook->name));
        json_object_set_new(object, "attached", json_boolean(hook->attached));
        if (hook->reason && hook->reason[0])
            json_object_set_new(object, "reason", json_string(hook->reason));
        json_array_append_new(array, object);
    }
    return array;
}

static json_t *report_object(const struct page *page, const struct agent_report *report) {
    char id[17];
    json_t *object = json_object();
    snprintf(id, sizeof(id), "%016" PRIx64, page->stamp->id);
    json_object_set_new(object, "id", json_string(id));
    json_object_set_new(object, "host", json_string(page->stamp->host));
    json_object_set_new(object, "version", json_string(WEFT_VERSION));
    if (!report)
        return object;
    json_object_set_new(object, "counters", counters_object(report));
    json_object_set_new(object, "hooks", hooks_array(report));
    json_object_set_new(object, "unix",
                        json_pack("{s:I,s:I,s:I}", "bytes", (json_int_t)report->unix_streams.bytes, "operations",
                                  (json_int_t)report->unix_streams.operations, "pairs",
                                  (json_int_t)report->unix_streams.pairs));
    if (report->resident_bytes)
        json_object_set_new(object, "resident_bytes", json_integer((json_int_t)report->resident_bytes));
    if (report->cpu_ns)
        json_object_set_new(object, "cpu", json_integer((json_int_t)report->cpu_ns));
    return object;
}

/* A copy, since several threads of the server may hold one at once and jansson's counts are not for several. */
static json_t *status(void *context) {
    struct page *page = context;
    pthread_mutex_lock(&page->lock);
    json_t *report = json_deep_copy(page->report);
    pthread_mutex_unlock(&page->lock);
    return report;
}

static json_t *interfaces(void *context) {
    const struct page *page = context;
    return page->interfaces(page->context);
}

static void say_where(const struct page *page, const struct page_options *options) {
    bool v6 = strchr(options->address, ':');
    fprintf(stderr, "weft: the page is at http://%s%s%s:%u/%s\n", v6 ? "[" : "", options->address, v6 ? "]" : "",
            web_port(page->web), options->token ? "?token=... (with the token it was given)" : "");
}

static void each_flow(void *context, void (*visit)(void *context, const struct flow_view *view), void *visit_context) {
    flows_each(context, visit, visit_context);
}

static json_t *find_path(void *context, const char *from, const char *to) {
    json_t *answer = path_find(context, from, to, &(struct path_options){0});
    if (answer)
        json_object_set_new(answer, "version", json_integer(1));
    return answer;
}

static struct web_flows flows_of(struct flows *flows) {
    return flows ? (struct web_flows){.context = flows, .each = each_flow, .path = find_path} : (struct web_flows){0};
}

int page_new(const struct page_options *options, struct page **ret_page, char *error, size_t error_size) {
    *ret_page = NULL;
    if (!options->address && !options->socket)
        return 0;
    struct page *page = calloc(1, sizeof(*page));
    if (!page)
        return -ENOMEM;
    pthread_mutex_init(&page->lock, NULL);
    pthread_cond_init(&page->shown, NULL);
    page->wake = options->wake;
    page->interfaces = options->interfaces;
    page->context = options->context;
    page->stamp = options->stamp;
    page->report = report_object(page, NULL);
    struct graph_options graph = {.memory_bytes = options->memory_bytes};
    int result = graph_new(&graph, &page->graph);
    struct web_options web = {.address = options->address,
                              .port = options->port,
                              .unix_socket_path = options->socket,
                              .token = options->token,
                              .graph = page->graph,
                              .flows = flows_of(options->flows),
                              .status = status,
                              .interfaces = options->interfaces ? interfaces : NULL,
                              .reading = reading,
                              .context = page};
    if (!result)
        result = web_new(&web, &page->web, error, error_size);
    if (result) {
        page_free(page);
        return result;
    }
    if (options->address)
        say_where(page, options);
    *ret_page = page;
    return 0;
}

void page_free(struct page *page) {
    if (!page)
        return;
    pthread_mutex_lock(&page->lock);
    page->ending = true;
    pthread_cond_broadcast(&page->shown);
    pthread_mutex_unlock(&page->lock);
    web_free(page->web);
    graph_free(page->graph);
    json_decref(page->report);
    pthread_cond_destroy(&page->shown);
    pthread_mutex_destroy(&page->lock);
    free(page);
}

bool page_wanted(struct page *page) {
    if (!page)
        return false;
    pthread_mutex_lock(&page->lock);
    bool wanted = page->read_ns && now_ns() - page->read_ns < READER_NS;
    page->resting = !wanted;
    pthread_mutex_unlock(&page->lock);
    return wanted;
}

void page_running(struct page *page, const struct window *window, const struct edges *edges) {
    if (page)
        graph_window(page->graph, window, edges, false);
}

void page_shown(struct page *page) {
    if (!page)
        return;
    pthread_mutex_lock(&page->lock);
    page->shown_ns = now_ns();
    pthread_cond_broadcast(&page->shown);
    pthread_mutex_unlock(&page->lock);
}

void page_window(struct page *page, const struct window *window, const struct edges *edges,
                 const struct agent_report *report) {
    if (!page)
        return;
    json_t *now = report_object(page, report);
    pthread_mutex_lock(&page->lock);
    json_t *before = page->report;
    page->report = now;
    pthread_mutex_unlock(&page->lock);
    json_decref(before);
    graph_window(page->graph, window, edges, true);
}
