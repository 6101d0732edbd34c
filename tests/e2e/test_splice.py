# SPDX-License-Identifier: Apache-2.0
"""A proxy that moves bytes by splice(2), as docker-proxy does: no hook shows what it receives."""
import subprocess
import sys

from conftest import free_port, wait_for_port

PROXY = """
import os, socket, sys, threading
def pump(source, sink):
    read, write = os.pipe()
    while (moved := os.splice(source.fileno(), write, 65536)):
        while moved:
            moved -= os.splice(read, sink.fileno(), moved)
    sink.shutdown(socket.SHUT_WR)
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    client, _ = listener.accept()
    server = socket.create_connection(("127.0.0.1", int(sys.argv[2])))
    for pair in ((client, server), (server, client)):
        threading.Thread(target=pump, args=pair, daemon=True).start()
"""
CLIENT = """
import http.client, sys
connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]))
for _ in range(3):
    connection.request("GET", "/spliced"); connection.getresponse().read()
connection.close()
"""


def test_calls_through_a_splicing_proxy_are_shown_by_the_clients_end(agent, nginx, tmp_path):
    port = free_port()
    (tmp_path / "proxy.py").write_text(PROXY)
    (tmp_path / "client.py").write_text(CLIENT)
    weft = agent()
    proxy = subprocess.Popen(["/usr/bin/python3", tmp_path / "proxy.py", str(port), str(nginx.port)])
    wait_for_port(port)
    for _ in range(4):
        subprocess.run(["/usr/bin/python3", tmp_path / "client.py", str(port)], check=True, timeout=30)
    records = weft.stop()
    proxy.kill()
    proxy.wait()
    to_proxy = [e for e in records.edges(port=port) if e["client"]["name"] == "client.py"]
    behind = [e for e in records.edges(port=nginx.port) if e["client"]["name"] == "proxy.py"]
    assert {e["server"]["name"] for e in to_proxy} == {"proxy.py"}
    assert sum(e["connects"] for e in to_proxy) == 4
    # What the first connection said was gone before anybody knew; from the next one on the client's end shows it.
    assert sum(e["calls"] for e in to_proxy if e["protocol"] == "http") == 9
    assert sum(e["calls"] for e in behind) == 12
    requests, responses = (sum(e["bytes"][d] for e in behind) for d in ("request", "response"))
    assert sum(e["bytes"]["request"] for e in to_proxy) == requests
    assert sum(e["bytes"]["response"] for e in to_proxy) == responses
