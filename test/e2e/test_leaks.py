# SPDX-License-Identifier: Apache-2.0
"""Nothing is left behind, whoever leaves first and whatever still waited. The teardown of every test checks the gauges too."""
import socket
import struct
from concurrent.futures import ThreadPoolExecutor

from lib import client, topology
from lib.case import alone, both_ways, limit
from lib.origin import echo
from lib.topology import tcp

ROUNDS = 1000
WIDTH = 20
DATA = b"d" * (256 << 10)


def data_and_fin(connection):
    """Asks for nothing more than a first byte, sends more than a hop holds, and its FIN behind it; leaves when the way is closed."""
    connection.recv(1)
    connection.sendall(DATA)
    connection.shutdown(socket.SHUT_WR)
    while connection.recv(65536):
        pass


def leave(sock, how):
    """Closes with everything unread (the kernel makes that a RST), or with a RST in any case."""
    if how == "abort":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def small_receiver(port):
    """A connection whose receive buffer is too small for DATA: most of it waits inside the programs."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.settimeout(20)
    sock.connect(("127.0.0.1", port))
    return sock


def replay(t, once):
    """`once(number)` ROUNDS times, WIDTH at a time; descriptors must be back to what they were after a warm-up."""
    for number in range(WIDTH):
        once(number)
    for tool in t.tools:
        tool.wait_gauges_zero()
    before = [tool.descriptors() for tool in t.tools]
    with ThreadPoolExecutor(WIDTH) as pool:
        list(pool.map(once, range(ROUNDS)))
    for tool in t.tools:
        tool.wait_gauges_zero(2)
    after = [tool.descriptors() for tool in t.tools]
    assert all(now <= then + 2 for then, now in zip(before, after)), f"descriptors before {before}, after {after}"


@alone
@limit(150)
@both_ways
def test_envoy_38148_connect_to_internal_listener(t):
    """An HTTP connection manager terminates CONNECT into an internal listener; the upstream sends data and FIN, nobody reads."""
    origin = t.server(data_and_fin)
    port = t.port()
    t.run(f"tun-decap -l {tcp(port)} --to internal:mid", f"tcp-chain -l internal:mid -t {tcp(origin.port)}")

    def once(number):
        sock = small_receiver(port)
        assert client.open_tunnel(sock, "any:1").status == 200
        sock.sendall(b"g")
        sock.recv(1)
        leave(sock, "abort" if number % 2 else "close")
    replay(t, once)


@alone
@limit(150)
@both_ways
def test_envoy_38148_get_through_internal_listener(t):
    """The shape of the report: GET, connection manager, internal listener, tunnel; the response and its FIN stay unread."""
    body = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(DATA) + DATA
    origin = t.http_origin(respond=lambda *_: body)
    entry = topology.encap(t, f"h2c:{tcp(topology.decap(t, origin.port))}", tcp(origin.port), "--http")

    def once(number):
        sock = small_receiver(entry)
        sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        sock.recv(1)
        leave(sock, "abort" if number % 2 else "close")
    replay(t, once)


@alone
@limit(150)
@both_ways
def test_istio_60074_download_aborted_midway(t):
    """500 downloads on one h2 connection, each aborted by the client."""
    big = b"x" * (10 << 20)
    origin = t.http_origin(respond=lambda *_: b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(big) + big)
    entry = topology.encap(t, f"h2c:{tcp(topology.decap(t, origin.port))}", tcp(origin.port), "--http")
    for _ in range(500):
        with client.connect(entry) as sock:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            sock.recv(65536)
            leave(sock, "abort")
    for tool in t.tools:
        tool.wait_gauges_zero(2)
    assert client.get(entry).status == 200


@alone
@both_ways
def test_connect_then_abort(t):
    origin = t.server(echo)
    entry = topology.h2_tunnel(t, origin.port)

    def once(_):
        try:
            sock = client.connect(entry)
        except ConnectionResetError:  # so many tunnels given up before they stood are cut as an attack; the next one works
            return
        leave(sock, "abort")
    with ThreadPoolExecutor(WIDTH) as pool:
        list(pool.map(once, range(5000)))
    live = t.connect(entry)
    live.sendall(b"ping")
    assert live.recv(4) == b"ping"


@both_ways
def test_the_side_that_resets_is_seen_on_the_other(t):
    """RST stays RST, over every kind of way, from either side."""
    for way in (topology.chain, topology.eight_hops, topology.h1_tunnel, topology.h2_tunnel, topology.plain_h2_tunnel):
        by_origin = t.server(lambda connection: (connection.recv(2), leave(connection, "abort")))
        sock = t.connect(way(t, by_origin.port))
        sock.sendall(b"go")
        assert client.read_to_end(sock) == (b"", "reset"), f"{way.__name__}: reset by the origin"
        by_client = t.server(lambda connection: (connection.sendall(b"hi"), connection.recv(1)))
        sock = t.connect(way(t, by_client.port))
        assert sock.recv(2, socket.MSG_WAITALL) == b"hi"
        leave(sock, "abort")
        by_client.wait_ends(1)
        assert by_client.ends == ["ConnectionResetError"], f"{way.__name__}: reset by the client, the origin saw {by_client.ends}"


@both_ways
def test_a_killed_peer_is_no_clean_end(t):
    """The far program dies by SIGKILL in the middle: what the client has is never followed by a clean end."""
    def endless(connection):
        while True:
            connection.sendall(DATA)
    origin = t.server(endless)
    for version in ("h1", "h2c"):
        decap_port = topology.decap(t, origin.port)
        decap = t.tools[-1]
        sock = t.connect(topology.encap(t, f"{version}:{tcp(decap_port)}", tcp(origin.port)))
        sock.recv(65536)
        decap.kill()
        t.tools.remove(decap)
        assert client.read_to_end(sock)[1] == "reset", version
