#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Asks one DNS server and counts the answers by rcode: dns_client.py ADDRESS PORT MODE COUNT; prints JSON.

MODE: connected, unconnected (UDP sockets), tcp.
"""
import collections
import json
import random
import socket
import sys

NAMES = ["found.test", "missing.test", "else.example"]


def question(number, name, kind=1):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return number.to_bytes(2, "big") + b"\1\0\0\1\0\0\0\0\0\0" + labels + b"\0" + kind.to_bytes(2, "big") + b"\0\1"


def main():
    address, port, mode, count = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    answers = collections.Counter()
    order = random.Random(count)
    for number in range(count):
        if number == 0 or (mode == "tcp" and number % 50 == 0):  # a server ends a connection after so many
            client = socket.socket(family, socket.SOCK_STREAM if mode == "tcp" else socket.SOCK_DGRAM)
            client.settimeout(10)
            if mode != "unconnected":
                client.connect((address, port))
            stream = client.makefile("rb") if mode == "tcp" else None
        packet = question(number, order.choice(NAMES))
        if mode == "tcp":
            client.sendall(len(packet).to_bytes(2, "big") + packet)
            answer = stream.read(int.from_bytes(stream.read(2), "big"))
        elif mode == "connected":
            client.send(packet)
            answer = client.recv(4096)
        else:
            client.sendto(packet, (address, port))
            answer = client.recvfrom(4096)[0]
        assert answer[:2] == packet[:2]
        answers[answer[3] & 15] += 1
    client.close()
    print(json.dumps(answers))


main()
