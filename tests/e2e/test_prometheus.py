# SPDX-License-Identifier: Apache-2.0
"""The prometheus sink, scraped by a real Prometheus."""
import json
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest

from conftest import WEFT, Nginx, free_port, wait_for_port


class Prometheus:
    def __init__(self, folder, target):
        folder.mkdir()
        self.port = free_port()
        (folder / "prometheus.yml").write_text(f"""
global: {{scrape_interval: 500ms, scrape_timeout: 500ms}}
scrape_configs: [{{job_name: weft, static_configs: [{{targets: ["{target}"]}}]}}]
""")
        self.process = subprocess.Popen(
            ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
             f"--web.listen-address=127.0.0.1:{self.port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for_port(self.port, 30)

    def query(self, text):
        url = f"http://127.0.0.1:{self.port}/api/v1/query?" + urllib.parse.urlencode({"query": text})
        return json.load(urllib.request.urlopen(url, timeout=10))["data"]["result"]

    def value(self, text):
        result = self.query(text)
        return float(result[0]["value"][1]) if result else None

    def stop(self):
        self.process.terminate()
        self.process.wait(30)


def get(port, path="/metrics", **headers):
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.fixture
def nginx_one(tmp_path):
    server = Nginx(tmp_path / "nginx", 1)
    yield server
    server.stop()


@pytest.fixture
def client(tmp_path, nginx_one):
    """A load generator under a name that nobody else on this host uses."""
    path = tmp_path / f"load{nginx_one.port}"
    shutil.copy(shutil.which("ab"), path)
    return path


def load(client, nginx, calls, path="/"):
    subprocess.run([client, "-q", "-k", "-n", str(calls), "-c", "4", f"http://127.0.0.1:{nginx.port}{path}"], check=True,
                   capture_output=True, timeout=60)


def wait_for(function, expected, seconds=30):
    end = time.monotonic() + seconds
    while function() != expected:
        assert time.monotonic() < end, (function(), expected)
        time.sleep(0.2)


def test_sums_in_prometheus_are_what_was_sent(agent, client, nginx_one, tmp_path):
    port = free_port()
    weft = agent("--window", "500ms", "--sink", f"prometheus:127.0.0.1:{port}")
    prometheus = Prometheus(tmp_path / "prometheus", f"127.0.0.1:{port}")
    try:
        sides = f'{{client="{client.name}",server="nginx"}}'
        for round_ in range(1, 4):
            load(client, nginx_one, 1000)
            load(client, nginx_one, 100, "/broken")
            wait_for(lambda: prometheus.value(f"traces_service_graph_request_total{sides}"), 1100 * round_)
            assert prometheus.value(f"traces_service_graph_request_failed_total{sides}") == 100 * round_
        for side in ("server", "client"):
            name = f"traces_service_graph_request_{side}_seconds"
            wait_for(lambda: prometheus.value(f"{name}_count{sides}"), 3300)
            assert prometheus.value(f'{name}_bucket{{client="{client.name}",server="nginx",le="+Inf"}}') == 3300
            assert prometheus.value(f"count({name}_bucket{sides})") == 22
            assert 0 < prometheus.value(f"histogram_quantile(0.5, {name}_bucket{sides})") < 1
        assert prometheus.query(f"traces_service_graph_request_total{sides}")[0]["metric"]["job"] == "weft"
        assert prometheus.value("weft_resident_memory_bytes") > 1e6
        assert prometheus.value("sum(weft_hook_attached)") > 3
        assert prometheus.value("weft_kafka_failed_total") is None and prometheus.value("weft_lost_calls_total") is not None
        # Never less than before, over all that was scraped.
        for name in ("traces_service_graph_request_total", "traces_service_graph_request_server_seconds_bucket",
                     "weft_edge_request_bytes_total", "weft_cpu_seconds_total", "weft_sink_offered_records_total"):
            assert prometheus.value(f"max(resets({name}[5m]))") == 0
    finally:
        prometheus.stop()
    records = weft.stop()
    spans = [e["duration"]["sum"] for e in records.edges(port=nginx_one.port) if "duration" in e]
    assert sum(spans) > 0


def test_promtool_finds_nothing_to_say(agent, client, nginx_one):
    port = free_port()
    weft = agent("--window", "500ms", "--sink", f"prometheus:127.0.0.1:{port}")
    load(client, nginx_one, 10)
    wait_for(lambda: 'server="nginx"' in get(port)[1], True)
    text = get(port)[1]
    checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=30)
    assert checked.returncode == 0 and not checked.stdout and not checked.stderr, checked
    # Every series has its HELP and TYPE before it, and the counters of the agent record are all there.
    families = set(re.findall(r"^# TYPE (\S+) ", text, re.M))
    assert families == set(re.findall(r"^# HELP (\S+) \S", text, re.M))
    for name in re.findall(r"^([a-z_]+)[{ ]", text, re.M):
        assert name in families or re.sub(r"_(bucket|sum|count)$", "", name) in families
    assert {f"weft_{name}_total" for name in weft.stop().counters} <= families


