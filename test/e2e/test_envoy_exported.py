# SPDX-License-Identifier: Apache-2.0
"""Lines exported to a real Envoy: the same client and origin, with ours and Envoy's at every place, see the same."""
import os
import random
import socket
import stat

from lib import client, exported, peers, wait
from lib.case import limit, needs
from lib.exported import ENVOY, OURS, of_lines, on_every_side, start
from lib.origin import HttpOrigin, echo, fields_of, read_head
from lib.program import REPO
from lib.topology import tcp
from lib.transfer import big_body, check_bytes_both_ways, check_get

BODY = random.Random(11).randbytes(300_000)


def example(t, name, ports):
    """The pipeline of an example, with other ports."""
    with open(os.path.join(REPO, "examples", name, "pipeline.tun"), encoding="utf-8") as file:
        text = "\n".join(line for line in file.read().splitlines() if not line.startswith("#"))
    for old, new in ports.items():
        assert str(old) in text
        text = text.replace(str(old), str(new))
    return of_lines(text)


def curl(*words):
    """(status, body) of a GET of curl's."""
    said = peers.curl("-w", "%{http_code}", *words)
    return int(said[-3:]), said[:-3]


# --- the pipelines of examples/ ---
@limit(120)
@needs(peers.envoy_there)
def test_simple_chain(t):
    origin, port = t.server(echo), t.port()
    on_every_side(t, [example(t, "simple-chain", {9999: port, 10000: origin.port})],
                  lambda scene: check_bytes_both_ways(scene, port))


@limit(120)
@needs(peers.envoy_there, peers.curl_there)
def test_encapsulate_and_decapsulate(t):
    entry, between = t.port(), t.port()
    processes = [example(t, "encapsulate", {10000: entry, 10001: between}), example(t, "decapsulate", {10001: between})]

    def observe(_):
        url = f"http://{tcp(entry)}/"
        return [curl(url), curl(url), curl("-X", "POST", "--data-binary", "x" * 1000, url),
                curl("-p", "-x", f"http://{tcp(between)}", "http://host.com:443/")]
    seen = on_every_side(t, processes, observe)
    assert seen == [(200, b"Hello, world!\n")] * 4, seen


@limit(120)
@needs(peers.envoy_there)
def test_processes_or_one(t):
    origin, port = t.http_origin(body=big_body()), t.port()
    words = example(t, "processes-or-one", {"${ENTRY}": port, "${ORIGIN}": origin.port})
    on_every_side(t, [words], lambda _: check_get(port, big_body(), fields=["Connection: close"]))


# --- requests and bytes in tunnels of every kind ---
def answering(method, path, _, body):
    """Status and body depend on what was asked."""
    text = f"{method} {path} {len(body)} {sum(body)}\n".encode()
    status = b"404 Not Found" if path == "/missing" else b"200 OK"
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n" % (status, len(text)) + (b"" if method == "HEAD" else text)


def requests(entry):
    """What some requests, several of them on one connection, are answered."""
    with client.connect(entry) as sock:
        kept = [client.request(sock, f"GET /{number} HTTP/1.1\r\nHost: a.example\r\n\r\n".encode()) for number in range(3)]
    other = [client.get(entry, "/missing"), client.get(entry, "/a?b=%20", method="HEAD"), client.get(entry, method="POST", body=BODY),
             client.get(entry, method="PUT", body=b"x"), client.get(entry, method="DELETE")]
    return [(answer.status, answer.body) for answer in kept + other]


@limit(240)
@needs(peers.envoy_there)
def test_requests_through_tunnels(t):
    origin = t.keep_origin(HttpOrigin(t.port(), respond=answering))
    for version in ("h1", "h2c"):
        for post in ("", " --post"):
            entry, proxy = t.port(), t.port()
            processes = [of_lines(f"tun-encap -l {tcp(entry)} -x {version}:{tcp(proxy)} --target a.example:80 --http{post}"),
                         of_lines(f"tun-decap -l {tcp(proxy)} --to {tcp(origin.port)}{post}")]
            seen = on_every_side(t, processes, lambda _, entry=entry: requests(entry))
            assert seen[0] == (200, b"GET /0 0 0\n") and seen[5] == (200, f"POST / {len(BODY)} {sum(BODY)}\n".encode()), seen


@limit(120)
@needs(peers.envoy_there)
def test_bytes_through_an_h2_tunnel(t):
    """The client's end arrives at the origin, and the origin's end after it."""
    origin, entry, proxy = t.server(echo), t.port(), t.port()
    processes = [of_lines(f"tun-encap -l {tcp(entry)} -x h2c:{tcp(proxy)} --target a.example:80"),
                 of_lines(f"tun-decap -l {tcp(proxy)} --to {tcp(origin.port)}")]
    on_every_side(t, processes, lambda scene: check_bytes_both_ways(scene, entry))


