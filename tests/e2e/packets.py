# SPDX-License-Identifier: Apache-2.0
"""Network namespaces to send through, and the packet side by itself at their interfaces."""
import json
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
WATCH = ROOT / "build" / "release" / "tests" / "packets" / "packet_watch"


def run(*command, **options):
    return subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True, **options).stdout


class Pair:
    """Two namespaces and a veth between them: a (10.77.0.1, fd77::1) and b (10.77.0.2, fd77::2)."""

    def __init__(self, name):
        self.a, self.b = f"{name}-a", f"{name}-b"
        for netns in (self.a, self.b):
            run("ip", "netns", "add", netns)
            run("ip", "-n", netns, "link", "set", "lo", "up")
        run("ip", "-n", self.a, "link", "add", "veth", "type", "veth", "peer", "name", "veth", "netns", self.b)
        for netns, last in ((self.a, 1), (self.b, 2)):
            run("ip", "-n", netns, "address", "add", f"10.77.0.{last}/24", "dev", "veth")
            run("ip", "-n", netns, "address", "add", f"fd77::{last}/64", "dev", "veth", "nodad")
            run("ip", "-n", netns, "link", "set", "veth", "up")

    def close(self):
        for netns in (self.a, self.b):
            run("ip", "netns", "delete", netns)

    def counters(self, netns):
        """What the kernel counted at this end's interface: {"egress": (packets, bytes), "ingress": ...}."""
        stats = json.loads(run("ip", "-n", netns, "-s", "-j", "link", "show", "veth"))[0]["stats64"]
        return {"egress": (stats["tx"]["packets"], stats["tx"]["bytes"]),
                "ingress": (stats["rx"]["packets"], stats["rx"]["bytes"])}

    def link_netnsid(self, netns):
        return json.loads(run("ip", "-n", netns, "-j", "link", "show", "veth"))[0]["link_netnsid"]

    def tcp_segments_sent(self, netns):
        """OutSegs of this namespace: what its sockets say they sent, without what they sent again."""
        text = run("ip", "netns", "exec", netns, "cat", "/proc/net/snmp")
        names, values = [line.split()[1:] for line in text.splitlines() if line.startswith("Tcp:")]
        return dict(zip(names, map(int, values)))


def place(netns, interface="veth"):
    return f"/run/netns/{netns}:{interface}" if netns else f":{interface}"


class Watch:
    def __init__(self, *arguments):
        self.process = subprocess.Popen([WATCH, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n"

    def show(self):
        self.process.stdin.write("show\n")
        self.process.stdin.flush()
        lines = []
        while not lines or not lines[-1].endswith("}\n") or '"reused_isn"' not in lines[-1]:
            line = self.process.stdout.readline()
            assert line, "packet_watch has ended"
            lines.append(line)
        return json.loads("".join(lines))

    def close(self):
        self.process.stdin.close()
        assert self.process.wait(20) == 0


def netns_inode(netns):
    return (pathlib.Path("/run/netns") / netns).stat().st_ino


# A talk of one connection: the server and the client print what they are, and stay until their input ends.
SERVER = """
import json, os, socket, sys
kind, host, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
family = socket.AF_INET6 if ":" in host else socket.AF_INET
s = socket.socket(family, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind((host, port))
if kind == "tcp": s.listen()
print("listening", flush=True)
if kind == "tcp":
    s, peer = s.accept()
    while len(data := s.recv(100)) == 4: s.sendall(b"pong")
else:
    for _ in range(10):
        data, peer = s.recvfrom(100)
        s.sendto(b"pong", peer)
print(json.dumps({"pid": os.getpid(), "cookie": int.from_bytes(s.getsockopt(socket.SOL_SOCKET, 57, 8), "little")}), flush=True)
sys.stdin.read()
"""
CLIENT = """
import json, os, socket, sys
kind, host, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
family = socket.AF_INET6 if ":" in host else socket.AF_INET
s = socket.socket(family, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
s.connect((host, port))
for _ in range(10):
    s.send(b"ping"); s.recv(100)
print(json.dumps({"pid": os.getpid(), "port": s.getsockname()[1],
                  "cookie": int.from_bytes(s.getsockopt(socket.SOL_SOCKET, 57, 8), "little")}), flush=True)
if kind == "tcp": s.shutdown(socket.SHUT_WR)
sys.stdin.read()
"""


class Talk:
    """Ten questions and answers between two namespaces; `server` and `client` say their pid, cookie and port."""

    def __init__(self, server_netns, client_netns, kind, host, port):
        self.processes = []
        self.start(server_netns, SERVER, kind, host, port)
        self.server_out = self.processes[0].stdout
        assert self.server_out.readline() == "listening\n"
        self.start(client_netns, CLIENT, kind, host, port)
        self.client = json.loads(self.processes[1].stdout.readline())
        self.processes[1].stdin.close()
        self.server = json.loads(self.server_out.readline())

    def start(self, netns, script, *arguments):
        within = ["ip", "netns", "exec", netns] if netns else []
        self.processes.append(subprocess.Popen([*within, "/usr/bin/python3", "-c", script, *map(str, arguments)],
                                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))

    def close(self):
        for process in self.processes:
            if not process.stdin.closed:
                process.stdin.close()
            assert process.wait(10) == 0
