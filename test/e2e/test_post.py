# SPDX-License-Identifier: Apache-2.0
"""Tunnels by POST, for proxies that let no CONNECT through: between our own ends, and with Envoy at either."""
import socket

from lib import client, peers, topology
from lib.case import both_ways, needs
from lib.origin import echo, receive_bulk, reset, send_bulk
from lib.topology import tcp
from lib.transfer import check_bytes_both_ways, check_get

MUCH = 20 << 20
VERSIONS = ("h1", "h2c")


def decap(t, target):
    port = t.port()
    t.tool("tun-decap", *topology.ONE, *topology.LOG, "-l", tcp(port), "--allow", tcp(target), "--post")
    return port


def envoy_decap(t, target):
    """Envoy that takes POST for a tunnel (allow_post)."""
    port = t.port()
    peers.envoy(t, "envoy-tcp-decap.yaml", [port], ports={10001: port, 10000: target},
                replace={"connect_matcher: {}": 'prefix: "/"', "connect_config: {}": "connect_config: {allow_post: true}"})
    return port


def envoy_encap(t, version, proxy, target):
    port = t.port()
    peers.envoy(t, f"envoy-tcp-encap-{version}.yaml", [port], ports={9999: port, 10001: proxy, 10000: target},
                replace={'tunneling_config: {hostname: "127.0.0.1': 'tunneling_config: {use_post: true, hostname: "127.0.0.1'})
    return port


def ours(t, version, target, *more):
    return topology.encap(t, f"{version}:{tcp(decap(t, target))}", tcp(target), "--post", *more)


# --- our own ends ---
@both_ways
def test_bytes_both_ways(t):
    origin = t.server(echo)
    for version in VERSIONS:
        check_bytes_both_ways(t, ours(t, version, origin.port))


@both_ways
def test_get_in_post(t):
    origin = t.http_origin(body=b"x" * (1 << 20))
    for version in VERSIONS:
        entry = ours(t, version, origin.port, "--http")
        for _ in range(3):
            check_get(entry, b"x" * (1 << 20))


@both_ways
def test_either_side_ends_first(t):
    """And much arrives the other way afterwards, whole."""
    sent, received = {}, {}

    def serve(connection):
        if connection.recv(1) == b"d":  # download: the client has ended
            assert client.read_to_end(connection) == (b"", "end")
            sent["digest"] = send_bulk(connection, MUCH, "post")
        else:
            connection.shutdown(socket.SHUT_WR)
            received["all"] = receive_bulk(connection)
    origin = t.server(serve)
    for number, version in enumerate(VERSIONS):
        entry = ours(t, version, origin.port)
        sock = t.connect(entry, seconds=60)
        sock.sendall(b"d")
        sock.shutdown(socket.SHUT_WR)
        assert receive_bulk(sock) == (MUCH, sent["digest"]), version
        sock = t.connect(entry, seconds=60)
        sock.sendall(b"u")
        assert client.read_to_end(sock) == (b"", "end")
        digest = send_bulk(sock, MUCH, "post")
        sock.shutdown(socket.SHUT_WR)
        origin.wait_ends(2 * number + 2, seconds=30)
        assert received["all"] == (MUCH, digest), version


@both_ways
def test_a_reset_stays_a_reset(t):
    def serve(connection):
        connection.recv(1)
        connection.sendall(b"part")
        connection.recv(1)
        reset(connection)
    origin = t.server(serve)
    for number, version in enumerate(VERSIONS):
        entry = ours(t, version, origin.port)
        sock = t.connect(entry)
        sock.sendall(b"x")
        assert sock.recv(4, socket.MSG_WAITALL) == b"part"
        sock.sendall(b"x")
        assert client.read_to_end(sock)[1] == "reset", version
        origin.wait_ends(2 * number + 1)
        sock = t.connect(entry)
        sock.sendall(b"x")
        assert sock.recv(4, socket.MSG_WAITALL) == b"part"
        reset(sock)
        origin.wait_ends(2 * number + 2)
        assert origin.ends[-1] == "ConnectionResetError", origin.ends


def test_refusals_are_those_of_connect(t):
    closed = t.port()
    for version in VERSIONS:
        answer = client.get(ours(t, version, closed, "--http"))
        assert answer.status == 502 and "error=connection_refused" in answer.field("proxy-status"), answer
        entry = topology.encap(t, f"{version}:{tcp(topology.decap(t, closed))}", tcp(closed), "--post", "--http")
        answer = client.get(entry)  # that tun-decap takes no POST
        assert answer.status == 502 and "received-status=405" in answer.field("proxy-status"), answer


