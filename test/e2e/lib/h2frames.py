# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 by hand: frames and header blocks as bytes, so that a test can send what no well-behaved library would."""
import socket
import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, END_HEADERS, ACK = 1, 4, 1
NO_ERROR, PROTOCOL_ERROR, FLOW_CONTROL_ERROR, STREAM_CLOSED, REFUSED_STREAM, CANCEL, CONNECT_ERROR, CALM = 0, 1, 3, 5, 7, 8, 10, 11
STATIC_STATUS = {0x88: 200, 0x89: 204, 0x8A: 206, 0x8B: 304, 0x8C: 400, 0x8D: 404, 0x8E: 500}
HUFFMAN_DIGITS = {"00000": "0", "00001": "1", "00010": "2", "011001": "3", "011010": "4", "011011": "5", "011100": "6", "011101": "7",
                  "011110": "8", "011111": "9"}


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload


def text(value):
    """A string literal without Huffman coding."""
    value = value.encode("latin-1") if isinstance(value, str) else value
    if len(value) < 127:
        return bytes((len(value),)) + value
    rest, length = len(value) - 127, b"\x7f"
    while rest >= 128:
        length += bytes((rest & 127 | 128,))
        rest >>= 7
    return length + bytes((rest,)) + value


def block(*fields):
    """A header block of literals that enter no table."""
    return b"".join(b"\x00" + text(name) + text(value) for name, value in fields)


def connect_block(authority, *more):
    return block((":method", "CONNECT"), (":authority", authority), *more)


def get_block(path="/", authority="a", *more):
    return block((":method", "GET"), (":scheme", "http"), (":path", path), (":authority", authority), *more)


def headers(stream, header_block, end=False):
    return frame(HEADERS, END_HEADERS | (END_STREAM if end else 0), stream, header_block)


def rst(stream, code=CANCEL):
    return frame(RST_STREAM, 0, stream, struct.pack(">I", code))


def window_update(stream, bytes_):
    return frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", bytes_))


def status_of(header_block):
    """:status of the first field of a response, as encoded without a dynamic table."""
    while header_block and header_block[0] & 0xE0 == 0x20:  # table size updates come first
        at = 1
        if header_block[0] & 0x1F == 0x1F:
            while header_block[at] & 0x80:
                at += 1
            at += 1
        header_block = header_block[at:]
    if header_block[0] in STATIC_STATUS:
        return STATIC_STATUS[header_block[0]]
    length, value = header_block[1] & 0x7F, header_block[2:]
    if not header_block[1] & 0x80:
        return int(value[:length])
    bits, digits, code = "".join(f"{byte:08b}" for byte in value[:length]), "", ""
    for bit in bits:
        code += bit
        if code in HUFFMAN_DIGITS:
            digits, code = digits + HUFFMAN_DIGITS[code], ""
    return int(digits)


class Closed(Exception):
    """The peer's end: how = "end" or "reset"."""

    def __init__(self, how):
        super().__init__(how)
        self.how = how


class Peer:
    """One end of an HTTP/2 connection on a socket. Frames are (kind, flags, stream, payload)."""

    def __init__(self, sock, settings=b"\x00\x01\x00\x00\x00\x00", client=True):
        self.sock, self.buffer_, self.seen = sock, b"", []
        self.send((PREFACE if client else b"") + frame(SETTINGS, 0, 0, settings))
        if not client:
            while len(self.buffer_) < len(PREFACE):
                self.more_()
            assert self.buffer_.startswith(PREFACE), self.buffer_
            self.buffer_ = self.buffer_[len(PREFACE):]

    def send(self, raw):
        try:
            self.sock.sendall(raw)
        except (BrokenPipeError, ConnectionResetError):
            raise Closed("reset") from None

    def more_(self):
        try:
            piece = self.sock.recv(1 << 16)
        except ConnectionResetError:
            raise Closed("reset") from None
        if not piece:
            raise Closed("end")
        self.buffer_ += piece

    def next(self):
        """The next frame; SETTINGS and PING are answered here."""
        while len(self.buffer_) < 9 or len(self.buffer_) < 9 + int.from_bytes(self.buffer_[:3], "big"):
            self.more_()
        end = 9 + int.from_bytes(self.buffer_[:3], "big")
        one = (self.buffer_[3], self.buffer_[4], int.from_bytes(self.buffer_[5:9], "big") & 0x7FFFFFFF, self.buffer_[9:end])
        self.buffer_ = self.buffer_[end:]
        if one[0] in (SETTINGS, PING) and not one[1] & ACK:
            self.send(frame(one[0], ACK, 0, one[3] if one[0] == PING else b""))
        self.seen.append(one)
        return one

    def until(self, kind, stream=None):
        """Reads on to the next frame of this kind (on this stream) and returns its payload."""
        while True:
            one = self.next()
            if one[0] == kind and stream in (None, one[2]):
                return one[3]

    def status(self, stream):
        """The status of the response on `stream`, or ("rst", code), or ("goaway", code)."""
        while True:
            kind, _, on, payload = self.next()
            if kind == HEADERS and on == stream:
                return status_of(payload)
            if kind == RST_STREAM and on == stream:
                return "rst", int.from_bytes(payload[:4], "big")
            if kind == GOAWAY and int.from_bytes(payload[4:8], "big"):
                return "goaway", int.from_bytes(payload[4:8], "big")

    def reset_code(self, stream):
        return int.from_bytes(self.until(RST_STREAM, stream)[:4], "big")

    def goaway_code(self):
        """Reads to the GOAWAY that carries an error, or to the end: its code, or "end", "reset"."""
        try:
            while True:
                code = int.from_bytes(self.until(GOAWAY)[4:8], "big")
                if code:
                    return code
        except Closed as closed:
            return closed.how


def open_peer(sock, **options):
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return Peer(sock, **options)
