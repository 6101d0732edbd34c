# SPDX-License-Identifier: Apache-2.0
"""A QUIC server, or its clients, of aioquic: quic.py server PORT FOLDER | client PORT COUNT.

The client prints what its datagrams sum up to: sent, received, in bytes.
"""
import asyncio
import pathlib
import ssl
import sys

from aioquic.asyncio import QuicConnectionProtocol, connect, serve
from aioquic.quic.configuration import QuicConfiguration

moved = {"sent": 0, "received": 0}


class Counted(QuicConnectionProtocol):
    def connection_made(self, transport):
        send = transport.sendto

        def sendto(data, address=None):
            moved["sent"] += len(data)
            send(data, address)
        transport.sendto = sendto
        super().connection_made(transport)

    def datagram_received(self, data, address):
        moved["received"] += len(data)
        super().datagram_received(data, address)


async def echo(reader, writer):
    writer.write(await reader.read())
    writer.write_eof()


async def server(port, folder):
    configuration = QuicConfiguration(is_client=False, alpn_protocols=["echo"])
    configuration.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    tasks = set()  # a task that nobody holds may be collected

    def answer(reader, writer):
        task = asyncio.ensure_future(echo(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    await serve("127.0.0.1", port, configuration=configuration, stream_handler=answer)
    print("ready", flush=True)
    await asyncio.Event().wait()


async def ask(port, turns):
    async with turns:
        configuration = QuicConfiguration(alpn_protocols=["echo"], verify_mode=ssl.CERT_NONE)
        async with connect("127.0.0.1", port, configuration=configuration, create_protocol=Counted) as connection:
            reader, writer = await connection.create_stream()
            writer.write(b"x" * 5000)
            writer.write_eof()
            assert await reader.read() == b"x" * 5000


async def client(port, count):
    turns = asyncio.Semaphore(10)
    await asyncio.gather(*(ask(port, turns) for _ in range(count)))
    print(moved["sent"], moved["received"])


if sys.argv[1] == "server":
    asyncio.run(server(int(sys.argv[2]), pathlib.Path(sys.argv[3])))
else:
    asyncio.run(client(int(sys.argv[2]), int(sys.argv[3])))
