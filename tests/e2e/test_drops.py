# SPDX-License-Identifier: Apache-2.0
"""Packets that the kernel drops are named by reason and place, and counted as the kernel itself counts them."""
import os
import re
import select
import signal
import socket
import struct
import subprocess
import threading
import time

import pytest

from troubles import ICMP_ERROR, PORT, RESET_RECEIVED, RESET_SENT, RETRANSMIT, Lab, Troubles

CLIENT, SERVER = {4: "10.77.1.2", 6: "fd77:1::2"}, {4: "10.77.2.2", 6: "fd77:2::2"}
FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
MANY = 50


@pytest.fixture(scope="session", autouse=True)
def one_run_at_a_time():
    """There is no agent here, and these namespaces are nobody else's: nothing to wait for."""


@pytest.fixture(scope="module")
def lab():
    lab = Lab()
    for family in (4, 6):  # neighbours are known from here on
        with lab.server.listen(SERVER[family]), lab.client.connect(SERVER[family]):
            pass
    yield lab
    lab.remove()


@pytest.fixture
def troubles(lab):
    troubles = Troubles(lab)
    yield troubles
    troubles.stop()


def send(namespace, address, many=MANY, length=100, ttl=None):
    with namespace.open(family=FAMILIES[6 if ":" in address else 4]) as one:
        if ttl:
            one.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
        for _ in range(many):
            try:
                one.sendto(b"x" * length, (address, PORT))
            except OSError:  # an ICMP error of the one before, or what netfilter says to the sender
                pass


def only(rows):
    assert len(rows) == 1, rows
    return rows[0]


def settle(read, want, seconds=5):
    """What `read` gives, as soon as it is what is wanted, or at the end."""
    end = time.monotonic() + seconds
    while (got := read()) != want and time.monotonic() < end:
        time.sleep(0.05)
    return got


# ---- netfilter ----

HOOKS = [("raw", "PREROUTING", "router"), ("mangle", "PREROUTING", "router"), ("filter", "INPUT", "server"),
         ("filter", "FORWARD", "router"), ("mangle", "FORWARD", "router"), ("filter", "OUTPUT", "client"),
         ("raw", "OUTPUT", "client"), ("mangle", "POSTROUTING", "router"), ("mangle", "POSTROUTING", "client")]


def chains(troubles, namespace):
    """Which chains can drop, by family and hook."""
    found = troubles.ask(f"chains /run/netns/{namespace.name}")[0]
    return {where: names for where, names in found.items() if where}


@pytest.mark.parametrize("tool", ["iptables-legacy", "iptables-nft", "ip6tables-legacy", "ip6tables-nft"])
@pytest.mark.parametrize("table, hook, where", HOOKS, ids=[f"{t}-{h}-{w}" for t, h, w in HOOKS])
def test_netfilter(lab, troubles, tool, table, hook, where):
    family = 6 if tool.startswith("ip6") else 4
    namespace = getattr(lab, where)
    rule = [hook, "-p", "udp", "--dport", PORT, "-j", "DROP"]
    namespace(tool, "-w", "-t", table, "-A", *rule)
    try:
        send(lab.client, SERVER[family])
        listing = namespace(tool, "-w", "-t", table, "-nvxL", hook)
        assert chains(troubles, namespace) == {f"{family} {hook}": f"{table} {hook}"}
    finally:
        namespace(tool, "-w", "-t", table, "-D", *rule)
    packets, size = map(int, re.search(r"^ *(\d+) +(\d+) +DROP", listing, re.M).groups())
    drop = only(troubles.drops(destination_port=PORT, reason="NETFILTER_DROP"))
    assert packets == MANY
    assert (drop["packets"], drop["bytes"], drop["segments"]) == (packets, size, packets)
    assert (drop["hook"], drop["netns"]) == (hook, namespace.inode)
    assert (drop["source"], drop["destination"], drop["protocol"]) == (CLIENT[family], SERVER[family], 17)
    device = {"router": "r1" if hook == "POSTROUTING" else "r0", "server": "s0", "client": "c0"}[where]
    assert drop["ifindex"] == namespace.ifindex(device)


