/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an ELF file tells of a program: build id, the language it was made with, the TLS library inside it.
 *
 * The file is anybody's: what is read of it is bounded, nothing is mapped (a file cut short under a map would end the
 * reader), and whatever is wrong with it leaves fields empty. Any thread, each with its own descriptor. It may take
 * tens of milliseconds for a large program: not for the hot path.
 */
#ifndef WEFT_AGENT_ELF_H
#define WEFT_AGENT_ELF_H

#include "topology/workload.h"

/* Fills in build_id, language, language_version, tls_library and tls_reachable where the file tells. */
void elf_read(int fd, struct workload_program *program);

/* The TLS library that a shared object is by its file name ("libssl.so.3": "openssl"), or NULL. Pure. */
const char *elf_tls_library(const char *path);
/* Whether the shared object exports what its readers and writers of plaintext are called. */
bool elf_exports_tls(int fd);
/* Version of a runtime that comes as a shared object ("libpython3.11.so.1.0", ".../8.0.4/libcoreclr.so"). Pure. */
bool elf_runtime_of(const char *path, char ret_language[static 12], char ret_version[static 24]);

#endif
