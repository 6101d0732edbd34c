# SPDX-License-Identifier: Apache-2.0
"""Network namespaces and veths of a test's own, which go with it; and how the kernel counts there."""
import itertools
import json
import os
import subprocess
import time

import pytest

from api import ask

UDP_SENDER = """
import socket, sys
address, ports, count, size = sys.argv[1], sys.argv[2].split(","), int(sys.argv[3]), int(sys.argv[4])
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(count):
    for port in ports:
        s.sendto(b"x" * size, (address, int(port)))
"""


def ip(*words, netns=None):
    within = ["-n", netns] if netns else []
    return subprocess.run(["ip", *within, *words], check=True, capture_output=True, text=True).stdout


def within(netns, *command):
    return ["ip", "netns", "exec", netns, *command] if netns else [*command]


def inode(netns=None):
    path = f"/run/netns/{netns}" if netns else "/proc/self/ns/net"
    return os.stat(path).st_ino


def counts(device, netns=None):
    """{way: (packets, bytes)} as the interface has counted."""
    stats = json.loads(ip("-j", "-s", "link", "show", "dev", device, netns=netns))[0]["stats64"]
    return {way: (stats[side]["packets"], stats[side]["bytes"]) for way, side in (("ingress", "rx"), ("egress", "tx"))}


def until(what, seconds=30):
    """The first true answer."""
    end = time.monotonic() + seconds
    while not (answer := what()):
        assert time.monotonic() < end, what
        time.sleep(0.05)
    return answer


def interfaces(page):
    """{(netns, name): interface} as the agent has them."""
    answer = ask(page, "/api/v1/interfaces")
    return {(i["netns"], i["name"]): i for i in answer.json["interfaces"]}


def attached(page, device, netns=None):
    """Waits until the interface is watched."""
    key = (inode(netns), device)
    return until(lambda: (found := interfaces(page).get(key)) and found["attached"] != "nothing" and found)


def totals(interface):
    return {way: (interface[way]["total"]["packets"], interface[way]["total"]["bytes"]) for way in ("ingress", "egress")}


def balances(interface):
    return all(way["total"][what] == way["living"][what] + way["deleted"][what] + way["overflow"][what]
               for way in (interface["ingress"], interface["egress"]) for what in ("packets", "bytes"))


class Network:
    numbers = itertools.count(os.getpid() % 1000 * 10)

    def __init__(self):
        self.namespaces, self.devices = [], []
        self.tag = next(self.numbers)

    def namespace(self, name):
        name = f"wt{self.tag}{name}"
        ip("netns", "add", name)
        self.namespaces.append(name)
        ip("link", "set", "lo", "up", netns=name)
        return name

    def device(self, name):
        return f"wt{self.tag}{name}"

    def veth(self, name, netns, peer="eth0"):
        """One end here, one there; down, so that nothing passes yet."""
        name = self.device(name)
        ip("link", "add", name, "type", "veth", "peer", "name", f"{name}p")
        self.devices.append(name)
        ip("link", "set", f"{name}p", "netns", netns, "name", peer)
        return name

    def up(self, device, address, netns=None):
        ip("address", "add", address, "dev", device, netns=netns)
        ip("link", "set", device, "up", netns=netns)

    def meet(self, address, netns, back):
        """Both know each other's link address: else the kernel keeps few packets while it asks."""
        self.send(address, [9], 1).wait()
        self.send(back, [9], 1, netns=netns).wait()
        until(lambda: "lladdr" in ip("neigh", "show", address) and "lladdr" in ip("neigh", "show", back, netns=netns))

    def send(self, address, ports, count, size=100, netns=None):
        return subprocess.Popen(within(netns, "/usr/bin/python3", "-c", UDP_SENDER, address, ",".join(map(str, ports)),
                                       str(count), str(size)))

    def close(self):
        for device in self.devices:
            subprocess.run(["ip", "link", "del", device], capture_output=True)
        for name in self.namespaces:
            subprocess.run(["ip", "netns", "del", name], capture_output=True)


@pytest.fixture
def network():
    made = Network()
    yield made
    made.close()