@pytest.mark.parametrize("tool", ["iptables-legacy", "iptables-nft"])
def test_chains_that_can_drop(lab, troubles, tool):
    """Several at one hook, one by way of another chain, a policy, a REJECT; what accepts only is not named."""
    def change(*words):
        lab.server(tool, "-w", *words)
    change("-N", "inner")
    try:
        change("-A", "inner", "-s", "192.0.2.1", "-j", "DROP")
        change("-A", "INPUT", "-p", "udp", "-j", "inner")
        change("-t", "mangle", "-A", "INPUT", "-s", "192.0.2.2", "-j", "DROP")
        change("-A", "OUTPUT", "-p", "tcp", "-d", "192.0.2.3", "-j", "REJECT")
        change("-t", "raw", "-A", "PREROUTING", "-p", "udp", "-j", "ACCEPT")
        change("-P", "FORWARD", "DROP")
        found = chains(troubles, lab.server)
    finally:
        change("-P", "FORWARD", "ACCEPT")
        for table in ("filter", "mangle", "raw"):
            change("-t", table, "-F")
        change("-X", "inner")
    both = found.pop("4 INPUT")
    assert both.startswith("one of ") and set(both[7:].split(", ")) == {"filter INPUT", "mangle INPUT"}
    assert found == {"4 OUTPUT": "filter OUTPUT", "4 FORWARD": "filter FORWARD"}
    assert chains(troubles, lab.server) == {}


def test_many_drops_at_one_hook(lab, troubles):
    """More in a second than are looked at one by one: all are counted, and those without a hook, too."""
    lab.server("iptables-legacy", "-w", "-A", "INPUT", "-p", "udp", "-j", "DROP")
    try:
        send(lab.client, SERVER[4], 20000)
        listing = lab.server("iptables-legacy", "-w", "-nvxL", "INPUT")
    finally:
        lab.server("iptables-legacy", "-w", "-F", "INPUT")
    packets = int(re.search(r"^ *(\d+) +\d+ +DROP", listing, re.M).group(1))
    drops = troubles.drops(destination_port=PORT, reason="NETFILTER_DROP")
    assert packets == 20000
    assert sum(drop["packets"] for drop in drops) == packets
    untold = sum(drop["packets"] for drop in drops if not drop["hook"])
    assert {drop["hook"] for drop in drops} <= {"INPUT", ""}
    assert untold <= troubles.counters()["drops_hook_untold"]


def test_reject_is_a_drop_with_an_answer(lab, troubles):
    rule = ["FORWARD", "-p", "tcp", "--dport", PORT, "-j", "REJECT", "--reject-with", "tcp-reset"]
    lab.router("iptables-legacy", "-w", "-A", *rule)
    try:
        with pytest.raises(ConnectionRefusedError):
            lab.client.connect(SERVER[4])
    finally:
        lab.router("iptables-legacy", "-w", "-D", *rule)
    drop = only(troubles.drops(destination_port=PORT))
    assert (drop["reason"], drop["hook"], drop["packets"], drop["flags"]) == ("NETFILTER_DROP", "FORWARD", 1, 2)


# ---- the rest of the way ----

def expect(lab, troubles, namespace, counters, reason, act, many=MANY, **want):
    """`act` makes drops of that reason, as many as the namespace's own counters rise."""
    before = namespace.counter(*counters)
    act()
    assert settle(lambda: namespace.counter(*counters) - before, many) == many
    drops = troubles.drops(reason=reason, netns=namespace.inode, **want)
    assert sum(drop["packets"] for drop in drops) == many, troubles.drops()
    assert all(drop["text"] for drop in drops)
    return drops


@pytest.mark.parametrize("family", [4, 6])
def test_no_route(lab, troubles, family):
    target = {4: "10.99.9.9", 6: "fd99::9"}[family]
    counters = {4: ["IpExtInNoRoutes"], 6: ["Ip6InNoRoutes"]}[family]
    drops = expect(lab, troubles, lab.router, counters, {4: "IP_INNOROUTES", 6: "IP_INNOROUTES"}[family],
                   lambda: send(lab.client, target))
    assert only(drops)["destination"] == target
    assert drops[0]["class"] == 3


