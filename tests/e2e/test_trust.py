# SPDX-License-Identifier: Apache-2.0
"""What the agent may still do while it works, and that this is enough for all of its work."""
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time
import urllib.request

import pytest

from conftest import free_port

DAC_OVERRIDE, DAC_READ_SEARCH, NET_BIND_SERVICE, NET_BROADCAST, NET_ADMIN, SYS_PTRACE, SYS_ADMIN, BPF = 1, 2, 10, 11, 12, 19, 21, 39
FOLLOWING = [NET_ADMIN, SYS_PTRACE, BPF]  # of the thread that follows interfaces


def status(pid, task):
    lines = pathlib.Path(f"/proc/{pid}/task/{task}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def bits(*capabilities):
    return sum(1 << bit for bit in capabilities)


def assert_confined(pid, *more, following=FOLLOWING):
    """Every thread, those of libraries included, has exactly the documented set and the filter."""
    release = tuple(int(n) for n in os.uname().release.split("-")[0].split(".")[:2])
    tasks = os.listdir(f"/proc/{pid}/task")
    names = []
    for task in tasks:
        fields = status(pid, task)
        names.append(fields["Name"])
        follows = fields["Name"] == "interfaces"
        reads = fields["Name"] == "conntrack"  # only where the kernel has such a table
        wanted = bits(*following) if follows else bits(NET_ADMIN) if reads else bits(DAC_READ_SEARCH, SYS_PTRACE, *more)
        for field in "CapEff", "CapPrm":
            left = int(fields[field], 16)
            if release < (5, 19) and not follows:
                left &= ~(1 << BPF)
            assert left == wanted, (task, fields["Name"], field, hex(left))
        assert int(fields["CapInh"], 16) == int(fields["CapAmb"], 16) == int(fields["CapBnd"], 16) == 0
        assert fields["NoNewPrivs"] == "1" and fields["Seccomp"] == "2", task
    assert names.count("interfaces") == bool(following) and names.count("conntrack") <= bool(following)
    return len(tasks)


def refusals(pid):
    """What the filter refused this process, as the kernel logged it."""
    log = subprocess.run(["dmesg"], capture_output=True, text=True).stdout
    return [line for line in log.splitlines() if "type=1326" in line and f" pid={pid} " in line]


@pytest.fixture
def open_to_all():
    """Another user's programs run from here; pytest's folders are for root alone."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield pathlib.Path(folder)


def test_every_sink_and_the_page_work_for_as_long_as_the_agent_does(agent, nginx_once, tmp_path, open_to_all):
    page, metrics = free_port(), free_port()
    rotated = tmp_path / "rotated.json"
    weft = agent("--page", str(page), "--socket", str(tmp_path / "weft.sock"), "--sink", f"prometheus:127.0.0.1:{metrics}",
                 "--sink", f"file:{rotated},rotate=4K,keep=3",
                 "--sink", f"kafka:127.0.0.1:{free_port()},spool={tmp_path / 'spool'}")
    assert assert_confined(weft.process.pid) > 4
    client = open_to_all / "made-after-the-drop"
    shutil.copy(shutil.which("curl"), client)
    for _ in range(8):
        subprocess.run([client, "-s", "-o", os.devnull, f"http://127.0.0.1:{nginx_once.port}/"], check=True,
                       user="nobody", cwd="/")
        time.sleep(1)
    answer = json.load(urllib.request.urlopen(f"http://127.0.0.1:{page}/api/v1/status"))
    assert answer["agent"]["host"] == os.uname().nodename
    assert "traces_service_graph" in urllib.request.urlopen(f"http://127.0.0.1:{metrics}/metrics").read().decode()
    assert_confined(weft.process.pid)
    records = weft.stop()
    assert records.total("calls", port=nginx_once.port) == 8
    assert {e["client"]["name"] for e in records.edges(port=nginx_once.port)} == {"made-after-the-drop"}
    assert (tmp_path / "rotated.json.1").exists()
    assert any((tmp_path / "spool").iterdir())
    assert refusals(weft.process.pid) == []


def test_only_the_thread_that_follows_interfaces_may_more(agent):
    weft = agent("--packets-scope", "all")
    assert_confined(weft.process.pid, following=[*FOLLOWING, SYS_ADMIN, NET_BROADCAST])
    weft.stop()
    assert refusals(weft.process.pid) == []
    weft = agent("--packets", "off")
    assert_confined(weft.process.pid, following=[])


def test_a_port_below_1024_costs_one_capability(agent):
    for port in range(1023, 900, -1):
        try:
            weft = agent("--page", str(port))
        except RuntimeError:
            continue  # taken
        assert_confined(weft.process.pid, NET_BIND_SERVICE)
        return
    raise AssertionError("no free port below 1024")


def test_a_folder_of_somebody_else_costs_one_capability(agent, tmp_path):
    folder = tmp_path / "others"
    folder.mkdir()
    shutil.chown(folder, "nobody")
    weft = agent("--sink", f"file:{folder}/records.json")
    assert_confined(weft.process.pid, DAC_OVERRIDE)
    weft.stop()
    assert (folder / "records.json").stat().st_size > 0


def test_what_the_agent_starts_with_is_not_handed_on(agent):
    weft = agent()
    assert status(weft.process.pid, weft.process.pid)["CapBnd"] == "0000000000000000"
