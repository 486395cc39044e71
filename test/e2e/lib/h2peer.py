# SPDX-License-Identifier: Apache-2.0
"""An HTTP/2 peer that reads header fields too, with nghttp2's decoder, and tells what happened on a stream in words."""
import ctypes
import ctypes.util

from .h2frames import DATA, END_STREAM, GOAWAY, HEADERS, RST_STREAM, Closed, Peer


class Nv(ctypes.Structure):
    _fields_ = [("name", ctypes.POINTER(ctypes.c_uint8)), ("value", ctypes.POINTER(ctypes.c_uint8)), ("name_length", ctypes.c_size_t),
                ("value_length", ctypes.c_size_t), ("flags", ctypes.c_uint8)]


class Inflater:
    """Decodes the header blocks of one direction of one connection, in their order."""
    EMIT, FINAL = 2, 1

    def __init__(self):
        self.library_ = ctypes.CDLL(ctypes.util.find_library("nghttp2") or "libnghttp2.so.14")
        self.library_.nghttp2_hd_inflate_hd2.restype = ctypes.c_ssize_t
        self.library_.nghttp2_hd_inflate_del.argtypes = [ctypes.c_void_p]
        self.inflater_ = ctypes.c_void_p()
        assert self.library_.nghttp2_hd_inflate_new(ctypes.byref(self.inflater_)) == 0

    def fields(self, block):
        """[(name, value)] of a header block."""
        fields, rest = [], bytes(block)
        while True:
            nv, flags = Nv(), ctypes.c_int(0)
            used = self.library_.nghttp2_hd_inflate_hd2(self.inflater_, ctypes.byref(nv), ctypes.byref(flags), rest,
                                                        ctypes.c_size_t(len(rest)), 1)
            assert used >= 0, f"a header block that cannot be decoded: {block!r}"
            rest = rest[used:]
            if flags.value & self.EMIT:
                fields.append((ctypes.string_at(nv.name, nv.name_length).decode("latin-1"),
                               ctypes.string_at(nv.value, nv.value_length).decode("latin-1")))
            if flags.value & self.FINAL:
                self.library_.nghttp2_hd_inflate_end_headers(self.inflater_)
                return fields
            if not flags.value and not rest:
                return fields

    def __del__(self):
        self.library_.nghttp2_hd_inflate_del(self.inflater_)


class H2(Peer):
    """Streams are read one at a time: heads(), then the rest; what comes for other streams is decoded and kept in `heads_seen`."""

    def __init__(self, sock, **options):
        self.inflater_, self.heads_seen = Inflater(), {}
        super().__init__(sock, **options)

    def next(self):
        one = super().next()
        if one[0] == HEADERS:
            payload = one[3][5:] if one[1] & 0x20 else one[3]  # without the priority in front
            self.heads_seen.setdefault(one[2], []).append(self.inflater_.fields(payload))
        return one

    def request(self):
        """(stream, fields, whether it has ended) of the next request, as a server."""
        while True:
            kind, flags, stream, _ = self.next()
            if kind == HEADERS:
                return stream, self.heads_seen[stream][-1], bool(flags & END_STREAM)

    def data(self, stream, size):
        """The next `size` bytes of a stream."""
        got = b""
        while len(got) < size:
            got += self.until(DATA, stream)
        return got

    def rest(self, stream):
        """What else happens on a stream, until it is reset, the connection ends, or (with the socket's timeout) nothing comes."""
        happened, data = [], b""

        def tell(what):
            nonlocal data
            if data:
                happened.append(f"{data!r}")
            data = b""
            happened.append(what)
        ended = False
        try:
            while True:
                kind, flags, on, payload = self.next()
                if kind == GOAWAY and ended:
                    return happened  # the connection has no more use: not this stream's business
                if kind == GOAWAY:
                    tell(f"GOAWAY {int.from_bytes(payload[4:8], 'big')}")
                if on != stream:
                    continue
                if kind == DATA:
                    data += payload
                elif kind == HEADERS:
                    tell(f"fields {self.heads_seen[stream][-1]}")
                elif kind == RST_STREAM:
                    tell(f"RST_STREAM {int.from_bytes(payload[:4], 'big')}")
                    return happened
                if kind in (DATA, HEADERS) and flags & END_STREAM:
                    tell("END_STREAM")
                    ended = True
        except Closed as closed:
            tell(f"connection {closed.how}")
        except TimeoutError:
            if not ended:
                tell("open")
        return happened
