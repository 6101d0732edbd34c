/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the configuration share, and nobody else needs. */
#ifndef WEFT_AGENT_CONFIG_TABLE_H
#define WEFT_AGENT_CONFIG_TABLE_H

#include "config.h"

/* Not for lists. -EINVAL: `text` is none of what the key allows, and nothing has changed. */
int config_set(struct config *config, const struct config_key *key, const char *text);
struct config_origin *config_origin(struct config *config, const struct config_key *key);

/* config_sink.c. Negative errno, and `error` says what is wrong and what is allowed. */
int config_add_sink_text(struct config *config, const char *text, struct config_origin origin, char *error,
                         size_t error_size);
int config_add_sink_values(struct config *config, const char *kind, const char *argument,
                           const struct sink_value *values, size_t count, struct config_origin origin, char *error,
                           size_t error_size);
/* Bytes of the queues that sinks were given, and how many have one and were not told how large. */
void config_count_queues(const struct config *config, uint64_t *ret_bytes, unsigned *ret_untold);
void config_forget_sinks(struct config *config);

#endif