def test_a_page_is_no_tunnel(t):
    def serve(connection):
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nplease log in")
        connection.recv(1)
    portal = t.server(serve)
    answer = client.get(topology.encap(t, f"h1:{tcp(portal.port)}", "host.com:443", "--post", "--http"))
    assert answer.status == 502 and "received-status=200" in answer.field("proxy-status"), answer
    assert b"log in" not in answer.body


def test_what_it_looks_like_on_the_wire(t):
    seen = {"head": b"", "body": b""}

    def serve(connection):
        while not seen["head"].endswith(b"\r\n\r\n"):
            seen["head"] += connection.recv(1)
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        while not seen["body"].endswith(b"0\r\n\r\n"):
            seen["body"] += connection.recv(1)
        connection.sendall(b"0\r\n\r\n")
        assert client.read_to_end(connection) == (b"", "end")
    origin = t.server(serve)
    sock = t.connect(topology.encap(t, f"h1:{tcp(origin.port)}", "host.com:443", "--post", "--header", "X-Token: a b"))
    assert sock.recv(5, socket.MSG_WAITALL) == b"hello"
    sock.sendall(b"abc")
    sock.shutdown(socket.SHUT_WR)
    assert client.read_to_end(sock) == (b"", "end")
    origin.wait_ends(1)
    assert seen["head"].split(b"\r\n")[0] == b"POST / HTTP/1.1", seen
    for field in (b"host: host.com:443", b"transfer-encoding: chunked", b"x-token: a b"):
        assert field in seen["head"].split(b"\r\n"), seen
    assert seen["body"] == b"3\r\nabc\r\n0\r\n\r\n", seen


# --- at the decapsulating end ---
def test_decap_reads_strictly(t):
    origin = t.server(echo)
    port = decap(t, origin.port)
    host = f"Host: {tcp(origin.port)}\r\n".encode()
    post = b"POST / HTTP/1.1\r\n" + host + b"Transfer-Encoding: chunked\r\n"
    sock = t.connect(port)  # bytes right behind the head belong to the tunnel
    sock.sendall(post + b"\r\n3\r\nabc\r\n0\r\n\r\n")
    answer = client.read_response(sock)
    assert (answer.status, answer.body, answer.field("connection")) == (200, b"abc", "close"), answer
    sock = t.connect(port)
    sock.sendall(post + b"Expect: 100-continue\r\n\r\n")
    assert sock.recv(25, socket.MSG_WAITALL).startswith(b"HTTP/1.1 100 Continue\r\n\r\n")
    cases = {
        400: [b"POST / HTTP/1.1\r\n" + host + b"Content-Length: 3\r\n\r\nabc", b"POST / HTTP/1.1\r\n" + host + b"\r\n",
              post.replace(host, b"Host: a:99999\r\n") + b"\r\n", post + b"Content-Length: 3\r\n\r\n"],
        405: [b"GET / HTTP/1.1\r\n" + host + b"\r\n", b"PUT / HTTP/1.1\r\n" + host + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
        403: [post.replace(host, b"Host: 127.0.0.1\r\n") + b"\r\n"],
    }
    for status, requests in cases.items():
        for raw in requests:
            answer = client.request(t.connect(port), raw)
            assert answer.status == status, (raw, answer)
            assert status != 405 or answer.field("allow") == "CONNECT, POST", answer
    assert t.tunnel(port, tcp(origin.port))  # CONNECT still works


def test_post_needs_its_option(t):
    origin = t.server(echo)
    answer = client.get(topology.decap(t, origin.port), host=tcp(origin.port), method="POST", body=b"x")
    assert answer.status == 405 and answer.field("allow") == "CONNECT", answer


# --- Envoy ---
@needs(peers.envoy_there)
def test_envoy_terminates_our_h2_post(t):
    origin = t.server(echo)
    check_bytes_both_ways(t, topology.encap(t, f"h2c:{tcp(envoy_decap(t, origin.port))}", tcp(origin.port), "--post"))


@needs(peers.envoy_there)
def test_envoy_terminates_our_get_in_post(t):
    body = b"y" * (10 << 20)
    origin = t.http_origin(body=body)
    proxy = envoy_decap(t, origin.port)
    for version in VERSIONS:
        check_get(topology.encap(t, f"{version}:{tcp(proxy)}", tcp(origin.port), "--post", "--http"), body)


@needs(peers.envoy_there)
def test_we_terminate_envoys_h2_post(t):
    origin = t.server(echo)
    check_bytes_both_ways(t, envoy_encap(t, "h2", decap(t, origin.port), origin.port))


@needs(peers.envoy_there)
def test_we_terminate_envoys_h1_post(t):
    body = b"z" * (10 << 20)
    origin = t.http_origin(body=body)
    check_get(envoy_encap(t, "h1", decap(t, origin.port), origin.port), body, fields=["Connection: close"])
