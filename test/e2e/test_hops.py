# SPDX-License-Identifier: Apache-2.0
"""tun-encap with several -x: a CONNECT inside a CONNECT, in every mix of versions, through our own proxies and other people's."""
import socket

from lib import client, peers, topology
from lib.case import both_ways, needs
from lib.client import read_to_end
from lib.origin import echo, reset
from lib.topology import tcp
from lib.transfer import big_body, check_bytes_both_ways, check_get

LOG = ("--access-log", "-", "--log-format", "json")


def through(t, proxies, target, *more):
    """tun-encap with an -x for each of `proxies`; returns it, with the port of its entry as `port`."""
    port = t.port()
    words = [word for proxy in proxies for word in ("-x", proxy)]
    tool = t.tool("tun-encap", "--workers", "1", *LOG, "-l", tcp(port), *words, "--target", target, *more)
    tool.port = port
    return tool


def two_of_ours(t, target, first, second):
    """`first` and `second` are versions; each tun-decap may connect to the next place only."""
    inner = topology.decap(t, target)
    outer = topology.decap(t, inner)
    return through(t, [f"{first}:{tcp(outer)}", f"{second}:{tcp(inner)}"], tcp(target))


# --- our own proxies, every mix ---
def define(first, second):
    @both_ways
    def bytes_both_ways(t):
        origin = t.server(echo)
        check_bytes_both_ways(t, two_of_ours(t, origin.port, first, second).port)

    @both_ways
    def a_reset_passes(t):
        def serve(connection):
            if connection.recv(1) == b"r":
                reset(connection)
            else:
                connection.sendall(b"y")
                connection.recv(1)
        origin = t.server(serve)
        entry = two_of_ours(t, origin.port, first, second).port
        by_origin, by_client = t.connect(entry), t.connect(entry)
        by_origin.sendall(b"r")
        assert read_to_end(by_origin) == (b"", "reset")
        by_client.sendall(b"x")
        assert by_client.recv(1) == b"y"  # the tunnel stands
        reset(by_client)
        origin.wait_ends(2)
        assert "ConnectionResetError" in origin.ends, origin.ends

    for test in (bytes_both_ways, a_reset_passes):
        globals()[f"test_{test.__name__}_{second}_in_{first}"] = test
        test.__name__ = f"test_{test.__name__}_{second}_in_{first}"


for outer_version in ("h1", "h2c"):
    for inner_version in ("h1", "h2c"):
        define(outer_version, inner_version)


def test_the_server_ends_first(t):
    """A half-close of the origin, then bytes up through both tunnels."""
    received = []

    def serve(connection):
        connection.sendall(b"go!")
        connection.shutdown(socket.SHUT_WR)
        received.append(read_to_end(connection))
    origin = t.server(serve)
    for first, second in (("h1", "h2c"), ("h2c", "h1")):
        sock = t.connect(two_of_ours(t, origin.port, first, second).port)
        assert read_to_end(sock) == (b"go!", "end")
        sock.sendall(b"x" * 1_000_000)
        sock.shutdown(socket.SHUT_WR)
    origin.wait_ends(2)
    assert received == [(b"x" * 1_000_000, "end")] * 2, [(len(data), how) for data, how in received]


@both_ways
def test_three_proxies_and_requests_share_the_tunnels(t):
    body = big_body()
    origin = t.http_origin(body=body)
    last = topology.decap(t, origin.port)
    middle = topology.decap(t, last)
    first = topology.decap(t, middle)
    entry = through(t, [f"h2c:{tcp(first)}", f"h1:{tcp(middle)}", f"h2c:{tcp(last)}"], tcp(origin.port), "--http")
    for _ in range(3):
        check_get(entry.port, body)
    entry.stop()
    records = entry.access_log()
    tunnels = {(record["listener"], record["authority"]) for record in records if record["protocol"] == "TCP"}
    name = f"tun-encap-{entry.port}"
    assert tunnels == {(f"{name}.http", tcp(origin.port)), (f"{name}.hop1", tcp(middle)), (f"{name}.hop2", tcp(last))}, records
    assert [record["status"] for record in records if record["listener"] == name] == [200] * 3


@both_ways
def test_the_first_proxy_may_be_inside_the_process(t):
    origin = t.server(echo)
    last = topology.decap(t, origin.port)
    entry = t.port()
    topology.run(t, f"tun-encap -l {tcp(entry)} -x h2c+internal:exit -x h1:{tcp(last)} --target {tcp(origin.port)}",
                 f"tun-decap -l internal:exit --allow {tcp(last)}")
    check_bytes_both_ways(t, entry)


# --- other people's proxies ---
@needs(peers.envoy_there)
@both_ways
def test_through_envoy_over_h2(t):
    """Envoy ends the outer CONNECT and leads to our proxy, which ends the inner one."""
    for second in ("h1", "h2c"):
        origin, envoy = t.server(echo), t.port()
        last = topology.decap(t, origin.port)
        peers.envoy(t, "envoy-tcp-decap.yaml", [envoy], ports={10001: envoy, 10000: last})
        check_bytes_both_ways(t, through(t, [f"h2c:{tcp(envoy)}", f"{second}:{tcp(last)}"], tcp(origin.port)).port)


