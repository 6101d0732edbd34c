/* SPDX-License-Identifier: Apache-2.0 */
#include "conn_id.h"

#include <endian.h>
#include <sodium/crypto_shorthash_siphash24.h>
#include <string.h>

_Static_assert(crypto_shorthash_siphash24_KEYBYTES == 16 && crypto_shorthash_siphash24_BYTES == 8, "SipHash-2-4-64");

uint64_t conn_id(const uint8_t key[16], uint64_t isn) {
    uint64_t pair = htobe64(isn), hash;
    uint8_t message[8], out[crypto_shorthash_siphash24_BYTES];
    memcpy(message, &pair, sizeof(message));
    crypto_shorthash_siphash24(out, message, sizeof(message), key);
    memcpy(&hash, out, sizeof(hash));
    return be64toh(hash);
}
