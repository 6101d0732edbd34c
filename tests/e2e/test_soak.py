# SPDX-License-Identifier: Apache-2.0
"""
Minutes of mixed traffic past one agent: counts stay exact, memory stays where it was, and nothing is left in the kernel.

WEFT_SOAK_SECONDS says how long (60).
"""
import os
import pathlib
import re
import subprocess
import time

import pytest

from test_postgresql import postgresql  # noqa: F401  pylint: disable=unused-import
from test_redis import edge_calls, redis, server_calls  # noqa: F401  pylint: disable=unused-import

SECONDS = int(os.environ.get("WEFT_SOAK_SECONDS", "60"))
GROWTH_BYTES = 8 << 20  # of resident memory after the first rounds: tables that fill up, no leak of a record's size


def resident(pid):
    return int(re.search(r"VmRSS:\s+(\d+) kB", pathlib.Path(f"/proc/{pid}/status").read_text())[1]) * 1024


def kernel_objects(pid):
    """{("prog" | "map" | "link", id)} that the process holds."""
    found = set()
    for info in pathlib.Path(f"/proc/{pid}/fdinfo").iterdir():
        try:
            found.update(re.findall(r"^(prog|map|link)_id:\s+(\d+)", info.read_text(), re.M))
        except FileNotFoundError:
            pass
    return found


def alive(kind, number):
    return subprocess.run(["bpftool", kind, "show", "id", number], capture_output=True, check=False).returncode == 0


def load(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout


def one_round(nginx, redis_port, database):
    """Some of everything; gives how many HTTP requests and how many of them end in 500."""
    base = f"http://127.0.0.1:{nginx.port}"
    load("ab", "-q", "-k", "-n", "1000", "-c", "8", f"{base}/users/1")
    load("ab", "-q", "-n", "200", "-c", "8", f"{base}/users/2")
    load("ab", "-q", "-k", "-n", "50", "-c", "2", f"{base}/broken")
    for curl in [subprocess.Popen(["curl", "-s", "-o", os.devnull, base]) for _ in range(10)]:
        assert curl.wait(20) == 0
    for pipeline in ["1", "16"]:
        load("redis-benchmark", "-p", str(redis_port), "-q", "-n", "2000", "-c", "20", "-t", "set,get", "-P", pipeline)
    for mode in ["simple", "prepared"]:
        database.pgbench("-n", "-S", "-t", "50", "-c", "4", "-M", mode)
    return 1260, 50


@pytest.mark.slow
@pytest.mark.parametrize("nginx", [4], indirect=True, ids=["4-workers"])
def test_counts_memory_and_the_kernel_after_minutes_of_traffic(agent, nginx, redis, postgresql):  # noqa: F811
    served_before, logged_before = server_calls(redis), postgresql.logged()
    weft = agent()
    pid, requests, broken, memory = weft.process.pid, 0, 0, []
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        sent, failed = one_round(nginx, redis, postgresql)
        requests, broken = requests + sent, broken + failed
        memory.append(resident(pid))
        time.sleep(0.5)
    objects = kernel_objects(pid)
    records = weft.stop()

    tenths = [size >> 10 for size in memory[::max(1, len(memory) // 10)]]
    print(f"{len(memory)} rounds, {requests} requests, {len(objects)} BPF objects; resident kB: {tenths}")
    print({name: n for name, n in records.counters.items() if n})
    assert records.total("calls", port=nginx.port) == requests
    assert records.errors("server_error", port=nginx.port) == broken
    served, seen = server_calls(redis) - served_before, edge_calls(records.edges(port=redis, protocol="redis"))
    assert {name: seen[name] for name in ("SET", "GET")} == {name: served[name] for name in ("SET", "GET")}
    edges = records.edges(port=postgresql.port)
    print({(e["client"]["name"], e["protocol"], e["observed_at"]) for e in edges})
    assert sum(e["calls"] for e in edges) == postgresql.logged() - logged_before
    for port in (nginx.port, redis, postgresql.port):
        assert records.total("lost", port=port) == 0
        assert all(records.errors(kind, port=port) == 0 for kind in ("timeout", "no_response"))
    assert {e["client"]["name"] for e in records.edges(port=nginx.port) if e["calls"]} == {"ab", "curl"}
    assert max(memory) - memory[min(2, len(memory) - 1)] < GROWTH_BYTES
    assert {kind for kind, _ in objects} == {"prog", "map", "link"}
    assert [one for one in objects if alive(*one)] == []
