/* SPDX-License-Identifier: Apache-2.0 */
#include "asking.h"

#include <curl/curl.h>
#include <errno.h>
#include <getopt.h>
#include <string.h>

#include "client.h"
#include "config.h"

void asking_init(struct asking *asking, const struct command *command) {
    *asking = (struct asking){.command = command, .at = config_find("socket")->standard};
}

/* At once, so that a file that cannot be read is known before anything is asked. */
static int read_token(struct asking *asking) {
    FILE *file = fopen(asking->token_file, "re");
    bool read = file && fgets(asking->token, sizeof(asking->token), file);
    asking->token[strcspn(asking->token, "\r\n")] = '\0';
    if (!read)
        fprintf(stderr, "weft %s: --token-file %s: %s\n", asking->command->name, asking->token_file,
                file ? "is empty" : strerror(errno));
    if (file)
        fclose(file);
    return read ? STATUS_DONE : STATUS_FAILED;
}

int asking_option(struct asking *asking, int option) {
    switch (option) {
    case 'a':
        asking->at = optarg;
        return *optarg == '/' || !strncmp(optarg, "http://", 7) || !strncmp(optarg, "https://", 8)
                   ? STATUS_DONE
                   : wrong_usage(asking->command, "--at %s: not understood; an absolute path, or http://ADDRESS:PORT",
                                 optarg);
    case 't':
        asking->token_file = optarg;
        return read_token(asking);
    }
    return wrong_usage(asking->command, "see the options");
}

json_t *asking_get(struct asking *asking, const char *path) {
    char error[512];
    struct client_options client = {.at = asking->at, .token = *asking->token ? asking->token : NULL};
    json_t *answer = client_get(&client, path, error, sizeof(error));
    if (!answer)
        fprintf(stderr, "weft %s: %s\n", asking->command->name, error);
    return answer;
}

bool asking_argument(char *path, size_t size, const char *name, const char *value) {
    size_t length = strlen(path);
    if (!value)
        return true;
    char *escaped = curl_easy_escape(NULL, value, 0);
    int written =
        escaped ? snprintf(path + length, size - length, "%c%s=%s", strchr(path, '?') ? '&' : '?', name, escaped) : -1;
    curl_free(escaped);
    return written >= 0 && (size_t)written < size - length;
}
