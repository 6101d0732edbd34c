# SPDX-License-Identifier: Apache-2.0
"""dnsmasq: calls, rcodes and names against what was asked."""
import socket
import struct
import subprocess

import pytest

from conftest import free_port, wait_for_port

CLIENT = """
import socket, struct, sys
port, count, connected, family = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "connected", sys.argv[4]
s = socket.socket(socket.AF_INET6 if family == "6" else socket.AF_INET, socket.SOCK_DGRAM)
address = ("::1" if family == "6" else "127.0.0.1", port)
s.settimeout(5)
if connected:
    s.connect(address)
for i in range(count):
    name = b"\\x05known\\x04test\\0" if i % 4 else b"\\x07unknown\\x04test\\0"
    query = struct.pack(">6H", i & 0xffff, 0x100, 1, 0, 0, 0) + name + struct.pack(">2H", 1, 1)
    s.send(query) if connected else s.sendto(query, address)
    assert s.recv(4096)[:2] == query[:2]
"""


@pytest.fixture
def dnsmasq(tmp_path):
    port = free_port()
    process = subprocess.Popen(["dnsmasq", "--keep-in-foreground", "--no-hosts", "--no-resolv", f"--port={port}",
                                "--listen-address=127.0.0.1,::1", "--bind-interfaces", "--user=root",
                                f"--pid-file={tmp_path}/pid", "--address=/known.test/192.0.2.1", "--local=/test/"],
                               stderr=subprocess.DEVNULL)
    wait_for_port(port)
    yield port
    process.terminate()
    process.wait(10)


@pytest.mark.parametrize("family", ["4", "6"])
@pytest.mark.parametrize("how", ["connected", "unconnected"])
def test_calls_and_rcodes_equal_what_was_asked(agent, dnsmasq, how, family):
    weft = agent()
    subprocess.run(["/usr/bin/python3", "-c", CLIENT, str(dnsmasq), "4000", how, family], check=True, timeout=60)
    records = weft.stop()
    edges = records.edges(port=dnsmasq, transport="udp")
    assert {(e["protocol"], e["server"]["name"], e["observed_at"]) for e in edges} == {("dns", "dnsmasq", "both")}
    assert len({e["edge_id"] for e in edges}) == 1
    assert sum(e["calls"] for e in edges) == 4000
    assert sum(e["errors"]["client_error"] for e in edges) == 1000  # NXDOMAIN
    assert sum(e["errors"]["no_response"] + e["errors"]["timeout"] for e in edges) == 0
    assert sum(e["duration"]["count"] for e in edges if "duration" in e) == 4000
    assert sum(e["client_duration"]["count"] for e in edges if "client_duration" in e) == 4000
    assert sum(e["datagrams"]["request"] for e in edges) == 4000
    assert sum(e["connects"] for e in edges) == 1
    assert {p["endpoint"] for e in edges for p in e.get("endpoints", [])} == {"known.test", "unknown.test"}


def test_queries_nobody_answers_are_errors(agent):
    silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    silent.bind(("127.0.0.1", 0))
    weft = agent()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        query = struct.pack(">6H", 7, 0x100, 1, 0, 0, 0) + b"\x05known\x04test\0" + struct.pack(">2H", 1, 1)
        client.sendto(query, silent.getsockname())
        silent.recv(4096)
    silent_port = silent.getsockname()[1]
    silent.close()
    edges = weft.stop().edges(port=silent_port, transport="udp")
    assert sum(e["calls"] for e in edges) == 1
    assert sum(e["errors"]["no_response"] for e in edges) == 1
