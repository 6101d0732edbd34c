# SPDX-License-Identifier: Apache-2.0
"""Makes a Unix socket answer at a TCP port of loopback, for browsers."""
import socket
import socketserver
import threading


class Forwarder(socketserver.ThreadingTCPServer):
    """From a TCP port of this namespace to the Unix socket of an agent in another."""
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, path):
        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                with socket.socket(socket.AF_UNIX) as to:
                    to.connect(str(path))
                    back = threading.Thread(target=self.copy, args=(to, self.request), daemon=True)
                    back.start()
                    self.copy(self.request, to)
                    back.join()

            @staticmethod
            def copy(source, target):
                try:
                    while data := source.recv(65536):
                        target.sendall(data)
                    target.shutdown(socket.SHUT_WR)
                except OSError:
                    pass
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()