@limit(120)
@needs(peers.envoy_there)
def test_a_tunnel_in_a_tunnel(t):
    origin, entry, outer, inner = t.http_origin(body=BODY), t.port(), t.port(), t.port()
    processes = [of_lines(f"tun-encap -l {tcp(entry)} -x h1:{tcp(outer)} -x h2c:{tcp(inner)} --target a.example:80"),
                 of_lines(f"tun-decap -l {tcp(outer)} --to {tcp(inner)}", f"tun-decap -l {tcp(inner)} --to {tcp(origin.port)}")]
    on_every_side(t, processes, lambda _: check_get(entry, BODY, fields=["Connection: close"]))


# --- what the proxy is asked ---
@needs(peers.envoy_there)
def test_targets_and_headers(t):
    heads = []

    def serve(connection):
        heads.append(read_head(connection.makefile("rb", buffering=0)))
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        echo(connection)
    proxy, ports = t.server(serve), [t.port(), t.port()]
    words = of_lines(
        f"tun-encap -l internal:wrap -x h1:{tcp(proxy.port)} --target @endpoint --header 'X-Half: 50% of %it%' "
        "--header 'X-Empty:' --header 'X-Two: a' --header 'x-two: b, \"c\"'",
        f"tcp-chain -l {tcp(ports[0])} -t internal:wrap/a.example:1", f"tcp-chain -l {tcp(ports[1])} -t internal:wrap/[::1]:2")

    def observe(_):
        heads.clear()
        for port in ports:
            with client.connect(port) as sock:
                sock.sendall(b"ping")
                assert sock.recv(4, socket.MSG_WAITALL) == b"ping"
        return [(head.split(b"\r\n")[0], sorted(fields_of(head))) for head in heads]
    seen = on_every_side(t, [words], observe)
    fields = [("x-empty", ""), ("x-half", "50% of %it%"), ("x-two", "a"), ("x-two", 'b, "c"')]
    assert seen == [(b"CONNECT a.example:1 HTTP/1.1", [("host", "a.example:1"), *fields]),
                    (b"CONNECT [::1]:2 HTTP/1.1", [("host", "[::1]:2"), *fields])], seen


# --- sockets, answers, limits ---
@needs(peers.envoy_there)
def test_unix_sockets(t):
    entry, place = os.path.join(t.tmp, "an entry"), os.path.join(t.tmp, "origin")
    t.server(echo, port=place)

    def observe(scene):
        check_bytes_both_ways(scene, entry)
        return oct(stat.S_IMODE(os.lstat(entry).st_mode))
    words = of_lines(f"tcp-chain -l 'unix:{entry},mode=660' -t internal:in --name a", f"tcp-chain -l internal:in -t unix:{place}")
    assert on_every_side(t, [words], observe) == "0o660"


@needs(peers.envoy_there)
def test_answers_on_the_spot(t):
    files = [t.write("long", "ü" * 10_000), os.path.join(t.tmp, "binary")]
    with open(files[1], "wb") as file:
        file.write(bytes(range(256)))
    dials = ["'respond:200:it'\\''s \"so\" # {x: 1}'", "respond:204:", *(f"respond:404:@{file}" for file in files)]
    ports = [t.port() for _ in dials]
    words = of_lines(*(f"tcp-chain -l {tcp(port)} -t {dial} --name answer-{port}" for port, dial in zip(ports, dials)))

    def observe(_):
        answers = [client.get(port, path) for port in ports for path in ("/", "/a/b?c")]
        return [(answer.status, answer.body) for answer in answers]
    seen = on_every_side(t, [words], observe)
    assert seen[::2] == [(200, b'it\'s "so" # {x: 1}\n'), (204, b""), (404, ("ü" * 10_000).encode()), (404, bytes(range(256)))], seen


@needs(peers.envoy_there)
def test_no_more_connections_than_asked_for(t):
    port = t.port()

    def observe(scene):
        first = scene.connect(port)
        first.sendall(b"a")
        assert first.recv(1) == b"a"
        try:
            ended = client.read_to_end(scene.connect(port))[0]
        except ConnectionResetError:  # so soon that connect() is told
            ended = b""
        first.sendall(b"b")
        assert first.recv(1) == b"b"
        return ended
    assert on_every_side(t, [of_lines(f"tcp-chain -l {tcp(port)} -t echo: --max-conns 1")], observe) == b""


