# SPDX-License-Identifier: Apache-2.0
"""-l -: standard input and output as the connection, whatever they are; how they are left; what the exit status says."""
import fcntl
import os
import pty
import signal
import socket
import subprocess
import termios
import threading

from lib import client, network, topology, wait
from lib.case import both_ways, limit
from lib.client import read_to_end
from lib.origin import echo, receive_bulk, reset, send_bulk
from lib.topology import tcp

BULK = 16 << 20


class Pipe:
    """A descriptor with the calls of a socket that the helpers for bulk use."""

    def __init__(self, descriptor):
        self.descriptor_ = descriptor

    def sendall(self, data):
        view = memoryview(data)
        while view:
            view = view[os.write(self.descriptor_, view):]

    def recv_into(self, buffer):
        return os.readv(self.descriptor_, [buffer])


class Thread(threading.Thread):
    """Runs a function beside the test; result() gives what it returned."""

    def __init__(self, function, *arguments):
        super().__init__(daemon=True)
        self.call_, self.value_ = (function, arguments), None
        self.start()

    def run(self):
        function, arguments = self.call_
        self.value_ = function(*arguments)

    def result(self):
        self.join()
        return self.value_


def said_hello(connection):
    connection.sendall(b"hello")
    echo(connection)


# --- bytes and ends

@both_ways
def test_pipes_both_ways(t):
    """Much in both directions at once, with an internal hop; nothing on standard error."""
    at_origin = {}

    def serve(connection):
        sender = Thread(send_bulk, connection, BULK, "down")
        at_origin["received"] = receive_bulk(connection)
        at_origin["sent"] = sender.result()
    origin = t.server(serve)
    session = t.session("tun-run", "-e", "tcp-chain -l - -t internal:mid", "-e", f"tcp-chain -l internal:mid -t {tcp(origin.port)}")

    def send():
        digest = send_bulk(Pipe(session.to), BULK, "up")
        session.finish()
        return digest
    sender = Thread(send)
    received = receive_bulk(Pipe(session.back))
    sent = sender.result()
    session.expect(0)
    origin.wait_ends(1)
    assert received == (BULK, at_origin["sent"])
    assert at_origin["received"] == (BULK, sent)


def ways(t, target):
    """Command lines over standard input and output that lead to `target`."""
    decap = t.port()
    t.tool("tun-decap", "-l", tcp(decap), "--allow", tcp(target))
    yield ("tcp-chain", "-l", "-", "-t", tcp(target))
    for version in ("h1", "h2c"):
        yield ("tun-encap", "-l", "-", "-x", f"{version}:{tcp(decap)}", "--target", tcp(target))


def test_either_side_may_end_first(t):
    """The end of standard input is passed on and the answer still comes; the other way round the rest of the input still goes."""
    seen = []

    def answers_late(connection):
        seen.append(read_to_end(connection))
        send_bulk(connection, 1 << 20, "late")

    def ends_at_once(connection):
        connection.sendall(b"bye")
        connection.shutdown(socket.SHUT_WR)
        seen.append(read_to_end(connection))
    for serve in (answers_late, ends_at_once):
        origin = t.server(serve)
        for words in ways(t, origin.port):
            session = t.session(*words)
            if serve is answers_late:
                session.send(b"go")
                session.finish()
                assert len(session.read_to_end()) == 1 << 20
            else:
                assert session.read_to_end() == b"bye"
                session.send(b"go")
                session.finish()
            session.expect(0)
            assert seen.pop() == (b"go", "end"), words


def test_files(t):
    """A file in and a file out: from where the caller stands in it, and on to its end."""
    origin = t.server(echo)
    text = os.urandom(3 << 20)
    path = os.path.join(t.tmp, "in")
    with open(path, "wb") as file:
        file.write(b"head" + text)
    with open(path, "rb", buffering=0) as stdin, open(os.path.join(t.tmp, "out"), "w+b", buffering=0) as stdout:
        stdout.write(b"before")
        assert stdin.read(4) == b"head"
        t.session("tcp-chain", "-l", "-", "-t", tcp(origin.port), stdin=stdin, stdout=stdout).expect(0)
        stdout.seek(0)
        assert stdout.read() == b"before" + text


