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
/* The conversation is over: what waits had no response. Of these, `lost` may have had one that was not seen. */
void calls_abandon(struct engine *engine, struct conversation *c, uint32_t lost);
/*
 * Those that wait longer than the limit are timeouts, once. `unexplained`, if not NULL: how many of them may have had
 * an answer that was lost; these are lost calls, and are taken off.
 */
void calls_time_out(struct engine *engine, struct conversation *c, uint64_t now, uint32_t *unexplained);
void calls_count_lost(struct engine *engine, struct conversation *c, uint32_t lost);
/* Those that count in its edge's gauge. */
uint32_t calls_in_flight(const struct conversation *c);

#endif
