# SPDX-License-Identifier: Apache-2.0
"""Origin servers: a thread a connection, everything recorded, every socket closed at the end of the test."""
import errno
import hashlib
import random
import socket
import struct
import threading

from . import wait

PIECE = 1 << 20
STEP = 4096  # a piece carries its running number this often, so that no two places of a transfer are alike


class Server:
    """Listens on 127.0.0.1:`port`, or at the path of a unix socket, and gives every connection to handler(connection) in a thread of its own.

    When the handler returns, the connection is closed. What it raises is kept in `errors`, resets by the peer excepted: a test that
    cares about those looks at `ends` (an entry a connection: "closed" or the name of the exception).
    """

    def __init__(self, port, handler, backlog=1024):
        self.port, self.handler_ = port, handler
        self.connections, self.errors, self.ends, self.closing_ = [], [], [], False
        self.tcp_ = not isinstance(port, str)
        self.sock_ = socket.socket(socket.AF_INET if self.tcp_ else socket.AF_UNIX)
        self.sock_.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock_.bind(("127.0.0.1", port) if self.tcp_ else port)
        self.sock_.listen(backlog)
        self.threads_ = [threading.Thread(target=self.accept_, daemon=True)]
        self.threads_[0].start()

    def accept_(self):
        while True:
            try:
                connection, _ = self.sock_.accept()
            except OSError:
                return
            if self.tcp_:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections.append(connection)
            thread = threading.Thread(target=self.serve_, args=(connection,), daemon=True)
            self.threads_.append(thread)
            thread.start()

    def serve_(self, connection):
        end = "closed"
        try:
            self.handler_(connection)
        except (ConnectionError, TimeoutError) as error:
            end = type(error).__name__
        except OSError as error:
            end = type(error).__name__
            if error.errno == errno.ENOTCONN:  # shutdown() after the peer's reset
                end = "ConnectionResetError"
            elif not self.closing_ and connection.fileno() >= 0:
                self.errors.append(error)
        except Exception as error:  # shown by the test's teardown
            end = type(error).__name__
            self.errors.append(error)
        finally:
            self.ends.append(end)
            connection.close()

    def wait_ends(self, count, seconds=10):
        """Until `count` connections have been served to their end."""
        wait.until(lambda: len(self.ends) >= count, seconds, lambda: f"{count} connections ended at the origin, now {len(self.ends)}")

    def close(self):
        self.closing_ = True
        for sock in (self.sock_, *self.connections):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.sock_.close()
        for thread in self.threads_:
            thread.join(5)


def echo(connection):
    """Sends back what arrives; at the end of it finishes its own side."""
    buffer = bytearray(65536)
    while count := connection.recv_into(buffer):
        connection.sendall(memoryview(buffer)[:count])
    connection.shutdown(socket.SHUT_WR)


def reset(connection):
    """Makes the close of `connection` a RST."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def send_bulk(connection, size, seed):
    """Sends `size` bytes that depend on `seed` and returns their SHA-256."""
    piece, digest, number = bytearray(random.Random(seed).randbytes(PIECE)), hashlib.sha256(), 0
    while size:
        for offset in range(0, PIECE, STEP):
            struct.pack_into("<Q", piece, offset, number * PIECE + offset)
        part = memoryview(piece)[:min(size, PIECE)]
        connection.sendall(part)
        digest.update(part)
        size, number = size - len(part), number + 1
    return digest.hexdigest()


def receive_bulk(connection, size=None):
    """Reads to the end (or `size` bytes) and returns (bytes, SHA-256)."""
    buffer, digest, count = bytearray(PIECE), hashlib.sha256(), 0
    view = memoryview(buffer)
    while size is None or count < size:
        got = connection.recv_into(view[:PIECE if size is None else min(PIECE, size - count)])
        if got == 0:
            break
        digest.update(view[:got])
        count += got
    return count, digest.hexdigest()


class HttpOrigin(Server):
    """HTTP/1.1 with keep-alive. `requests` holds the raw bytes of every request as they arrived.

    respond(method, path, head, body) gives the raw bytes of the response, or None for the plain one: 200, Content-Length and
    `body` ("hi" and a newline). A response with "Connection: close" ends the connection, and so does a request of HTTP/1.0.
    """

    def __init__(self, port, body=b"hi\n", respond=None):
        self.requests, self.body_, self.respond_ = [], body, respond
        super().__init__(port, self.serve_http_)

    def serve_http_(self, connection):
        stream = connection.makefile("rb")
        while head := read_head(stream):
            body = read_body(stream, head)
            self.requests.append(head + body)
            method, path = head.split(b" ", 2)[:2]
            raw = self.respond_(method.decode(), path.decode(), head, body) if self.respond_ else None
            if raw is None:
                raw = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(self.body_) + (b"" if method == b"HEAD" else self.body_)
            connection.sendall(raw)
            if b"\r\nconnection: close\r\n" in raw[:4096].lower() or b" HTTP/1.0\r\n" in head:
                connection.shutdown(socket.SHUT_WR)
                return


def read_head(stream):
    """A message head with its empty line; empty at the end of the stream."""
    lines = []
    while line := stream.readline():
        lines.append(line)
        if line == b"\r\n":
            return b"".join(lines)
    assert not lines, f"the stream ended inside a head: {lines}"
    return b""


def fields_of(head):
    """The header fields of a raw head, as a list of (lower-case name, value)."""
    lines = head.decode("latin-1").split("\r\n\r\n")[0].split("\r\n")[1:]
    return [(name.strip().lower(), value.strip()) for name, value in (line.split(":", 1) for line in lines)]


def read_body(stream, head):
    """The raw body of a request: Content-Length or chunked, else none."""
    fields = dict(fields_of(head))
    if "chunked" in fields.get("transfer-encoding", ""):
        raw = b""
        while True:
            line = stream.readline()
            size = int(line.split(b";")[0], 16)
            raw += line + stream.read(size + 2) if size else line
            if not size:
                return raw + read_head_or_end(stream)
    return stream.read(int(fields.get("content-length", "0")))


def read_head_or_end(stream):
    """Trailers and the empty line after the last chunk."""
    raw = b""
    while line := stream.readline():
        raw += line
        if line == b"\r\n":
            break
    return raw
