# SPDX-License-Identifier: Apache-2.0
"""Scenarios of Envoy's own tests that need more than its samples: each played by Envoy and by us, and both come out the same.

test/SCENARIOS.md has all of them, with the test of each.
"""
from lib import client, h2frames, peers
from lib.case import limit, needs
from lib.differential import ENVOY, OURS, Sample, exactly, play
from lib.origin import fields_of, read_head
from lib.tunnel_ends import CONNECT_H2, ask, head_of, open_encap_h1, told
from lib.envoy_http_scripts import head_inside, tunnelled


def on_both(t, script, name, entry, origin, changes=()):
    """What the script saw at Envoy, which is what it saw at ours."""
    seen = {side: play(t, Sample(t, name, entry, origin, changes), side, [(script, True)]) for side in (ENVOY, OURS)}
    assert seen[OURS] == seen[ENVOY], seen
    return {label: value for (_, label), value in seen[OURS].items()}


@limit(120)
@needs(peers.envoy_there)
def test_any_buffer_of_an_internal_listener_carries_requests(t):
    """10 KiB up and 20 KiB down through buffers of 1 KiB to 8 MiB."""
    def script(scene, see):
        near = scene.dial()
        near.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10240\r\n\r\n" + b"u" * 10240)
        far, _ = tunnelled(scene)
        head, body = head_inside(far)
        body += far.exactly(10240 - len(body))
        see("request", (head.split(b"\r\n")[0], len(body), body.count(b"u")))
        far.send(b"HTTP/1.1 200 OK\r\nContent-Length: 20480\r\n\r\n" + b"d" * 10240)
        far.send(b"d" * 10240)
        answer = client.read_response(near)
        see("answer", (answer.status, len(answer.body), answer.body.count(b"d")))
    internal = '"@type": type.googleapis.com/envoy.extensions.bootstrap.internal_listener.v3.InternalListener'
    for kib in (None, 1, 5, 128, 8192):
        changes = [(internal, f"{internal}\n    buffer_size_kb: {kib}")] if kib else []
        seen = on_both(t, script, "encapsulate_http_in_http2_connect", 10000, 10001, changes)
        assert seen == {"request": "(b'POST / HTTP/1.1', 10240, 10240)", "answer": "(200, 20480, 20480)"}, (kib, seen)


@needs(peers.envoy_there)
def test_a_hundred_streams_of_which_half_are_reset(t):
    """The others go on, each with its own origin."""
    def script(scene, see):
        peer = scene.dial_h2()
        streams = range(1, 201, 2)
        for stream in streams:
            ask(peer, *CONNECT_H2, stream=stream)
        far = [scene.accept() for _ in streams]
        see("statuses", {head_of(peer, stream).status for stream in streams})
        for stream in streams[::2]:
            peer.send(h2frames.rst(stream))
        alive = streams[1::2]
        for stream in alive:
            peer.send(h2frames.frame(h2frames.DATA, h2frames.END_STREAM, stream, b"%03d" % stream))
        got = [connection.makefile("rb").read() for connection in far if not was_reset(connection)]
        see("arrived", sorted(data for data in got if data))

    def was_reset(connection):
        """Ours resets the origin of a stream that was, Envoy ends it: bytes are what counts here."""
        try:
            return not connection.recv(1, 2)  # MSG_PEEK
        except ConnectionResetError:
            return True
    seen = on_both(t, script, "terminate_http2_connect", 10001, 443)
    assert seen == {"statuses": "{200}", "arrived": repr([b"%03d" % stream for stream in range(3, 201, 4)])}, seen


@needs(peers.envoy_there)
def test_a_domain_with_its_port(t):
    def script(scene, see):
        for authority in ("foo.example:80", "FOO.example:80", "foo.example:81", "foo.example", "bar.example:80"):
            near = scene.dial()
            near.sendall(f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode())
            see(authority, client.read_head_exactly(near).status)
    seen = on_both(t, script, "terminate_http1_connect", 10001, 443, [('- "*"', '- "foo.example:80"')])
    assert seen == {"foo.example:80": "200", "FOO.example:80": "200", "foo.example:81": "404", "foo.example": "400",
                    "bar.example:80": "404"}, seen


@needs(peers.envoy_there)
def test_a_tunnel_that_idles_is_reset(t):
    def script(scene, see):
        peer = scene.dial_h2()
        ask(peer, *CONNECT_H2)
        scene.accept()
        see("status", head_of(peer, 1).status)
        see("then", told(peer, 1).split(" ")[0])
    prefix, idle = "stat_prefix: ingress_http", "{idle_timeout: 0.2s}"
    times = f"{prefix}\n          stream_idle_timeout: 0.2s\n          common_http_protocol_options: {idle}"
    seen = on_both(t, script, "terminate_http2_connect", 10001, 443, [(prefix, times)])
    assert seen == {"status": "200", "then": "RST_STREAM"}, seen


@needs(peers.envoy_there)
def test_a_tunnel_over_http1_has_a_connection_of_its_own(t):
    """Whoever ended the one before, its connection is not used again."""
    def script(scene, see):
        ends = []
        for who in ("client", "origin", "nobody"):
            near, far = open_encap_h1(scene)
            near.send(b"ping")
            assert far.exactly(4) == b"ping"
            ends.append(far.sock.getpeername())
            {"client": near.end, "origin": far.end, "nobody": lambda: None}[who]()
            if who != "nobody":
                see(f"ended by {who}", (far if who == "client" else near).rest())
        see("connections", len(set(ends)))
    seen = on_both(t, script, "encapsulate_in_http1_connect", 10000, 10001)
    assert seen == {"ended by client": "b'', end", "ended by origin": "b'', end", "connections": "3"}, seen


@needs(peers.envoy_there)
def test_the_address_the_client_reached_is_told_to_the_proxy(t):
    """headers_to_add with the local address without its port; nothing of the proxy's answer is told to the client."""
    def script(scene, see):
        near = scene.dial()
        far = scene.accept()
        head = read_head(far.makefile("rb", buffering=0))
        see("field", dict(fields_of(head))["original_dst_port"])
        far.sendall(b"HTTP/1.1 200 OK\r\nX-Secret: 1\r\n\r\npayload")
        see("client", exactly(near, 7))
    changes = [("%DOWNSTREAM_LOCAL_PORT%", "%DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT%")]
    seen = on_both(t, script, "encapsulate_in_http1_connect", 10000, 10001, changes)
    assert seen == {"field": "127.0.0.1", "client": "b'payload'"}, seen
