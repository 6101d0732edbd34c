# SPDX-License-Identifier: Apache-2.0
"""Programs of others at the same interface: what they do still takes effect, and they see every packet, whatever weft does."""
import json
import os
import subprocess
import sys

import pytest

import conftest
import foreign
from conftest import ROOT, free_port
from networks import attached, inode, interfaces, ip, network, until, within  # noqa: F401

ABSENCE = ROOT / "build" / "release" / "tests" / "absence" / "weft_absence"
DROPPED, MARKED, REDIRECTED, PASSED = 5001, 5002, 5003, 5004
PORTS = [DROPPED, MARKED, REDIRECTED, PASSED]
# A round of packets each time that a line comes, then a line with how many there were so far.
SENDER = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sent = 0
for line in sys.stdin:
    for _ in range(int(line)):
        for port in 5001, 5002, 5003, 5004:
            s.sendto(b"x" * 50, (sys.argv[1], port))
        sent += 1
    print(sent, flush=True)
"""
RECEIVER = """
import select, socket, sys
sockets = {}
for port in 5001, 5002, 5003, 5004:
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, 33, 1 << 24)  # SO_RCVBUFFORCE
    s.bind((sys.argv[1], port)); s.setblocking(False); sockets[port] = s
print("ready", flush=True)
sys.stdin.readline()
for port, s in sockets.items():
    got = 0
    try:
        while s.recv(100): got += 1
    except BlockingIOError: pass
    print(got, flush=True)
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    return foreign.build(tmp_path_factory.mktemp("foreign"))


class Traffic:
    """From one side to the other; `round` sends some of each port."""

    def __init__(self, source, target, address):
        self.target = self.start(target, RECEIVER, address)
        assert self.target.stdout.readline() == "ready\n"
        self.source = self.start(source, SENDER, address)
        self.sent = 0

    @staticmethod
    def start(netns, text, address):
        return subprocess.Popen(within(netns, sys.executable, "-c", text, address), stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, text=True)

    def round(self, count=50):
        print(count, file=self.source.stdin, flush=True)
        self.sent = int(self.source.stdout.readline())

    def received(self):
        self.target.stdin.close()
        return dict(zip(PORTS, map(int, self.target.stdout.read().split())))

    def close(self):
        for process in self.source, self.target:
            process.kill()
            process.wait()


def start_while_packets_pass(agent, traffic, *options):
    page = free_port()
    traffic.round()
    weft = agent("--page", str(page), *options)
    traffic.round()
    return weft, page


@pytest.mark.parametrize("order", ["older", "newer", "first"])
@pytest.mark.parametrize("way", [foreign.INGRESS, foreign.EGRESS], ids=["ingress", "egress"])
@pytest.mark.parametrize("ours, theirs", [("tcx", "tcx"), ("tcx", "clsact"), ("clsact", "clsact")])
def test_what_others_do_takes_effect_and_they_see_every_packet(agent, network, program, monkeypatch, ours, theirs, way,
                                                               order):
    """`older`: there before weft. `newer`: behind it. `first`: put before it while it runs."""
    if ours == "clsact":
        monkeypatch.setenv("ABSENCE_TCX", "1")
        monkeypatch.setattr(conftest, "WEFT", ABSENCE)
    there, elsewhere = network.namespace("a"), network.namespace("b")
    device, aside = network.veth("v", there), network.veth("w", elsewhere)
    for name, address in (device, "10.77.0.1/24"), (aside, "10.77.1.1/24"):
        network.up(name, address)
    network.up("eth0", "10.77.0.2/24", there)
    ip("link", "set", "eth0", "up", netns=elsewhere)
    own = json.loads(ip("-j", "link", "show", "dev", device))[0]["ifindex"]
    other = json.loads(ip("-j", "link", "show", "dev", aside))[0]["ifindex"]
    network.meet("10.77.0.2", there, "10.77.0.1")
    theirs_first = foreign.Foreign(program, own, way, redirect_to=other)
    last = foreign.Foreign(program, own, way, only_count=True).attach_clsact(priority=60000)  # sees the mark

    def attach():
        if theirs == "tcx":
            theirs_first.attach_tcx(first=order == "first")
        else:
            theirs_first.attach_clsact(priority=1 if order == "first" else 0)

    if way == foreign.INGRESS:
        traffic = Traffic(there, None, "10.77.0.1")
    else:
        traffic = Traffic(None, there, "10.77.0.2")
    try:
        if order == "older":
            attach()
        weft, page = start_while_packets_pass(agent, traffic)
        attached(page, device)
        before = traffic.sent
        if order != "older":
            attach()
        traffic.round()
        if order == "first" and not (ours == "tcx" and theirs == "clsact"):
            traffic.round(500)
            if way == foreign.INGRESS:  # what goes out is counted by the interface behind all programs: nothing tells there
                until(lambda: interfaces(page)[inode(), device]["shadowed"])
        else:
            assert not interfaces(page)[inode(), device]["shadowed"]
        weft.process.terminate()
        traffic.round()
        weft.process.communicate(timeout=60)
        weft, page = start_while_packets_pass(agent, traffic)
        attached(page, device)
        traffic.round()
        weft.process.kill()
        traffic.round()
        weft.process.communicate()
        weft, page = start_while_packets_pass(agent, traffic)  # which removes what the killed one left
        attached(page, device)
        traffic.round()
        weft.stop()
        traffic.round()
        unseen = 0 if order == "older" else before  # sent when they were not there
        acted = traffic.sent - unseen
        until(lambda: theirs_first.seen(PASSED) >= acted)
        assert [theirs_first.seen(port) for port in PORTS] == [acted] * 4
        until(lambda: last.seen(PASSED) >= traffic.sent)
        received = traffic.received()
        assert received == {DROPPED: unseen, MARKED: traffic.sent, REDIRECTED: unseen, PASSED: traffic.sent}
        assert (last.seen(MARKED, marked=True), last.seen(MARKED)) == (acted, unseen)
        assert last.seen(DROPPED) == last.seen(REDIRECTED) == unseen
        assert int(json.loads(ip("-j", "-s", "link", "show", "dev", aside))[0]["stats64"]["tx"]["packets"]) >= acted
    finally:
        traffic.close()
        theirs_first.close()
        last.close()
