# SPDX-License-Identifier: Apache-2.0
"""Clients by hand: raw sockets, HTTP/1.1 requests, CONNECT."""
import errno
import http.client
import socket
from dataclasses import dataclass

from . import wait
from .origin import fields_of


@dataclass
class Response:
    status: int
    fields: list  # (lower-case name, value)
    body: bytes = b""

    def field(self, name):
        """All values of a field, joined; empty if it is not there."""
        return ", ".join(value for key, value in self.fields if key == name)


class ResetAlready(socket.socket):
    """A connection that was accepted and reset before connect() had returned: whoever uses it is told of that now."""

    def told(self, *_):
        raise ConnectionResetError(errno.ECONNRESET, "reset before connect() returned")

    recv = recv_into = send = sendall = told

    def shutdown(self, how):
        raise OSError(errno.ENOTCONN, f"shutdown({how}) after a reset")


def connect(port, host="127.0.0.1", seconds=20):
    """To a TCP port or, if `port` is a text, to the path of a unix socket. A reset is told by what is done next."""
    if isinstance(port, str):
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(seconds * wait.SCALE)
        sock.connect("\0" + port[1:] if port.startswith("@") else port)
        return sock
    try:
        sock = socket.create_connection((host, port), timeout=seconds * wait.SCALE)
    except ConnectionResetError:
        return ResetAlready()
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def request(sock, raw, method="GET"):
    """Sends a raw request and reads one whole response."""
    sock.sendall(raw)
    return read_response(sock, method)


def read_response(sock, method="GET"):
    response = http.client.HTTPResponse(sock, method=method)
    response.begin()
    body = response.read()
    return Response(response.status, [(key.lower(), value) for key, value in response.getheaders()], body)


def get(port, path="/", host="host.com", fields=(), method="GET", body=b"", seconds=20):
    """One request on a connection of its own, closed afterwards."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", *fields]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    with connect(port, seconds=seconds) as sock:
        return request(sock, "\r\n".join(lines).encode() + b"\r\n\r\n" + body, method)


def open_tunnel(sock, authority, fields=()):
    """CONNECT over HTTP/1.1: reads the head of the answer and not one byte more."""
    lines = [f"CONNECT {authority} HTTP/1.1", f"Host: {authority}", *fields]
    sock.sendall("\r\n".join(lines).encode() + b"\r\n\r\n")
    return read_head_exactly(sock)


def read_head_exactly(sock):
    """The head of a response as a Response without a body; what follows it stays in the socket."""
    head = b""
    while b"\r\n\r\n" not in head:
        seen = sock.recv(65536, socket.MSG_PEEK)
        assert seen, f"the connection ended inside a head: {head!r}"
        whole = head + seen
        end = whole.find(b"\r\n\r\n")
        head += sock.recv(len(seen) if end < 0 else end + 4 - len(head))
    return Response(int(head.split(b" ", 2)[1]), fields_of(head))


def read_to_end(sock):
    """(bytes, how it ended): "end" for a FIN, "reset" for a RST."""
    data = b""
    try:
        while piece := sock.recv(1 << 16):
            data += piece
    except ConnectionResetError:
        return data, "reset"
    return data, "end"
