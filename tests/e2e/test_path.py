# SPDX-License-Identifier: Apache-2.0
"""`weft path`: hops in their order through bridge, NAT, tunnels and proxies; faults made on purpose, each named with its place."""
import json
import signal
import subprocess
import time

import pytest

from conftest import WEFT, Agent, free_port
from lab import Lab

FOUR, SIX = ("10.88.0.2", "10.88.0.3"), ("fd88::2", "fd88::3")


@pytest.fixture
def lab():
    lab = Lab("weft-path")
    yield lab
    lab.close()


@pytest.fixture
def socket(lab, tmp_path):
    """The socket of an agent that sees all of the host's interfaces."""
    socket = tmp_path / "weft.sock"
    weft = Agent(tmp_path / "records.json", "--page", f"127.0.0.1:{free_port()}", "--socket", str(socket), "--packets-scope", "all")
    yield str(socket)
    weft.stop()


def path(socket, source, destination):
    result = subprocess.run([WEFT, "path", "--at", socket, "--format", "json", source, destination],
                            capture_output=True, text=True, timeout=30)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def settled(socket, source, destination, code=None, seconds=12):
    """The answer once it is that code, or the last one: sockets and packets are read once a second."""
    end = time.monotonic() + seconds
    while True:
        answer = path(socket, source, destination)
        if answer["finding"]["code"] == code or time.monotonic() > end:
            return answer
        time.sleep(0.5)


def places(hops):
    return [(h["namespace"], h["interface"], h["direction"]) for h in hops]


def back(way):
    """The same hops from the other end."""
    return [(netns, interface, "ingress" if direction == "egress" else "egress") for netns, interface, direction in reversed(way)]


def over_bridge(lab):
    return [(lab.a, "eth0", "egress"), (lab.r, "va", "ingress"), (lab.r, "vb", "egress"), (lab.b, "eth0", "ingress")]


def at(hop, end):
    return f"{hop[end]}:{hop[end + '_port']}"


def assert_healthy(answer, way, packets_equal=True):
    assert answer["finding"]["code"] == "ok", answer["finding"]
    part, = answer["parts"]
    assert places(part["hops"]) == way
    assert places(part["reverse"]) == back(way)
    for hops in (part["hops"], part["reverse"]):
        assert [h["order"] for h in hops] == list(range(1, len(hops) + 1))
        assert len({h["segments"] for h in hops}) == 1 and hops[0]["segments"] > 2
        assert all(h.get("lost_after", 0) == 0 and "drops" not in h for h in hops)
        assert all(h["from_before_ns"] > 0 for h in hops[1:])
    assert all(h["rtt_ns"] > 0 for h in part["hops"])
    assert part["hops"][0]["rtt_ns"] > part["hops"][-1]["rtt_ns"]
    return part


@pytest.mark.parametrize("ends", [FOUR, SIX], ids=["v4", "v6"])
def test_over_a_bridge(lab, socket, ends):
    server = lab.serve(lab.b, ends[1], 8000)
    client = lab.start_client(lab.a, ends[1], 8000, count=3)
    assert client.communicate()[0] == "ok\n"
    answer = settled(socket, ends[0], f"[{ends[1]}]:8000", "ok")
    part = assert_healthy(answer, over_bridge(lab))
    assert part["connections"] == 3 and part["server"]["pid"] == server.pid
    assert part["hops"][-1]["owner"]["pid"] == server.pid and part["hops"][0]["owner"]["pid"] == part["client"]["pid"]


