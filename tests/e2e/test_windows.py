# SPDX-License-Identifier: Apache-2.0
"""Windows: what is open is on the map, each window is written once, and workers add up."""
import collections
import subprocess
import time

import pytest

from conftest import free_port

SILENT = """
import socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
client = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
server = listener.accept()[0]
print("open", flush=True)
sys.stdin.readline()
"""


def test_a_silent_connection_older_than_the_agent_is_on_the_map(agent):
    port = free_port()
    process = subprocess.Popen(["/usr/bin/python3", "-c", SILENT, str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert process.stdout.readline() == b"open\n"
        weft = agent()
        time.sleep(4)
        records = weft.stop()
    finally:
        process.kill()
        process.communicate()
    edges = records.edges(port=port)
    first = min(r["window_start"] for r in records.all if "window_start" in r)
    assert min(e["window_start"] for e in edges) <= first + 2_000_000_000
    assert {(e["protocol"], e["observed_at"], e["open_connections"], e["connects"]) for e in edges} == {("tcp", "both", 1, 0)}
    assert len({e["edge_id"] for e in edges}) == 1


@pytest.mark.parametrize("rings", ["1", "4"])
def test_workers_add_up_and_no_window_is_written_twice(agent, nginx, rings):
    weft = agent("--rings", rings)
    for _ in range(5):
        subprocess.run(["ab", "-q", "-n", "2000", "-c", "8", f"http://127.0.0.1:{nginx.port}/"], check=True, capture_output=True)
        subprocess.run(["ab", "-q", "-k", "-n", "2000", "-c", "8", f"http://127.0.0.1:{nginx.port}/"], check=True, capture_output=True)
        time.sleep(0.7)
    records = weft.stop()
    written = collections.Counter((e["window_start"], e["edge_id"]) for e in records.edges())
    assert set(written.values()) == {1}
    assert all(r["window_start"] % 2_000_000_000 == 0 for r in records.all if "window_start" in r)
    edges = [e for e in records.edges(port=nginx.port) if e["client"]["name"] == "ab"]
    assert len({e["window_start"] for e in edges}) > 1
    assert sum(e["calls"] for e in edges) == 20000
    assert sum(e["late"] for e in edges) == 0
    assert sum(e["duration"]["count"] for e in edges if "duration" in e) == 20000
