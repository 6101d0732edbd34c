/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/elf.h"
#include "agent/text.h"

#include <ctype.h>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

enum {
    SECTIONS = 512,           /* looked at */
    SECTION_BYTES = 64 << 20, /* most that is searched of one section */
    CHUNK = 1 << 20,
    OVERLAP = 256 /* longest thing looked for */
};

/* ---- sections: their bytes are read from the file, in pieces ---- */

struct section {
    char name[32];
    uint32_t type;
    uint64_t offset, size, address;
};

struct elf {
    int fd;
    uint64_t file_size;
    size_t count;
    struct section sections[SECTIONS];
};

static bool elf_open(int fd, struct elf *elf) {
    struct stat file;
    size_t names;
    if (elf_version(EV_CURRENT) == EV_NONE || fstat(fd, &file) < 0 || !S_ISREG(file.st_mode))
        return false;
    Elf *handle = elf_begin(fd, ELF_C_READ, NULL);
    if (!handle)
        return false;
    *elf = (struct elf){.fd = fd, .file_size = (uint64_t)file.st_size};
    Elf_Scn *scn = NULL;
    const bool good = elf_kind(handle) == ELF_K_ELF && elf_getshdrstrndx(handle, &names) == 0;
    while (good && elf->count < SECTIONS && (scn = elf_nextscn(handle, scn))) {
        GElf_Shdr header;
        if (!gelf_getshdr(scn, &header) || header.sh_offset > elf->file_size)
            continue;
        struct section *section = &elf->sections[elf->count++];
        const char *name = elf_strptr(handle, names, header.sh_name);
        text_copy(section->name, sizeof section->name, name);
        const uint64_t rest = header.sh_type == SHT_NOBITS ? 0 : elf->file_size - header.sh_offset;
        section->type = header.sh_type;
        section->offset = header.sh_offset;
        section->address = header.sh_addr;
        section->size = header.sh_size < rest ? header.sh_size : rest;
    }
    elf_end(handle);
    return good;
}

static const struct section *find(const struct elf *elf, const char *name) {
    for (size_t i = 0; i < elf->count; i++)
        if (strcmp(elf->sections[i].name, name) == 0)
            return &elf->sections[i];
    return NULL;
}

static size_t read_at(const struct elf *elf, uint64_t offset, void *into, size_t size) {
    const ssize_t got = pread(elf->fd, into, size, (off_t)offset);
    return got > 0 ? (size_t)got : 0;
}

/*
 * Where `what` stands in the section, from `from` on; the offset in the file, or 0. `text` gets what follows it, up to
 * `size` - 1 bytes, ended by a zero byte.
 */
static uint64_t search(const struct elf *elf, const struct section *section, const char *what, size_t length,
                       char *text, size_t size) {
    if (!section)
        return 0;
    const uint64_t end = section->offset + (section->size < SECTION_BYTES ? section->size : SECTION_BYTES);
    char *chunk = malloc(CHUNK + OVERLAP);
    uint64_t found = 0;
    for (uint64_t at = section->offset; chunk && at < end && !found; at += CHUNK) {
        const size_t wanted = end - at < CHUNK + OVERLAP ? (size_t)(end - at) : CHUNK + OVERLAP;
        const size_t got = read_at(elf, at, chunk, wanted);
        const char *hit = memmem(chunk, got, what, length);
        if (!hit)
            continue;
        found = at + (uint64_t)(hit - chunk);
        if (text)
            text[read_at(elf, found + length, text, size - 1)] = '\0';
    }
    free(chunk);
    return found;
}

static bool holds(const struct elf *elf, const char *section, const char *what) {
    return search(elf, find(elf, section), what, strlen(what), NULL, 0) != 0;
}

/* A symbol is a whole string of a string table: the byte before it ends another. */
static bool has_symbol(const struct elf *elf, const char *name) {
    char whole[64];
    const size_t length = strlen(name) + 2;
    whole[0] = '\0';
    text_copy(whole + 1, sizeof whole - 1, name);
    return search(elf, find(elf, ".dynstr"), whole, length, NULL, 0) ||
           search(elf, find(elf, ".strtab"), whole, length, NULL, 0);
}

/* ---- what it is ---- */

