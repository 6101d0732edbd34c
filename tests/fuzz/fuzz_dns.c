/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz_parser.h"
#include "protocols/dns.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_protocol(&protocol_dns, data, size);
    return fuzz_protocol(&protocol_dns_tcp, data, size);
}
