/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The live map as server-sent events: each second every open stream is shown the map of its range, if it changed.
 *
 * A text is made once for all streams of one range, and shared. A stream that has not finished sending one text when
 * the next is due goes on with the old one and then takes the newest; those between are counted as skipped. Streams
 * sleep suspended in libmicrohttpd; a thread wakes them each second, and sleeps itself while there is none.
 */
#ifndef WEFT_WEB_EVENTS_H
#define WEFT_WEB_EVENTS_H

#include <microhttpd.h>
#include <stddef.h>
#include <stdint.h>

struct events;

struct events_options {
    uint64_t (*generation)(void *context);                                 /* rises when the text of a range changes */
    char *(*render)(void *context, uint64_t range_ns, size_t *ret_length); /* for free(); one line. NULL: no memory */
    void *context;
};

struct events_counters {
    uint64_t streams, refused, skipped; /* open now; too many; updates that a slow reader did not get */
};

int events_new(const struct events_options *options, struct events **ret_events);
/* Ends every stream and admits no more. Before MHD_stop_daemon, which waits for them. */
void events_stop(struct events *events);
void events_free(struct events *events); /* after MHD_stop_daemon */

/* A response that goes on until its reader leaves. NULL with `*ret_status` the HTTP status to give instead. */
struct MHD_Response *events_stream(struct events *events, struct MHD_Connection *connection, uint64_t range_ns,
                                   unsigned *ret_status);
void events_counters(struct events *events, struct events_counters *ret_counters);

#endif
