# SPDX-License-Identifier: Apache-2.0
"""TLS to a server that is not watched: it is named as the client named it."""
import os
import subprocess

import pytest

from conftest import wait_for_port


@pytest.fixture
def far_server(tmp_path):
    """An HTTPS server behind a veth, in a network namespace that an agent of `--namespace self` does not watch."""
    name, network = f"weft-tls-{os.getpid()}", "198.18.77"
    commands = [f"ip netns add {name}", f"ip link add wtls{os.getpid()} type veth peer name inside netns {name}",
                f"ip addr add {network}.1/30 dev wtls{os.getpid()}", f"ip link set wtls{os.getpid()} up",
                f"ip -n {name} addr add {network}.2/30 dev inside", f"ip -n {name} link set inside up"]
    for command in commands:
        subprocess.run(command.split(), check=True)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=test", "-days", "2",
                    "-keyout", tmp_path / "key.pem", "-out", tmp_path / "cert.pem"], check=True, capture_output=True)
    server = subprocess.Popen(["ip", "netns", "exec", name, "openssl", "s_server", "-quiet", "-www", "-accept", "8443", "-key",
                               tmp_path / "key.pem", "-cert", tmp_path / "cert.pem"])
    wait_for_port(8443, host=f"{network}.2")
    yield f"{network}.2"
    server.terminate()
    server.wait()
    subprocess.run(["ip", "netns", "delete", name], check=True)


def test_a_remote_tls_server_is_named_by_the_name_it_was_asked_for(agent, far_server):
    weft = agent("--namespace", "self")
    for _ in range(3):
        subprocess.run(["curl", "-sk", "-o", os.devnull, "--resolve", f"shop.example:8443:{far_server}",
                        "https://shop.example:8443/"], check=True, timeout=30)
    edges = [e for e in weft.stop().edges(port=8443) if e["client"]["name"] == "curl"]
    assert {(e["server"]["name"], e["protocol"], e["tls"], e["observed_at"], e["seen_address"]) for e in edges} == {
        ("shop.example", "tls", True, "client", far_server)}
    assert sum(e["connects"] for e in edges) == 3
    assert sum(e["bytes"]["response"] for e in edges) > 3 * 1000
