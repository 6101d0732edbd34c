# SPDX-License-Identifier: Apache-2.0
"""Every form that HTTP/1.1 has on the wire, on real servers: what the edge says against what the client was answered."""
import collections
import os
import socket
import subprocess
import sys
import threading
import time

import pytest

from conftest import free_port, wait_for_port

SERVER = r"""
import http.server, sys
BIG = b"x" * (10 << 20)
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def reply(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status >= 200 and status not in (204, 304):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD" and status not in (204, 304):
            self.wfile.write(body)
    def chunked(self):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for piece in (b"HTTP/1.1 500 looks like a status line\r\n", b"y" * 70000, b"GET / HTTP/1.1\r\n\r\n"):
            self.wfile.write(b"%x;extension=1\r\n%s\r\n" % (len(piece), piece))
            self.wfile.flush()
        self.wfile.write(b"0\r\nX-Trailer: 1\r\n\r\n")
    def upgrade(self):
        self.reply(101, Upgrade="websocket", Connection="Upgrade")
        self.wfile.flush()
        while True:
            frame = self.rfile.read1(65536)
            if not frame:
                break
            self.wfile.write(frame)
        self.close_connection = True
    def body(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            while True:
                size = int(self.rfile.readline().split(b";")[0], 16)
                self.rfile.read(size + 2)
                if not size:
                    return
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
    def until_close(self):
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b"z" * 100000)
        self.close_connection = True
    def hints(self):
        self.wfile.write(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n")
        self.wfile.flush()
        self.reply(200, b"ok")
    def any(self):
        path = self.path.split("?")[0]
        self.body()
        if path == "/chunked": self.chunked()
        elif path == "/upgrade": self.upgrade()
        elif path == "/until-close": self.until_close()
        elif path == "/hints": self.hints()
        elif path == "/big": self.reply(200, BIG)
        else: self.reply(int(path[1:].split("/")[0]) if path[1:4].isdigit() else 200, b"ok")
    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_OPTIONS = do_PATCH = any
    def log_message(self, *arguments): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


@pytest.fixture
def server():
    port = free_port()
    process = subprocess.Popen([sys.executable, "-c", SERVER, str(port)])
    wait_for_port(port)
    yield port
    process.kill()
    process.wait(10)


def curl(port, path, *options):
    return subprocess.run(["curl", "-s", "-o", os.devnull, "-w", "%{http_code}\n", *options, f"http://127.0.0.1:{port}{path}"],
                          check=True, capture_output=True, text=True, timeout=60).stdout.split()


def seen(records, port):
    calls = collections.Counter()
    for edge in records.edges(port=port, protocol="http"):
        for endpoint in edge.get("endpoints", []):
            calls[endpoint["operation"], endpoint["endpoint"]] += endpoint["calls"]
    return calls


def errors(records, port):
    return {kind: records.errors(kind, port=port) for kind in ("client_error", "server_error", "timeout", "no_response")}


NONE = {"client_error": 0, "server_error": 0, "timeout": 0, "no_response": 0}


def test_chunks_whose_text_looks_like_messages_are_one_answer(agent, server):
    weft = agent()
    assert curl(server, "/chunked?n=[1-5]") == ["200"] * 5  # one connection
    records = weft.stop()
    assert seen(records, server) == {("GET", "/chunked"): 5}
    assert errors(records, server) == NONE


def test_a_chunked_request_is_one_call(agent, server, tmp_path):
    (tmp_path / "body").write_bytes(b"POST / HTTP/1.1\r\n\r\n" * 5000)
    weft = agent()
    with open(tmp_path / "body", "rb") as body:
        subprocess.run(["curl", "-s", "-T", "-", "-o", os.devnull, f"http://127.0.0.1:{server}/put"], stdin=body, check=True)
    records = weft.stop()
    assert seen(records, server) == {("PUT", "/put"): 1}


def test_answers_without_a_body_leave_the_next_one_in_its_place(agent, server):
    weft = agent()
    for options in (["-I"], []):
        assert curl(server, "/big?n=[1-3]", *options) == ["200"] * 3
    for status in ("204", "304"):
        assert curl(server, f"/{status}/x?n=[1-4]") == [status] * 4
    records = weft.stop()
    assert seen(records, server) == {("HEAD", "/big"): 3, ("GET", "/big"): 3, ("GET", "/{id}/x"): 8}
    assert errors(records, server) == NONE
    assert records.total("connects", port=server) == 4


def test_interim_answers_are_part_of_the_call_they_announce(agent, server, tmp_path):
    (tmp_path / "body").write_bytes(b"b" * 2_000_000)
    weft = agent()
    assert curl(server, "/hints?n=[1-3]") == ["200"] * 3
    assert curl(server, "/posted?n=[1-3]", "-H", "Expect: 100-continue", "--data-binary", f"@{tmp_path}/body") == ["200"] * 3
    records = weft.stop()
    assert seen(records, server) == {("GET", "/hints"): 3, ("POST", "/posted"): 3}
    assert errors(records, server) == NONE


def test_bodies_of_ten_megabytes_either_way_count_by_the_byte(agent, server, tmp_path):
    (tmp_path / "body").write_bytes(b"b" * (10 << 20))
    weft = agent()
    assert curl(server, "/big?n=[1-2]") == ["200"] * 2
    assert curl(server, "/up?n=[1-2]", "--data-binary", f"@{tmp_path}/body", "-H", "Expect:") == ["200"] * 2
    records = weft.stop()
    assert seen(records, server) == {("GET", "/big"): 2, ("POST", "/up"): 2}
    for direction in ("request", "response"):
        moved = sum(e["bytes"][direction] for e in records.edges(port=server))
        assert 20 << 20 < moved < (20 << 20) + 4000


def test_an_answer_that_the_close_ends_is_answered(agent, server):
    weft = agent()
    for _ in range(3):
        assert curl(server, "/until-close") == ["200"]
    records = weft.stop()
    assert seen(records, server) == {("GET", "/until-close"): 3}
    assert errors(records, server) == NONE


def test_after_an_upgrade_nothing_is_taken_for_http(agent, server):
    weft = agent()
    with socket.create_connection(("127.0.0.1", server)) as client:
        client.sendall(b"GET /upgrade HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        assert client.recv(4096).startswith(b"HTTP/1.1 101")
        for _ in range(20):
            client.sendall(b"\x81\x20GET / HTTP/1.1\r\nHost: frame!!\r\n\r\n")
            assert client.recv(4096)
    records = weft.stop()
    assert seen(records, server) == {("GET", "/upgrade"): 1}
    assert errors(records, server) == NONE
    assert sum(e["bytes"]["request"] for e in records.edges(port=server)) > 20 * 34


def test_statuses_count_by_whose_fault_they_are(agent, server):
    weft = agent()
    for status, times in ((200, 5), (404, 3), (401, 2), (500, 4), (503, 1)):
        assert curl(server, f"/{status}/x?n=[1-{times}]") == [str(status)] * times
    records = weft.stop()
    assert records.total("calls", port=server) == 15
    assert errors(records, server) == {"client_error": 5, "server_error": 5, "timeout": 0, "no_response": 0}


def test_a_hundred_requests_in_one_write_are_a_hundred_calls(agent, nginx):
    weft = agent()
    with socket.create_connection(("127.0.0.1", nginx.port)) as client:
        client.sendall(b"".join(b"GET /item/%d HTTP/1.1\r\nHost: x\r\n\r\n" % i for i in range(99))
                       + b"GET /broken HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answered = b"".join(iter(lambda: client.recv(65536), b"")).count(b"HTTP/1.1 ")
    assert answered == 100
    records = weft.stop()
    assert seen(records, nginx.port) == {("GET", "/item/{id}"): 99, ("GET", "/broken"): 1}
    assert errors(records, nginx.port) == NONE | {"server_error": 1}


def test_requests_that_come_byte_by_byte_are_each_one_call(agent, nginx):
    weft = agent()
    request = b"GET /users/17?token=x HTTP/1.1\r\nHost: x\r\nCookie: a=b\r\n\r\n"
    with socket.create_connection(("127.0.0.1", nginx.port)) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(5):
            for at in range(len(request)):
                client.sendall(request[at:at + 1])
                time.sleep(0.0005)
            assert client.recv(4096).startswith(b"HTTP/1.1 200")
    records = weft.stop()
    assert seen(records, nginx.port) == {("GET", "/users/{id}"): 5}
    durations = [e["duration"] for e in records.edges(port=nginx.port) if "duration" in e]
    assert sum(d["count"] for d in durations) == 5
    assert min(d["min"] for d in durations) > len(request) * 500_000  # from the first byte on


def test_a_request_that_is_never_finished_is_no_answered_call(agent, nginx):
    weft = agent()
    with socket.create_connection(("127.0.0.1", nginx.port)) as client:
        client.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\n")
        time.sleep(0.3)
    records = weft.stop()
    assert sum(seen(records, nginx.port).values()) == 0
    assert records.total("connects", port=nginx.port) == 1


def answer_in_vectors(connection, turns):
    """After each run of requests, its system calls: a vector of bytes each."""
    for asked, vectors in turns:
        got = b""
        while got.count(b"\r\n\r\n") < asked:
            got += connection.recv(65536)
        for vector in vectors:
            assert os.writev(connection.fileno(), vector) == sum(map(len, vector))


def head(length, *before, status="200 OK"):
    return "\r\n".join([f"HTTP/1.1 {status}", *before, f"Content-Length: {length}", "X: y", "", ""]).encode()


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
VECTORS = [  # requests, and what answers them
    *[(1, [[head(2), b"ok"]])] * 5,
    (1, [[head(2, status="404 Not Found"), b"no"]]),
    (1, [[head(2, "Server: s"), b"ok"]]),  # the field stands elsewhere
    (1, [[CHUNKED, b"2\r\nok\r\n0\r\n\r\n"]]),
    (2, [[head(2), b"ok" + head(2, status="500 Sorry") + b"no"]]),
    (3, [[head(2), b"ok" + head(2) + b"ok", head(2, status="404 Not Found"), b"no"]]),
    (1, [[head(100000), b"b" * 100000]]),
    (1, [[head(20), b"c" * 10], [b"c" * 9, b"c"]]),
    (1, [[head(0)]]),
    (1, [[head(5), b"", b"hello"]]),
    (1, [[head(2), b"ok"]]),
]


def test_heads_and_bodies_in_runs_of_their_own_are_whole_answers_at_once(agent):
    weft = agent()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client, listener.accept()[0] as server:
            thread = threading.Thread(target=answer_in_vectors, args=(server, VECTORS))
            thread.start()
            for asked, vectors in VECTORS:
                client.sendall(b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n" * asked)
                left = sum(len(part) for vector in vectors for part in vector)
                while left:
                    left -= len(client.recv(left))
            thread.join()
            records = weft.stop()  # while the connection is open, so nothing but the answers' own bytes ends them
    assert seen(records, port) == {("GET", "/a"): sum(asked for asked, _ in VECTORS)}
    assert errors(records, port) == NONE | {"client_error": 2, "server_error": 1}
    assert sum(e["duration"]["count"] for e in records.edges(port=port) if "duration" in e) == sum(asked for asked, _ in VECTORS)
    assert sum(e["bytes"]["response"] for e in records.edges(port=port)) == sum(
        len(part) for _, vectors in VECTORS for vector in vectors for part in vector)
