/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may ask: a decision over the headers of a request, without I/O.
 *
 * A browser on this host will send requests to loopback for any site that asks it to. Three things keep other sites
 * out: the Host header must name loopback (a name of theirs that resolves to 127.0.0.1 does not), an Origin header
 * must be the page's own, and Sec-Fetch-Site must not say "cross-site" for the API.
 */
#ifndef WEFT_WEB_ACCESS_H
#define WEFT_WEB_ACCESS_H

#include <stdbool.h>

struct access_policy {
    bool loopback;     /* listens on loopback alone */
    const char *token; /* NULL: none is asked for */
};

/* Header values as they came; NULL: absent. */
struct access_request {
    const char *host, *origin, *fetch_site, *authorization;
    const char *cookie;         /* value of the cookie ACCESS_COOKIE */
    const char *token_argument; /* ?token= */
    bool api;                   /* under /api/ */
};

#define ACCESS_COOKIE "weft_token"

enum access {
    ACCESS_GRANTED,
    ACCESS_GRANTED_BY_ARGUMENT, /* the token came in the address: give a cookie and send to the address without it */
    ACCESS_WRONG_HOST,
    ACCESS_WRONG_ORIGIN,
    ACCESS_NO_TOKEN,
};

enum access access_decide(const struct access_policy *policy, const struct access_request *request);
bool access_token_valid(const char *token); /* long enough, and safe in a header and an address */
bool access_is_loopback(const char *host);  /* `localhost`, 127.x.x.x or [::1], with or without a port */

#endif
