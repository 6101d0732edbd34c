# SPDX-License-Identifier: Apache-2.0
"""Two agents, each of one network namespace: their halves of a connection have one id."""
import json
import subprocess

import jsonschema
import pytest

from conftest import ROOT, Agent, free_port, wait_for_port

CLIENT = """
import http.client, sys
connection = http.client.HTTPConnection(sys.argv[1], int(sys.argv[2]))
for _ in range(3):
    connection.request("GET", "/"); connection.getresponse().read()
"""


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True, timeout=10)


@pytest.fixture
def namespace():
    """`weft-join`, at 10.251.7.2, with this namespace at 10.251.7.1."""
    ip("netns", "add", "weft-join")
    try:
        ip("link", "add", "weft-join0", "type", "veth", "peer", "name", "weft-join1", "netns", "weft-join")
        ip("addr", "add", "10.251.7.1/24", "dev", "weft-join0")
        ip("link", "set", "weft-join0", "up")
        ip("-n", "weft-join", "addr", "add", "10.251.7.2/24", "dev", "weft-join1")
        ip("-n", "weft-join", "link", "set", "weft-join1", "up")
        yield "weft-join"
    finally:
        ip("netns", "del", "weft-join")


def test_both_halves_of_a_connection_have_one_id(tmp_path, namespace):
    port = free_port()
    server = subprocess.Popen(["/usr/bin/python3", "-m", "http.server", str(port), "--bind", "0.0.0.0", "--directory", tmp_path],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    agents = []
    try:
        wait_for_port(port)
        agents.append(Agent(tmp_path / "here.json", "--namespace", "self"))
        agents.append(Agent(tmp_path / "there.json", "--namespace", "self", within=["ip", "netns", "exec", namespace]))
        subprocess.run(["ip", "netns", "exec", namespace, "/usr/bin/python3", "-c", CLIENT, "10.251.7.1", str(port)],
                       check=True, timeout=30)
        here, there = [agent.stop() for agent in agents]
    finally:
        for agent in agents:
            if agent.process.poll() is None:
                agent.process.kill()
                agent.process.communicate()
        server.terminate()
        server.wait(10)
    validator = jsonschema.Draft202012Validator(json.loads((ROOT / "docs" / "schema" / "join.json").read_text()))
    joins = {}
    for records in here, there:
        for record in (r for r in records.all if r["record"] == "join" and r["server"]["port"] == port):
            validator.validate(record)
            joins.setdefault(record["conn_id"], {})[record["side"]] = record
    assert joins
    edges = {e["edge_id"]: e for r in (here, there) for e in r.edges(port=port)}
    for sides in joins.values():
        assert set(sides) == {"client", "server"}
        client, server = sides["client"], sides["server"]
        assert client["client"] == server["client"] and client["client"]["address"] == "10.251.7.2"
        assert edges[client["edge_id"]]["observed_at"] == "client"
        assert edges[server["edge_id"]]["observed_at"] == "server"
        assert client["workload_id"] == edges[client["edge_id"]]["client"]["id"]
        assert server["workload_id"] == edges[server["edge_id"]]["server"]["id"]
        assert edges[server["edge_id"]]["client_addresses"] == 1
