# SPDX-License-Identifier: Apache-2.0
"""The kafka sink against a real broker: sums, keys, loss, return, the spool, TLS, SASL, mistakes."""
import json
import pathlib
import subprocess
import time

import pytest

from conftest import WEFT, Nginx, free_port
from kafka import PASSWORD, Kafka
from test_records import validators  # noqa: F401 (a fixture)

FAST = "rdkafka.reconnect.backoff.max.ms=500"


@pytest.fixture(scope="module")
def kafka(tmp_path_factory):
    server = Kafka(tmp_path_factory.mktemp("kafka") / "broker")
    yield server
    server.kill()


@pytest.fixture
def nginx_one(tmp_path):
    server = Nginx(tmp_path / "nginx", 1)
    yield server
    server.stop()


def load(nginx, calls):
    subprocess.run(["ab", "-q", "-k", "-n", str(calls), "-c", "8", f"http://127.0.0.1:{nginx.port}/"], check=True,
                   capture_output=True, timeout=60)


def sequences(records):
    return [r["agent"]["sequence"] for r in records]


def resident_kib(process):
    for line in pathlib.Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])


def sink(record, kind):
    return next(s for s in record["sinks"] if s["kind"] == kind)


def written(weft):
    """Agent records in the file so far."""
    lines = [line for line in open(weft.path) if line.endswith("\n")]
    return [r for r in map(json.loads, lines) if r["record"] == "agent"]


def wait_until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)


def test_a_consumer_reads_as_many_calls_as_ab_sent(agent, kafka, nginx_one, validators):  # noqa: F811
    weft = agent("--sink", f"kafka:{kafka.address},compression=zstd")
    for _ in range(3):
        load(nginx_one, 2000)
    records = weft.stop()
    edges = kafka.read("weft.edges")
    assert sum(e["calls"] for _, e in edges if e["server_port"] == nginx_one.port) == 6000
    assert all(key == e["edge_id"] for key, e in edges)
    agents = kafka.read("weft.agents")
    assert all(key == a["agent"]["id"] for key, a in agents)
    others = [r for r in records.all if r["record"] not in ("edge", "agent")]
    by_sequence = sorted([r for _, r in edges + agents] + others, key=lambda r: r["agent"]["sequence"])
    assert by_sequence == records.all  # each record once, and the same as in the file
    for _, record in edges + agents:
        validators[record["record"]].validate(record)
    assert records.counters["kafka_failed"] == records.counters["sink_dropped"] == 0


def test_nothing_is_lost_while_the_broker_is_away(agent, kafka, nginx_one, tmp_path):
    weft = agent("--window", "500ms", "--sink",
                 f"kafka:{kafka.address},topic_prefix=away.,spool={tmp_path}/spool,spool_max=16M,{FAST}")
    load(nginx_one, 1000)
    wait_until(lambda: written(weft) and written(weft)[-1]["counters"]["kafka_delivered"] > 0)
    kafka.kill()
    away = len(written(weft))
    load(nginx_one, 1000)
    wait_until(lambda: len(written(weft)) > away + 4)
    before = resident_kib(weft.process)
    for _ in range(3):
        load(nginx_one, 1000)
        time.sleep(1)
    assert resident_kib(weft.process) < before + 8 * 1024  # librdkafka's share of the spool is 8 MiB
    while_away = sink(written(weft)[-1], "kafka")
    assert while_away["spool_records"] > 0 and while_away["spool_bytes"] > 0
    assert while_away["queue_full"] == while_away["failed"] == 0
    kafka.start()
    wait_until(lambda: sink(written(weft)[-1], "kafka")["spool_records"] <= 20)
    records = weft.stop()
    arrived = [r for topic in ("edges", "agents") for _, r in kafka.read(f"away.{topic}")]
    assert sum(r["calls"] for r in arrived if r.get("server_port") == nginx_one.port) == 5000
    assert sorted(sequences(arrived)) == sequences(r for r in records.all if r["record"] in ("edge", "agent"))
    for topic in ("edges", "agents"):  # in order for each key
        last = {}
        for key, record in kafka.read(f"away.{topic}"):
            assert record["agent"]["sequence"] > last.get(key, 0)
            last[key] = record["agent"]["sequence"]


