# SPDX-License-Identifier: Apache-2.0
"""Interfaces that come, move and go, in one or all network namespaces; counts equal to the kernel's own."""
import os
import pathlib
import re
import subprocess

import pytest

import conftest
from api import ask_socket
from conftest import ROOT, Agent, free_port
from networks import attached, balances, counts, inode, interfaces, ip, network, totals, until, within  # noqa: F401

ABSENCE = ROOT / "build" / "release" / "tests" / "absence" / "weft_absence"


@pytest.fixture(params=["tcx", "clsact"])
def mode(request, monkeypatch):
    """How programs are attached: by links, or as on kernels that have none."""
    if request.param == "clsact":
        monkeypatch.setenv("ABSENCE_TCX", "1")
        monkeypatch.setattr(conftest, "WEFT", ABSENCE)
    return request.param


@pytest.fixture
def watched(agent):
    """An agent with a page; its port."""
    def start(*options):
        page = free_port()
        weft = agent("--page", str(page), *options)
        return weft, page
    return start


def same_counts(page, device, netns=None):
    """The kernel's count and weft's, read while nothing passed between."""
    def look():
        before = counts(device, netns)
        seen = interfaces(page)[inode(netns), device]
        return before == counts(device, netns) == totals(seen) and balances(seen) and seen
    return until(look, 60)


def filters(device, netns=None):
    run = ["ip", "netns", "exec", netns] if netns else []
    return "".join(subprocess.run([*run, "tc", "filter", "show", "dev", device, way], capture_output=True, text=True).stdout
                   for way in ("ingress", "egress"))


def qdiscs(device):
    return subprocess.run(["tc", "qdisc", "show", "dev", device], capture_output=True, text=True).stdout


def test_a_veth_is_watched_from_its_first_packet_and_counts_equal_its_own(watched, network, mode):
    weft, page = watched()
    there = network.namespace("a")
    device = network.veth("v", there)
    found = attached(page, device)
    assert (found["attached"], found["kind"], found["namespace"]) == (mode, "veth", "host")
    until(lambda: interfaces(page)[inode(), device].get("peer", {}).get("netns") == inode(there))
    network.up(device, "10.77.0.1/24")
    network.up("eth0", "10.77.0.2/24", there)
    assert network.send("10.77.0.2", [9], 3000, 700).wait() == 0
    assert network.send("10.77.0.1", [9], 2000, 60, there).wait() == 0
    seen = same_counts(page, device)
    assert seen["egress"]["total"]["packets"] >= 3000 and seen["ingress"]["total"]["packets"] >= 2000
    assert not seen["shadowed"] and not seen["excluded"] and "error" not in seen
    records = weft.stop()
    assert not {name for name, n in records.counters.items() if n and ("interface" in name or "packet" in name)}
    assert "weft" not in filters(device) and "clsact" not in qdiscs(device)


def test_an_interface_that_moves_away_is_gone_here(watched, network, mode):
    _, page = watched()
    there = network.namespace("a")
    device = network.device("m")
    network.devices.append(device)
    ip("link", "add", device, "type", "ifb")
    attached(page, device)
    ip("link", "set", device, "netns", there)
    until(lambda: (inode(), device) not in interfaces(page))
    assert "weft" not in filters(device, there)
    ip("link", "set", device, "netns", str(os.getpid()), netns=there)
    assert attached(page, device)["attached"] == mode


def test_names_and_kinds_choose(watched, network, tmp_path):
    config = tmp_path / "weft.yaml"
    config.write_text(f"interfaces:\n  include: 'kind:veth,kind:bridge,lo'\n  exclude: '{network.device('q')}*'\n")
    _, page = watched("-c", str(config))
    there = network.namespace("a")
    loud, quiet = network.veth("l", there, "eth0"), network.veth("q", there, "eth1")
    attached(page, loud)
    found = interfaces(page)
    assert found[inode(), quiet]["excluded"] and found[inode(), quiet]["attached"] == "nothing"
    assert found[inode(), "lo"]["attached"] == "tcx"
    assert all(i["excluded"] for (_, name), i in found.items() if i["kind"] == "physical")
    ip("link", "set", quiet, "down")
    ip("link", "set", quiet, "name", loud + "2")  # now it is wanted
    network.devices.append(loud + "2")
    assert attached(page, loud + "2")["attached"] == "tcx"


