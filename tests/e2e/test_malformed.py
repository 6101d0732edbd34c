# SPDX-License-Identifier: Apache-2.0
"""Bytes that are no protocol, on the ports of real servers: nothing falls over, no calls are made up, others go on."""
import random
import shutil
import socket
import subprocess
import threading

import pytest

from conftest import free_port, wait_for_port
from test_postgresql import postgresql  # noqa: F401
from test_redis import redis  # noqa: F401

STARTS = {
    "http": [b"GET / HTTP/1.1\r\n", b"POST /a HTTP/1.1\r\nContent-Length: 18446744073709551615\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n",
             b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", b"GET  HTTP/9.9\r\n" + b"a: b\r\n" * 2000],
    "redis": [b"*2\r\n$3\r\nGET\r\n$-7\r\n", b"*1048577\r\n", b"$99999999999999999999\r\n", b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$536870912\r\n",
              b"*-1\r\n*0\r\n" * 500],
    "postgresql": [b"\0\0\0\x08\0\3\0\0", b"\0\0\0\x09\0\3\0\0\0Q\xff\xff\xff\xff", b"\x7f\xff\xff\xff\0\3\0\0user\0", b"Q\0\0\0\4" * 100,
                   b"\0\0\0\x08\x04\xd2\x16\x2f" * 20],
    "tls": [b"\x16\x03\x01\x00\x05\x01\xff\xff\xff\xff", b"\x16\x03\x03\xff\xff" + b"\1" * 500, b"\x17\x03\x03\0\0" * 300],
}


def throw(port, bytes_, pieces):
    """Writes and reads until the server or the bytes are at an end."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
            client.settimeout(0.05)
            for at in range(0, len(bytes_), pieces):
                client.sendall(bytes_[at:at + pieces])
                if random.random() < 0.2:
                    try:
                        client.recv(65536)
                    except TimeoutError:
                        pass
    except OSError:
        pass


def garbage(seed):
    source = random.Random(seed)
    heads = [head for group in STARTS.values() for head in group]
    for _ in range(40):
        kind = source.randrange(4)
        body = source.randbytes(source.randrange(1, 3000))
        if kind == 0:
            yield body
        elif kind == 1:
            yield source.choice(heads) + body
        elif kind == 2:  # a good start, one byte turned
            head = bytearray(source.choice(heads))
            head[source.randrange(len(head))] ^= 1 << source.randrange(8)
            yield bytes(head) * 3
        else:  # one protocol after another
            yield b"".join(source.choice(heads) for _ in range(6))


def echo(port):
    """A server that answers with what it got: both directions show the same nonsense."""
    listener = socket.create_server(("127.0.0.1", port), backlog=64)

    def serve(connection):
        with connection:
            try:
                while data := connection.recv(65536):
                    connection.sendall(data)
            except OSError:
                pass

    def accept():
        while True:
            try:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
            except OSError:
                return
    threading.Thread(target=accept, daemon=True).start()
    return listener


def ab(port, requests):
    subprocess.run(["ab", "-q", "-k", "-n", str(requests), "-c", "4", f"http://127.0.0.1:{port}/good/1"], check=True,
                   capture_output=True, timeout=120)


@pytest.mark.parametrize("target", ["nginx", "redis", "postgresql", "echo"])
def test_bytes_that_are_no_protocol_harm_neither_the_agent_nor_other_edges(agent, request, target, tmp_path):
    from conftest import Nginx
    other = Nginx(tmp_path / "other", 1)
    server = None
    if target == "echo":
        port = free_port()
        server = echo(port)
    elif target == "nginx":
        server = Nginx(tmp_path / "target", 1)
        port = server.port
    else:
        fixture = request.getfixturevalue(target)
        port = fixture if isinstance(fixture, int) else fixture.port
    weft = agent()
    load = threading.Thread(target=ab, args=(other.port, 3000))
    load.start()
    random.seed(7)
    for i, bytes_ in enumerate(garbage(target)):
        throw(port, bytes_, [1 << 20, 100, 7][i % 3] if len(bytes_) < 3000 else 1 << 20)
    load.join()
    assert weft.process.poll() is None
    records = weft.stop()
    other.stop()
    if target in ("nginx", "echo"):
        server.stop() if target == "nginx" else server.close()
    assert records.total("calls", port=other.port) == 3000
    assert {e["protocol"] for e in records.edges(port=other.port)} == {"http"}
    assert sum(records.errors(kind, port=other.port) for kind in ("client_error", "server_error", "no_response")) == 0
    assert records.total("connects", port=port) >= 40
    assert records.counters["memory_refused"] == 0


def test_what_comes_after_a_withdrawn_verdict_is_bytes_and_no_calls(agent):
    port = free_port()
    server = echo(port)
    weft = agent()
    with socket.create_connection(("127.0.0.1", port)) as client:
        for _ in range(50):
            client.sendall(b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\nb\r\n"[:20] + b"\xff" * 200)
            client.recv(65536)
    records = weft.stop()
    server.close()
    assert records.total("calls", port=port) <= 1
    assert sum(e["bytes"]["request"] for e in records.edges(port=port)) == 50 * 220
    assert sum(e["bytes"]["response"] for e in records.edges(port=port)) == 50 * 220


@pytest.mark.skipif(not shutil.which("dnsmasq"), reason="dnsmasq is not installed")
def test_bytes_that_are_no_dns_on_its_port(agent, tmp_path):
    port = free_port()
    server = subprocess.Popen(["dnsmasq", "--keep-in-foreground", "--no-resolv", "--no-hosts", f"--port={port}",
                               "--listen-address=127.0.0.1", "--bind-interfaces", "--user=root",
                               f"--pid-file={tmp_path}/pid", "--address=/example.test/192.0.2.1"])
    try:
        wait_for_port(port)
        weft = agent()
        source = random.Random(3)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            for _ in range(500):
                client.sendto(source.randbytes(source.randrange(1, 600)), ("127.0.0.1", port))
            for i in range(200):  # a header of one question, and nonsense for it
                client.sendto(i.to_bytes(2, "big") + b"\1\0\0\1\0\0\0\0\0\0" + source.randbytes(40), ("127.0.0.1", port))
        for bytes_ in list(garbage("dns"))[:20]:
            throw(port, bytes_, 1 << 20)
        assert weft.process.poll() is None
        records = weft.stop()
    finally:
        server.terminate()
        server.wait(10)
    assert records.counters["memory_refused"] == 0
