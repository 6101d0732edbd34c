# SPDX-License-Identifier: Apache-2.0
"""A small network of namespaces: two at a bridge of a router, which stands for a host, and the world behind it."""
import subprocess
import textwrap

from packets import run

SERVE = textwrap.dedent("""
    import socket, sys
    host, port, backlog, mode = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    s = socket.socket(family, socket.SOCK_STREAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((host, port))
    s.listen(backlog)
    print("ready", flush=True)
    if mode == "silent": sys.stdin.read(); sys.exit()
    while True:
        c, _ = s.accept()
        while data := c.recv(65536):
            if mode == "reset":
                c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\\1\\0\\0\\0\\0\\0\\0\\0")
                break
            if mode == "echo": c.sendall(data)
        c.close()
""")

CONNECT = textwrap.dedent("""
    import socket, sys, time
    host, port, size, count, timeout = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5])
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    result = "ok"
    for _ in range(count):
        s = socket.socket(family, socket.SOCK_STREAM)
        s.settimeout(timeout)
        try:
            s.connect((host, port))
            if size:
                s.sendall(b"x" * size)
                left = size
                while left and (data := s.recv(65536)): left -= len(data)
                if left: result = "short"
        except OSError as error:
            result = type(error).__name__ + " " + str(error.errno)
        s.close()
    print(result)
""")

PROXY = textwrap.dedent("""
    import socket, sys
    s = socket.create_server((sys.argv[1], int(sys.argv[2])))
    print("ready", flush=True)
    while True:
        c, _ = s.accept()
        to = socket.create_connection((sys.argv[3], int(sys.argv[4])))
        data = c.recv(65536)
        to.sendall(data)
        c.sendall(to.recv(65536))
        to.close(), c.close()
""")


class Lab:
    """a (10.88.0.2, fd88::2) and b (10.88.0.3, fd88::3) at br0 of r (.1, ::1; 192.0.2.1 outside), w (192.0.2.9, fd89::9) beyond."""

    def __init__(self, name):
        self.a, self.b, self.r, self.w = (f"{name}-{letter}" for letter in "abrw")
        self.processes = []
        self.namespaces = []
        for netns in (self.r, self.a, self.b, self.w):
            run("ip", "netns", "add", netns)
            self.namespaces.append(netns)
            run("ip", "-n", netns, "link", "set", "lo", "up")
            self.within(netns, "sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0")  # neighbours answer at once
        self.ip(self.r, "link add br0 type bridge")
        for netns, port, last in ((self.a, "va", 2), (self.b, "vb", 3)):
            self.ip(self.r, f"link add {port} type veth peer name eth0 netns {netns}")
            self.ip(self.r, f"link set {port} master br0 up")
            self.address(netns, "eth0", f"10.88.0.{last}/24", f"fd88::{last}/64")
            self.ip(netns, "route add default via 10.88.0.1")
            self.ip(netns, "route add default via fd88::1")
        self.address(self.r, "br0", "10.88.0.1/24", "fd88::1/64")
        self.ip(self.r, f"link add out type veth peer name eth0 netns {self.w}")
        self.address(self.r, "out", "192.0.2.1/24", "fd89::1/64")
        self.address(self.w, "eth0", "192.0.2.9/24", "fd89::9/64")
        self.ip(self.w, "route add default via 192.0.2.1")
        self.ip(self.w, "route add default via fd89::1")
        for key in ("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"):
            self.within(self.r, "sysctl", "-qw", key)
        for netns, peer in ((self.a, "10.88.0.3"), (self.b, "10.88.0.1"), (self.w, "192.0.2.1"), (self.a, "fd88::3")):
            self.within(netns, "ping", "-c", "1", "-W", "2", peer)  # so that neighbours and the bridge are known

    def ip(self, netns, words):
        run("ip", "-n", netns, *words.split())

    def within(self, netns, *command):
        return run("ip", "netns", "exec", netns, *command)

    def address(self, netns, interface, four, six):
        self.ip(netns, f"address add {four} dev {interface}")
        self.ip(netns, f"address add {six} dev {interface} nodad")
        self.ip(netns, f"link set {interface} up")

    def serve(self, netns, host, port, backlog=16, mode="echo"):
        """A server; it ends with the lab."""
        process = subprocess.Popen(["ip", "netns", "exec", netns, "/usr/bin/python3", "-c", SERVE, host, str(port), str(backlog), mode],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.processes.append(process)
        assert process.stdout.readline() == "ready\n"
        return process

    def proxy(self, netns, host, port, to, to_port):
        """Takes a connection, makes one of its own, and passes one message each way."""
        process = subprocess.Popen(["ip", "netns", "exec", netns, "/usr/bin/python3", "-c", PROXY, host, str(port), to, str(to_port)],
                                   stdout=subprocess.PIPE, text=True)
        self.processes.append(process)
        assert process.stdout.readline() == "ready\n"
        return process

    def start_client(self, netns, host, port, size=100, count=1, timeout=3):
        process = subprocess.Popen(["ip", "netns", "exec", netns, "/usr/bin/python3", "-c", CONNECT, host, str(port), str(size),
                                    str(count), str(timeout)], stdout=subprocess.PIPE, text=True)
        self.processes.append(process)
        return process

    def connect(self, netns, host, port, **options):
        """What became of it: ok, or the error."""
        return self.start_client(netns, host, port, **options).communicate(timeout=60)[0].strip()

    def close(self):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()
        for netns in self.namespaces:
            run("ip", "netns", "delete", netns)