@pytest.mark.parametrize("six", [False, True], ids=["v4", "v6"])
def test_dnat_from_outside(lab, socket, six):
    tables, host, to = ("ip6tables", "fd89::1", "[fd88::3]:8000") if six else ("iptables", "192.0.2.1", "10.88.0.3:8000")
    lab.within(lab.r, tables, "-t", "nat", "-A", "PREROUTING", "-p", "tcp", "--dport", "9000", "-j", "DNAT", "--to", to)
    lab.serve(lab.b, "fd88::3" if six else "10.88.0.3", 8000)
    assert lab.connect(lab.w, host, 9000) == "ok"
    way = [(lab.w, "eth0", "egress"), (lab.r, "out", "ingress"), (lab.r, "br0", "egress"), (lab.r, "vb", "egress"), (lab.b, "eth0", "ingress")]
    part = assert_healthy(settled(socket, "fd89::9" if six else "192.0.2.9", ":9000", "ok"), way)
    rewritten = part["hops"][2]["rewritten"]
    assert (rewritten["kind"], rewritten["namespace"]) == ("dnat", lab.r)
    assert rewritten["to"] == to and rewritten["from"].endswith(":9000")
    assert [h["destination_port"] for h in part["hops"]] == [9000, 9000, 8000, 8000, 8000]
    assert all("rewritten" not in h for i, h in enumerate(part["hops"]) if i != 2)


def test_dnat_of_a_hosts_own_address(lab, socket):
    lab.within(lab.r, "iptables", "-t", "nat", "-A", "OUTPUT", "-p", "tcp", "--dport", "9000", "-j", "DNAT", "--to", "10.88.0.3:8000")
    server = lab.serve(lab.b, "10.88.0.3", 8000)
    assert lab.connect(lab.r, "192.0.2.1", 9000) == "ok"
    answer = settled(socket, "*", "10.88.0.3:8000", "ok")
    part = assert_healthy(answer, [(lab.r, "br0", "egress"), (lab.r, "vb", "egress"), (lab.b, "eth0", "ingress")])
    assert part["server"]["pid"] == server.pid and part["client"]["pid"] != server.pid


@pytest.mark.parametrize("six", [False, True], ids=["v4", "v6"])
def test_masquerade(lab, socket, six):
    tables, host = ("ip6tables", "fd89::9") if six else ("iptables", "192.0.2.9")
    lab.within(lab.r, tables, "-t", "nat", "-A", "POSTROUTING", "-o", "out", "-j", "MASQUERADE")
    server = lab.serve(lab.w, host, 8000)
    assert lab.connect(lab.a, host, 8000) == "ok"
    way = [(lab.a, "eth0", "egress"), (lab.r, "va", "ingress"), (lab.r, "br0", "ingress"), (lab.r, "out", "egress"), (lab.w, "eth0", "ingress")]
    part = assert_healthy(settled(socket, SIX[0] if six else FOUR[0], f"[{host}]:8000", "ok"), way)
    assert part["hops"][3]["rewritten"]["kind"] == "snat"
    assert part["hops"][3]["source"] == ("fd89::1" if six else "192.0.2.1") and part["hops"][2]["source"] == (SIX if six else FOUR)[0]
    assert part["server"]["pid"] == server.pid


def test_a_proxy_is_between(lab, socket):
    lab.serve(lab.b, "10.88.0.3", 8000)
    proxy = lab.proxy(lab.r, "192.0.2.1", 9000, "10.88.0.3", 8000)
    assert lab.connect(lab.w, "192.0.2.1", 9000) == "ok"
    answer = settled(socket, "192.0.2.9", "10.88.0.3", "ok")
    assert answer["finding"]["code"] == "ok" and "is between" in answer["finding"]["text"]
    first, second = answer["parts"]
    assert places(first["hops"]) == [(lab.w, "eth0", "egress"), (lab.r, "out", "ingress")]
    assert places(second["hops"]) == [(lab.r, "br0", "egress"), (lab.r, "vb", "egress"), (lab.b, "eth0", "ingress")]
    assert [p["pid"] for p in answer["proxies"]] == [proxy.pid]
    assert first["conn_id"] != second["conn_id"]


