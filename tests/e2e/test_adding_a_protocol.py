# SPDX-License-Identifier: Apache-2.0
"""Follows docs/adding-a-protocol.md to the letter in a copy of the tree: what it says to write compiles, and its test passes."""
import re
import shutil
import subprocess

from conftest import ROOT


def insert_before(path, mark, line):
    text = path.read_text()
    assert text.count(mark) == 1, f"{path.name}: {mark!r}"
    path.write_text(text.replace(mark, line + mark))


def test_the_page(tmp_path):
    page = (ROOT / "docs" / "adding-a-protocol.md").read_text()
    identifier, declaration = re.search(r"^    (PROTOCOL_\w+,)\n    (extern .*;)$", page, re.M).groups()
    entry = re.search(r"In `protocols/protocols.c` a line `(&\w+)` in the table", page)[1]
    assert "In `protocols/CMakeLists.txt` the file" in page
    (parser,) = re.findall(r"`(protocols/\w+\.c)`, complete:\n\n```c\n(.*?)```", page, re.S)
    (test,) = re.findall(r"`(tests/unit/\w+\.c)`.*?\n\n```c\n(.*?)```", page, re.S)

    tree = tmp_path / "tree"
    for name in subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines():
        if (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tree / name)
    insert_before(tree / "protocols/protocol.h", "    PROTOCOL_COUNT,", f"    {identifier}\n")
    insert_before(tree / "protocols/protocol.h", "extern const struct protocol protocol_http;", f"{declaration}\n")
    insert_before(tree / "protocols/protocols.c", "NULL,\n};", f"{entry}, ")
    insert_before(tree / "protocols/CMakeLists.txt", "template.c", f"{parser[0].split('/')[1]}\n    ")
    for path, text in (parser, test):
        (tree / path).write_text(text)

    name = re.search(r"(\w+)\.c$", test[0])[1]
    for command in (["cmake", "--preset", "debug", "-G", "Ninja"], ["cmake", "--build", "--preset", "debug", "--target", name, "weft"],
                    ["ctest", "--preset", "debug", "-R", f"^{name}$", "--no-tests=error"]):
        done = subprocess.run(command, cwd=tree, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    subprocess.run(["clang-format", "--dry-run", "-Werror", *(tree / path for path, _ in (parser, test))], check=True)
