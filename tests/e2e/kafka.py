# SPDX-License-Identifier: Apache-2.0
"""A real Apache Kafka (KRaft, one broker, from Maven Central) with a plain, a SASL and a TLS listener, read back by kcat."""
import json
import pathlib
import subprocess
import time

from conftest import ROOT, free_port

VERSION = "4.3.1"
CACHE = ROOT / ".cache" / f"kafka-{VERSION}"
POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>weft</groupId><artifactId>kafka-for-tests</artifactId><version>1</version><packaging>pom</packaging><dependencies>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{VERSION}</version></dependency>
<dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
</dependencies></project>"""
PASSWORD = "right-password"


def classpath():
    if not (CACHE / "complete").exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        (CACHE / "pom.xml").write_text(POM)
        subprocess.run(["mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=libs"], cwd=CACHE,
                       check=True, timeout=600)
        (CACHE / "complete").touch()
    return f"{CACHE}/libs/*"


class Certificates:
    """An authority, and what it signed for 127.0.0.1, as PEM."""

    def __init__(self, folder):
        self.ca, key = folder / "ca.pem", folder / "ca.key"
        self.broker = folder / "broker.pem"  # key, certificate and chain in one, as Kafka wants it

        def openssl(*arguments):
            subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=60)

        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=weft tests",
                "-keyout", key, "-out", self.ca)
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=broker", "-keyout", folder / "b.key",
                "-out", folder / "b.csr")
        (folder / "b.ext").write_text("subjectAltName=IP:127.0.0.1")
        openssl("x509", "-req", "-in", folder / "b.csr", "-CA", self.ca, "-CAkey", key, "-CAcreateserial", "-days", "2",
                "-extfile", folder / "b.ext", "-out", folder / "b.pem")
        self.broker.write_text((folder / "b.key").read_text() + (folder / "b.pem").read_text() + self.ca.read_text())


class Kafka:
    def __init__(self, folder):
        folder.mkdir()
        self.folder = folder
        self.certificates = Certificates(folder)
        port, sasl, tls, controller = (free_port() for _ in range(4))
        self.address, self.sasl, self.tls = (f"127.0.0.1:{p}" for p in (port, sasl, tls))
        self.config = folder / "server.properties"
        login = "org.apache.kafka.common.security"
        self.config.write_text(f"""
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://{self.address},SASL://{self.sasl},TLS://{self.tls},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://{self.address},SASL://{self.sasl},TLS://{self.tls}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL:SASL_PLAINTEXT,TLS:SSL
inter.broker.listener.name=PLAINTEXT
listener.name.sasl.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512
listener.name.sasl.plain.sasl.jaas.config={login}.plain.PlainLoginModule required user_agent="{PASSWORD}";
listener.name.sasl.scram-sha-512.sasl.jaas.config={login}.scram.ScramLoginModule required;
listener.name.tls.ssl.keystore.type=PEM
listener.name.tls.ssl.keystore.location={self.certificates.broker}
log.dirs={folder}/data
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
""")
        self.java = ["java", "-Xms256m", "-Xmx512m", "-XX:+UseSerialGC", "-cp", classpath()]
        storage = [*self.java, "kafka.tools.StorageTool"]
        cluster = subprocess.run([*storage, "random-uuid"], check=True, capture_output=True, text=True).stdout.split()[-1]
        subprocess.run([*storage, "format", "-t", cluster, "-c", self.config,
                        "--add-scram", f"SCRAM-SHA-512=[name=agent,password={PASSWORD}]"], check=True, capture_output=True)
        self.process = None
        self.start()

    def start(self):
        log = open(self.folder / "log", "a")
        self.process = subprocess.Popen([*self.java, "kafka.Kafka", self.config], stdout=log, stderr=log)
        log.close()
        end = time.monotonic() + 60
        while subprocess.run(["kcat", "-b", self.address, "-L", "-m", "1"], capture_output=True).returncode:
            if time.monotonic() > end:
                self.kill()
                raise TimeoutError((self.folder / "log").read_text()[-2000:])
            time.sleep(0.1)

    def kill(self):
        self.process.kill()
        self.process.wait(10)

    def read(self, topic):
        """(key, record) of every message, in order within each partition."""
        output = subprocess.run(["kcat", "-b", self.address, "-C", "-t", topic, "-e", "-q", "-o", "beginning", "-K", "\t"],
                                check=True, capture_output=True, text=True, timeout=60).stdout
        return [(key, json.loads(value)) for key, value in (line.split("\t", 1) for line in output.splitlines())]

    def topics(self):
        """Those that the broker has, without its own."""
        listed = subprocess.run(["kcat", "-b", self.address, "-L", "-J"], check=True, capture_output=True, timeout=60).stdout
        return [topic["topic"] for topic in json.loads(listed)["topics"] if not topic["topic"].startswith("__")]

    def read_raw(self, topic):
        """Key, headers and value of every message, as a consumer gets their bytes."""
        return subprocess.run(["kcat", "-b", self.address, "-C", "-t", topic, "-e", "-q", "-o", "beginning", "-f", "%k\t%h\t%s\n"],
                              check=True, capture_output=True, timeout=60).stdout
