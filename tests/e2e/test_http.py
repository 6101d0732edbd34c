# SPDX-License-Identifier: Apache-2.0
"""nginx and ab: what the edges say against what was sent."""
import http.client
import socket
import subprocess
import time

import pytest


def ab(port, path, requests, *options):
    output = subprocess.run(["ab", "-q", "-n", str(requests), "-c", "8", *options, f"http://127.0.0.1:{port}{path}"],
                            check=True, capture_output=True, text=True, timeout=120).stdout
    assert f"Complete requests:      {requests}\n" in output


@pytest.mark.parametrize("keepalive", [[], ["-k"]], ids=["connection-per-request", "keep-alive"])
@pytest.mark.parametrize("rings", ["1", "4"], ids=["1-ring", "4-rings"])
def test_calls_and_server_errors_equal_what_ab_sent(agent, nginx, keepalive, rings):
    weft = agent("--rings", rings)
    ab(nginx.port, "/users/1?secret=canary-query", 6000, *keepalive)
    ab(nginx.port, "/broken", 500, *keepalive)
    records = weft.stop()
    assert records.total("calls", port=nginx.port) == 6500
    assert records.errors("server_error", port=nginx.port) == 500
    assert records.total("lost", port=nginx.port) == 0
    assert {(e["client"]["name"], e["server"]["name"], e["protocol"], e["observed_at"])
            for e in records.edges(port=nginx.port) if e["calls"]} == {("ab", "nginx", "http", "both")}
    assert {p["endpoint"] for e in records.edges(port=nginx.port) for p in e.get("endpoints", [])} == {"/users/{id}", "/broken"}
    assert "canary" not in str(records.all)


def test_with_a_ring_of_64_KiB_seen_and_lost_add_up(agent, nginx):
    weft = agent("--ring", "64K")
    ab(nginx.port, "/", 60000, "-k")
    records = weft.stop()
    unreported = records.counters["lost_turns_unreported"]  # of any connection on this host
    accounted = records.total("calls", port=nginx.port) + records.total("lost", port=nginx.port)
    assert accounted <= 60000 <= accounted + unreported


def test_a_refused_connect_is_counted_with_its_errno(agent):
    weft = agent()
    subprocess.run(["curl", "-s", "http://127.0.0.1:9/"], check=False)
    records = weft.stop()
    assert [e["connect_failures"] for e in records.edges(port=9)] == [{"ECONNREFUSED": 1}]
    assert records.edges(port=9)[0]["client"]["name"] == "curl"


def test_a_stopped_server_turns_its_own_edge_red(agent, nginx):
    weft = agent()
    ab(nginx.port, "/", 100)
    subprocess.run(["ab", "-q", "-n", "1", f"http://127.0.0.1:{nginx.port}/"], check=True, capture_output=True)
    nginx.stop()
    refused = subprocess.run(["ab", "-q", "-n", "1", f"http://127.0.0.1:{nginx.port}/"], capture_output=True, text=True)
    assert "Connection refused" in refused.stderr
    edges = weft.stop().edges(port=nginx.port)
    red = [e for e in edges if "connect_failures" in e]
    assert [e["connect_failures"] for e in red] == [{"ECONNREFUSED": 1}]
    assert {e["edge_id"] for e in edges if e["calls"]} == {red[0]["edge_id"]}


def test_bytes_of_an_open_connection_are_counted_before_it_closes(agent, nginx):
    weft = agent()
    connection = http.client.HTTPConnection("127.0.0.1", nginx.port)
    for _ in range(3):
        connection.request("GET", "/")
        connection.getresponse().read()
    edges = weft.stop().edges(port=nginx.port)
    assert sum(e["calls"] for e in edges) == 3
    assert sum(e["connects"] for e in edges) == 1
    assert edges[-1]["open_connections"] == 1
    assert sum(e["bytes"]["request"] for e in edges) > 3 * 30
    assert sum(e["bytes"]["response"] for e in edges) > 3 * 100


def test_a_fin_read_together_with_the_last_bytes_is_no_byte(agent):
    weft = agent()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            client.shutdown(socket.SHUT_WR)
            time.sleep(0.1)  # the FIN is there when the server reads
            server, _ = listener.accept()
            with server:
                request = server.recv(65536)
                server.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            assert client.recv(65536).endswith(b"ok")
    records = weft.stop()
    assert records.total("calls", port=port) == 1
    assert sum(e["bytes"]["request"] for e in records.edges(port=port)) == len(request)
