# SPDX-License-Identifier: Apache-2.0
"""Small servers and clients for tests, each a script that runs alone: `write(folder, name)` puts one there."""

ECHO = """
import http.server, os, socket, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200); self.send_header("Content-Length", "2"); self.end_headers(); self.wfile.write(b"ok")
    def log_message(self, *arguments): pass
"""

PROGRAMS = {
    # Serves on a port of its own network namespace.
    "echo.py": ECHO + """
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
""",
    # Several processes, each with a listener of its own on the same port; each says which it is.
    "workers.py": ECHO + """
class Server(http.server.HTTPServer):
    def server_bind(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        super().server_bind()
for _ in range(int(sys.argv[2]) - 1):
    if os.fork() == 0: break
Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
""",
    # Accepts, then a child made for it serves.
    "forks.py": ECHO + """
import socketserver
class Server(socketserver.ForkingMixIn, http.server.HTTPServer): pass
Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
""",
    # Accepts and hands the socket to another program over a Unix socket.
    "giver.py": """
import array, socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
taker = socket.socket(socket.AF_UNIX); taker.connect(sys.argv[2])
while True:
    accepted, _ = listener.accept()
    taker.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [accepted.fileno()]))])
    accepted.close()
""",
    # Takes sockets from the giver and serves them, one after the other.
    "taker.py": """
import array, os, socket, sys
door = socket.socket(socket.AF_UNIX); door.bind(sys.argv[1]); door.listen(1)
giver, _ = door.accept()
while True:
    data, ancillary, _, _ = giver.recvmsg(1, 64)
    if not data: break
    client = socket.socket(fileno=array.array("i", ancillary[0][2])[0])
    while client.recv(4096):
        client.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok")
    client.close()
""",
    # A transparent proxy: connects to where its client wanted to go.
    "proxy.py": """
import os, socket, struct, sys, threading
os.setgid(int(sys.argv[2])); os.setuid(int(sys.argv[2]))
def pump(source, sink):
    while data := source.recv(65536): sink.sendall(data)
    sink.shutdown(socket.SHUT_WR)
def serve(client):
    port, address = struct.unpack("!2xH4s8x", client.getsockopt(socket.SOL_IP, 80, 16))
    server = socket.create_connection((socket.inet_ntoa(address), port))
    back = threading.Thread(target=pump, args=(server, client)); back.start()
    pump(client, server); back.join(); client.close(); server.close()
listener = socket.create_server(("0.0.0.0", int(sys.argv[1])), backlog=64)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],)).start()
""",
    # Listens with MPTCP, as Go does from 1.24 on.
    "multipath.py": ECHO + """
class Server(http.server.ThreadingHTTPServer):
    def __init__(self, address, handler):
        super().__init__(address, handler, bind_and_activate=False)
        self.socket.close(); self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)
        self.server_bind(); self.server_activate()
Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
""",
    # SOURCE PORT, SERVER, PORT, REQUESTS: over one connection.
    "client.py": """
import http.client, sys
connection = http.client.HTTPConnection(sys.argv[2], int(sys.argv[3]), source_address=("", int(sys.argv[1])), timeout=20)
for _ in range(int(sys.argv[4])):
    connection.request("GET", "/"); connection.getresponse().read()
""",
}


def write(folder, program, name=None):
    path = folder / (name or program)
    path.write_text(PROGRAMS[program])
    return path
