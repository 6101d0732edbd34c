/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands in the way of one connection. Rules in the order of how surely they speak: what the kernel says of a drop
 * first, silence last. A rule speaks only if its effect is seen, too: a drop of which the connection took no harm is
 * none.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "flow_text.h"
#include "path_parts.h"

#define SECOND_NS 1000000000ULL
#define YOUNG_NS SECOND_NS /* an answer may still come */
#define STALLED_NS (2 * SECOND_NS)

static struct path_cause *add(struct path_finding *finding, enum path_code code, const struct flow_entry *hop,
                              bool forward) {
    struct path_cause *cause = &finding->causes[finding->cause_count];
    if (finding->cause_count == PATH_CAUSES_MAX)
        return NULL;
    finding->cause_count++;
    *cause = (struct path_cause){.code = code, .hop = hop, .forward = forward};
    return cause;
}

__attribute__((format(printf, 2, 3))) static void say(struct path_cause *cause, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    if (cause)
        vsnprintf(cause->text, sizeof(cause->text), format, arguments);
    va_end(arguments);
}

/* ---- drops ---- */

static enum drop_class class_of(const struct flows *flows, const struct flow_drop *drop) {
    const struct flows_namer *namer = &flows->options.packets;
    return namer->drop_class ? namer->drop_class(namer->context, drop->key.reason, drop->key.location) : DROP_OTHER;
}

static enum path_code code_of(enum drop_class class) {
    switch (class) {
    case DROP_NO_ROUTE:
    case DROP_NEIGHBOUR:
        return PATH_NO_ROUTE;
    case DROP_NO_SOCKET:
        return PATH_NO_LISTENER;
    case DROP_LISTEN_FULL:
        return PATH_LISTEN_QUEUE_FULL;
    case DROP_TOO_BIG:
        return PATH_MTU;
    case DROP_QUEUE_FULL:
        return PATH_LOSS;
    default:
        return PATH_DROPPED;
    }
}

/* Whether this connection took harm from it. */
static bool matters(const struct path_facts *facts, const struct flow_drop *drop, enum drop_class class) {
    int sender = !drop->forward;
    bool sent_again = facts->retransmits[sender] > 0;
    switch (class) {
    case DROP_NORMAL:
        return false;
    case DROP_OTHER:
    case DROP_CHECKSUM:
    case DROP_TTL:
        return !facts->established || sent_again;
    case DROP_NO_SOCKET: /* of an established one: stragglers after its end */
        return !facts->established;
    case DROP_TOO_BIG: /* a few are how a path's size is found */
        return flow_drop_packets(drop) > 2 && (path_is_stuck(facts, sender) || facts->retransmits[sender] > 2);
    case DROP_SOCKET_FULL:
        return !facts->tcp || sent_again;
    default:
        return true;
    }
}

static const char *class_words(enum drop_class class) {
    static const char *const words[DROP_CLASSES] = {
        [DROP_NETFILTER] = "netfilter dropped",
        [DROP_NO_ROUTE] = "there is no route for",
        [DROP_NO_SOCKET] = "nobody listens for",
        [DROP_LISTEN_FULL] = "the listener's queue had no room for",
        [DROP_SOCKET_FULL] = "the receiver's buffer had no room for",
        [DROP_QUEUE_FULL] = "a queue dropped",
        [DROP_CHECKSUM] = "a wrong checksum was found in",
        [DROP_RP_FILTER] = "rp_filter (the source's way back is another one) dropped",
        [DROP_TOO_BIG] = "the way on is too narrow for",
        [DROP_TTL] = "the time to live ended for",
        [DROP_NEIGHBOUR] = "nobody answered for the next address of",
        [DROP_PROGRAM] = "a filter program dropped",
    };
    return words[class] ? words[class] : "the kernel dropped";
}

void path_say_drop(const struct flows *flows, const struct flow_trail *trail, struct path_cause *cause) {
    const struct flow_drop *drop = cause->drop;
    const struct flows_namer *namer = &flows->options.packets;
    const struct drop_key *key = &drop->key;
    char where[96], share[48] = "", place[128] = "";
    const char *reason = namer->drop_reason ? namer->drop_reason(namer->context, key->reason) : NULL;
    const char *hook = flow_hook_name(key->hook);
    const char *chains =
        namer->chains && key->hook ? namer->chains(namer->context, key->netns, key->family, key->hook) : NULL;
    path_where_of_drop(flows, drop, where, sizeof(where));
    if (cause->of)
        snprintf(share, sizeof(share), " of %llu", (unsigned long long)cause->of);
    if (chains || hook)
        snprintf(place, sizeof(place), " (%s%s%s)", chains ? chains : hook, reason ? ", " : "", reason ? reason : "");
    else if (reason)
        snprintf(place, sizeof(place), " (%s)", reason);
    say(cause, "%s %llu%s packet%s from %s to %s %s%s", class_words(class_of(flows, drop)),
        (unsigned long long)cause->packets, share, cause->packets == 1 && !cause->of ? "" : "s",
        path_name(trail, !cause->forward), path_name(trail, cause->forward), where, place);
}

