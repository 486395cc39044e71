# SPDX-License-Identifier: Apache-2.0
"""Real peers at the other end, in both directions: Envoy, curl, libcurl, Node, nghttpx, haproxy."""
import os
import random
import socket

from lib import client, peers, topology
from lib.case import both_ways, needs
from lib.origin import echo, receive_bulk, reset, send_bulk
from lib.topology import tcp
from lib.transfer import big_body, check_bytes_both_ways, check_get

TEXT = random.Random(7).randbytes(12 << 10).hex().encode()  # for h2c-connect.js, which prints what it got into one pipe


# --- our tun-encap, Envoy's CONNECT termination ---
def envoy_decap(t, target):
    port = t.port()
    peers.envoy(t, "envoy-tcp-decap.yaml", [port], ports={10001: port, 10000: target})
    return port


@needs(peers.envoy_there)
def test_envoy_terminates_our_h2_connect(t):
    origin = t.server(echo)
    check_bytes_both_ways(t, topology.encap(t, f"h2c:{tcp(envoy_decap(t, origin.port))}", tcp(origin.port)))


@needs(peers.envoy_there)
def test_envoy_terminates_our_h1_connect(t):
    """Only the origin ends here: Envoy closes both directions of a CONNECT over HTTP/1.1 when the client ends its side."""
    body = big_body()
    origin = t.http_origin(body=body)
    entry = topology.encap(t, f"h1:{tcp(envoy_decap(t, origin.port))}", tcp(origin.port))
    check_get(entry, body, fields=["Connection: close"])


@needs(peers.envoy_there)
@both_ways
def test_envoy_terminates_our_get_in_h2_connect(t):
    body = big_body()
    origin = t.http_origin(body=body)
    entry = topology.encap(t, f"h2c:{tcp(envoy_decap(t, origin.port))}", "host.com:443", "--http")
    for _ in range(3):
        check_get(entry, body)


@needs(peers.envoy_there)
@both_ways
def test_envoy_terminates_our_get_in_h1_connect(t):
    body = big_body()
    origin = t.http_origin(body=body)
    check_get(topology.encap(t, f"h1:{tcp(envoy_decap(t, origin.port))}", "host.com:443", "--http"), body)


# --- Envoy's CONNECT, our tun-decap ---
def envoy_encap(t, version, proxy, target):
    port = t.port()
    peers.envoy(t, f"envoy-tcp-encap-{version}.yaml", [port], ports={9999: port, 10001: proxy, 10000: target})
    return port


@needs(peers.envoy_there)
def test_we_terminate_envoys_h2_connect(t):
    origin = t.server(echo)
    check_bytes_both_ways(t, envoy_encap(t, "h2", topology.decap(t, origin.port), origin.port))


@needs(peers.envoy_there)
def test_we_terminate_envoys_h1_connect(t):
    body = big_body()
    origin = t.http_origin(body=body)
    check_get(envoy_encap(t, "h1", topology.decap(t, origin.port), origin.port), body, fields=["Connection: close"])


@needs(peers.envoy_there)
def test_we_terminate_many_envoy_streams_on_one_connection(t):
    origin = t.http_origin()
    entry = envoy_encap(t, "h2", topology.decap(t, origin.port), origin.port)
    for _ in range(100):
        check_get(entry, b"hi\n", fields=["Connection: close"])


# --- CONNECT clients of others, our tun-decap ---
@needs(peers.curl_there)
def test_curl_over_h1(t):
    body = big_body()
    origin = t.http_origin(body=body)
    port = topology.decap(t, origin.port)
    out = os.path.join(t.tmp, "body")
    code = peers.curl("-o", out, "-w", "%{http_connect} %{http_code}", "-p", "-x", f"http://{tcp(port)}", f"http://{tcp(origin.port)}/")
    assert code == b"200 200", code
    with open(out, "rb") as file:
        assert file.read() == body


@needs(peers.curl_there)
def test_curl_uploads_over_h1(t):
    body = big_body()
    origin = t.http_origin()
    port = topology.decap(t, origin.port)
    with open(os.path.join(t.tmp, "upload"), "wb") as file:
        file.write(body)
    peers.curl("-p", "-x", f"http://127.0.0.1:{port}", "--data-binary", f"@{t.tmp}/upload", f"http://127.0.0.1:{origin.port}/")
    assert origin.requests[0].split(b"\r\n\r\n", 1)[1] == body


@needs(peers.node_there)
def test_node_over_clear_h2(t):
    origin = t.http_origin(body=TEXT)
    assert peers.node_get(topology.decap(t, origin.port), tcp(origin.port)).encode() == TEXT


@needs(peers.pycurl_there, peers.nghttpx_there, peers.openssl_there)
def test_libcurl_over_tls_h2_through_nghttpx_to_our_h2(t):
    origin, front = t.http_origin(), t.port()
    peers.nghttpx(t, front, topology.decap(t, origin.port), "h2")
    assert peers.pycurl("h2", front, f"http://{tcp(origin.port)}/") == r"b'hi\n'"


