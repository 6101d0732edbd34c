/* SPDX-License-Identifier: Apache-2.0 */
#include "access.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { TOKEN_LENGTH_MIN = 16, TOKEN_LENGTH_MAX = 256 };

bool access_token_valid(const char *token) {
    size_t length = strlen(token);
    if (length < TOKEN_LENGTH_MIN || length > TOKEN_LENGTH_MAX)
        return false;
    for (; *token; token++)
        if (!isalnum((unsigned char)*token) && !strchr("._~-", *token))
            return false;
    return true;
}

static bool port_or_end(const char *text) {
    return !*text || (*text == ':' && text[1 + strspn(text + 1, "0123456789")] == '\0');
}

bool access_is_loopback(const char *host) {
    char address[INET_ADDRSTRLEN];
    struct in_addr parsed;
    if (!strncasecmp(host, "localhost", 9))
        return port_or_end(host + 9);
    if (!strncmp(host, "[::1]", 5))
        return port_or_end(host + 5);
    size_t length = strcspn(host, ":");
    if (length >= sizeof(address) || !port_or_end(host + length))
        return false;
    memcpy(address, host, length);
    address[length] = '\0';
    return inet_pton(AF_INET, address, &parsed) == 1 && ntohl(parsed.s_addr) >> 24 == 127;
}

/* In time that tells nothing but the length. */
static bool same_token(const char *token, const char *given) {
    size_t length = strlen(token);
    uint8_t difference = 0;
    if (!given || strlen(given) != length)
        return false;
    for (size_t i = 0; i < length; i++)
        difference |= (uint8_t)(token[i] ^ given[i]);
    return !difference;
}

/* https stands for a proxy in front that ends TLS. */
static bool same_origin(const char *origin, const char *host) {
    const char *name = !strncmp(origin, "http://", 7)    ? origin + 7
                       : !strncmp(origin, "https://", 8) ? origin + 8
                                                         : NULL;
    return name && !strcasecmp(name, host);
}

static bool cross_site(const struct access_request *request) {
    const char *site = request->fetch_site;
    return request->api && site && strcmp(site, "same-origin") && strcmp(site, "none");
}

enum access access_decide(const struct access_policy *policy, const struct access_request *request) {
    if (!request->host || (policy->loopback && !access_is_loopback(request->host)))
        return ACCESS_WRONG_HOST;
    if ((request->origin && !same_origin(request->origin, request->host)) || cross_site(request))
        return ACCESS_WRONG_ORIGIN;
    if (!policy->token)
        return ACCESS_GRANTED;
    const char *header = request->authorization;
    if (header && !strncasecmp(header, "Bearer ", 7) && same_token(policy->token, header + 7))
        return ACCESS_GRANTED;
    /* Before the cookie, so that the address loses its token even if the cookie is there already. */
    if (same_token(policy->token, request->token_argument))
        return ACCESS_GRANTED_BY_ARGUMENT;
    return same_token(policy->token, request->cookie) ? ACCESS_GRANTED : ACCESS_NO_TOKEN;
}
