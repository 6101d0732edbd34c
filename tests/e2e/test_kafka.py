# SPDX-License-Identifier: Apache-2.0
"""A real Apache Kafka (KRaft, one broker, from Maven Central), read back by kcat."""
import json
import pathlib
import subprocess
import time

import pytest

from conftest import ROOT, Nginx, free_port

CACHE = ROOT / ".cache" / "kafka-3.9.0"
POM = """<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>weft</groupId><artifactId>kafka-for-tests</artifactId><version>1</version><packaging>pom</packaging><dependencies>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>3.9.0</version></dependency>
<dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
</dependencies></project>"""


def classpath():
    if not (CACHE / "complete").exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        (CACHE / "pom.xml").write_text(POM)
        subprocess.run(["mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=libs"], cwd=CACHE,
                       check=True, timeout=600)
        (CACHE / "complete").touch()
    return f"{CACHE}/libs/*"


class Kafka:
    def __init__(self, folder):
        port, controller = free_port(), free_port()
        self.address = f"127.0.0.1:{port}"
        folder.mkdir()
        config = folder / "server.properties"
        config.write_text(f"""
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://{self.address}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
log.dirs={folder}/data
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
""")
        java = ["java", "-Xms256m", "-Xmx512m", "-XX:+UseSerialGC", "-cp", classpath()]
        storage = [*java, "kafka.tools.StorageTool"]
        cluster = subprocess.run([*storage, "random-uuid"], check=True, capture_output=True, text=True).stdout.split()[-1]
        subprocess.run([*storage, "format", "-t", cluster, "-c", config], check=True, capture_output=True)
        self.log = open(folder / "log", "w")
        self.process = subprocess.Popen([*java, "kafka.Kafka", config], stdout=self.log, stderr=self.log)
        end = time.monotonic() + 60
        while subprocess.run(["kcat", "-b", self.address, "-L", "-m", "1"], capture_output=True).returncode:
            if time.monotonic() > end:
                self.stop()
                raise TimeoutError(pathlib.Path(self.log.name).read_text()[-2000:])
            time.sleep(0.1)

    def read(self, topic):
        """(key, record) of every message."""
        output = subprocess.run(["kcat", "-b", self.address, "-C", "-t", topic, "-e", "-q", "-o", "beginning", "-K", "\t"],
                                check=True, capture_output=True, text=True, timeout=60).stdout
        return [(key, json.loads(value)) for key, value in (line.split("\t", 1) for line in output.splitlines())]

    def stop(self):
        self.process.kill()
        self.process.wait(10)
        self.log.close()


@pytest.fixture
def kafka(tmp_path):
    server = Kafka(tmp_path / "kafka")
    yield server
    server.stop()


def test_a_consumer_reads_as_many_calls_as_ab_sent(agent, kafka, tmp_path):
    nginx = Nginx(tmp_path / "nginx", 1)
    try:
        weft = agent("--sink", f"kafka:{kafka.address}")
        for _ in range(3):
            subprocess.run(["ab", "-q", "-k", "-n", "2000", "-c", "8", f"http://127.0.0.1:{nginx.port}/"], check=True,
                           capture_output=True, timeout=60)
            time.sleep(1)
        time.sleep(3)
        records = weft.stop()
    finally:
        nginx.stop()
    edges = kafka.read("weft.edges")
    assert sum(e["calls"] for _, e in edges if e["server_port"] == nginx.port) == 6000
    assert all(key == e["edge_id"] for key, e in edges)
    agents = kafka.read("weft.agents")
    assert all(key == a["agent"]["id"] for key, a in agents)
    by_sequence = sorted((r for _, r in edges + agents), key=lambda r: r["agent"]["sequence"])
    assert by_sequence == records.all  # each record once, and the same as in the file
    assert records.counters["kafka_delivered"] > 0
    assert records.counters["kafka_failed"] == records.counters["kafka_queue_full"] == records.counters["sink_dropped"] == 0


def test_a_wrong_broker_is_one_line_and_other_sinks_go_on(agent):
    port = free_port()
    weft = agent("--sink", f"kafka:127.0.0.1:{port}")
    time.sleep(5)
    weft.process.terminate()
    errors = weft.process.communicate(timeout=30)[1].decode()
    assert weft.process.returncode == 0
    lines = [line for line in errors.splitlines() if "kafka" in line]
    assert len(lines) == 2 and "Connection refused" in lines[0] and "not delivered within 10 s" in lines[1], errors
    assert sum(json.loads(line)["record"] == "agent" for line in open(weft.path)) >= 2