@needs(peers.envoy_there)
def test_an_idle_connection_ends(t):
    origin, port = t.server(echo), t.port()

    def observe(scene):
        sock = scene.connect(port)
        sock.sendall(b"a")
        assert sock.recv(1) == b"a"
        return client.read_to_end(sock)[0]
    assert on_every_side(t, [of_lines(f"tcp-chain -l {tcp(port)} -t {tcp(origin.port)} --idle-timeout 300ms")], observe) == b""


def named(name):
    """An origin that says its name."""
    def serve(connection):
        connection.sendall(name)
        connection.shutdown(socket.SHUT_WR)
    return serve


def answer_of(port):
    with client.connect(port) as sock:
        return client.read_to_end(sock)[0]


@needs(peers.envoy_there)
def test_connections_are_balanced(t):
    one, two = t.server(named(b"one")), t.server(named(b"two"))
    for lb in ("round-robin", "least"):
        port = t.port()
        words = of_lines(f"tcp-chain -l {tcp(port)} -t {tcp(one.port)} -t {tcp(two.port)} --lb {lb}")
        seen = on_every_side(t, [words], lambda _, port=port: {answer_of(port) for _ in range(40)})
        assert seen == {b"one", b"two"}, (lb, seen)


@needs(peers.envoy_there)
def test_the_first_that_is_not_down(t):
    """Lossy: Envoy leaves the first endpoint only after a connection to it has failed."""
    two, gone, port = t.server(named(b"two")), t.port(), t.port()
    words = of_lines(f"tcp-chain -l {tcp(port)} -t {tcp(gone)} -t {tcp(two.port)} --lb first")
    for side in (OURS, ENVOY):
        scene = t.scene(False)
        start(scene, side, words, how="envoy,lossy")
        wait.until(lambda: answer_of(port) == b"two", 10, f"{side} goes on to the second endpoint")
        back = scene.server(named(b"first"), port=gone)
        wait.until(lambda: answer_of(port) == b"first", 15, f"{side} comes back to the first endpoint")
        scene.finish()
        back.close()


@needs(peers.envoy_there)
def test_access_log_and_admin(t):
    """Each connection has a line in Envoy's log, and its admin server answers where ours would."""
    origin, port, admin, log = t.server(echo), t.port(), t.port(), os.path.join(t.tmp, "a log")
    words = of_lines(f"tcp-chain -l {tcp(port)} -t {tcp(origin.port)} --access-log '{log}'") + ["--admin", tcp(admin)]
    start(t, ENVOY, words, listens=[port, admin])
    with client.connect(port) as sock:
        sock.sendall(b"ping")
        assert sock.recv(4, socket.MSG_WAITALL) == b"ping"
    assert client.get(admin, "/ready").status == 200
    wait.until(lambda: os.path.exists(log) and os.path.getsize(log) > 0, 20, "a line in the access log", every=0.1)


@needs(peers.envoy_there)
def test_where_a_redirected_connection_was_going(t):
    """@orig-dst, by the listener filter original_dst."""
    from test_formats import redirect
    heads, entry = [], t.port()
    redirect(t, 5555, entry)

    def serve(connection):
        heads.append(read_head(connection.makefile("rb", buffering=0)))
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        echo(connection)
    proxy = t.server(serve)

    def observe(_):
        heads.clear()
        with client.connect(5555, host="127.0.0.9") as sock:
            sock.sendall(b"ping")
            assert sock.recv(4, socket.MSG_WAITALL) == b"ping"
        return [head.split(b"\r\n")[0] for head in heads]
    words = of_lines(f"tun-encap -l {tcp(entry)} -x h1:{tcp(proxy.port)} --target @orig-dst")
    assert on_every_side(t, [words], observe) == [b"CONNECT 127.0.0.9:5555 HTTP/1.1"]


def test_what_cannot_be_exported_is_told_with_its_place(t):
    path = t.write("a.tun", "tcp-chain -l 1 -t discard:\ntcp-chain -l 2 -t 127.0.0.1:3 --half-close-timeout 5s\n")
    status, text, said = exported.export(t, path)
    assert status == 78 and not text, (status, text)
    assert f"tun-run: {path}:1:14: listener tcp-chain-1, discard:: Envoy has nothing" in said, said
    assert f"tun-run: {path}:2:14: listener tcp-chain-2, half-close timeout 5000 ms: Envoy has no such timer" in said, said
    status, text, said = exported.export(t, path, how="envoy,lossy")
    assert status == 78 and not text and "half-close" not in said, (status, text, said)
