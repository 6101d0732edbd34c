# SPDX-License-Identifier: Apache-2.0
"""Three network namespaces in a row - client, router, server - and traffic between the outer two."""
import contextlib
import os
import subprocess
import sys
import textwrap
import time

import pytest


def run(*command, check=True):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=60)
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.stderr}")
    return done.stdout


class Routed:
    """client `c0` - `r0` router `r1` - `s0` server, IPv4 and IPv6. Names of namespaces and links bear a tag of this process."""

    CLIENT, SERVER, CLIENT6, SERVER6 = "10.251.1.2", "10.251.2.2", "fd00:251:1::2", "fd00:251:2::2"

    def __init__(self):
        tag = os.getpid() % 100000
        self.client, self.router, self.server = (f"{role}{tag}" for role in ("wc", "wr", "ws"))
        self.programs = []
        for namespace in (self.client, self.router, self.server):
            run("ip", "netns", "add", namespace)
            run("ip", "-n", namespace, "link", "set", "lo", "up")
            self.inside(namespace, "sysctl", "-q", "-w", "net.ipv6.conf.default.accept_dad=0")  # neighbours answer at once
        for outer, inner, link, router_link, net in ((self.client, self.router, "c0", "r0", 1), (self.server, self.router, "s0", "r1", 2)):
            run("ip", "link", "add", link, "netns", outer, "type", "veth", "peer", "name", router_link, "netns", inner)
            for namespace, name, host in ((outer, link, 2), (inner, router_link, 1)):
                run("ip", "-n", namespace, "addr", "add", f"10.251.{net}.{host}/24", "dev", name)
                run("ip", "-n", namespace, "addr", "add", f"fd00:251:{net}::{host}/64", "dev", name, "nodad")
                run("ip", "-n", namespace, "link", "set", name, "up")
            run("ip", "-n", outer, "route", "add", "default", "via", f"10.251.{net}.1")
            run("ip", "-n", outer, "-6", "route", "add", "default", "via", f"fd00:251:{net}::1")
        self.inside(self.router, "sysctl", "-q", "-w", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")

    def inside(self, namespace, *command, check=True):
        return run("ip", "netns", "exec", namespace, *command, check=check)

    def iptables(self, namespace, *rule):
        self.inside(namespace, "iptables", "-w", *rule)

    def dropped(self, namespace, chain):
        """Packets that rules of a chain with the target DROP have counted, in order."""
        lines = self.inside(namespace, "iptables", "-w", "-nvxL", chain).splitlines()[2:]
        return [int(line.split()[0]) for line in lines if line.split()[2] == "DROP"]

    def python(self, namespace, program, *arguments):
        """Runs a program to its end and gives what it printed."""
        return run("ip", "netns", "exec", namespace, sys.executable, "-c", textwrap.dedent(program), *arguments)

    def start(self, namespace, program, *arguments, within=()):
        """Starts a program that prints a line when it is ready, and ends with the test."""
        process = subprocess.Popen(["ip", "netns", "exec", namespace, *within, sys.executable, "-c", textwrap.dedent(program),
                                    *map(str, arguments)], stdout=subprocess.PIPE, text=True)
        self.programs.append(process)
        assert process.stdout.readline()
        return process

    def close(self):
        for process in self.programs:
            process.kill()
            process.wait()
        for namespace in (self.client, self.router, self.server):
            run("ip", "netns", "del", namespace, check=False)


@pytest.fixture
def routed():
    with contextlib.closing(Routed()) as made:
        yield made


# Answers each line with a line, as many connections as come, until it is ended.
ECHO = """
    import socket, sys, threading
    family = socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET
    server = socket.create_server((sys.argv[1], int(sys.argv[2])), family=family, backlog=64)
    print('ready', flush=True)
    def serve(peer):
        with peer:
            for line in peer.makefile('rb'):
                peer.sendall(line)
    while True:
        threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
"""

# Asks so many times for so many bytes, with a limit of time; says how many answers came, or what went wrong.
ASK = """
    import socket, sys
    address, port, times, size, patience = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5])
    answers = 0
    try:
        with socket.create_connection((address, port), timeout=patience) as peer:
            lines = peer.makefile('rb')
            for _ in range(times):
                peer.sendall(b'x' * (size - 1) + b'\\n')
                answers += len(lines.readline()) == size
    except OSError as problem:
        print(type(problem).__name__, problem.errno)
    print(answers)
"""


def ask(routed, address, port, times=20, size=100, patience=3):
    return int(routed.python(routed.client, ASK, address, str(port), str(times), str(size), str(patience)).split()[-1])


def settle():
    """Longer than a window of the agent under test, and its grace."""
    time.sleep(1.2)
