# SPDX-License-Identifier: Apache-2.0
"""Whose time it was: the server's, or the wait before the server read."""
import pathlib
import subprocess

import pytest

from conftest import free_port, wait_for_port
from measures import Histogram, quantile

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


LUA = """
local shares = {%s}
local places, at = {}, 0
for _, share in ipairs(shares) do for _ = 1, share[2] do places[#places + 1] = "/" .. share[1] end end
math.randomseed(1)
for i = #places, 2, -1 do local j = math.random(i); places[i], places[j] = places[j], places[i] end
function request() at = at %% #places + 1; return wrk.format("GET", places[at]) end
"""


@pytest.fixture(scope="session")
def timed_server(tmp_path_factory):
    program = tmp_path_factory.mktemp("timed") / "timed_server"
    subprocess.run(["gcc", "-O2", "-D_GNU_SOURCE", "-pthread", "-o", program, pathlib.Path(__file__).with_name("timed_server.c")],
                   check=True)
    return program


def test_quantiles_equal_those_of_the_servers_own_clock(agent, timed_server, tmp_path):
    """Answers after 0.2, 1, 5 and 50 ms in shares of 70, 22, 6 and 2 %, so that no quantile asked for stands between two."""
    port, log = free_port(), tmp_path / "log"
    (tmp_path / "shares.lua").write_text(LUA % "{200, 70}, {1000, 22}, {5000, 6}, {50000, 2}")
    server = subprocess.Popen([timed_server, str(port), log])
    wait_for_port(port)
    weft = agent()
    subprocess.run(["wrk", "-t1", "-c16", "-d8", "-s", tmp_path / "shares.lua", f"http://127.0.0.1:{port}/"], check=True,
                   capture_output=True, timeout=60)
    server.terminate()
    assert server.wait(10) == 0
    records = weft.stop()
    truth = [int(line) for line in log.read_text().split()]
    assert len(truth) > 5000
    seen = Histogram(e["duration"] for e in records.edges(port=port) if "duration" in e)
    assert abs(seen.count - len(truth)) <= 16  # those that wrk gave up when it stopped
    assert abs(seen.sum - sum(truth)) < sum(truth) * 0.02 + 16 * 50_000_000
    for share in (0.5, 0.9, 0.99):
        expected = quantile(truth, share)
        assert abs(seen.quantile(share) - expected) <= max(expected * 0.05, 50_000), (share, expected, seen.quantile(share))
    # From the client's side each took longer, and no more than the sum of both ends' wake-ups.
    client = Histogram(e["client_duration"] for e in records.edges(port=port) if "client_duration" in e)
    assert client.count >= seen.count * 0.99
    assert client.quantile(0.5) >= seen.quantile(0.5)


def test_no_server_takes_longer_than_its_client_waits(agent, nginx_once):
    """In sum: a send's time is near to that at which its bytes left, and a receive's comes after it."""
    weft = agent()
    subprocess.run(["ab", "-q", "-k", "-n", "2000", "-c", "4", f"http://127.0.0.1:{nginx_once.port}/"], check=True,
                   capture_output=True)
    edges = [e for e in weft.stop().edges(port=nginx_once.port) if e["client"]["name"] == "ab"]
    server, client = ([e[field] for e in edges if field in e] for field in ("duration", "client_duration"))
    assert sum(h["count"] for h in server) == sum(h["count"] for h in client) == 2000
    assert sum(h["sum"] for h in server) < sum(h["sum"] for h in client)
