# SPDX-License-Identifier: Apache-2.0
"""Every record of a real run fits its schema, and its sums agree."""
import json
import re
import subprocess

import jsonschema
import pytest

from conftest import ROOT, SCHEMAS, free_port

DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def validators():
    for schema in SCHEMAS.values():
        jsonschema.Draft202012Validator.check_schema(schema)
    return {kind: jsonschema.Draft202012Validator(schema) for kind, schema in SCHEMAS.items()}


@pytest.fixture
def records(agent, nginx):
    weft = agent()
    for path in ("/users/1", "/users/2", "/broken"):
        subprocess.run(["curl", "-s", "-o", "/dev/null", f"http://127.0.0.1:{nginx.port}{path}"], check=True, timeout=30)
    subprocess.run(["curl", "-s", "http://127.0.0.1:9/"], check=False, timeout=30)
    written = weft.stop()
    assert written.total("calls", port=nginx.port) == 3
    return written


def test_records_fit_their_schemas_and_count_up(records, validators):
    for record in records.all:
        validators[record["record"]].validate(record)
    assert {r["record"] for r in records.all} >= {"edge", "agent", "workload"}
    assert any("connect_failures" in r for r in records.all)
    assert [r["agent"]["sequence"] for r in records.all] == list(range(1, len(records.all) + 1))


def test_histograms_hold_as_many_values_as_they_say(records):
    histograms = [part[field] for edge in records.edges() for part in [edge, *edge.get("endpoints", [])]
                  for field in ("duration", "client_duration") if field in part]
    assert histograms
    for histogram in histograms:
        assert sum(histogram["counts"]) == histogram["count"]
        assert histogram["min"] <= histogram["max"] <= histogram["sum"]


@pytest.mark.parametrize("field", ["edge_id", "calls", "client", "window_start"])
def test_the_schema_refuses_an_edge_without(records, validators, field):
    edge = dict(records.edges()[0])
    validators["edge"].validate(edge | {"a_field_of_tomorrow": 1})
    del edge[field]
    assert not validators["edge"].is_valid(edge)


def test_an_end_names_its_only_instance_or_lists_several(agent, nginx):
    weft = agent("--window", "60s")
    for path, count in (("/many", 20), ("/one", 1)):
        port = nginx.port if path == "/many" else None
        for _ in range(count):
            subprocess.run(["curl", "-s", "-o", "/dev/null", f"http://127.0.0.1:{port or 9}{path}"], check=False, timeout=30)
    records = weft.stop()
    lonely = records.edges(port=9)[0]["client"]
    assert lonely["process"]["executable"].endswith("curl") and lonely["process"]["pid"] and lonely["host"]
    crowd = records.edges(port=nginx.port)[0]["client"]
    assert crowd["name"] == "curl" and not {"process", "host", "container"} & set(crowd)
    assert len(crowd["instances"]) == 16 and 1 <= crowd["instances_more"] <= 4
    assert len({i["id"] for i in crowd["instances"]}) == 16


def test_workloads_are_written_when_new_or_changed_and_before_their_edges(agent, nginx):
    weft = agent("--window", "1s")
    for _ in range(3):
        subprocess.run(["curl", "-s", "-o", "/dev/null", f"http://127.0.0.1:{nginx.port}/"], check=True, timeout=30)
    records = weft.stop().all
    known = set()
    for record in records:
        if record["record"] == "workload":
            known.add(record["id"])
        if record["record"] == "edge":
            assert {record["client"]["id"], record["server"]["id"]} <= known
    curls = [r for r in records if r["record"] == "workload" and r["name"] == "curl"]
    assert curls and "curl" in curls[-1]["process"]["executable"] and curls[-1]["host"]
    for instance in curls[-1]["instances"]:
        assert 0 <= instance["last_seen"] - instance["start_time"] < 60e9
    servers = [r for r in records if r["record"] == "workload" and r["name"] == "nginx"]
    assert servers[-1]["process"].get("build_id")


def documented_counters():
    """Names in the first column of the table of counters."""
    table = (DOCS / "operations.md").read_text().split("## Counters")[1].split("\n## ")[0]
    return [name for line in table.splitlines() if line.startswith("| `") for name in
            re.findall(r"`([^`.]+)`", line.split("|")[1])]  # with a dot: of the page's status


def test_every_counter_stands_in_the_manual_once(agent, tmp_path):
    weft = agent("--sink", f"prometheus:127.0.0.1:{free_port()}",
                 "--sink", f"kafka:127.0.0.1:{free_port()},spool={tmp_path}/spool")
    assert sorted(documented_counters()) == sorted(weft.stop().counters)


def fields(schema, found):
    if isinstance(schema, dict):
        properties = schema.get("properties")
        if isinstance(properties, dict):
            found.update(properties)
        for part in schema.values():
            fields(part, found)
    elif isinstance(schema, list):
        for part in schema:
            fields(part, found)
    return found


def test_every_field_stands_in_the_manual():
    text = (DOCS / "records.md").read_text()
    words = {word for quoted in re.findall(r"`([^`]+)`", text) for word in [quoted, *quoted.split(".")]}
    counters = set(documented_counters())
    for kind, schema in SCHEMAS.items():
        assert f"\n## {kind}\n" in text
        assert fields(schema, set()) - words - counters == set(), kind
