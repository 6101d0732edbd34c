/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz_parser.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* No query string ever leaves the parser. */
static bool without_query(enum direction direction, const struct message *message) {
    (void)direction;
    return message->endpoint.length == 0 || memchr(message->endpoint.data, '?', message->endpoint.length) == NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    return fuzz_protocol(&protocol_http, without_query, data, size);
}
