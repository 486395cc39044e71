# SPDX-License-Identifier: Apache-2.0
"""Starting, draining, ending, running out of descriptors, several workers."""
import hashlib
import signal
import time
import socket
from concurrent.futures import ThreadPoolExecutor

from lib import client, network, topology, wait
from lib.case import alone, both_ways, limit
from lib.origin import echo, receive_bulk, send_bulk
from lib.topology import tcp

PART = 8 << 20
TUNNELS = 20


def sends_part(digests):
    def serve(connection):
        connection.recv(2)
        digests.append(send_bulk(connection, PART, "drain"))
    return serve


def sends_for_ever(connection):
    connection.recv(2)
    while True:
        connection.sendall(b"x" * 65536)


def start_downloads(t, entry, count):
    """`count` connections that have asked and have seen a first byte."""
    socks = [t.connect(entry) for _ in range(count)]
    for sock in socks:
        sock.sendall(b"go")
    for sock in socks:
        assert sock.recv(1, socket.MSG_PEEK)
    return socks


def drain(t, entry, tool, port, digests):
    """SIGTERM to `tool` with downloads in flight: its port closes, every byte still arrives, then it ends with status 0."""
    socks = start_downloads(t, entry, TUNNELS)
    tool.signal(signal.SIGTERM)
    wait.until(lambda: not network.listening(port), 2, f"port {port} is closed after SIGTERM")
    assert tool.running(), f"{tool.name} ended with downloads in flight\n{tool.report()}"
    with ThreadPoolExecutor(TUNNELS) as pool:
        received = list(pool.map(receive_bulk, socks))
    assert len(set(digests)) == 1 and received == [(PART, digests[0])] * TUNNELS, received
    for sock in socks:
        sock.close()
    assert tool.wait_exit() == 0, tool.report()


@limit(120)
@both_ways
def test_sigterm_drains_a_chain(t):
    digests = []
    entry = topology.chain(t, t.server(sends_part(digests)).port)
    drain(t, entry, t.tools[0], entry, digests)


@limit(120)
@both_ways
def test_sigterm_drains_both_ends_of_a_tunnel(t):
    for version in ("h1", "h2c"):
        digests = []
        origin = t.server(sends_part(digests))
        decap_port = topology.decap(t, origin.port)
        decap = t.tools[-1]
        entry = topology.encap(t, f"{version}:{tcp(decap_port)}", tcp(origin.port))
        drain(t, entry, decap, decap_port, digests)
        digests.clear()
        decap_port = topology.decap(t, origin.port)
        entry = topology.encap(t, f"{version}:{tcp(decap_port)}", tcp(origin.port))
        drain(t, entry, t.tools[-1], entry, digests)


@both_ways
def test_a_second_sigterm_ends_at_once(t):
    """Everything open is reset: by the chain itself, and by the far end of a tunnel through the end that lives on."""
    for way in (topology.chain, topology.plain_h1_tunnel, topology.plain_h2_tunnel):
        origin = t.server(sends_for_ever)
        number = len(t.tools)
        entry = way(t, origin.port)
        tool = t.tools[number]
        socks = start_downloads(t, entry, 5)
        tool.signal(signal.SIGTERM)
        wait.until(lambda: not any(network.listening(port) for port in tool.listens), 2, "the listener closes")
        assert tool.running(), tool.report()
        # Signals in quick succession are one request: sent again until it counts as a second one.
        wait.until(lambda: not tool.running() or tool.signal(signal.SIGTERM), 1, "it ends at the second signal", every=0.02)
        assert tool.wait_exit(1) == 0, tool.report()
        assert [client.read_to_end(sock)[1] for sock in socks] == ["reset"] * 5, way.__name__


def test_the_drain_time_ends_what_is_left(t):
    origin, port = t.server(echo), t.port()
    tool = t.tool("tcp-chain", "--drain", "1s", "-l", tcp(port), "-t", tcp(origin.port))
    sock = t.connect(port)
    sock.sendall(b"ping")
    assert sock.recv(4) == b"ping"
    tool.signal(signal.SIGTERM)
    assert tool.wait_exit(4) == 0, tool.report()
    assert client.read_to_end(sock) == (b"", "reset")


def test_an_idle_program_ends_at_once(t):
    port = t.port()
    for number in (signal.SIGTERM, signal.SIGINT):
        tool = t.tool("tcp-chain", "-l", tcp(port), "-t", "echo:")
        tool.signal(number)
        assert tool.wait_exit(2) == 0, tool.report()


