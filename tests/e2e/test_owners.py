# SPDX-License-Identifier: Apache-2.0
"""Who is at each end: short-lived clients, connections older than the agent, and what a killed agent leaves."""
import http.client
import os
import subprocess
import time

import pytest

from conftest import free_port

ECHO = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200); self.send_header("Content-Length", "2"); self.end_headers(); self.wfile.write(b"ok")
    def log_message(self, *arguments): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
CLIENT = """
import http.client, sys
connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[2]), source_address=("127.0.0.1", int(sys.argv[1])))
for _ in range(int(sys.argv[3])):
    connection.request("GET", "/"); connection.getresponse().read()
"""


def test_32_curls_at_once_are_one_node_with_32_connects_and_calls(agent, nginx):
    weft = agent()
    curls = [subprocess.Popen(["curl", "-s", "-o", os.devnull, f"http://127.0.0.1:{nginx.port}/"]) for _ in range(32)]
    for curl in curls:
        assert curl.wait(20) == 0
    records = weft.stop()
    edges = records.edges(port=nginx.port)
    assert {(e["client"]["name"], e["server"]["name"]) for e in edges} == {("curl", "nginx")}
    assert len({e["edge_id"] for e in edges if e["calls"]}) == 1
    assert sum(e["calls"] for e in edges) == 32
    assert sum(e["connects"] for e in edges) == 32


def test_calls_of_a_connection_older_than_the_agent_are_seen(agent, nginx):
    connection = http.client.HTTPConnection("127.0.0.1", nginx.port)
    connection.request("GET", "/")
    connection.getresponse().read()
    weft = agent()
    for _ in range(7):
        connection.request("GET", "/later")
        connection.getresponse().read()
    records = weft.stop()
    edges = records.edges(port=nginx.port)
    assert sum(e["calls"] for e in edges) == 7
    assert {(e["server"]["name"], e["observed_at"]) for e in edges if e["calls"]} == {("nginx", "both")}


@pytest.fixture
def namespaces():
    names = [f"weft-test-{os.getpid()}-{i}" for i in range(2)]
    for name in names:
        subprocess.run(["ip", "netns", "add", name], check=True)
        subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)
    yield names
    for name in names:
        subprocess.run(["ip", "netns", "delete", name], check=True)


def test_one_tuple_in_two_network_namespaces_is_two_edges(agent, namespaces, tmp_path):
    weft, port, servers = agent(), free_port(), []
    for i, name in enumerate(namespaces):
        (tmp_path / f"server{i}.py").write_text(ECHO)
        (tmp_path / f"client{i}.py").write_text(CLIENT)
        servers.append(subprocess.Popen(["ip", "netns", "exec", name, "/usr/bin/python3", tmp_path / f"server{i}.py", str(port)]))
    time.sleep(1)
    clients = [subprocess.Popen(["ip", "netns", "exec", name, "/usr/bin/python3", tmp_path / f"client{i}.py", "41000",
                                 str(port), str(10 + i)]) for i, name in enumerate(namespaces)]
    assert [client.wait(20) for client in clients] == [0, 0]
    for server in servers:
        server.terminate()
        server.wait()
    calls = {}
    for e in weft.stop().edges(port=port):
        pair = (e["client"]["name"], e["server"]["name"])
        calls[pair] = calls.get(pair, 0) + e["calls"]
    assert calls == {("client0.py", "server0.py"): 10, ("client1.py", "server1.py"): 11}


def links_of(pid):
    """Ids of the BPF links that a process holds."""
    ids = []
    for fd in os.listdir(f"/proc/{pid}/fdinfo"):
        try:
            lines = dict(line.split(":", 1) for line in open(f"/proc/{pid}/fdinfo/{fd}") if ":" in line)
        except FileNotFoundError:  # closed since it was listed
            continue
        ids += [lines["link_id"].strip()] if "link_id" in lines else []
    return ids


def still_there(link):
    return subprocess.run(["/usr/sbin/bpftool", "link", "show", "id", link], capture_output=True).returncode == 0


@pytest.mark.parametrize("signal", ["terminate", "kill"])
def test_a_stopped_or_killed_agent_leaves_nothing_attached(agent, signal):
    weft = agent()
    links = links_of(weft.process.pid)
    assert len(links) >= 5 and all(still_there(link) for link in links)
    getattr(weft.process, signal)()
    weft.process.communicate(timeout=20)
    end = time.monotonic() + 5
    while any(still_there(link) for link in links) and time.monotonic() < end:
        time.sleep(0.1)
    assert not [link for link in links if still_there(link)]