def test_a_killed_agent_leaves_its_windows_in_the_spool(agent, kafka, nginx_one, tmp_path):
    options = f"topic_prefix=killed.,spool={tmp_path}/spool"
    first = agent("--window", "500ms", "--sink", f"kafka:127.0.0.1:{free_port()},{options}")  # nobody is there
    load(nginx_one, 1000)
    wait_until(lambda: len(written(first)) > 3)
    first.process.kill()
    first.process.communicate()
    complete = [json.loads(line) for line in open(first.path)]
    second = agent("--window", "500ms", "--sink", f"kafka:{kafka.address},{options}")
    wait_until(lambda: written(second) and written(second)[-1]["counters"]["kafka_delivered"] > 0)
    second.stop()
    boot = complete[0]["agent"]["boot"]
    arrived = [r for topic in ("edges", "agents") for _, r in kafka.read(f"killed.{topic}") if r["agent"]["boot"] == boot]
    # The last window may have reached the one sink and not the other.
    expected = sequences(r for r in complete if r["record"] in ("edge", "agent"))
    last_whole = written(first)[-2]["agent"]["sequence"]
    assert [s for s in sorted(sequences(arrived)) if s <= last_whole] == [s for s in expected if s <= last_whole]
    assert sum(r["calls"] for r in arrived if r.get("server_port") == nginx_one.port) == 1000


def test_a_wrong_broker_is_one_line_and_other_sinks_go_on(agent):
    port = free_port()
    weft = agent("--sink", f"kafka:127.0.0.1:{port}")
    time.sleep(5)
    weft.process.terminate()
    errors = weft.process.communicate(timeout=30)[1].decode()
    assert weft.process.returncode == 0
    lines = [line for line in errors.splitlines() if "kafka" in line]
    assert len(lines) == 2 and "Connection refused" in lines[0] and "is the address right" in lines[0], errors
    assert "not delivered before the end" in lines[1], errors
    agents = written(weft)
    assert len(agents) >= 2 and sink(agents[-1], "kafka")["unconfirmed"] > 0
    assert sink(agents[-1], "file")["queue_full"] == sink(agents[-1], "file")["failed"] == 0


def test_tls_and_sasl(agent, kafka, tmp_path):
    secret = tmp_path / "password"
    secret.write_text(PASSWORD + "\n")
    secret.chmod(0o600)
    weft = agent("--sink", f"kafka:{kafka.tls},topic_prefix=tls.,tls=yes,ca={kafka.certificates.ca}",
                 "--sink", f"kafka:{kafka.sasl},topic_prefix=plain.,mechanism=PLAIN,username=agent,password_file={secret}",
                 "--sink", f"kafka:{kafka.sasl},topic_prefix=raw.,rdkafka.security.protocol=sasl_plaintext,"
                           f"rdkafka.sasl.mechanisms=PLAIN,rdkafka.sasl.username=agent,secret.sasl.password={secret}")
    wait_until(lambda: written(weft))
    records = weft.stop()
    agents = [r for r in records.all if r["record"] == "agent"]
    for prefix in ("tls", "plain", "raw"):
        assert [r for _, r in kafka.read(f"{prefix}.agents")] == agents
    assert PASSWORD not in json.dumps(records.all)


def test_refused_logins_and_certificates_say_why(agent, kafka, tmp_path):
    wrong, right = tmp_path / "wrong", tmp_path / "right"
    wrong.write_text("wrong\n")
    right.write_text(PASSWORD)
    weft = agent("--sink", f"kafka:{kafka.sasl},mechanism=PLAIN,username=agent,password_file={wrong}",
                 "--sink", f"kafka:{kafka.sasl},mechanism=SCRAM-SHA-512,username=agent,password_file={right}",
                 "--sink", f"kafka:{kafka.tls},tls=yes")
    time.sleep(3)
    weft.process.terminate()
    errors = weft.process.communicate(timeout=60)[1].decode()
    assert weft.process.returncode == 0
    refused = [line for line in errors.splitlines() if "Invalid username or password" in line]
    assert len(refused) == 1 and "see the options mechanism, username, password_file" in refused[0], errors
    assert "certificate verify failed" in errors and "see the options tls, ca" in errors, errors
    # An old librdkafka is refused with the right password, and says which one is needed; a newer one is let in.
    last = sink(written(weft)[-1], "kafka")
    assert "2.6.1 or newer" in errors or written(weft)[-1]["counters"]["kafka_delivered"] > 0, (errors, last)
    assert PASSWORD not in errors


@pytest.mark.parametrize("option, words", [
    ("rdkafka.no.such.thing=1", "no.such.thing: No such configuration property"),
    ("rdkafka.linger.ms=soon", "linger.ms: "),
    ("compression=brotli", "none gzip snappy lz4 zstd"),
    ("password_file=/nowhere", "sasl.password: /nowhere: No such file"),
    ("spool=/nowhere/at/all", "spool /nowhere/at/all: No such file"),
    ("spool=/tmp,spool_max=1K", "at least 64 KiB"),
    ("tls=yes,ca=/nowhere", "ssl.ca.location"),
    ("tls=perhaps", "yes or no"),
    ("colour=red", "no option colour; allowed: topic_prefix"),
])
def test_wrong_options_are_refused_at_start(option, words):
    done = subprocess.run([WEFT, "agent", "--sink", f"kafka:127.0.0.1:1,{option}"], capture_output=True, text=True,
                          timeout=30)
    assert done.returncode in (1, 2) and words in done.stderr, done.stderr
