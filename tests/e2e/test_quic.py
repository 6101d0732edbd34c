# SPDX-License-Identifier: Apache-2.0
"""Real QUIC: aioquic, from PyPI. All of it is encrypted: an edge of bytes, equal to what the clients moved."""
import pathlib
import shutil
import subprocess
import sys

import pytest

from conftest import ROOT, free_port

VERSION = "1.7.2"
CACHE = ROOT / ".cache" / f"aioquic-{VERSION}"
PROGRAM = pathlib.Path(__file__).with_name("quic.py")
CLIENTS = 200


def python_with_aioquic():
    if not (CACHE / "complete").exists():
        subprocess.run([sys.executable, "-m", "venv", CACHE], check=True, timeout=120)
        subprocess.run([CACHE / "bin" / "pip", "install", "-q", f"aioquic=={VERSION}"], check=True, timeout=300)
        (CACHE / "complete").touch()
    return CACHE / "bin" / "python"


@pytest.fixture
def quic(tmp_path):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-keyout",
                    tmp_path / "key.pem", "-out", tmp_path / "cert.pem"], check=True, capture_output=True, timeout=60)
    python, port = python_with_aioquic(), free_port()
    program = shutil.copy(PROGRAM, tmp_path / "quic_server.py")  # a name of its own
    server = subprocess.Popen([python, program, "server", str(port), tmp_path], stdout=subprocess.PIPE)
    assert server.stdout.readline() == b"ready\n"
    yield python, port
    server.terminate()
    server.wait(10)


def test_quic_is_one_edge_of_the_bytes_that_its_clients_moved(agent, quic):
    python, port = quic
    weft = agent()
    clients = subprocess.run([python, PROGRAM, "client", str(port), str(CLIENTS)], check=True, capture_output=True, text=True,
                             timeout=120)
    sent, received = map(int, clients.stdout.split())
    edges = weft.stop().edges(port=port)
    assert len({e["edge_id"] for e in edges}) == 1
    assert {(e["protocol"], e["transport"], e["observed_at"]) for e in edges} == {("udp", "udp", "both")}
    assert {(e["client"]["name"], e["server"]["name"]) for e in edges} == {("quic.py", "quic_server.py")}
    assert sum(e["bytes"]["request"] for e in edges) == sent >= CLIENTS * 5000
    assert sum(e["bytes"]["response"] for e in edges) == received >= CLIENTS * 5000
    assert sum(e["connects"] for e in edges) == CLIENTS
    assert sum(e["calls"] for e in edges) == 0
