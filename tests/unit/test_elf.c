/* SPDX-License-Identifier: Apache-2.0 */
/* ELF files put together here, and one real program. */
#include <elf.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/elf.h"
#include "agent/identity.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define BYTES(text) text, sizeof(text) - 1

struct part {
    const char *name, *data;
    size_t length;
};

/* A 64-bit file of these sections, in memory. */
static int build(const struct part *parts) {
    static uint8_t file[16384];
    char names[1024] = "";
    Elf64_Shdr headers[16] = {0};
    size_t at = sizeof(Elf64_Ehdr), name = 1, count = 1;
    memset(file, 0, sizeof file);
    for (; parts[count - 1].name; count++) {
        const struct part *part = &parts[count - 1];
        headers[count] = (Elf64_Shdr){.sh_name = (uint32_t)name,
                                      .sh_type = SHT_PROGBITS,
                                      .sh_offset = at,
                                      .sh_size = part->length,
                                      .sh_addr = at};
        strcpy(names + name, part->name);
        name += strlen(part->name) + 1;
        memcpy(file + at, part->data, part->length);
        at += (part->length + 7) & ~7UL;
    }
    headers[count] = (Elf64_Shdr){.sh_type = SHT_STRTAB, .sh_offset = at, .sh_size = name};
    memcpy(file + at, names, name);
    at += (name + 7) & ~7UL;
    const Elf64_Ehdr header = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
                               .e_type = ET_EXEC,
                               .e_machine = EM_X86_64,
                               .e_version = EV_CURRENT,
                               .e_shoff = at,
                               .e_ehsize = sizeof(Elf64_Ehdr),
                               .e_shentsize = sizeof(Elf64_Shdr),
                               .e_shnum = (uint16_t)(count + 1),
                               .e_shstrndx = (uint16_t)count};
    memcpy(file, &header, sizeof header);
    memcpy(file + at, headers, (count + 1) * sizeof *headers);
    const int fd = memfd_create("test", 0);
    assert_int_equal(write(fd, file, sizeof file), sizeof file);
    return fd;
}

#define GO "\xff Go buildinf:\x08\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x08go1.24.3\0"
#define NOTE "\4\0\0\0\4\0\0\0\3\0\0\0GNU\0\xde\xad\xbe\xef"

static const struct {
    const char *executable;
    struct part parts[4];
    const char *build_id, *language, *version, *tls;
    bool reachable;
} cases[] = {
    {"/srv/orders",
     {{".note.gnu.build-id", BYTES(NOTE)},
      {".go.buildinfo", BYTES(GO)},
      {".gopclntab", BYTES("\0crypto/tls.(*Conn).Write\0")}},
     "deadbeef",
     "go",
     "1.24.3",
     "go",
     true},
    {"/srv/plain", {{".go.buildinfo", BYTES(GO)}}, "", "go", "1.24.3", "", false},
    {"/srv/api",
     {{".comment", BYTES("GCC\0rustc version 1.75.0 (x)\0")}, {".rodata", BYTES("rustls")}},
     "",
     "rust",
     "1.75.0",
     "rustls",
     false},
    {"/usr/bin/node",
     {{".rodata", BYTES("x/node-v20.1.2.tar.gz")}, {".dynstr", BYTES("\0SSL_write\0")}},
     "",
     "node",
     "20.1.2",
     "openssl",
     true},
    {"/usr/bin/python3.11",
     {{".rodata", BYTES("\0"
                        "3.11.9\0")}},
     "",
     "python",
     "3.11.9",
     "",
     false},
    {"/opt/chrome", {{".rodata", BYTES("x OPENSSL_internal x")}}, "", "", "", "boringssl", false},
    {"/opt/static",
     {{".rodata", BYTES("OPENSSL_internal")}, {".strtab", BYTES("\0SSL_write\0")}},
     "",
     "",
     "",
     "boringssl",
     true},
    {"/usr/sbin/nginx", {{".dynstr", BYTES("\0libssl.so.3\0SSL_write\0")}}, "", "", "", "", false}, /* the library's own
                                                                                                     */
    {"/bin/x", {{".note.gnu.build-id", BYTES("\4\0\0\0\xff\xff\xff\xff\3\0\0\0GNU\0")}}, "", "", "", "", false},
};