@needs(peers.pycurl_there, peers.nghttpx_there, peers.openssl_there)
def test_libcurl_over_tls_h2_through_nghttpx_to_our_h1(t):
    origin, front = t.http_origin(), t.port()
    peers.nghttpx(t, front, topology.decap(t, origin.port), "http/1.1")
    assert peers.pycurl("h2", front, f"http://{tcp(origin.port)}/") == r"b'hi\n'"


@needs(peers.pycurl_there)
def test_libcurl_over_h1(t):
    origin = t.http_origin()
    assert peers.pycurl("h1", topology.decap(t, origin.port), f"http://{tcp(origin.port)}/") == r"b'hi\n'"


@needs(peers.node_there, peers.nghttpx_there)
def test_node_through_clear_nghttpx_to_our_h2(t):
    origin, front = t.http_origin(body=TEXT), t.port()
    peers.nghttpx(t, front, topology.decap(t, origin.port), "h2", tls=False)
    assert peers.node_get(front, tcp(origin.port)).encode() == TEXT


@needs(peers.node_there, peers.haproxy_there, peers.openssl_there)
def test_node_h2_through_haproxy_to_our_h1(t):
    origin, clear, tls = t.http_origin(body=TEXT), t.port(), t.port()
    peers.haproxy(t, clear, tls, topology.decap(t, origin.port))
    assert peers.node_get(clear, tcp(origin.port)).encode() == TEXT


@needs(peers.pycurl_there, peers.haproxy_there, peers.openssl_there)
def test_libcurl_tls_h2_through_haproxy_to_our_h1(t):
    origin, clear, tls = t.http_origin(), t.port(), t.port()
    peers.haproxy(t, clear, tls, topology.decap(t, origin.port))
    assert peers.pycurl("h2", tls, f"http://{tcp(origin.port)}/") == r"b'hi\n'"


# --- our tun-encap, proxies of others that pass CONNECT on to our tun-decap ---
@needs(peers.nghttpx_there)
def test_our_h2_through_nghttpx_to_our_h2(t):
    body = big_body()
    origin, front = t.http_origin(body=body), t.port()
    peers.nghttpx(t, front, topology.decap(t, origin.port), "h2", tls=False)
    check_get(topology.encap(t, f"h2c:{tcp(front)}", tcp(origin.port), "--http"), body)


@needs(peers.haproxy_there, peers.openssl_there)
def test_our_h2_through_haproxy_to_our_h1(t):
    body = big_body()
    origin, clear, tls = t.http_origin(body=body), t.port(), t.port()
    peers.haproxy(t, clear, tls, topology.decap(t, origin.port))
    check_get(topology.encap(t, f"h2c:{tcp(clear)}", tcp(origin.port), "--http"), body)


# --- half-close and reset as another implementation sees them ---
@needs(peers.node_there)
def test_node_ends_first_then_100_mib(t):
    sent = {}

    def serve(connection):
        assert client.read_to_end(connection) == (b"go", "end")
        sent["digest"] = send_bulk(connection, 100 << 20, "node")
    origin = t.server(serve)
    seen = peers.node_tunnel(topology.decap(t, origin.port), tcp(origin.port), "download")
    assert seen["status"] == 200 and seen["ended"] and seen["code"] in (0, None), seen
    assert (seen["bytes"], seen["sha256"]) == (100 << 20, sent["digest"]), seen


@needs(peers.node_there)
def test_origin_ends_first_then_node_sends_100_mib(t):
    received = {}

    def serve(connection):
        connection.shutdown(socket.SHUT_WR)
        received["all"] = receive_bulk(connection)
    origin = t.server(serve)
    seen = peers.node_tunnel(topology.decap(t, origin.port), tcp(origin.port), "upload", 100 << 20)
    origin.wait_ends(1)
    assert seen["ended"] and received["all"] == (100 << 20, seen["sent"]), (seen, received)


@needs(peers.node_there)
def test_a_reset_of_the_origin_is_connect_error(t):
    def serve(connection):
        connection.recv(2)
        connection.sendall(b"x" * 100000)
        connection.recv(1)  # the client's end: what was sent has been taken, or waits in the tunnel
        reset(connection)
    origin = t.server(serve)
    seen = peers.node_tunnel(topology.decap(t, origin.port), tcp(origin.port), "download")
    assert seen["code"] == 10, seen


@needs(peers.node_there)
def test_a_cancelled_stream_resets_the_origin(t):
    """Node ends its side and resets at once; an origin that goes on sending meets the reset."""
    def serve(connection):
        connection.recv(2)
        connection.sendall(b"x" * 1000)
        while connection.recv(1):
            pass
        while True:
            connection.sendall(b"x" * 1000)
    origin = t.server(serve)
    peers.node_tunnel(topology.decap(t, origin.port), tcp(origin.port), "reset")
    origin.wait_ends(1)
    assert origin.ends[0] in ("ConnectionResetError", "BrokenPipeError"), origin.ends
