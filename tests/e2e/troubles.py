# SPDX-License-Identifier: Apache-2.0
"""A client, a router and a server in namespaces of their own, and what weft's programs say of drops and troubles there."""
import contextlib
import ctypes
import json
import os
import re
import socket
import subprocess

from conftest import ROOT

PROGRAM = ROOT / "build" / "release" / "tests" / "packets" / "packet_troubles"
CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)

RETRANSMIT, RESET_SENT, RESET_RECEIVED, ICMP_ERROR, LISTEN_FULL = 2, 3, 4, 5, 6  # enum trouble_kind of bpf/flow.h
PORT = 5000


def run(*command, check=True):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    assert not check or done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout


class Namespace:
    def __init__(self, name):
        self.name = f"weft-{os.getpid()}-{name}"
        run("ip", "netns", "add", self.name)
        self.inode = os.stat(f"/run/netns/{self.name}").st_ino
        self.ip("link", "set", "lo", "up")

    def __call__(self, *command, check=True):
        return run("ip", "netns", "exec", self.name, *command, check=check)

    def ip(self, *words):
        return run("ip", "-n", self.name, *words)

    def remove(self):
        run("ip", "netns", "del", self.name, check=False)

    def sysctl(self, **settings):
        for key, value in settings.items():
            self("sysctl", "-q", "-w", f"{key.replace('__', '.')}={value}")

    @contextlib.contextmanager
    def inside(self):
        """This thread, for a while, in that namespace; what it opens there stays there."""
        home = os.open("/proc/self/ns/net", os.O_RDONLY)
        there = os.open(f"/run/netns/{self.name}", os.O_RDONLY)
        try:
            assert libc.setns(there, CLONE_NEWNET) == 0
            yield
        finally:
            assert libc.setns(home, CLONE_NEWNET) == 0
            os.close(there)
            os.close(home)

    def open(self, kind=socket.SOCK_DGRAM, family=socket.AF_INET, protocol=0):
        with self.inside():
            return socket.socket(family, kind, protocol)

    def listen(self, address, kind=socket.SOCK_STREAM, port=PORT, backlog=64):
        one = self.open(kind, socket.AF_INET6 if ":" in address else socket.AF_INET)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind((address, port))
        if kind == socket.SOCK_STREAM:
            one.listen(backlog)
        return one

    def connect(self, address, port=PORT, kind=socket.SOCK_STREAM, timeout=5):
        one = self.open(kind, socket.AF_INET6 if ":" in address else socket.AF_INET)
        one.settimeout(timeout)
        one.connect((address, port))
        return one

    def counter(self, *names):
        """The sum of the kernel's own counters of that namespace, as nstat names them."""
        found = dict(re.findall(r"^(\w+) +(\d+)", self("nstat", "-asz"), re.M))
        return sum(int(found[name]) for name in names)

    def ifindex(self, device):
        return json.loads(self.ip("-j", "link", "show", device))[0]["ifindex"]


class Lab:
    """client 10.77.1.2 - 10.77.1.1 router 10.77.2.1 - 10.77.2.2 server; the same with fd77:N::M."""

    def __init__(self):
        self.client, self.router, self.server = self.all = [Namespace(name) for name in ("client", "router", "server")]
        for number, (end, device, port) in enumerate(((self.client, "c0", "r0"), (self.server, "s0", "r1")), 1):
            run("ip", "link", "add", device, "netns", end.name, "type", "veth", "peer", "name", port, "netns",
                self.router.name)
            for namespace, at, host in ((end, device, 2), (self.router, port, 1)):
                namespace.ip("address", "add", f"10.77.{number}.{host}/24", "dev", at)
                namespace.ip("address", "add", f"fd77:{number}::{host}/64", "dev", at, "nodad")
                namespace.ip("link", "set", at, "up")
            end.ip("route", "add", "default", "via", f"10.77.{number}.1")
            end.ip("-6", "route", "add", "default", "via", f"fd77:{number}::1")
        self.router.sysctl(net__ipv4__ip_forward=1, net__ipv6__conf__all__forwarding=1)

    def remove(self):
        for namespace in self.all:
            namespace.remove()


class Troubles:
    """tests/packets/troubles.c, of this lab's namespaces only."""

    def __init__(self, lab):
        self.namespaces = {namespace.inode for namespace in lab.all}
        self.process = subprocess.Popen([PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.answer()

    def answer(self):
        rows = []
        while (line := self.process.stdout.readline()) != "\n":
            assert line, "it ended"
            rows.append(json.loads(line))
        return rows

    def ask(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self.answer()

    def rows(self, what, **want):
        return [row for row in self.ask(what) if row["netns"] in self.namespaces
                and all(row[key] == value for key, value in want.items())]

    def drops(self, **want):
        return self.rows("drops", **want)

    def counters(self):
        return self.ask("counters")[0]

    def stop(self):
        self.process.stdin.close()
        self.process.wait(10)
