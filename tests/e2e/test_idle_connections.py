# SPDX-License-Identifier: Apache-2.0
"""TCP connections of which nothing is heard, 200,000 of them on real sockets: what the agent and the kernel hold for them.

No process may have so many descriptors, so several hold their share, at both ends, in a network namespace of their own.
"""
import json
import os
import pathlib
import re
import resource
import subprocess
import sys
import time

import pytest

from conftest import WEFT
from test_kafka import resident_kib

CONNECTIONS = 200000
PORT = 9000
HOLDER = r"""
import os, socket, sys
part, port, processes, share = sys.argv[1], *map(int, sys.argv[2:])
IP_BIND_ADDRESS_NO_PORT = 24
if part == "server":
    listener = socket.create_server(("127.0.0.1", port), backlog=4096)
    print("listens", flush=True)
ready, done = os.pipe()
for number in range(processes):
    if os.fork() == 0:
        held = []
        for i in range(share):
            if part == "server":
                held.append(listener.accept()[0])
                continue
            held.append(socket.socket())
            held[-1].setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
            held[-1].bind((f"127.0.{1 + number}.{1 + i % 4}", 0))
            held[-1].connect(("127.0.0.1", port))
        os.write(done, b".")
        sys.stdin.read()
        os._exit(0)
os.close(done)
if sum(len(os.read(ready, 1)) for _ in range(processes)) == processes:
    print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def hold():
    """hold(COUNT) makes so many connections, both ends in a new network namespace, and returns what runs a command there."""
    name = f"weft-idle-{os.getpid()}"
    inside = ["ip", "netns", "exec", name]
    holders = []
    subprocess.run(["ip", "netns", "add", name], check=True)
    subprocess.run([*inside, "ip", "link", "set", "lo", "up"], check=True)
    subprocess.run([*inside, "sysctl", "-qw", "net.core.somaxconn=4096"], check=True)

    def start(part, count, said):
        processes = -(-count // (resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 50))
        while count % processes:
            processes += 1
        holders.append(subprocess.Popen([*inside, sys.executable, "-c", HOLDER, part, str(PORT), str(processes), str(count // processes)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        assert holders[-1].stdout.readline() == said

    def start_both(count):
        start("server", count, "listens\n")
        start("client", count, "held\n")
        assert holders[0].stdout.readline() == "held\n"
        return inside

    yield start_both
    for one in holders:
        one.stdin.close()  # every process of it reads the end
        one.wait(60)
    subprocess.run(["ip", "netns", "del", name], check=True)


def charged(inside):
    """What the kernel says hangs on each established TCP socket (sk_omem_alloc), in bytes."""
    text = subprocess.run([*inside, "ss", "-tmnH", "state", "established"], check=True, capture_output=True, text=True).stdout
    return [int(n) for n in re.findall(r"skmem:\([^)]*,o(\d+),", text)]


def slab_bytes():
    """Live objects of the general caches, where the kernel puts what hangs on sockets."""
    lines = [line.split() for line in pathlib.Path("/proc/slabinfo").read_text().splitlines()[2:]]
    return sum(int(active) * int(size) for name, active, _, size, *_ in lines if name.startswith("kmalloc"))


def open_connections(weft):
    """The gauge of the last window that is whole, by edge, and the counters that are not zero."""
    edges, counters = {}, {}
    for line in open(weft.path):
        record = json.loads(line) if line.endswith("\n") else {"record": "cut off"}
        if record["record"] == "edge" and record["server_port"] == PORT:
            edges[record["edge_id"]] = record["open_connections"]
        elif record["record"] == "agent":
            counters = {name: count for name, count in record["counters"].items() if count}
    return edges, counters


def wait_for(weft, count, seconds):
    end = time.monotonic() + seconds
    while sum(open_connections(weft)[0].values()) != count:
        assert time.monotonic() < end, open_connections(weft)
        time.sleep(0.2)


def test_idle_connections_of_another_namespace_that_are_older_than_the_agent_are_on_the_map(agent, hold):
    hold(20)
    weft = agent()
    wait_for(weft, 20, 10)
    edges = weft.stop().edges(port=PORT)
    assert {(e["observed_at"], e["direction_proof"], e["open_connections"]) for e in edges} == {("both", "listen", 20)}


@pytest.mark.slow
def test_two_hundred_thousand_idle_connections_keep_userspace_flat_and_each_socket_has_what_check_says(agent, hold, tmp_path):
    configuration = tmp_path / "weft.yaml"
    configuration.write_text("memory_max: 1G\n")  # the default follows 78,643 and counts the others
    said = subprocess.run([WEFT, "check"], check=True, capture_output=True, text=True, timeout=60).stdout
    told = int(re.search(r"kernel memory +(\d+) bytes on each socket", said)[1])
    weft = agent("-c", configuration)
    empty = resident_kib(weft.process)
    inside = hold(CONNECTIONS)
    wait_for(weft, CONNECTIONS, 60)
    full = resident_kib(weft.process)
    on_sockets = charged(inside)
    time.sleep(20)  # ten windows
    later = resident_kib(weft.process)
    edges, counters = open_connections(weft)
    with_agent = slab_bytes()
    weft.stop()
    time.sleep(5)  # what hung on sockets is given back after a grace period
    kernel = (with_agent - slab_bytes()) / (2 * CONNECTIONS)
    print(f"userspace: {empty} KiB without, {full} with, {later} later; kernel: {told} bytes charged to a socket, {kernel:.0f} in slabs")
    assert list(edges.values()) == [CONNECTIONS] and counters == {}
    assert full - empty < 0.5 * CONNECTIONS  # KiB
    assert later - full < 8 * 1024  # what windows need once
    assert len(on_sockets) == 2 * CONNECTIONS and set(on_sockets) == {told}
    assert set(charged(inside)) == {0}
    assert told <= kernel < 1.5 * told  # rounded up, and the table of ends

    # They are older than the next agent: more records than its ring holds.
    weft = agent("-c", configuration)
    wait_for(weft, CONNECTIONS, 60)
    edges, counters = open_connections(weft)
    assert list(edges.values()) == [CONNECTIONS] and counters == {}
    weft.stop()