static void find_drops(const struct flows *flows, const struct path_facts *facts, struct path_finding *finding) {
    for (const struct flow_drop *drop = facts->trail->drops; drop; drop = drop->next) {
        enum drop_class class = class_of(flows, drop);
        if (!flow_drop_packets(drop) || !matters(facts, drop, class))
            continue;
        struct path_cause *cause = add(finding, code_of(class), drop->after, drop->forward);
        if (!cause)
            return;
        cause->drop = drop;
        cause->packets = flow_drop_packets(drop);
        path_say_drop(flows, facts->trail, cause);
    }
}

static bool has(const struct path_finding *finding, enum path_code code) {
    for (unsigned i = 0; i < finding->cause_count; i++)
        if (finding->causes[i].code == code)
            return true;
    return false;
}

/* ---- errors that answer ---- */

/* PATH_OK: it is not about getting there. */
static enum path_code code_of_icmp(const struct trouble *icmp) {
    bool six = icmp->family == 6;
    uint8_t type = icmp->icmp_type, code = icmp->icmp_code;
    if (six ? type == 2 : type == 3 && code == 4)
        return PATH_MTU;
    if (type != (six ? 1 : 3))
        return PATH_OK;
    if (six)
        return code == 0 || code == 3 ? PATH_NO_ROUTE : code == 4 ? PATH_NO_LISTENER : PATH_REJECTED;
    if (code == 9 || code == 10 || code == 13)
        return PATH_REJECTED;
    return code == 3 ? PATH_NO_LISTENER : PATH_NO_ROUTE;
}

static void icmp_sender(const struct trouble *icmp, char *text, size_t size) {
    flow_address(icmp->icmp_sender, icmp->family, text, size);
}

static void find_icmp(const struct path_facts *facts, struct path_finding *finding) {
    char sender[FLOW_ADDRESS_LENGTH];
    enum path_code code = facts->icmp ? code_of_icmp(facts->icmp) : PATH_OK;
    if (code == PATH_OK || code == PATH_MTU)
        return;
    bool filtered = has(finding, PATH_DROPPED);
    if (filtered || (code == PATH_NO_LISTENER && facts->tcp)) /* TCP itself refuses by a reset */
        code = PATH_REJECTED;
    icmp_sender(facts->icmp, sender, sizeof(sender));
    struct path_cause *cause = add(finding, code, facts->last[0], true);
    const char *words = code == PATH_REJECTED   ? "rejected it"
                        : code == PATH_NO_ROUTE ? "has no route to it"
                                                : "says that nobody listens";
    say(cause, "%s %s (ICMP type %u code %u)", sender[0] ? sender : "a router", words, facts->icmp->icmp_type,
        facts->icmp->icmp_code);
}

static void find_error(const struct path_facts *facts, struct path_finding *finding) {
    int error = facts->trail->error;
    if (finding->cause_count)
        return;
    if (error == ENETUNREACH || error == EHOSTUNREACH)
        say(add(finding, PATH_NO_ROUTE, NULL, true), "connect failed with %s at %s: it has no route there",
            strerrorname_np(error), path_name(facts->trail, 0));
    else if (error == ECONNREFUSED && !facts->first[0])
        say(add(finding, PATH_NO_LISTENER, NULL, true), "connect was refused: nobody listens there");
    else if (error == EPERM || error == EACCES)
        say(add(finding, PATH_DROPPED, NULL, true), "connect failed with %s at %s: a rule there forbids it",
            strerrorname_np(error), path_name(facts->trail, 0));
}

/* ---- resets ---- */

/* A reset that answers a SYN. */
static void find_refusal(const struct path_facts *facts, struct path_finding *finding) {
    const struct flow_entry *made = facts->reset[1];
    char where[96];
    if (!facts->refused && !made)
        return;
    bool filtered = has(finding, PATH_DROPPED);
    path_where(made ? made : facts->last[0], where, sizeof(where));
    if (facts->refused || (!filtered && !has(finding, PATH_NO_LISTENER) && made))
        say(add(finding, PATH_NO_LISTENER, facts->last[0], true),
            "nobody listens: the connect was answered with a reset, first seen at %s", where);
    else if (filtered)
        say(add(finding, PATH_REJECTED, made, false), "it was answered with a reset that no socket sent, at %s", where);
}

