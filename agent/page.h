/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the agent shows to people: the graph, the web server over it, and its own health as the server tells it.
 *
 * page_new -> page_running and page_shown once a second while page_wanted, and page_window at the end of each window ->
 * page_free. The agent's main thread calls these; the web server's threads read. A reader who comes after a pause has
 * the main thread woken, and waits up to a second for what it shows.
 */
#ifndef WEFT_AGENT_PAGE_H
#define WEFT_AGENT_PAGE_H

#include <jansson.h>

#include "sinks/json.h"
#include "topology/graph.h"

struct page;

struct page_options {
    const char *address; /* to listen on; NULL: no page */
    uint16_t port;
    const char *token;   /* NULL: none */
    const char *socket;  /* path; NULL: none */
    size_t memory_bytes; /* of the graph; 0: its default */
    const struct agent_stamp *stamp;
    struct flows *flows;                  /* NULL: packets are not watched */
    void (*wake)(void *context);          /* page_wanted has become true; from any thread */
    json_t *(*interfaces)(void *context); /* a new reference; from any thread */
    void *context;
};

/* Says where the page is on stderr. Negative errno with `error`. NULL in `ret_page` when there is nothing to serve. */
int page_new(const struct page_options *options, struct page **ret_page, char *error, size_t error_size);
void page_free(struct page *page);

/* NULL does nothing in all of these. */
/* Whether anybody has read lately, or does: the running window should be shown. */
bool page_wanted(struct page *page);
void page_running(struct page *page, const struct window *window, const struct edges *edges);
void page_shown(struct page *page); /* all that runs was: who waits for it reads */
void page_window(struct page *page, const struct window *window, const struct edges *edges,
                 const struct agent_report *report);

#endif
