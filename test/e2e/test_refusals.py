# SPDX-License-Identifier: Apache-2.0
"""Refusals: what the CONNECT client sees, and what the outer HTTP client behind tun-encap sees (RFC 9209 Proxy-Status)."""
import os
import socket

from lib import client, peers, topology, wait
from lib.case import both_ways, needs
from lib.origin import echo
from lib.topology import tcp


def refused_by(port, authority, raw=None):
    """The answer to a CONNECT that must not open a tunnel, and that the connection ended orderly after it."""
    with client.connect(port) as sock:
        if raw is None:
            raw = f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode()
        answer = client.request(sock, raw, "GET")  # as for a GET: a refusal has a body, a tunnel would have none
        assert client.read_to_end(sock) == (b"", "end")
        return answer


def decap_port(t, *arguments):
    port = t.port()
    t.tool("tun-decap", "-l", tcp(port), *arguments)
    return port


def check(answer, status, *proxy_status):
    assert answer.status == status, answer
    for part in proxy_status:
        assert part in answer.field("proxy-status"), answer


# --- tun-decap itself ---
def test_nobody_listens_at_the_target(t):
    nobody = t.port()
    check(refused_by(decap_port(t, "--allow", tcp(nobody)), tcp(nobody)), 502, "error=connection_refused")


def test_a_target_outside_the_rules(t):
    origin = t.server(echo)
    port = decap_port(t, "--allow", "10.2.0.0/16:443", "--allow", f"db.internal:{origin.port}")
    check(refused_by(port, tcp(origin.port)), 403)
    check(refused_by(port, "db.internal:22"), 403, "error=http_request_denied")
    assert not origin.connections


def test_deny_wins_over_allow(t):
    origin, other = t.server(echo), t.server(echo)
    port = decap_port(t, "--allow", "127.0.0.0/8:1-65535", "--deny", f"127.0.0.1:{origin.port}")
    check(refused_by(port, tcp(origin.port)), 403)
    t.tunnel(port, tcp(other.port))
    assert not origin.connections


def test_a_glob_never_covers_loopback(t):
    """localhost resolves to loopback addresses: the rule lets the name pass, and every address is dropped."""
    origin = t.server(echo)
    port = decap_port(t, "--allow", f"*:{origin.port}")
    check(refused_by(port, f"localhost:{origin.port}"), 403, "error=destination_ip_prohibited")
    for spelling in ("127.0.0.1", "127.1", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "LOCALHOST."):
        assert refused_by(port, f"{spelling}:{origin.port}").status in (400, 403), spelling
    assert not origin.connections


def test_the_literal_name_localhost(t):
    origin = t.server(echo)
    tunnel = t.tunnel(decap_port(t, "--allow", f"localhost:{origin.port}"), f"localhost:{origin.port}")
    tunnel.sendall(b"ping")
    assert tunnel.recv(4) == b"ping"


def test_bad_targets(t):
    origin = t.server(echo)
    port = decap_port(t, "--allow", "127.0.0.0/8:1-65535")
    for target in ("a:", "a:0", "a:65536", "a:99999", "a:+1", "a:080x", "a", "http://a/", "u@a:1", "[::1", "a:1:2"):
        assert refused_by(port, target).status == 400, target
    t.tunnel(port, tcp(origin.port))  # and it still serves


