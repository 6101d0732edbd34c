# SPDX-License-Identifier: Apache-2.0
"""The agent's HTTP API: what it says against what was sent, and whom it answers."""
import http.client
import json
import os
import socket
import stat
import subprocess

import pytest

from api import ask, ask_socket, edges_at, wait_for_calls
from conftest import WEFT, free_port
from test_http import ab

TOKEN = "a-token-of-24-characters"


@pytest.fixture
def served(agent, tmp_path):
    """An agent with a page; .port and .socket."""
    def start(*options):
        port, path = free_port(), tmp_path / "run" / "weft.sock"
        weft = agent("--page", f"127.0.0.1:{port}", "--socket", str(path), *options)
        weft.port, weft.socket = port, path
        return weft
    return start


def refused(*options, within=()):
    return subprocess.run([*within, WEFT, "agent", "--for", "5s", *options], capture_output=True, text=True, timeout=30)


def test_the_map_equals_what_was_sent(served, nginx_once):
    weft = served()
    ab(nginx_once.port, "/users/1", 2000)
    ab(nginx_once.port, "/broken", 100, "-k")
    graph = wait_for_calls(weft.port, nginx_once.port, 2100)
    edges = edges_at(graph, nginx_once.port)
    names = {n["id"]: n["name"] for n in graph["nodes"]}
    assert {(names[e["client"]], names[e["server"]], e["protocol"], e["observed_at"]) for e in edges} == {("ab", "nginx", "http", "both")}
    assert sum(e["calls"] for e in edges) == 2100
    assert sum(e["errors"]["server_error"] for e in edges) == 100
    edge = edges[0]
    assert edge["error_share"] == pytest.approx(100 / 2100, rel=1e-4)
    assert edge["rate"] == pytest.approx(2100 / graph["seconds"], rel=1e-4)
    assert 0 < edge["duration"]["p50"] <= edge["duration"]["p95"] <= edge["duration"]["p99"] <= edge["duration"]["max"]
    assert edge["duration"]["count"] == 2100

    detail = ask(weft.port, f"/api/v1/edges/{edge['id']}").json
    assert {(p["operation"], p["endpoint"]): (p["calls"], p["errors"]) for p in detail["edge"]["endpoints"]} == {
        ("GET", "/users/{id}"): (2000, 0), ("GET", "/broken"): (100, 100)}
    assert detail["edge"]["client"]["name"] == "ab"
    assert len({len(values) for values in detail["series"].values()}) == 1

    node = ask(weft.port, f"/api/v1/nodes/{edge['server']}").json
    assert node["node"]["name"] == "nginx"
    assert [e["calls"] for e in edges_at({"edges": node["incoming"]}, nginx_once.port)] == [2100]
    assert node["node"]["instance_count"] >= 1

    timeline = ask(weft.port, "/api/v1/timeline").json
    assert len(timeline["time"]) == len(timeline["rate"]) >= 1
    status = ask(weft.port, "/api/v1/status").json
    assert status["agent"]["host"] == socket.gethostname()
    assert status["graph"]["windows"] >= 1


def test_a_moment_of_the_past_is_shown_as_it_was(served, nginx_once):
    weft = served("--window", "1s")
    ab(nginx_once.port, "/", 500)
    then = wait_for_calls(weft.port, nginx_once.port, 500)["to"]
    ab(nginx_once.port, "/", 300)
    assert sum(e["calls"] for e in edges_at(wait_for_calls(weft.port, nginx_once.port, 800), nginx_once.port)) == 800
    past = ask(weft.port, f"/api/v1/map?seconds=60&to={then}").json
    assert past["to"] >= then
    calls = sum(e["calls"] for e in edges_at(past, nginx_once.port))
    assert 500 <= calls <= 800
    first = ask(weft.port, "/api/v1/map?seconds=1&to=1").json
    assert first["from"] == first["oldest"]


