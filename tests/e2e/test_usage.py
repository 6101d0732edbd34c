# SPDX-License-Identifier: Apache-2.0
"""What people meet first: wrong options, missing rights, a taken port. One clear line each, and the right status."""
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile

import pytest

from conftest import WEFT, free_port

FIRST = ["--page", "off", "--socket", "off", "--for", "1s"]


def run(*arguments, prefix=(), **options):
    return subprocess.run([*prefix, WEFT, *arguments], capture_output=True, text=True, timeout=60, **options)


def refused(result, status, *words):
    assert result.returncode == status, result.stderr
    last = result.stderr.strip().splitlines()[-1]
    for word in words:
        assert word in last, result.stderr
    return last


@pytest.fixture
def public():
    """A folder that other users can read, with the program in it."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        shutil.copy(WEFT, folder)
        yield pathlib.Path(folder)


def test_help_and_version_are_answers():
    for arguments in ["--help"], ["help"], ["agent", "--help"], ["check", "-h"], ["config", "--help"], ["help", "map"]:
        result = run(*arguments)
        assert result.returncode == 0 and "usage: weft" in result.stdout and not result.stderr, arguments
    assert run("--version").stdout.startswith("weft ")


@pytest.mark.parametrize("arguments, words", [
    ([], []),
    (["nonsense"], []),
    (["agent", "--for", "soon"], ["--for soon", "500ms"]),
    (["agent", "--window", "0"], ["--window 0", "100ms to 1h"]),
    (["agent", "--ring", "3M"], ["--ring 3M", "power of two"]),
    (["agent", "--rings", "3"], ["--rings 3", "power of two"]),
    (["agent", "--namespace", "all"], ["host|self"]),
    (["agent", "--page", "0.0.0.0:80"], ["beyond loopback", "page_token"]),
    (["agent", "--page", "there"], ["ADDRESS:PORT"]),
    (["agent", "--sink", "pigeon"], ["pigeon", "stdout", "kafka"]),
    (["agent", "--sink", "file"], ["PATH"]),
    (["agent", "--ready-fd", "1"], ["above 2"]),
    (["agent", "argument"], ["takes no argument"]),
    (["config", "explain", "windw"], ["did you mean window"]),
    (["config"], ["check, print or explain"]),
    (["check", "1", "2"], ["one argument too many"]),
])
def test_wrong_usage_is_status_2_and_says_what_is_allowed(arguments, words):
    result = run(*arguments)
    assert result.returncode == 2 and not result.stdout
    for word in words:
        assert word in result.stderr


def test_a_wrong_file_is_told_with_line_and_column(tmp_path):
    path = tmp_path / "weft.yaml"
    path.write_text("window: 10s\nring:\n  sise: 1M\nmemory_max: lots\n")
    for command in ["agent", "-c", path], ["config", "check", path], ["config", "-c", path, "print"]:
        result = run(*command)
        assert result.returncode == 1
        assert result.stderr.splitlines() == [
            f"{path}:3:3: ring.sise: unknown; did you mean ring.size? (weft config explain lists them all)",
            f"{path}:4:13: memory_max: lots; allowed: a size from 64M to 64G"]


def test_what_is_in_force_says_where_it_comes_from(tmp_path):
    path = tmp_path / "weft.yaml"
    path.write_text("window: 5s\nsinks:\n  - file:/tmp/x\n")
    lines = run("config", "-c", path, "print").stdout.splitlines()
    assert f"window: 5s # {path}:1" in lines and "memory_max: 256M # default" in lines
    path.write_text("\n".join(lines))
    assert run("config", "check", path).returncode == 0


def test_memory_too_small_names_what_would_do(tmp_path):
    path = tmp_path / "weft.yaml"
    path.write_text("memory_max: 64M\nring:\n  size: 128M\n")
    refused(run("agent", "-c", path), 2, f"{path}:1:13: memory_max: 64M is too small", "at least")
    assert "connections" in run("config", "explain", "memory_max").stdout


def test_without_privileges_it_says_which(public):
    prefix = ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups", "--inh-caps=-all"]
    for command in ["agent", *FIRST], ["check"]:
        result = subprocess.run([*prefix, public / "weft", *command], capture_output=True, text=True, timeout=60, cwd="/")
        refused(result, 1, "permission denied", "root", "CAP_BPF")


def test_without_types_of_the_kernel_it_says_so(tmp_path):
    hidden = tmp_path / "nothing"
    hidden.mkdir()
    script = f"mount --bind {hidden} /sys/kernel/btf && exec {WEFT} agent {' '.join(FIRST)}"
    refused(run(prefix=["unshare", "--mount", "sh", "-c", script]), 1, "no BTF", "CONFIG_DEBUG_INFO_BTF")


def test_a_taken_port_is_named():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused(run("agent", "--page", str(port), "--socket", "off", "--for", "1s"), 1, str(port), "in use")


def test_a_folder_that_takes_no_socket_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    refused(run("agent", "--page", "off", "--socket", f"{tmp_path}/file/weft.sock", "--for", "1s"), 1, f"{tmp_path}/file")


def test_a_file_that_cannot_be_made_is_named():
    refused(run("agent", *FIRST, "--sink", "file:/nonexistent/records"), 1, "/nonexistent/records", "No such file")


def test_a_ring_beyond_memory_is_refused():
    refused(run("agent", *FIRST, "--ring", "1G"), 2, "memory_max", "too small", "at least")


def test_nothing_is_left_to_clean():
    assert "Nothing to remove" in run("check", "--clean").stdout


def test_check_says_what_is_attached_and_what_the_host_has():
    out = run("check").stdout
    for word in "socket_send", "tcp_state", "kernel memory", "bytes on each socket", "BTF", "cgroups", "rings":
        assert word in out


def test_check_finds_a_service_by_port_pid_and_name(agent, nginx_once, tmp_path):
    path = tmp_path / "weft.sock"
    weft = agent("--socket", str(path))
    subprocess.run(["curl", "-s", "-o", os.devnull, f"http://127.0.0.1:{nginx_once.port}/"], check=True)
    for target in str(nginx_once.port), str(nginx_once.process.pid), "nginx":
        result = run("check", "--socket", path, target)
        assert result.returncode == 0, result.stderr
        assert f"process {nginx_once.process.pid} " in result.stdout
        assert "name      nginx (process), from the executable" in result.stdout
        assert str(nginx_once.port) in result.stdout
    weft.stop()


def test_check_says_whether_the_agent_has_it_on_its_map(agent, nginx_once, tmp_path):
    path = tmp_path / "weft.sock"
    agent("--socket", str(path))
    silent = subprocess.Popen(["sleep", "60"])
    try:
        subprocess.run(["curl", "-s", "-o", os.devnull, f"http://127.0.0.1:{nginx_once.port}/"], check=True)
        on = lambda: run("check", "--socket", path, str(nginx_once.port)).stdout  # noqa: E731
        for _ in range(50):
            if "nginx is on the map" in on():
                break
        assert "nginx is on the map" in on()
        out = run("check", "--socket", path, str(silent.pid)).stdout
        assert "sleep is not on the map" in out and "no TCP or UDP socket" in out
    finally:
        silent.kill()
        silent.wait()


def test_check_says_what_it_does_not_find():
    refused(run("check", "nothing-goes-by-this-name"), 1, "no process, port, container or name")