static void find_reset(const struct path_facts *facts, struct path_finding *finding) {
    char where[96];
    for (int side = 0; side < 2; side++) {
        const struct flow_entry *made = facts->reset[side];
        if (!made || facts->fin[side])
            continue;
        bool between = made->order > 1 && !facts->reset_told[side];
        struct path_cause *cause = add(finding, PATH_RESET, made, !side);
        path_where(made, where, sizeof(where));
        if (between)
            say(cause, "the connection was reset on the way, not by %s: the reset appears first at %s",
                path_name(facts->trail, side), where);
        else
            say(cause, "%s reset the connection (first seen at %s)", path_name(facts->trail, side), where);
    }
}

/* ---- the listener, the peer ---- */

static void find_full_listener(const struct path_facts *facts, struct path_finding *finding) {
    const struct socket_view *view = facts->listener ? &facts->listener->view : NULL;
    bool at_limit = view && view->receive_queue_limit && view->receive_queue >= view->receive_queue_limit;
    bool rising = facts->listener && view->drops > facts->listener->drops_before;
    if (has(finding, PATH_LISTEN_QUEUE_FULL) || !(facts->listen_full || (at_limit && (rising || !facts->established))))
        return;
    struct path_cause *cause = add(finding, PATH_LISTEN_QUEUE_FULL, facts->last[0], true);
    if (view)
        say(cause, "the queue of %s is full: %u connections of %u wait to be accepted", path_name(facts->trail, 1),
            view->receive_queue, view->receive_queue_limit);
    else
        say(cause, "the queue of %s had no room", path_name(facts->trail, 1));
}

static bool is_frozen(const struct path_facts *facts, int side) {
    const struct flow_socket *socket = facts->sockets[side];
    return (socket && socket->view.frozen) || (side && facts->listener && facts->listener->view.frozen);
}

static void find_stalled(const struct flows *flows, const struct path_facts *facts, struct path_finding *finding) {
    if (facts->fin[0] && facts->fin[1]) /* it is over */
        return;
    for (int side = 1; side >= 0; side--) {
        const struct flow_socket *socket = facts->sockets[side];
        bool waits = socket && socket->view.receive_queue && socket->waiting_since;
        bool long_since = waits && socket->waiting_since + STALLED_NS <= flows->now;
        bool frozen = is_frozen(facts, side);
        if (!(frozen && (waits || side)) && !long_since)
            continue;
        struct path_cause *cause = add(finding, PATH_PEER_STALLED, facts->last[!side], side);
        say(cause, "%s %s: %u bytes wait in its receive queue, and its kernel acknowledges what comes",
            path_name(facts->trail, side), frozen ? "is frozen or stopped" : "does not read",
            socket ? socket->view.receive_queue : 0);
        return;
    }
}

/* ---- size, loss ---- */

static uint32_t mtu_of(const struct flow_entry *hop) {
    return hop->interface && hop->interface->known ? hop->interface->hop.mtu : 0;
}

/* Large segments come as far as this and no further, and the sender sends them again and again. */
static void find_narrow(const struct flows *flows, const struct path_facts *facts, struct path_finding *finding) {
    const struct flow_entry *before = NULL;
    for (const struct flow_entry *hop = facts->trail->entries; hop; before = hop, hop = hop->next) {
        uint64_t lost = 0;
        if (!before || before->forward != hop->forward || hop->branch || before->branch)
            continue;
        int sender = !hop->forward;
        bool narrower = mtu_of(hop) && before->flow.largest > mtu_of(hop) && hop->flow.largest < before->flow.largest;
        if (!narrower || facts->retransmits[sender] < 2 || !flow_lost_after(flows, before, &lost) || !lost)
            continue;
        char where[96];
        path_where(hop, where, sizeof(where));
        struct path_cause *cause = add(finding, PATH_MTU, before, hop->forward);
        say(cause,
            "packets of %u bytes do not fit %s, whose MTU is %u: they are sent again and again while small ones pass",
            before->flow.largest, where, mtu_of(hop));
        if (cause)
            cause->packets = lost;
        return;
    }
}

static void say_icmp_size(const struct path_facts *facts, struct path_finding *finding) {
    const struct trouble *icmp = facts->icmp;
    if (has(finding, PATH_MTU) || !icmp || code_of_icmp(icmp) != PATH_MTU)
        return;
    for (int side = 0; side < 2; side++)
        if (path_is_stuck(facts, side))
            say(add(finding, PATH_MTU, facts->last[side], !side),
                "a router says that packets over %u bytes do not fit, and %s still sends larger ones", icmp->icmp_mtu,
                path_name(facts->trail, side));
}

