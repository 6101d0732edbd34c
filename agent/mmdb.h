/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An MMDB file: the autonomous system or the country of an address.
 *
 * The file is copied into memory, so that one who writes over it in place does no harm. mmdb_refresh loads it anew when
 * it was replaced; a file that is damaged, or missing, is refused with a message and the one in memory stays in use.
 * One owner at a time: the caller locks.
 */
#ifndef WEFT_AGENT_MMDB_H
#define WEFT_AGENT_MMDB_H

#include <stddef.h>
#include <stdint.h>

#include "agent/addresses.h"

struct mmdb;
int mmdb_new(const char *path, struct mmdb **ret_mmdb); /* -ENOMEM; a bad file is told by mmdb_problem */
void mmdb_free(struct mmdb *mmdb);
void mmdb_refresh(struct mmdb *mmdb, uint64_t now_ns); /* looks at the file at most every 5 s */
const char *mmdb_problem(const struct mmdb *mmdb);     /* "" when all is well */

struct mmdb_place {
    uint32_t number; /* autonomous system; 0: not known */
    char owner[64];  /* its organisation */
    char country[3]; /* ISO 3166; empty: not known */
};
/* Fills in what this file knows and leaves the rest alone. `mmdb` may be NULL. */
void mmdb_find(const struct mmdb *mmdb, const struct address *address, struct mmdb_place *place);

#endif
