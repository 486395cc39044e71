# SPDX-License-Identifier: Apache-2.0
"""The scripts of test_envoy_differential.py: what a client and an origin do with each sample."""
from . import client, h2frames
from .differential import exactly, rest_of
from .origin import fields_of, read_head, reset
from .tunnel_ends import CONNECT_H2, answer_h2, ask, head_of, see_answer, see_answer_h2, told


def named(name, script):
    script.__name__ = name
    return script


# --- every way a tunnel that stands can end, by whatever it is made of ---
def closes(opener):
    def both_ways(scene, see):
        near, far = opener(scene)
        near.send(b"ping")
        see("origin", far.exactly(4))
        far.send(b"pong")
        see("client", near.exactly(4))

    def the_origin_speaks_first(scene, see):
        near, far = opener(scene)
        far.send(b"banner")
        see("client", near.exactly(6))

    def the_client_ends_first(scene, see):
        near, far = opener(scene)
        near.send(b"up")
        near.end()
        see("origin", far.rest())
        far.send(b"down")
        far.end()
        see("client", near.rest())

    def the_origin_ends_first(scene, see):
        near, far = opener(scene)
        far.send(b"down")
        far.end()
        see("client", near.rest())
        near.send(b"up")
        near.end()
        see("origin", far.rest())

    def the_client_resets(scene, see):
        near, far = opener(scene)
        near.send(b"up")
        far.exactly(2)
        near.reset()
        see("origin", far.rest())

    def the_origin_resets(scene, see):
        near, far = opener(scene)
        far.send(b"down")
        near.exactly(4)
        far.reset()
        see("client", near.rest())

    def the_client_closes(scene, see):
        near, far = opener(scene)
        near.send(b"up")
        far.exactly(2)
        near.close()
        see("origin", far.rest())

    def the_origin_closes(scene, see):
        near, far = opener(scene)
        far.send(b"down")
        near.exactly(4)
        far.close()
        see("client", near.rest())
    return [(script, True) for script in (both_ways, the_origin_speaks_first, the_client_ends_first, the_origin_ends_first,
                                          the_client_resets, the_origin_resets, the_client_closes, the_origin_closes)]


def nobody_listens(scene, see):
    try:
        sock = scene.dial()
    except ConnectionResetError:  # so soon that connect() is told
        see("client", "b'', reset")
        return
    see("client", rest_of(sock))


def down(script=nobody_listens):
    return [(script, False)]


# --- a tunnel asked of a proxy: encapsulate_in_* ---
def asked_over_h1(scene, see):
    """What the proxy is asked; nothing of the client's before it has agreed."""
    near = scene.dial()
    near.sendall(b"early")
    far = scene.accept()
    head = read_head(far.makefile("rb", buffering=0))
    see("request", head.split(b"\r\n")[0])
    see.fields("request", fields_of(head))
    see("before the answer", rest_of(far))
    far.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    see("after it", exactly(far, 5))


def asked_over_h2(scene, see):
    near = scene.dial()
    near.sendall(b"early")
    peer = scene.accept_h2()
    stream, fields, ended = peer.request()
    see.fields("request", fields)
    see("request ends", ended)
    see("before the answer", told(peer, stream))
    answer_h2(peer, stream, 200)
    see("after it", peer.data(stream, 5))


def answered_over_h1(name, raw):
    """The proxy answers with `raw` and some bytes behind it."""
    def script(scene, see):
        near = scene.dial()
        far = scene.accept()
        read_head(far.makefile("rb", buffering=0))
        far.sendall(raw + b"hello")
        see("client", exactly(near, 5))
        see("then", rest_of(near))
    return named(name, script), True


def over_before_an_answer(how):
    def script(scene, see):
        near = scene.dial()
        far = scene.accept()
        read_head(far.makefile("rb", buffering=0))
        if how == "ends":
            far.close()
        else:
            reset(far)
        see("client", rest_of(near))
    return named(f"the_proxy_{how}_before_an_answer", script), True


