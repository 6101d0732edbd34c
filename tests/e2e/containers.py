# SPDX-License-Identifier: Apache-2.0
"""Docker for tests: a daemon if none runs, an image of one static busybox, containers that are removed afterwards."""
import os
import shutil
import subprocess
import time

import pytest

TAG = f"weft-test-{os.getpid()}"


def docker(*arguments, timeout=60):
    done = subprocess.run(["docker", *map(str, arguments)], capture_output=True, text=True, timeout=timeout)
    if done.returncode:
        raise RuntimeError(f"docker {' '.join(map(str, arguments))}: {done.stderr}")
    return (done.stdout + (done.stderr if arguments[0] == "logs" else "")).strip()


def docker_answers():
    return subprocess.run(["docker", "version"], capture_output=True).returncode == 0


@pytest.fixture(scope="session")
def daemon(tmp_path_factory):
    process = None
    if not docker_answers():
        log = open(tmp_path_factory.mktemp("docker") / "dockerd.log", "w")
        process = subprocess.Popen(["/usr/sbin/dockerd"], stdout=log, stderr=log)
        end = time.monotonic() + 30
        while not docker_answers() and time.monotonic() < end:
            time.sleep(0.2)
    yield
    if process:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="session")
def image(daemon, tmp_path_factory):
    """Busybox, a page, and links so that the host's programs run once /usr and /etc are mounted."""
    root = tmp_path_factory.mktemp("image")
    (root / "busybox").mkdir()
    shutil.copy("/bin/busybox", root / "busybox" / "busybox")
    for folder in ("usr", "etc", "tmp", "proc", "sys", "dev", "run"):
        (root / folder).mkdir()
    for link in ("bin", "sbin", "lib", "lib64"):
        (root / link).symlink_to(f"usr/{link}")
    (root / "index.html").write_text("hello\n")
    tar = subprocess.run(["tar", "-C", root, "-c", "."], check=True, capture_output=True).stdout
    subprocess.run(["docker", "import", "-", TAG], input=tar, check=True, capture_output=True)
    yield TAG
    docker("rmi", "-f", TAG)


class Containers:
    """Containers on a network of their own."""

    HOST_PROGRAMS = ("-v", "/usr:/usr:ro", "-v", "/etc:/etc:ro")

    def __init__(self, image, network):
        self.image, self.network, self.names = image, network, []

    def name(self, short):
        return f"{TAG}-{short}"

    def create(self, short, *command, options=(), network=None):
        """Not started yet: `docker start` is quick."""
        self.names.append(self.name(short))
        docker("create", "--name", self.name(short), "--network", network or self.network, *options, self.image,
               *command)
        return self.name(short)

    def run(self, short, *command, options=(), network=None):
        docker("start", self.create(short, *command, options=options, network=network))
        return self.name(short)

    def httpd(self, short, port=80, options=(), network=None):
        return self.run(short, "/busybox/busybox", "httpd", "-f", "-p", port, "-h", "/", options=options,
                        network=network)

    def wget(self, short, url, times=1, options=(), network=None):
        """Fetches one after the other and ends."""
        fetch = f"/busybox/busybox wget -q -O /dev/null {url}"
        name = self.run(short, "/busybox/busybox", "sh", "-c", f"for i in $(/busybox/busybox seq {times}); do {fetch}; done",
                        options=options, network=network)
        assert docker("wait", name) == "0"
        return name

    def execute(self, short, *command):
        return docker("exec", self.name(short), *command)

    def address(self, short):
        return docker("inspect", self.name(short), "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}")

    def gateway(self):
        return docker("network", "inspect", self.network, "--format", "{{(index .IPAM.Config 0).Gateway}}")


@pytest.fixture
def containers(image):
    network = TAG
    docker("network", "create", network)
    made = Containers(image, network)
    yield made
    if made.names:
        docker("rm", "-f", "-v", *made.names)
    docker("network", "rm", network)


def pairs(edges, count="calls"):
    """Calls by (client's name, server's name)."""
    sums = {}
    for edge in edges:
        key = (edge["client"]["name"], edge["server"]["name"])
        sums[key] = sums.get(key, 0) + edge[count]
    return {key: value for key, value in sums.items() if value}
