# SPDX-License-Identifier: Apache-2.0
"""Much at once through every kind of way: equal hashes, and the same closes, logs and counters with records and with pairs."""
import os
import socket
import threading

from lib import topology
from lib.case import alone, limit
from lib.client import read_to_end
from lib.compare import compared
from lib.origin import receive_bulk, send_bulk

BULK = int(os.environ.get("E2E_BULK", 64 << 20))
HALF = int(os.environ.get("E2E_HALF", 100 << 20))


class Sender(threading.Thread):
    """Sends BULK bytes beside whoever reads, then finishes its side."""

    def __init__(self, sock, seed):
        super().__init__(daemon=True)
        self.sock_, self.seed_, self.digest = sock, seed, None
        self.start()

    def run(self):
        self.digest = send_bulk(self.sock_, BULK, self.seed_)
        self.sock_.shutdown(socket.SHUT_WR)

    def result(self):
        self.join()
        return self.digest


def each_way(t, way):
    """BULK bytes in both directions at the same time, then both ends."""
    at_origin = {}

    def serve(connection):
        sender = Sender(connection, "down")
        at_origin["received"] = receive_bulk(connection)
        at_origin["sent"] = sender.result()
    origin = t.server(serve)
    client = t.connect(way(t, origin.port), seconds=200)
    sender = Sender(client, "up")
    received = receive_bulk(client)
    sent = sender.result()
    origin.wait_ends(1)
    assert received == (BULK, at_origin["sent"]), f"downstream: {received} of {BULK}, sent {at_origin['sent']}"
    assert at_origin["received"] == (BULK, sent), f"upstream: {at_origin['received']} of {BULK}, sent {sent}"
    return received, at_origin["received"], origin.ends


def client_ends_first(t, way):
    """The client finishes its side after three bytes; then HALF bytes come back."""
    at_origin = {}

    def serve(connection):
        at_origin["request"] = read_to_end(connection)
        at_origin["sent"] = send_bulk(connection, HALF, "down")
        connection.shutdown(socket.SHUT_WR)
    origin = t.server(serve)
    client = t.connect(way(t, origin.port), seconds=100)
    client.sendall(b"go!")
    client.shutdown(socket.SHUT_WR)
    received = receive_bulk(client)
    origin.wait_ends(1)
    assert at_origin["request"] == (b"go!", "end"), at_origin["request"]
    assert received == (HALF, at_origin["sent"]), f"{received} of {HALF}"
    return received, origin.ends


def origin_ends_first(t, way):
    """The origin speaks first and finishes its side; then HALF bytes go up."""
    at_origin = {}

    def serve(connection):
        connection.sendall(b"go!")
        connection.shutdown(socket.SHUT_WR)
        at_origin["received"] = receive_bulk(connection)
    origin = t.server(serve)
    client = t.connect(way(t, origin.port), seconds=100)
    greeting = read_to_end(client)
    sent = send_bulk(client, HALF, "up")
    client.shutdown(socket.SHUT_WR)
    origin.wait_ends(1, seconds=60)
    assert greeting == (b"go!", "end"), greeting
    assert at_origin["received"] == (HALF, sent), f"{at_origin['received']} of {HALF}"
    return at_origin["received"], origin.ends


def define(scene, way, seconds):
    @compared
    def test(t):
        return scene(t, way)
    name = f"test_{scene.__name__}_{way.__name__}"
    test.__name__ = name
    globals()[name] = alone(limit(seconds)(test))


for one_way in (topology.chain, topology.eight_hops, topology.h1_tunnel, topology.h2_tunnel):
    define(each_way, one_way, 240)
for one_way in (topology.chain, topology.eight_hops, topology.h1_tunnel, topology.h2_tunnel, topology.plain_h1_tunnel,
                topology.plain_h2_tunnel):
    define(client_ends_first, one_way, 120)
    define(origin_ends_first, one_way, 120)