@pytest.mark.parametrize("family", [4, 6])
def test_nobody_listens_udp(lab, troubles, family):
    counters = {4: ["UdpNoPorts"], 6: ["Udp6NoPorts"]}[family]
    drop = only(expect(lab, troubles, lab.server, counters, "NO_SOCKET", lambda: send(lab.client, SERVER[family])))
    assert (drop["ifindex"], drop["class"], drop["cookie"]) == (lab.server.ifindex("s0"), 4, 0)


@pytest.mark.parametrize("family", [4, 6])
def test_nobody_listens_tcp(lab, troubles, family):
    def act():
        for _ in range(10):
            with pytest.raises(ConnectionRefusedError):
                lab.client.connect(SERVER[family])
    drops = expect(lab, troubles, lab.server, ["TcpOutRsts"], "NO_SOCKET", act, 10)
    assert all(drop["flags"] == 2 and drop["destination_port"] == PORT for drop in drops)
    resets = troubles.rows("troubles")
    sent = [row for row in resets if row["kind"] == RESET_SENT]
    assert len(sent) == 10
    assert all((row["source"], row["source_port"], row["reason"], row["cookie"], row["netns"]) ==
               (SERVER[family], PORT, "NO_SOCKET", 0, lab.server.inode) for row in sent)
    received = [row for row in resets if row["kind"] == RESET_RECEIVED]
    assert sorted(row["destination_port"] for row in received) == sorted(row["destination_port"] for row in sent)
    assert all(row["netns"] == lab.client.inode and row["source"] == SERVER[family] for row in received)


def test_reverse_path(lab, troubles):
    """The router takes 10.77.2.0/24 to be elsewhere than where this comes from."""
    lab.router.sysctl(net__ipv4__conf__r0__rp_filter=1)
    lab.client.ip("address", "add", "10.88.0.1/32", "dev", "lo")

    def act():
        with lab.client.open() as one:
            one.bind(("10.88.0.1", 0))
            for _ in range(MANY):
                one.sendto(b"x", (SERVER[4], PORT))
    try:
        lab.router.ip("route", "add", "10.88.0.0/24", "via", SERVER[4])
        drop = only(expect(lab, troubles, lab.router, ["TcpExtIPReversePathFilter"], "IP_RPFILTER", act))
    finally:
        lab.router.ip("route", "del", "10.88.0.0/24")
        lab.client.ip("address", "del", "10.88.0.1/32", "dev", "lo")
        lab.router.sysctl(net__ipv4__conf__r0__rp_filter=0)
    assert (drop["source"], drop["ifindex"], drop["class"]) == ("10.88.0.1", lab.router.ifindex("r0"), 9)


def raw_ipv4(protocol, body):
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(body), 1, 0, 64, protocol, 0, socket.inet_aton(CLIENT[4]),
                       socket.inet_aton(SERVER[4]))
    return head + body


@pytest.mark.parametrize("reason, counter, protocol, body", [
    ("UDP_CSUM", "UdpInCsumErrors", 17, struct.pack("!HHHH", 4000, PORT, 12, 0xbeef) + b"abcd"),
    ("TCP_CSUM", "TcpInCsumErrors", 6, struct.pack("!HHIIBBHHH", 4000, PORT, 77, 0, 0x50, 2, 1000, 0xbeef, 0)),
    ("ICMP_CSUM", "IcmpInCsumErrors", 1, struct.pack("!BBHHH", 8, 0, 0xbeef, 7, 1))])
def test_checksum(lab, troubles, reason, counter, protocol, body):
    def act():
        with lab.client.open(socket.SOCK_RAW, protocol=socket.IPPROTO_RAW) as one:
            for _ in range(MANY):
                one.sendto(raw_ipv4(protocol, body), (SERVER[4], 0))
    with lab.server.listen(SERVER[4]), lab.server.listen(SERVER[4], socket.SOCK_DGRAM):
        drop = only(expect(lab, troubles, lab.server, [counter], reason, act))
    assert drop["class"] == 8
    assert protocol == 1 or (drop["source_port"], drop["destination_port"]) == (4000, PORT)
    assert protocol != 6 or (drop["sequence"], drop["flags"]) == (77, 2)


