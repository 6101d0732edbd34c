/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the agent shows to people: the graph, the web server over it, and its own health as the server tells it.
 *
 * page_new -> page_running once a second and page_window at the end of each window -> page_free. The agent's main
 * thread calls these; the web server's threads read.
 */
#ifndef WEFT_AGENT_PAGE_H
#define WEFT_AGENT_PAGE_H

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
};

/* Says where the page is on stderr. Negative errno with `error`. NULL in `ret_page` when there is nothing to serve. */
int page_new(const struct page_options *options, struct page **ret_page, char *error, size_t error_size);
void page_free(struct page *page);

/* NULL does nothing in all of these. */
void page_running(struct page *page, const struct window *window, const struct edges *edges);
void page_window(struct page *page, const struct window *window, const struct edges *edges,
                 const struct agent_report *report);

#endif
