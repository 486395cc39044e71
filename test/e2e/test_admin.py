# SPDX-License-Identifier: Apache-2.0
"""The admin server: what it tells, whom it answers, what it bears, and that the data path never waits for it."""
import json
import os
import re
import signal
import socket
import stat
import subprocess
import time

from lib import client, network, peers, wait
from lib.case import alone, both_ways, needs
from lib.origin import echo
from lib.topology import tcp

promtool_there = peers.requirement("promtool", lambda: peers.find("promtool"))


def start(t, name, *words):
    """One of our programs with an admin server; (tool, port of the latter)."""
    admin = t.port()
    ports = [port for port in map(int, re.findall(r"-l 127\.0\.0\.1:(\d+)", " ".join(map(str, words))))]
    return t.tool(name, "--admin", tcp(admin), *words, listens=[*ports, admin]), admin


def ask(port, path, method="GET", head="", host="127.0.0.1"):
    """One request with `head` as further fields; the answer."""
    with client.connect(port) as sock:
        return client.request(sock, f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{head}\r\n".encode(), method)


def said(port, raw):
    """All that comes back for `raw` until the connection ends."""
    with client.connect(port) as sock:
        sock.sendall(raw)
        return client.read_to_end(sock)


def state(port):
    return json.loads(ask(port, "/state.json").body)


def metric(port, sample):
    found = re.search(rf"^{re.escape(sample)} (\S+)$", ask(port, "/metrics").body.decode(), re.M)
    assert found, f"/metrics has no {sample}"
    return float(found[1])


def ping(sock):
    sock.sendall(b"ping")
    assert sock.recv(4) == b"ping"


# --- what it tells ---
@needs(peers.curl_there)
def test_every_program_has_one(t):
    """Also tun-run; by curl, and at both addresses of a bare port."""
    origin = t.server(echo)
    for name, words in (("tcp-chain", ["-t", tcp(origin.port)]), ("tun-decap", ["--to", tcp(origin.port)]),
                        ("tun-encap", ["-x", f"h2c:{tcp(origin.port)}", "--target", "a.example:1"])):
        port, admin = t.port(), t.port()
        t.tool(name, "-l", tcp(port), *words, "--admin", admin, listens=[port, admin])
        for host in ("127.0.0.1", "localhost", "[::1]"):
            assert peers.curl(f"http://{host}:{admin}/ready") == b"LIVE\n", host
        assert peers.curl(f"http://127.0.0.1:{admin}/live") == b"live\n"
        status = peers.curl("-o", "/dev/null", "-w", "%{http_code} %{content_type}", f"http://127.0.0.1:{admin}/metrics")
        assert status == b"200 text/plain; version=0.0.4; charset=utf-8", status


@needs(promtool_there)
@both_ways
def test_metrics_are_clean_and_know_live_bytes(t):
    """By name of listener and cluster, while the bytes flow; never a peer's address."""
    origin, port = t.server(echo), t.port()
    _, admin = start(t, "tun-run", "-e", f"tcp-chain -l 127.0.0.1:{port} -t internal:mid --name front", "-e",
                     f"tcp-chain -l internal:mid -t {tcp(origin.port)}")
    sock = t.connect(port)
    for _ in range(10):
        ping(sock)
    for listener in ("front", "mid"):
        assert metric(admin, f'tunnel_listener_received_bytes_total{{listener="{listener}"}}') == 40
        assert metric(admin, f'tunnel_listener_sent_bytes_total{{listener="{listener}"}}') == 40
        assert metric(admin, f'tunnel_listener_connections_active{{listener="{listener}"}}') == 1
        assert metric(admin, f'tunnel_cluster_sent_bytes_total{{cluster="{listener}.to"}}') == 40
    assert metric(admin, "tunnel_downstream_received_bytes_total") == 80  # of two listeners
    text = ask(admin, "/metrics").body
    check = subprocess.run([peers.find("promtool"), "check", "metrics"], input=text, capture_output=True, timeout=30, check=False)
    assert check.returncode == 0 and not check.stdout + check.stderr, check
    assert str(sock.getsockname()[1]).encode() not in text
    sock.close()
    wait.until(lambda: metric(admin, 'tunnel_listener_connections_active{listener="mid"}') == 0, 5, "the gauge falls")
    assert metric(admin, 'tunnel_listener_received_bytes_total{listener="mid"}') == 40


def test_metrics_of_pools_and_endpoints(t):
    origin, port, tunnels, proxy, nobody = t.server(echo), t.port(), t.port(), t.port(), t.port()
    _, admin = start(t, "tun-run", "-e", f"tcp-chain -l {tcp(port)} -t {tcp(nobody)} -t {tcp(origin.port)} --lb first --name two", "-e",
                     f"tun-encap -l {tcp(tunnels)} -x h2c:{tcp(proxy)},idle=3s --target a:1 --name near", "-e", f"tun-decap -l {tcp(proxy)} --to echo: --name far")
    aside = f'tunnel_cluster_endpoint_aside{{cluster="two.to",endpoint="127.0.0.1:{nobody}"}}'
    assert metric(admin, aside) == 0
    first, second = t.connect(port), t.connect(tunnels)
    ping(first)
    ping(second)
    assert metric(admin, aside) == 1
    assert metric(admin, f'tunnel_cluster_endpoint_failures_total{{cluster="two.to",endpoint="127.0.0.1:{nobody}"}}') == 1
    assert metric(admin, f'tunnel_cluster_endpoint_aside{{cluster="two.to",endpoint="127.0.0.1:{origin.port}"}}') == 0
    assert metric(admin, 'tunnel_cluster_pool_connections{cluster="near.proxy"}') == 1
    assert metric(admin, 'tunnel_cluster_pool_exchanges{cluster="near.proxy"}') == 1
    second.close()
    wait.until(lambda: metric(admin, 'tunnel_cluster_pool_exchanges{cluster="near.proxy"}') == 0, 5, "the tunnel is given back")
    assert metric(admin, 'tunnel_cluster_pool_connections{cluster="near.proxy"}') == 1
    check = subprocess.run([peers.find("promtool"), "check", "metrics"], input=ask(admin, "/metrics").body, capture_output=True, timeout=30, check=False)
    assert check.returncode == 0 and not check.stdout + check.stderr, check


@both_ways
def test_the_state_lists_what_is_under_way(t):
    origin, port = t.server(echo), t.port()
    _, admin = start(t, "tun-run", "-e", f"tcp-chain -l 127.0.0.1:{port} -t internal:mid --name front", "-e",
                     f"tcp-chain -l internal:mid -t {tcp(origin.port)}")
    plan = json.loads(ask(admin, "/topology.json").body)
    assert [listener["name"] for listener in plan["listeners"]] == ["front", "mid"], plan
    sock = t.connect(port)
    ping(sock)
    rows = wait.until(lambda: state(admin)["tunnels"]["rows"], 2, "the connection is listed")
    peer = f"127.0.0.1:{sock.getsockname()[1]}"
    assert {(row["listener"], row["peer"], row["upstream"], row["received"]) for row in rows} == {
        ("front", peer, "internal:mid", 4), ("mid", peer, tcp(origin.port), 4)}, rows
    sock.close()
    wait.until(lambda: state(admin)["tunnels"]["total"] == 0, 2, "it is listed no more")


def test_failures_are_counted_by_kind(t):
    port, nobody = t.port(), t.port()
    _, admin = start(t, "tcp-chain", "--name", "front", "-l", f"127.0.0.1:{port}", "-t", tcp(nobody))
    for _ in range(3):
        try:
            assert client.read_to_end(t.connect(port)) == (b"", "reset")
        except ConnectionResetError:
            pass  # before it was ours
    # The client may know of its reset before it is counted.
    wait.until(lambda: metric(admin, 'tunnel_listener_errors_total{listener="front",kind="refused"}') == 3, 5, "three refusals are counted")
    assert metric(admin, 'tunnel_cluster_errors_total{cluster="front.to",kind="refused"}') == 3
    assert metric(admin, 'tunnel_listener_client_errors_total{listener="front"}') == 0
    assert state(admin)["listeners"][0]["errors"] == {"refused": 3}


# --- the drain ---
def test_ready_turns_the_moment_a_drain_begins(t):
    origin, port = t.server(echo), t.port()
    tool, admin = start(t, "tcp-chain", "-l", f"127.0.0.1:{port}", "-t", tcp(origin.port))
    sock = t.connect(port)
    ping(sock)
    assert ask(admin, "/ready").status == 200
    tool.signal(signal.SIGTERM)
    wait.until(lambda: not network.listening(port), 5, "the listener closes")
    assert ask(admin, "/ready").status == 503
    assert ask(admin, "/live").status == 200
    assert metric(admin, "tunnel_draining") == 1
    ping(sock)
    sock.close()
    assert tool.wait_exit() == 0, tool.report()


def test_a_post_drains_and_nothing_else_does(t):
    origin, port = t.server(echo), t.port()
    tool, admin = start(t, "tcp-chain", "-l", f"127.0.0.1:{port}", "-t", tcp(origin.port))
    for method, head in (("GET", ""), ("HEAD", ""), ("PUT", "Content-Length: 0\r\n"), ("POST", "Origin: http://evil.example\r\n"),
                         ("POST", "Origin: null\r\n"), ("POST", "Sec-Fetch-Site: cross-site\r\n")):
        answer = ask(admin, "/drain", method, head)
        assert answer.status == (403 if method == "POST" else 405), (method, head, answer)
        assert answer.field("allow") == ("" if method == "POST" else "POST"), answer
    assert ask(admin, "/drain", "POST", host="evil.example").status == 421
    assert ask(admin, "/ready").status == 200
    sock = t.connect(port)
    ping(sock)
    own = f"127.0.0.1:{admin}"
    for _ in range(2):  # the second time it is no second signal
        assert ask(admin, "/drain", "POST", f"Origin: http://{own}\r\n", host=own).status == 202
        assert ask(admin, "/ready").status == 503
    wait.until(lambda: not network.listening(port), 5, "the listener closes")
    ping(sock)
    sock.close()
    assert tool.wait_exit() == 0, tool.report()


def test_a_drain_is_answered_before_the_process_ends(t):
    for _ in range(10):
        port = t.port()
        tool, admin = start(t, "tcp-chain", "-l", f"127.0.0.1:{port}", "-t", "echo:")
        assert ask(admin, "/drain", "POST").body == b"draining\n"
        assert tool.wait_exit() == 0, tool.report()


# --- whom it answers ---
def test_another_name_is_not_ours(t):
    """A site whose name server says 127.0.0.1 gets nothing."""
    _, admin = start(t, "tcp-chain", "-l", "internal:x", "-t", "echo:")
    for host, status in (("localhost", 200), (f"localhost:{admin}", 200), ("127.0.0.1:1", 200), ("[::1]", 200), ("evil.example", 421),
                         ("127.0.0.1.evil.example", 421), ("192.0.2.1", 421), ("", 421)):
        assert ask(admin, "/state.json", host=host).status == status, host
    assert said(admin, b"GET /live HTTP/1.1\r\nConnection: close\r\n\r\n")[0].startswith(b"HTTP/1.1 400 ")
    twice = b"GET /live HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n"
    assert said(admin, twice)[0].startswith(b"HTTP/1.1 400 ")


def test_beyond_loopback_only_when_told_and_with_a_warning(t):
    port, admin = t.port(), t.port()
    tool = t.tool("tcp-chain", "-l", tcp(port), "-t", "echo:", "--admin", admin, listens=[port, admin])
    hosts = {row[0] for row in network.tcp_table() if row[1] == admin and row[3] == network.LISTEN}
    assert hosts == {"0100007F", "00000000000000000000000001000000"}, hosts
    assert not [line for line in tool.err.lines if "beyond loopback" in line], tool.report()
    other, everywhere = t.port(), t.port()
    tool = t.tool("tcp-chain", "-l", tcp(other), "-t", "echo:", "--admin", f"*:{everywhere}", listens=[other, everywhere])
    assert tool.err.first(lambda line: "beyond loopback" in line, 0, 5), tool.report()


def test_nobody_tunnels_into_it(t):
    port = t.port()
    _, admin = start(t, "tun-decap", "-l", f"127.0.0.1:{port}", "--allow", "127.0.0.0/8:1-65535", "--allow", "[::1]:1-65535")
    for target in (tcp(admin), f"127.1.2.3:{admin}", f"localhost:{admin}"):
        with client.connect(port) as sock:
            answer = client.request(sock, f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode(), "GET")
            assert answer.status in (403, 502), (target, answer)
    assert ask(admin, "/ready").status == 200


@needs(peers.curl_there)
def test_a_unix_socket_is_its_owners_and_goes_with_the_process(t):
    path, port = os.path.join(t.tmp, "admin.sock"), t.port()
    tool = t.tool("tcp-chain", "-l", tcp(port), "-t", "echo:", "--admin", f"unix:{path}")
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    for host in ("localhost", "whatever.example"):
        assert peers.curl("--unix-socket", path, f"http://{host}/ready") == b"LIVE\n"
    assert peers.curl("--unix-socket", path, "-X", "POST", "http://localhost/drain") == b"draining\n"
    assert tool.wait_exit() == 0, tool.report()
    assert not os.path.exists(path)


def test_a_port_in_use_ends_the_start(t):
    taken, port = t.server(echo), t.port()
    tool = t.tool("tcp-chain", "-l", tcp(port), "-t", "echo:", "--admin", tcp(taken.port), listens=[])
    assert tool.wait_exit() == 1
    assert [line for line in tool.err.all() if f"--admin: cannot listen on 127.0.0.1:{taken.port}: Address already in use; stop" in line]
    t.tools.remove(tool)


# --- what it bears ---
def test_requests_are_bounded(t):
    _, admin = start(t, "tcp-chain", "-l", "internal:x", "-t", "echo:")
    base = b"GET /live HTTP/1.1\r\nHost: localhost\r\n"
    for raw, status in ((base + b"X: " + b"x" * 9000 + b"\r\n\r\n", 431), (base + b"X: y\r\n" * 70 + b"\r\n", 431), (b"\x16\x03\x01\x00\r\n\r\n", 400),
                        (b"GET /live HTTP/9.9\r\n\r\n", 400), (base + b"Content-Length: 99999\r\n\r\n" + b"z" * 99999, 413),
                        (base + b"Transfer-Encoding: chunked\r\n\r\nffff\r\n" + b"z" * 65535, 413)):
        answer, end = said(admin, raw)
        assert answer.startswith(f"HTTP/1.1 {status} ".encode()), (raw[:60], answer[:200], end)
    assert ask(admin, "/live").status == 200


def test_a_head_that_never_ends_and_a_seventeenth_connection(t):
    _, admin = start(t, "tcp-chain", "-l", "internal:x", "-t", "echo:")
    socks = [t.connect(admin) for _ in range(16)]
    for sock in socks:
        sock.sendall(b"GET /live HTTP/1.1\r\nHo")
    wait.until(lambda: said(admin, b"")[0].startswith(b"HTTP/1.1 503 "), 2, "one more is refused")
    begun = time.monotonic()
    assert [client.read_to_end(sock)[0] for sock in socks] == [b""] * 16
    assert time.monotonic() - begun < 8 * wait.SCALE
    wait.until(lambda: ask(admin, "/live").status == 200, 2, "there is room again")


def test_one_connection_serves_many_requests(t):
    _, admin = start(t, "tcp-chain", "-l", "internal:x", "-t", "echo:")
    with client.connect(admin) as sock:
        for _ in range(3):
            assert client.request(sock, b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n", "GET").body == b"live\n"
        head = client.request(sock, b"HEAD /live HTTP/1.1\r\nHost: localhost\r\n\r\n", "HEAD")
        assert (head.status, head.field("content-length"), head.body) == (200, "5", b"")
        pipelined = b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\nGET /ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        sock.sendall(pipelined)
        text, end = client.read_to_end(sock)
        assert text.count(b"HTTP/1.1 200 OK") == 2 and text.endswith(b"LIVE\n") and end == "end", (text, end)


@alone
def test_the_data_path_never_waits_for_it(t):
    """Clients that ask and do not read, and one that asks all the time, beside a connection whose round trips go on."""
    origin, port = t.server(echo), t.port()
    _, admin = start(t, "tcp-chain", "--workers", "1", "-l", f"127.0.0.1:{port}", "-t", tcp(origin.port))
    socks = [t.connect(port) for _ in range(200)]
    for sock in socks:
        ping(sock)
    for _ in range(8):
        stalled = socket.socket()
        stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        stalled.connect(("127.0.0.1", admin))
        stalled.sendall(b"GET /state.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 20)
        t.sockets_.append(stalled)
    slowest, trips, answers = 0.0, 0, 0

    def observe():
        nonlocal slowest, trips, answers
        answers += state(admin)["tunnels"]["total"] == 200
        for sock in socks[:20]:
            begun = time.monotonic()
            ping(sock)
            slowest = max(slowest, time.monotonic() - begun)
            trips += 1
    wait.over(3, observe)
    assert answers > 3 and trips > 100, (answers, trips)
    assert slowest < 0.5 * wait.SCALE, f"a round trip took {slowest:.3f} s"