def test_receiver_does_not_read(lab, troubles):
    with lab.server.listen(SERVER[4], socket.SOCK_DGRAM) as receiver:
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        troubles.rows("sockets")  # who asks for a socket's cookie first makes it
        before = lab.server.counter("UdpRcvbufErrors")
        send(lab.client, SERVER[4], 100)
        lost = lab.server.counter("UdpRcvbufErrors") - before
        drop = only(troubles.drops(reason="SOCKET_RCVBUFF"))
        seen = only(troubles.rows("sockets", protocol=17, netns=lab.server.inode))
    assert 0 < lost < 100
    assert (drop["packets"], drop["class"]) == (lost, 6)
    assert seen["drops"] == lost and seen["receive_queue"] > 0 and seen["cookie"] == drop["cookie"]


def test_interface_queue_full(lab, troubles):
    lab.router("tc", "qdisc", "add", "dev", "r1", "root", "tbf", "rate", "80kbit", "burst", "2000", "limit", "3000")
    try:
        with lab.server.listen(SERVER[4], socket.SOCK_DGRAM):
            send(lab.client, SERVER[4], 200, 500)
            lost = int(re.search(r"dropped (\d+)", lab.router("tc", "-s", "qdisc", "show", "dev", "r1")).group(1))
            drops = troubles.drops(netns=lab.router.inode, **{"class": 7})
    finally:
        lab.router("tc", "qdisc", "del", "dev", "r1", "root")
    assert 0 < lost < 200
    assert sum(drop["packets"] for drop in drops) == lost
    assert {drop["ifindex"] for drop in drops} == {lab.router.ifindex("r1")}


@pytest.mark.parametrize("family", [4, 6])
def test_ttl(lab, troubles, family):
    def act():
        with lab.client.open(family=FAMILIES[family]) as one:
            if family == 4:
                one.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 1)
            else:
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, 1)
            for _ in range(MANY):
                one.sendto(b"x", (SERVER[family], PORT))
    counters = {4: ["IpInHdrErrors"], 6: ["Ip6InHdrErrors"]}[family]
    drop = only(expect(lab, troubles, lab.router, counters, "IP_INHDR", act))
    assert (drop["class"], drop["place"]) == (11, {4: "ip_forward", 6: "ip6_forward"}[family])


@pytest.mark.parametrize("family", [4, 6])
def test_too_big(lab, troubles, family):
    lab.router.ip("link", "set", "r1", "mtu", "1300")

    def act():
        with lab.client.open(family=FAMILIES[family]) as one:
            if family == 4:
                one.setsockopt(socket.IPPROTO_IP, 10, 3)  # IP_MTU_DISCOVER: IP_PMTUDISC_PROBE, DF whatever is known
            else:
                one.setsockopt(socket.IPPROTO_IPV6, 23, 3)
            for _ in range(MANY):
                one.sendto(b"x" * 1400, (SERVER[family], PORT))
    try:
        counters = {4: ["IpFragFails"], 6: ["Ip6InTooBigErrors"]}[family]
        drop = only(expect(lab, troubles, lab.router, counters, "PKT_TOO_BIG", act))
    finally:
        lab.router.ip("link", "set", "r1", "mtu", "1500")
    assert drop["class"] == 10 and drop["bytes"] == MANY * (1428 if family == 4 else 1448)


def test_nobody_answers_arp(lab, troubles):
    send(lab.client, "10.77.2.99", 3)
    drops = settle(lambda: [(drop["reason"], drop["packets"], drop["class"]) for drop in troubles.drops()],
                   [("NEIGH_FAILED", 3, 12)])
    assert drops == [("NEIGH_FAILED", 3, 12)]


# ---- troubles ----

def pump(lab, family, length):
    """Moves that many bytes from the server to the client."""
    with lab.server.listen(SERVER[family]) as listener, lab.client.connect(SERVER[family], timeout=60) as client:
        server, _ = listener.accept()
        sender = threading.Thread(target=server.sendall, args=(b"x" * length,))
        sender.start()
        while length:
            length -= len(client.recv(1 << 20))
        sender.join()
        server.close()


