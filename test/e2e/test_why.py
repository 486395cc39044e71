# SPDX-License-Identifier: Apache-2.0
"""The tool says why: silent proxies, slow readers, and what moved in all."""
import os
import pty
import re
import signal
import socket
import subprocess
import threading

from lib import client, wait
from lib.origin import echo
from lib.topology import tcp


def said(tool, pattern, seconds=10):
    """Waits for a line on stderr and returns its match."""
    found = tool.err.first(lambda line: re.search(pattern, line), 0, seconds)
    assert found, f"{tool.name} never said {pattern!r}: {tool.err.lines}"
    return found


def test_a_proxy_that_accepts_and_gives_nothing_back_is_named(t):
    origin = t.server(lambda connection: connection.recv(100))
    proxy = t.port()
    t.tool("tun-decap", "-l", tcp(proxy), "--to", tcp(origin.port))
    entry = t.port()
    tool = t.tool("tun-encap", "-l", tcp(entry), "-x", f"h2c:{tcp(proxy)}", "--target", "db:5432", "--limit", "silence=200")
    with t.connect(entry) as client:
        client.sendall(b"hello?")
        said(tool, rf"db:5432: nothing came back within 200ms through the proxy 127\.0\.0\.1:{proxy}, although it accepted")
        assert tool.counters()["tunnel_silent_tunnels_total"] == 1


def test_a_connection_that_grew_too_old_is_named_and_reset(t):
    entry = t.port()
    tool = t.tool("tcp-chain", "--max-lifetime", "300ms", "--drain", "300ms", "-l", tcp(entry), "-t", "echo:")
    with t.connect(entry) as client:
        client.sendall(b"still here")
        assert client.recv(100) == b"still here"
        said(tool, r"127\.0\.0\.1:\d+: as old as --max-lifetime lets it be: it is drained")
        try:
            assert not client.recv(100), "bytes came instead of a reset"
            assert False, "an end came instead of a reset"
        except ConnectionResetError:
            pass
        assert tool.counters()["tunnel_lifetime_ends_total"] == 1


def test_a_silent_tunnel_of_ssh_is_a_warning(t):
    """With -l - the log is limited to warnings, and nobody else tells ssh's user why nothing happens."""
    proxy = t.server(answers(b"HTTP/1.1 200 OK\r\n\r\n"))
    session = t.session("tun-encap", "-l", "-", "-x", f"h1:{tcp(proxy.port)}", "--target", "a:22", "--post", "--limit", "silence=100", "--drain", "0")
    session.send(b"SSH-2.0-client\r\n")
    told = said(session, r" warning .*a:22: nothing came back within 100ms through the proxy .*; try h2c: instead of h1:(.*)")
    assert told[1] == "", "POST is what it asked with"
    session.signal(signal.SIGTERM)
    assert session.wait_exit() == 0, session.report()


def answers(raw):
    """A proxy that answers whatever it is asked with `raw`, and nothing after it."""
    def serve(connection):
        connection.recv(65536)
        connection.sendall(raw)
        client.read_to_end(connection)
    return serve


def test_a_refused_tunnel_names_cause_and_remedy(t):
    """What a new user meets, each as the one line that is all ssh shows of it."""
    def refused(*words, proxy, target="git.example:22", options=()):
        session = t.session("tun-encap", "-l", "-", "-x", proxy, "--target", target, *options)
        assert session.read_to_end() == b""
        for word in words:
            said(session, re.escape(word))
        session.finish()
        assert session.wait_exit() != 0

    def answering(line, *fields):
        return "h1:" + tcp(t.server(answers("\r\n".join((f"HTTP/1.1 {line}", *fields, "Content-Length: 0", "", "")).encode())).port)

    wrong = os.path.join(t.tmp, "wrong")
    with open(wrong, "w", encoding="ascii") as file:
        file.write("Basic d3Jvbmc=\n")
    nobody = t.port()
    refused(f"no way to the proxy: connect to {tcp(nobody)}: Connection refused", proxy=f"h1:{tcp(nobody)}")
    refused("no way to the proxy: cannot resolve no-such-proxy.invalid", proxy="h1:no-such-proxy.invalid:3128")
    silent = t.server(client.read_to_end)
    refused(f"the proxy {tcp(silent.port)} is connected but did not answer in time (--connect-timeout); is it a proxy for HTTP/1.1?",
            proxy=f"h1:{tcp(silent.port)}", options=("--connect-timeout", "50ms"))
    refused("answered 407 to CONNECT git.example:22: it wants Basic credentials; give them with --header 'Proxy-Authorization: @FILE', "
            "FILE holding Basic and base64 of USER:PASSWORD", proxy=answering("407 Who", 'Proxy-Authenticate: Basic realm="x"'))
    refused("it wants Negotiate credentials, made anew for each request; put a proxy that makes them in between",
            proxy=answering("407 Who", "Proxy-Authenticate: Negotiate"))
    refused("it wants Basic credentials; give them with --header 'Proxy-Authorization: @FILE'",
            proxy=answering("407 Who", "Proxy-Authenticate: Negotiate", 'Proxy-Authenticate: basic realm="x"'))
    refused("it does not accept the credentials of --header Proxy-Authorization", proxy=answering("407 Who", "Proxy-Authenticate: Basic"),
            options=("--header", f"Proxy-Authorization: @{wrong}"))
    refused("it seems to take no tunnels by POST; a tun-decap needs --post, too", proxy=answering("405 No"), options=("--post",))
    refused("answered 405 to CONNECT git.example:22: it seems to take no CONNECT; if it takes tunnels by POST, try --post", proxy=answering("405 No"))
    refused("answered 403 to CONNECT git.example:22: it allows no tunnel to this target, or not from here; ask who runs it", proxy=answering("403 No"))
    refused("answered 504 to CONNECT git.example:22: it could not connect to the target", proxy=answering("504 Late"))
    refused("answered 502 to CONNECT git.example:22: it has no route to the target",
            proxy=answering("502 No", "Proxy-Status: px; error=destination_ip_unroutable; details=x"))
    refused("(if it speaks HTTP/1.1, use h1:)", proxy=answering("400 No").replace("h1:", "h2c:"))
    # tun-decap says in Proxy-Status what we turn into words again.
    decap, target = t.port(), t.port()
    t.tool("tun-decap", "-l", tcp(decap), "--allow", tcp(target), "--allow", "no-such-name.invalid:22")
    for version in ("h1", "h2c"):
        proxy = f"{version}:{tcp(decap)}"
        refused("answered 403 to CONNECT git.example:22: its rules do not allow this target (--allow of tun-decap)", proxy=proxy)
        refused(f"answered 502 to CONNECT {tcp(target)}: the target refuses connections; is its port right, and does it run?", proxy=proxy, target=tcp(target))
        refused("answered 502 to CONNECT no-such-name.invalid:22: it cannot resolve the target's name", proxy=proxy, target="no-such-name.invalid:22")


