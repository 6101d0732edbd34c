# SPDX-License-Identifier: Apache-2.0
"""TLS by real libraries: seen as encrypted, with nothing inside taken for a protocol."""
import os
import shutil
import subprocess
import sys

import pytest

from conftest import free_port, wait_for_port


@pytest.fixture
def certificate(tmp_path):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-keyout", tmp_path / "key.pem", "-out", tmp_path / "cert.pem", "-days", "2",
                    "-subj", "/CN=shop.example.org"], check=True, capture_output=True)
    return tmp_path


@pytest.fixture
def nginx_tls(certificate):
    port = free_port()
    (certificate / "logs").mkdir()
    config = certificate / "nginx.conf"
    config.write_text(f"""
        daemon off; user root; pid {certificate}/pid; error_log {certificate}/logs/error.log;
        events {{ worker_connections 512; }}
        http {{ access_log {certificate}/logs/access.log; server {{ listen 127.0.0.1:{port} ssl;
            ssl_certificate {certificate}/cert.pem; ssl_certificate_key {certificate}/key.pem;
            client_max_body_size 0; ssl_protocols TLSv1.2 TLSv1.3;
            location / {{ return 200 "ok"; }} }} }}""")
    process = subprocess.Popen([shutil.which("nginx") or "/usr/sbin/nginx", "-p", certificate, "-c", config],
                               stderr=subprocess.DEVNULL)
    wait_for_port(port)
    yield port
    process.terminate()
    process.wait(10)


PYTHON = """
import http.server, ssl, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200); self.send_header("Content-Length", "2"); self.end_headers(); self.wfile.write(b"ok")
    def log_message(self, *arguments): pass
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[2] + "/cert.pem", sys.argv[2] + "/key.pem")
server = http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"""


@pytest.fixture
def python_tls(certificate):
    port = free_port()
    process = subprocess.Popen([sys.executable, "-c", PYTHON, str(port), certificate], stderr=subprocess.DEVNULL)
    wait_for_port(port)
    yield port
    process.kill()
    process.wait(10)


def curl(port, *options):
    return subprocess.run(["curl", "-sS", "-k", "-o", os.devnull, "-w", "%{http_code}\n", "--resolve",
                           f"shop.example.org:{port}:127.0.0.1", *options, f"https://shop.example.org:{port}/users/1?n=[1-4]"],
                          check=True, capture_output=True, text=True, timeout=60).stdout.split()


@pytest.mark.parametrize("version", [["--tls-max", "1.2"], ["--tlsv1.3"]], ids=["1.2", "1.3"])
@pytest.mark.parametrize("server", ["nginx_tls", "python_tls"])
def test_an_encrypted_connection_is_one_edge_of_tls_and_nothing_else(agent, request, server, version):
    port = request.getfixturevalue(server)
    weft = agent()
    assert curl(port, *version) == ["200"] * 4
    edges = weft.stop().edges(port=port)
    assert {(e["client"]["name"], e["protocol"], e["tls"]) for e in edges} == {("curl", "tls", True)}
    assert sum(e["calls"] for e in edges) == 0
    assert sum(e["connects"] for e in edges) == 1
    assert sum(e["bytes"]["response"] for e in edges) > 1000


def test_a_long_encrypted_transfer_is_not_taken_for_anything(agent, nginx_tls, tmp_path):
    (tmp_path / "body").write_bytes(os.urandom(3 << 20))
    weft = agent()
    curl(nginx_tls, "--data-binary", f"@{tmp_path}/body", "-H", "Expect:")
    edges = weft.stop().edges(port=nginx_tls)
    assert {e["protocol"] for e in edges} == {"tls"}
    assert sum(e["bytes"]["request"] for e in edges) > 3 << 20


def test_plain_http_on_the_port_of_tls_is_http(agent, nginx_tls):
    weft = agent()
    answer = subprocess.run(["curl", "-s", "-o", os.devnull, "-w", "%{http_code}", f"http://127.0.0.1:{nginx_tls}/"],
                            capture_output=True, text=True, check=True).stdout
    assert answer == "400"
    records = weft.stop()
    assert {(e["protocol"], e["tls"], e["calls"]) for e in records.edges(port=nginx_tls)} == {("http", False, 1)}
    assert records.errors("client_error", port=nginx_tls) == 1


@pytest.fixture
def elsewhere(certificate):
    """The Python server at 198.51.100.2, in a network namespace of its own."""
    name, port = f"weft-tls-{os.getpid()}", free_port()
    inside = ["ip", "netns", "exec", name]
    for command in (["ip", "netns", "add", name], ["ip", "link", "add", "weft-tls0", "type", "veth", "peer", "weft-tls1", "netns", name],
                    ["ip", "addr", "add", "198.51.100.1/30", "dev", "weft-tls0"], ["ip", "link", "set", "weft-tls0", "up"],
                    [*inside, "ip", "addr", "add", "198.51.100.2/30", "dev", "weft-tls1"],
                    [*inside, "ip", "link", "set", "weft-tls1", "up"], [*inside, "ip", "link", "set", "lo", "up"]):
        subprocess.run(command, check=True)
    process = subprocess.Popen([*inside, sys.executable, "-c", PYTHON.replace("127.0.0.1", "198.51.100.2"), str(port), certificate],
                               stderr=subprocess.DEVNULL)
    while subprocess.run(["curl", "-s", "-k", "-o", os.devnull, f"https://198.51.100.2:{port}/"]).returncode:
        assert process.poll() is None
    yield port
    process.kill()
    process.wait(10)
    subprocess.run(["ip", "netns", "del", name], check=True)


def test_a_server_elsewhere_bears_the_name_it_was_asked_under(agent, elsewhere):
    weft = agent("--namespace", "self")
    subprocess.run(["curl", "-sS", "-k", "-o", os.devnull, "--resolve", f"shop.example.org:{elsewhere}:198.51.100.2",
                    f"https://shop.example.org:{elsewhere}/?n=[1-3]"], check=True, timeout=60)
    edges = weft.stop().edges(port=elsewhere)
    assert {(e["client"]["name"], e["server"]["name"], e["protocol"], e["observed_at"], e["seen_address"]) for e in edges} == {
        ("curl", "shop.example.org", "tls", "client", "198.51.100.2")}
    assert sum(e["connects"] for e in edges) == 1
