# SPDX-License-Identifier: Apache-2.0
"""Peers that mean harm: floods, bombs, slow heads, forbidden targets, poisoned log fields, too many clients for the descriptors.

After each attack the counter of its limit has moved, the memory has not, another client is served, and (as after every test) all
gauges are back at 0. Frames are made by hand in lib/h2frames.py.
"""
import fcntl
import json
import os
import signal
import socket
import subprocess
import threading
import time

from lib import client, h2frames as h2, network, wait
from lib.case import Skip, alone, limit
from lib.origin import echo
from lib.topology import tcp

F = h2.frame
MIB = 1 << 20


def sanitized(tool):
    """Whether a sanitizer is at work: it keeps freed memory, and it cannot look at memory without a spare descriptor."""
    with open(f"/proc/{tool.pid}/exe", "rb") as file:
        program = file.read()
    return b"__asan_init" in program or b"__tsan_init" in program


class Victim:
    """tun-decap with an echo origin behind it, and what is measured of it."""

    def __init__(self, t, *options):
        self.t, self.origin, self.port = t, t.server(echo), t.port()
        self.tool = t.tool("tun-decap", "--workers", "1", "-l", tcp(self.port), "--allow", tcp(self.origin.port), *options)
        self.connect = h2.connect_block(tcp(self.origin.port))
        self.peer().sock.close()  # what the first connection allocates belongs to no attack
        self.sanitized = sanitized(self.tool)

    def peer(self, receive_buffer=None, **options):
        sock = socket.socket()
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.settimeout(10 * wait.SCALE)
        sock.connect(("127.0.0.1", self.port))
        self.t.sockets_.append(sock)
        return h2.open_peer(sock, **options)

    def rss(self):
        with open(f"/proc/{self.tool.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * 4096

    def rises(self, counter, before):
        """Until `counter` is above what it was."""
        return wait.until(lambda: self.tool.counters()[counter] - before[counter], 5, lambda: f"{counter} counts\n{self.tool.report()}")

    def grew_less_than(self, bytes_, before):
        grown = self.rss() - before
        assert self.sanitized or grown < bytes_, f"resident memory grew by {grown >> 10} KiB"  # a sanitizer keeps what was freed

    def still_serves(self):
        peer = self.peer()
        peer.send(h2.headers(1, self.connect))
        assert peer.status(1) == 200
        peer.send(F(h2.DATA, 0, 1, b"ping"))
        assert peer.until(h2.DATA, 1) == b"ping"
        peer.send(F(h2.DATA, h2.END_STREAM, 1))
        self.t.tunnel(self.port, tcp(self.origin.port)).close()


def flood(victim, opening, make, most=100 * MIB):
    """Sends the frames make(0), make(1), ... without reading, until cut; returns the bytes that were taken."""
    peer, sent, number = victim.peer(receive_buffer=4096), 0, 0
    try:
        peer.send(opening)
        while sent < most:
            piece = b"".join(make(number + i) for i in range(1000))
            peer.send(piece)
            sent, number = sent + len(piece), number + 1000
    except h2.Closed:
        pass
    peer.sock.close()
    return sent


# --- floods (RFC 9113 section 10.5, CVE-2019-9511 to 9518, CVE-2023-44487, CVE-2024-28182, CVE-2025-8671) ---
def test_control_frame_floods(t):
    """Each kind of frame, up to 100 MiB, from a peer that never reads: cut, counted, no memory."""
    victim = Victim(t)
    opening = h2.headers(1, victim.connect)
    for name, start, make, counter in (
            ("PING", b"", lambda _: F(h2.PING, 0, 0, b"12345678"), "tunnel_h2_floods_total"),
            ("SETTINGS", b"", lambda _: F(h2.SETTINGS), "tunnel_h2_floods_total"),
            ("PRIORITY", b"", lambda _: F(h2.PRIORITY, 0, 1, b"\0\0\0\0\x10"), "tunnel_h2_floods_total"),
            ("PRIORITY of idle streams", b"", lambda i: F(h2.PRIORITY, 0, 2 * i + 1, b"\0\0\0\0\x10"), "tunnel_h2_floods_total"),
            ("WINDOW_UPDATE", b"", lambda _: h2.window_update(0, 1), "tunnel_h2_floods_total"),
            ("WINDOW_UPDATE of a stream", opening, lambda _: h2.window_update(1, 1), "tunnel_h2_floods_total"),
            ("empty DATA", opening, lambda _: F(h2.DATA, 0, 1), "tunnel_framing_floods_total"),
            ("empty HEADERS", b"", lambda i: F(h2.HEADERS, h2.END_HEADERS, 2 * i + 1), "tunnel_framing_floods_total"),
            ("empty CONTINUATION", F(h2.HEADERS, 0, 1, victim.connect), lambda _: F(h2.CONTINUATION, 0, 1), "tunnel_framing_floods_total"),
            ("CONTINUATION", F(h2.HEADERS, 0, 1, victim.connect), lambda _: F(h2.CONTINUATION, 0, 1, h2.block(("a", "b"))),
             "tunnel_h2_continuations_total"),
            ("requests", b"", lambda i: h2.headers(2 * i + 1, h2.get_block(), True), "tunnel_h2_floods_total"),
            ("tunnels", b"", lambda i: h2.headers(2 * i + 1, victim.connect), "tunnel_h2_floods_total")):
        before, memory = victim.tool.counters(), victim.rss()
        sent = flood(victim, start, make)
        assert sent < 100 * MIB, f"{name}: {sent >> 20} MiB were taken"
        assert victim.rises(counter, before) == 1, name
        victim.grew_less_than(8 * MIB, memory)
        victim.still_serves()


def test_a_reader_learns_why_it_was_cut(t):
    victim = Victim(t)
    for count, make, counter in ((200, lambda _: F(h2.PRIORITY, 0, 1, b"\0\0\0\0\x10"), "tunnel_h2_floods_total"),
                                 (210, lambda i: h2.headers(2 * i + 1, victim.connect) + h2.rst(2 * i + 1), "tunnel_h2_rapid_resets_total")):
        before = victim.tool.counters()
        peer = victim.peer()
        peer.send(b"".join(map(make, range(count))))
        assert peer.goaway_code() == h2.CALM, counter
        assert victim.rises(counter, before) == 1


@alone
def test_rapid_reset(t):
    """20,000 streams opened and reset: cut, no more upstream sockets than streams, and another client hardly notices."""
    victim = Victim(t)
    other = victim.peer()
    other.send(h2.headers(1, victim.connect))
    assert other.status(1) == 200

    def round_trips(count):
        times = []
        for _ in range(count):
            start = time.monotonic()
            other.send(F(h2.DATA, 0, 1, b"ping"))
            while other.until(h2.DATA, 1) == b"":
                pass
            other.send(h2.window_update(1, 4) + h2.window_update(0, 4))
            times.append(time.monotonic() - start)
        return sorted(times)[-1 - count // 100]

    round_trips(50)
    quiet, before, memory, fds = round_trips(300), victim.tool.counters(), victim.rss(), victim.tool.descriptors()
    most_fds, stop = [fds], threading.Event()

    def attack():
        while not stop.is_set():
            flood(victim, b"", lambda i: h2.headers(2 * i + 1, victim.connect) + h2.rst(2 * i + 1), 20000 * 50)
            most_fds.append(victim.tool.descriptors())
    attacker = threading.Thread(target=attack)
    attacker.start()
    attacked = round_trips(1000)
    stop.set()
    attacker.join()
    assert victim.rises("tunnel_h2_rapid_resets_total", before) >= 1
    assert attacked < max(2 * quiet, 0.05), f"99 of 100 round trips: {quiet * 1000:.1f} ms quiet, {attacked * 1000:.1f} ms attacked"
    assert max(most_fds) <= fds + 100, most_fds
    victim.grew_less_than(16 * MIB, memory)
    victim.still_serves()


def test_resets_the_peer_provokes(t):
    """MadeYouReset: frames we must answer with RST_STREAM, 101 times."""
    victim = Victim(t)
    for name, make in (("window overflow", lambda i: h2.headers(i, victim.connect) + h2.window_update(i, 0x7FFFFFFF)),
                       ("trailers", lambda i: h2.headers(i, victim.connect) + h2.headers(i, h2.block(("a", "b")), True)),
                       ("no authority", lambda i: h2.headers(i, h2.block((":method", "CONNECT")))),
                       ("more than the window", lambda i: h2.headers(i, victim.connect) + F(h2.DATA, 0, i, b"x" * 16384) * 5)):
        before = victim.tool.counters()
        peer = victim.peer()
        ends = []
        while len(ends) < 150 and (not ends or ends[-1][0] == "rst"):
            stream = 2 * len(ends) + 1
            peer.send(make(stream))
            ends.append(next(end for end in iter(lambda peer=peer, stream=stream: peer.status(stream), None) if isinstance(end, tuple)))
        assert ends[-1] == ("goaway", h2.CALM) and len(ends) in (101, 102), f"{name}: {len(ends)} streams, {ends[-1]}"
        assert victim.rises("tunnel_h2_own_resets_total", before) == 1, name
        victim.still_serves()


def test_header_bombs(t):
    """Small on the wire, large when decoded: 431 or a reset, and another request on the same connection still works."""
    victim = Victim(t)
    large = b"\x40" + h2.text("x") + h2.text("v" * 4000)  # enters the dynamic table: one byte then stands for 4,033
    repeated = lambda name, value, count: h2.block(*[(name, value)] * count)  # noqa: E731
    memory = victim.rss()
    for name, more in (("a 4 KiB entry 16,000 times", large + b"\xbe" * 16000), ("a static entry 30,000 times", b"\x90" * 30000),
                       ("cookie crumbs", repeated("cookie", "a", 5000)), ("host 1,000 times", repeated("host", "a:1", 1000)),
                       ("101 fields", repeated("a", "b", 99)), ("17 KiB in one field", h2.block(("a", "b" * 17000)))):
        before = victim.tool.counters()
        raw, peer = victim.connect + more, victim.peer()
        pieces = [raw[at:at + 16000] for at in range(0, len(raw), 16000)]
        for number, piece in enumerate(pieces):
            last = h2.END_HEADERS if number == len(pieces) - 1 else 0
            peer.send(F(h2.CONTINUATION if number else h2.HEADERS, last, 1, piece))
        status = peer.status(1)
        assert status in (431, ("rst", h2.PROTOCOL_ERROR)), f"{name}: {status}"
        assert status != 431 or victim.rises("tunnel_head_too_large_total", before) == 1, name
        peer.send(h2.headers(3, victim.connect))
        assert peer.status(3) == 200, f"{name}: the connection does not work any more"
        victim.grew_less_than(16 * MIB, memory)
    assert client.get(victim.port, fields=["a: b"] * 100).status == 431
    assert client.get(victim.port, fields=["a: " + "b" * 17000]).status == 431
    victim.still_serves()


def test_a_fatal_frame_and_more_behind_it(t):
    """CVE-2026-27135: whatever follows a frame that ends the connection, in the same segment."""
    victim = Victim(t)
    opening = h2.headers(1, victim.connect)
    for first in (F(h2.DATA, 0, 1, b"x" * 16385), F(h2.HEADERS, h2.END_HEADERS, 3, b"\xff" * 7), F(h2.SETTINGS, 0, 0, b"\0\2\0\0\0\5"),
                  F(h2.PING, 0, 0, b"123"), F(h2.GOAWAY, 0, 0, b"\0" * 8), F(h2.CONTINUATION, 4, 1), F(h2.HEADERS, 12, 3, b"\xff" + victim.connect)):
        for second in (F(h2.HEADERS, 0x2D, 3, b"\xff\xff"), F(h2.PING, 0, 0, b"123"), opening, F(h2.DATA, 9, 1, b"\xff"), b"\xff" * 200):
            peer = victim.peer()
            peer.send(opening + first + second)
            assert peer.goaway_code() != h2.NO_ERROR
    victim.still_serves()


def test_cut_while_answers_wait_for_window(t):
    """Answers nobody owns any more wait for a window; it opens in the segment that ends the connection."""
    victim = Victim(t)
    for fatal in (b"", h2.window_update(0, 0), F(h2.PING, 0, 0, b"123"), F(h2.PRIORITY, 0, 1, b"\0\0\0\0\x10") * 10000):
        peer = victim.peer(settings=b"\0\1\0\0\0\0\0\4\0\0\0\0")  # no dynamic table, windows of 0
        streams = range(1, 101, 2)
        peer.send(b"".join(h2.headers(stream, h2.get_block(), True) for stream in streams))
        for stream in streams:
            assert peer.status(stream) == 405
        peer.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)  # with the FIN, if that is what ends it
        peer.sock.sendall(F(h2.SETTINGS, 0, 0, b"\0\4\0\0\xff\xff") + fatal)
        peer.sock.shutdown(socket.SHUT_WR)
        assert peer.goaway_code() != h2.NO_ERROR
    victim.still_serves()


def test_an_early_answer_to_a_full_window(t):
    """The answer comes while 64 KiB of the request lie unread: the stream ends at once, not when a timer runs out."""
    victim = Victim(t)
    peer = victim.peer()
    body = b"".join(F(h2.DATA, 0, 1, b"x" * 16383) for _ in range(4))
    post = h2.block((":method", "POST"), (":scheme", "http"), (":path", "/"), (":authority", "a"))
    start = time.monotonic()
    peer.send(h2.headers(1, post) + body)
    assert peer.status(1) == 405
    peer.send(F(h2.DATA, 0, 1, b"x" * 4))  # what is left of the window
    assert peer.until(h2.WINDOW_UPDATE, 1)
    peer.send(F(h2.DATA, 0, 1, b"x" * 16384))
    assert peer.reset_code(1) == h2.NO_ERROR
    assert time.monotonic() - start < 0.5 * wait.SCALE
    victim.still_serves()


# --- slow and many clients ---
@alone
@limit(90)
def test_slowloris(t):
    """2,000 clients with a byte of a head now and then: a good client is served at once, the bad ones are gone in head-time + 1 s."""
    origin, port = t.server(echo), t.port()
    tool = t.tool("tun-decap", "--workers", "1", "-l", tcp(port), "--allow", tcp(origin.port), "--limit", "head-time=3000")
    fds = tool.descriptors()
    slow = [t.connect(port) for _ in range(2000)]
    start = time.monotonic()
    head = b"CONNECT 127.0.0.1:1 HTTP/1.1\r\nX-Slow: " + b"a" * 100
    for number in range(3):  # a byte at a time does not start the clock again
        for at, sock in enumerate(slow):
            sock.send((h2.PREFACE if at % 2 else head)[number:number + 1])
    waits = []
    for _ in range(5):
        asked = time.monotonic()
        t.tunnel(port, tcp(origin.port)).close()
        waits.append(time.monotonic() - asked)
    assert sorted(waits)[2] < 0.1 * wait.SCALE, waits
    for sock in slow:
        data, end = client.read_to_end(sock)
        assert data == b"" or data.startswith(b"HTTP/1.1 408 "), data
        assert end == "end"
    gone = time.monotonic() - start
    assert gone < 3 + 1 + 2 * wait.SCALE, f"{gone:.1f} s"
    assert tool.counters()["tunnel_head_timeouts_total"] == 2000
    wait.until(lambda: tool.descriptors() <= fds + 1, 3, lambda: f"{fds} descriptors again, now {tool.descriptors()}")


@alone
@limit(90)
def test_more_clients_than_descriptors(t):
    """64 descriptors, 200 clients that ask for tunnels: 503 or waiting, no spinning, and service within 1 s of their leaving."""
    origin, port = t.server(echo), t.port()
    tool = t.tool("tun-decap", "--workers", "1", "-l", tcp(port), "--allow", tcp(origin.port), prefix=["prlimit", "--nofile=64:64"])
    if sanitized(tool):
        raise Skip("a sanitizer needs descriptors of its own", needed=False)
    request = f"CONNECT {tcp(origin.port)} HTTP/1.1\r\nHost: {tcp(origin.port)}\r\n\r\n".encode()
    socks = [t.connect(port) for _ in range(200)]
    for sock in socks:
        sock.send(request)
    assert tool.err.first(lambda line: "descriptor" in line.lower(), 0, 5), tool.report()
    cpu, lines = tool.cpu_seconds(), len(tool.err.lines)
    seconds = wait.over(3, lambda: None)
    used = tool.cpu_seconds() - cpu
    assert used < 0.05 * seconds, f"{used / seconds:.0%} of a core while out of descriptors\n{tool.report()}"
    said = [line for line in tool.err.lines[lines:] if "out of descriptors" in line]
    assert len(said) <= seconds + 1, f"{len(said)} lines in {seconds:.1f} s\n{tool.report()}"
    assert tool.counters()["tunnel_fd_exhausted_total"] > 0
    for sock in socks:
        sock.close()
    late = t.connect(port, seconds=1.5)
    assert client.open_tunnel(late, tcp(origin.port)).status == 200
    late.sendall(b"ping")
    assert late.recv(4) == b"ping"


# --- forbidden targets ---
SPELLINGS = ("169.254.169.254", "[fd00:ec2::254]", "127.1", "2130706433", "0x7f.1", "0177.0.0.1", "[::1]", "[::ffff:127.0.0.1]",
             "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "0.0.0.0", "[fe80::1%lo]", "LOCALHOST.", "127.0.0.1")


def test_spellings_of_loopback_and_metadata(t):
    """A glob covers none of them, over both versions; nothing is connected to (the kernel's count of connects says so)."""
    origin, port = t.server(echo), t.port()
    tool = t.tool("tun-decap", "-l", tcp(port), "--allow", f"*:{origin.port}", "--allow", f"*:{port}", "--access-log", "-", "--log-format", "json")
    opened = syns()
    for target in (origin.port, port):  # the port of the program itself is the fourteenth form of SSRF
        for spelling in SPELLINGS:
            authority = f"{spelling}:{target}"
            with client.connect(port) as sock:
                answer = client.request(sock, f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode())
            assert answer.status == 403 or (answer.status == 400 and "%" in spelling), f"{authority}: {answer}"
            peer = h2.open_peer(t.connect(port))
            peer.send(h2.headers(1, h2.connect_block(authority)))
            status = peer.status(1)
            assert status == 403 or "%" in spelling and status in (400, ("rst", h2.PROTOCOL_ERROR)), f"{authority} over h2: {status}"
    ours = 4 * len(SPELLINGS)
    if t.own_network:
        assert syns() - opened == ours, "a connection was tried"
    assert not origin.connections
    denied = tool.counters()["tunnel_denied_total"]
    assert denied >= ours - 4, denied


def syns():
    """Connections this network has tried to open so far."""
    with open("/proc/self/net/snmp", encoding="ascii") as file:
        rows = [line.split() for line in file if line.startswith("Tcp:")]
    return int(rows[1][rows[0].index("ActiveOpens")])


@limit(30)
def test_a_line_that_leads_back_to_itself(t):
    """Over TCP, where no count of hops goes along: refused before it starts."""
    port, other = t.port(), t.port()
    for words in (["tcp-chain", "-l", port, "-t", tcp(port)], ["tcp-chain", "-l", f"127.0.0.1:{port}", "-t", f"localhost:{port}"],
                  ["tun-encap", "-l", port, "-x", f"h2c:{tcp(port)}", "--target", "a:1"],
                  ["tun-run", "-e", f"tun-encap -l {port} -x h1:{tcp(other)} --target a:1", "-e", f"tun-decap -l {other} --to {tcp(port)}"]):
        command = [f"{t.bin}/{words[0]}", *map(str, words[1:]), "--check"]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=10 * wait.SCALE, check=False)
        assert done.returncode == 78 and b"circle" in done.stderr, (words, done)


# --- what ends up in logs ---
def test_nobody_reads_the_logs(t):
    """Both outputs are pipes that are full: requests are served on, records are lost and counted, and SIGTERM still ends it."""
    for index, signals in enumerate(((signal.SIGTERM,), (signal.SIGTERM, signal.SIGTERM), (signal.SIGUSR2, signal.SIGTERM))):
        port = t.port()
        reading, writing = os.pipe()
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
        command = [f"{t.bin}/tcp-chain", "-v", "-v", "--workers", "1", "-l", tcp(port), "-t", "respond:200:ok", "--access-log", "-"]
        process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "--", *command], stdin=subprocess.DEVNULL, stdout=writing, stderr=writing)
        wait.until(lambda port=port: network.listening(port), 10, "it listens")
        for _ in range(100):
            assert client.get(port).status == 200
        for number in signals:
            process.send_signal(number)
            wait.until(lambda port=port: number != signal.SIGTERM or not network.listening(port), 5, "the listener is closed")
        assert process.wait(6 * wait.SCALE) == 0, index
        os.close(reading)
        os.close(writing)


