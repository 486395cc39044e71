# SPDX-License-Identifier: Apache-2.0
"""One Envoy file and one client, once with Envoy and once with us: what shows on the wire is the same."""
import contextlib
import json
import re
import socket
import struct
import threading

from lib import client, h2frames as h2, peers, wait
from lib.case import needs
from lib.origin import echo, read_head

FILE = """
static_resources:
  listeners:
  - name: front
    address: {socket_address: {address: 127.0.0.1, port_value: @PORT@}}
    filter_chains:
    - filters:
      - name: filter
        typed_config: @FILTER@
  clusters:
  - name: dead
    type: STATIC
    load_assignment:
      cluster_name: dead
      endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: @DEAD@}}}}]}]
  - name: origin
    type: STATIC
    circuit_breakers: {thresholds: [{@LIMITS@}]}
    load_assignment:
      cluster_name: origin
      endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: @ORIGIN@}}}}]}]
"""
HTTP = """
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: front
          upgrade_configs: [{upgrade_type: CONNECT}]
          http_filters:
          - name: router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
          route_config: {virtual_hosts: [{name: all, domains: ["*"], routes: [@ROUTES@]}]}
"""
CONNECT_ENDS = "upgrade_configs: [{upgrade_type: CONNECT, connect_config: {}}]"


def file_of(filter_config, **texts):
    text = FILE.replace("@FILTER@", filter_config)
    for old, new in {"LIMITS": "", "DEAD": 1, **texts}.items():
        text = text.replace(f"@{old}@", str(new))
    return text


def start(t, who, filter_config, **texts):
    """Envoy or we, with a file of its own; returns the port."""
    port = t.port()
    name = t.write(f"{who}.yaml", file_of(filter_config, PORT=port, **texts))
    if who == "ours":
        t.tool("tun-run", "--envoy", name, listens=[port])
    else:
        t.peer("envoy", [peers.find("envoy"), "-c", name, "--disable-hot-restart", "--concurrency", "1", "-l", "error",
                         "--file-flush-interval-msec", "50", "--base-id", str(len(t.peers_))], [port])
    return port


def both(t, filter_config, observe, **texts):
    """What observe(port) returns for Envoy, having seen the same with us."""
    ours, envoy = (observe(start(t, who, filter_config, **texts)) for who in ("ours", "envoy"))
    assert ours == envoy, f"we: {ours}, Envoy: {envoy}"
    return envoy


class Silent:
    """An origin that says `text` to each request, then nothing, until its client has gone."""

    def __init__(self, t, text=b""):
        self.text_, self.port = text, t.server(self.serve).port

    def serve(self, connection):
        read_head(connection.makefile("rb"))
        connection.sendall(self.text_)
        while connection.recv(4096):
            pass


@needs(peers.envoy_there)
def test_the_timeout_of_a_route(t):
    routes = "{match: {prefix: /}, route: {cluster: origin, timeout: 0.3s}}"
    status = both(t, HTTP.replace("@ROUTES@", routes), lambda port: client.get(port).status, ORIGIN=Silent(t).port)
    assert status == 504


@needs(peers.envoy_there)
def test_the_idle_timeout_of_a_route_and_of_streams(t):
    routes = """{match: {path: /route}, route: {cluster: origin, timeout: 0s, idle_timeout: 0.3s}},
                {match: {prefix: /}, route: {cluster: origin, timeout: 0s}}"""
    config = HTTP.replace("@ROUTES@", routes) + "          stream_idle_timeout: 0.4s\n"
    statuses = both(t, config, lambda port: [client.get(port, path).status for path in ("/route", "/")], ORIGIN=Silent(t).port)
    assert statuses == [504, 504]


