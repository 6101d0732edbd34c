#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Takes the BTF out of a kernel image: btf.py IMAGE OUTPUT.

For a header of an architecture that is not at hand. An image is searched for the section's header, so an uncompressed one will do
whatever its form (arm64's Image, an ELF file); one that is compressed whole (gzip) is unpacked first.
"""
import gzip
import struct
import sys

HEADER = struct.Struct("<HBBIIIII")  # magic, version, flags, header's length, types' and strings' offset and length
MAGIC, VERSION = 0xEB9F, 1
LEAST_TYPES = 1 << 20  # a kernel's; modules' are smaller


def find(image):
    start = image.find(struct.pack("<HBB", MAGIC, VERSION, 0))
    while start >= 0:
        head = HEADER.unpack_from(image, start)
        header, types, type_length, strings, string_length = head[3:]
        end = start + header + strings + string_length
        if header == HEADER.size and types == 0 and strings == type_length > LEAST_TYPES and end <= len(image):
            return image[start:end]
        start = image.find(struct.pack("<HBB", MAGIC, VERSION, 0), start + 1)
    return None


def main():
    image = open(sys.argv[1], "rb").read()
    if image.startswith(b"\x1f\x8b"):
        image = gzip.decompress(image)
    btf = find(image)
    if btf is None:
        sys.exit(f"{sys.argv[1]}: holds no BTF of a kernel; is it compressed?")
    open(sys.argv[2], "wb").write(btf)


main()