ANSWERS_H1 = [answered_over_h1(name, raw) for name, raw in {
    "answered_200_with_a_length": b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n",
    "answered_200_in_chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    "answered_202": b"HTTP/1.1 202 Accepted\r\n\r\n",
    "answered_204": b"HTTP/1.1 204 No Content\r\n\r\n",
    "answered_299": b"HTTP/1.1 299 Odd\r\n\r\n",
    "answered_100_then_200": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    "answered_200_in_http_1_0": b"HTTP/1.0 200 OK\r\n\r\n",
    "answered_101": b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    "answered_302": b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n",
    "answered_403": b"HTTP/1.1 403 Forbidden\r\nContent-Length: 5\r\n\r\n",
    "answered_503": b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 5\r\n\r\n",
    "answered_with_garbage": b"no HTTP at all\r\n\r\n"}.items()]


def answered_over_h2(status, end):
    def script(scene, see):
        near = scene.dial()
        peer = scene.accept_h2()
        stream, _, _ = peer.request()
        answer_h2(peer, stream, status, end=end)
        if not end:
            peer.send(h2frames.frame(h2frames.DATA, 0, stream, b"hello"))
        see("client", exactly(near, 5))
        see("then", rest_of(near))
        see("proxy", told(peer, stream))
    return named(f"answered_{status}" + ("_and_ended" if end else ""), script), True


def reset_before_an_answer(scene, see):
    near = scene.dial()
    peer = scene.accept_h2()
    stream, _, _ = peer.request()
    peer.send(h2frames.rst(stream, h2frames.REFUSED_STREAM))
    see("client", rest_of(near))


def trailers_end_it(scene, see):
    near = scene.dial()
    peer = scene.accept_h2()
    stream, _, _ = peer.request()
    answer_h2(peer, stream, 200)
    peer.send(h2frames.headers(stream, h2frames.block(("x-trailer", "y")), end=True))
    see("client", rest_of(near))


def goaway_then_the_next(scene, see):
    """After a GOAWAY the tunnel that stands goes on, and the next one takes another connection."""
    near = scene.dial()
    peer = scene.accept_h2()
    stream, _, _ = peer.request()
    answer_h2(peer, stream, 200)
    peer.send(h2frames.frame(h2frames.GOAWAY, 0, 0, stream.to_bytes(4, "big") + bytes(4)))
    near.sendall(b"more")
    see("the one that stands", peer.data(stream, 4))
    scene.dial()
    other = scene.accept_h2()
    see("the next is stream", other.request()[0])


ANSWERS_H2 = [answered_over_h2(status, end) for status, end in ((200, True), (202, False), (204, True), (299, False), (302, True),
                                                                (403, True), (503, True))]


# --- a tunnel that ends here: terminate_* ---
def request_h1(name, raw):
    """A request as it stands, and all of its answer."""
    def script(scene, see):
        near = scene.dial()
        near.sendall(raw)
        see_answer(see, "answer", near, raw.split(b" ")[0].decode("latin-1"))
    return named(name, script), True


def connected_h1(scene, see):
    """The head of a 200, and bytes that came with the CONNECT."""
    near = scene.dial()
    near.sendall(b"CONNECT host.com:443 HTTP/1.1\r\nHost: other\r\n\r\nearly")
    far = scene.accept()
    answer = client.read_head_exactly(near)
    see("answer", answer)
    see("origin", exactly(far, 5))


def connected_without_a_host(scene, see):
    near = scene.dial()
    near.sendall(b"CONNECT host.com:443 HTTP/1.1\r\n\r\n")
    see("answer", client.read_head_exactly(near).status)


def nobody_listens_h1(scene, see):
    near = scene.dial()
    near.sendall(b"CONNECT host.com:443 HTTP/1.1\r\nHost: host.com:443\r\n\r\n")
    see_answer(see, "answer", near)


REQUESTS_H1 = [request_h1(name, raw) for name, raw in {
    "a_get": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "connect_with_a_path": b"CONNECT /x HTTP/1.1\r\nHost: a\r\n\r\n",
    "connect_with_a_length": b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nContent-Length: 3\r\n\r\nabc",
    "connect_in_chunks": b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "connect_in_http_1_0": b"CONNECT a:1 HTTP/1.0\r\nHost: a:1\r\n\r\n",
    "an_unknown_method": b"BREW / HTTP/1.1\r\nHost: a\r\n\r\n",
    "no_request_at_all": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "a_websocket": b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
}.items()]


