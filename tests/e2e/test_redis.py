# SPDX-License-Identifier: Apache-2.0
"""redis-server and redis-benchmark: calls per command against the server's own INFO commandstats."""
import collections
import re
import subprocess

import pytest

from conftest import free_port, wait_for_port


@pytest.fixture
def redis(tmp_path):
    folder = tmp_path / "redis"
    folder.mkdir()
    port = free_port()
    process = subprocess.Popen(["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", folder,
                                "--save", "", "--appendonly", "no"], stdout=subprocess.DEVNULL)
    try:
        wait_for_port(port)
        yield port
    finally:
        process.terminate()
        process.wait(10)


def server_calls(port):
    output = subprocess.run(["redis-cli", "-p", str(port), "INFO", "commandstats"], check=True, capture_output=True,
                            text=True, timeout=10).stdout
    return collections.Counter({name.upper(): int(calls)
                                for name, calls in re.findall(r"^cmdstat_(\S+?):calls=(\d+)", output, re.M)})


def edge_calls(edges):
    calls = collections.Counter()
    for edge in edges:
        for endpoint in edge.get("endpoints", []):
            calls[endpoint["endpoint"]] += endpoint["calls"]
    return calls


@pytest.mark.parametrize("pipeline", [1, 16])
def test_calls_per_command_equal_what_the_server_counted(agent, redis, pipeline):
    before = server_calls(redis)
    weft = agent()
    subprocess.run(["redis-benchmark", "-p", str(redis), "-q", "-n", "20000", "-c", "50", "-t", "set,get",
                    "-P", str(pipeline)], check=True, capture_output=True, timeout=120)
    records = weft.stop()
    served = server_calls(redis) - before
    seen = edge_calls(records.edges(port=redis, protocol="redis"))
    # The load only: redis-benchmark's CONFIG and redis-cli's INFO (asked outside the agent's life) are left out.
    assert served["SET"] >= 20000 and served["GET"] >= 20000
    assert {name: seen[name] for name in ("SET", "GET")} == {name: served[name] for name in ("SET", "GET")}
    assert records.total("lost", port=redis) == 0
    # Not the server's name: Debian's redis-server is a link to redis-check-rdb, and a service is named by its file.
    assert {(e["client"]["name"], e["protocol"], e["observed_at"])
            for e in records.edges(port=redis) if e["calls"]} == {("redis-benchmark", "redis", "both")}
