# SPDX-License-Identifier: Apache-2.0
"""`weft map` asks the running agent: four formats, and what it says when there is none."""
import json
import re
import shutil
import subprocess

import pytest

from api import edges_at, wait_for_calls
from conftest import WEFT, free_port
from test_http import ab

HOSTILE = '<b>"x\\y|\x1b[31m'  # markup, quotes, and what would colour a terminal


def weft_map(*options):
    return subprocess.run([WEFT, "map", *options], capture_output=True, text=True, timeout=30)


@pytest.fixture
def shown(agent, nginx_once, tmp_path):
    """An agent that has seen ab and a program of a hostile name call nginx; gives its socket and nginx's port."""
    port, path = free_port(), tmp_path / "weft.sock"
    agent("--page", f"127.0.0.1:{port}", "--socket", str(path))
    hostile = tmp_path / HOSTILE
    shutil.copy(shutil.which("curl"), hostile)
    ab(nginx_once.port, "/", 900)
    ab(nginx_once.port, "/broken", 100)
    for _ in range(3):
        subprocess.run([hostile, "-s", f"http://127.0.0.1:{nginx_once.port}/"], check=True, capture_output=True)
    wait_for_calls(port, nginx_once.port, 1003)
    return path, nginx_once.port, f"http://127.0.0.1:{port}"


def test_a_table(shown):
    path, port, _ = shown
    result = weft_map("--at", str(path))
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["CLIENT", "SERVER", "PROTOCOL", "PORT", "RATE", "ERRORS", "P50", "P95", "P99", "BYTES", "OPEN"]
    rows = [line for line in lines if re.search(rf"\bhttp +{port} ", line)]
    assert len(rows) == 2
    row = next(line for line in rows if line.startswith("ab "))
    assert re.match(rf"ab +nginx +http +{port} +[\d.]+k?/s +10 % +[\d.]+ (us|ms) +[\d.]+ (us|ms) +[\d.]+ (us|ms|s) +[\d.]+ KiB +0$", row)
    assert row.index("nginx") == lines[0].index("SERVER")
    hostile = next(line for line in rows if line is not row)
    assert hostile.startswith('<b>"x\\y|?[31m ') and "\x1b" not in result.stdout
    assert re.search(r"^Opaque: .*\.$", result.stdout, re.M)
    assert re.search(r"^\d+ edges in the last \d+ s, ", result.stdout, re.M)


def test_json_is_the_answer_of_the_api(shown):
    path, port, url = shown
    over_socket, over_tcp = weft_map("--at", str(path), "--format", "json"), weft_map("--at", url, "--format", "json")
    for result in over_socket, over_tcp:
        graph = json.loads(result.stdout)
        assert sum(e["calls"] for e in edges_at(graph, port)) == 1003
        assert HOSTILE in {n["name"] for n in graph["nodes"]}


def test_dot(shown):
    path, port, _ = shown
    result = weft_map("--at", str(path), "--format", "dot")
    assert result.returncode == 0
    lines = result.stdout.splitlines()
    assert lines[0] == "digraph weft {" and lines[-1] == "}"
    ids = {m[2]: m[1] for m in re.finditer(r'^  "([0-9a-f]{16})" \[shape=\w+, label="(.*)"\];$', result.stdout, re.M)}
    assert '<b>\\"x\\\\y|?[31m' in ids
    assert re.search(rf'^  "{ids["ab"]}" -> "{ids["nginx"]}" \[label="http .*, errors 10 %", color=red\];$', result.stdout, re.M)


def test_mermaid(shown):
    path, port, _ = shown
    result = weft_map("--at", str(path), "--format", "mermaid")
    assert result.returncode == 0
    lines = result.stdout.splitlines()
    assert lines[0] == "flowchart LR"
    nodes = {m[2]: m[1] for m in re.finditer(r'^  n([0-9a-f]{16})\W+"(.*)"\W+$', result.stdout, re.M)}
    assert "#60;b#62;#34;x#92;y#124;?#91;31m" in nodes
    assert re.search(rf'^  n{nodes["ab"]} -->\|"http .*"\| n{nodes["nginx"]}$', result.stdout, re.M)
    assert "<b>" not in result.stdout


def test_no_agent_is_said_with_what_to_do(tmp_path):
    for at in str(tmp_path / "weft.sock"), f"http://127.0.0.1:{free_port()}":
        result = weft_map("--at", at)
        assert (result.returncode, result.stdout) == (1, "")
        assert at in result.stderr and "weft agent" in result.stderr


def test_what_is_no_agent_is_said(nginx_once):
    result = weft_map("--at", f"http://127.0.0.1:{nginx_once.port}")
    assert result.returncode == 1
    assert "no weft agent" in result.stderr


def test_a_token_is_asked_for_and_taken(agent, tmp_path):
    port, file = free_port(), tmp_path / "token"
    file.write_text("a-token-of-24-characters\n")
    agent("--page", f"127.0.0.1:{port}", "--page-token-file", str(file))
    without = weft_map("--at", f"http://127.0.0.1:{port}")
    assert without.returncode == 1 and "--token-file" in without.stderr
    assert weft_map("--at", f"http://127.0.0.1:{port}", "--token-file", str(file)).returncode == 0


@pytest.mark.parametrize("options", [["--format", "xml"], ["--at", "weft.sock"], ["--last", "2h"], ["extra"], ["--nothing"]])
def test_wrong_usage(options):
    result = weft_map(*options)
    assert (result.returncode, result.stdout) == (2, "")
    assert "weft map --help" in result.stderr