/* Between two hops, without a word from the kernel. */
static void find_loss(const struct flows *flows, const struct path_facts *facts, struct path_finding *finding) {
    for (const struct flow_entry *hop = facts->trail->entries; hop; hop = hop->next) {
        uint64_t lost = 0;
        int sender = !hop->forward;
        bool next = hop->next && hop->next->forward == hop->forward;
        if (!next || !flow_lost_after(flows, hop, &lost) || !lost || (facts->tcp && !facts->retransmits[sender]))
            continue;
        uint64_t after = 0;
        flow_lost_after(flows, hop->next, &after); /* what is lost further on is told there */
        lost = lost > after ? lost - after : 0;
        bool told = false;
        for (unsigned i = 0; i < finding->cause_count; i++)
            told |= finding->causes[i].hop == hop;
        if (!lost || told)
            continue;
        char from[96], to[96];
        path_where(hop, from, sizeof(from));
        path_where(hop->next, to, sizeof(to));
        struct path_cause *cause = add(finding, PATH_LOSS, hop, hop->forward);
        say(cause, "%llu of %llu segments were lost between %s and %s", (unsigned long long)lost,
            (unsigned long long)hop->flow.segments, from, to);
        if (cause) {
            cause->packets = lost;
            cause->of = hop->flow.segments;
        }
    }
}

/* ---- all of it ---- */

static void find_silence(const struct flows *flows, const struct path_facts *facts, struct path_finding *finding) {
    const struct flow_entry *last = facts->last[0];
    char where[96];
    if (finding->cause_count || !last)
        return;
    bool arrived = last->flow.destination_end.state == END_SOCKET || last->flow.destination_end.state == END_LISTENER;
    if (!facts->tcp && arrived) /* nobody has to answer */
        return;
    finding->pending = last->flow.last_time + YOUNG_NS > flows->now && facts->first[0]->flow.segments < 2;
    path_where(last, where, sizeof(where));
    say(add(finding, PATH_NO_ANSWER, last, true), "%s %s %s%s, and nothing came back",
        facts->tcp ? "connects to" : "packets to", path_name(facts->trail, 1),
        arrived ? "reach its socket at " : "leave by ", where);
}

static void find_for_attempt(const struct flows *flows, const struct path_facts *facts, struct path_finding *finding) {
    find_icmp(facts, finding);
    find_refusal(facts, finding);
    find_full_listener(facts, finding);
    find_error(facts, finding);
    find_silence(flows, facts, finding);
}

static void find_for_established(const struct flows *flows, const struct path_facts *facts,
                                 struct path_finding *finding) {
    find_full_listener(facts, finding);
    find_stalled(flows, facts, finding);
    find_narrow(flows, facts, finding);
    say_icmp_size(facts, finding);
    find_loss(flows, facts, finding);
    find_reset(facts, finding);
    for (unsigned i = 0; i < finding->cause_count; i++) { /* some got through */
        struct path_cause *cause = &finding->causes[i];
        if (cause->code == PATH_DROPPED && !path_is_stuck(facts, !cause->forward))
            cause->code = PATH_LOSS;
    }
}

/* Which of several causes the finding is called after. */
static unsigned rank(enum path_code code) {
    static const uint8_t ranks[PATH_CODES] = {
        [PATH_REJECTED] = 12, [PATH_MTU] = 11,        [PATH_LISTEN_QUEUE_FULL] = 10, [PATH_NO_ROUTE] = 9,
        [PATH_DROPPED] = 8,   [PATH_NO_LISTENER] = 7, [PATH_PEER_STALLED] = 6,       [PATH_RESET] = 5,
        [PATH_LOSS] = 4,      [PATH_NO_ANSWER] = 3,
    };
    return ranks[code];
}

void path_take_main(struct path_finding *finding) {
    unsigned best = 0;
    for (unsigned i = 1; i < finding->cause_count; i++)
        if (rank(finding->causes[i].code) > rank(finding->causes[best].code))
            best = i;
    finding->code = PATH_OK;
    if (!finding->cause_count)
        return;
    struct path_cause first = finding->causes[best];
    finding->causes[best] = finding->causes[0];
    finding->causes[0] = first;
    finding->code = first.code;
    finding->hop = first.hop;
    finding->forward = first.forward;
}

void path_find_one(struct flows *flows, struct flow_trail *trail, struct path_finding *ret_finding) {
    struct path_facts facts;
    memset(ret_finding, 0, sizeof(*ret_finding));
    flow_name_ends(flows, trail);
    path_facts(flows, trail, &facts);
    find_drops(flows, &facts, ret_finding);
    if (facts.tcp ? !facts.established : !facts.first[1])
        find_for_attempt(flows, &facts, ret_finding);
    else
        find_for_established(flows, &facts, ret_finding);
    path_take_main(ret_finding);
}
