# SPDX-License-Identifier: Apache-2.0
"""Two agents that would see the same sockets are one too many; two of different network namespaces are not."""
import subprocess

import pytest

from conftest import WEFT

HOST, SELF, ELSEWHERE = [], ["--namespace", "self"], ["unshare", "--net"]


def second(*options, within=()):
    return subprocess.run([*within, WEFT, "agent", "--page", "off", "--socket", "off", "--for", "500ms", *options],
                          capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("first, other, within", [
    (HOST, HOST, []), (HOST, SELF, []), (HOST, SELF, ELSEWHERE), (SELF, HOST, []), (SELF, SELF, []), (SELF, HOST, ELSEWHERE)])
def test_a_second_agent_of_overlapping_scope_is_refused(agent, first, other, within):
    weft = agent(*first)
    result = second(*other, within=within)
    assert result.returncode == 1
    assert f"pid {weft.process.pid}" in result.stderr and "--namespace self" in result.stderr
    assert "watching" not in result.stderr
    weft.stop()
    assert second(*other, within=within).returncode == 0


def test_agents_of_different_network_namespaces_run_side_by_side(agent):
    agent(*SELF)
    result = second(*SELF, within=ELSEWHERE)
    assert result.returncode == 0, result.stderr


def test_a_killed_agent_leaves_its_place(agent):
    weft = agent()
    weft.process.kill()
    weft.process.wait()
    assert second().returncode == 0


def test_no_mount_pid_or_network_namespace_hides_the_first(agent):
    weft = agent()
    result = second(within=["unshare", "--net", "--mount", "--pid", "--fork"])
    assert result.returncode == 1 and f"pid {weft.process.pid}" in result.stderr


def test_of_many_that_start_at_once_one_stays():
    command = [WEFT, "agent", "--page", "off", "--socket", "off", "--for", "6s"]
    starting = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    errors = [one.communicate(timeout=60)[1] for one in starting]
    assert sorted(one.returncode for one in starting) == [0, 1, 1, 1], errors
