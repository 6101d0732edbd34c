/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *print(const struct config *config) {
    char *text;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    config_print(config, out);
    fclose(out);
    return text;
}

/* What was taken is printed as a file that is taken, too; what was not says why in one line each. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct config config, again;
    struct config_problems problems = {0};
    if (config_init(&config) || config_init(&again))
        abort();
    int result = config_read(&config, "f", data, size, &problems);
    if (!result != !problems.count || problems.length >= sizeof(problems.text) ||
        (result && (!problems.length || problems.text[problems.length - 1] != '\n')))
        abort();
    if (!result && !config_finish(&config, 2, &problems)) {
        char *text = print(&config);
        if (config_read(&again, "g", text, strlen(text), &problems) || again.sink_count != config.sink_count ||
            again.name_count != config.name_count)
            abort();
        free(text);
    }
    config_done(&config);
    config_done(&again);
    return 0;
}