def test_the_unix_socket_answers_the_same_and_is_for_its_owner_alone(served):
    weft = served()
    wait_for_calls(weft.port, 0, 0)
    assert set(ask_socket(weft.socket).json) == set(ask(weft.port).json)
    assert stat.S_IMODE(os.stat(weft.socket).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(weft.socket.parent).st_mode) == 0o700
    weft.stop()
    assert not weft.socket.exists()


def test_a_dead_socket_is_replaced_and_a_living_one_is_not(served, tmp_path):
    path = tmp_path / "run" / "weft.sock"
    path.parent.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    weft = served("--namespace", "self")
    assert ask_socket(weft.socket).status == 200
    second = refused("--page", "off", "--socket", str(path), "--namespace", "self", within=["unshare", "--net"])
    assert second.returncode == 1
    assert "another agent answers there" in second.stderr and "--socket" in second.stderr
    assert ask_socket(weft.socket).status == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:7575", "localhost.evil.example", "10.0.0.1", "127.0.0.1.evil.example", ""])
def test_another_host_is_refused(served, host):
    weft = served()
    for path in "/", "/api/v1/map":
        answer = ask(weft.port, path, Host=host)
        assert answer.status == 403
        assert b"nodes" not in answer.body


def test_the_names_of_loopback_are_hosts(served):
    weft = served()
    for host in "localhost", f"localhost:{weft.port}", "127.0.0.1:8080", "[::1]:80":
        assert ask(weft.port, Host=host).status == 200


def test_the_page_of_another_site_is_refused(served):
    weft = served()
    own = f"http://127.0.0.1:{weft.port}"
    assert ask(weft.port, Origin=own).status == 200
    for origin in "https://evil.example", "null", f"http://localhost:{weft.port}", f"http://127.0.0.1:{weft.port + 1}":
        assert ask(weft.port, Origin=origin).status == 403
    assert ask(weft.port, Sec_Fetch_Site="cross-site").status == 403
    assert ask(weft.port, Sec_Fetch_Site="same-origin").status == 200
    assert ask(weft.port, "/", Sec_Fetch_Site="cross-site").status == 200  # a link to the page


def test_every_answer_is_guarded(served):
    weft = served()
    for path in "/", "/main.js", "/api/v1/map", "/api/v1/nothing", "/nothing":
        answer = ask(weft.port, path)
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert "unsafe" not in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert "Access-Control-Allow-Origin" not in answer.headers
    assert ask(weft.port, "/api/v1/map").headers["Cache-Control"] == "no-store"


def test_methods_and_paths(served):
    weft = served()
    head = ask(weft.port, "/", method="HEAD")
    assert (head.status, head.body) == (200, b"")
    assert int(head.headers["Content-Length"]) == len(ask(weft.port, "/").body)
    assert ask(weft.port, "/api/v1/events", method="HEAD").headers["Content-Type"] == "text/event-stream"
    for method in "POST", "PUT", "DELETE", "OPTIONS", "PATCH":
        answer = ask(weft.port, method=method)
        assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")
    for path in "/nothing", "/api/v1/", "/api/v1/edges/", "/api/v1/edges/xyz", "/api/v1/nodes/0000000000000001", "/api/v2/map", "/../etc/passwd":
        assert ask(weft.port, path).status == 404
        assert ask(weft.port, path).json["error"]
    for query in "seconds=0", "seconds=x", "seconds=3601", "seconds=-1", "to=x", "to=-5", "to=99999999999999999999999":
        assert ask(weft.port, f"/api/v1/map?{query}").status == 400
    answer = ask(weft.port, "/main.js")
    assert answer.headers["Content-Type"].startswith("text/javascript")
    assert ask(weft.port, "/main.js", If_None_Match=answer.headers["ETag"]).status == 304


class Stream:
    """Server-sent events, read one by one."""

    def __init__(self, port, path="/api/v1/events?seconds=60"):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=15)
        self.connection.request("GET", path)
        self.response = self.connection.getresponse()
        self.status = self.response.status

    def next_map(self):
        while True:
            line = self.response.readline()
            assert line, "the stream ended"
            if line.startswith(b"data: "):
                return json.loads(line[6:])