@needs(peers.envoy_there)
def test_through_envoy_over_h1(t):
    """HTTP/2 inside, so that nothing ends an end of Envoy's HTTP/1.1 tunnel early: it would close both."""
    body = big_body()
    origin, envoy = t.http_origin(body=body), t.port()
    last = topology.decap(t, origin.port)
    peers.envoy(t, "envoy-tcp-decap.yaml", [envoy], ports={10001: envoy, 10000: last})
    entry = through(t, [f"h1:{tcp(envoy)}", f"h2c:{tcp(last)}"], tcp(origin.port)).port
    check_get(entry, body, fields=["Connection: close"])


@needs(peers.envoy_there)
def test_to_envoy_through_ours(t):
    """The other way round: our proxy first, and Envoy ends the inner CONNECT."""
    origin, envoy = t.server(echo), t.port()
    peers.envoy(t, "envoy-tcp-decap.yaml", [envoy], ports={10001: envoy, 10000: origin.port})
    for first in ("h1", "h2c"):
        entry = through(t, [f"{first}:{tcp(topology.decap(t, envoy))}", f"h2c:{tcp(envoy)}"], tcp(origin.port)).port
        check_bytes_both_ways(t, entry)


@needs(peers.nghttpx_there)
def test_through_nghttpx(t):
    """nghttpx passes the outer CONNECT on to our first proxy; the second is reached through both."""
    body = big_body()
    origin, front = t.http_origin(body=body), t.port()
    last = topology.decap(t, origin.port)
    peers.nghttpx(t, front, topology.decap(t, last), "h2", tls=False)
    for second in ("h1", "h2c"):
        check_get(through(t, [f"h2c:{tcp(front)}", f"{second}:{tcp(last)}"], tcp(origin.port), "--http").port, body)


@needs(peers.haproxy_there, peers.openssl_there)
def test_through_haproxy(t):
    body = big_body()
    origin, clear, tls = t.http_origin(body=body), t.port(), t.port()
    last = topology.decap(t, origin.port)
    peers.haproxy(t, clear, tls, topology.decap(t, last))
    for second in ("h1", "h2c"):
        check_get(through(t, [f"h2c:{tcp(clear)}", f"{second}:{tcp(last)}"], tcp(origin.port), "--http").port, body)


@needs(peers.curl_there)
def test_curl_through_both(t):
    origin = t.http_origin(body=b"reached\n")
    entry = two_of_ours(t, origin.port, "h2c", "h2c").port
    assert peers.curl(f"http://{tcp(entry)}/") == b"reached\n"


@needs(peers.curl_there)
def test_curls_own_connect_inside(t):
    """A tunnel to the second proxy as curl's proxy: curl's CONNECT inside ours."""
    origin = t.http_origin(body=b"reached\n")
    last = topology.decap(t, origin.port)
    entry = through(t, [f"h2c:{tcp(topology.decap(t, last))}"], tcp(last)).port
    assert peers.curl("-p", "-x", f"http://{tcp(entry)}", f"http://{tcp(origin.port)}/") == b"reached\n"


# --- refusals ---
@both_ways
def test_a_refusal_of_any_hop_names_it(t):
    """What a client of --http is told, and the cause in the access log of the entry."""
    origin, nobody = t.server(echo), t.port()
    last = topology.decap(t, nobody)
    first, closed = topology.decap(t, last), topology.decap(t, nobody)
    for outer, inner in (("h1", "h2c"), ("h2c", "h1")):
        for one, target, told, cause in (
                (closed, nobody, "error=http_request_denied; received-status=403", f"the proxy {tcp(closed)} answered 403 to CONNECT {tcp(last)}"),
                (first, origin.port, "error=http_request_denied; received-status=403",
                 f"the proxy {tcp(last)} answered 403 to CONNECT {tcp(origin.port)}"),
                (first, nobody, "error=connection_refused; received-status=502",
                 f"the proxy {tcp(last)} answered 502 to CONNECT {tcp(nobody)}")):
            entry = through(t, [f"{outer}:{tcp(one)}", f"{inner}:{tcp(last)}"], tcp(target), "--http")
            answer = client.get(entry.port)
            assert (answer.status, answer.field("proxy-status")) == (502, f"tunnel; {told}"), answer
            entry.stop()
            details = [record["detail"] for record in entry.access_log() if record["listener"] == f"tun-encap-{entry.port}"]
            assert len(details) == 1 and details[0].startswith(cause + ": "), details


def test_nobody_at_the_first_proxy(t):
    nobody = t.port()
    entry = through(t, [f"h1:{tcp(nobody)}", "h2c:127.0.0.1:1"], "a:1", "--http")
    answer = client.get(entry.port)
    assert (answer.status, answer.field("proxy-status")) == (502, "tunnel; error=connection_refused"), answer
