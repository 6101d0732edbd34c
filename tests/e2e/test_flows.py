# SPDX-License-Identifier: Apache-2.0
"""Flow records against the interfaces' own counters; `weft flows` and its API; flows in Kafka."""
import json
import subprocess
import time

import pytest

from conftest import WEFT, Agent, free_port
from kafka import Kafka
from packets import Pair, Talk, netns_inode, run
from test_packets import grown, iperf
from test_records import validators  # noqa: F401 (a fixture)

ALL = ("--packets-scope", "all", "--include-interfaces", "veth")


@pytest.fixture
def pair():
    pair = Pair("weft-flows")
    yield pair
    pair.close()


def counters(pair):
    return {netns: pair.counters(netns) for netns in (pair.a, pair.b)}


def weft_flows(socket, *arguments):
    return subprocess.run([WEFT, "flows", "--at", str(socket), *arguments], capture_output=True, text=True, timeout=30)


def rows(socket, *arguments):
    result = weft_flows(socket, "--format", "json", *arguments)
    assert result.returncode == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def recorded(pair, path, *options):
    """Records of an agent that saw this traffic, and what the interfaces counted meanwhile: again if anything else passed."""
    while True:
        before = counters(pair)
        weft = Agent(path, "--sink", f"file:{path}.flows,records=flow+agent", "--window", "1s", *ALL)
        if before == counters(pair):
            iperf(pair, *options)
            run("ip", "netns", "exec", pair.a, "ping", "-c", "8", "-i", "0.3", "10.77.0.2")
            time.sleep(1.5)  # more than one window
            after = counters(pair)
            weft.stop()
            if after == counters(pair):
                return [json.loads(line) for line in open(f"{path}.flows")], before, after
        else:
            weft.stop()
        subprocess.run(["rm", "-f", path, f"{path}.flows"], check=True)


@pytest.mark.parametrize("options", [("10.77.0.2", "-n", "50M"), ("fd77::2", "-n", "50M"),
                                     ("10.77.0.2", "-u", "-b", "50M", "-t", "1", "-l", "9000")], ids=["tcp4", "tcp6", "fragments"])
def test_records_add_up_to_the_interfaces_counters(pair, tmp_path, validators, options):
    records, before, after = recorded(pair, tmp_path / "records.json", *options)
    flows = [r for r in records if r["record"] == "flow"]
    for record in records:
        validators[record["record"]].validate(record)
    assert len({r["window_start"] for r in flows}) >= 2
    for netns in (pair.a, pair.b):
        counted = grown(before[netns], after[netns])
        for way in ("ingress", "egress"):
            mine = [r for r in flows if r["hop"]["netns"] == netns_inode(netns) and r["hop"]["direction"] == way]
            assert (sum(r["packets"] for r in mine), sum(r["bytes"] for r in mine)) == counted[way], (netns, way)
            assert all(r["hop"]["interface"] == "veth" and r["hop"]["kind"] == "veth" for r in mine)
    assert "icmp" in {r["transport"] for r in flows}
    bulk = max(flows, key=lambda r: r["bytes"])
    told = [r for r in flows if r["conn_id"] == bulk["conn_id"]]  # of UDP, the edge may be known a window later
    assert any({r["source"].get("name"), r["destination"].get("name")} == {"iperf3"} and "edge_id" in r for r in told)
    assert {r[end].get("name") for r in told for end in ("source", "destination")} <= {"iperf3", None}
    last = [r for r in records if r["record"] == "agent"][-1]
    assert last["counters"]["flows_full"] == 0 and last["counters"]["packet_rounds_failed"] == 0


@pytest.fixture
def talk(pair, tmp_path):
    """An agent that has seen a connection of ten questions and answers which is open still; gives its socket, and the talk."""
    socket = tmp_path / "weft.sock"
    weft = Agent(tmp_path / "records.json", "--page", f"127.0.0.1:{free_port()}", "--socket", str(socket), *ALL)
    talk = Talk(pair.b, pair.a, "tcp", "10.77.0.2", 5432)
    yield socket, talk, pair
    talk.close()
    weft.stop()


def test_a_connection_is_a_row_and_its_hops_are_rows(talk):
    socket, told, pair = talk
    columns = "conn_id,client_address,client_port,server_address,server_port,client_pid,server_pid,packets_out,packets_in,connect,rtt"
    one, = rows(socket, "--columns", columns, "server_port == 5432")
    assert one["client_address"] == "10.77.0.1" and one["server_address"] == "10.77.0.2" and one["server_port"] == 5432
    assert one["client_port"] == told.client["port"]
    assert (one["client_pid"], one["server_pid"]) == (told.client["pid"], told.server["pid"])
    assert one["packets_out"] >= 12 and one["packets_in"] >= 11 and one["connect"] > 0 and one["rtt"] > 0
    hops = rows(socket, "--hops", "--columns", "sender,order,namespace,interface,direction,source,packets", f"conn_id == {one['conn_id']}")
    assert [(h["sender"], h["order"], h["namespace"], h["direction"], h["source"]) for h in hops] == [
        ("client", 1, pair.a, "egress", "10.77.0.1"), ("client", 2, pair.b, "ingress", "10.77.0.1"),
        ("server", 1, pair.b, "egress", "10.77.0.2"), ("server", 2, pair.a, "ingress", "10.77.0.2")]
    assert {h["packets"] for h in hops if h["sender"] == "client"} == {one["packets_out"]}


