# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL cluster and pgbench: calls against the statements the server logged."""
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile

import pytest

from conftest import free_port, wait_for_port


def binaries():
    return sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))[-1]


class PostgreSQL:
    def __init__(self, folder):
        self.port = free_port()
        self.log = folder / "log"
        data = folder / "data"
        subprocess.run([binaries() / "initdb", "-A", "trust", "-D", data], check=True, capture_output=True,
                       user="postgres", group="postgres", extra_groups=[], cwd=folder, timeout=60)
        settings = {"listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": folder,
                    "fsync": "off", "log_statement": "all", "log_line_prefix": "%a "}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with open(self.log, "w") as log:
            self.process = subprocess.Popen([binaries() / "postgres", "-D", data, *options], stderr=log, cwd=folder,
                                            user="postgres", group="postgres", extra_groups=[])
        wait_for_port(self.port)

    def pgbench(self, *options):
        return subprocess.run([shutil.which("pgbench") or binaries() / "pgbench", "-h", "127.0.0.1", "-p",
                               str(self.port), "-U", "postgres", *options, "postgres"], check=True,
                              capture_output=True, text=True, timeout=120).stdout

    def logged(self):
        """Statements and executions that pgbench's sessions asked for, so far."""
        return len(re.findall(r"^pgbench LOG:  (?:statement:|execute )", self.log.read_text(), re.M))

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(20)


@pytest.fixture
def postgresql():
    # Not tmp_path: pytest's folders are closed to every user but the one who runs it.
    folder = pathlib.Path(tempfile.mkdtemp(prefix="weft-postgresql-"))
    shutil.chown(folder, "postgres", "postgres")
    server = None
    try:
        server = PostgreSQL(folder)
        for _ in range(100):
            if subprocess.run([binaries() / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(server.port)],
                              check=False).returncode == 0:
                break
        server.pgbench("-i", "-q")
        yield server
    finally:
        if server:
            server.stop()
        shutil.rmtree(folder)


@pytest.mark.parametrize("mode", ["simple", "extended", "prepared"])
def test_calls_equal_the_statements_the_server_logged(agent, postgresql, mode):
    before = postgresql.logged()
    weft = agent()
    output = postgresql.pgbench("-n", "-S", "-t", "500", "-c", "4", "-M", mode)
    records = weft.stop()
    assert "number of transactions actually processed: 2000/2000" in output
    served = postgresql.logged() - before
    assert served >= 2000
    edges = [e for e in records.edges(port=postgresql.port, protocol="postgresql") if e["client"]["name"] == "pgbench"]
    assert sum(e["calls"] for e in edges) == served
    assert records.total("lost", port=postgresql.port) == 0
    assert {e["observed_at"] for e in edges if e["calls"]} == {"both"}
    assert all(value == 0 for e in edges for value in e["errors"].values())
