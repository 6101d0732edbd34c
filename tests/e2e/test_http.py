# SPDX-License-Identifier: Apache-2.0
"""nginx and ab: what the edges say against what was sent."""
import subprocess

import pytest


def ab(port, path, requests, *options):
    output = subprocess.run(["ab", "-q", "-n", str(requests), "-c", "8", *options, f"http://127.0.0.1:{port}{path}"],
                            check=True, capture_output=True, text=True, timeout=120).stdout
    assert f"Complete requests:      {requests}\n" in output


@pytest.mark.parametrize("keepalive", [[], ["-k"]], ids=["connection-per-request", "keep-alive"])
def test_calls_and_server_errors_equal_what_ab_sent(agent, nginx, keepalive):
    weft = agent()
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
    unreported = records.counters["lost_turns_unreported"]
    assert records.total("calls", port=nginx.port) + records.total("lost", port=nginx.port) + unreported == 60000


def test_a_refused_connect_is_counted_with_its_errno(agent):
    weft = agent()
    subprocess.run(["curl", "-s", "http://127.0.0.1:9/"], check=False)
    records = weft.stop()
    assert [e["connect_failures"] for e in records.edges(port=9)] == [{"ECONNREFUSED": 1}]
    assert records.edges(port=9)[0]["client"]["name"] == "curl"