def test_all_namespaces_are_followed_and_none_is_held_open(watched, network, mode):
    first = network.namespace("a")
    inner = network.veth("v", first)
    _, page = watched("--packets-scope", "all")
    second = network.namespace("b")
    ip("link", "add", "left", "type", "veth", "peer", "name", "right", "netns", second, netns=first)
    attached(page, inner)
    left, right = attached(page, "left", first), attached(page, "right", second)
    assert (left["attached"], left["namespace"], right["namespace"]) == (mode, first, second)
    until(lambda: interfaces(page)[inode(first), "left"].get("peer", {}).get("netns") == inode(second))
    until(lambda: interfaces(page)[inode(first), "eth0"].get("peer", {}).get("netns") == inode())
    network.up("left", "10.78.0.1/24", first)
    network.up("right", "10.78.0.2/24", second)
    assert network.send("10.78.0.2", [9], 1000, 100, first).wait() == 0
    for device, netns in ("left", first), ("right", second):
        assert same_counts(page, device, netns)
    gone = inode(first)
    ip("netns", "del", first)
    until(lambda: not any(netns == gone for netns, _ in interfaces(page)))
    assert subprocess.run(["ip", "link", "show", inner], capture_output=True).returncode != 0
    assert subprocess.run(["ip", "link", "show", "right"], capture_output=True).returncode != 0


def test_an_agent_of_one_namespace_sees_that_one_alone(network, tmp_path):
    """Two side by side, each with the packets of its own."""
    names = [network.namespace(name) for name in "ab"]
    ip("link", "add", "left", "type", "veth", "peer", "name", "right", "netns", names[1], netns=names[0])
    agents = []
    for name in names:
        socket = tmp_path / f"{name}.sock"
        agents.append((name, socket, Agent(tmp_path / f"{name}.json", "--namespace", "self", "--socket", str(socket),
                                           within=["ip", "netns", "exec", name])))
    try:
        network.up("left", "10.79.0.1/24", names[0])
        network.up("right", "10.79.0.2/24", names[1])
        assert network.send("10.79.0.2", [9], 500, 100, names[0]).wait() == 0
        for name, socket, _ in agents:
            found = ask_socket(socket, "/api/v1/interfaces").json["interfaces"]
            assert {i["netns"] for i in found} == {inode(name)}
            assert {i["name"] for i in found if i["attached"] == "tcx"} >= {"lo", "left" if name == names[0] else "right"}
            veth = next(i for i in found if i["kind"] == "veth")
            assert veth["egress" if veth["name"] == "left" else "ingress"]["total"]["packets"] >= 500
    finally:
        for _, _, one in agents:
            one.process.terminate()
            one.process.communicate(timeout=30)
    assert [one.process.returncode for _, _, one in agents] == [0, 0]


def test_five_hundred_interfaces_come_and_go_while_packets_pass(watched, network):
    weft, page = watched()
    there = network.namespace("a")
    device = network.veth("v", there)
    attached(page, device)
    network.up(device, "10.77.0.1/24")
    network.up("eth0", "10.77.0.2/24", there)
    sender = network.send("10.77.0.2", [9, 10], 60000, 200)
    before = descriptors(weft)
    for i in range(25):
        network.devices.append(f"wtx{i}")
    for batch in range(10):
        batch_of_ip("link add wtx{} type veth peer name wty{}")
        if batch % 2:
            until(lambda: sum(name.startswith("wt") for _, name in interfaces(page)) >= 51, 120)
        batch_of_ip("link del wtx{}")
    assert sender.wait() == 0
    until(lambda: not any(name.startswith(("wtx", "wty")) for _, name in interfaces(page)), 120)
    assert same_counts(page, device)
    until(lambda: descriptors(weft) <= before)
    assert kernel_links(weft) == 2 * sum(i["attached"] == "tcx" for i in interfaces(page).values())
    weft.stop()


def batch_of_ip(line):
    subprocess.run(["ip", "-batch", "-"], input="".join(line.format(i, i) + "\n" for i in range(25)), text=True, check=True)


def descriptors(weft):
    return len(os.listdir(f"/proc/{weft.process.pid}/fd"))


def kernel_links(weft):
    """tcx links that the process holds."""
    infos = pathlib.Path(f"/proc/{weft.process.pid}/fdinfo")
    return sum("link_type:\ttcx" in (infos / name).read_text() for name in os.listdir(infos))


