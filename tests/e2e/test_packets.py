# SPDX-License-Identifier: Apache-2.0
"""Packets counted by flow at veths, against the kernel's own counters."""
import json
import subprocess
import time

import pytest

from packets import Pair, Watch, netns_inode, place, run


@pytest.fixture
def pair():
    pair = Pair("weft-packets")
    yield pair
    pair.close()


def iperf(pair, *options):
    server = subprocess.Popen(["ip", "netns", "exec", pair.b, "iperf3", "-s", "-1"], stdout=subprocess.DEVNULL)
    time.sleep(0.3)
    try:
        return json.loads(run("ip", "netns", "exec", pair.a, "iperf3", "-J", "-c", *options))
    finally:
        server.wait(20)


def sums(balance, netns, way):
    return next(b for b in balance if b["netns"] == netns_inode(netns) and b["way"] == way)


def grown(before, after):
    return {way: tuple(b - a for a, b in zip(before[way], after[way])) for way in after}


def watch_while_quiet(pair):
    """What the interfaces had counted when the programs came: attached again if a packet of IPv6's own passed meanwhile."""
    while True:
        before = {netns: pair.counters(netns) for netns in (pair.a, pair.b)}
        watch = Watch(place(pair.a), place(pair.b))
        if before == {netns: pair.counters(netns) for netns in (pair.a, pair.b)}:
            return before, watch
        watch.close()


def show_while_quiet(pair, watch):
    """What weft and what the interfaces counted, both of the same moment."""
    while True:
        counted = {netns: pair.counters(netns) for netns in (pair.a, pair.b)}
        shown = watch.show()
        if counted == {netns: pair.counters(netns) for netns in (pair.a, pair.b)}:
            return shown, counted


@pytest.mark.parametrize("options", [
    ("10.77.0.2", "-n", "200M"),
    ("fd77::2", "-n", "200M"),
    ("10.77.0.2", "-n", "20M", "-M", "536", "-R"),
    ("10.77.0.2", "-u", "-b", "200M", "-t", "1", "-l", "1200"),
    ("10.77.0.2", "-u", "-b", "200M", "-t", "1", "-l", "9000"),  # in fragments
], ids=["tcp4", "tcp6", "small segments", "udp", "fragments"])
def test_sums_are_the_interfaces_own(pair, options):
    before, watch = watch_while_quiet(pair)
    snmp = {netns: pair.tcp_segments_sent(netns) for netns in (pair.a, pair.b)}
    iperf(pair, *options)
    shown, after = show_while_quiet(pair, watch)
    watch.close()
    assert shown["result"] == 0 and shown["malformed"] == 0
    for netns in (pair.a, pair.b):
        counted = grown(before[netns], after[netns])
        for way in ("ingress", "egress"):
            balance = sums(shown["balance"], netns, way)
            flows = [f for f in shown["flows"] if f["netns"] == netns_inode(netns) and f["way"] == way]
            assert tuple(balance["total"]) == counted[way]
            assert (sum(f["packets"] for f in flows), sum(f["bytes"] for f in flows)) == counted[way]
            assert balance["living"] == balance["total"]
        said = pair.tcp_segments_sent(netns)
        sent = sum(said[name] - snmp[netns][name] for name in ("OutSegs", "RetransSegs"))
        assert sent == sum(f["segments"] for f in shown["flows"]
                           if f["netns"] == netns_inode(netns) and f["way"] == "egress" and f["protocol"] == 6)
