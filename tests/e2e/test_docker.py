# SPDX-License-Identifier: Apache-2.0
"""Real containers: names, published ports, and containers that live shortly."""
import os
import shutil
import subprocess
import time

import pytest

from conftest import free_port


def docker(*arguments):
    return subprocess.run(["docker", *arguments], check=True, capture_output=True, text=True, timeout=60).stdout.strip()


def docker_answers():
    return subprocess.run(["docker", "version"], capture_output=True).returncode == 0


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    process = None
    if not docker_answers():
        log = open(tmp_path_factory.mktemp("docker") / "dockerd.log", "w")
        process = subprocess.Popen(["/usr/sbin/dockerd"], stdout=log, stderr=log)
        end = time.monotonic() + 30
        while not docker_answers() and time.monotonic() < end:
            time.sleep(0.2)
    yield
    if process:
        process.terminate()
        process.wait(30)


@pytest.fixture
def network(daemon, tmp_path):
    """A user-defined network with an httpd in a container `api`, its port 80 published."""
    root = tmp_path / "root"
    (root / "bin").mkdir(parents=True)
    shutil.copy("/bin/busybox", root / "bin" / "busybox")
    (root / "index.html").write_text("hello\n")
    tag = f"weft-test-{os.getpid()}"
    tar = subprocess.run(["tar", "-C", root, "-c", "."], check=True, capture_output=True).stdout
    subprocess.run(["docker", "import", "-", tag], input=tar, check=True, capture_output=True)
    docker("network", "create", tag)
    port = free_port()
    docker("run", "-d", "--name", f"{tag}-api", "--network", tag, "-p", f"{port}:80", tag,
           "/bin/busybox", "httpd", "-f", "-p", "80", "-h", "/")
    yield tag, port
    docker("rm", "-f", f"{tag}-api")
    docker("network", "rm", tag)
    docker("rmi", tag)


def calls_by_pair(edges):
    pairs = {}
    for e in edges:
        key = (e["client"]["name"], e["server"]["name"])
        pairs[key] = pairs.get(key, 0) + e["calls"]
    return {key: calls for key, calls in pairs.items() if calls}


def test_containers_that_live_shortly_are_each_named(agent, network):
    tag, _ = network
    weft = agent()
    for i in range(4):
        docker("run", "--rm", "--name", f"{tag}-{i}", "--network", tag, tag, "/bin/busybox", "wget", "-q", "-O", "/dev/null",
               f"http://{tag}-api/")
    edges = [e for e in weft.stop().edges(port=80) if e["server"]["name"] == f"{tag}-api"]
    assert calls_by_pair(edges) == {(f"{tag}-{i}", f"{tag}-api"): 1 for i in range(4)}
    assert all(e["observed_at"] == "both" and e["client"]["kind"] == "container" for e in edges)


def test_a_published_port_reached_by_the_hosts_address_is_client_to_container(agent, network):
    tag, port = network
    gateway = docker("network", "inspect", tag, "--format", "{{(index .IPAM.Config 0).Gateway}}")
    weft = agent()
    for _ in range(5):
        subprocess.run(["curl", "-s", "-o", os.devnull, f"http://{gateway}:{port}/"], check=True)
    edges = weft.stop().edges(port=80)
    assert calls_by_pair(e for e in edges if e["client"]["name"] == "curl") == {("curl", f"{tag}-api"): 5}


def test_a_published_port_reached_through_127_0_0_1_shows_the_proxy_between(agent, network):
    tag, port = network
    weft = agent()
    for _ in range(5):
        subprocess.run(["curl", "-s", "-o", os.devnull, f"http://127.0.0.1:{port}/"], check=True)
    records = weft.stop()
    first = [e for e in records.edges(port=port) if e["connects"]]
    assert {(e["client"]["name"], e["server"]["name"]) for e in first} == {("curl", "docker-proxy")}
    assert sum(e["connects"] for e in first) == 5
    assert calls_by_pair(e for e in records.edges(port=80)) == {("docker-proxy", f"{tag}-api"): 5}