def test_a_slow_target_is_named_at_the_end(t):
    """It takes nothing for a time that is most of the tunnel's life, measured by the client, not by a pause of ours."""
    go_on = threading.Event()

    def serve(connection):
        go_on.wait(20)
        while connection.recv(1 << 20):
            pass
    origin = t.server(serve)
    entry = t.port()
    tool = t.tool("tcp-chain", "-l", tcp(entry), "-t", tcp(origin.port))
    with t.connect(entry, seconds=30) as client:
        client.setblocking(False)
        piece, refused = bytes(1 << 20), 0

        def full():
            """Nothing was taken at twenty looks in a row: every buffer on the way is full."""
            nonlocal refused
            try:
                client.send(piece)
                refused = 0
            except BlockingIOError:
                refused += 1
            return refused == 20
        wait.until(full, 10, "the sockets never filled up")
        wait.over(3, lambda: None)  # the stall itself is what is measured
        go_on.set()
        client.setblocking(True)
        client.shutdown(socket.SHUT_WR)
        origin.wait_ends(1, seconds=20)
    found = said(tool, r"flow control stalled this connection (\d\.\d) s of (\d+\.\d) s: the target reads slowly")
    assert 1.0 <= float(found[1]) <= float(found[2]), found[0]


def test_stats_sum_up_at_the_end(t):
    origin = t.server(echo)
    entry = t.port()
    tool = t.run(f"tcp-chain -l {tcp(entry)} -t internal:a", f"tcp-chain -l internal:a -t {tcp(origin.port)}", options=("--stats",))
    with t.connect(entry) as client:
        client.sendall(b"x" * 2048)
        client.shutdown(socket.SHUT_WR)
        while client.recv(4096):
            pass
    tool.stop()
    # The hop behind the entry moved the same bytes: they count once.
    said(tool, r"1 connection in \d:\d\d:\d\d, 0 failed: 2\.0 KiB up, 2\.0 KiB down, ")
    assert not any("\x1b" in line for line in tool.err.lines), "no terminal, no meter"


def test_stats_rewrite_a_line_of_a_terminal(t):
    entry = t.port()
    terminal, stderr = pty.openpty()
    command = [os.path.join(t.bin, "tcp-chain"), "--stats", "-l", tcp(entry), "-t", "echo:"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=stderr) as process:
        os.close(stderr)
        shown = bytearray()

        def read():
            while True:
                try:
                    shown.extend(os.read(terminal, 4096))
                except OSError:
                    return
        reader = threading.Thread(target=read)
        reader.start()
        wait.until(lambda: b"0 open" in shown, 10, "no meter was shown")
        with t.connect(entry):
            wait.until(lambda: b"1 open" in shown, 10, lambda: f"the meter did not follow: {bytes(shown)}")
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        reader.join(10)
        os.close(terminal)
    # Log lines take the meter's place instead of being appended to it.
    for line in shown.decode().splitlines():
        visible = re.split(r"\r|\x1b\[K", line)[-1] or line
        assert not re.search(r"in all.*\d{4}-\d\d-\d\dT", visible), line
    assert re.search(rb"\r\x1b\[K1 connection in 0:00:\d\d, 0 failed", shown), bytes(shown)
