# SPDX-License-Identifier: Apache-2.0
"""Real containers: names, directions, published ports, shared namespaces, and containers that live shortly."""
import json
import os
import pathlib
import pwd
import shutil
import socket
import subprocess
import tempfile
import time

import pytest

from conftest import Records, free_port, wait_for_port
from containers import containers, daemon, docker, image, pairs  # noqa: F401 (fixtures)


def curl(url, times):
    for _ in range(times):
        subprocess.run(["curl", "-s", "-o", os.devnull, url], check=True, timeout=20)


def test_two_containers_of_one_image_that_call_each_other_are_two_edges(agent, containers):
    a, b = containers.httpd("a"), containers.httpd("b")
    weft = agent()
    for i in range(3):
        containers.execute("a", "/busybox/busybox", "wget", "-q", "-O", "/dev/null", f"http://{b}/")
    for i in range(5):
        containers.execute("b", "/busybox/busybox", "wget", "-q", "-O", "/dev/null", f"http://{a}/")
    edges = [e for e in weft.stop().edges(port=80) if e["server"]["name"] in (a, b)]
    assert pairs(edges) == {(a, b): 3, (b, a): 5}
    assert pairs(edges, "connects") == {(a, b): 3, (b, a): 5}
    assert len({e["edge_id"] for e in edges}) == 2
    assert {(e["observed_at"], e["client"]["kind"], e["server"]["kind"]) for e in edges} == {("both", "container", "container")}
    assert {e["direction_proof"] for e in edges} <= {"connect", "accept"}


def test_two_containers_in_one_network_namespace_keep_their_names(agent, containers):
    server = containers.httpd("server")
    weft = agent()
    client = containers.wget("client", "http://127.0.0.1/", 4, network=f"container:{server}")
    edges = [e for e in weft.stop().edges(port=80) if server in (e["server"]["name"], e["client"]["name"])]
    assert pairs(edges) == {(client, server): 4}


def test_a_container_on_host_networking_is_named_too(agent, containers):
    port = free_port()
    server = containers.httpd("server", port, network="host")
    wait_for_port(port)
    weft = agent()
    curl(f"http://127.0.0.1:{port}/", 3)
    client = containers.wget("client", f"http://127.0.0.1:{port}/", 2, network="host")
    assert pairs(weft.stop().edges(port=port)) == {("curl", server): 3, (client, server): 2}


def test_replicas_of_a_compose_service_are_one_node(agent, containers):
    server = containers.httpd("api")
    labels = ("--label", "com.docker.compose.project=shop", "--label", "com.docker.compose.service=cart")
    weft = agent()
    for i in range(3):
        containers.wget(f"cart-{i}", f"http://{server}/", 2, options=labels)
    edges = [e for e in weft.stop().edges(port=80) if e["server"]["name"] == server]
    assert pairs(edges) == {("cart", server): 6}
    assert len({e["edge_id"] for e in edges}) == 1


def test_a_published_port_reached_by_the_hosts_address_is_client_to_container(agent, containers):
    port = free_port()
    server = containers.httpd("api", options=("-p", f"{port}:80"))
    weft = agent()
    curl(f"http://{containers.gateway()}:{port}/", 5)
    records = weft.stop()
    edges = [e for e in records.edges(port=80) if e["client"]["name"] == "curl"]
    assert pairs(edges) == {("curl", server): 5}
    assert {(e["observed_at"], e["seen_address"], e["seen_port"]) for e in edges} == {("both", containers.gateway(), port)}
    assert not [e for e in records.edges(port=port) if e["calls"] or e["connects"]]


def test_a_published_port_reached_through_127_0_0_1_shows_the_proxy_between(agent, containers):
    port = free_port()
    server = containers.httpd("api", options=("-p", f"{port}:80"))
    weft = agent()
    curl(f"http://127.0.0.1:{port}/", 5)
    records = weft.stop()
    first = records.edges(port=port)
    assert pairs(first, "connects") == {("curl", "docker-proxy"): 5}
    assert pairs(records.edges(port=80)) == {("docker-proxy", server): 5}


def test_a_published_port_reached_from_a_container_shows_the_proxy_between(agent, containers):
    port = free_port()
    server = containers.httpd("api", options=("-p", f"{port}:80"))
    weft = agent()
    client = containers.wget("client", f"http://{containers.gateway()}:{port}/", 3)
    records = weft.stop()
    assert pairs(records.edges(port=port), "connects") == {(client, "docker-proxy"): 3}
    assert pairs(records.edges(port=80)) == {("docker-proxy", server): 3}


