# SPDX-License-Identifier: Apache-2.0
"""What the build promises: the same BPF objects anywhere, for both architectures."""
import shutil
import subprocess

import pytest

from conftest import ROOT


def copy(tree):
    """A tree of the BPF programs alone, under the build's own rules."""
    shutil.copytree(ROOT / "bpf", tree / "bpf")
    shutil.copytree(ROOT / "cmake", tree / "cmake")
    (tree / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.25)\nproject(objects LANGUAGES C)\ninclude(cmake/bpf.cmake)\nadd_subdirectory(bpf)\n")
    return tree


def build(tree, *options):
    """Name -> bytes of each object."""
    subprocess.run(["cmake", "-S", tree, "-B", tree / "out", "-G", "Ninja", *options], check=True, capture_output=True)
    names = [path.name.removesuffix(".bpf.c") for path in (tree / "bpf").glob("*/*.bpf.c")]
    subprocess.run(["cmake", "--build", tree / "out", "--target", *(f"{name}_skeleton" for name in names)], check=True)
    return {name: (tree / "out" / f"{name}.bpf.o").read_bytes() for name in names}


def test_the_same_object_in_any_folder(tmp_path):
    here = build(copy(tmp_path / "one"))
    there = build(copy(tmp_path / "another" / "and" / "deeper"))
    assert here and here == there
    shipped = {name: (ROOT / "build" / "release" / f"{name}.bpf.o").read_bytes() for name in here}
    assert here == shipped


def test_objects_for_arm64(tmp_path):
    """The other architecture's header has every type that the programs name."""
    tree = copy(tmp_path / "tree")
    arm64 = build(tree, "-DCMAKE_SYSTEM_NAME=Linux", "-DCMAKE_SYSTEM_PROCESSOR=aarch64")
    shutil.rmtree(tree / "out")
    assert arm64 and arm64 != build(tree)


@pytest.mark.slow
def test_all_of_it_for_arm64():
    subprocess.run([ROOT / "tests" / "arm64"], check=True)
