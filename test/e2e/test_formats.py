# SPDX-License-Identifier: Apache-2.0
"""Targets taken from requests and connections: @authority, @endpoint, @orig-dst; and fields added to tunnel requests."""
import socket
import subprocess

from lib import client, peers, topology
from lib.case import Skip, both_ways, needs
from lib.origin import echo, fields_of, read_head
from lib.topology import tcp

VERSIONS = ("h1", "h2c")


def two_origins(t):
    return t.http_origin(body=b"one\n"), t.http_origin(body=b"two\n")


def any_decap(t, *more):
    """tun-decap for all of 127.0.0.1."""
    port = t.port()
    t.tool("tun-decap", *topology.ONE, *topology.LOG, "-l", tcp(port), "--allow", "127.0.0.1:1-65535", *more)
    return port


# --- @authority ---
@needs(peers.curl_there)
@both_ways
def test_curl_names_the_target(t):
    """As a proxy, by CONNECT, and by Host alone; two origins by turns, so that a connection mixed up would show."""
    one, two = two_origins(t)
    for version in VERSIONS:
        entry = topology.encap(t, f"{version}:{tcp(any_decap(t))}", "@authority")
        for origin, body in ((one, b"one\n"), (two, b"two\n")) * 3:
            assert peers.curl("-x", f"http://{tcp(entry)}", f"http://{tcp(origin.port)}/a") == body
            assert peers.curl("-p", "-x", f"http://{tcp(entry)}", f"http://{tcp(origin.port)}/b") == body
            assert client.get(entry, "/c", host=tcp(origin.port)).body == body
    for origin in (one, two):
        lines = {raw.split(b"\r\n")[0] for raw in origin.requests}
        assert lines == {b"GET /a HTTP/1.1", b"GET /b HTTP/1.1", b"GET /c HTTP/1.1"}, lines
        assert all(("host", tcp(origin.port)) in fields_of(raw) for raw in origin.requests)
        assert not any(name.startswith("proxy-") for raw in origin.requests for name, _ in fields_of(raw))


@both_ways
def test_one_connection_names_many_targets(t):
    one, two = two_origins(t)
    sock = t.connect(topology.encap(t, f"h2c:{tcp(any_decap(t))}", "@authority"))
    for origin, body in ((one, b"one\n"), (two, b"two\n")) * 5:
        raw = f"GET http://{tcp(origin.port)}/ HTTP/1.1\r\nHost: ignored\r\n\r\n".encode()
        assert client.request(sock, raw).body == body
    assert len(one.connections) == len(two.connections) == 1  # each authority kept its own


