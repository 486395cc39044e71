# SPDX-License-Identifier: Apache-2.0
"""Scripts for the samples with HTTP inside a tunnel: encapsulate_http_in_http2_connect and terminate_http_in_http2_connect."""
from . import client, h2frames
from .differential import rest_of
from .envoy_scripts import named
from .origin import fields_of
from .tunnel_ends import CONNECT_H2, Stream, answer_h2, ask, head_of, see_answer, see_answer_h2, told

GET = b"GET /a?b=c HTTP/1.1\r\nHost: Some.Host:80\r\nUser-Agent: u\r\nX-Own: 1\r\n\r\n"


# --- requests that go into a tunnel ---
def tunnelled(scene):
    """The next tunnel, agreed to."""
    peer = scene.accept_h2()
    stream, fields, _ = peer.request()
    answer_h2(peer, stream, 200)
    return Stream(peer, stream), fields


def head_inside(far):
    """The head of the request in a tunnel, and what came behind it."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += far.exactly(1)
    head, body = data.split(b"\r\n\r\n", 1)
    return head + b"\r\n\r\n", body


def asked_inside(name, raw, body=b""):
    def script(scene, see):
        near = scene.dial()
        near.sendall(raw + body)
        far, fields = tunnelled(scene)
        see.fields("CONNECT", fields)
        head, came = head_inside(far)
        see("request", head.split(b"\r\n")[0])
        see.fields("request", fields_of(head))
        if len(came) < len(body):
            came += far.exactly(len(body) - len(came))
        see("request: body", came)
        method = raw.split(b" ")[0]
        far.send(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX-Y: z\r\nServer: theirs\r\n\r\n" + (b"" if method == b"HEAD" else b"abc"))
        see_answer(see, "answer", near, method.decode())
    return named(name, script), True


def answered_inside(name, raw, ends=False):
    """The origin in the tunnel answers a GET with `raw`."""
    def script(scene, see):
        near = scene.dial()
        near.sendall(GET)
        far, _ = tunnelled(scene)
        head_inside(far)
        far.send(raw, h2frames.END_STREAM if ends else 0)
        near.settimeout(10)
        see("answer", rest_of_answer(near))
    return named(name, script), True


def rest_of_answer(sock):
    """An answer that may be cut: its status, its body, and how it ended."""
    text = rest_of(sock)
    status = text[2:].split(" ")[1] if text.startswith("b'HTTP") else "none"
    body, end = text.rsplit(", ", 1)
    return f"{status}, {body.rsplit(chr(92) + 'r' + chr(92) + 'n' + chr(92) + 'r' + chr(92) + 'n', 1)[-1]!r}, {end}"


def refused_outside(name, refuse):
    """The tunnel itself is refused: what the client of the GET is told."""
    def script(scene, see):
        near = scene.dial()
        near.sendall(GET)
        peer = scene.accept_h2()
        stream, _, _ = peer.request()
        refuse(peer, stream)
        see_answer(see, "answer", near)
    return named(name, script), True


def http_1_0(scene, see):
    near = scene.dial()
    near.sendall(b"GET / HTTP/1.0\r\nHost: a\r\n\r\n")
    if scene.somebody_comes():
        far, _ = tunnelled(scene)
        head_inside(far)
        far.send(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc")
    see_answer(see, "answer", near)


def agreed_with_202(scene, see):
    near = scene.dial()
    near.sendall(GET)
    peer = scene.accept_h2()
    stream, _, _ = peer.request()
    answer_h2(peer, stream, 202)
    far = Stream(peer, stream)
    see("in the tunnel", "a request" if "GET " in (text := far.rest()) else text)
    far.send(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc")
    see_answer(see, "answer", near)


def nobody_listens_http(scene, see):
    near = scene.dial()
    near.sendall(GET)
    see_answer(see, "answer", near)


def refused_here(name, raw):
    def script(scene, see):
        near = scene.dial()
        near.sendall(raw)
        see_answer(see, "answer", near, raw.split(b" ")[0].decode("latin-1"))
    return named(name, script), True


def kept_alive(scene, see):
    """Two requests on one connection take one tunnel."""
    near = scene.dial()
    near.sendall(GET)
    far, _ = tunnelled(scene)
    head_inside(far)
    far.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na")
    see("first", client.read_response(near).body)
    near.sendall(GET)
    head_inside(far)
    far.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nb")
    see("second", client.read_response(near).body)


def the_client_leaves(scene, see):
    near = scene.dial()
    near.sendall(GET)
    far, _ = tunnelled(scene)
    head_inside(far)
    near.close()
    see("in the tunnel", far.rest())


ENCAPSULATED = [
    asked_inside("a_get", GET),
    asked_inside("a_head", b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"),
    asked_inside("a_post", b"POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n", b"body"),
    asked_inside("hop_by_hop_fields", b"GET / HTTP/1.1\r\nHost: a\r\nConnection: x-hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nTE: trailers\r\n"
                                      b"Proxy-Authorization: Basic eA==\r\n\r\n"),
    answered_inside("answered_with_404", b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno"),
    answered_inside("answered_until_the_end", b"HTTP/1.1 200 OK\r\n\r\nabc", ends=True),
    answered_inside("answered_in_chunks", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
    answered_inside("an_answer_that_is_cut", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", ends=True),
    answered_inside("an_answer_that_is_none", b"no HTTP\r\n\r\n"),
    answered_inside("no_answer", b"", ends=True),
    refused_outside("refused_with_403", lambda peer, stream: answer_h2(peer, stream, 403, end=True)),
    refused_outside("refused_with_503", lambda peer, stream: answer_h2(peer, stream, 503, end=True)),
    refused_outside("refused_by_reset", lambda peer, stream: peer.send(h2frames.rst(stream, h2frames.PROTOCOL_ERROR))),
    refused_outside("the_proxy_closes", lambda peer, stream: peer.sock.close()),
    refused_here("no_host", b"GET / HTTP/1.1\r\n\r\n"),
    refused_here("a_connect", b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n"),
    refused_here("a_websocket", b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"),
    refused_here("no_request_at_all", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
    (http_1_0, True), (agreed_with_202, True), (kept_alive, True), (the_client_leaves, True),
]


# --- requests that come out of a tunnel ---
def whole_inside(scene, see):
    """An answer's head, field by field, in the sample's own words."""
    peer = scene.dial_h2()
    ask(peer, *CONNECT_H2)
    head_of(peer, 1)
    peer.send(h2frames.frame(h2frames.DATA, 0, 1, GET))
    head = b""
    stream = Stream(peer, 1)
    while b"Hello, world!\n" not in head:
        head += stream.exactly(1)
    see("answer", head.split(b"\r\n")[0])
    see.fields("answer", fields_of(head))
    see("body", head.split(b"\r\n\r\n", 1)[1])


def asked_outside(name, *fields, end=False):
    def script(scene, see):
        peer = scene.dial_h2()
        ask(peer, *fields, end=end)
        see_answer_h2(see, "answer", peer)
    return named(name, script), True


def statuses(name, raw, ended=False):
    """Status by status what the bytes in a tunnel are answered, and how the tunnel ends."""
    def script(scene, see):
        peer = scene.dial_h2()
        ask(peer, *CONNECT_H2)
        head_of(peer, 1)
        peer.send(h2frames.frame(h2frames.DATA, h2frames.END_STREAM if ended else 0, 1, raw))
        text = told(peer, 1)
        found = [piece[:3] for piece in text.split("HTTP/1.1 ")[1:]]
        see("statuses", " ".join(found) or "none")
        see("bodies", text.count("Hello, world!"))
        see("then", text.split(", ")[-1] if text else "nothing")
    return named(name, script), True


TERMINATED = [
    (whole_inside, True),
    statuses("a_get", GET), statuses("a_head", b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"),
    statuses("a_post", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody"),
    statuses("two_at_once", GET + GET), statuses("a_get_and_the_end", GET, ended=True),
    statuses("close_asked_for", b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
    statuses("http_1_0", b"GET / HTTP/1.0\r\nHost: a\r\n\r\n"),
    statuses("no_host", b"GET / HTTP/1.1\r\n\r\n"),
    statuses("no_request_at_all", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
    statuses("the_end_at_once", b"", ended=True),
    statuses("a_connect", b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n"),
    asked_outside("a_get_outside", (":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "a"), end=True),
]
