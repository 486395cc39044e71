# SPDX-License-Identifier: Apache-2.0
"""The proxy's machine vanishes without a word and another takes its address: a new tunnel or request never waits for a pooled
connection that is dead. It may take 1.5 s; Envoy was reported to take over 140 s (envoyproxy/envoy#37236)."""
import socket
import time

from lib import client, topology, wait
from lib.case import alone, both_ways, limit, needs
from lib.machines import ADDRESS, Road, machines_possible
from lib.origin import reset

MOST_SECONDS = 1.5
H1, H2 = 3128, 3129


def timed(what, action):
    begin = time.monotonic()
    value = action()
    seconds = time.monotonic() - begin
    print(f"{what}: {seconds:.3f} s")
    assert seconds < MOST_SECONDS * wait.SCALE, f"{what}: took {seconds:.2f} s"
    return value


def echo_once(t, port):
    sock = t.connect(port)
    sock.sendall(b"ping")
    assert sock.recv(4, socket.MSG_WAITALL) == b"ping"
    return sock


def idle(t, port):
    """Nothing has passed for longer than the limit ping-after."""
    echo_once(t, port).close()
    wait.over(1.2, lambda: None)
    return []


def lively(t, port):
    """Bytes have passed this very moment."""
    return [echo_once(t, port) for _ in range(3)]


def hanging(t, port):
    """Tunnels that stand, and have sent what nobody answers."""
    return lively(t, port)


def send_into_the_void(sock):
    """The first of several may have told the others already that the new machine knows of none of them."""
    try:
        sock.sendall(b"into the void")
    except ConnectionResetError:
        pass


@alone
@needs(machines_possible)
@limit(120)
def test_a_new_tunnel_over_http2(t):
    road = Road(t)
    road.serve(t, {H2: "echo:"})
    entry = topology.encap(t, f"h2c:{ADDRESS}:{H2},idle=5m", "target:1")
    for state in (idle, lively, hanging):
        for silent in (True, False):
            open_before = state(t, entry)
            road.replace_machine(silent)
            if state is hanging:
                for sock in open_before:
                    send_into_the_void(sock)
                wait.over(0.5, lambda: None)
            timed(f"a tunnel after {state.__name__}, {'silence' if silent else 'reset'}", lambda: echo_once(t, entry)).close()
            timed("the next one", lambda: echo_once(t, entry)).close()
            for sock in open_before:
                reset(sock)
    assert t.tools[-1].counters()["tunnel_pool_ping_timeouts_total"] >= 3


@alone
@needs(machines_possible)
@limit(120)
def test_a_new_tunnel_among_several_connections(t):
    """conns= and prewarm=: all of them are dead at once, and each new tunnel gets by within its time."""
    road = Road(t)
    road.serve(t, {H2: "echo:", H1: "echo:"})
    for proxy in (f"h2c:{ADDRESS}:{H2},conns=3,prewarm=2,idle=5m", f"h1:{ADDRESS}:{H1},prewarm=3,idle=5m"):
        entry = topology.encap(t, proxy, "target:1")
        wait.until(lambda: t.tools[-1].gauges()["tunnel_pool_connections"] >= 2, 5, "connections are ready")
        open_before = lively(t, entry)
        wait.until(lambda: t.tools[-1].gauges()["tunnel_pool_connections"] >= 3, 5, "more connections")
        wait.over(1.2, lambda: None)
        road.replace_machine(silent=True)
        open_now = [timed(f"a tunnel over {proxy}", lambda: echo_once(t, entry)) for _ in range(6)]
        for sock in open_now:
            sock.close()
        for sock in open_before:
            reset(sock)


@alone
@needs(machines_possible)
@both_ways
@limit(120)
def test_a_request_over_an_idle_connection_inside_the_tunnel(t):
    """--http: the dead connection is an HTTP/1.1 one through a tunnel, which has no PING of its own."""
    road = Road(t)
    road.serve(t, {H1: "respond:200:NAME", H2: "respond:200:NAME"})
    names = {road.here: b"first\n", road.spare: b"second\n"}
    for proxy in (f"h1:{ADDRESS}:{H1}", f"h2c:{ADDRESS}:{H2}"):
        entry = topology.encap(t, proxy, "target:1", "--http", pool_idle_ms=3000)
        for pause in (1.2, 0):
            for silent in (True, False):
                assert client.get(entry).body == names[road.here]
                wait.over(pause, lambda: None)
                road.replace_machine(silent)
                answer = timed(f"GET over {proxy} after {pause} s, {'silence' if silent else 'reset'}", lambda: client.get(entry))
                assert answer.body == names[road.here], answer
        assert t.tools[-1].counters()["tunnel_pool_ping_timeouts_total"] >= 2
