# SPDX-License-Identifier: Apache-2.0
"""Every record of a real run fits its schema, and its sums agree."""
import json
import pathlib
import subprocess

import jsonschema
import pytest

SCHEMAS = pathlib.Path(__file__).resolve().parents[2] / "docs" / "schema"


@pytest.fixture(scope="module")
def validators():
    schemas = {kind: json.loads((SCHEMAS / f"{kind}.json").read_text()) for kind in ("edge", "agent", "join")}
    for schema in schemas.values():
        jsonschema.Draft202012Validator.check_schema(schema)
    return {kind: jsonschema.Draft202012Validator(schema) for kind, schema in schemas.items()}


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
    assert {r["record"] for r in records.all} - {"join"} == {"edge", "agent"}
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
