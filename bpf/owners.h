/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Who owns a socket: on the socket itself, inherited by what it accepts, freed with it. The socket layer writes it;
 * both objects read it, from one map that userspace hands on.
 */
#ifndef WEFT_BPF_OWNERS_H
#define WEFT_BPF_OWNERS_H

struct {
    __uint(type, BPF_MAP_TYPE_SK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
    __type(key, int);
    __type(value, struct record_owner);
} owners SEC(".maps");

#endif
