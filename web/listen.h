/* SPDX-License-Identifier: Apache-2.0 */
/* Listening sockets, with errors that say what is wrong and what to do. Each gives a descriptor or a negative errno. */
#ifndef WEFT_WEB_LISTEN_H
#define WEFT_WEB_LISTEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* `ret_port`: the one it got, for port 0. `ret_loopback`: nobody outside this host can reach it. */
int listen_tcp(const char *address, uint16_t port, uint16_t *ret_port, bool *ret_loopback, char *error, size_t size);
/* Readable by its owner alone; makes its directory (mode 0700) and replaces a socket that nobody listens on. */
int listen_unix(const char *path, char *error, size_t size);

#endif
