# SPDX-License-Identifier: Apache-2.0
"""Several -t: who gets the connections, and what a backend that dies, stays silent or comes back means for clients."""
import collections
import os
import socket
import threading
import time

from lib import client, peers, topology, wait
from lib.case import both_ways, needs
from lib.origin import echo
from lib.topology import tcp

LOG = ("--access-log", "-", "--log-format", "json")
CLIENTS = 6


class Backend:
    """A process that answers every request with its name."""

    def __init__(self, t, name):
        self.t_, self.name, self.port = t, name, t.port()
        self.process = None
        self.start()

    def start(self):
        words = [os.path.join(self.t_.bin, "tcp-chain"), "--workers", "1", "-l", tcp(self.port), "-t", f"respond:200:{self.name}"]
        self.process = self.t_.peer(f"backend {self.name}", words, [self.port])

    def kill(self):
        self.process.kill()


def dials(*backends):
    return [word for backend in backends for word in ("-t", tcp(backend.port))]


def chain(t, *words, workers=1):
    """tcp-chain with an entry of its own, `port`."""
    port = t.port()
    tool = t.tool("tcp-chain", "--workers", workers, *LOG, "-l", tcp(port), *words)
    tool.port = port
    return tool


def get(port):
    """The name of the backend that answers a request on a connection of its own."""
    answer = client.get(port, fields=["Connection: close"])
    assert answer.status == 200, answer
    return answer.body.decode().strip()


def log_lines(tool, text):
    return [line for line in tool.err.lines if text in line]


@both_ways
def test_round_robin_spreads_over_all(t):
    backends = [Backend(t, name) for name in "ABC"]
    entry = chain(t, *dials(*backends), workers=2)
    seen = collections.Counter(get(entry.port) for _ in range(30))
    # Each worker gives every backend its turn; how many clients a worker has is the kernel's choice.
    assert len(seen) == 3 and max(seen.values()) - min(seen.values()) <= 2, seen
    entry.stop()
    upstreams = collections.Counter(record["upstream"] for record in entry.access_log())
    assert upstreams == {tcp(backend.port): seen[backend.name] for backend in backends}, (upstreams, seen)


