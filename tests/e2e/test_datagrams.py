# SPDX-License-Identifier: Apache-2.0
"""UDP sockets whose other end is told late, or never speaks: still one edge, and every byte once."""
import socket
import subprocess
import sys
import threading
import time

import pytest

from conftest import free_port

SO_RCVBUFFORCE = 33  # include/uapi/asm-generic/socket.h

SEND_AND_GO = r"""
import socket, sys
for _ in range(int(sys.argv[2])):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.sendto(b"\xc3" + 99 * b"x", ("127.0.0.1", int(sys.argv[1])))
"""

SEND_AND_WAIT = r"""
import socket, sys
clients = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(int(sys.argv[2]))]
for client in clients:
    client.sendto(b"\xc3" + 99 * b"x", ("127.0.0.1", int(sys.argv[1])))
for client in clients:
    assert len(client.recv(2048)) == 200
"""


@pytest.fixture(params=[False, True], ids=["bound-later", "bound-before"])
def bound(request, agent):
    """The agent, and a socket that it has seen being bound, or found."""
    weft = None if request.param else agent()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)  # all may wait to be read
        server.bind(("127.0.0.1", free_port()))
        yield weft or agent(), server


def only_edge(records, port):
    edges = records.edges(port=port)
    assert len({e["edge_id"] for e in edges}) == 1
    assert {(e["protocol"], e["transport"], e["observed_at"]) for e in edges} == {("udp", "udp", "both")}
    return edges


def test_a_thousand_clients_that_send_and_go_are_one_edge_of_bytes(bound):
    weft, server = bound
    port = server.getsockname()[1]
    client = subprocess.Popen([sys.executable, "-c", SEND_AND_GO, str(port), "1000"])
    for _ in range(1000):
        assert len(server.recv(2048)) == 100
    assert client.wait(60) == 0
    edges = only_edge(weft.stop(), port)
    assert sum(e["bytes"]["request"] for e in edges) == 1000 * 100
    assert sum(e["bytes"]["response"] for e in edges) == 0
    assert sum(e["datagrams"]["request"] for e in edges) == 1000
    assert sum(e["connects"] for e in edges) == 1000


def test_a_server_that_reads_in_a_later_window_is_the_same_edge(bound):
    """Windows are two seconds long: at the end of one the server's socket is there, and has not been read from."""
    weft, server = bound
    port = server.getsockname()[1]
    client = subprocess.Popen([sys.executable, "-c", SEND_AND_WAIT, str(port), "100"])
    time.sleep(4.5)

    def serve():
        for _ in range(100):
            _, peer = server.recvfrom(2048)
            server.sendto(b"\xc3" + 199 * b"x", peer)
    thread = threading.Thread(target=serve)
    thread.start()
    assert client.wait(60) == 0
    thread.join()
    edges = only_edge(weft.stop(), port)
    assert len([e for e in edges if e["bytes"]["request"] or e["bytes"]["response"]]) >= 2
    assert sum(e["bytes"]["request"] for e in edges) == 100 * 100
    assert sum(e["bytes"]["response"] for e in edges) == 100 * 200
    assert sum(e["connects"] for e in edges) == 100


def test_a_socket_with_several_peers_that_closes_within_a_window_has_told_all(bound):
    weft, server = bound
    port = server.getsockname()[1]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.bind(("127.0.0.1", 0))
        for _ in range(10):
            client.sendto(100 * b"\xc3", ("127.0.0.1", port))
            for other in range(1, 4):  # nobody is there
                client.sendto(50 * b"\xc3", (f"127.77.0.{other}", 9))
        for _ in range(10):
            assert len(server.recv(2048)) == 100
    records = weft.stop()
    assert sum(e["bytes"]["request"] for e in only_edge(records, port)) == 1000
    assert sum(e["bytes"]["request"] for e in records.edges(port=9)) == 3 * 10 * 50
    assert records.counters["unknown_socket"] == 0
