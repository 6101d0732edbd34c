# SPDX-License-Identifier: Apache-2.0
"""wrk keeps nginx and both of its ends as busy as the machine allows; nginx's own counter is the truth."""
import subprocess
import urllib.request

import pytest

import pytest


def requests_served(port):
    text = urllib.request.urlopen(f"http://127.0.0.1:{port}/status", timeout=10).read().decode()
    return int(text.splitlines()[2].split()[2])


@pytest.mark.parametrize("rings", ["1", "4"], ids=["1-ring", "4-rings"])
def test_at_saturation_every_request_is_in_its_edge_and_none_is_lost(agent, nginx, rings):
    weft = agent("--rings", rings)
    before = requests_served(nginx.port)
    subprocess.run(["wrk", "-t1", "-c32", "-d3", f"http://127.0.0.1:{nginx.port}/"], check=True, capture_output=True)
    after = requests_served(nginx.port)
    records = weft.stop()
    wrk = [e for e in records.edges(port=nginx.port) if e["client"]["name"] == "wrk"]
    # The second reading of the counter counts itself.
    assert sum(e["calls"] for e in wrk) == after - before - 1
    assert sum(e["lost"] for e in wrk) == 0
    assert all(e["observed_at"] == "both" for e in wrk)
    assert records.counters["ring_full_data"] == 0


@pytest.mark.parametrize("rings", ["1", "4"], ids=["1-ring", "4-rings"])
@pytest.mark.parametrize("size", ["64K", "16M"])
def test_seen_and_lost_add_up_with_any_ring(agent, nginx, rings, size):
    weft = agent("--ring", size, "--rings", rings)
    subprocess.run(["ab", "-q", "-k", "-n", "60000", "-c", "8", f"http://127.0.0.1:{nginx.port}/"], check=True,
                   capture_output=True, timeout=120)
    records = weft.stop()
    lost = records.total("lost", port=nginx.port)
    assert records.total("calls", port=nginx.port) + lost == 60000
    if size == "16M":
        assert lost == 0
