#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Trims a C dump of a kernel's BTF (stdin) to the types that some sources (arguments) name.

A type that is reached only through a pointer is declared, not defined. CO-RE relocates the rest at load time.
"""
import re
import sys

HEAD = re.compile(r"^(?:typedef )?(struct|union|enum) (\w+)? ?\{")
WORD = re.compile(r"[A-Za-z_]\w*")


def definitions(text):
    """Yields the top-level definitions of the dump, in order."""
    lines, depth = [], 0
    for line in text.splitlines():
        if line.startswith("#") or not line.strip():
            continue
        lines.append(line)
        depth += line.count("{") - line.count("}")
        if depth == 0 and line.rstrip().endswith(";"):
            yield "\n".join(lines)
            lines = []


def names(definition):
    """What a definition defines: ('struct', name), ('typedef', name), or the constants of an enum."""
    head = HEAD.match(definition)
    found = []
    if definition.startswith("typedef"):
        pointer = re.search(r"\(\*(\w+)\)\(", definition)
        function = None if pointer or head else re.search(r"(\w+)\(", definition.replace("__attribute__(", ""))
        last = WORD.findall(re.sub(r"__attribute__\(\(.*?\)\)", "", definition.split("}")[-1]))[-1]
        found.append(("typedef", (pointer or function).group(1) if pointer or function else last))
    elif head and head.group(2):
        found.append((head.group(1), head.group(2)))
    if head and head.group(1) == "enum":
        found += [("constant", name) for name in re.findall(r"^\t(\w+)", definition, re.M)]
    return found


def needs(definition):
    """Types that must be defined before this one."""
    body = re.sub(r"__attribute__\(\(.*?\)\)", "", definition)
    found = set()
    for kind, name, rest in re.findall(r"\b(struct|union|enum) (\w+)( \*|[^*;{]*)", body):
        if kind == "enum" or not rest.lstrip().startswith("*"):
            found.add((kind, name))
    for word in WORD.findall(body):
        found.add(("typedef", word))
    return found


def main():
    table, order = {}, []
    for definition in definitions(sys.stdin.read()):
        order.append(definition)
        for key in names(definition):
            table.setdefault(key, definition)
    sources = " ".join(re.sub(r"/\*.*?\*/", "", open(path).read(), flags=re.S) for path in sys.argv[1:])
    keys = {(kind, word) for word in WORD.findall(sources) for kind in ("typedef", "constant")}
    keys |= set(re.findall(r"\b(struct|union|enum) (\w+)", sources))
    keys |= {("typedef", word) for word in ("__u8", "__u16", "__u32", "__u64", "__s8", "__s16", "__s32", "__s64", "__be16", "__be32",
                                            "__wsum", "bool", "size_t", "possible_net_t")}
    # Types that the sources reach only through fields of other types, and what libbpf's headers name.
    keys |= {("struct", word) for word in ("nsproxy", "ns_common", "net", "kernfs_node", "cgroup_root", "cgroup_subsys_state",
                                           "mm_struct", "thread_info", "seq_file", "bpf_iter_meta")}
    keys |= {("enum", "bpf_map_type")}
    queue = [key for key in keys if key in table]
    wanted = set()
    while queue:
        key = queue.pop()
        definition = table[key]
        if definition in wanted:
            continue
        wanted.add(definition)
        queue += [need for need in needs(definition) if need in table]
    defined = {key for definition in wanted for key in names(definition)}
    declared = sorted({f"{k} {n};" for d in wanted for k, n in re.findall(r"\b(struct|union) (\w+)", d) if (k, n) not in defined})
    print("/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */\n/* Written by bpf/vmlinux.sh; not edited by hand. */")
    print("#ifndef __VMLINUX_H__\n#define __VMLINUX_H__\n")
    print("#pragma clang diagnostic ignored \"-Wvisibility\"")
    print("#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)\n")
    print("\n".join(declared) + "\n")
    print("\n\n".join(d for d in order if d in wanted))
    print("\n#pragma clang attribute pop\n\n#endif")


main()
