#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Writes bpf/vmlinux/ARCH/vmlinux.h: only the types that the programs name, and what these hold by value. To be run again for
# each architecture when a program names a new type.
# usage: bpf/vmlinux.sh ARCH [BTF]     ARCH: x86 or arm64
# BTF: by default this kernel's, or of an architecture that is not this machine's a kernel of Debian backports, downloaded.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
case $(uname -m) in
x86_64) machine=x86 ;;
aarch64) machine=arm64 ;;
*) machine=$(uname -m) ;;
esac

btf=${2:-}
if [ -z "$btf" ] && [ "$1" = "$machine" ]; then
    btf=/sys/kernel/btf/vmlinux
elif [ -z "$btf" ]; then
    case $1 in x86) debian=amd64 ;; *) debian=$1 ;; esac
    # shellcheck source=/dev/null
    release=$(. /etc/os-release && echo "$VERSION_CODENAME")-backports
    "$here/../cmake/foreign-packages" --alone --release "$release" "$debian" "$work/names" "linux-image-cloud-$debian"
    # That package stands for the newest kernel's: its folder of documents is a link to it.
    kernel=$(basename "$(readlink "$work/names/usr/share/doc/linux-image-cloud-$debian")")
    "$here/../cmake/foreign-packages" --alone --release "$release" "$debian" "$work/kernel" "$kernel"
    btf=$work/btf
    python3 "$here/btf.py" "$(find "$work/kernel/boot" -name 'vmlinuz-*')" "$btf"
fi

mkdir -p "$here/vmlinux/$1"
bpftool btf dump file "$btf" format c >"$work/all.h"
python3 "$here/trim.py" "$here"/sock/*.[ch] "$here"/tc/*.[ch] "$here"/*.h <"$work/all.h" >"$work/vmlinux.h"
mv "$work/vmlinux.h" "$here/vmlinux/$1/vmlinux.h"
