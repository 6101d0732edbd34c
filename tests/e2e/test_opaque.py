# SPDX-License-Identifier: Apache-2.0
"""Connections that show nothing: their bytes are in the edges all the same, exactly, and while they are open."""
import os
import socket
import threading

from conftest import free_port


def test_bytes_of_an_open_connection_of_unknown_protocol_are_exact(agent):
    port, turns = free_port(), 300
    listener = socket.create_server(("127.0.0.1", port))
    weft = agent()

    def serve():
        connection, _ = listener.accept()
        for _ in range(turns):
            connection.recv(1000, socket.MSG_WAITALL)
            connection.sendall(os.urandom(700))

    server = threading.Thread(target=serve)
    server.start()
    with socket.create_connection(("127.0.0.1", port)) as connection:
        for _ in range(turns):
            connection.sendall(b"\xf7\xf3" + os.urandom(998))
            connection.recv(700, socket.MSG_WAITALL)
        server.join()
        records = weft.stop()  # while it is open
    listener.close()
    edges = records.edges(port=port)
    assert {(e["protocol"], e["observed_at"]) for e in edges} == {("tcp", "both")}
    assert sum(e["bytes"]["request"] for e in edges) == turns * 1000
    assert sum(e["bytes"]["response"] for e in edges) == turns * 700
    assert edges[-1]["open_connections"] == 1


def test_what_passes_through_af_unix_streams_is_counted_and_no_edge(agent):
    weft = agent()
    near, far = socket.socketpair()
    for _ in range(1000):
        near.sendall(bytes(10000))
        far.recv(10000, socket.MSG_WAITALL)
    records = weft.stop()
    last = [r for r in records.all if r["record"] == "agent"][-1]["unix"]
    assert last["bytes"] >= 10_000_000  # others on this machine speak, too
    assert last["operations"] >= 1000
    assert {e["transport"] for e in records.edges()} <= {"tcp", "udp"}
