/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls of a conversation: requests that wait for their answer, oldest first, and what becomes of them.
 * Memory is held only while one waits. Private to topology/; the parser's reports arrive here.
 */
#ifndef WEFT_TOPOLOGY_CALL_H
#define WEFT_TOPOLOGY_CALL_H

#include "conversation.h"

enum { CALLS_OUTSTANDING = 256 };

void calls_request(struct engine *engine, struct conversation *c, const struct message *message);
void calls_response(struct engine *engine, struct conversation *c, const struct message *message);
void calls_end(struct engine *engine, struct conversation *c, enum direction direction);

uint32_t calls_outstanding(const struct conversation *c);
/* Forgets them, and says how many would have counted. */
uint32_t calls_drop(struct engine *engine, struct conversation *c);
/* The conversation is over: what waits had no response. */
void calls_abandon(struct engine *engine, struct conversation *c);
/* Those that wait longer than the limit are timeouts, once. */
void calls_time_out(struct engine *engine, struct conversation *c, uint64_t now);

#endif
