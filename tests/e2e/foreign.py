# SPDX-License-Identifier: Apache-2.0
"""Programs of somebody else at an interface (foreign.bpf.c), attached as tcx links or clsact filters with libbpf."""
import ctypes
import os
import pathlib
import shutil
import subprocess

SOURCE = pathlib.Path(__file__).with_name("foreign.bpf.c")
INGRESS, EGRESS = 0, 1
FIRST = 1 << 3  # BPF_F_BEFORE, of nobody
libbpf = ctypes.CDLL("libbpf.so.1", use_errno=True)
for name in "bpf_object__open", "bpf_object__find_program_by_name", "bpf_object__find_map_by_name":
    getattr(libbpf, name).restype = ctypes.c_void_p
libbpf.bpf_map__initial_value.restype = ctypes.c_void_p


class LinkOptions(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("flags", ctypes.c_uint32), ("unused", ctypes.c_uint32)]


class Hook(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("ifindex", ctypes.c_int), ("point", ctypes.c_int),
                ("parent", ctypes.c_uint32), ("unused", ctypes.c_uint32)]


class FilterOptions(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("program", ctypes.c_int), ("flags", ctypes.c_uint32), ("id", ctypes.c_uint32),
                ("handle", ctypes.c_uint32), ("priority", ctypes.c_uint32), ("unused", ctypes.c_uint32)]


def build(folder):
    target = folder / "foreign.bpf.o"
    machine = subprocess.run(["gcc", "-print-multiarch"], capture_output=True, text=True, check=True).stdout.strip()
    subprocess.run([shutil.which("clang-14") or "clang", "-O2", "-g", "-target", "bpf", f"-I/usr/include/{machine}",
                    "-c", SOURCE, "-o", target], check=True)
    return target


class Foreign:
    """One program, at one interface. `close` takes it away."""

    def __init__(self, path, ifindex, way, redirect_to=0, only_count=False):
        self.ifindex, self.way, self.link, self.filter = ifindex, way, -1, None
        self.object = libbpf.bpf_object__open(str(path).encode())
        rodata = ctypes.c_void_p(libbpf.bpf_object__find_map_by_name(ctypes.c_void_p(self.object), b".rodata"))
        size = ctypes.c_size_t()
        values = ctypes.cast(libbpf.bpf_map__initial_value(rodata, ctypes.byref(size)), ctypes.POINTER(ctypes.c_uint32))
        values[0], values[1] = redirect_to, int(only_count)
        assert libbpf.bpf_object__load(ctypes.c_void_p(self.object)) == 0
        program = libbpf.bpf_object__find_program_by_name(ctypes.c_void_p(self.object), b"foreign")
        self.program = libbpf.bpf_program__fd(ctypes.c_void_p(program))
        self.map = libbpf.bpf_object__find_map_fd_by_name(ctypes.c_void_p(self.object), b"seen")

    def attach_tcx(self, first=False):
        options = LinkOptions(size=ctypes.sizeof(LinkOptions), flags=FIRST if first else 0)
        self.link = libbpf.bpf_link_create(self.program, self.ifindex, 46 + self.way, ctypes.byref(options))
        assert self.link >= 0, os.strerror(-self.link)
        return self

    def attach_clsact(self, priority=0):
        """0: as tc does without being told, behind whatever is there."""
        hook = self.hook(1 << self.way)
        libbpf.bpf_tc_hook_create(ctypes.byref(self.hook(3)))  # it may be there
        self.filter = FilterOptions(size=ctypes.sizeof(FilterOptions), program=self.program, priority=priority)
        result = libbpf.bpf_tc_attach(ctypes.byref(hook), ctypes.byref(self.filter))
        assert result == 0, os.strerror(-result)
        return self

    def hook(self, point):
        return Hook(size=ctypes.sizeof(Hook), ifindex=self.ifindex, point=point)

    def seen(self, port, marked=False):
        key, value = ctypes.c_uint32(port - 5000 + 5 * marked), ctypes.c_uint64()
        assert libbpf.bpf_map_lookup_elem(self.map, ctypes.byref(key), ctypes.byref(value)) == 0
        return value.value

    def close(self):
        if self.link >= 0:
            os.close(self.link)
        if self.filter:
            self.filter.program = self.filter.flags = self.filter.id = 0
            libbpf.bpf_tc_detach(ctypes.byref(self.hook(1 << self.way)), ctypes.byref(self.filter))
        libbpf.bpf_object__close(ctypes.c_void_p(self.object))
        self.link, self.filter = -1, None