@needs(peers.envoy_there)
def test_an_answer_that_takes_longer_is_broken_off(t):
    origin = Silent(t, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")

    def observe(port):
        sock = t.connect(port)
        sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        raw = b""
        try:
            while piece := sock.recv(4096):
                raw += piece
        except ConnectionResetError:
            pass
        return raw.split(b" ", 2)[1], raw.endswith(b"4\r\nhalf\r\n")
    assert both(t, HTTP.replace("@ROUTES@", "{match: {prefix: /}, route: {cluster: origin, timeout: 0.3s}}"), observe,
                ORIGIN=origin.port) == (b"200", True)


@needs(peers.envoy_there)
def test_the_timeout_of_a_tunnel_begins_when_its_client_has_ended(t):
    """Over HTTP/2, as only there Envoy knows half a tunnel."""
    over = threading.Event()

    def observe(port):
        over.clear()
        ended, kept = h2.open_peer(t.connect(port)), h2.open_peer(t.connect(port))
        for peer in (ended, kept):
            peer.send(h2.headers(1, h2.connect_block("host.com:443")))
            assert peer.status(1) == 200
        ended.send(h2.frame(h2.DATA, h2.END_STREAM, 1, b"last words"))
        ended.until(h2.RST_STREAM, 1)
        over.set()
        kept.send(h2.frame(h2.DATA, 0, 1, b"still here"))
        return kept.until(h2.DATA, 1)

    def serve(connection):
        """Echoes, and does not end by itself when its client has ended."""
        while words := connection.recv(4096):
            if words != b"last words":
                connection.sendall(words)
        over.wait(20)
    route = "{match: {connect_matcher: {}}, route: {cluster: origin, timeout: 0.3s, " + CONNECT_ENDS + "}}"
    assert both(t, HTTP.replace("@ROUTES@", route), observe, ORIGIN=t.server(serve).port) == b"still here"


TUNNEL = """
          "@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy
          stat_prefix: front
          cluster: origin
          max_connect_attempts: @ATTEMPTS@
          tunneling_config: {hostname: "host.com:443"}
"""


@needs(peers.envoy_there)
def test_a_refused_tunnel_is_asked_for_again(t):
    answers = []

    def serve(connection):
        """The first two CONNECTs are refused, each connection being one."""
        read_head(connection.makefile("rb"))
        answers.append(503 if len(answers) < 2 else 200)
        connection.sendall(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % answers[-1] if answers[-1] != 200 else b"HTTP/1.1 200 OK\r\n\r\n")
        while words := connection.recv(4096):
            connection.sendall(words)

    def observe(port):
        answers.clear()
        sock = t.connect(port)
        sock.sendall(b"words")
        try:
            return sock.recv(5), list(answers)
        except ConnectionResetError:
            return b"", list(answers)
    assert both(t, TUNNEL, observe, ORIGIN=t.server(serve).port, ATTEMPTS=3) == (b"words", [503, 503, 200])
    assert both(t, TUNNEL, observe, ORIGIN=t.server(serve).port, ATTEMPTS=2) == (b"", [503, 503])


RELAY = """
          "@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy
          stat_prefix: front
          cluster: origin
"""


@needs(peers.envoy_there)
def test_a_cluster_has_no_more_connections_than_it_may(t):
    def observe(port):
        first = t.connect(port)
        first.sendall(b"first")
        assert first.recv(5) == b"first"
        second = t.connect(port)
        try:
            refused = second.recv(1)
        except ConnectionResetError:
            refused = b""
        first.sendall(b"again")
        return refused, first.recv(5)
    assert both(t, RELAY, observe, ORIGIN=t.server(echo).port, LIMITS="max_connections: 1") == (b"", b"again")


FORMAT = ("%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_FLAGS_LONG% %RESPONSE_CODE_DETAILS% %ACCESS_LOG_TYPE% %PROTOCOL% %UPSTREAM_HOST% %UPSTREAM_CLUSTER% "
          "%REQ(:METHOD)% %REQ(:PATH)% %REQ(:AUTHORITY)% %REQ(X-None?X-Words):5% %RESP(X-Origin)% %BYTES_RECEIVED% %BYTES_SENT% "
          "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %DOWNSTREAM_LOCAL_PORT% %START_TIME(%Y)% %START_TIME(%E3S)%")
JSON = """{json_format: {text: '%PROTOCOL% says "%%"', of: {sent: "%BYTES_SENT%", path: "%REQ(:PATH)%"}, none: "%REQ(X-NONE)%",
                code: "%RESPONSE_CODE%"}}"""


def logging(form):
    """An access_log into the file @LOG@."""
    return """          access_log:
          - name: file
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
              path: @LOG@
              log_format: %s
""" % form



def lines_of(t, who, filter_config, act, **texts):
    """The lines of the access log for what act(port) does, which returns how many that are."""
    path = f"{t.tmp}/{who}.log"
    count = act(start(t, who, filter_config, LOG=path, **texts))

    def lines():
        with open(path, encoding="utf-8") as file:
            return file.read().splitlines()
    wait.until(lambda: len(lines()) >= count, 10, lambda: f"{count} lines of {who}, now {lines()}")
    return lines()


def as_both_write(line):
    """Without what differs by right: our port, the thousandths of a second, 502 where Envoy says 503, details in words, the size of a refusal."""
    words = line.split(" ")
    words[-1] = re.sub(r"^\d\d\.\d{3}$", "S", words[-1])
    words[-3] = re.sub(r"^\d+$", "P", words[-3])
    words[0] = re.sub("^50[23]$", "50x", words[0])
    words[3] = re.sub(r"\|.*}", "}", words[3])
    if words[0][0] in "45" and words[3] != "direct_response":
        words[-5] = "N"
    if words[1].startswith("UF"):
        words[6] = "U"
    return " ".join(words)


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def answers(connection, left):
    """By the path of a request: an answer, an end without one, one that breaks off, or silence; `left` is set for /left."""
    stream = connection.makefile("rb")
    while head := read_head(stream):
        path = head.split(b" ")[1]
        if path == b"/answered":
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX-Origin: here\r\n\r\nhi\n")
        elif path == b"/garbage":
            connection.sendall(b"garbage\r\n\r\n")
        elif path == b"/left":
            left.set()
        elif path == b"/reset":
            stream.close()
            return reset(connection)
        elif path == b"/gone":
            return stream.close()
    return None


@needs(peers.envoy_there)
def test_access_lines_of_requests(t):
    routes = """{match: {path: /direct}, direct_response: {status: 418, body: {inline_string: text}}},
                {match: {path: /late}, route: {cluster: origin, timeout: 0.2s}},
                {match: {path: /idle}, route: {cluster: origin, timeout: 0s, idle_timeout: 0.2s}},
                {match: {path: /dead}, route: {cluster: dead, timeout: 0s}},
                """ + ",".join("{match: {path: /%s}, route: {cluster: origin, timeout: 0s}}" % path
                               for path in ("answered", "gone", "reset", "garbage", "left"))
    paths = ["/answered", "/direct", "/nowhere", "/dead", "/gone", "/reset", "/garbage", "/late", "/idle"]

    def act(port):
        for path in paths:
            client.get(port, path, fields=("X-Words: words", "Connection: close"))
        sock = t.connect(port)
        left.clear()
        sock.sendall(b"GET /left HTTP/1.1\r\nHost: a\r\n\r\n")
        assert left.wait(10 * wait.SCALE), "the request was not passed on"
        client.get(port, "/direct", fields=("Connection: close",))
        reset(sock)
        return len(paths) + 2
    left = threading.Event()
    texts = {"ORIGIN": t.server(lambda connection: answers(connection, left)).port, "DEAD": t.port()}
    config = HTTP.replace("@ROUTES@", routes) + logging('{text_format_source: {inline_string: "%s\\n"}}' % FORMAT)
    # Sorted: an answer may be read, and the next request served by another worker, before its line is written.
    ours, envoy = (sorted(as_both_write(line) for line in lines_of(t, who, config, act, **texts)) for who in ("ours", "envoy"))
    assert ours == envoy, "\n".join(["we:", *ours, "Envoy:", *envoy])
    flags = sorted(line.split(" ")[1] for line in envoy)
    assert flags == sorted(["-", "-", "NR", "UF", "UC", "UC", "UPE", "UT", "SI", "-", "DC"]), envoy


@needs(peers.envoy_there)
def test_access_lines_of_relays(t):
    def serve(connection):
        while words := connection.recv(4096):
            if words == b"reset":
                return reset(connection)
            connection.sendall(words)
        return None

    def act(port):
        sock = t.connect(port)
        sock.sendall(b"words")
        assert sock.recv(5) == b"words"
        sock.shutdown(socket.SHUT_WR)
        assert sock.recv(5) == b""
        sock = t.connect(port)
        sock.sendall(b"reset")
        with contextlib.suppress(ConnectionResetError):
            sock.recv(1)
        sock = t.connect(port)
        sock.sendall(b"x")
        assert sock.recv(1) == b"x"
        with contextlib.suppress(ConnectionResetError):
            assert sock.recv(1) == b"", "idle"
        return 3
    config = RELAY + "          idle_timeout: 0.3s\n" + logging('{text_format_source: {inline_string: "%s\\n"}}' % FORMAT)
    port = t.server(serve).port
    ours, envoy = (sorted(as_both_write(line) for line in lines_of(t, who, config, act, ORIGIN=port)) for who in ("ours", "envoy"))
    assert ours == envoy, "\n".join(["we:", *ours, "Envoy:", *envoy])
    assert sorted(line.split(" ")[1] for line in envoy) == ["-", "-", "UR"], envoy


@needs(peers.envoy_there)
def test_access_lines_of_a_relay_that_leads_nowhere(t):
    def act(port):
        with contextlib.suppress(ConnectionResetError):
            assert t.connect(port).recv(1) == b""
        return 1
    config = RELAY + logging('{text_format_source: {inline_string: "%s\\n"}}' % FORMAT)
    port = t.port()
    ours, envoy = ([as_both_write(line) for line in lines_of(t, who, config, act, ORIGIN=port)] for who in ("ours", "envoy"))
    assert ours == envoy, (ours, envoy)
    assert " UF,URX UpstreamConnectionFailure,UpstreamRetryLimitExceeded - TcpConnectionEnd " in envoy[0], envoy


@needs(peers.envoy_there)
def test_access_lines_in_json(t):
    def act(port):
        client.get(port, "/p?q=\"x\"", fields=("Connection: close",))
        return 1
    config = HTTP.replace("@ROUTES@", "{match: {prefix: /}, direct_response: {status: 200, body: {inline_string: text}}}") + logging(JSON)
    ours, envoy = (lines_of(t, who, config, act, ORIGIN=1) for who in ("ours", "envoy"))
    assert json.loads(envoy[0]) == {"code": 200, "none": None, "of": {"path": "/p?q=\"x\"", "sent": 4}, "text": 'HTTP/1.1 says "%"'}, envoy
    assert ours == envoy, (ours, envoy)


@needs(peers.envoy_there)
def test_access_lines_on_standard_error(t):
    text = logging("{text_format_source: {inline_string: \"%RESPONSE_CODE% %REQ(:PATH)%\\n\"}}")
    text = text.replace("file.v3.FileAccessLog", "stream.v3.StderrAccessLog").replace("              path: @LOG@\n", "")
    config = HTTP.replace("@ROUTES@", "{match: {prefix: /}, direct_response: {status: 200}}") + text
    for who, programs in (("ours", t.tools), ("envoy", t.peers_)):
        client.get(start(t, who, config, ORIGIN=1), "/told", fields=("Connection: close",))
        wait.until(lambda programs=programs: "200 /told" in programs[-1].report(), 10, f"the line of {who}")
