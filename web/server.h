/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The page and its API (docs/api.md), over HTTP on a TCP address and on a Unix socket.
 *
 * Life cycle: web_new binds, listens and answers on threads of its own until web_free. It reads the graph, which must
 * outlive it. Nothing here changes anything: only GET and HEAD exist.
 *
 * Who may ask: on loopback anybody whose Host header names loopback, so that a page of another site cannot be pointed
 * here by its DNS. Beyond loopback a token is required, and web_new refuses an address beyond loopback without one.
 * The Unix socket asks for nothing: its directory is closed to others.
 *
 * Bounds: 64 connections a listener, 16 event streams. A stream whose reader is slow skips updates; nothing is queued
 * for it and nobody waits for it.
 */
#ifndef WEFT_WEB_SERVER_H
#define WEFT_WEB_SERVER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "topology/flows.h"
#include "topology/graph.h"

struct web;

/* The packet side, asked from web's threads. All NULL: packets are not watched. */
struct web_flows {
    void *context;
    void (*each)(void *context, void (*visit)(void *context, const struct flow_view *view), void *visit_context);
    /* A new reference; both ends are named as topology/path.h has it. */
    json_t *(*path)(void *context, const char *from, const char *to);
};

struct web_options {
    const char *address;          /* IPv4 or IPv6 address to listen on; NULL: no TCP */
    uint16_t port;                /* 0: any free one */
    const char *unix_socket_path; /* NULL: none. A socket nobody listens on any more is replaced */
    const char *token;            /* NULL: none. At least 16 of A-Z a-z 0-9 . _ ~ - */
    struct graph *graph;
    struct web_flows flows;
    json_t *(*status)(void *context); /* the agent's health, a new reference; called from web's threads. NULL: none */
    json_t *(*interfaces)(void *context); /* network interfaces, the same way */
    /*
     * Somebody reads the graph: before each answer made of it, when the callee may take the time to bring it up to
     * date; and, with `stream`, each second that an event stream is open, when it must not wait. From web's threads.
     * NULL: nobody wants to know.
     */
    void (*reading)(void *context, bool stream);
    void *context;
};

/* 0, or a negative errno with `error` saying what failed, why, and what to do. Strings of `options` are copied. */
int web_new(const struct web_options *options, struct web **ret_web, char *error, size_t error_size);
uint16_t web_port(const struct web *web); /* 0: no TCP */
void web_free(struct web *web);

#endif
