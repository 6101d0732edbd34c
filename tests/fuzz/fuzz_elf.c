/* SPDX-License-Identifier: Apache-2.0 */
/* The input is an ELF file: whatever it is, reading it ends and stays inside its fields. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "agent/elf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const char *text, size_t size) {
    if (!memchr(text, '\0', size))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const executables[] = {"/usr/bin/python3.11", "/usr/bin/node", "/bin/x"};
    struct workload_program program = {0};
    const int fd = memfd_create("fuzz", 0);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    strcpy(program.executable, executables[size % 3]);
    elf_read(fd, &program);
    elf_exports_tls(fd);
    close(fd);
    check(program.build_id, sizeof program.build_id);
    check(program.language, sizeof program.language);
    check(program.language_version, sizeof program.language_version);
    check(program.tls_library, sizeof program.tls_library);
    return 0;
}
