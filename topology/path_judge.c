/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One finding for all connections between the same two. The newest one that can be judged speaks; a fault that newer
 * ones do not have is over. What some of them get through is loss, whatever it is for those that do not.
 */
#include <stdio.h>
#include <string.h>

#include "path_parts.h"

#define SECOND_NS 1000000000ULL
#define RECENT_NS (30 * SECOND_NS)

enum { JUDGED_MAX = 64 };

/* ---- over all of them ---- */

static bool same_place(const struct drop_key *one, const struct drop_key *two) {
    return one->netns == two->netns && one->ifindex == two->ifindex && one->reason == two->reason &&
           one->location == two->location && one->hook == two->hook;
}

static bool same_hop(const struct flow_key *one, const struct flow_key *two) {
    return one->netns == two->netns && one->ifindex == two->ifindex && one->way == two->way &&
           one->tunnel == two->tunnel;
}

/* Segments that came to the place, of this connection: those of the hop before it; of the first hop and what it lost.
 */
static uint64_t came(const struct flow_trail *trail, const struct path_cause *cause, uint64_t dropped) {
    for (const struct flow_entry *hop = trail->entries; hop; hop = hop->next) {
        if (hop->forward != cause->forward || hop->branch)
            continue;
        if (!cause->hop)
            return hop->flow.segments + dropped;
        if (same_hop(&hop->key, &cause->hop->key))
            return hop->flow.segments;
    }
    return dropped;
}

static bool got_through(const struct flows *flows, struct flow_trail *trail) {
    struct path_facts facts;
    path_facts(flows, trail, &facts);
    return facts.tcp ? facts.established : facts.first[1] != NULL;
}

/* When it began at that place. */
static uint64_t first_drop(const struct path_part *part, const struct path_cause *cause) {
    uint64_t first = cause->drop->totals.first_time;
    for (unsigned i = 0; i < part->count; i++)
        for (const struct flow_drop *drop = part->trails[i]->drops; drop; drop = drop->next)
            if (same_place(&drop->key, &cause->drop->key) && drop->totals.first_time < first)
                first = drop->totals.first_time;
    return first;
}

static void add_up(struct flows *flows, const struct path_part *part, struct path_cause *cause) {
    uint64_t began = first_drop(part, cause);
    bool passed = false;
    cause->packets = cause->of = 0;
    for (unsigned i = 0; i < part->count; i++) {
        struct flow_trail *trail = part->trails[i];
        uint64_t dropped = 0;
        for (const struct flow_drop *drop = trail->drops; drop; drop = drop->next)
            if (same_place(&drop->key, &cause->drop->key) && drop->forward == cause->forward)
                dropped += flow_drop_packets(drop);
        if (!dropped && trail->last_time < began)
            continue;
        cause->packets += dropped;
        cause->of += came(trail, cause, dropped);
        passed |= got_through(flows, trail);
    }
    if (cause->of < cause->packets)
        cause->of = cause->packets;
    if (cause->code == PATH_DROPPED && passed && cause->packets < cause->of)
        cause->code = PATH_LOSS;
}

/* ---- words ---- */

static void say_healthy(const struct flows *flows, const struct path_part *part, struct path_finding *finding) {
    struct flow_trail *trail = part->trails[0];
    const struct flow_entry *first = trail->entries;
    uint64_t rtt = 0, forward = 0, reverse = 0;
    char time[48] = "";
    for (const struct flow_entry *hop = trail->entries; hop; hop = hop->next) {
        uint64_t *most = hop->forward ? &forward : &reverse;
        *most = hop->flow.packets > *most ? hop->flow.packets : *most;
    }
    rtt = first ? flow_rtt(trail, first) : 0;
    if (first && first->flow.srtt_us)
        rtt = first->flow.srtt_us * 1000ULL;
    if (rtt)
        snprintf(time, sizeof(time), ", round trip %.3f ms", rtt / 1e6);
    snprintf(finding->text, sizeof(finding->text),
             "%s reaches %s: %llu packets there, %llu back over %zu connection%s, none lost that was seen%s.",
             path_name(trail, 0), path_name(trail, 1), (unsigned long long)forward, (unsigned long long)reverse,
             part->found, part->found == 1 ? "" : "s", time);
    (void)flows;
}

static const char *verdict(enum path_code code) {
    static const char *const words[PATH_CODES] = {
        [PATH_DROPPED] = "does not reach",
        [PATH_REJECTED] = "is rejected on the way to",
        [PATH_NO_ROUTE] = "has no way to",
        [PATH_NO_LISTENER] = "reaches the host of",
        [PATH_NO_ANSWER] = "gets no answer from",
        [PATH_LISTEN_QUEUE_FULL] = "is kept waiting by",
        [PATH_PEER_STALLED] = "is not served by",
        [PATH_MTU] = "cannot send large packets to or from",
        [PATH_LOSS] = "loses packets on the way to or from",
        [PATH_RESET] = "was cut off from",
    };
    return words[code] ? words[code] : "and";
}

static void say_causes(const struct path_part *part, struct path_finding *finding) {
    const struct flow_trail *trail = part->trails[0];
    char *text = finding->text;
    size_t size = sizeof(finding->text);
    snprintf(text, size, "%s %s %s: ", path_name(trail, 0), verdict(finding->code), path_name(trail, 1));
    for (unsigned i = 0; i < finding->cause_count && strlen(text) + 8 < size; i++)
        snprintf(text + strlen(text), size - strlen(text), "%s%s", i ? "; and " : "", finding->causes[i].text);
    if (strlen(text) + 2 < size)
        strcat(text, ".");
}

/* ---- which one speaks ---- */

static bool lasts(const struct flows *flows, const struct flow_trail *trail, const struct path_finding *finding) {
    bool ongoing = finding->code == PATH_LOSS || finding->code == PATH_MTU || finding->code == PATH_PEER_STALLED;
    return ongoing && trail->last_time + RECENT_NS > flows->now;
}

static unsigned choose(struct flows *flows, const struct path_part *part, struct path_finding *ret_finding) {
    struct path_finding finding;
    unsigned chosen = 0;
    bool judged = false, healthy = false;
    for (unsigned i = 0; i < part->count && i < JUDGED_MAX; i++) {
        path_find_one(flows, part->trails[i], &finding);
        if (!judged) { /* the newest, in want of better */
            *ret_finding = finding;
            chosen = i;
        }
        if (finding.pending)
            continue;
        if (finding.code != PATH_OK && (!healthy || lasts(flows, part->trails[i], &finding))) {
            *ret_finding = finding;
            return i;
        }
        judged = true;
        healthy |= finding.code == PATH_OK && got_through(flows, part->trails[i]);
    }
    return chosen;
}

static void to_front(struct path_part *part, unsigned chosen) {
    struct flow_trail *trail = part->trails[chosen];
    memmove(part->trails + 1, part->trails, chosen * sizeof(part->trails[0]));
    part->trails[0] = trail;
}

void path_judge(struct flows *flows, struct path_part *part, struct path_finding *ret_finding) {
    to_front(part, choose(flows, part, ret_finding));
    if (ret_finding->pending) {
        ret_finding->cause_count = 0;
        ret_finding->code = PATH_OK;
    }
    for (unsigned i = 0; i < ret_finding->cause_count; i++)
        if (ret_finding->causes[i].drop) {
            add_up(flows, part, &ret_finding->causes[i]);
            path_say_drop(flows, part->trails[0], &ret_finding->causes[i]);
        }
    path_take_main(ret_finding);
    if (ret_finding->code == PATH_OK)
        say_healthy(flows, part, ret_finding);
    else
        say_causes(part, ret_finding);
}