static void files_tell(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct workload_program program = {0};
        strcpy(program.executable, cases[i].executable);
        const int fd = build(cases[i].parts);
        elf_read(fd, &program);
        close(fd);
        assert_string_equal(program.build_id, cases[i].build_id);
        assert_string_equal(program.language, cases[i].language);
        assert_string_equal(program.language_version, cases[i].version);
        assert_string_equal(program.tls_library, cases[i].tls);
        assert_int_equal(program.tls_reachable, cases[i].reachable);
    }
}

/* Every number of the headers made large, one after the other. */
static void lying_headers_are_survived(void **state) {
    (void)state;
    uint8_t file[16384];
    const int fd = build(cases[0].parts);
    const ssize_t length = pread(fd, file, sizeof file, 0);
    for (ssize_t i = 0; i + 4 <= length && i < 1200; i += 2) {
        struct workload_program program = {0};
        const uint32_t large = 0xfffffff0;
        assert_int_equal(pwrite(fd, &large, 4, i), 4);
        elf_read(fd, &program);
        elf_exports_tls(fd);
        assert_int_equal(pwrite(fd, file + i, 4, i), 4);
    }
    for (ssize_t end = length; end > 0; end = end * 3 / 4) {
        struct workload_program program = {0};
        assert_int_equal(ftruncate(fd, end), 0);
        elf_read(fd, &program);
    }
    close(fd);
}

static void libraries_are_known_by_name(void **state) {
    char language[12], version[24];
    (void)state;
    assert_string_equal(elf_tls_library("/usr/lib/x86_64-linux-gnu/libssl.so.3"), "openssl");
    assert_string_equal(elf_tls_library("/lib/libgnutls.so.30.34.3"), "gnutls");
    assert_string_equal(elf_tls_library("/usr/lib/libnspr4.so"), "nss");
    assert_null(elf_tls_library("/usr/lib/libc.so.6"));
    assert_true(elf_runtime_of("/usr/lib/libpython3.11.so.1.0", language, version));
    assert_string_equal(language, "python");
    assert_string_equal(version, "3.11");
    assert_true(
        elf_runtime_of("/usr/share/dotnet/shared/Microsoft.NETCore.App/8.0.4/libcoreclr.so", language, version));
    assert_string_equal(version, "8.0.4");
    assert_true(elf_runtime_of("/usr/lib/jvm/java-17/lib/server/libjvm.so", language, version));
    assert_string_equal(language, "java");
    assert_false(elf_runtime_of("/usr/lib/libssl.so.3", language, version));
}

/* A running Python that has loaded its TLS library is looked at in the background. */
static void a_process_is_looked_at(void **state) {
    (void)state;
    const struct identity_options options = {.host = "testhost", .docker_socket = "", .root = "/nonexistent"};
    struct identity *identity;
    struct workload_facts facts;
    int pipes[2];
    char byte;
    assert_int_equal(pipe(pipes), 0);
    const pid_t child = fork();
    if (child == 0) {
        dup2(pipes[1], 1);
        execl("/usr/bin/python3", "python3", "-c", "import ssl, time; print(flush=True); time.sleep(60)", NULL);
        _exit(1);
    }
    close(pipes[1]);
    if (read(pipes[0], &byte, 1) != 1) {
        waitpid(child, NULL, 0);
        skip(); /* no Python here */
    }
    close(pipes[0]);
    assert_int_equal(identity_new(&options, &identity), 0);
    const struct owner owner = {.tgid = (uint32_t)child, .comm = "python3"};
    const struct workload *workload = identity_resolve(identity, &owner, NULL);
    identity_settle(identity);
    workload_facts(workload, &facts);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_string_equal(facts.program.language, "python");
    assert_int_equal(strncmp(facts.program.language_version, "3.", 2), 0);
    assert_string_equal(facts.program.tls_library, "openssl");
    assert_true(facts.program.tls_reachable);
    identity_free(identity);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_tell),
        cmocka_unit_test(lying_headers_are_survived),
        cmocka_unit_test(libraries_are_known_by_name),
        cmocka_unit_test(a_process_is_looked_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