def test_filters_groups_and_histograms(talk):
    socket, _, _ = talk
    everything = rows(socket, "--columns", "transport,server_port,bytes")
    assert rows(socket, "server_port == 5432 and server_port != 5432") == []
    assert len(rows(socket, "server_address == 10.77.0.0/24 and transport == tcp")) == 1
    assert len(rows(socket, "not server_port == 5432")) == len(everything) - 1
    groups = rows(socket, "--group-by", "transport", "--columns", "transport,connections,bytes")
    assert sum(g["connections"] for g in groups) == len(everything)
    assert sum(g["bytes"] for g in groups) == sum(r["bytes"] for r in everything)
    histogram, = rows(socket, "--histogram", "bytes")
    assert sum(b["count"] for b in histogram["histogram"]["buckets"]) == len(everything)
    text = weft_flows(socket, "--histogram", "bytes").stdout
    assert text.split()[:3] == ["FROM", "UP", "TO"] and "*" in text and text.rstrip().endswith("matches.")


def test_a_table_for_people(talk):
    socket, _, _ = talk
    result = weft_flows(socket, "server_port", "==", "5432")
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["TRANSPORT", "CLIENT", "SERVER", "SERVER_ADDRESS", "SERVER_PORT", "STATE", "PACKETS_OUT",
                                "PACKETS_IN", "BYTES", "RETRANSMITS", "DROPS", "RTT", "AGE"]
    assert lines[1].startswith("tcp ") and "10.77.0.2" in lines[1] and lines[-1] == "1 match."
    assert weft_flows(socket, "--columns", "client,server", "--limit", "1").stdout.splitlines()[0].split() == ["CLIENT", "SERVER"]


def weft_path(socket, *arguments):
    return subprocess.run([WEFT, "path", "--at", str(socket), *arguments], capture_output=True, text=True, timeout=30)


def test_a_path_is_drawn_and_told_as_json(talk):
    socket, told, pair = talk
    answer = json.loads(weft_path(socket, "--format", "json", "10.77.0.1", "10.77.0.2:5432").stdout)
    assert answer["finding"]["code"] == "ok" and answer["connections"] == 1
    part, = answer["parts"]
    assert (part["client"]["pid"], part["server"]["pid"]) == (told.client["pid"], told.server["pid"])
    assert [(h["namespace"], h["direction"]) for h in part["hops"]] == [(pair.a, "egress"), (pair.b, "ingress")]
    assert [(h["namespace"], h["direction"]) for h in part["reverse"]] == [(pair.b, "egress"), (pair.a, "ingress")]
    drawing = weft_path(socket, "*", ":5432")
    assert drawing.returncode == 0, drawing.stderr
    lines = drawing.stdout.splitlines()
    assert lines[0] == answer["finding"]["text"]
    there, back = [i for i, line in enumerate(lines) if f"in {pair.a}, egress" in line or f"in {pair.b}, egress" in line]
    assert lines.index("and back:") in range(there, back)
    nobody = json.loads(weft_path(socket, "--format", "json", "10.77.0.1", "10.77.0.2:5433").stdout)
    assert nobody["finding"]["code"] == "not_seen" and nobody["connections"] == 0


def test_a_path_needs_two_ends():
    for arguments in [], ["a"], ["a", "b", "c"], ["--format", "xml", "a", "b"]:
        result = weft_path("/nonexistent", *arguments)
        assert result.returncode == 2 and result.stderr.startswith("weft path: ")


@pytest.mark.parametrize("arguments, words, caret", [
    (["server_prt == 1"], "no field is named `server_prt`", 0),
    (["rtt > 10"], "needs a duration with its unit", 6),
    (["(bytes > 1K"], "the parenthesis is not closed", 0),
    (["--columns", "client,bites"], "no field is named `bites`", 7),
    (["--group-by", "order"], "not a field of these rows", 0),
    (["--limit", "0"], "--limit 0: not understood; 1 to 10000", None),
    (["--format", "xml"], "allowed: table, json", None),
    (["--watch=soon"], "--watch=soon", None),
])
def test_mistakes_are_pointed_at(arguments, words, caret):
    result = weft_flows("/nonexistent", *arguments)
    lines = result.stderr.splitlines()
    assert result.returncode == 2 and not result.stdout and words in lines[0] and lines[0].startswith("weft flows: ")
    if caret is not None:
        assert lines[2] == " " * (2 + caret) + "^"


def test_an_agent_that_sees_no_packets_says_so(agent, tmp_path):
    socket = tmp_path / "weft.sock"
    agent("--packets", "off", "--socket", str(socket))
    result = weft_flows(socket)
    assert result.returncode == 1 and "does not watch packets" in result.stderr


def test_the_topic_of_flows_is_keyed_by_connection(pair, tmp_path):
    kafka = Kafka(tmp_path / "broker")
    try:
        weft = Agent(tmp_path / "records.json", "--sink", f"kafka:{kafka.address},records=flow", *ALL)
        Talk(pair.b, pair.a, "tcp", "10.77.0.2", 5432).close()
        weft.stop()
        messages = kafka.read("weft.flows")
    finally:
        kafka.kill()
    connection = [record for _, record in messages if record["source"].get("port") == 5432]
    assert connection and {r["hop"]["order"] for r in connection} == {1, 2}
    assert all(key == record["conn_id"] for key, record in messages if "conn_id" in record)