def test_devices_and_closed_descriptors(t):
    origin = t.server(said_hello)
    words = ("tcp-chain", "-l", "-", "-t", tcp(origin.port))
    with open("/dev/null", "rb") as nothing:
        session = t.session(*words, stdin=nothing)
        assert session.read_to_end() == b"hello"
        session.expect(0)
    with open("/dev/full", "wb") as full, open("/dev/null", "rb") as nothing:
        t.session(*words, stdin=nothing, stdout=full).expect(1, "standard output", "No space left")
    for shell, status in (('exec "$@" <&-', 0), ('exec "$@" </dev/null >&-', 1)):
        done = subprocess.run(["sh", "-c", shell, "sh", os.path.join(t.bin, words[0]), *words[1:]], capture_output=True, check=False)
        assert done.returncode == status, (shell, done)
        assert done.stdout == (b"" if status else b"hello"), done


def test_one_socket_both_ways(t):
    """As inetd starts a server: standard input and output are the accepted connection, and a reset of it is one."""
    origin = t.server(echo)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        for closing in ("end", "reset"):
            sock = t.connect(listener.getsockname()[1])
            accepted, _ = listener.accept()
            with accepted:
                session = t.session("tun-decap", "-l", "-", "--allow", tcp(origin.port), stdin=accepted, stdout=accepted)
            answer = client.open_tunnel(sock, tcp(origin.port))
            assert answer.status == 200, answer
            sock.sendall(b"ping")
            assert sock.recv(4) == b"ping"
            if closing == "end":
                sock.shutdown(socket.SHUT_WR)
                assert read_to_end(sock) == (b"", "end")
                session.expect(0)
            else:
                reset(sock)
                session.expect(1, "reset")


def test_two_sockets(t):
    """As Node starts a child: a socket pair for each."""
    origin = t.server(echo)
    ours_in, stdin = socket.socketpair()
    ours_out, stdout = socket.socketpair()
    with stdin, stdout:
        session = t.session("tcp-chain", "-l", "-", "-t", tcp(origin.port), stdin=stdin, stdout=stdout)
    ours_in.sendall(b"ping")
    ours_in.shutdown(socket.SHUT_WR)
    assert read_to_end(ours_out) == (b"ping", "end")
    session.expect(0)
    ours_in.close()
    ours_out.close()


def test_sockets_that_will_not_do(t):
    datagrams, other = socket.socketpair(type=socket.SOCK_DGRAM)
    with datagrams, other:
        t.session("tcp-chain", "-l", "-", "-t", "echo:", stdin=datagrams).expect(1, "datagrams")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        t.session("tcp-chain", "-l", "-", "-t", "echo:", stdin=listener).expect(1, "listening socket")


def test_a_reader_that_has_had_enough(t):
    """| head: no death by SIGPIPE, but a sentence; and no complaint when the caller has gone altogether (as ssh does)."""
    def floods(connection):
        while True:
            connection.sendall(bytes(65536))
    origin = t.server(floods)
    for words in ways(t, origin.port):
        session = t.session(*words)
        assert session.read(10) == bytes(10)
        os.close(session.back)
        session.expect(1, "standard output was closed by its reader")
        session.finish()
        session = t.session(*words)
        assert session.read(10) == bytes(10)
        session.finish()
        os.close(session.back)
        session.expect(0)