@pytest.mark.parametrize("family", [4, 6])
def test_retransmits(lab, troubles, family):
    """One packet in a hundred is lost at the router: what is told is what the kernel counts, segment by segment."""
    tool = {4: "iptables-legacy", 6: "ip6tables-legacy"}[family]
    rule = ["FORWARD", "-p", "tcp", "-m", "statistic", "--mode", "random", "--probability", "0.01", "-j", "DROP"]
    before = [namespace.counter("TcpRetransSegs") for namespace in lab.all]
    lab.router(tool, "-w", "-A", *rule)
    told, cookies = [], set()
    try:
        for _ in range(4):
            pump(lab, family, 5_000_000)
            told += troubles.rows("troubles", kind=RETRANSMIT)
        listing = lab.router(tool, "-w", "-nvxL", "FORWARD")
    finally:
        lab.router(tool, "-w", "-D", *rule)
    lost = int(re.search(r"^ *(\d+) +\d+ +DROP", listing, re.M).group(1))
    drops = troubles.drops(reason="NETFILTER_DROP", netns=lab.router.inode)
    assert sum(drop["packets"] for drop in drops) == lost > 0
    told += troubles.rows("troubles", kind=RETRANSMIT)
    for namespace, count in zip(lab.all, before):
        segments = sum(row["segments"] for row in told if row["netns"] == namespace.inode)
        assert segments == namespace.counter("TcpRetransSegs") - count
    assert sum(row["segments"] for row in told) > 0
    assert troubles.counters()["troubles_lost"] == 0


def test_syn_and_syn_ack_are_sent_again(lab, troubles):
    before = lab.client.counter("TcpRetransSegs"), lab.server.counter("TcpRetransSegs")
    rule = ["FORWARD", "-p", "tcp", "--sport", PORT, "-j", "DROP"]
    lab.router("iptables-legacy", "-w", "-A", *rule)
    try:
        with lab.server.listen(SERVER[4]), pytest.raises(TimeoutError):
            lab.client.connect(SERVER[4], timeout=2.5)
    finally:
        lab.router("iptables-legacy", "-w", "-D", *rule)
    told = troubles.rows("troubles", kind=RETRANSMIT)
    syn = [row for row in told if row["netns"] == lab.client.inode]
    syn_ack = [row for row in told if row["netns"] == lab.server.inode]
    assert len(syn) == lab.client.counter("TcpRetransSegs") - before[0] > 0
    assert len(syn_ack) == lab.server.counter("TcpRetransSegs") - before[1] > 0
    assert len({row["sequence"] for row in syn}) == 1
    assert {row["isn"] for row in syn_ack} == {syn[0]["sequence"] << 32 | syn_ack[0]["sequence"]}
    assert all((row["source_port"], row["destination"]) == (PORT, CLIENT[4]) for row in syn_ack)


def test_who_resets(lab, troubles):
    """An application that closes with data unread resets; the side that did is named, and why."""
    with lab.server.listen(SERVER[4]) as listener:
        client = lab.client.connect(SERVER[4])
        server, peer = listener.accept()
        client.sendall(b"x" * 100)
        select.select([server], [], [], 5)
        server.close()
        with pytest.raises(ConnectionResetError):
            client.recv(1)
        client.close()
    rows = troubles.rows("troubles")
    sent = only([row for row in rows if row["kind"] == RESET_SENT])
    received = only([row for row in rows if row["kind"] == RESET_RECEIVED])
    assert (sent["netns"], sent["source"], sent["source_port"], sent["destination_port"], sent["reason"]) == (
        lab.server.inode, SERVER[4], PORT, peer[1], "TCP_ABORT_ON_CLOSE")
    assert sent["reason_text"]
    assert (received["netns"], received["source"], received["destination_port"]) == (lab.client.inode, SERVER[4], peer[1])


def test_icmp_errors_speak_of_a_flow(lab, troubles):
    with lab.client.inside():
        troubles_there = Troubles(lab)  # it sees the interfaces of the namespace it runs in
    try:
        troubles_there.ask(f"attach {lab.client.ifindex('c0')}")
        lab.router.ip("link", "set", "r1", "mtu", "1300")
        with lab.client.open() as one:
            one.setsockopt(socket.IPPROTO_IP, 10, 3)
            one.bind(("", 4001))
            one.sendto(b"x" * 1400, (SERVER[4], PORT))
        lab.router.ip("link", "set", "r1", "mtu", "1500")
        send(lab.client, SERVER[4], 1)
        send(lab.client, SERVER[4], 1, ttl=1)
        errors = [row for row in troubles_there.ask("troubles") if row["kind"] == ICMP_ERROR]
    finally:
        lab.router.ip("link", "set", "r1", "mtu", "1500")
        troubles_there.stop()
    assert [(row["icmp_type"], row["icmp_code"], row["icmp_mtu"], row["icmp_sender"]) for row in errors] == [
        (3, 4, 1300, "10.77.1.1"), (3, 3, 0, SERVER[4]), (11, 0, 0, "10.77.1.1")]
    assert all((row["source"], row["destination"], row["destination_port"], row["protocol"]) ==
               (CLIENT[4], SERVER[4], PORT, 17) for row in errors)
    assert errors[0]["source_port"] == 4001


