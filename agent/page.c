/* SPDX-License-Identifier: Apache-2.0 */
#include "page.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "web/server.h"

struct page {
    struct graph *graph;
    struct web *web;
    const struct agent_stamp *stamp;
    pthread_mutex_t lock;
    json_t *report; /* of the last window; replaced, never changed */
};

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

static void say_where(const struct page *page, const struct page_options *options) {
    bool v6 = strchr(options->address, ':');
    fprintf(stderr, "weft: the page is at http://%s%s%s:%u/%s\n", v6 ? "[" : "", options->address, v6 ? "]" : "",
            web_port(page->web), options->token ? "?token=... (with the token it was given)" : "");
}

int page_new(const struct page_options *options, struct page **ret_page, char *error, size_t error_size) {
    *ret_page = NULL;
    if (!options->address && !options->socket)
        return 0;
    struct page *page = calloc(1, sizeof(*page));
    if (!page)
        return -ENOMEM;
    pthread_mutex_init(&page->lock, NULL);
    page->stamp = options->stamp;
    page->report = report_object(page, NULL);
    struct graph_options graph = {.memory_bytes = options->memory_bytes};
    int result = graph_new(&graph, &page->graph);
    struct web_options web = {.address = options->address,
                              .port = options->port,
                              .unix_socket_path = options->socket,
                              .token = options->token,
                              .graph = page->graph,
                              .status = status,
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
    web_free(page->web);
    graph_free(page->graph);
    json_decref(page->report);
    pthread_mutex_destroy(&page->lock);
    free(page);
}

void page_running(struct page *page, const struct window *window, const struct edges *edges) {
    if (page)
        graph_window(page->graph, window, edges, false);
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
