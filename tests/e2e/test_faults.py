# SPDX-License-Identifier: Apache-2.0
"""Faults made on purpose: `weft path` names each with the hop where it is, and finds nothing on healthy paths."""
import json
import socket
import subprocess
import time

import pytest

from conftest import WEFT
from containers import containers, daemon, docker, image  # noqa: F401 (fixtures)
from routed import ECHO, ask, routed, run, settle  # noqa: F401 (fixture)

PORT = 7000


class Paths:
    """An agent that sees every namespace, asked by `weft path`."""

    def __init__(self, agent, folder):
        self.socket = folder / "weft.sock"
        agent("--socket", str(self.socket), "--packets-scope", "all")

    def ask(self, origin, target):
        settle()
        done = subprocess.run([WEFT, "path", origin, target, "--at", self.socket, "--format", "json"], capture_output=True,
                              text=True, timeout=30)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def text(self, origin, target):
        done = subprocess.run([WEFT, "path", origin, target, "--at", self.socket], capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def paths(agent, tmp_path):
    return Paths(agent, tmp_path)


def finding(answer):
    """Code and where: the hop's interface and namespace."""
    found = answer["finding"]
    return found["code"], found.get("interface"), found.get("namespace")


def hops(answer):
    assert len(answer["parts"]) == 1, answer["parts"]
    return [hop["interface"] for hop in answer["parts"][0]["hops"]]


@pytest.fixture(params=[4, 6], ids=["IPv4", "IPv6"])
def family(request):
    return request.param


def address_of(routed, family):
    return routed.SERVER if family == 4 else routed.SERVER6


def test_a_healthy_path_is_found_healthy_hop_by_hop(paths, routed, family):
    server = address_of(routed, family)
    routed.start(routed.server, ECHO, server, PORT)
    assert ask(routed, server, PORT) == 20
    target = f"[{server}]:{PORT}" if family == 6 else f"{server}:{PORT}"
    answer = paths.ask(routed.CLIENT if family == 4 else routed.CLIENT6, target)
    assert finding(answer)[0] == "ok", json.dumps(answer)
    assert hops(answer) == ["c0", "r0", "r1", "s0"]
    there = answer["parts"][0]["hops"]
    assert len({hop["packets"] for hop in there}) == 1 and there[0]["packets"] > 20
    assert not any(hop.get("lost_after") for hop in there)
    text = paths.text(routed.CLIENT if family == 4 else routed.CLIENT6, target)
    assert all(name in text for name in ("c0", "r0", "r1", "s0"))


def test_iptables_drop_is_named_with_its_hop(paths, routed):
    routed.start(routed.server, ECHO, routed.SERVER, PORT)
    routed.iptables(routed.router, "-A", "FORWARD", "-p", "tcp", "--dport", PORT, "-j", "DROP")
    assert ask(routed, routed.SERVER, PORT) == 0
    answer = paths.ask(routed.CLIENT, f"{routed.SERVER}:{PORT}")
    assert finding(answer) == ("dropped", "r0", routed.router)
    assert "netfilter" in answer["finding"]["text"].lower() and "forward" in answer["finding"]["text"].lower()
    drops = [drop for hop in answer["parts"][0]["hops"] for drop in hop.get("drops", [])]
    assert sum(drop["packets"] for drop in drops) == sum(routed.dropped(routed.router, "FORWARD")) > 0


@pytest.mark.parametrize("how", ["tcp-reset", "icmp-port-unreachable"])
def test_iptables_reject_is_told_from_drop(paths, routed, how):
    routed.start(routed.server, ECHO, routed.SERVER, PORT)
    routed.iptables(routed.router, "-A", "FORWARD", "-p", "tcp", "--dport", PORT, "-j", "REJECT", "--reject-with", how)
    assert ask(routed, routed.SERVER, PORT) == 0
    answer = paths.ask(routed.CLIENT, f"{routed.SERVER}:{PORT}")
    assert finding(answer) == ("rejected", "r0", routed.router)


def test_no_route_is_named_with_the_router_that_has_none(paths, routed):
    run("ip", "-n", routed.router, "route", "del", "10.251.2.0/24")
    assert ask(routed, routed.SERVER, PORT) == 0
    answer = paths.ask(routed.CLIENT, f"{routed.SERVER}:{PORT}")
    assert finding(answer) == ("no_route", "r0", routed.router)


def test_a_route_that_the_client_itself_lacks_is_named(paths, routed):
    run("ip", "-n", routed.client, "route", "del", "default")
    assert ask(routed, routed.SERVER, PORT) == 0
    answer = paths.ask(routed.CLIENT, f"{routed.SERVER}:{PORT}")
    assert answer["finding"]["code"] in ("no_route", "not_seen")


def test_nobody_listening_is_named_with_the_servers_hop(paths, routed):
    assert ask(routed, routed.SERVER, PORT) == 0
    answer = paths.ask(routed.CLIENT, f"{routed.SERVER}:{PORT}")
    assert finding(answer) == ("no_listener", "s0", routed.server)


def test_a_wrong_mtu_with_icmp_blocked_is_named_with_the_hop_that_is_too_small(paths, routed):
    routed.start(routed.server, ECHO, routed.SERVER, PORT)
    run("ip", "-n", routed.router, "link", "set", "r1", "mtu", 1200)
    routed.iptables(routed.router, "-A", "OUTPUT", "-p", "icmp", "-j", "DROP")
    routed.inside(routed.client, "sysctl", "-q", "-w", "net.ipv4.tcp_mtu_probing=0")
    assert ask(routed, routed.SERVER, PORT, times=1) == 1
    assert ask(routed, routed.SERVER, PORT, times=1, size=20000) == 0
    answer = paths.ask(routed.CLIENT, f"{routed.SERVER}:{PORT}")
    assert finding(answer)[0] == "mtu" and finding(answer)[2] == routed.router
    assert "1200" in answer["finding"]["text"]


FULL = """
    import socket, sys, time
    server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=1)
    print('ready', flush=True)
    time.sleep(600)
"""
MANY = """
    import socket, sys, time
    all = []
    for _ in range(8):
        one = socket.socket()
        one.setblocking(False)
        one.connect_ex((sys.argv[1], int(sys.argv[2])))
        all.append(one)
    print('ready', flush=True)
    time.sleep(600)
"""


def test_a_full_listen_queue_is_named(paths, routed):
    routed.start(routed.server, FULL, routed.SERVER, PORT)
    routed.start(routed.client, MANY, routed.SERVER, PORT)
    time.sleep(4)
    answer = paths.ask(routed.CLIENT, f"{routed.SERVER}:{PORT}")
    assert finding(answer) == ("listen_queue_full", "s0", routed.server)


def test_loss_on_one_link_is_named_with_its_share(paths, routed):
    routed.start(routed.server, ECHO, routed.SERVER, PORT)
    routed.iptables(routed.server, "-A", "INPUT", "-i", "s0", "-m", "statistic", "--mode", "nth", "--every", 20, "--packet", 0, "-j", "DROP")
    assert ask(routed, routed.SERVER, PORT, times=300, patience=20) == 300
    answer = paths.ask(routed.CLIENT, f"{routed.SERVER}:{PORT}")
    assert finding(answer) == ("loss", "s0", routed.server)
    drops = [drop for hop in answer["parts"][0]["hops"] for drop in hop.get("drops", [])]
    assert sum(drop["packets"] for drop in drops) == sum(routed.dropped(routed.server, "INPUT")) > 10


def test_two_drops_on_one_path_are_both_named(paths, routed):
    routed.start(routed.server, ECHO, routed.SERVER, PORT)
    for namespace, chain in ((routed.router, "FORWARD"), (routed.server, "INPUT")):
        routed.iptables(namespace, "-A", chain, "-p", "tcp", "--dport", PORT, "-m", "statistic", "--mode", "nth", "--every", 15,
                        "--packet", 0, "-j", "DROP")
    assert ask(routed, routed.SERVER, PORT, times=300, patience=20) == 300
    answer = paths.ask(routed.CLIENT, f"{routed.SERVER}:{PORT}")
    assert finding(answer)[0] == "loss"
    text = answer["finding"]["text"]
    assert "r0" in text and "s0" in text
    counted = {hop["interface"]: sum(drop["packets"] for drop in hop.get("drops", [])) for hop in answer["parts"][0]["hops"]}
    assert counted["r0"] + counted["r1"] == sum(routed.dropped(routed.router, "FORWARD")) > 0
    assert counted["s0"] == sum(routed.dropped(routed.server, "INPUT")) > 0


RESETS = """
    import socket, struct, sys, time
    server = socket.create_server((sys.argv[1], int(sys.argv[2])))
    print('ready', flush=True)
    while True:
        peer = server.accept()[0]
        peer.recv(100)
        if sys.argv[3] == 'server':
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
            peer.close()
        else:
            peer.sendall(b'answer')
            time.sleep(0.3)
            peer.close()
"""
RESET_BY = """
    import socket, struct, sys
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=3) as peer:
        peer.sendall(b'question')
        if sys.argv[3] == 'client':
            peer.recv(100)
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        else:
            try:
                peer.recv(100)
            except ConnectionResetError:
                print('reset')
"""


@pytest.mark.parametrize("side", ["client", "server"])
def test_a_reset_is_attributed_to_the_side_that_sent_it(paths, routed, side):
    routed.start(routed.server, RESETS, routed.SERVER, PORT, side)
    routed.python(routed.client, RESET_BY, routed.SERVER, str(PORT), side)
    answer = paths.ask(routed.CLIENT, f"{routed.SERVER}:{PORT}")
    hop = ("c0", routed.client) if side == "client" else ("s0", routed.server)
    assert finding(answer) == ("reset", *hop)


def test_a_paused_container_is_named_by_its_growing_queue(paths, containers):
    server = containers.httpd("stalled", PORT)
    address = containers.address("stalled")
    with socket.create_connection((address, PORT), timeout=5) as peer:
        time.sleep(0.2)
        docker("pause", server)
        try:
            for _ in range(20):
                peer.sendall(b"x" * 1000)
                time.sleep(0.1)
            answer = paths.ask("*", f"{address}:{PORT}")
        finally:
            docker("unpause", server)
    assert answer["finding"]["code"] == "peer_stalled"
    assert "frozen" in answer["finding"]["text"] or "paused" in answer["finding"]["text"]


def test_the_same_container_not_paused_is_healthy(paths, containers):
    containers.httpd("well", PORT)
    address = containers.address("well")
    for _ in range(5):
        subprocess.run(["curl", "-s", "-o", "/dev/null", f"http://{address}:{PORT}/"], check=True)
    answer = paths.ask("curl", f"{address}:{PORT}")
    assert answer["finding"]["code"] == "ok"