static void read_build_id(const struct elf *elf, struct workload_program *program) {
    uint8_t note[64];
    const struct section *section = find(elf, ".note.gnu.build-id");
    const size_t got = section ? read_at(elf, section->offset, note, sizeof note) : 0;
    uint32_t name, size, type;
    if (got < 16)
        return;
    memcpy(&name, note, 4);
    memcpy(&size, note + 4, 4);
    memcpy(&type, note + 8, 4);
    if (name != 4 || type != NT_GNU_BUILD_ID || memcmp(note + 12, "GNU", 4) != 0 || size > 20 || 16 + size > got)
        return;
    for (uint32_t i = 0; i < size; i++)
        snprintf(program->build_id + 2 * i, 3, "%02x", note[16 + i]);
}

static void set_language(struct workload_program *program, const char *language, const char *version, size_t length) {
    text_copy(program->language, sizeof program->language, language);
    snprintf(program->language_version, sizeof program->language_version, "%.*s", (int)length, version);
}

/* Digits and dots. */
static size_t version_length(const char *text) {
    return strspn(text, "0123456789.");
}

/* Where an address of the program stands in the file; 0 if nowhere. */
static uint64_t offset_of(const struct elf *elf, uint64_t address) {
    for (size_t i = 0; i < elf->count; i++) {
        const struct section *section = &elf->sections[i];
        if (section->address && address >= section->address && address - section->address < section->size)
            return section->offset + (address - section->address);
    }
    return 0;
}

/* Before Go 1.18 the header points to a string: an address and a length. */
static void read_old_go(const struct elf *elf, const uint8_t *header, struct workload_program *program) {
    uint64_t pointer, string[2];
    char text[24] = "";
    memcpy(&pointer, header + 16, sizeof pointer);
    const uint64_t at = offset_of(elf, pointer);
    if (!at || read_at(elf, at, string, sizeof string) != sizeof string || string[1] >= sizeof text)
        return;
    const uint64_t where = offset_of(elf, string[0]);
    if (where && read_at(elf, where, text, (size_t)string[1]) == string[1] && strncmp(text, "go", 2) == 0)
        set_language(program, "go", text + 2, strcspn(text + 2, " "));
}

/* The build information of Go: "\xff Go buildinf:", pointer size, flags, then a counted string at 32. */
static bool read_go(const struct elf *elf, struct workload_program *program) {
    uint8_t header[64];
    const struct section *section = find(elf, ".go.buildinfo");
    if (!section || read_at(elf, section->offset, header, sizeof header) < 34 ||
        memcmp(header, "\xff Go buildinf:", 14) != 0)
        return section != NULL;
    set_language(program, "go", "", 0);
    const size_t length = header[32];
    if (!(header[15] & 2)) {
        if (header[14] == 8 && !(header[15] & 1))
            read_old_go(elf, header, program);
    } else if (length > 2 && length < sizeof header - 33 && memcmp(header + 33, "go", 2) == 0) {
        const char *version = (const char *)header + 35;
        set_language(program, "go", version, length - 2 < strcspn(version, " ") ? length - 2 : strcspn(version, " "));
    }
    return true;
}

/* Compilers sign in .comment. */
static void read_compiler(const struct elf *elf, struct workload_program *program) {
    char text[32];
    static const char rustc[] = "rustc version ";
    if (search(elf, find(elf, ".comment"), rustc, sizeof rustc - 1, text, sizeof text))
        set_language(program, "rust", text, version_length(text));
}

/* Runtimes that are, or may be, one file with the program. */
static void read_runtime(const struct elf *elf, const char *name, struct workload_program *program) {
    char text[32], prefix[16];
    if (strncmp(name, "node", 4) == 0) {
        set_language(program, "node", "", 0);
        if (search(elf, find(elf, ".rodata"), "/node-v", 7, text, sizeof text)) {
            size_t length = version_length(text);
            length -= length && text[length - 1] == '.';
            set_language(program, "node", text, length);
        }
    } else if (strncmp(name, "python", 6) == 0 && isdigit((unsigned char)name[6])) {
        const size_t minor = version_length(name + 6);
        set_language(program, "python", name + 6, minor);
        const int length = snprintf(prefix, sizeof prefix, "%c%.*s.", 0, (int)(minor < 8 ? minor : 8), name + 6);
        if (strchr(name + 6, '.') && search(elf, find(elf, ".rodata"), prefix, (size_t)length, text, sizeof text))
            snprintf(program->language_version, sizeof program->language_version, "%.*s.%.*s", (int)minor, name + 6,
                     (int)version_length(text), text);
    }
}

static bool is_go_tls(const struct elf *elf) {
    static const char write[] = "crypto/tls.(*Conn).Write"; /* the table of functions is kept when symbols are not */
    return holds(elf, ".gopclntab", write) || holds(elf, ".data.rel.ro.gopclntab", write) ||
           holds(elf, ".data.rel.ro", write);
}

