/* SPDX-License-Identifier: Apache-2.0 */
/* What the configuration says of packets, for packet_side.h. The main thread, once in a process. */
#ifndef WEFT_AGENT_PACKET_SETTINGS_H
#define WEFT_AGENT_PACKET_SETTINGS_H

#include "config.h"
#include "packet_side.h"

/* `alone`: no other agent sees what this one does. Patterns point into the configuration, which is cut into pieces. */
struct packet_side_options packet_settings(const struct config *config, bool alone);

#endif
