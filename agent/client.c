/* SPDX-License-Identifier: Apache-2.0 */
#include "client.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ANSWER_MAX = 64 << 20, CONNECT_TIMEOUT_S = 5, TIMEOUT_S = 30 };

struct answer {
    char *bytes;
    size_t length;
};

static size_t receive(char *bytes, size_t size, size_t count, void *context) {
    struct answer *answer = context;
    size_t length = size * count;
    if (length > ANSWER_MAX - answer->length)
        return 0;
    char *longer = realloc(answer->bytes, answer->length + length + 1);
    if (!longer)
        return 0;
    memcpy(longer + answer->length, bytes, length);
    answer->bytes = longer;
    answer->length += length;
    return length;
}

static bool is_url(const char *at) {
    return !strncmp(at, "http://", 7) || !strncmp(at, "https://", 8);
}

static const char *advice(long os_error) {
    return os_error == EACCES || os_error == EPERM
               ? "it is readable by root alone: use sudo"
               : "is an agent running? Start one with `weft agent`, or say where it is with --at URL or --at PATH";
}

static json_t *understand(const struct client_options *options, const struct answer *answer, long status, char *error,
                          size_t size) {
    json_error_t problem;
    json_t *json = answer->bytes ? json_loadb(answer->bytes, answer->length, 0, &problem) : NULL;
    if (status == 200 && json)
        return json;
    const char *said = json_string_value(json_object_get(json, "error"));
    if (status == 401)
        snprintf(error, size, "%s asks for a token: give --token-file FILE", options->at);
    else if (status == 200 || !said)
        snprintf(error, size, "what answers at %s is no weft agent (HTTP status %ld)", options->at, status);
    else
        snprintf(error, size, "%s: %s", options->at, said);
    json_decref(json);
    return NULL;
}

static struct curl_slist *headers_of(const struct client_options *options) {
    char header[320];
    if (!options->token)
        return NULL;
    snprintf(header, sizeof(header), "Authorization: Bearer %s", options->token);
    return curl_slist_append(NULL, header);
}

static void prepare(CURL *curl, const struct client_options *options, const char *path, struct answer *answer) {
    char url[8192]; /* a filter's every byte may be escaped */
    bool remote = is_url(options->at);
    size_t length = remote ? strlen(options->at) : 0;
    while (length && options->at[length - 1] == '/')
        length--;
    snprintf(url, sizeof(url), "%.*s/api/v1/%s", remote ? (int)length : 16, remote ? options->at : "http://localhost",
             path);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    if (!remote)
        curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, options->at);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_PROXY, remote ? NULL : "");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_TIMEOUT_S);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)TIMEOUT_S);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, receive);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
}

json_t *client_get(const struct client_options *options, const char *path, char *error, size_t error_size) {
    struct answer answer = {0};
    json_t *json = NULL;
    long status = 0, os_error = 0;
    CURL *curl = curl_easy_init();
    if (!curl) {
        snprintf(error, error_size, "out of memory");
        return NULL;
    }
    struct curl_slist *headers = headers_of(options);
    prepare(curl, options, path, &answer);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    CURLcode result = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &os_error);
    if (result == CURLE_OK)
        json = understand(options, &answer, status, error, error_size);
    else
        snprintf(error, error_size, "no answer from %s: %s; %s", options->at,
                 result == CURLE_COULDNT_CONNECT && os_error ? strerror((int)os_error) : curl_easy_strerror(result),
                 advice(os_error));
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    free(answer.bytes);
    return json;
}
