# SPDX-License-Identifier: Apache-2.0
"""MPTCP: the program holds one socket, the kernel makes TCP connections under it."""
import pathlib
import subprocess
import sys

import pytest

from conftest import free_port, wait_for_port

IPPROTO_MPTCP = 262
SERVER = """
import socket, sys
listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)
listener.bind(("127.0.0.1", int(sys.argv[1])))
listener.listen(16)
while True:
    connection, _ = listener.accept()
    while connection.recv(4096):
        connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok")
    connection.close()
"""
CLIENT = """
import socket, sys
for _ in range(5):
    connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM, int(sys.argv[2]))
    connection.connect(("127.0.0.1", int(sys.argv[1])))
    for i in range(4):
        connection.sendall(b"GET /items/%d HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n" % i)
        connection.recv(4096)
    connection.close()
"""


def multipath_is_on():
    setting = pathlib.Path("/proc/sys/net/mptcp/enabled")
    return setting.exists() and setting.read_text().strip() == "1"


@pytest.mark.skipif(not multipath_is_on(), reason="this kernel has no MPTCP (net.mptcp.enabled)")
@pytest.mark.parametrize("protocol", [IPPROTO_MPTCP, 0], ids=["mptcp-client", "tcp-client"])
def test_a_server_that_listens_with_mptcp_makes_one_edge_with_every_call(agent, tmp_path, protocol):
    port = free_port()
    (tmp_path / "server.py").write_text(SERVER)
    (tmp_path / "client.py").write_text(CLIENT)
    server = subprocess.Popen([sys.executable, tmp_path / "server.py", str(port)])
    wait_for_port(port)
    weft = agent()
    subprocess.run([sys.executable, tmp_path / "client.py", str(port), str(protocol)], check=True, timeout=30)
    records = weft.stop()
    server.kill()
    server.wait()
    edges = [e for e in records.edges(port=port) if e["client"]["name"] == "client.py"]
    assert {(e["server"]["name"], e["observed_at"], e["direction_proof"]) for e in edges} == {("server.py", "both", "connect")}
    assert sum(e["calls"] for e in edges) == 20
    assert sum(e["connects"] for e in edges) == 5
    assert sum(e["client_duration"]["count"] for e in edges) == 20
    assert records.counters["unknown_socket"] == 0