def test_another_method(t):
    answer = refused_by(decap_port(t, "--allow", "127.0.0.0/8:80"), "", b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    check(answer, 405)
    assert answer.field("allow") == "CONNECT"
    assert answer.body == b"Method Not Allowed: only tunnels are opened here; curl asks for one with --proxytunnel\n", answer.body
    assert t.tools[-1].err.first(lambda line: "GET a: answered 405: only tunnels are opened here" in line, 0, 10)


def test_a_tunnel_where_none_is_opened(t):
    port = t.port()
    tool = t.tool("tun-encap", "-l", tcp(port), "-x", "h1:127.0.0.1:1", "--target", "a:1", "--http")
    answer = refused_by(port, "b:1")
    check(answer, 404)
    assert answer.body == b"Not Found: no tunnels are opened here; tun-encap does with --target @authority\n", answer.body
    assert tool.err.first(lambda line: "CONNECT b:1: answered 404: no tunnels" in line, 0, 10)


def test_an_upgrade(t):
    port = t.port()
    t.tool("tcp-chain", "-l", tcp(port), "-t", "respond:200:hello")
    answer = refused_by(port, "", b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade, close\r\nUpgrade: websocket\r\n\r\n")
    check(answer, 501)
    assert answer.body == b"Not Implemented: an Upgrade, as of a WebSocket, is not passed on\n", answer.body


def test_tls_where_none_is_spoken(t):
    port = decap_port(t, "--allow", "127.0.0.0/8:80")
    refused_by(port, "", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
    assert t.tools[-1].err.first(lambda line: "TLS, where HTTP in clear is spoken" in line, 0, 10)


def test_nothing_behind_a_refusal_is_parsed(t):
    port = decap_port(t, "--allow", "10.0.0.1:1")
    with client.connect(port) as sock:
        sock.sendall(b"CONNECT 127.0.0.1:9 HTTP/1.1\r\nHost: 127.0.0.1:9\r\n\r\nGET /x HTTP/1.1\r\nHost: x\r\n\r\n")
        data, end = client.read_to_end(sock)
    assert data.count(b"HTTP/1.1 ") == 1 and data.startswith(b"HTTP/1.1 403 "), data
    assert end == "end"


def test_a_target_that_never_answers(t):
    """A full accept queue: SYNs are dropped."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(0)
        silent_port = silent.getsockname()[1]
        fillers = []
        for _ in range(8):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", silent_port))
            fillers.append(filler)
        port = decap_port(t, "--allow", tcp(silent_port), "--connect-timeout", "1s")
        check(refused_by(port, tcp(silent_port)), 504, "error=connection_timeout")
        for filler in fillers:
            filler.close()


def test_max_conns(t):
    origin = t.server(echo)
    port = decap_port(t, "--allow", tcp(origin.port), "--max-conns", "1")
    first = t.tunnel(port, tcp(origin.port))
    answer = refused_by(port, tcp(origin.port))
    check(answer, 503, "error=connection_limit_reached")
    assert answer.field("retry-after"), answer
    first.sendall(b"ping")
    assert first.recv(4) == b"ping"


def test_mem_limit(t):
    """Clients of a target that reads nothing fill the buffers of a hop; then nobody new comes, until it is gone."""
    path = os.path.join(t.tmp, "stalled.sock")
    with socket.socket(socket.AF_UNIX) as stalled:
        stalled.bind(path)
        stalled.listen(100)
        port, proxy = t.port(), t.port()
        tool = t.tool("tun-run", "--force-pairs", "--workers", "1", "--mem-limit", "1M", "-e", f"tcp-chain -l {tcp(port)} -t internal:hop",
                      "-e", f"tcp-chain -l internal:hop -t unix:{path}", "-e", f"tun-decap -l {tcp(proxy)} --to echo:")
        live = t.tunnel(proxy, "any:1")
        clients = []

        def full():
            return tool.gauges()["tunnel_buffer_bytes"] > 1 << 20
        while not full():
            assert len(clients) < 60, tool.report()
            clients.append(t.connect(port))
            try:
                clients[-1].sendall(bytes(1 << 20))
            except (BrokenPipeError, ConnectionResetError):
                pass  # the memory is used up by now
        refused = tool.counters()["tunnel_mem_refused_total"]
        check(refused_by(proxy, "any:1"), 503, "error=connection_limit_reached")
        with t.connect(port) as late:
            try:
                assert not late.recv(1), "bytes came instead of a reset"
                assert False, "an end came instead of a reset"
            except ConnectionResetError:
                pass
        assert tool.counters()["tunnel_mem_refused_total"] >= refused + 2
        live.sendall(b"still served")
        assert live.recv(100) == b"still served"
        stalled.close()  # resets what was connected to it
        wait.until(lambda: not full(), 10, "the buffers stay full")
        t.tunnel(proxy, "any:1").close()


def test_200_only_after_the_far_end_of_internal_hops(t):
    """tun-decap leads over two internal listeners to a port where nobody listens: never 200."""
    nobody, port = t.port(), t.port()
    t.run(f"tun-decap -l {tcp(port)} --to internal:a", "tcp-chain -l internal:a -t internal:b", f"tcp-chain -l internal:b -t {tcp(nobody)}")
    check(refused_by(port, "any:1"), 502, "error=connection_refused")


@needs(peers.node_there)
def test_refusals_over_h2(t):
    nobody = t.port()
    port = decap_port(t, "--allow", tcp(nobody))
    seen = peers.node_tunnel(port, tcp(nobody), "open")
    assert seen["status"] == 502 and "error=connection_refused" in seen["fields"]["proxy-status"], seen
    seen = peers.node_tunnel(port, "127.0.0.1:1", "open")
    assert seen["status"] == 403 and "error=" in seen["fields"]["proxy-status"], seen


# --- the outer HTTP client ---
def entry_to(t, proxy, *more):
    port = t.port()
    t.tool("tun-encap", "-l", tcp(port), "-x", proxy, "--target", "127.0.0.1:9", "--http", *more)
    return port


@both_ways
def test_outer_client_sees_the_refusal_of_the_proxy(t):
    for version in ("h1", "h2c"):
        port = entry_to(t, f"{version}:{tcp(decap_port(t, '--allow', '10.0.0.1:1'))}")
        answer = client.get(port)
        check(answer, 502, "received-status=403")
        assert b"hi" not in answer.body


@both_ways
def test_outer_client_sees_what_the_proxy_failed_at(t):
    """The proxy may connect to port 9, where nobody listens: its 502 is told by its number."""
    for version in ("h1", "h2c"):
        port = entry_to(t, f"{version}:{tcp(decap_port(t, '--allow', '127.0.0.1:9'))}")
        check(client.get(port), 502, "received-status=502")


@both_ways
def test_outer_client_when_no_proxy_listens(t):
    for version in ("h1", "h2c"):
        check(client.get(entry_to(t, f"{version}:{tcp(t.port())}")), 502, "error=connection_refused")


@both_ways
def test_outer_client_when_the_proxy_never_answers(t):
    silent = t.server(lambda connection: [None for _ in iter(lambda: connection.recv(4096), b"")])
    for version in ("h1", "h2c"):
        check(client.get(entry_to(t, f"{version}:{tcp(silent.port)}", "--connect-timeout", "1s")), 504, "error=connection_timeout")


@both_ways
def test_outer_client_at_the_limit_of_connections(t):
    decap = decap_port(t, "--to", "respond:200:ok")
    port = entry_to(t, f"h2c:{tcp(decap)}", "--max-conns", "1")
    first = t.connect(port)
    assert client.request(first, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").status == 200
    answer = client.get(port)
    check(answer, 503, "error=connection_limit_reached")
    assert answer.field("retry-after"), answer
    assert client.request(first, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").status == 200


@both_ways
def test_the_refusal_crosses_internal_hops(t):
    """HTTP at the entry, two internal listeners to the one that opens the tunnel: the cause is the same at the outside."""
    decap, port = decap_port(t, "--allow", "10.0.0.1:1"), t.port()
    t.run(f"tun-encap -l {tcp(port)} -x h1:{tcp(decap)} --target 127.0.0.1:9 --http --name outer")
    check(client.get(port), 502, "received-status=403")
    outer = t.port()
    t.run(f"tun-decap -l {tcp(outer)} --to internal:one", "tcp-chain -l internal:one -t internal:two",
          f"tun-encap -l internal:two -x h2c:{tcp(decap)} --target 127.0.0.1:9")
    check(refused_by(outer, "any:1"), 502, "received-status=403")


def reset_without_a_byte(t, port):
    try:
        return client.read_to_end(t.connect(port)) == (b"", "reset")
    except ConnectionResetError:  # before connect() had returned
        return True


def test_a_plain_tcp_client_is_reset(t):
    for version in ("h1", "h2c"):
        port = t.port()
        t.tool("tun-encap", "-l", tcp(port), "-x", f"{version}:{tcp(decap_port(t, '--allow', '10.0.0.1:1'))}", "--target", "127.0.0.1:9")
        assert reset_without_a_byte(t, port)


@both_ways
def test_a_refused_tunnel_costs_no_other_its_bytes(t):
    """One h2 connection to the proxy: refused tunnels beside a good one."""
    origin = t.server(echo)
    decap = decap_port(t, "--allow", tcp(origin.port))
    good, bad = t.port(), t.port()
    t.run(f"tun-encap -l {tcp(good)} -x h2c:{tcp(decap)} --target {tcp(origin.port)}",
          f"tun-encap -l {tcp(bad)} -x h2c:{tcp(decap)} --target 10.0.0.1:1")
    live = t.connect(good)
    for number in range(50):
        assert reset_without_a_byte(t, bad)
        live.sendall(b"%08d" % number)
        assert live.recv(8, socket.MSG_WAITALL) == b"%08d" % number


# --- both versions on one port ---
@needs(peers.node_there)
def test_h1_and_h2_on_one_port(t):
    origin = t.http_origin()
    port = topology.decap(t, origin.port)
    for _ in range(3):
        assert peers.node_get(port, tcp(origin.port)) == "hi\n"
        sock = t.tunnel(port, tcp(origin.port))
        assert client.request(sock, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").body == b"hi\n"


def test_bytes_behind_the_head_are_kept(t):
    """CONNECT and the first bytes of the tunnel in one segment; and an origin that speaks first."""
    origin = t.server(echo)
    port = decap_port(t, "--allow", tcp(origin.port))
    sock = t.connect(port)
    sock.sendall(f"CONNECT {tcp(origin.port)} HTTP/1.1\r\nHost: a:1\r\n\r\nearly".encode())
    assert client.read_head_exactly(sock).status == 200
    assert sock.recv(5, socket.MSG_WAITALL) == b"early"
    first = t.server(lambda connection: connection.sendall(b"hello"))
    port = decap_port(t, "--allow", tcp(first.port))
    assert client.read_to_end(t.tunnel(port, tcp(first.port))) == (b"hello", "end")


def test_nothing_is_sent_before_the_2xx(t):
    """A proxy that answers late: no byte of the payload before, all of it afterwards."""
    seen = {}

    def slow_proxy(connection):
        stream = connection.makefile("rb")
        while stream.readline() != b"\r\n":
            pass
        connection.settimeout(0.5)
        try:
            seen["early"] = stream.read(1)
        except TimeoutError:
            seen["early"] = b""
        connection.settimeout(20 * wait.SCALE)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nserver first")
        seen["late"], _ = client.read_to_end(connection)
    proxy = t.server(slow_proxy)
    port = t.port()
    t.tool("tun-encap", "-l", tcp(port), "-x", f"h1:{tcp(proxy.port)}", "--target", "127.0.0.1:9")
    sock = t.connect(port)
    sock.sendall(b"p" * 65536)
    assert sock.recv(12, socket.MSG_WAITALL) == b"server first"
    sock.shutdown(socket.SHUT_WR)
    proxy.wait_ends(1)
    assert seen["early"] == b"" and seen["late"] == b"p" * 65536, (seen["early"], len(seen["late"]))
