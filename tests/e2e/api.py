# SPDX-License-Identifier: Apache-2.0
"""The agent's API, asked as any client would."""
import http.client
import json
import socket
import time


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def json(self):
        return json.loads(self.body)


def ask(port, path="/api/v1/map", method="GET", **headers):
    """Header names are given with _ for -."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    try:
        return Answer(connection.getresponse())
    finally:
        connection.close()


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=10)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))


def ask_socket(path, what="/api/v1/map"):
    connection = UnixConnection(path)
    connection.request("GET", what)
    try:
        return Answer(connection.getresponse())
    finally:
        connection.close()


def edges_at(graph, port):
    return [e for e in graph["edges"] if e["server_port"] == port]


def wait_for_calls(port, server_port, calls, seconds=20):
    """The map as soon as it holds so many calls to that server: windows are shown while they run."""
    end = time.monotonic() + seconds
    while True:
        graph = ask(port).json
        if "running" in graph and sum(e["calls"] for e in edges_at(graph, server_port)) >= calls:
            return graph
        if time.monotonic() > end:
            return graph
        time.sleep(0.2)
