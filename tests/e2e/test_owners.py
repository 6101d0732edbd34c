# SPDX-License-Identifier: Apache-2.0
"""Who is at each end: short-lived clients, connections older than the agent, and what a killed agent leaves."""
import http.client
import os
import shutil
import signal
import socket
import subprocess
import time

import programs
import pytest

from conftest import free_port, wait_for_port
from containers import pairs

PYTHON = "/usr/bin/python3"


@pytest.fixture
def start(tmp_path):
    """Starts a program of programs.py, by its name, with arguments; waits for `port`."""
    started = []

    def run(program, *arguments, port=None, name=None, inside=()):
        path = programs.write(tmp_path, program, name)
        process = subprocess.Popen([*inside, PYTHON, path, *map(str, arguments)], start_new_session=True)
        started.append(process)
        if port and not inside:
            wait_for_port(port)
        return process

    yield run
    for process in started:
        try:
            os.killpg(process.pid, signal.SIGTERM)
        except ProcessLookupError:
            pass
        process.wait(10)


def ask(tmp_path, port, connections, requests=1, name="client.py", inside=(), server="127.0.0.1"):
    client = programs.write(tmp_path, "client.py", name)
    for _ in range(connections):
        subprocess.run([*inside, PYTHON, client, "0", server, str(port), str(requests)], check=True, timeout=30)


def test_32_curls_at_once_are_one_node_with_32_connects_and_calls(agent, nginx):
    weft = agent()
    curls = [subprocess.Popen(["curl", "-s", "-o", os.devnull, f"http://127.0.0.1:{nginx.port}/"]) for _ in range(32)]
    for curl in curls:
        assert curl.wait(20) == 0
    records = weft.stop()
    edges = records.edges(port=nginx.port)
    assert {(e["client"]["name"], e["server"]["name"]) for e in edges} == {("curl", "nginx")}
    assert len({e["edge_id"] for e in edges if e["calls"]}) == 1
    assert sum(e["calls"] for e in edges) == 32
    assert sum(e["connects"] for e in edges) == 32


def test_calls_of_a_connection_older_than_the_agent_are_seen(agent, nginx):
    connection = http.client.HTTPConnection("127.0.0.1", nginx.port)
    connection.request("GET", "/")
    connection.getresponse().read()
    weft = agent()
    for _ in range(7):
        connection.request("GET", "/later")
        connection.getresponse().read()
    records = weft.stop()
    edges = records.edges(port=nginx.port)
    assert sum(e["calls"] for e in edges) == 7
    assert {(e["server"]["name"], e["observed_at"]) for e in edges if e["calls"]} == {("nginx", "both")}


@pytest.fixture
def namespaces():
    names = [f"weft-test-{os.getpid()}-{i}" for i in range(2)]
    for name in names:
        subprocess.run(["ip", "netns", "add", name], check=True)
        subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)
    yield names
    for name in names:
        subprocess.run(["ip", "netns", "delete", name], check=True)


def test_one_tuple_in_two_network_namespaces_is_two_edges(agent, namespaces, start, tmp_path):
    weft, port = agent(), free_port()
    for i, name in enumerate(namespaces):
        start("echo.py", port, name=f"server{i}.py", inside=["ip", "netns", "exec", name])
        programs.write(tmp_path, "client.py", f"client{i}.py")
    time.sleep(1)
    clients = [subprocess.Popen(["ip", "netns", "exec", name, PYTHON, tmp_path / f"client{i}.py", "41000", "127.0.0.1",
                                 str(port), str(10 + i)]) for i, name in enumerate(namespaces)]
    assert [client.wait(20) for client in clients] == [0, 0]
    assert pairs(weft.stop().edges(port=port)) == {("client0.py", "server0.py"): 10, ("client1.py", "server1.py"): 11}


def test_workers_that_share_a_port_are_one_server(agent, start, tmp_path):
    port = free_port()
    start("workers.py", port, 4, port=port)
    weft = agent()
    ask(tmp_path, port, 12, 3)
    edges = weft.stop().edges(port=port)
    assert pairs(edges) == {("client.py", "workers.py"): 36}
    assert pairs(edges, "connects") == {("client.py", "workers.py"): 12}