POISON = ("\n", "\r\n", "\r", "\x1b[31m", "\x00", "\u202e", "\u2028", "\x85", "\x7f", '"}\n{"status":200}', "\\n", "%0d%0a", "'", '"', "\t", "x" * 3000)


def test_log_injection(t):
    """Whatever an authority, a path, a method or a field carries: one record an event, printable, a field of at most 512 bytes or so."""
    for style in ("text", "json", "logfmt"):
        port = t.port()
        tool = t.tool("tun-decap", "-v", "-l", tcp(port), "--allow", "*:443", "--access-log", "-", "--log-format", style)
        other = t.port()
        web = t.tool("tcp-chain", "-v", "-l", tcp(other), "-t", "respond:200:ok", "--access-log", "-", "--log-format", style)
        asked = 0
        for poison in POISON:
            bad = poison.encode()
            for raw in (b"CONNECT a" + bad + b":443 HTTP/1.1\r\nHost: a\r\n\r\n", b"C" + bad + b" a:443 HTTP/1.1\r\nHost: a\r\n\r\n",
                        b"CONNECT a:4 HTTP/1.1\r\nHost: a:4\r\nX: " + bad + b"\r\n\r\n"):
                with client.connect(port) as sock:
                    sock.sendall(raw)
                    sock.shutdown(socket.SHUT_WR)
                    client.read_to_end(sock)
                asked += 1
            peer = h2.open_peer(t.connect(port))
            peer.send(h2.headers(1, h2.connect_block(b"a" + bad + b":443")))
            peer.status(1)
            with client.connect(other) as sock:
                sock.sendall(b"GET /" + bad + b" HTTP/1.1\r\nHost: a\r\nUser-Agent: " + bad + b"\r\nConnection: close\r\n\r\n")
                sock.shutdown(socket.SHUT_WR)
                client.read_to_end(sock)
            peer = h2.open_peer(t.connect(other))
            peer.send(h2.headers(1, h2.get_block(b"/" + bad), True))
            peer.status(1)
        for sock in t.sockets_:
            sock.close()
        for one in (tool, web):
            one.stop()
            check_lines(one.out.all(), style)
            check_lines([line for line in one.err.all() if not line.startswith('{"counters"')], style)
            assert len(one.out.all()) == one.final["counters"]["tunnel_requests_total"], one.report()
        assert tool.final["counters"]["tunnel_requests_total"] >= asked


def check_lines(lines, style):
    for line in lines:
        assert line.isascii() and line.isprintable(), repr(line)
        assert len(line) < 2500, repr(line)
        assert "x5cx" not in line, f"escaped twice: {line}"
        if style == "json":
            assert isinstance(json.loads(line), dict), line