def request_h2(name, fields, end=False):
    def script(scene, see):
        peer = scene.dial_h2()
        ask(peer, *fields, end=end)
        see_answer_h2(see, "answer", peer)
    return named(name, script), True


def connected_h2(fields):
    def script(scene, see):
        peer = scene.dial_h2()
        ask(peer, *fields)
        peer.send(h2frames.frame(h2frames.DATA, 0, 1, b"early"))
        far = scene.accept()
        see("answer", head_of(peer, 1))
        see("origin", exactly(far, 5))
    return named("connected", script), True


def ended_with_its_head(scene, see):
    """END_STREAM on the CONNECT itself."""
    peer = scene.dial_h2()
    ask(peer, *CONNECT_H2, end=True)
    far = scene.accept()
    see("status", head_of(peer, 1).status)
    see("origin", rest_of(far))
    far.sendall(b"down")
    far.close()
    see("client", told(peer, 1))


def trailers_of_the_client(scene, see):
    peer = scene.dial_h2()
    ask(peer, *CONNECT_H2)
    far = scene.accept()
    head_of(peer, 1)
    peer.send(h2frames.headers(1, h2frames.block(("x-trailer", "y")), end=True))
    see("origin", rest_of(far))
    see("client", told(peer, 1))


def nobody_listens_h2(fields):
    def script(scene, see):
        peer = scene.dial_h2()
        ask(peer, *fields)
        see_answer_h2(see, "answer", peer)
    return named("nobody_listens", script)


REQUESTS_H2 = [request_h2(*row) for row in (
    ("a_get", ((":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "a")), True),
    ("connect_with_path_and_scheme", ((":method", "CONNECT"), (":scheme", "http"), (":path", "/"), (":authority", "a:1"))),
    ("connect_with_a_length", (*CONNECT_H2, ("content-length", "3"))),
    ("connect_with_another_host", (*CONNECT_H2, ("host", "other"))),
    ("extended_connect", (*CONNECT_H2, (":scheme", "http"), (":path", "/"), (":protocol", "websocket"))))]


# --- a CONNECT passed on: proxy_connect ---
def passed_on_from_h2(scene, see):
    near = scene.dial_h2()
    ask(near, *CONNECT_H2, ("x-own", "1"), ("proxy-authorization", "Basic eA=="), ("user-agent", "u"))
    far = scene.accept_h2()
    stream, fields, ended = far.request()
    see.fields("request", fields)
    see("request ends", ended)
    answer_h2(far, stream, 200, ("x-answer", "2"), ("server", "theirs"))
    see("answer", head_of(near, 1))


def passed_on_from_h1(scene, see):
    near = scene.dial()
    near.sendall(b"CONNECT host.com:443 HTTP/1.1\r\nHost: other\r\nX-Own: 1\r\nProxy-Authorization: Basic eA==\r\n\r\nearly")
    far = scene.accept_h2()
    stream, fields, _ = far.request()
    see.fields("request", fields)
    answer_h2(far, stream, 200, ("x-answer", "2"))
    see("answer", client.read_head_exactly(near))
    see("origin", far.data(stream, 5))


def answer_passed_back(status, fields=(), body=b""):
    def script(scene, see):
        near = scene.dial_h2()
        ask(near, *CONNECT_H2)
        far = scene.accept_h2()
        stream, _, _ = far.request()
        answer_h2(far, stream, status, *fields, end=not body)
        if body:
            far.send(h2frames.frame(h2frames.DATA, h2frames.END_STREAM, stream, body))
        see_answer_h2(see, "answer", near)
    return named(f"answered_{status}", script), True


def reset_by_the_next_proxy(scene, see):
    near = scene.dial_h2()
    ask(near, *CONNECT_H2)
    far = scene.accept_h2()
    stream, _, _ = far.request()
    far.send(h2frames.rst(stream, h2frames.CONNECT_ERROR))
    see_answer_h2(see, "answer", near)


ANSWERS_PASSED_BACK = [answer_passed_back(202), answer_passed_back(302, (("location", "/"),)),
                       answer_passed_back(403, (("content-length", "4"), ("x-why", "z")), b"none"), answer_passed_back(503)]
