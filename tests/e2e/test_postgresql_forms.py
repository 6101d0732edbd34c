# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL beyond queries: COPY, errors, cancellation, notifications; truth is what the server logged."""
import re
import subprocess
import time

import pytest

from test_postgresql import binaries, postgresql  # noqa: F401


def psql(server, *statements, check=True, stdin=None):
    """One session; each statement is sent by itself."""
    command = [binaries() / "psql", "-X", "-q", "-h", "127.0.0.1", "-p", str(server.port), "-U", "postgres", "-d", "postgres"]
    script = "\n".join(statements) + "\n"
    return subprocess.run([*command, "-f", "-"], input=script if stdin is None else stdin, text=True, capture_output=True,
                          check=check, timeout=60)


def logged(server):
    return len(re.findall(r"^psql LOG:  (?:statement:|execute )", server.log.read_text(), re.M))


def edges_of(records, server):
    return [e for e in records.edges(port=server.port, protocol="postgresql") if e["client"]["name"] == "psql"]


def sums(edges):
    return {"calls": sum(e["calls"] for e in edges), **{kind: sum(e["errors"].get(kind, 0) for e in edges)
            for kind in ("client_error", "server_error", "timeout", "no_response")}}


def operations(edges):
    counts = {}
    for point in (p for e in edges for p in e.get("endpoints", [])):
        counts[point.get("operation")] = counts.get(point.get("operation"), 0) + point["calls"]
    return counts


def test_copy_in_and_out_are_one_call_each_whatever_their_size(agent, postgresql):
    before = logged(postgresql)
    weft = agent()
    rows = "".join(f"{i}\tselect {i}; Q\n" for i in range(20000))
    psql(postgresql, stdin="create table copied (a int, b text);\ncopy copied from stdin;\n" + rows
         + "\\.\ncopy copied to stdout;\nselect count(*) from copied;\ndrop table copied;\n")
    records = weft.stop()
    edges = edges_of(records, postgresql)
    assert logged(postgresql) - before == 5
    assert sums(edges) == {"calls": 5, "client_error": 0, "server_error": 0, "timeout": 0, "no_response": 0}
    assert operations(edges) == {"CREATE": 1, "COPY": 2, "SELECT": 1, "DROP": 1}
    assert sum(e["bytes"]["request"] for e in edges) > len(rows)
    assert "Q" not in str([p["endpoint"] for e in edges for p in e["endpoints"]])


def test_errors_count_by_whose_fault_they_are(agent, postgresql):
    before = logged(postgresql)
    weft = agent()
    psql(postgresql, "select 1/0;", "select * from nowhere;", "selec 1;", "select 1;",
         "do $$ begin raise exception using errcode = '53200'; end $$;", "select 2;", check=False)
    records = weft.stop()
    # A syntax error is not logged as a statement.
    assert logged(postgresql) - before == 5
    edges = edges_of(records, postgresql)
    found = sums(edges)
    assert found["calls"] == 6
    assert found["client_error"] + found["server_error"] == 4
    assert found["server_error"] >= 1  # 53200, out of memory
    assert found["no_response"] == 0


def test_a_cancelled_query_is_one_failed_call_and_the_cancel_is_none(agent, postgresql):
    weft = agent()
    command = [binaries() / "psql", "-X", "-h", "127.0.0.1", "-p", str(postgresql.port), "-U", "postgres", "-d", "postgres",
               "-c", "select pg_sleep(20)"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    time.sleep(1)
    process.send_signal(2)
    assert "canceling statement due to user request" in process.communicate(timeout=20)[1]
    records = weft.stop()
    found = sums(edges_of(records, postgresql))
    assert found["calls"] == 1
    assert found["client_error"] + found["server_error"] == 1
    assert found["no_response"] == 0


def test_notifications_are_no_answers(agent, postgresql):
    before = logged(postgresql)
    weft = agent()
    done = psql(postgresql, "listen news;", *["notify news, 'canary-payload';"] * 30, "select 1;", "unlisten news;")
    assert done.stdout.count("Asynchronous notification") == 30
    records = weft.stop()
    edges = edges_of(records, postgresql)
    assert logged(postgresql) - before == 33
    assert sums(edges) == {"calls": 33, "client_error": 0, "server_error": 0, "timeout": 0, "no_response": 0}
    assert "canary" not in str(records.all)


@pytest.mark.parametrize("mode", ["simple", "extended", "prepared"])
def test_transactions_of_pgbench_equal_what_the_server_logged(agent, postgresql, mode):
    before = postgresql.logged()
    weft = agent()
    postgresql.pgbench("-n", "-t", "100", "-c", "4", "-M", mode)
    records = weft.stop()
    served = postgresql.logged() - before
    assert served >= 4 * 100 * 7
    edges = [e for e in records.edges(port=postgresql.port, protocol="postgresql") if e["client"]["name"] == "pgbench"]
    assert sums(edges) == {"calls": served, "client_error": 0, "server_error": 0, "timeout": 0, "no_response": 0}