def test_failed_connects_are_failed_requests(agent):
    port, nobody = free_port(), free_port()  # the server's name holds the port, so it is this test's alone
    agent("--window", "500ms", "--sink", f"prometheus:127.0.0.1:{port}")
    for _ in range(3):
        subprocess.run(["curl", "-s", f"http://127.0.0.1:{nobody}/"], check=False, timeout=30)
    pattern = re.compile(rf'^traces_service_graph_request_failed_total{{client="curl",server="127.0.0.1:{nobody}",'
                         r'connection_type="[a-z_]*"} 3$', re.M)
    wait_for(lambda: bool(pattern.search(get(port)[1])), True)


def test_the_number_of_series_is_bounded(agent):
    port = free_port()
    weft = agent("--window", "500ms", "--sink", f"prometheus:127.0.0.1:{port},series=3")
    for _ in range(12):
        subprocess.run(["curl", "-s", f"http://127.0.0.1:{free_port()}/"], check=False, timeout=30)
    total = r'^traces_service_graph_request_total{client="[^"]+",server="[^"]+",connection_type="[a-z_]*"} (\d+)$'

    def counts():
        return [int(n) for n in re.findall(total, get(port)[1], re.M)]

    wait_for(lambda: 'request_total{client="other",server="other"' in get(port)[1], True)
    assert len(counts()) <= 4
    assert weft.stop().counters["prometheus_series_refused"] > 0


def test_who_may_ask(agent, tmp_path):
    port, guarded = free_port(), free_port()
    token = tmp_path / "token"
    token.write_text("open sesame\n")
    agent("--sink", f"prometheus:127.0.0.1:{port}", "--sink", f"prometheus:127.0.0.1:{guarded},token_file={token}")
    assert get(port)[0] == 200
    assert get(port, Host="localhost:1")[0] == 200
    assert get(port, Host="evil.example")[0] == 403
    assert get(port, "/")[0] == 404
    assert get(guarded)[0] == 401
    assert get(guarded, Authorization="Bearer open")[0] == 401
    assert get(guarded, Authorization="Bearer open sesam")[0] == 401
    assert get(guarded, Authorization="Bearer open sesame")[0] == 200


@pytest.mark.parametrize("sink, words", [
    ("prometheus:0.0.0.0:9", "token_file=PATH"),
    ("prometheus:[::]:9", "token_file=PATH"),
    ("prometheus:here", "expected ADDRESS:PORT"),
    ("prometheus:127.0.0.1:99999", "expected ADDRESS:PORT"),
    ("prometheus:127.0.0.1:9,token_file=/nowhere", "/nowhere: No such file"),
])
def test_mistakes_are_said(sink, words):
    done = subprocess.run([WEFT, "agent", "--sink", sink], capture_output=True, text=True, timeout=30)
    assert done.returncode in (1, 2) and words in done.stderr, done.stderr


def test_a_port_that_is_taken(nginx_one):
    done = subprocess.run([WEFT, "agent", "--sink", f"prometheus:127.0.0.1:{nginx_one.port}"], capture_output=True,
                          text=True, timeout=30)
    assert done.returncode == 1 and "in use" in done.stderr, done.stderr