@needs(peers.envoy_there)
def test_authority_reaches_envoy_and_nghttpx(t):
    one, _ = two_origins(t)
    port = t.port()
    peers.envoy(t, "envoy-tcp-decap.yaml", [port], ports={10001: port, 10000: one.port})
    for version in VERSIONS:
        entry = topology.encap(t, f"{version}:{tcp(port)}", "@authority")
        assert client.get(entry, host=tcp(one.port)).body == b"one\n"
        sock = t.tunnel(entry, tcp(one.port))
        assert client.request(sock, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").body == b"one\n"
    reason = peers.nghttpx_there()
    if reason:
        raise reason
    front = t.port()
    peers.nghttpx(t, front, any_decap(t), "h2", tls=False)
    for version in VERSIONS:
        entry = topology.encap(t, f"{version}:{tcp(front)}", "@authority", "--header", "X-Token: 7")
        assert client.get(entry, host=tcp(one.port)).body == b"one\n"


def test_what_names_no_target_is_a_400(t):
    origin = t.http_origin()
    port = topology.encap(t, f"h2c:{tcp(any_decap(t))}", "@authority")
    good = tcp(origin.port)
    for raw in (b"GET / HTTP/1.1\r\nHost: a:99999\r\n\r\n", b"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n",
                b"GET / HTTP/1.0\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a%41\r\n\r\n", b"CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n",
                f"GET https://{good}/ HTTP/1.1\r\nHost: {good}\r\n\r\n".encode(),
                f"POST / HTTP/1.1\r\nHost: {good}\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n".encode(),
                f"GET / HTTP/1.1\r\nHost: {good}\r\nHost: {good}\r\n\r\n".encode(),
                f"GET / HTTP/1.1\r\nHost: {good}\r\nTransfer-Encoding: xchunked\r\n\r\n".encode()):
        answer = client.request(t.connect(port), raw)
        assert answer.status == 400, (raw, answer)
    assert not origin.requests
    assert client.get(port, host=good).status == 200


# --- @endpoint ---
@both_ways
def test_the_dialler_names_the_target(t):
    one, two = two_origins(t)
    for version in VERSIONS:
        proxy = any_decap(t)
        for http in ("", " --http"):
            ports = [t.port(), t.port()]
            topology.run(t, f"tun-encap -l internal:encap -x {version}:{tcp(proxy)} --target @endpoint{http}",
                         *(f"tcp-chain -l {tcp(port)} -t internal:encap/{tcp(origin.port)}" for port, origin in zip(ports, (one, two))))
            for _ in range(3):
                assert [client.get(port).body for port in ports] == [b"one\n", b"two\n"], (version, http)


# --- @orig-dst ---
def redirect(t, port, to):
    """Sends connections to `port` of any address but loopback's own to `to`."""
    if not t.own_network:
        raise Skip("no network namespace, and rules of the machine's own are left alone", needed=False)
    nft = peers.find("nft")
    if not nft:
        raise Skip("nft is missing: test/setup.sh tests installs it")
    rules = f"table inet t {{\n chain o {{\n type nat hook output priority -100;\n tcp dport {port} redirect to :{to}\n }}\n}}\n"
    done = subprocess.run([nft, "-f", "-"], input=rules.encode(), capture_output=True, check=False)
    assert b"syntax error" not in done.stderr, done.stderr
    if done.returncode:
        raise Skip(f"this kernel has no REDIRECT for nft: {done.stderr.decode().strip()[:200]}", needed=False)


def serve_heads(t, seen):
    """A proxy of the test's own: keeps the heads it gets, answers 200 and echoes."""
    def serve(connection):
        seen.append(read_head(connection.makefile("rb", buffering=0)))
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        echo(connection)
    return t.server(serve)


def test_where_a_connection_was_going(t):
    seen, entry = [], t.port()
    redirect(t, 5555, entry)
    proxy = serve_heads(t, seen)
    tool = t.tool("tun-encap", *topology.ONE, "-l", entry, "-x", f"h1:{tcp(proxy.port)}", "--target", "@orig-dst")
    hosts = ["127.0.0.9"]
    if any(line.split()[-1] == "lo" for line in open("/proc/self/net/if_inet6", encoding="ascii")):
        hosts.append("::1")
    for host in hosts:
        with client.connect(5555, host=host) as sock:
            sock.sendall(b"ping")
            assert sock.recv(4, socket.MSG_WAITALL) == b"ping", host
    asked = [head.split(b" ", 2)[1].decode() for head in seen]
    assert asked == ["127.0.0.9:5555", "[::1]:5555"][:len(hosts)], asked
    # Straight to the port: refused, said so, and no tunnel back to ourselves.
    try:
        assert client.read_to_end(t.connect(entry)) == (b"", "reset")
    except ConnectionResetError:  # before connect() had returned
        pass
    assert tool.err.first(lambda line: "it came straight to" in line, 0, 5), tool.report()
    assert len(seen) == len(hosts)


def test_requests_of_a_redirected_client(t):
    entry = t.port()
    origin = t.http_origin(body=b"there\n")
    redirect(t, 5555, entry)
    proxy = t.port()
    t.tool("tun-decap", *topology.ONE, "-l", proxy, "--to", tcp(origin.port))
    t.tool("tun-encap", *topology.ONE, "-l", entry, "-x", f"h2c:{tcp(proxy)}", "--target", "@orig-dst", "--http")
    assert client.get(5555).body == b"there\n"
    answer = client.get(entry)
    assert answer.status == 403, answer


# --- --header ---
@both_ways
def test_fields_arrive_intact(t):
    secret = t.write("auth", "Basic bWU6cHc=\n")
    for word in ("", "--post"):
        seen = []

        def serve(connection):
            seen.append(read_head(connection.makefile("rb", buffering=0)))
            connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
        proxy = t.server(serve)
        port = topology.encap(t, f"h1:{tcp(proxy.port)}", "host.com:443", "--http", "--header", "X-One: a, b;c=\"d e\"", "--header", "X-One: 2",
                              "--header", f"Proxy-Authorization: @{secret}", *([word] if word else []))
        assert client.get(port).status == 502
        fields = fields_of(seen[0])
        assert [value for name, value in fields if name == "x-one"] == ['a, b;c="d e"', "2"], seen
        assert ("proxy-authorization", "Basic bWU6cHc=") in fields, seen


@needs(peers.node_there)
def test_fields_arrive_over_h2(t):
    """At a foreign HTTP/2 server."""
    script = t.write("server.js", """
const server = require('http2').createServer();
server.on('stream', (stream, headers) => { console.log(JSON.stringify(headers)); stream.respond({':status': 403}); stream.end(); });
server.listen(Number(process.argv[2]), '127.0.0.1');
""")
    port = t.port()
    node = t.peer("node", [peers.find("node"), script, str(port)], [port])
    for word in ((), ("--post",)):
        entry = topology.encap(t, f"h2c:{tcp(port)}", "host.com:443", "--http", "--header", "X-Token: Abc d", *word)
        answer = client.get(entry)
        assert answer.status == 502 and "received-status=403" in answer.field("proxy-status"), answer
    node.stop()
    heads = [line for line in node.report().splitlines() if "x-token" in line]
    assert len(heads) == 2 and all('"x-token":"Abc d"' in head for head in heads), node.report()
    assert '":method":"CONNECT"' in heads[0] and '":method":"POST"' in heads[1], heads
