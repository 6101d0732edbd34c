/* SPDX-License-Identifier: Apache-2.0 */
/* Values as people write them, in options and in the configuration file: 30s, 16M. Pure; any thread. */
#ifndef WEFT_AGENT_VALUE_H
#define WEFT_AGENT_VALUE_H

#include <stdint.h>

/* A whole number and ms, s, m or h; without a unit seconds. Never 0. -EINVAL. */
int value_time(const char *text, uint64_t *ret_ns);
/* A whole number and K, M or G (powers of 1024); without a unit bytes. -EINVAL. */
int value_size(const char *text, uint64_t *ret_bytes);

#endif