class Load(threading.Thread):
    """Requests one after the other, each on a connection of its own. `failures`: when those began that failed."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port_, self.names, self.failures, self.over = port, [], [], False
        self.start()

    def run(self):
        while not self.over:
            begun = time.monotonic()
            try:
                self.names.append(get(self.port_))
            except Exception as error:
                self.failures.append((begun, repr(error)))

    def end(self):
        self.over = True
        self.join(20 * wait.SCALE)
        assert not self.is_alive(), "a request hangs"


def held(t, port):
    """A connection that has had an answer and stays open: (socket, name of its backend)."""
    sock = t.connect(port)
    return sock, client.request(sock, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").body.decode().strip()


@both_ways
def test_a_backend_killed_under_load(t):
    backends = [Backend(t, name) for name in "ABC"]
    entry = chain(t, *dials(*backends), workers=2)
    kept = [held(t, entry.port) for _ in range(9)]
    loads = [Load(entry.port) for _ in range(CLIENTS)]
    wait.until(lambda: all(len(load.names) > 10 for load in loads), 20, "every client has had some answers")
    backends[0].kill()
    killed = time.monotonic()
    seen = [len(load.names) for load in loads]
    wait.until(lambda: all(len(load.names) > n + 20 for load, n in zip(loads, seen)), 20, "the load goes on")
    after = [load.names[n + 1:] for load, n in zip(loads, seen)]
    assert "A" not in sum(after, []), "a dead backend has answered"
    failures = sum((load.failures for load in loads), [])
    assert len(failures) <= CLIENTS and all(begun < killed for begun, _ in failures), (killed, failures)
    for sock, name in kept:
        if name == "A":
            assert client.read_to_end(sock)[0] == b""
        else:
            assert client.request(sock, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").body.decode().strip() == name
    assert {name for _, name in kept} == {"A", "B", "C"}
    backends[0].start()
    wait.until(lambda: any("A" in load.names[n + 21:] for load, n in zip(loads, seen)), 10, "the backend is used again")
    for load in loads:
        load.end()
    assert len(sum((load.failures for load in loads), [])) == len(failures), "a client met an error later on"
    assert entry.err.first(lambda line: "back again" in line, 0, 5), entry.report()
    assert len(log_lines(entry, f"backend {tcp(backends[0].port)} set aside: ")) == 1, entry.report()
    assert len(log_lines(entry, f"backend {tcp(backends[0].port)} back again")) == 1, entry.report()
    assert len(log_lines(entry, "set aside")) == 1, entry.report()


def test_least_connections(t):
    origins = [t.server(echo) for _ in range(3)]
    entry = chain(t, *dials(*origins), "--lb", "least")
    socks = [t.connect(entry.port) for _ in range(9)]
    for sock in socks:
        sock.sendall(b"x")
        assert sock.recv(1) == b"x"
    assert [len(origin.connections) for origin in origins] == [3, 3, 3]
    for sock in socks[1::3]:  # all of the second's
        sock.shutdown(socket.SHUT_WR)
        assert client.read_to_end(sock) == (b"", "end")
    wait.until(lambda: entry.gauges()["tunnel_connections_active"] == 6, 5, "three connections are gone")
    for _ in range(3):
        sock = t.connect(entry.port)
        sock.sendall(b"x")
        assert sock.recv(1) == b"x"
    assert [len(origin.connections) for origin in origins] == [3, 6, 3]


def test_first_fails_over_and_back(t):
    first, second = Backend(t, "first"), Backend(t, "second")
    entry = chain(t, *dials(first, second), "--lb", "first", "--limit", "aside=5000")
    assert [get(entry.port) for _ in range(5)] == ["first"] * 5
    first.kill()
    assert [get(entry.port) for _ in range(5)] == ["second"] * 5
    assert entry.counters()["tunnel_endpoint_ejections_total"] == 1
    first.start()
    wait.until(lambda: get(entry.port) == "first", 20, "the first is used again")
    assert [get(entry.port) for _ in range(5)] == ["first"] * 5


class Silent:
    """A port whose queue of connections is full: further connects get no answer at all."""

    def __init__(self, t):
        self.port = t.port()
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", self.port))
        self.listener.listen(0)
        self.fill = []
        for _ in range(3):
            sock = socket.socket()
            sock.setblocking(False)
            sock.connect_ex(("127.0.0.1", self.port))
            self.fill.append(sock)
        with socket.socket() as probe:
            probe.settimeout(0.3)
            try:
                probe.connect(("127.0.0.1", self.port))
                raise AssertionError("this port still answers")
            except TimeoutError:
                pass

    def close(self):
        for sock in (*self.fill, self.listener):
            sock.close()


@both_ways
def test_a_silent_backend_costs_one_second_once(t):
    silent, good = Silent(t), Backend(t, "good")
    entry = chain(t, *dials(silent, good), "--limit", "aside=600000", "--limit", "aside-most=600000")
    begun = time.monotonic()
    assert get(entry.port) == "good"
    first = time.monotonic() - begun
    assert 0.9 < first < 1 + 2 * wait.SCALE, f"{first:.2f} s for the first"
    assert [get(entry.port) for _ in range(10)] == ["good"] * 10
    assert entry.counters()["tunnel_endpoint_tries_total"] == 12
    assert len(log_lines(entry, f"backend {tcp(silent.port)} set aside: no answer in 1")) == 1, entry.report()
    silent.close()


def test_all_down(t):
    """Told with the last cause; and nobody is refused for what is remembered."""
    ports, entry = [t.port(), t.port()], t.port()
    decap = t.tool("tun-decap", "--workers", "1", *LOG, "-l", tcp(entry), *(word for port in ports for word in ("-t", tcp(port))))
    for _ in range(3):
        answer = client.open_tunnel(t.connect(entry), "any.example:80")
        assert (answer.status, answer.field("proxy-status")) == (502, "tunnel; error=connection_refused"), answer
    assert decap.counters()["tunnel_endpoint_tries_total"] == 6
    decap.stop()
    for record in decap.access_log():
        assert record["detail"].startswith("none of 2 endpoints answered, the last error: connect to 127.0.0.1:"), record
    assert len(log_lines(decap, "set aside")) == 2, decap.report()


@needs(peers.curl_there)
def test_tunnels_end_at_several_places(t):
    backends = [Backend(t, name) for name in "AB"]
    port = t.port()
    t.tool("tun-decap", "--workers", "1", *LOG, "-l", tcp(port), *dials(*backends))
    fetched = [peers.curl("-p", "-x", f"http://{tcp(port)}", "http://anything.example:80/").decode().strip() for _ in range(4)]
    assert sorted(fetched) == ["A", "A", "B", "B"], fetched
    over_h2 = topology.encap(t, f"h2c:{tcp(port)}", "anything.example:80")
    assert sorted(get(over_h2) for _ in range(4)) == ["A", "A", "B", "B"]
    backends[0].kill()
    assert [get(over_h2) for _ in range(4)] == ["B"] * 4


@both_ways
def test_endpoints_may_be_lines_of_the_process(t):
    a, b = Backend(t, "A"), Backend(t, "B")
    entry = t.port()
    topology.run(t, f"tcp-chain -l {tcp(entry)} -t internal:a -t internal:b", f"tcp-chain -l internal:a -t {tcp(a.port)}",
                 f"tcp-chain -l internal:b -t {tcp(b.port)}")
    names = [get(entry) for _ in range(20)]
    assert set(names) == {"A", "B"}, names
    a.kill()
    assert [get(entry) for _ in range(6)] == ["B"] * 6