def test_a_socket_served_by_a_forked_child_is_its_programs(agent, start, tmp_path):
    port = free_port()
    start("forks.py", port, port=port)
    weft = agent()
    ask(tmp_path, port, 6, 2)
    edges = weft.stop().edges(port=port)
    assert pairs(edges) == {("client.py", "forks.py"): 12}
    assert pairs(edges, "connects") == {("client.py", "forks.py"): 6}


def test_a_socket_passed_to_another_program_belongs_to_who_serves_it(agent, start, tmp_path):
    port, door = free_port(), tmp_path / "door"
    start("taker.py", door)
    while not door.exists():
        time.sleep(0.02)
    start("giver.py", port, door)
    time.sleep(0.5)
    weft = agent()
    ask(tmp_path, port, 4, 3)
    edges = weft.stop().edges(port=port)
    assert pairs(edges) == {("client.py", "taker.py"): 12}
    assert sum(e["connects"] for e in edges) == 4


def test_a_server_that_listens_with_multipath_tcp_is_seen(agent, start, tmp_path):
    port = free_port()
    try:
        socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262).close()
    except OSError as error:
        pytest.skip(f"this kernel has no MPTCP: {error}")
    start("multipath.py", port, port=port)
    weft = agent()
    ask(tmp_path, port, 3, 4)
    edges = weft.stop().edges(port=port)
    assert pairs(edges) == {("client.py", "multipath.py"): 12}
    assert pairs(edges, "connects") == {("client.py", "multipath.py"): 3}


GO_SERVER = """
package main
import ("net/http"; "os")
func main() {
    http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { w.Write([]byte("ok")) })
    http.ListenAndServe("127.0.0.1:" + os.Args[1], nil)
}
"""


@pytest.mark.slow
def test_a_go_server_is_seen_and_its_build_is_known(agent, tmp_path):
    if not shutil.which("go"):
        pytest.skip("no Go here")
    port = free_port()
    (tmp_path / "orders.go").write_text(GO_SERVER)
    environment = {**os.environ, "GOCACHE": str(tmp_path / "cache"), "GOFLAGS": "-mod=mod", "GO111MODULE": "off"}
    subprocess.run(["go", "build", "-o", tmp_path / "orders", tmp_path / "orders.go"], check=True, env=environment)
    server = subprocess.Popen([tmp_path / "orders", str(port)])
    try:
        wait_for_port(port)
        weft = agent()
        ask(tmp_path, port, 3, 4)
        edges = weft.stop().edges(port=port)
    finally:
        server.terminate()
        server.wait(10)
    assert pairs(edges) == {("client.py", "orders"): 12}
    assert pairs(edges, "connects") == {("client.py", "orders"): 3}


PROXY_USER = 4242


@pytest.fixture
def redirecting(tmp_path):
    """A namespace in which whatever is sent to 10.99.0.1:8080 by anyone but the proxy reaches the proxy's port."""
    name = f"weft-test-{os.getpid()}-proxy"
    inside = ["ip", "netns", "exec", name]
    subprocess.run(["ip", "netns", "add", name], check=True)
    for command in (["ip", "link", "set", "lo", "up"], ["ip", "address", "add", "10.99.0.1/32", "dev", "lo"],
                    ["iptables", "-t", "nat", "-A", "OUTPUT", "-p", "tcp", "-d", "10.99.0.1", "--dport", "8080", "-m", "owner",
                     "!", "--uid-owner", str(PROXY_USER), "-j", "REDIRECT", "--to-ports", "15001"]):
        subprocess.run([*inside, *command], check=True)
    yield inside
    subprocess.run(["ip", "netns", "delete", name], check=True)