def test_vxlan(lab, socket):
    """A tunnel from a to b over the bridge: inside and outside told apart, hops of both in one path."""
    for netns, other, inner in ((lab.a, "10.88.0.3", 1), (lab.b, "10.88.0.2", 2)):
        local = "10.88.0.2" if netns == lab.a else "10.88.0.3"
        lab.ip(netns, f"link add vx type vxlan id 77 local {local} remote {other} dstport 4789 dev eth0")
        lab.address(netns, "vx", f"10.99.0.{inner}/24", f"fd99::{inner}/64")
    lab.within(lab.a, "ping", "-c", "1", "-W", "2", "10.99.0.2")
    lab.serve(lab.b, "10.99.0.2", 8000)
    assert lab.connect(lab.a, "10.99.0.2", 8000) == "ok"
    way = [(lab.a, "vx", "egress"), *over_bridge(lab), (lab.b, "vx", "ingress")]
    part = assert_healthy(settled(socket, "10.99.0.1", "10.99.0.2:8000", "ok"), way)
    assert [("tunnel" in h) for h in part["hops"]] == [False, True, True, True, True, False]
    assert part["hops"][1]["tunnel"] == {"kind": "vxlan", "id": 77, "source": "10.88.0.2", "destination": "10.88.0.3"}


# ---- faults ----

def test_nothing_was_sent(lab, socket):
    assert path(socket, "10.88.0.2", ":4711")["finding"]["code"] == "not_seen"


def test_dropped_by_a_rule(lab, socket):
    lab.serve(lab.b, "10.88.0.3", 8000)
    lab.within(lab.b, "iptables", "-A", "INPUT", "-p", "tcp", "--dport", "8000", "-j", "DROP")
    assert lab.connect(lab.a, "10.88.0.3", 8000, timeout=2).startswith("TimeoutError")
    finding = settled(socket, "10.88.0.2", "10.88.0.3:8000", "dropped")["finding"]
    assert finding["code"] == "dropped", finding
    assert (finding["interface"], finding["namespace"], finding["order"]) == ("eth0", lab.b, 4)
    assert "INPUT" in finding["text"] and finding["causes"][0]["packets"] >= 2


def test_rejected_by_a_rule(lab, socket):
    lab.serve(lab.w, "192.0.2.9", 8000)
    for number, how in enumerate(("icmp-port-unreachable", "tcp-reset")):
        lab.within(lab.r, "iptables", "-F", "FORWARD")
        lab.within(lab.r, "iptables", "-A", "FORWARD", "-p", "tcp", "--dport", "8000", "-j", "REJECT", "--reject-with", how)
        assert lab.connect(lab.a, "192.0.2.9", 8000).startswith("ConnectionRefusedError")
        finding = settled(socket, "10.88.0.2", "192.0.2.9:8000", "rejected")["finding"]
        assert finding["code"] == "rejected" and finding["namespace"] == lab.r, finding
        assert "FORWARD" in finding["text"]


def test_no_route(lab, socket):
    lab.ip(lab.r, "route add unreachable 198.51.100.0/24")
    assert "113" in lab.connect(lab.a, "198.51.100.7", 8000)
    finding = settled(socket, "10.88.0.2", "198.51.100.7", "no_route")["finding"]
    assert finding["code"] == "no_route" and "10.88.0.1" in finding["text"], finding


def test_nobody_listens(lab, socket):
    assert lab.connect(lab.a, "10.88.0.3", 8000).startswith("ConnectionRefusedError")
    finding = settled(socket, "10.88.0.2", "10.88.0.3:8000", "no_listener")["finding"]
    assert finding["code"] == "no_listener", finding
    assert (finding["interface"], finding["namespace"]) == ("eth0", lab.b)


