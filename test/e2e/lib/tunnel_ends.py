# SPDX-License-Identifier: Apache-2.0
"""Both ends of what a sample carries, alike whatever is between them: a socket, or a stream of HTTP/2 on one.

`open_KIND(scene)` opens one tunnel and returns (client, origin); each end can send(), read exactly(), end(), close(), reset(), and
tell what else comes with rest().
"""
import socket

from . import client, h2frames, origin
from .differential import QUIET, exactly, rest_of
from .wait import SCALE


class Socket:
    def __init__(self, sock):
        self.sock = sock

    def send(self, data):
        try:
            self.sock.sendall(data)
        except ConnectionError:
            pass  # rest() tells

    def exactly(self, size):
        return exactly(self.sock, size)

    def end(self):
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the other side has reset it: rest() tells

    def close(self):
        self.sock.close()

    def reset(self):
        origin.reset(self.sock)

    def rest(self):
        return rest_of(self.sock)


class Stream:
    def __init__(self, peer, stream):
        self.peer, self.stream = peer, stream

    def send(self, data, flags=0):
        try:
            self.peer.send(h2frames.frame(h2frames.DATA, flags, self.stream, data))
        except h2frames.Closed:
            pass  # rest() tells

    def exactly(self, size):
        return self.peer.data(self.stream, size)

    def end(self):
        self.send(b"", h2frames.END_STREAM)

    def close(self):
        self.peer.sock.close()

    def reset(self):
        self.peer.send(h2frames.rst(self.stream))

    def rest(self):
        return told(self.peer, self.stream)


def told(peer, stream):
    """rest() of a stream in one line, in the words of rest_of() where they mean the same."""
    peer.sock.settimeout(QUIET * SCALE)
    text = ", ".join(peer.rest(stream))
    peer.sock.settimeout(20 * SCALE)
    return text


# --- HTTP/2 in words ---
def ask(peer, *fields, end=False, stream=1):
    peer.send(h2frames.headers(stream, h2frames.block(*fields), end=end))


def answer_h2(peer, stream, status, *fields, end=False):
    peer.send(h2frames.headers(stream, h2frames.block((":status", str(status)), *fields), end=end))


def head_of(peer, stream):
    """The next header block of a stream as a Response, or what came in its place."""
    while stream not in peer.heads_seen:
        try:
            kind, _, on, payload = peer.next()
        except h2frames.Closed as closed:
            return f"connection {closed.how}"
        if kind == h2frames.RST_STREAM and on == stream:
            return f"RST_STREAM {int.from_bytes(payload[:4], 'big')}"
        if kind == h2frames.GOAWAY:
            return f"GOAWAY {int.from_bytes(payload[4:8], 'big')}"
    fields = dict(peer.heads_seen[stream][0])
    return client.Response(int(fields.pop(":status")), list(fields.items()))


def see_answer_h2(see, label, peer, stream=1):
    """The whole of an answer: its head, and what comes behind it."""
    head = head_of(peer, stream)
    see(label, head)
    if isinstance(head, client.Response):
        see(f"{label}: then", told(peer, stream))


# --- HTTP/1.1 in words ---
def see_answer(see, label, sock, method="GET"):
    """A whole answer by its length, or all that comes instead; and what becomes of the connection."""
    try:
        head = client.read_head_exactly(sock)
    except (AssertionError, ConnectionError):
        see(label, "no answer")
        return
    length = 0 if method == "HEAD" or method == "CONNECT" and head.status < 300 else int(head.field("content-length") or 0)
    head.body = exactly(sock, length)
    see(label, head)
    see(f"{label}: then", rest_of(sock))


# --- tunnels of each kind ---
CONNECT_H2 = ((":method", "CONNECT"), (":authority", "host.com:443"))
POST_H2 = ((":method", "POST"), (":scheme", "http"), (":path", "/"), (":authority", "host.com:443"))


def open_chain(scene):
    near = Socket(scene.dial())
    return near, Socket(scene.accept())


def open_encap_h1(scene):
    near = Socket(scene.dial())
    far = scene.accept()
    origin.read_head(far.makefile("rb", buffering=0))
    far.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    return near, Socket(far)


def open_encap_h2(scene):
    near = Socket(scene.dial())
    peer = scene.accept_h2()
    stream, _, _ = peer.request()
    answer_h2(peer, stream, 200)
    return near, Stream(peer, stream)


def open_terminate_h1(scene):
    near = scene.dial()
    answer = client.open_tunnel(near, "host.com:443")
    assert answer.status == 200, answer
    return Socket(near), Socket(scene.accept())


def open_terminate_h2(scene, fields=CONNECT_H2):
    peer = scene.dial_h2()
    ask(peer, *fields)
    far = scene.accept()
    head = head_of(peer, 1)
    assert isinstance(head, client.Response) and head.status == 200, head
    return Stream(peer, 1), Socket(far)


def open_terminate_post(scene):
    return open_terminate_h2(scene, POST_H2)


def open_proxy_h2(scene):
    near = scene.dial_h2()
    ask(near, *CONNECT_H2)
    far = scene.accept_h2()
    stream, _, _ = far.request()
    answer_h2(far, stream, 200)
    head = head_of(near, 1)
    assert isinstance(head, client.Response) and head.status == 200, head
    return Stream(near, 1), Stream(far, stream)


def open_proxy_h1(scene):
    near = scene.dial()
    near.sendall(b"CONNECT host.com:443 HTTP/1.1\r\nHost: host.com:443\r\n\r\n")
    far = scene.accept_h2()
    stream, _, _ = far.request()
    answer_h2(far, stream, 200)
    assert client.read_head_exactly(near).status == 200
    return Socket(near), Stream(far, stream)