# ---- sockets ----

def test_listener_queue(lab, troubles):
    """A listener that nobody accepts from: its queue, its limit, and those it turned away."""
    before = lab.server.counter("TcpExtListenDrops")
    with lab.server.listen(SERVER[4], backlog=1) as listener:
        clients = [lab.client.open(socket.SOCK_STREAM) for _ in range(6)]
        for one in clients:
            one.setblocking(False)
            one.connect_ex((SERVER[4], PORT))
        time.sleep(1.5)
        seen = only(troubles.rows("sockets", netns=lab.server.inode, state=10))
        turned_away = lab.server.counter("TcpExtListenDrops") - before
        waiting = troubles.rows("sockets", netns=lab.server.inode, state=1)
        assert (seen["receive_queue"], seen["limit"], seen["pid"]) == (2, 1, os.getpid())
        assert seen["drops"] == turned_away > 0 and not seen["frozen"]
        assert [row["source_port"] for row in waiting] == [PORT, PORT]
        for one in clients:
            one.close()


def test_queues_of_a_stopped_reader(lab, troubles):
    with lab.server.listen(SERVER[4]) as listener:
        client = lab.client.connect(SERVER[4])
        server, _ = listener.accept()
        client.sendall(b"x" * 5000)
        select.select([server], [], [], 5)
        read = lambda: [(row["receive_queue"], row["send_queue"]) for row in troubles.rows("sockets", state=1)
                        if row["source_port"] == PORT]
        assert settle(read, [(5000, 0)]) == [(5000, 0)]
        server.recv(2000)
        assert settle(read, [(3000, 0)]) == [(3000, 0)]
        server.close()
        client.close()


SERVE = """
import socket, sys
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind((sys.argv[1], int(sys.argv[2])))
s.listen()
print("ready", flush=True)
one = s.accept()[0]
one.recv(1)
input()
"""


