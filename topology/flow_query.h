/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A question about flows: which rows, which columns, in which order, summed by what. `weft flows` and the API ask it.
 *
 *   flow_query_new -> flow_query_see, for each view of flows_each -> flow_query_answer -> flow_query_free
 *
 * One owner. What it keeps is bounded by `limit`, groups by FLOW_QUERY_GROUPS.
 */
#ifndef WEFT_TOPOLOGY_FLOW_QUERY_H
#define WEFT_TOPOLOGY_FLOW_QUERY_H

#include <jansson.h>

#include "filter.h"
#include "flow_row.h"

enum { FLOW_QUERY_LIMIT = 1000, FLOW_QUERY_LIMIT_MAX = 10000, FLOW_QUERY_GROUPS = 10000, FLOW_QUERY_COLUMNS = 64 };

/* Lists of fields are joined by commas. NULL, and limit 0: the default. Borrowed during flow_query_new alone. */
struct flow_query_options {
    const char *filter;    /* all */
    const char *columns;   /* those that suit the kind of rows; after a +, besides those */
    const char *sort;      /* bytes. Largest first, texts by alphabet; -FIELD the other way round */
    const char *group_by;  /* rows that are equal in these fields are one, the sum of them */
    const char *histogram; /* instead of rows: how many have which value of this field */
    size_t limit;
    bool hops;    /* a row for each hop and direction, not one for each connection */
    uint64_t now; /* CLOCK_MONOTONIC ns */
};

extern const char flow_query_columns[], flow_query_hop_columns[]; /* if nothing is asked for */

struct flow_query_error {
    const char *option; /* which of the options: "filter", ... */
    size_t at;          /* byte of its text */
    char text[200];
};

struct flow_query;
/* -EINVAL with `ret_error`, -ENOMEM. */
int flow_query_new(const struct flow_query_options *options, struct flow_query **ret_query,
                   struct flow_query_error *ret_error);
void flow_query_see(void *query, const struct flow_view *view);
/* A new reference, as docs/api.md has it; NULL without memory. Once. */
json_t *flow_query_answer(struct flow_query *query);
void flow_query_free(struct flow_query *query);

#endif
