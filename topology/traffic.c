/* SPDX-License-Identifier: Apache-2.0 */
#include "traffic.h"

const char *opaque_reason_name(enum opaque_reason reason) {
    static const char *const names[OPAQUE_REASONS] = {
        [OPAQUE_TLS] = "tls",         [OPAQUE_UNKNOWN] = "unknown_protocol",
        [OPAQUE_UNSEEN] = "not_seen", [OPAQUE_UNREADABLE] = "unreadable",
        [OPAQUE_LOST] = "lost",
    };
    return names[reason];
}
