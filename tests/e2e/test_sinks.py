# SPDX-License-Identifier: Apache-2.0
"""Files that rotate, fill their disk or are moved; a standard output that closes or is never read."""
import json
import os
import pathlib
import stat
import subprocess
import time

import pytest

from conftest import WEFT

WINDOW = ("--window", "100ms")


def lines_of(path):
    text = open(path).read()
    assert not text or text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


def sequences(records):
    return [r["agent"]["sequence"] for r in records]


def reports(weft, at):
    """What the agent says of its sink number `at`, newest last."""
    lines = pathlib.Path(weft.path).read_text().split("\n")[:-1]  # at once: the last line may be half written
    return [r["sinks"][at] for r in map(json.loads, lines) if r["record"] == "agent"]


def wait_until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


@pytest.fixture
def small_disk(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64K", "weft-test", disk], check=True)
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_a_full_disk_is_waited_out_and_cuts_no_line(agent, small_disk):
    path = small_disk / "records"
    weft = agent(*WINDOW, "--sink", f"file:{path},queue=32K,rotate=0")
    wait_until(lambda: reports(weft, 1) and reports(weft, 1)[-1]["queue_full"] > 0)
    first = lines_of(path)
    os.truncate(path, 0)
    wait_until(lambda: os.path.getsize(path) > 32000)
    dropped = reports(weft, 1)[-1]["queue_full"]
    os.truncate(small_disk / "records", 0)
    weft.process.terminate()
    errors = weft.process.communicate(timeout=30)[1].decode()
    assert weft.process.returncode == 0
    said = [line for line in errors.splitlines() if str(path) in line]
    assert "No space left" in said[0] and "writing again" in said[1] and len(said) == 2, errors
    assert first and sequences(first) == list(range(1, len(first) + 1))
    assert dropped > 0 and lines_of(path)


def test_what_a_full_disk_lost_is_what_the_counter_says(agent, small_disk):
    path = small_disk / "records"
    weft = agent(*WINDOW, "--sink", f"file:{path},queue=32K,rotate=0")
    wait_until(lambda: reports(weft, 1) and reports(weft, 1)[-1]["queue_full"] > 0)
    first = lines_of(path)
    os.truncate(path, 0)
    wait_until(lambda: lines_of(path))
    records = weft.stop()
    arrived = sequences(first + lines_of(path))
    assert arrived == sorted(set(arrived))  # in order, none twice
    whole = sequences(records.all)
    last = reports(weft, 1)[-1]
    assert last["failed"] == 0
    # The last report was written before the last window was offered, of which nothing was lost.
    assert len(whole) - len(arrived) == last["queue_full"] == records.counters["sink_dropped"]


def test_files_rotate_and_the_oldest_go(agent, tmp_path):
    path = tmp_path / "out"
    weft = agent(*WINDOW, "--sink", f"file:{path},rotate=16K,keep=3")
    wait_until(lambda: any(r["counters"]["file_rotations"] >= 6 for r in lines_of(weft.path) if r["record"] == "agent"))
    records = weft.stop()
    names = ["out.3", "out.2", "out.1", "out"]
    assert sorted(p.name for p in tmp_path.glob("out*")) == sorted(names)
    kept = [r for name in names for r in lines_of(tmp_path / name)]
    assert kept == records.all[-len(kept):]  # nothing lost or twice at the seams
    for name in names:
        assert os.path.getsize(tmp_path / name) <= 16384 or len(lines_of(tmp_path / name)) == 1
        assert stat.S_IMODE(os.stat(tmp_path / name).st_mode) == 0o640


def test_a_file_that_is_moved_away_is_made_anew(agent, tmp_path):
    path, moved = tmp_path / "out", tmp_path / "moved"
    weft = agent(*WINDOW, "--sink", f"file:{path}")
    wait_until(lambda: path.exists() and lines_of(path))
    path.rename(moved)
    wait_until(lambda: path.exists() and lines_of(path))
    records = weft.stop()
    assert lines_of(moved) + lines_of(path) == records.all


def test_half_a_line_of_an_earlier_run_is_ended(agent, tmp_path):
    path = tmp_path / "out"
    path.write_text('{"record":"ed')
    records = agent(*WINDOW, "--sink", f"file:{path}").stop()
    lines = path.read_text().splitlines()
    assert lines[0] == '{"record":"ed' and [json.loads(line) for line in lines[1:]] == records.all


def run_with_stdout(path, stdout, seconds):
    return subprocess.Popen([WEFT, "agent", "--for", seconds, *WINDOW, "--sink", f"file:{path}", "--sink",
                             "stdout,queue=64K"], stdout=stdout, stderr=subprocess.PIPE)


def test_a_closed_standard_output_is_said_once(tmp_path):
    reading, writing = os.pipe()
    process = run_with_stdout(tmp_path / "out", writing, "2s")
    os.close(writing)
    os.close(reading)
    errors = process.communicate(timeout=60)[1].decode()
    assert process.returncode == 0
    assert errors.count("stdout") == 1 and "Broken pipe" in errors, errors
    agents = [r for r in lines_of(tmp_path / "out") if r["record"] == "agent"]
    last = agents[-1]["sinks"][1]
    assert last["taken"] == 0 and last["failed"] > 0 and len(agents) > 10


def test_a_standard_output_that_is_never_read_holds_nobody_up(tmp_path):
    reading, writing = os.pipe()
    process = run_with_stdout(tmp_path / "out", writing, "12s")
    os.close(writing)
    errors = process.communicate(timeout=60)[1].decode()
    os.close(reading)
    assert process.returncode == 0 and "stuck in a write" in errors, errors
    records = lines_of(tmp_path / "out")
    assert sequences(records) == list(range(1, len(records) + 1))
    last = [r for r in records if r["record"] == "agent"][-1]["sinks"]
    assert last[0]["queue_full"] == last[0]["failed"] == 0
    assert last[1]["queue_full"] > 0 and last[1]["queued_bytes"] <= 64 << 10
