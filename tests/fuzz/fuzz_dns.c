/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz_parser.h"
#include "protocols/dns.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first byte says whether the rest are datagrams or a stream. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0)
        return 0;
    return fuzz_protocol(data[0] & 1 ? &protocol_dns_tcp : &protocol_dns, NULL, data + 1, size - 1);
}