def test_stopped_process(lab, troubles):
    """A server that is stopped: the handshake is there, its data waits, and the process is said to stand still."""
    server = subprocess.Popen(["ip", "netns", "exec", lab.server.name, "python3", "-c", SERVE, SERVER[4], str(PORT)],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        server.stdout.readline()
        of_server = {"pid": server.pid, "netns": lab.server.inode}
        assert not only(troubles.rows("sockets", **of_server))["frozen"]
        os.kill(server.pid, signal.SIGSTOP)
        with lab.client.connect(SERVER[4]) as client:
            client.sendall(b"x" * 3000)
            read = lambda: sorted((row["state"], row["receive_queue"], row["frozen"])
                                  for row in troubles.rows("sockets", **of_server))
            assert settle(read, [(1, 3000, True), (10, 1, True)]) == [(1, 3000, True), (10, 1, True)]
            os.kill(server.pid, signal.SIGCONT)
            assert settle(read, [(1, 2999, False), (10, 0, False)]) == [(1, 2999, False), (10, 0, False)]
    finally:
        server.kill()
        server.communicate()


@pytest.mark.skipif(not os.path.isdir("/sys/fs/cgroup/freezer"), reason="no v1 freezer is mounted")
def test_frozen_cgroup(lab, troubles):
    group = f"/sys/fs/cgroup/freezer/weft-{os.getpid()}"
    os.mkdir(group)
    server = subprocess.Popen(["ip", "netns", "exec", lab.server.name, "python3", "-c", SERVE, SERVER[4], str(PORT)],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def write(name, text):
        with open(f"{group}/{name}", "w") as file:
            file.write(text)
    try:
        server.stdout.readline()
        write("cgroup.procs", str(server.pid))
        read = lambda: only(troubles.rows("sockets", pid=server.pid))["frozen"]
        assert not read()
        write("freezer.state", "FROZEN")
        assert settle(read, True) is True
        write("freezer.state", "THAWED")
        assert settle(read, False) is False
    finally:
        write("freezer.state", "THAWED")
        server.kill()
        server.communicate()
        os.rmdir(group)


# ---- connection tracking ----

@pytest.mark.parametrize("family", [4, 6])
def test_rewritten_connections(lab, troubles, family):
    """DNAT and masquerade at the router: both tuples; what is not rewritten is not told."""
    tool = {4: "iptables-legacy", 6: "ip6tables-legacy"}[family]
    there = {4: "10.77.1.1", 6: "fd77:1::1"}[family]
    onward = SERVER[family] if family == 4 else f"[{SERVER[family]}]"
    rules = [("PREROUTING", "-p", "tcp", "-d", there, "--dport", "8080", "-j", "DNAT", "--to", f"{onward}:{PORT}"),
             ("POSTROUTING", "-p", "tcp", "--dport", PORT, "-j", "MASQUERADE")]
    for rule in rules:
        lab.router(tool, "-w", "-t", "nat", "-A", *rule)
    try:
        with lab.server.listen(SERVER[family]):
            clients = [lab.client.connect(there, 8080) for _ in range(5)]
            ports = sorted(one.getsockname()[1] for one in clients)
            pairs = [row for row in troubles.ask(f"pairs /run/netns/{lab.router.name}") if row["source_port"] in ports]
            assert [drop for drop in troubles.drops() if drop["class"] != 1] == []  # NAT drops nothing
            for one in clients:
                one.close()
    finally:
        for rule in rules:
            lab.router(tool, "-w", "-t", "nat", "-D", *rule)
    router = {4: "10.77.2.1", 6: "fd77:2::1"}[family]
    assert sorted(row["source_port"] for row in pairs) == ports
    for row in pairs:
        assert (row["source"], row["destination"], row["destination_port"], row["protocol"], row["netns"]) == (
            CLIENT[family], there, 8080, 6, lab.router.inode)
        reply = row["reply"]
        assert (reply["source"], reply["source_port"], reply["destination"]) == (SERVER[family], PORT, router)


def test_unwritten_connections_are_not_told(lab, troubles):
    lab.router("iptables-legacy", "-w", "-A", "FORWARD", "-m", "conntrack", "--ctstate", "INVALID", "-j", "ACCEPT")
    try:
        with lab.server.listen(SERVER[4]), lab.client.connect(SERVER[4]) as one:
            port = one.getsockname()[1]
            assert str(port) in lab.router("cat", "/proc/net/nf_conntrack")
            assert [row for row in troubles.ask(f"pairs /run/netns/{lab.router.name}") if row["source_port"] == port] == []
    finally:
        lab.router("iptables-legacy", "-w", "-F", "FORWARD")


# ---- nothing ----

def test_nothing_on_healthy_paths(lab, troubles):
    """On a busy machine TCP may send a segment twice; then the second one is told as what it is, and nothing else is."""
    again = lambda: sum(namespace.counter("TcpRetransSegs") for namespace in lab.all)
    before = again()
    for family in (4, 6):
        pump(lab, family, 10_000_000)
        with lab.server.listen(SERVER[family]) as listener:
            for _ in range(20):
                with lab.client.connect(SERVER[family]) as client:
                    server, _ = listener.accept()
                    client.sendall(b"x")
                    server.recv(1)
                    server.sendall(b"y")
                    client.recv(1)
                    server.close()
                    client.recv(1)
        with lab.server.listen(SERVER[family], socket.SOCK_DGRAM) as receiver:
            send(lab.client, SERVER[family], 20)
            for _ in range(20):
                receiver.recv(200)
        lab.client("ping", "-c", "3", "-i", "0.2", SERVER[family])
    drops, told = troubles.drops(), troubles.rows("troubles")
    assert {drop["reason"] for drop in drops} <= {"TCP_OLD_DATA", "TCP_OLD_SEQUENCE", "TCP_OFOMERGE"}
    assert {row["kind"] for row in told} <= {RETRANSMIT}
    assert sum(drop["packets"] for drop in drops) <= sum(row["segments"] for row in told) == again() - before