static void read_tls(const struct elf *elf, struct workload_program *program) {
    static const char boringssl[] = "OPENSSL_internal"; /* in its error texts, and in nobody else's */
    const char *library = "";
    bool reachable = true;
    /* Whoever only calls SSL_write has the name too, and needs libssl. */
    if (strcmp(program->language, "go") == 0) {
        library = is_go_tls(elf) ? "go" : "";
    } else if (has_symbol(elf, "SSL_write") && !holds(elf, ".dynstr", "libssl.so")) {
        library = holds(elf, ".rodata", boringssl) ? "boringssl" : "openssl";
    } else if (strcmp(program->language, "rust") == 0 && holds(elf, ".rodata", "rustls")) {
        library = "rustls";
        reachable = holds(elf, ".strtab", "rustls");
    } else if (holds(elf, ".rodata", boringssl)) {
        library = "boringssl";
        reachable = false;
    }
    text_copy(program->tls_library, sizeof program->tls_library, library);
    program->tls_reachable = library[0] && reachable;
}

void elf_read(int fd, struct workload_program *program) {
    struct elf *elf = malloc(sizeof *elf);
    if (elf && elf_open(fd, elf)) {
        read_build_id(elf, program);
        if (!read_go(elf, program)) {
            read_compiler(elf, program);
            read_runtime(elf, text_base(program->executable), program);
        }
        read_tls(elf, program);
    }
    free(elf);
}

/* ---- shared objects ---- */

static const struct {
    const char *prefix, *library, *symbols[2];
} libraries[] = {
    {"libssl.so", "openssl", {"SSL_write", "SSL_read"}},
    {"libgnutls.so", "gnutls", {"gnutls_record_send", "gnutls_record_recv"}},
    {"libnspr4.so", "nss", {"PR_Write", "PR_Read"}},
    {"libmbedtls.so", "mbedtls", {"mbedtls_ssl_write", "mbedtls_ssl_read"}},
    {"libwolfssl.so", "wolfssl", {"wolfSSL_write", "wolfSSL_read"}},
    {"libs2n.so", "s2n", {"s2n_send", "s2n_recv"}},
};

const char *elf_tls_library(const char *path) {
    for (size_t i = 0; i < COUNT(libraries); i++)
        if (strncmp(text_base(path), libraries[i].prefix, strlen(libraries[i].prefix)) == 0)
            return libraries[i].library;
    return NULL;
}

bool elf_exports_tls(int fd) {
    struct elf *elf = malloc(sizeof *elf);
    bool found = false;
    if (elf && elf_open(fd, elf))
        for (size_t i = 0; i < COUNT(libraries) && !found; i++)
            found = has_symbol(elf, libraries[i].symbols[0]) && has_symbol(elf, libraries[i].symbols[1]);
    free(elf);
    return found;
}

/* The last folder of the path before its file. */
static const char *folder_of(const char *path, size_t *ret_length) {
    const char *end = text_base(path), *start;
    if (end - path < 2)
        return NULL;
    for (start = --end; start > path && start[-1] != '/'; start--)
        ;
    *ret_length = (size_t)(end - start);
    return start;
}

bool elf_runtime_of(const char *path, char ret_language[static 12], char ret_version[static 24]) {
    const char *base = text_base(path), *version = "", *language = NULL;
    size_t length = 0;
    if (strncmp(base, "libpython", 9) == 0 && isdigit((unsigned char)base[9])) {
        language = "python";
        version = base + 9;
        length = version_length(version);
        length -= length && version[length - 1] == '.';
    } else if (strcmp(base, "libjvm.so") == 0) {
        language = "java";
    } else if (strcmp(base, "libcoreclr.so") == 0) {
        language = "dotnet";
        version = folder_of(path, &length);
        if (!version || !isdigit((unsigned char)version[0]))
            version = "", length = 0;
    } else if (strncmp(base, "libnode.so", 10) == 0) {
        language = "node";
    } else if (strncmp(base, "libruby", 7) == 0) {
        language = "ruby";
        version = base + strcspn(base, "0123456789");
        length = version_length(version);
        length -= length && version[length - 1] == '.';
    } else if (strncmp(base, "libperl.so.", 11) == 0) {
        language = "perl";
        version = base + 11;
        length = version_length(version);
    }
    if (!language)
        return false;
    text_copy(ret_language, 12, language);
    snprintf(ret_version, 24, "%.*s", (int)length, version);
    return true;
}