# ---- filters outlive the process that made them ----


@pytest.fixture
def clsact(monkeypatch):
    monkeypatch.setenv("ABSENCE_TCX", "1")
    monkeypatch.setattr(conftest, "WEFT", ABSENCE)


def killed(weft):
    weft.process.kill()
    weft.process.communicate()


def clean():
    return subprocess.run([ABSENCE, "check", "--clean"], capture_output=True, text=True, timeout=60)


def test_the_next_start_removes_what_a_killed_agent_left_and_nothing_else(clsact, watched, network):
    there = network.namespace("a")
    own, others = network.veth("o", there, "eth0"), network.veth("f", there, "eth1")
    subprocess.run(["tc", "qdisc", "add", "dev", others, "clsact"], check=True)
    subprocess.run(["tc", "filter", "add", "dev", others, "ingress", "protocol", "ip", "prio", "1", "u32", "match", "u32", "0",
                    "0"], check=True)
    theirs = filters(others)
    weft, page = watched()
    attached(page, own)
    killed(weft)
    assert filters(own).count("handle 0x77656674") == 2 == filters(others).count("handle 0x77656674")
    ip("link", "set", own, "mtu", "1400")
    weft, page = watched("--packets", "off")
    assert filters(own).count("handle 0x77656674") == 2  # none of its business
    weft.stop()
    weft, page = watched()
    attached(page, own)
    assert filters(own).count("handle 0x77656674") == 2 == filters(others).count("handle 0x77656674")
    weft.stop()
    assert "clsact" not in qdiscs(own) and not filters(own)
    assert "clsact" in qdiscs(others) and filters(others) == theirs


def test_check_clean_removes_what_a_killed_agent_left(clsact, watched, network):
    there = network.namespace("a")
    device = network.veth("v", there)
    weft, page = watched("--packets-scope", "all")
    attached(page, device)
    attached(page, "eth0", there)
    running = clean()
    assert running.returncode == 0 and f"pid {weft.process.pid}" in running.stdout
    assert filters(device).count("handle 0x77656674") == 2
    killed(weft)
    first, second = clean(), clean()
    assert re.search(r"^Removed \d+ filters", first.stdout, re.M) and "Nothing to remove" in second.stdout
    assert not filters(device) and not filters("eth0", there) and "clsact" not in qdiscs(device)


def test_a_qdisc_that_somebody_came_to_use_stays(clsact, watched, network):
    there = network.namespace("a")
    device = network.veth("v", there)
    weft, page = watched()
    attached(page, device)
    subprocess.run(["tc", "filter", "add", "dev", device, "egress", "protocol", "ip", "prio", "7", "u32", "match", "u32", "0",
                    "0"], check=True)
    weft.stop()
    assert "clsact" in qdiscs(device) and "pref 7" in filters(device) and "77656674" not in filters(device)


def test_a_qdisc_without_egress_is_told(clsact, watched, network):
    there = network.namespace("a")
    device = network.veth("v", there)
    subprocess.run(["tc", "qdisc", "add", "dev", device, "ingress"], check=True)
    weft, page = watched()
    found = attached(page, device)
    assert "ingress" in found["error"] and found["error"].startswith("egress:")
    assert weft.stop().counters["interfaces_not_attached"] == 1
    assert "ingress" in qdiscs(device)


def test_check_shows_how_interfaces_are_watched(watched, network, mode, tmp_path):
    there = network.namespace("a")
    device = network.veth("v", there)
    alone = subprocess.run([conftest.WEFT, "check", "--socket", str(tmp_path / "none")], capture_output=True, text=True)
    assert re.search(rf"^{device} +veth +host +{mode} *$", alone.stdout, re.M), alone.stdout
    assert "77656674" not in filters(device)
    socket = tmp_path / "weft.sock"
    _, page = watched("--socket", str(socket))
    network.up(device, "10.77.0.1/24")
    network.up("eth0", "10.77.0.2/24", there)
    assert network.send("10.77.0.2", [9], 100).wait() == 0
    same_counts(page, device)
    asked = subprocess.run([conftest.WEFT, "check", "--socket", str(socket)], capture_output=True, text=True)
    assert re.search(rf"^{device} +veth +host +{mode} +\d+/\d+ +\d+/\d+ +exact$", asked.stdout, re.M), asked.stdout
