# SPDX-License-Identifier: Apache-2.0
"""Where nothing happens the agent sleeps: it wakes for its windows, and for whoever reads the map."""
import contextlib
import json
import os
import pathlib
import re
import subprocess
import time
import uuid

import pytest

from api import ask_socket, edges_at
from conftest import Agent

WINDOW_S, SECONDS = 5, 10
WAKES_MAX = 20  # two windows, each with a plan, a merge, a write by a sink, and the waits of those for each other


def wakes(pid):
    """Voluntary context switches of all threads."""
    return {task.name: int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", (task / "status").read_text(), re.M)[1])
            for task in pathlib.Path(f"/proc/{pid}/task").iterdir()}


@pytest.fixture
def alone(tmp_path):
    """An agent in an empty network namespace; `.socket`, and `.within` to run something there."""
    name = f"weft-{uuid.uuid4().hex[:8]}"
    config = tmp_path / "weft.yaml"
    config.write_text("docker_socket: off\n")  # containers of others come and go
    with contextlib.ExitStack() as stack:
        subprocess.run(["ip", "netns", "add", name], check=True)
        stack.callback(subprocess.run, ["ip", "netns", "del", name], check=True)
        within = ["ip", "netns", "exec", name]
        subprocess.run([*within, "ip", "link", "set", "lo", "up"], check=True)
        weft = Agent(tmp_path / "records.json", "-c", str(config), "--namespace", "self", "--rings", "1", "--window", f"{WINDOW_S}s",
                     "--socket", str(tmp_path / "weft.sock"), within=within)
        weft.socket, weft.within = tmp_path / "weft.sock", within
        yield weft
        if weft.process.poll() is None:
            weft.process.kill()
            weft.process.communicate()


def woken(pid, seconds):
    before = wakes(pid)
    time.sleep(seconds)
    after = wakes(pid)
    return {thread: count - before.get(thread, 0) for thread, count in after.items()}


def test_an_idle_agent_wakes_for_its_windows_alone(alone):
    time.sleep(1)  # what the start left to do
    counts = woken(alone.process.pid, SECONDS)
    print(counts)
    assert sum(counts.values()) < WAKES_MAX, counts


def test_it_rests_again_when_its_readers_have_gone(alone):
    stream = subprocess.Popen(["curl", "-sN", "--unix-socket", alone.socket, "http://x/api/v1/events?seconds=10"],
                              stdout=subprocess.PIPE, text=True)
    running = 0
    for line in stream.stdout:
        running += line.startswith("data:") and "running" in json.loads(line[5:])
        if running == 8:  # more than windows that end: the running one is shown while somebody looks
            break
    stream.kill()
    stream.communicate()
    time.sleep(15)  # a stream that nobody reads is found out by its comment, after ten quiet seconds
    counts = woken(alone.process.pid, SECONDS)
    print(counts)
    assert sum(counts.values()) < WAKES_MAX, counts


def test_the_first_answer_after_a_pause_is_fresh(alone):
    time.sleep(4)
    server = subprocess.Popen([*alone.within, "/usr/bin/python3", "-u", "-m", "http.server", "--bind", "127.0.0.1", "8000"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=os.path.dirname(__file__))
    try:
        curl = [*alone.within, "curl", "-s", "-o", os.devnull, "--retry", "20", "--retry-connrefused", "--retry-delay", "1"]
        subprocess.run([*curl, "http://127.0.0.1:8000/"], check=True)
        time.sleep(0.5)  # the ring is read every 4 ms
        graph = ask_socket(alone.socket).json
        assert sum(e["calls"] for e in edges_at(graph, 8000)) == 1, graph
        assert "running" in graph
    finally:
        server.kill()
        server.wait()