def test_32_curls_and_32_short_containers_at_once_are_all_named(agent, containers, nginx_once):
    server = containers.httpd("api")
    names = [containers.create(f"c{i}", "/busybox/busybox", "wget", "-q", "-O", "/dev/null", f"http://{server}/")
             for i in range(32)]
    weft = agent()
    starts = [subprocess.Popen(["docker", "start", *names[i::4]], stdout=subprocess.DEVNULL) for i in range(4)]
    curls = [subprocess.Popen(["curl", "-s", "-o", os.devnull, f"http://127.0.0.1:{nginx_once.port}/"]) for _ in range(32)]
    assert [process.wait(60) for process in curls + starts] == [0] * 36
    docker("wait", *names)
    records = weft.stop()
    host = records.edges(port=nginx_once.port)
    assert pairs(host) == {("curl", "nginx"): 32}
    assert pairs(host, "connects") == {("curl", "nginx"): 32}
    assert len({e["edge_id"] for e in host}) == 1
    inside = [e for e in records.edges(port=80) if e["server"]["name"] == server]
    assert pairs(inside) == {(name, server): 1 for name in names}
    assert pairs(inside, "connects") == {(name, server): 1 for name in names}
    assert {e["client"]["kind"] for e in inside} == {"container"}


def test_a_socket_of_docker_that_never_answers_is_told_and_names_come_from_disk(agent, containers, tmp_path):
    silent = socket.socket(socket.AF_UNIX)
    silent.bind(str(tmp_path / "docker.sock"))
    silent.listen(8)
    (tmp_path / "weft.yaml").write_text(f"docker_socket: {tmp_path}/docker.sock\n")
    server = containers.httpd("api")
    weft = agent("-c", str(tmp_path / "weft.yaml"))
    client = containers.wget("client", f"http://{server}/", 2)
    time.sleep(0.5)
    weft.process.terminate()
    said = weft.process.communicate(timeout=30)[1].decode()
    assert "docker.sock" in said and "does not answer" in said
    records = Records([json.loads(line) for line in open(weft.path)])
    assert pairs(e for e in records.edges(port=80) if e["server"]["name"] == server) == {(client, server): 2}
    silent.close()


POSTGRES = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/postgres"))
LOOP = """
while :; do
    PGCONNECT_TIMEOUT=5 psql -q -U postgres -h $(cat /shared/address) -c 'SELECT 1' postgres >/dev/null 2>&1
    sleep 0.05
done
"""


@pytest.fixture
def database(containers):
    """A cluster on disk, owned by the user that a container runs as; `start` runs it in the container `db`."""
    tmp_path = pathlib.Path(tempfile.mkdtemp(prefix="weft-"))  # pytest's own are closed to other users
    tmp_path.chmod(0o755)
    user = pwd.getpwnam("postgres")
    (tmp_path / "data").mkdir()
    os.chown(tmp_path / "data", user.pw_uid, user.pw_gid)
    (tmp_path / "shared").mkdir()
    subprocess.run([POSTGRES[-1].parent / "initdb", "-A", "trust", "-N", "-U", "postgres", "-D", tmp_path / "data"],
                   user=user.pw_uid, group=user.pw_gid, check=True, capture_output=True, cwd="/")
    with open(tmp_path / "data" / "pg_hba.conf", "a") as access:
        access.write("host all all all trust\n")
    containers.create("db", POSTGRES[-1], "-D", "/data", "-h", "*", "-k", "/data", "-c", "shared_buffers=16MB",
                      options=(*containers.HOST_PROGRAMS, "--user", f"{user.pw_uid}:{user.pw_gid}",
                               "-v", f"{tmp_path}/data:/data"))
    containers.create("client", "/bin/sh", "-c", LOOP, options=(*containers.HOST_PROGRAMS, "-v", f"{tmp_path}/shared:/shared"))

    def start():
        docker("start", containers.name("db"))
        time.sleep(1)
        assert containers.address("db"), docker("logs", containers.name("db"))
        (tmp_path / "shared" / "address").write_text(containers.address("db"))

    yield start
    docker("rm", "-f", containers.name("db"))
    shutil.rmtree(tmp_path)


@pytest.mark.slow
def test_a_stopped_database_turns_its_edge_red_and_a_new_address_heals_it(agent, containers, database):
    database()
    weft = agent()
    docker("start", containers.name("client"))
    time.sleep(4)
    stopped = time.time_ns()
    before = containers.address("db")
    docker("stop", "-t", "2", containers.name("db"))
    time.sleep(10)
    containers.run("other", "/busybox/busybox", "sleep", "600")  # takes the address that is free now
    assert containers.address("other") == before
    database()
    started = time.time_ns()
    assert containers.address("db") != before
    time.sleep(8)
    edges = [e for e in weft.stop().edges(port=5432) if e["client"]["name"] == containers.name("client")]
    assert {(e["server"]["name"], e["protocol"]) for e in edges} == {(containers.name("db"), "postgresql")}
    assert len({e["edge_id"] for e in edges}) == 1
    healthy = [e for e in edges if e["window_start"] + e["window_length"] < stopped]
    red = [e for e in edges if stopped + 4e9 < e["window_start"] < started - 2e9]
    healed = [e for e in edges if e["window_start"] > started + 4e9]
    assert sum(e["calls"] for e in healthy) > 10 and not any(e.get("connect_failures") for e in healthy)
    failures = {name: n for e in red for name, n in e.get("connect_failures", {}).items()}
    assert failures and set(failures) <= {"EHOSTUNREACH", "ETIMEDOUT", "ECONNREFUSED", "ECANCELED"}
    assert sum(e["calls"] for e in red) == 0
    assert sum(e["calls"] for e in healed) > 10 and not any(e.get("connect_failures") for e in healed)
