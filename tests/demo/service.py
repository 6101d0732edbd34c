# SPDX-License-Identifier: Apache-2.0
"""A small service for the demo: python3 NAME.py, where NAME.py is a link to this file and names what it does.

Each handles HTTP on its port by calling others. Nothing here knows that it is watched.
"""
import http.client
import http.server
import os
import random
import socket
import struct
import sys
import threading
import time

PORTS = {"web": 3000, "api": 8080, "orders": 8081, "payments": 8082}
local = threading.local()


def pooled(kind, make):
    if not hasattr(local, kind):
        setattr(local, kind, make())
    return getattr(local, kind)


def call(port, method, path):
    connection = pooled(f"http{port}", lambda: http.client.HTTPConnection("127.0.0.1", port, timeout=5))
    try:
        connection.request(method, path)
        response = connection.getresponse()
        response.read()
        return response.status
    except (OSError, http.client.HTTPException):
        connection.close()
        return 502


def redis(*words):
    connection = pooled("redis", lambda: socket.create_connection(("127.0.0.1", 6379)))
    connection.sendall(f"*{len(words)}\r\n".encode() + b"".join(b"$%d\r\n%s\r\n" % (len(w), w.encode()) for w in words))
    return connection.recv(65536)


class Postgres:
    """As much of the protocol as a query takes, without authentication."""

    def __init__(self):
        self.socket = socket.create_connection(("127.0.0.1", 5432))
        body = struct.pack("!I", 196608) + b"user\0postgres\0database\0postgres\0\0"
        self.socket.sendall(struct.pack("!I", len(body) + 4) + body)
        self.wait()

    def wait(self):
        data = b""
        while not (len(data) >= 6 and data[-6:-1] == b"Z\0\0\0\5"):
            data += self.socket.recv(65536)

    def query(self, sql):
        body = sql.encode() + b"\0"
        self.socket.sendall(b"Q" + struct.pack("!I", len(body) + 4) + body)
        self.wait()


def query(sql):
    pooled("postgres", Postgres).query(sql)


def refused(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        pass


def web(path):
    redis("GET", f"session:{random.randrange(1000)}")
    return call(PORTS["api"], "GET", path)


def api(path):
    redis("GET", f"cart:{random.randrange(1000)}")
    query(f"SELECT {random.randrange(1000)} AS stock")
    if path.startswith("/orders"):
        return call(PORTS["orders"], random.choice(["GET", "GET", "POST"]), path)
    return 404 if random.random() < 0.02 else 200


def orders(path):
    query(f"SELECT pg_sleep({random.expovariate(250):.5f}), {random.randrange(1000)}")
    if random.random() < 0.25:
        call(PORTS["payments"], "POST", "/charges")
    return 503 if random.random() < 0.03 else 200


def payments(path):
    time.sleep(random.uniform(0.02, 0.06))
    return 500 if random.random() < 0.12 else 201


def serve(name):
    handle = globals()[name]

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one write

        def do_GET(self):
            body = b"ok"
            self.send_response(handle(self.path))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        do_POST = do_GET

        def log_message(self, *_):
            pass
    http.server.ThreadingHTTPServer(("127.0.0.1", PORTS[name]), Handler).serve_forever()


def worker():
    while True:
        redis("LPUSH", "jobs", "1")
        redis("RPOP", "jobs")
        query("UPDATE pg_class SET relname = relname WHERE false")
        time.sleep(0.15)


def report():
    while True:
        query("SELECT pg_sleep(0.4)")
        refused(9400)  # a collector that nobody has started
        time.sleep(2)


def visitors():
    def visit():
        while True:
            call(80, "GET", random.choice(["/", "/products/%d" % random.randrange(500), "/orders/%d" % random.randrange(9000), "/cart"]))
            time.sleep(random.expovariate(14))
    for _ in range(6):
        threading.Thread(target=visit, daemon=True).start()
    visit()


if __name__ == "__main__":
    name = os.path.basename(sys.argv[0]).removesuffix(".py")
    serve(name) if name in PORTS else globals()[name]()
