# SPDX-License-Identifier: Apache-2.0
"""Fixtures: the agent under test, and real servers on loopback. Each ends only what it started."""
import fcntl
import json
import os
import pathlib
import shutil
import socket
import subprocess
import time

import jsonschema
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
WEFT = ROOT / "build" / "release" / "weft"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for_port(port, seconds=10, host="127.0.0.1"):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with socket.socket() as s:
            if s.connect_ex((host, port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError(f"nothing listens on {host}, port {port}")


@pytest.fixture(scope="session", autouse=True)
def one_run_at_a_time():
    """A host has one agent, so runs of these tests queue."""
    with open("/run/lock/weft-tests", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


class Agent:
    """A running `weft agent`; `stop` gives the records it wrote."""

    def __init__(self, path, *options, within=()):
        self.path = path
        ready, write = os.pipe()
        self.process = subprocess.Popen(
            [*within, WEFT, "agent", "--sink", f"file:{path}", "--window", "2s", "--ready-fd", str(write),
             "--page", "off", "--socket", "off", *options],
            pass_fds=[write], stderr=subprocess.PIPE)
        os.close(write)
        if os.read(ready, 16) != b"ready\n":
            raise RuntimeError(self.process.communicate()[1].decode())
        os.close(ready)

    def stop(self):
        time.sleep(0.3)
        self.process.terminate()
        self.process.communicate(timeout=30)
        assert self.process.returncode == 0, self.process.returncode
        return Records([json.loads(line) for line in open(self.path)])


def strict(schema):
    """The same schema, refusing fields that it does not name: a reader must take them, this agent must not write them."""
    if isinstance(schema, list):
        return [strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {key: strict(part) for key, part in schema.items()}
    return {"additionalProperties": False} | schema if isinstance(schema.get("properties"), dict) else schema


SCHEMAS = {path.stem: json.loads(path.read_text()) for path in (ROOT / "docs" / "schema").glob("*.json")}
STRICT = {kind: jsonschema.Draft202012Validator(strict(schema)) for kind, schema in SCHEMAS.items()}


class Records:
    """Every record that a test looks at fits its schema."""

    def __init__(self, records):
        for record in records:
            STRICT[record["record"]].validate(record)
        self.all = records
        self.counters = [r for r in records if r["record"] == "agent"][-1]["counters"]

    def edges(self, port=None, **want):
        return [r for r in self.all if r["record"] == "edge" and (port is None or r["server_port"] == port)
                and all(r.get(k) == v for k, v in want.items())]

    def total(self, field, **want):
        return sum(r[field] for r in self.edges(**want))

    def errors(self, kind, **want):
        return sum(r["errors"].get(kind, 0) for r in self.edges(**want))


@pytest.fixture
def agent(tmp_path):
    started = []

    def start(*options):
        started.append(Agent(tmp_path / f"records-{len(started)}.json", *options))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
            one.process.communicate()


class Nginx:
    def __init__(self, folder, workers, address="127.0.0.1"):
        self.port = free_port()
        folder.mkdir()
        (folder / "logs").mkdir()
        config = folder / "nginx.conf"
        config.write_text(f"""
            worker_processes {workers}; daemon off; user root; pid {folder}/pid; error_log {folder}/logs/error.log;
            events {{ worker_connections 2048; }}
            http {{ access_log off; keepalive_requests 100000000; server {{ listen {address}:{self.port};
                location / {{ return 200 "ok"; }}
                location /broken {{ return 500 "no"; }}
                location = /status {{ stub_status; }} }} }}""")
        self.process = subprocess.Popen([shutil.which("nginx") or "/usr/sbin/nginx", "-p", folder, "-c", config],
                                        stderr=subprocess.DEVNULL)
        wait_for_port(self.port, host=address)

    def stop(self):
        self.process.terminate()
        self.process.wait(10)


@pytest.fixture(params=[1, 4], ids=["1-worker", "4-workers"])
def nginx(request, tmp_path):
    server = Nginx(tmp_path / "nginx", request.param)
    yield server
    server.stop()


@pytest.fixture
def nginx_once(tmp_path):
    server = Nginx(tmp_path / "nginx", 1)
    yield server
    server.stop()
