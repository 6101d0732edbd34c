# SPDX-License-Identifier: Apache-2.0
"""Redis beyond plain calls: deep pipelines, transactions, commands that wait, subscriptions; truth is INFO commandstats."""
import socket
import subprocess
import threading
import time

import pytest

from test_redis import edge_calls, redis, server_calls  # noqa: F401


class Client:
    """Speaks RESP by hand, so that every byte on the wire is known."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.file = self.socket.makefile("rb")

    @staticmethod
    def encode(*words):
        return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in map(str.encode, words))

    def send(self, *commands):
        self.socket.sendall(b"".join(self.encode(*command.split()) for command in commands))

    def read(self):
        line = self.file.readline()
        if line[:1] in b"$=":
            return None if line[1:2] == b"-" else self.file.read(int(line[1:]) + 2)[:-2]
        if line[:1] in b"*>%":
            return [self.read() for _ in range(max(int(line[1:]), 0) * (2 if line[:1] == b"%" else 1))]
        return line.rstrip()

    def call(self, *commands):
        self.send(*commands)
        return [self.read() for _ in commands]

    def close(self):
        self.file.close()
        self.socket.close()


def edges_of(records, port):
    return records.edges(port=port, protocol="redis")


@pytest.mark.parametrize("options", [["-P", "1"], ["-P", "16"], ["-P", "255"]], ids=lambda options: "".join(options))
def test_every_call_of_redis_benchmark_is_counted(agent, redis, options):
    before = server_calls(redis)
    weft = agent()
    subprocess.run(["redis-benchmark", "-p", str(redis), "-q", "-n", "25500", "-c", "50", "-r", "1000",
                    "-t", "set,get,incr,lpush,sadd,hset,mset", *options], check=True, capture_output=True, timeout=120)
    records = weft.stop()
    served = server_calls(redis) - before
    seen = edge_calls(edges_of(records, redis))
    load = ("SET", "GET", "INCR", "LPUSH", "SADD", "HSET", "MSET")
    assert all(served[name] >= 25500 for name in load)
    assert {name: seen[name] for name in load} == {name: served[name] for name in load}
    assert records.total("lost", port=redis) == 0
    assert records.counters["calls_dropped"] == 0


def test_a_transaction_is_its_commands(agent, redis):
    weft = agent()
    client = Client(redis)
    for _ in range(20):
        assert client.call("MULTI", "SET a 1", "INCR a", "EXEC")[-1] == [b"+OK", b":2"]
    client.call("MULTI", "SET b 1", "DISCARD")
    client.close()
    records = weft.stop()
    assert edge_calls(edges_of(records, redis)) == {"MULTI": 21, "SET": 21, "INCR": 20, "EXEC": 20, "DISCARD": 1}
    assert all(count == 0 for e in edges_of(records, redis) for count in e["errors"].values())


def test_errors_are_the_requests_fault_unless_the_server_says_otherwise(agent, redis):
    weft = agent()
    client = Client(redis)
    client.call("SET text x")
    for _ in range(5):
        assert client.call("INCR text")[0].startswith(b"-ERR")
        assert client.call("LPUSH text x")[0].startswith(b"-WRONGTYPE")
    assert client.call("NOSUCHCOMMAND x")[0].startswith(b"-ERR unknown")
    client.close()
    records = weft.stop()
    assert records.total("calls", port=redis) == 12
    assert records.errors("client_error", port=redis) + records.errors("server_error", port=redis) == 11


def test_a_command_that_waits_is_counted_as_waiting_and_is_in_no_histogram(agent, redis):
    weft = agent()
    waiter, pusher = Client(redis), Client(redis)
    answers = []
    thread = threading.Thread(target=lambda: answers.extend(waiter.call("BLPOP queue 5") for _ in range(3)))
    thread.start()
    for _ in range(3):
        time.sleep(0.4)
        pusher.call("RPUSH queue x")
    thread.join()
    assert [answer[0] for answer in answers] == [[b"queue", b"x"]] * 3
    waiter.close(), pusher.close()
    records = weft.stop()
    edges = edges_of(records, redis)
    assert sum(e["waiting"] for e in edges) == 3
    assert sum(e["calls"] for e in edges) == 3  # RPUSH
    assert max(e["duration"]["max"] for e in edges if "duration" in e) < 300_000_000


@pytest.mark.parametrize("resp", [2, 3])
def test_messages_of_a_subscription_are_no_calls(agent, redis, resp):
    weft = agent()
    subscriber, publisher = Client(redis), Client(redis)
    if resp == 3:
        subscriber.call("HELLO 3")
    subscriber.call("SUBSCRIBE news")
    for _ in range(50):
        publisher.call("PUBLISH news hello")
    assert [subscriber.read()[0] for _ in range(50)] == [b"message"] * 50
    subscriber.call("UNSUBSCRIBE news")
    assert subscriber.call("PING")[0] in (b"+PONG", [b"pong", b""])
    subscriber.close(), publisher.close()
    records = weft.stop()
    calls = edge_calls(edges_of(records, redis))
    assert calls["PUBLISH"] == 50
    assert calls["PING"] == 1
    assert sum(e["calls"] + e["waiting"] for e in edges_of(records, redis)) <= 50 + 1 + 3  # HELLO, SUBSCRIBE, UNSUBSCRIBE
    assert records.errors("no_response", port=redis) == 0


def test_inline_commands_and_values_of_a_megabyte(agent, redis):
    weft = agent()
    with socket.create_connection(("127.0.0.1", redis)) as client:
        for _ in range(10):
            client.sendall(b"PING\r\n")
            assert client.recv(100) == b"+PONG\r\n"
    client = Client(redis)
    client.socket.sendall(b"*3\r\n$3\r\nSET\r\n$3\r\nbig\r\n$1000000\r\n" + b"*1\r\n$4\r\nPING\r\n" * 71428 + b"........\r\n")
    assert client.read() == b"+OK"
    assert len(client.call("GET big")[0]) == 1_000_000
    client.call("DEL big")
    client.close()
    assert edge_calls(edges_of(weft.stop(), redis)) == {"PING": 10, "SET": 1, "GET": 1, "DEL": 1}
