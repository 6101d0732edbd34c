/* SPDX-License-Identifier: Apache-2.0 */
/* Values as people write them, in options and in the configuration file: 30s, 16M. Pure; any thread. */
#ifndef WEFT_AGENT_VALUE_H
#define WEFT_AGENT_VALUE_H

#include <stddef.h>
#include <stdint.h>

/* A whole number and ms, s, m or h; without a unit seconds. Never 0. -EINVAL. */
int value_time(const char *text, uint64_t *ret_ns);
/* A whole number and K, M or G (powers of 1024); without a unit bytes. -EINVAL. */
int value_size(const char *text, uint64_t *ret_bytes);
int value_count(const char *text, uint64_t *ret_count);
/* ADDRESS:PORT with a literal address, IPv6 in brackets; the host without them. -EINVAL. */
int value_address(const char *text, char *ret_host, size_t host_size, uint16_t *ret_port);
/* Exactly `size` bytes as hexadecimal digits. -EINVAL. */
int value_hex(const char *text, uint8_t *ret_bytes, size_t size);

/* The shortest way to write them that reads back the same. */
void value_time_text(uint64_t ns, char *ret_text, size_t size);
void value_size_text(uint64_t bytes, char *ret_text, size_t size);

#endif
