# SPDX-License-Identifier: Apache-2.0
"""dnsmasq and unbound, over UDP and TCP, IPv4 and IPv6: calls and rcodes against what the clients were answered."""
import collections
import json
import pathlib
import shutil
import subprocess
import sys

import pytest

from conftest import free_port

CLIENT = pathlib.Path(__file__).with_name("dns_client.py")
MODES = ["connected", "unconnected", "tcp"]
EACH = 1700  # of each mode, family and server: 20,400 in all


def answers(client, address, port, mode, count):
    return {int(rcode): n for rcode, n in json.loads(subprocess.run(
        [sys.executable, client, address, str(port), mode, str(count)], check=True, capture_output=True, text=True,
        timeout=120).stdout).items()}


def wait_until_it_answers(port):
    while subprocess.run([sys.executable, CLIENT, "127.0.0.1", str(port), "tcp", "1"], capture_output=True).returncode:
        pass


@pytest.fixture
def dnsmasq(tmp_path):
    port = free_port()
    process = subprocess.Popen(["dnsmasq", "--keep-in-foreground", "--no-resolv", "--no-hosts", f"--port={port}",
                                "--listen-address=127.0.0.1,::1", "--bind-interfaces", "--user=root", f"--pid-file={tmp_path}/pid",
                                "--conf-file=/dev/null", "--address=/found.test/192.0.2.1", "--local=/missing.test/"])
    wait_until_it_answers(port)
    yield port
    process.terminate()
    process.wait(10)


@pytest.fixture
def unbound(tmp_path):
    port = free_port()
    config = tmp_path / "unbound.conf"
    config.write_text(f"""
server:
  interface: 127.0.0.1@{port}
  interface: ::1@{port}
  do-daemonize: no
  chroot: ""
  username: ""
  directory: "{tmp_path}"
  pidfile: "{tmp_path}/pid"
  use-syslog: no
  num-threads: 1
  incoming-num-tcp: 100
  local-zone: "test." static
  local-data: "found.test. A 192.0.2.1"
  local-zone: "example." refuse
remote-control:
  control-enable: no
""")
    process = subprocess.Popen(["unbound", "-c", config], stderr=subprocess.DEVNULL)
    wait_until_it_answers(port)
    yield port
    process.terminate()
    process.wait(10)


@pytest.mark.parametrize("server", [pytest.param(name, marks=pytest.mark.skipif(not shutil.which(name), reason=f"no {name}"))
                                    for name in ("dnsmasq", "unbound")])
def test_calls_and_rcodes_equal_what_the_clients_were_answered(agent, request, server, tmp_path):
    port = request.getfixturevalue(server)
    weft = agent()
    truth, by_client = collections.Counter(), {}
    for mode in MODES:
        client = tmp_path / f"ask_{mode}.py"  # a name of its own for each
        shutil.copy(CLIENT, client)
        for address in ("127.0.0.1", "::1"):
            found = answers(client, address, port, mode, EACH)
            truth.update(found)
            by_client[client.name] = by_client.get(client.name, 0) + sum(found.values())
    records = weft.stop()
    edges = records.edges(port=port, protocol="dns")
    seen = collections.Counter()
    for edge in edges:
        seen[edge["client"]["name"], edge["transport"]] += edge["calls"]
    assert set(truth) == {0, 3, 5}  # NOERROR, NXDOMAIN, REFUSED: all kinds were there
    assert seen == {(f"ask_{mode}.py", "tcp" if mode == "tcp" else "udp"): 2 * EACH for mode in MODES}
    assert sum(e["errors"]["client_error"] for e in edges) == truth[3]
    assert sum(e["errors"]["server_error"] for e in edges) == truth[5]
    assert sum(e["errors"].get("timeout", 0) + e["errors"].get("no_response", 0) for e in edges) == 0
    assert {e["observed_at"] for e in edges if e["calls"]} == {"both"}
    assert sum(e["lost"] for e in edges) == 0


GETADDRINFO = r"""
import socket, sys
for _ in range(int(sys.argv[1])):
    try:
        socket.getaddrinfo("found.test", 80, type=socket.SOCK_STREAM)
    except socket.gaierror:
        pass
"""


@pytest.mark.skipif(not shutil.which("dnsmasq"), reason="no dnsmasq")
def test_both_questions_of_getaddrinfo_are_calls(agent, tmp_path):
    """The resolver sends A and AAAA in one sendmmsg. It knows port 53 alone, so all of it runs in a namespace."""
    import os
    import time
    name = f"weft-dns-{os.getpid()}"
    inside = ["ip", "netns", "exec", name]
    etc = pathlib.Path("/etc/netns") / name
    etc.mkdir(parents=True)
    (etc / "resolv.conf").write_text("nameserver 127.0.0.1\n")
    (etc / "nsswitch.conf").write_text("hosts: dns\n")
    subprocess.run(["ip", "netns", "add", name], check=True)
    server = None
    try:
        subprocess.run([*inside, "ip", "link", "set", "lo", "up"], check=True)
        log = tmp_path / "queries"
        server = subprocess.Popen([*inside, "dnsmasq", "--keep-in-foreground", "--no-resolv", "--no-hosts", "--user=root",
                                   f"--pid-file={tmp_path}/pid", "--conf-file=/dev/null", "--address=/found.test/192.0.2.1",
                                   "--listen-address=127.0.0.1", "--bind-interfaces", "--log-queries", f"--log-facility={log}"])
        time.sleep(1)
        weft = agent()
        subprocess.run([*inside, sys.executable, "-c", GETADDRINFO, "300"], check=True, timeout=60)
        records = weft.stop()
    finally:
        if server:
            server.terminate()
            server.wait(10)
        subprocess.run(["ip", "netns", "del", name], check=True)
        shutil.rmtree(etc)
    asked = log.read_text().count("query[")
    assert asked == 600
    assert sum(e["calls"] for e in records.edges(port=53, protocol="dns") if e["server"]["name"] == "dnsmasq") == asked