def test_a_proxy_behind_a_redirect_stands_between_client_and_server(agent, redirecting, start, tmp_path):
    tmp_path.chmod(0o755)
    programs.PROGRAMS["server.py"] = programs.PROGRAMS["echo.py"].replace("127.0.0.1", "10.99.0.1")
    start("server.py", 8080, inside=redirecting)
    start("proxy.py", 15001, PROXY_USER, inside=redirecting)
    time.sleep(1)
    weft = agent()
    ask(tmp_path, 8080, 3, 2, inside=redirecting, server="10.99.0.1")
    records = weft.stop()
    first = [e for e in records.edges(port=15001) if e["calls"] or e["connects"]]
    assert pairs(first) == {("client.py", "proxy.py"): 6}
    assert pairs(first, "connects") == {("client.py", "proxy.py"): 3}
    assert {(e["seen_address"], e["seen_port"]) for e in first} == {("10.99.0.1", 8080)}
    second = [e for e in records.edges(port=8080) if e["client"]["name"] == "proxy.py"]
    assert pairs(second) == {("proxy.py", "server.py"): 6}
    assert pairs(second, "connects") == {("proxy.py", "server.py"): 3}


def test_a_program_goes_by_the_name_it_was_started_with(agent, tmp_path):
    """Debian's redis-server is a link to redis-check-rdb; its title has the address behind the name."""
    port = free_port()
    server = subprocess.Popen(["redis-server", "--port", str(port), "--save", "", "--dir", tmp_path], stdout=subprocess.DEVNULL)
    try:
        wait_for_port(port)
        weft = agent()
        subprocess.run(["redis-cli", "-p", str(port), "SET", "a", "1"], check=True, capture_output=True)
        edges = weft.stop().edges(port=port)
    finally:
        server.terminate()
        server.wait(10)
    assert {(e["client"]["name"], e["server"]["name"]) for e in edges} == {("redis-cli", "redis-server")}


def test_rules_of_the_configuration_name_first(agent, nginx_once, tmp_path):
    (tmp_path / "weft.yaml").write_text("names:\n  - name: shop\n    executable: nginx\n  - name: browser\n    executable: '*/curl'\n")
    weft = agent("-c", str(tmp_path / "weft.yaml"))
    subprocess.run(["curl", "-s", "-o", os.devnull, f"http://127.0.0.1:{nginx_once.port}/"], check=True)
    assert pairs(weft.stop().edges(port=nginx_once.port)) == {("browser", "shop"): 1}


def test_a_damaged_mmdb_file_is_refused_while_the_agent_runs(agent, tmp_path):
    """It is looked at again when it was replaced, behind the filter of system calls too."""
    file = tmp_path / "asn.mmdb"
    (tmp_path / "weft.yaml").write_text(f"mmdb:\n  asn: {file}\n")
    weft = agent("-c", str(tmp_path / "weft.yaml"))
    file.write_bytes(b"this is no database" * 100)
    time.sleep(8)
    weft.process.terminate()
    said = weft.process.communicate(timeout=30)[1].decode()
    assert f"{file}: No such file or directory" in said
    assert f"{file}: The MaxMind DB file contains invalid metadata" in said


def links_of(pid):
    """Ids of the BPF links that a process holds."""
    ids = []
    for fd in os.listdir(f"/proc/{pid}/fdinfo"):
        try:
            lines = dict(line.split(":", 1) for line in open(f"/proc/{pid}/fdinfo/{fd}") if ":" in line)
        except FileNotFoundError:  # closed since it was listed
            continue
        ids += [lines["link_id"].strip()] if "link_id" in lines else []
    return ids


def still_there(link):
    return subprocess.run(["/usr/sbin/bpftool", "link", "show", "id", link], capture_output=True).returncode == 0


@pytest.mark.parametrize("signal", ["terminate", "kill"])
def test_a_stopped_or_killed_agent_leaves_nothing_attached(agent, signal):
    weft = agent()
    links = links_of(weft.process.pid)
    assert len(links) >= 5 and all(still_there(link) for link in links)
    getattr(weft.process, signal)()
    weft.process.communicate(timeout=20)
    end = time.monotonic() + 5
    while any(still_there(link) for link in links) and time.monotonic() < end:
        time.sleep(0.1)
    assert not [link for link in links if still_there(link)]
