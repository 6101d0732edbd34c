# SPDX-License-Identifier: Apache-2.0
"""A secret in every place where one can be: with default settings no sink, topic, page, metric or log has any of them."""
import base64
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

from conftest import WEFT, free_port, wait_for_port
from kafka import Kafka
from test_postgresql import postgresql  # noqa: F401
from test_postgresql_forms import psql
from test_redis import redis  # noqa: F401
from test_redis_forms import Client

HTTP = r"""
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(500, "canary-reason")
        self.send_header("Set-Cookie", "session=canary-set-cookie")
        self.send_header("X-Answer", "canary-answer-header")
        body = b'{"error": "canary-answer-body"}'
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *arguments): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def speak_http(port):
    head = ("POST /orders/17;matrix=canary-matrix?token=canary-query&canary-name=1#canary-fragment HTTP/1.1\r\nHost: shop.test\r\n"
            "X-Secret: canary-header\r\nCookie: session=canary-cookie\r\nReferer: http://x/?canary-referer\r\n"
            "Authorization: Basic " + base64.b64encode(b"u:canary-basic").decode() + "\r\nUser-Agent: canary-agent\r\n")
    body = b"password=canary-body"
    with socket.create_connection(("127.0.0.1", port)) as client:
        for _ in range(3):
            client.sendall(head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body)
            answer = b""
            while b"canary-answer-body" not in answer:
                answer += client.recv(65536)
    subprocess.run(["curl", "-s", "-o", os.devnull, "-u", "user:canary-argument", "-H", "X-Key: canary-argument-header", "-d",
                    "a=canary-argument-body", f"http://127.0.0.1:{port}/orders/18?key=canary-argument-query"], check=True,
                   env=os.environ | {"API_KEY": "canary-environment"})


def speak_redis(port):
    client = Client(port)
    client.call("CONFIG SET requirepass canary-password", "AUTH canary-password", "AUTH canary-wrong", "SET canary-key canary-value",
                "GET canary-key", "HSET h canary-field canary-hash", "EVAL return{'canary-script'} 0", "INCR canary-key",
                "CANARY-COMMAND canary-operand", "SUBSCRIBE canary-channel")
    client.close()
    with socket.create_connection(("127.0.0.1", port)) as inline:
        inline.sendall(b"AUTH canary-inline\r\nSET x canary-inline-value\r\n")
        inline.recv(100)


def speak_postgresql(server):
    psql(server, "create table secrets (name text unique);", "insert into secrets values ('canary-literal');",
         "select * from secrets where name = $$canary-dollar$$ /* canary-comment */ -- canary-line", ";",
         "insert into secrets values ('canary-literal');",  # the error's detail names it
         "select E'canary-escape' as \"x\", U&'canary-unicode';", "do $$ begin raise 'canary-raised'; end $$;",
         "prepare p as select $1::text; execute p('canary-execute');", "set application_name = 'canary-setting';",
         "create user robot password 'canary-user-password';", "drop user robot;",
         "notify news, 'canary-notification';", "copy secrets to stdout;", check=False)
    binding = subprocess.run(["pgbench", "-n", "-h", "127.0.0.1", "-p", str(server.port), "-U", "postgres", "-t", "5", "-M", "prepared",
                              "-D", "value=canary-bind", "-f", "/dev/stdin", "postgres"],
                             input="select :value::text;\n", text=True, capture_output=True)
    assert binding.returncode == 0, binding.stderr


def speak_with_secret_arguments(port):
    """A program's secrets on its command line and in its environment; its name may be that of its file."""
    script = "import socket, sys; socket.create_connection(('127.0.0.1', int(sys.argv[1]))).close()"
    subprocess.run([sys.executable, "-c", script, str(port), "--password=canary-option"], check=True,
                   env=os.environ | {"PASSWORD": "canary-of-a-script"})


@pytest.fixture
def kafka(tmp_path):
    server = Kafka(tmp_path / "broker")
    yield server
    server.kill()


def get(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode(errors="replace")


def test_no_secret_is_in_any_sink_kafka_topic_page_metric_or_log(redis, postgresql, kafka, tmp_path):  # noqa: F811
    http, page, metrics, wait = free_port(), free_port(), free_port(), os.pipe()
    server = subprocess.Popen([sys.executable, "-c", HTTP, str(http)])
    wait_for_port(http)
    out, errors = open(tmp_path / "stdout", "w"), open(tmp_path / "stderr", "w")
    weft = subprocess.Popen([WEFT, "agent", "--sink", "stdout", "--sink", f"file:{tmp_path}/file", "--sink", f"prometheus:127.0.0.1:{metrics}",
                             "--sink", f"kafka:{kafka.address}", "--page", f"127.0.0.1:{page}", "--socket", tmp_path / "socket",
                             "--window", "2s", "--ready-fd", str(wait[1])],
                            pass_fds=[wait[1]], stdout=out, stderr=errors)
    os.close(wait[1])
    try:
        assert os.read(wait[0], 16) == b"ready\n"
        speak_http(http)
        speak_redis(redis)
        speak_postgresql(postgresql)
        speak_with_secret_arguments(http)
        time.sleep(5)  # two windows and their grace
        seen = {"metrics": get(f"http://127.0.0.1:{metrics}/metrics")}
        site = f"http://127.0.0.1:{page}"
        seen["page"] = get(site + "/")
        seen["map"] = get(site + "/api/v1/map")
        for edge in json.loads(seen["map"])["edges"]:
            seen[f"edge {edge['id']}"] = get(f"{site}/api/v1/edges/{edge['id']}")
        for node in json.loads(seen["map"])["nodes"]:
            seen[f"node {node['id']}"] = get(f"{site}/api/v1/nodes/{node['id']}")
        for form in ("table", "json", "dot", "mermaid"):
            seen[f"weft map {form}"] = subprocess.run([WEFT, "map", "--format", form, "--at", tmp_path / "socket"], check=True,
                                                      capture_output=True, text=True).stdout
    finally:
        weft.terminate()
        weft.wait(30)
        server.kill()
        server.wait(10)
    for name in ("stdout", "stderr", "file"):
        seen[name] = (tmp_path / name).read_text()
    topics = {topic: kafka.read_raw(topic) for topic in kafka.topics()}
    assert {"weft.edges", "weft.workloads", "weft.agents"} <= set(topics) and all(topics.values())
    seen |= {f"topic {name}": content.decode(errors="replace") for name, content in topics.items()}
    # What was spoken is in all of them, or their silence would prove nothing.
    for name in ("stdout", "file", "map", "metrics", "topic weft.edges", "topic weft.workloads"):
        assert "postgres" in seen[name] and "redis" in seen[name], name
    for name in ("stdout", "topic weft.edges"):
        assert "/orders/{id}" in seen[name] and "SET" in seen[name] and "insert into secrets" in seen[name], name
    found = {name: sorted(set(word for word in text.replace("\\", " ").split('"') if "canary" in word.lower()))
             for name, text in seen.items() if "canary" in text.lower()}
    assert found == {}
