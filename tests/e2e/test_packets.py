# SPDX-License-Identifier: Apache-2.0
"""Packets counted by flow at veths, against the kernel's own counters."""
import json
import subprocess
import time

import pytest

from packets import Pair, Talk, Watch, netns_inode, place, run


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


def flow(shown, netns, way, **fields):
    found = [f for f in shown["flows"] if f["netns"] == netns_inode(netns) and f["way"] == way
             and all(f[name] == value for name, value in fields.items())]
    assert len(found) == 1, found
    return found[0]


def is_end(end, who, *states):
    assert (end["state"] in states, end["tgid"], end["cookie"]) == (True, who["pid"], who["cookie"]), (end, who)


@pytest.mark.parametrize("kind", ["tcp", "udp"])
@pytest.mark.parametrize("address", ["10.77.0.2", "fd77::2"])
def test_both_ends_are_stamped_where_they_can_be_seen(pair, kind, address):
    watch = Watch("-o", *(f"{place(netns)}@{pair.link_netnsid(netns)}" for netns in (pair.a, pair.b)))
    talk = Talk(pair.b, pair.a, kind, address, 7000)
    shown = watch.show()
    port = talk.client["port"]
    there = {"source_port": port, "destination_port": 7000}
    back = {"source_port": 7000, "destination_port": port}
    receiver = ("socket",) if kind == "tcp" else ("listener",)  # of an unconnected UDP socket: whoever is bound there
    sent, received = flow(shown, pair.a, "egress", **there), flow(shown, pair.b, "ingress", **there)
    is_end(sent["source_end"], talk.client, "socket")
    is_end(sent["destination_end"], talk.server, *receiver)  # through the veth
    is_end(received["destination_end"], talk.server, *receiver)
    answered, heard = flow(shown, pair.b, "egress", **back), flow(shown, pair.a, "ingress", **back)
    is_end(answered["source_end"], talk.server, "socket")
    is_end(answered["destination_end"], talk.client, "socket")
    is_end(heard["destination_end"], talk.client, "socket")
    assert sent["packets"] == received["packets"] and answered["packets"] == heard["packets"]
    talk.close()
    watch.close()


def test_a_connection_is_its_pair_of_numbers_and_has_a_handshake(pair):
    watch = Watch(place(pair.a), place(pair.b))
    talk = Talk(pair.b, pair.a, "tcp", "10.77.0.2", 7000)
    talk.close()
    shown = watch.show()
    port = talk.client["port"]
    flows = [flow(shown, netns, way, source_port=source, destination_port=destination)
             for netns, way, source, destination in ((pair.a, "egress", port, 7000), (pair.b, "ingress", port, 7000),
                                                     (pair.b, "egress", 7000, port), (pair.a, "ingress", 7000, port))]
    assert len({f["isn"] for f in flows}) == 1 and flows[0]["isn"] >> 32 and flows[0]["isn"] & 0xffffffff
    times = [flows[0]["syn_time"], flows[1]["syn_time"], flows[2]["syn_ack_time"], flows[3]["syn_ack_time"],
             flows[0]["ack_time"], flows[1]["ack_time"]]
    assert all(times) and times == sorted(times)
    assert all(f["syn"] == 1 and f["fin"] == 1 and f["rst"] == 0 and f["mss"] == 1460 for f in flows)
    assert all(f["repeats"] == f["holes"] == f["out_of_order"] == f["generation"] == 0 for f in flows)
    assert [f["payload_packets"] for f in flows] == [10] * 4
    # What the sender's socket says, at its FIN: two of its segments carry none of the application's data.
    assert flows[0]["segments_out"] >= 12 and flows[0]["srtt_us"] > 0 and flows[2]["srtt_us"] > 0
    watch.close()


REUSE = """
import socket, struct, sys
host, port, source = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
listener = socket.create_server((host, port)) if sys.argv[4] == "serve" else None
print("listening", flush=True)
for _ in range(3):
    if listener:
        s, peer = listener.accept(); s.recv(100); s.close()
    else:
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # leaves by RST: the port is free at once
        s.bind(("", source)); s.connect((host, port)); s.sendall(b"x"); s.close()
sys.stdin.read()
"""


def test_a_tuple_that_serves_another_connection_tells_the_last_ones_counts(pair):
    watch = Watch(place(pair.a))
    processes = [subprocess.Popen(["ip", "netns", "exec", netns, "/usr/bin/python3", "-c", REUSE, "10.77.0.2", "7000", "5555", role],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
                 for netns, role in ((pair.b, "serve"), (pair.a, "call")) if not time.sleep(0.5)]
    for process in reversed(processes):
        process.communicate("", timeout=20)
    shown = watch.show()
    watch.close()
    sent = flow(shown, pair.a, "egress", source_port=5555)
    heard = flow(shown, pair.a, "ingress", destination_port=5555)
    assert sent["generation"] == heard["generation"] == 2 and sent["syn"] == heard["syn"] == 3 and sent["rst"] == 3
    assert shown["reused"] == 4 and shown["counters"]["reused_unreported"] == 0
    assert sent["isn"] == heard["isn"] and shown["reused_isn"] not in (0, sent["isn"])
    assert 0 < shown["reused_packets"] < sent["packets"]
