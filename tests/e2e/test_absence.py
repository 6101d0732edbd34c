# SPDX-License-Identifier: Apache-2.0
"""Kernels that take fewer programs, played by refusing them one by one: weft works on, and says what that costs."""
import re
import subprocess

import pytest

import conftest
from conftest import ROOT

WEFT = ROOT / "build" / "release" / "tests" / "absence" / "weft_absence"
OPTIONAL = ["tcp_state_nested", "stamp_socket", "socket_released", "socket_bound4", "socket_bound6", "send_peer4", "send_peer6", "receive_peer4", "receive_peer6",
            "process_exec", "cgroup_made", "seed_owners", "seed_connections", "seed_datagrams"]
PACKETS = {"packet_ingress", "packet_egress", "sweep", "packet_dropped", "segment_retransmitted", "syn_ack_retransmitted", "reset_sent",
           "reset_received"}
SOCKETS = {"owned_sockets", "held_sockets"}  # the second stands in for the first, which some kernels refuse
REQUESTS = 300


@pytest.fixture(params=["ABSENCE_REFUSED", "ABSENCE_UNATTACHED"], ids=["refused", "unattached"])
def absent(request, monkeypatch):
    def leave_out(*programs):
        monkeypatch.setenv(request.param, " ".join(programs))
        monkeypatch.setattr(conftest, "WEFT", WEFT)

    return leave_out


def check():
    return subprocess.run([WEFT, "check"], capture_output=True, text=True, timeout=60)


def states(text):
    return dict(re.findall(r"^(\w+) +(attached|missing|not needed) ", text, re.M))


def calls_seen(agent, nginx):
    weft = agent()
    subprocess.run(["ab", "-q", "-k", "-n", str(REQUESTS), "-c", "4", f"http://127.0.0.1:{nginx.port}/"], check=True,
                   capture_output=True)
    records = weft.stop()
    edges = [e for e in records.edges(port=nginx.port) if e["calls"]]
    return sum(e["calls"] for e in edges), {(e["client"]["name"], e["server"]["name"]) for e in edges}


@pytest.mark.slow
@pytest.mark.parametrize("program", OPTIONAL)
@pytest.mark.parametrize("nginx", [1], indirect=True)
def test_without_an_optional_program_calls_are_still_seen(absent, agent, nginx, program):
    absent(program)
    said = check()
    assert said.returncode == 0
    assert {name for name, state in states(said.stdout).items() if state == "missing"} - SOCKETS == {program}
    assert re.search(rf"^{program} +missing .+\n +why: .+\n +cost: .+\n", said.stdout, re.M)
    assert calls_seen(agent, nginx) == (REQUESTS, {("ab", "nginx")})


@pytest.mark.parametrize("nginx", [1], indirect=True)
def test_without_any_optional_program_calls_are_still_seen(absent, agent, nginx):
    absent(*OPTIONAL)
    assert {name for name, state in states(check().stdout).items() if state == "missing"} - SOCKETS == set(OPTIONAL)
    assert calls_seen(agent, nginx) == (REQUESTS, {("ab", "nginx")})


@pytest.mark.parametrize("programs,cost", [
    (["tcp_state"], "no connection is seen to open, fail or close"),
    (["socket_send", "inet_send"], "no send is seen, so no call is"),
    (["socket_receive", "inet_receive"], "no receive is seen, so no call is")])
def test_without_an_essential_program_weft_names_it_and_ends(absent, programs, cost):
    absent(*programs)
    said = check()
    assert said.returncode == 1
    assert all(program in said.stderr for program in programs)
    assert cost in said.stderr


def test_the_names_here_are_those_of_the_program():
    said = states(check().stdout)
    essential = {"tcp_state", "socket_send", "socket_receive"}
    assert {name for name, state in said.items() if state != "not needed"} - SOCKETS == set(OPTIONAL) | PACKETS | essential
    assert "attached" in (said["owned_sockets"], said["held_sockets"])
