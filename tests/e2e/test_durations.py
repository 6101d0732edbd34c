# SPDX-License-Identifier: Apache-2.0
"""Whose time it was: the server's, or the wait before the server read."""
import subprocess

from conftest import free_port, wait_for_port

SERVER = """
import socket, sys, threading, time
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=64)
def work():
    while True:
        connection = listener.accept()[0]
        if connection.recv(4096):
            time.sleep(0.05)
            connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\nConnection: close\\r\\n\\r\\nok")
        connection.close()
for _ in range(2):
    threading.Thread(target=work).start()
"""


def test_a_queue_shows_in_client_duration_and_not_in_duration(agent, tmp_path):
    port = free_port()
    (tmp_path / "server.py").write_text(SERVER)
    server = subprocess.Popen(["/usr/bin/python3", tmp_path / "server.py", str(port)])
    wait_for_port(port)
    weft = agent()
    subprocess.run(["ab", "-q", "-n", "80", "-c", "8", f"http://127.0.0.1:{port}/"], check=True, capture_output=True)
    edges = [e for e in weft.stop().edges(port=port) if e["client"]["name"] == "ab"]
    server.kill()
    server.wait()

    def mean(field):
        return sum(e[field]["sum"] for e in edges if field in e) / sum(e[field]["count"] for e in edges if field in e)

    assert sum(e["calls"] for e in edges) == 80
    assert min(e["duration"]["min"] for e in edges if "duration" in e) >= 50_000_000  # it sleeps that long
    assert mean("client_duration") > 2 * mean("duration")  # four clients to a worker: three wait