def test_events_show_the_map_as_it_changes(served, nginx_once):
    weft = served()
    stream = Stream(weft.port)
    assert stream.response.headers["Content-Type"] == "text/event-stream"
    first = stream.next_map()
    assert edges_at(first, nginx_once.port) == []
    ab(nginx_once.port, "/", 700)
    shown = [first]
    while sum(e["calls"] for e in edges_at(shown[-1], nginx_once.port)) < 700:
        assert len(shown) < 30
        shown.append(stream.next_map())
    times = [graph["to"] for graph in shown]
    assert times == sorted(times)
    assert sum(e["calls"] for e in edges_at(stream.next_map(), nginx_once.port)) == 700
    assert ask(weft.port, "/api/v1/events?seconds=61").status == 400
    assert ask(weft.port, "/api/v1/events?seconds=60&to=5").status == 400


def test_streams_are_bounded_and_nobody_waits_for_one_that_does_not_read(served):
    weft = served()
    streams = [Stream(weft.port) for _ in range(16)]
    assert [s.status for s in streams] == [200] * 16
    refused_stream = ask(weft.port, "/api/v1/events?seconds=60")
    assert refused_stream.status == 503
    assert "16" in refused_stream.json["error"]
    assert streams[0].next_map()["version"] == 1  # the others are not read, and this one goes on
    assert ask(weft.port).status == 200
    status = ask(weft.port, "/api/v1/status").json
    assert status["streams"]["open"] == 16 and status["streams"]["refused"] == 1
    weft.stop()  # does not wait for them either


def test_a_taken_port_is_said_with_what_to_do():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        weft = refused("--page", f"127.0.0.1:{port}", "--socket", "off")
    assert weft.returncode == 1
    assert f"127.0.0.1:{port}" in weft.stderr and "Address already in use" in weft.stderr
    assert "--page" in weft.stderr and "off" in weft.stderr


def test_beyond_loopback_a_token_is_needed(agent, tmp_path):
    port = free_port()
    bare = refused("--page", f"0.0.0.0:{port}", "--socket", "off")
    assert bare.returncode != 0
    assert "token" in bare.stderr and "loopback" in bare.stderr

    file = tmp_path / "token"
    file.write_text(TOKEN + "\n")
    agent("--page", f"0.0.0.0:{port}", "--page-token-file", str(file))
    for headers in {}, {"Authorization": "Bearer wrong-wrong-wrong-wrong"}, {"Authorization": TOKEN}, {"Cookie": "weft_token=wrong"}:
        for path in "/", "/main.js", "/api/v1/map", "/api/v1/events":
            answer = ask(port, path, **headers)
            assert answer.status == 401, (headers, path)
            assert b"nodes" not in answer.body
    assert ask(port, Authorization=f"Bearer {TOKEN}", Host="node-1.example:7575").status == 200
    assert ask(port, f"/api/v1/map?token={TOKEN}").status == 200
    login = ask(port, f"/?token={TOKEN}")
    assert login.status == 303 and login.headers["Location"] == "/"
    cookie = login.headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie
    assert ask(port, Cookie=cookie.split(";")[0]).status == 200
    assert ask(port, Cookie=cookie.split(";")[0], Origin="https://evil.example").status == 403


def test_a_token_that_is_too_short_is_refused(tmp_path):
    file = tmp_path / "token"
    file.write_text("short")
    weft = refused("--page", f"127.0.0.1:{free_port()}", "--socket", "off", "--page-token-file", str(file))
    assert weft.returncode == 2
    assert "16 to 256" in weft.stderr


def test_without_a_sink_nothing_is_written_to_stdout(tmp_path):
    port = free_port()
    weft = refused("--page", f"127.0.0.1:{port}", "--socket", str(tmp_path / "weft.sock"), "--window", "1s")
    assert weft.returncode == 0
    assert weft.stdout == ""
    assert f"http://127.0.0.1:{port}/" in weft.stderr
