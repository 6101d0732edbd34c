#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Writes bpf/vmlinux/ARCH/vmlinux.h from a BTF file: only the types that the programs name, and what these hold by value.
# usage: bpf/vmlinux.sh ARCH [BTF]     ARCH: x86 or arm64; BTF: /sys/kernel/btf/vmlinux by default
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$here/vmlinux/$1"
bpftool btf dump file "${2:-/sys/kernel/btf/vmlinux}" format c | python3 "$here/trim.py" "$here"/sock/*.c "$here"/sock/*.h "$here/record.h" \
    > "$here/vmlinux/$1/vmlinux.h"