def test_http_requests_over_it(t):
    """--http at the entry, and a proxy as a filter: requests in, answers out."""
    origin = t.http_origin()
    request = f"GET / HTTP/1.1\r\nHost: {tcp(origin.port)}\r\n\r\n".encode()
    decap = topology.decap(t, origin.port)
    session = t.session("tun-encap", "--http", "-l", "-", "-x", f"h2c:{tcp(decap)}", "--target", tcp(origin.port))
    session.send(request * 2)
    session.finish()
    assert session.read_to_end().count(b"HTTP/1.1 200 OK") == 2
    session.expect(0)
    session = t.session("tun-decap", "-l", "-", "--to", "respond:200:hi")
    session.send(b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n" + request)
    session.finish()
    answer = session.read_to_end()
    assert answer.count(b"HTTP/1.1 200 OK") == 2 and answer.endswith(b"hi\n"), answer
    session.expect(0)


# --- what is left behind

def flags(descriptor):
    return fcntl.fcntl(descriptor, fcntl.F_GETFL)


def test_a_terminal_is_left_as_it_was(t):
    """Settings and flags of the caller's terminal, however the session ends."""
    ended = threading.Event()

    def serve(connection):
        connection.sendall(b"hello")
        if connection.recv(1) == b"r":
            return reset(connection)
        ended.wait()
    origin = t.server(serve)
    user, terminal = pty.openpty()
    before = termios.tcgetattr(terminal)
    for ending in ("reset", "TERM", "INT", "HUP", "KILL", "refused"):
        port = t.port() if ending == "refused" else origin.port
        session = t.session("tcp-chain", "--drain", "0", "-l", "-", "-t", tcp(port), stdin=terminal, stdout=terminal)
        if ending != "refused":
            assert os.read(user, 5) == b"hello"
            assert not flags(terminal) & os.O_NONBLOCK
            if ending == "reset":
                os.write(user, b"r\n")
            else:
                session.signal(getattr(signal, f"SIG{ending}"))
        status = session.wait_exit()
        assert status == {"reset": 1, "KILL": -signal.SIGKILL, "refused": 69}.get(ending, 0), (ending, session.report())
        assert termios.tcgetattr(terminal) == before, ending
        assert not flags(terminal) & os.O_NONBLOCK, ending
        termios.tcflush(user, termios.TCIOFLUSH)
        termios.tcflush(terminal, termios.TCIOFLUSH)
    ended.set()
    os.close(user)
    os.close(terminal)


def test_a_terminals_lines_and_its_end(t):
    origin = t.server(echo)
    user, terminal = pty.openpty()
    session = t.session("tcp-chain", "-l", "-", "-t", tcp(origin.port), stdin=terminal, stdout=terminal)
    os.write(user, b"a line\n")
    seen = b""
    while seen.count(b"a line") < 2:  # the terminal's echo, and the origin's
        seen += os.read(user, 100)
    os.write(user, b"\x04")
    session.expect(0)
    os.close(user)
    os.close(terminal)


def test_pipes_stay_blocking(t):
    """O_NONBLOCK is never set on what the caller shares with us, not even while we run."""
    origin = t.server(said_hello)
    for number, status in ((None, 0), (signal.SIGTERM, 0), (signal.SIGKILL, -signal.SIGKILL)):
        stdin, to = os.pipe()
        back, stdout = os.pipe()
        session = t.session("tcp-chain", "--drain", "0", "-l", "-", "-t", tcp(origin.port), stdin=stdin, stdout=stdout)
        assert os.read(back, 5) == b"hello"
        assert not (flags(stdin) | flags(stdout)) & os.O_NONBLOCK
        if number is None:
            os.close(to)
        else:
            session.signal(number)
        assert session.wait_exit() == status, session.report()
        assert not (flags(stdin) | flags(stdout)) & os.O_NONBLOCK, number
        for descriptor in (stdin, stdout, back, *([] if number is None else [to])):
            os.close(descriptor)


# --- exit statuses

def answers(raw):
    def serve(connection):
        connection.recv(65536)
        connection.sendall(raw)
        connection.shutdown(socket.SHUT_WR)
        read_to_end(connection)
    return serve


def refusal(t, status, *words, command):
    """The session ends with this status and a sentence, and not a byte on standard output."""
    session = t.session(*command)
    assert session.read_to_end() == b"", session.report()
    session.expect(status, *words)
    session.finish()


def test_status_69_unavailable(t):
    nobody = t.port()
    refusal(t, 69, "Connection refused", command=("tcp-chain", "-l", "-", "-t", tcp(nobody)))
    refusal(t, 69, "cannot resolve", command=("tcp-chain", "-l", "-", "-t", "nowhere.invalid:1"))
    silent = t.server(read_to_end)
    refusal(t, 69, "is connected but did not answer in time (--connect-timeout)",
            command=("tun-encap", "-l", "-", "--connect-timeout", "50ms", "-x", f"h1:{tcp(silent.port)}", "--target", "a:1"))
    decap = topology.decap(t, nobody)
    for version in ("h1", "h2c"):
        refusal(t, 69, "Connection refused", command=("tun-encap", "-l", "-", "-x", f"{version}:{tcp(nobody)}", "--target", "a:1"))
        refusal(t, 69, "answered 502", command=("tun-encap", "-l", "-", "-x", f"{version}:{tcp(decap)}", "--target", tcp(nobody)))
    for code in (b"502", b"503", b"504"):
        proxy = t.server(answers(b"HTTP/1.1 %s No\r\nContent-Length: 0\r\n\r\n" % code))
        refusal(t, 69, f"answered {code.decode()}", command=("tun-encap", "-l", "-", "-x", f"h1:{tcp(proxy.port)}", "--target", "a:1"))


def test_status_75_temporary(t):
    busy = t.server(answers(b"HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"))
    refusal(t, 75, "answered 503", command=("tun-encap", "-l", "-", "-x", f"h1:{tcp(busy.port)}", "--target", "a:1"))
    decap = t.port()
    t.tool("tun-decap", "--max-conns", "1", "-l", tcp(decap), "--to", "discard:")
    client.open_tunnel(t.connect(decap), "a:1")
    for version in ("h1", "h2c"):
        refusal(t, 75, "answered 503", command=("tun-encap", "-l", "-", "-x", f"{version}:{tcp(decap)}", "--target", "a:1"))


def test_status_76_protocol(t):
    nonsense = t.server(answers(b"220 smtp.example ESMTP\r\n"))
    refusal(t, 76, "proxy", command=("tun-encap", "-l", "-", "-x", f"h1:{tcp(nonsense.port)}", "--target", "a:1"))
    web = t.server(answers(b"HTTP/1.1 405 No\r\nAllow: GET\r\nContent-Length: 0\r\n\r\n"))
    refusal(t, 76, "answered 405", command=("tun-encap", "-l", "-", "-x", f"h1:{tcp(web.port)}", "--target", "a:1"))
    session = t.session("tun-decap", "-l", "-", "--to", "echo:")
    session.send(b"CONNECT a:1 HTTP/1.1\nHost: a:1\n\n\r\n")
    assert session.read_to_end().startswith(b"HTTP/1.1 400 ")
    session.finish()
    session.expect(76, "tun-decap-stdio")


def test_status_77_denied(t):
    decap = t.port()
    t.tool("tun-decap", "-l", tcp(decap), "--allow", "a.example:1")
    for version in ("h1", "h2c"):
        refusal(t, 77, "answered 403", command=("tun-encap", "-l", "-", "-x", f"{version}:{tcp(decap)}", "--target", "b.example:1"))
    proxy = t.server(answers(b"HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n"))
    refusal(t, 77, "answered 407 to CONNECT a:1: it wants Basic credentials", command=("tun-encap", "-l", "-", "-x", f"h1:{tcp(proxy.port)}", "--target", "a:1"))
    session = t.session("tun-decap", "-l", "-", "--allow", "a.example:1")
    session.send(b"CONNECT b.example:1 HTTP/1.1\r\nHost: b.example:1\r\n\r\n")
    session.finish()
    assert session.read_to_end().startswith(b"HTTP/1.1 403 ")
    session.expect(77, "no rule allows b.example:1")


def test_status_1_reset(t):
    def hello_and_reset(connection):
        connection.sendall(b"hello")
        connection.recv(1)
        reset(connection)
    origin = t.server(hello_and_reset)
    for words in ways(t, origin.port):
        session = t.session(*words)
        assert session.read(5) == b"hello"
        session.send(b"x")
        assert session.read_to_end() == b""
        session.expect(1, "reset")
        session.finish()


def test_status_1_idle(t):
    origin = t.server(said_hello)
    session = t.session("tcp-chain", "-l", "-", "--idle-timeout", "1s", "-t", tcp(origin.port))
    assert session.read_to_end() == b"hello"
    session.expect(1, "idle for too long")
    session.finish()


# --- the process around it

@both_ways
def test_sigterm_drains(t):
    """The session goes on and ends by itself; or is cut when the time is up."""
    origin = t.server(said_hello)
    words = ("-e", "tcp-chain -l - -t internal:mid", "-e", f"tcp-chain -l internal:mid -t {tcp(origin.port)}")
    session = t.session("tun-run", *words)
    assert session.read(5) == b"hello"
    session.signal(signal.SIGTERM)
    session.send(b"still there")
    assert session.read(11) == b"still there"
    session.finish()
    assert session.read_to_end() == b""
    session.expect(0)
    session = t.session("tun-run", "--drain", "100ms", *words)
    assert session.read(5) == b"hello"
    session.signal(signal.SIGINT)
    session.expect(0, "drain time over")
    session.finish()


def test_a_second_signal_ends_at_once(t):
    origin = t.server(said_hello)
    session = t.session("tcp-chain", "-l", "-", "-t", tcp(origin.port))
    assert session.read(5) == b"hello"
    session.signal(signal.SIGTERM)
    wait.until(lambda: not session.running() or session.signal(signal.SIGTERM), 10, "it ends at the second signal", every=0.1)
    assert session.wait_exit(10) == 0, session.report()
    session.finish()
    origin.wait_ends(1)
    assert origin.ends == ["ConnectionResetError"], origin.ends


def test_the_process_ends_with_the_session(t):
    """Other lines stop accepting then, and what they still have is drained."""
    origin = t.server(echo)
    port = t.port()
    session = t.session("tun-run", "--workers", "2", "-e", f"tcp-chain -l - -t {tcp(origin.port)}",
                        "-e", f"tcp-chain -l {tcp(port)} -t {tcp(origin.port)}", listens=[port])
    session.wait_listening()
    other = t.connect(port)
    other.sendall(b"ping")
    assert other.recv(4) == b"ping"
    session.finish()
    assert session.read_to_end() == b""
    wait.until(lambda: not network.listening(port), 5, "the other line listens no more")
    assert session.running(), session.report()
    other.sendall(b"pong")
    assert other.recv(4) == b"pong"
    other.close()
    session.expect(0)


def test_log_counters_and_access_log(t):
    """Silent but for faults, unless -v; counted like any other connection; standard output is never written to."""
    origin = t.server(said_hello)
    log = os.path.join(t.tmp, "access.log")
    session = t.session("tcp-chain", "-v", "-l", "-", "-t", tcp(origin.port), "--access-log", log)
    assert session.read(5) == b"hello"
    now = session.usr2()
    assert now["gauges"]["tunnel_connections_active"] == 1 and now["counters"]["tunnel_connections_total"] == 1, now
    assert now["gauges"]["tunnel_workers"] == 1, now
    session.finish()
    assert session.read_to_end() == b""
    assert session.wait_exit() == 0
    assert any("serves standard input and output" in line for line in session.err.all()), session.report()
    with open(log, encoding="utf-8") as file:
        lines = file.read().splitlines()
    assert len(lines) == 1 and " tcp-chain-stdio stdio -> " in lines[0] and lines[0].endswith(": ok"), lines
    session = t.session("tcp-chain", "-l", "-", "-t", "echo:", "--access-log", "-")
    assert session.wait_exit() == 78 and "standard output" in session.err.all()[0], session.report()
    session.finish()