def test_signals_at_the_very_end_keep_nobody_up(t):
    """One that comes while the last worker leaves is neither waited for nor behind."""
    port = t.port()
    for _ in range(10):
        tool = t.tool("tcp-chain", "--workers", "1", "-l", tcp(port), "-t", "echo:")
        tool.signal(signal.SIGTERM)
        deadline = time.monotonic() + 5 * wait.SCALE
        while tool.running() and time.monotonic() < deadline:
            tool.signal(signal.SIGUSR1)
        assert tool.wait_exit(0) == 0, tool.report()


def test_signals_that_do_nothing_yet(t):
    """HUP and USR1 are ignored with one log line each, and the program serves on."""
    port = t.port()
    tool = t.tool("tcp-chain", "-l", tcp(port), "-t", "echo:")
    for number, name in ((signal.SIGHUP, "HUP"), (signal.SIGUSR1, "USR1")):
        start = len(tool.err.lines)
        tool.signal(number)
        assert tool.err.first(lambda line: name in line, start, 5), tool.report()
    sock = t.connect(port)
    sock.sendall(b"ping")
    assert sock.recv(4) == b"ping"


@alone
@limit(90)
def test_out_of_descriptors(t):
    """64 descriptors, 200 clients: no spinning, a log line a second at most, and service again when they have left."""
    origin, port = t.server(echo), t.port()
    tool = t.tool("tcp-chain", "--workers", "1", "-l", tcp(port), "-t", tcp(origin.port), prefix=["prlimit", "--nofile=64:64"])
    socks = [t.connect(port) for _ in range(200)]
    assert tool.err.first(lambda line: "descriptor" in line.lower(), 0, 5), tool.report()
    cpu, lines = tool.cpu_seconds(), len(tool.err.lines)
    seconds = wait.over(3, lambda: None)
    used, said = tool.cpu_seconds() - cpu, len(tool.err.lines) - lines
    assert used < 0.05 * seconds, f"{used / seconds:.0%} of a core while out of descriptors\n{tool.report()}"
    assert said <= seconds + 1, f"{said} lines in {seconds:.1f} s\n{tool.report()}"
    socks[0].sendall(b"ping")
    assert socks[0].recv(4) == b"ping", "a connection from before is served on"
    for sock in socks:
        sock.close()
    late = t.connect(port, seconds=1.5)
    late.sendall(b"ping")
    assert late.recv(4) == b"ping"


@both_ways
def test_workers_share_the_load(t):
    """Several workers, many short and some long connections beside each other, all kinds of ways."""
    origin = t.server(echo)
    decap, encap, chain = t.port(), t.port(), t.port()
    t.run(f"tun-decap -l {tcp(decap)} --to internal:mid", f"tcp-chain -l internal:mid -t {tcp(origin.port)}", options=["--workers", "2"])
    t.run(f"tcp-chain -l {tcp(chain)} -t internal:a", f"tcp-chain -l internal:a -t {tcp(encap)}",
          f"tun-encap -l {tcp(encap)} -x h2c:{tcp(decap)} --target {tcp(origin.port)}", options=["--workers", "2"])

    def once(number):
        piece = hashlib.sha256(b"%d" % number).digest() * (1 + number % 64) * 32
        with client.connect(chain) as sock:
            sock.sendall(piece)
            sock.shutdown(socket.SHUT_WR)
            assert client.read_to_end(sock) == (piece, "end")
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(once, range(400)))


@both_ways
def test_workers_report_all_at_once(t):
    """SIGUSR2 under load: always one whole JSON line."""
    origin = t.server(echo)
    port = t.port()
    tool = t.run(f"tcp-chain -l {tcp(port)} -t internal:a", f"tcp-chain -l internal:a -t {tcp(origin.port)}", options=["--workers", "2"])
    live = [t.connect(port) for _ in range(10)]
    for sock in live:
        sock.sendall(b"ping")
        assert sock.recv(4) == b"ping"
    for _ in range(20):
        gauges = tool.gauges()
        assert gauges["tunnel_connections_active"] >= 10, gauges
        assert gauges["tunnel_workers"] == 2, gauges
    assert tool.running()


def test_workers_drain_together(t):
    digests = []
    origin, port = t.server(sends_part(digests)), t.port()
    tool = t.tool("tcp-chain", "--workers", "2", "-l", tcp(port), "-t", tcp(origin.port))
    drain(t, port, tool, port, digests)
