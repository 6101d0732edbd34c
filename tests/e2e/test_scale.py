# SPDX-License-Identifier: Apache-2.0
"""Many clients: what is bounded stays so, and what is counted stays exact."""
import os
import pathlib
import re
import subprocess
import sys
import threading

import pytest

from conftest import Nginx, free_port

CLIENT = r"""
import http.client, sys
port, first, count = (int(word) for word in sys.argv[1:])
for i in range(first, first + count):  # 100.64.0.0/10 has four million
    source = f"100.{64 + (i >> 16)}.{i >> 8 & 255}.{i & 255}"
    connection = http.client.HTTPConnection("198.51.100.1", port, source_address=(source, 0))
    connection.request("GET", "/")
    assert connection.getresponse().read() == b"ok"
    connection.close()
"""


def resident(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text()).group(1)) / 1024


def from_many_addresses(namespace, port, first, count):
    half = count // 2
    clients = [subprocess.Popen(["ip", "netns", "exec", namespace, sys.executable, "-c", CLIENT, str(port), str(first + i * half), str(half)])
               for i in range(2)]
    assert [client.wait(900) for client in clients] == [0, 0]


@pytest.fixture
def strangers():
    """A namespace that owns all of 100.64.0.0/10, behind 198.51.100.2."""
    name = f"weft-many-{os.getpid()}"
    inside = ["ip", "netns", "exec", name]
    for command in (["ip", "netns", "add", name], ["ip", "link", "add", "weft-many0", "type", "veth", "peer", "weft-many1", "netns", name],
                    ["ip", "addr", "add", "198.51.100.1/30", "dev", "weft-many0"], ["ip", "link", "set", "weft-many0", "up"],
                    [*inside, "ip", "addr", "add", "198.51.100.2/30", "dev", "weft-many1"],
                    [*inside, "ip", "link", "set", "weft-many1", "up"], [*inside, "ip", "link", "set", "lo", "up"],
                    [*inside, "ip", "route", "add", "local", "100.64.0.0/10", "dev", "lo"],
                    ["ip", "route", "add", "100.64.0.0/10", "via", "198.51.100.2"]):
        subprocess.run(command, check=True)
    yield name
    subprocess.run(["ip", "netns", "del", name], check=True)


@pytest.mark.slow
def test_two_hundred_thousand_source_addresses_are_few_nodes_and_every_call(agent, strangers, tmp_path):
    nginx = Nginx(tmp_path / "nginx", 1, "198.51.100.1")
    weft = agent("--namespace", "self")  # so that nobody knows whose the addresses are
    from_many_addresses(strangers, nginx.port, 0, 20000)
    before = resident(weft.process.pid)
    from_many_addresses(strangers, nginx.port, 20000, 180000)
    after = resident(weft.process.pid)
    records = weft.stop()
    nginx.stop()
    edges = records.edges(port=nginx.port, protocol="http")
    assert sum(e["calls"] for e in edges) == 200000
    assert sum(e["lost"] for e in edges) == 0
    assert {e["observed_at"] for e in edges} == {"server"}
    assert 1 < len({e["client"]["id"] for e in edges} | {e["server"]["id"] for e in edges}) < 300
    assert after < before + 32, (before, after)


QUIC_CLIENT = r"""
import os, socket, sys
answered, ports = 0, set()
for _ in range(int(sys.argv[2])):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(5)
        for kind in (0xc3, 0xe3, 0x43):  # initial and handshake with long headers, then a short one
            client.sendto(bytes([kind]) + b"\0\0\0\1\x08" + os.urandom(1194), ("127.0.0.1", int(sys.argv[1])))
            answered += len(client.recv(2048)) == 1200
        ports.add(client.getsockname()[1])
assert answered == 3 * int(sys.argv[2])
print(len(ports))
"""


@pytest.mark.parametrize("older", [False, True], ids=["bound-later", "bound-before"])
def test_a_server_of_encrypted_datagrams_with_a_thousand_clients_is_one_edge_of_bytes(agent, older):
    """What QUIC looks like from outside: version 1 long headers, then short ones, all of it random behind them. Of a thousand
    sockets some get a port that another one had: each is still joined with the server's end, and counted once."""
    import socket
    port = free_port()
    weft = None if older else agent()
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", port))

    def serve():
        while True:
            data, peer = server.recvfrom(2048)
            if data == b"stop":
                return
            server.sendto(data[:1] + os.urandom(1199), peer)
    thread = threading.Thread(target=serve)
    thread.start()
    weft = weft or agent()
    subprocess.run([sys.executable, "-c", QUIC_CLIENT, str(port), "1000"], check=True, timeout=120)
    records = weft.stop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
        last.sendto(b"stop", ("127.0.0.1", port))
    thread.join()
    server.close()
    edges = records.edges(port=port)
    assert len({e["edge_id"] for e in edges}) == 1
    assert {(e["protocol"], e["transport"], e["observed_at"]) for e in edges} == {("udp", "udp", "both")}
    assert sum(e["calls"] for e in edges) == 0
    assert sum(e["bytes"]["request"] for e in edges) == 1000 * 3 * 1200
    assert sum(e["bytes"]["response"] for e in edges) == 1000 * 3 * 1200
    assert sum(e["connects"] for e in edges) == 1000