def test_a_stopped_server(lab, socket):
    server = lab.serve(lab.b, "10.88.0.3", 8000)
    server.send_signal(signal.SIGSTOP)
    try:
        client = lab.start_client(lab.a, "10.88.0.3", 8000, timeout=30)
        finding = settled(socket, "10.88.0.2", "10.88.0.3:8000", "peer_stalled", 20)["finding"]
        assert finding["code"] == "peer_stalled" and "frozen or stopped" in finding["text"], finding
        assert "100 bytes" in finding["text"]
    finally:
        server.send_signal(signal.SIGCONT)
    assert client.communicate(timeout=30)[0] == "ok\n"
    assert settled(socket, "10.88.0.2", "10.88.0.3:8000", "ok")["finding"]["code"] == "ok"


def test_a_narrow_way_and_icmp_blocked(lab, socket):
    lab.serve(lab.w, "192.0.2.9", 8000)
    lab.within(lab.r, "ip", "link", "set", "out", "mtu", "1300")
    lab.within(lab.a, "iptables", "-A", "INPUT", "-p", "icmp", "-j", "DROP")
    client = lab.start_client(lab.a, "192.0.2.9", 8000, size=20000, timeout=30)
    finding = settled(socket, "10.88.0.2", "192.0.2.9:8000", "mtu", 25)["finding"]
    assert finding["code"] == "mtu" and finding["namespace"] == lab.r, finding
    client.kill()


def test_a_full_listen_queue(lab, socket):
    lab.serve(lab.b, "10.88.0.3", 8000, backlog=1, mode="silent")
    clients = [lab.start_client(lab.a, "10.88.0.3", 8000, timeout=20) for _ in range(6)]
    finding = settled(socket, "10.88.0.2", "10.88.0.3:8000", "listen_queue_full", 15)["finding"]
    assert finding["code"] == "listen_queue_full" and finding["namespace"] == lab.b, finding
    for client in clients:
        client.kill()


def test_loss(lab, socket):
    lab.serve(lab.b, "10.88.0.3", 8000)
    lab.within(lab.b, "iptables", "-A", "INPUT", "-p", "tcp", "--dport", "8000", "-m", "statistic", "--mode", "nth", "--every", "20", "--packet", "0", "-j", "DROP")
    assert lab.connect(lab.a, "10.88.0.3", 8000, size=2000, count=30, timeout=20) == "ok"
    answer = settled(socket, "10.88.0.2", "10.88.0.3:8000", "loss")
    finding = answer["finding"]
    assert finding["code"] == "loss" and (finding["interface"], finding["namespace"]) == ("eth0", lab.b), finding
    assert 0.03 < finding["causes"][0]["share"] < 0.08
    dropped = sum(d["packets"] for d in answer["parts"][0]["hops"][-1]["drops"])
    counted = lab.within(lab.b, "iptables", "-nvxL", "INPUT").splitlines()[2].split()[0]
    assert dropped == int(counted) == finding["causes"][0]["packets"]


def test_two_drops(lab, socket):
    lab.serve(lab.w, "192.0.2.9", 8000)
    for netns, chain in ((lab.r, "FORWARD"), (lab.w, "INPUT")):
        lab.within(netns, "iptables", "-A", chain, "-p", "tcp", "--dport", "8000", "-m", "statistic", "--mode", "nth", "--every", "9", "--packet", "0", "-j", "DROP")
    assert lab.connect(lab.a, "192.0.2.9", 8000, size=2000, count=30, timeout=20) == "ok"
    finding = settled(socket, "10.88.0.2", "192.0.2.9:8000", "loss")["finding"]
    assert finding["code"] == "loss" and len(finding["causes"]) == 2, finding
    assert "FORWARD" in finding["text"] and "INPUT" in finding["text"]


def test_resets_are_of_whoever_sends_them(lab, socket):
    lab.serve(lab.b, "10.88.0.3", 8000, mode="reset")
    assert lab.connect(lab.a, "10.88.0.3", 8000).startswith("ConnectionResetError")
    answer = settled(socket, "10.88.0.2", "10.88.0.3:8000", "reset")
    assert answer["finding"]["code"] == "reset" and answer["finding"]["direction"] == "reverse", answer["finding"]
    assert answer["finding"]["namespace"] == lab.b
