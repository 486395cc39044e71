# SPDX-License-Identifier: Apache-2.0
"""%REQUESTED_SERVER_NAME%: the host a TLS client asks for is where its tunnel goes, with Envoy's tls_inspector and with ours."""
import contextlib
import os
import socket
import ssl
import subprocess

from lib import client, peers, topology, wait
from lib.case import both_ways, needs
from lib.exported import of_lines, on_every_side
from lib.origin import echo, read_head
from lib.topology import tcp
from lib.wait import SCALE

FILE = """
static_resources:
  listeners:
  - name: front
    address: {socket_address: {address: 127.0.0.1, port_value: @PORT@}}
    @FILTERS@
    filter_chains:
    - filters:
      - name: proxy
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy
          stat_prefix: front
          cluster: proxy
          tunneling_config: {hostname: "@HOST@", headers_to_add: [{header: {key: x-sni, value: "is %REQUESTED_SERVER_NAME%"}}]}
          access_log:
          - name: file
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
              path: @LOG@
              log_format: {text_format_source: {inline_string: "%REQUESTED_SERVER_NAME%\\n"}}
  clusters:
  - name: proxy
    type: STATIC
    load_assignment:
      cluster_name: proxy
      endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: @PROXY@}}}}]}]
"""
INSPECTOR = """listener_filters:
    - name: inspector
      typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector}
"""


def hello(name):
    """What a TLS client sends first that asks for `name`, None: for none."""
    context = ssl.create_default_context()
    context.check_hostname = False
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing, server_hostname=name).do_handshake()
    return outgoing.read()


class Proxy:
    """Says 200 to every CONNECT and sends back what comes; keeps what it was asked."""

    def __init__(self, t):
        self.asked, self.port = [], t.server(self.serve).port

    def serve(self, connection):
        head = read_head(connection.makefile("rb", buffering=0)).decode()
        fields = [line.strip() for line in head.split("\r\n") if line.startswith("x-sni")]
        self.asked.append((head.split(" ")[1], *fields))
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        echo(connection)


def exchange(port, sent, ends=False):
    """Whether all of `sent` comes back, behind which the client may have ended; not: a reset, or an end instead of it."""
    with client.connect(port) as sock:
        try:
            sock.sendall(sent)
            if ends:
                sock.shutdown(socket.SHUT_WR)
            back = sock.recv(len(sent), socket.MSG_WAITALL)
            return back == sent
        except ConnectionResetError:
            return False


def observe(t, who, sends, filters=INSPECTOR, host="%REQUESTED_SERVER_NAME%:443", ends=False):
    """(what the proxy was asked, whether the bytes came back, the lines of the access log) of one client after the other."""
    proxy, port, log = Proxy(t), t.port(), os.path.join(t.tmp, f"{who}.log")
    text = FILE
    for key, value in {"PORT": port, "FILTERS": filters, "HOST": host, "LOG": log, "PROXY": proxy.port}.items():
        text = text.replace(f"@{key}@", str(value))
    name = t.write(f"{who}.yaml", text)
    if who == "ours":
        t.tool("tun-run", "--workers", "1", "--envoy", name, listens=[port])
    else:
        t.peer("envoy", [peers.find("envoy"), "-c", name, "--disable-hot-restart", "--concurrency", "1", "-l", "error",
                         "--file-flush-interval-msec", "50"], [port])
    back = [exchange(port, sent, ends) for sent in sends]

    def lines():
        if not os.path.exists(log):
            return []
        with open(log, encoding="utf-8") as file:
            return file.read().splitlines()
    wait.until(lambda: len(lines()) >= len(proxy.asked), 10, lambda: f"a line a tunnel of {who}, now {lines()}")
    return proxy.asked, back, sorted(lines())


def both(t, sends, **settings):
    return [observe(t, who, sends, **settings) for who in ("envoy", "ours")]


@needs(peers.envoy_there)
def test_the_same_names_from_envoy_and_from_us(t):
    envoy, ours = both(t, [hello("one.example"), hello("Two.Example")])
    assert envoy == ours, (envoy, ours)
    assert ours == ([("one.example:443", "x-sni: is one.example"), ("two.example:443", "x-sni: is two.example")], [True, True],
                    ["one.example", "two.example"])


@needs(peers.envoy_there)
def test_who_names_nobody_goes_on_without_a_name(t):
    envoy, ours = both(t, [hello(None), b"GET / HTTP/1.1\r\n\r\n"], host="host.com:443")
    assert envoy == ours, (envoy, ours)
    assert ours == ([("host.com:443", "x-sni: is")] * 2, [True, True], ["-", "-"])


@needs(peers.envoy_there)
def test_who_ends_before_the_hello_does_loses_nothing_here(t):
    """envoyproxy/envoy#36197."""
    envoy, ours = both(t, [hello("one.example")[:100]], host="host.com:443", ends=True)
    assert envoy[:2] == ([], [False]), envoy
    assert ours == ([("host.com:443", "x-sni: is")], [True], ["-"]), ours


def test_who_sends_and_ends_at_once_is_served(t):
    """The same; Envoy serves it only if it looks before the end has come."""
    ours = observe(t, "ours", [hello("one.example") + b"bye"], ends=True)
    assert ours == ([("one.example:443", "x-sni: is one.example")], [True], ["one.example"]), ours


@needs(peers.envoy_there)
def test_a_name_that_is_no_host_goes_nowhere_here(t):
    """Envoy asks for another."""
    envoy, ours = both(t, [hello("a.example").replace(b"a.example", b"a %x:99\r\n")])
    assert envoy[0] == [("invalid:a__x_99__:443", "x-sni: is invalid:a__x_99__")], envoy
    assert ours[:2] == ([], [False]), ours


@needs(peers.envoy_there)
def test_a_hello_without_an_end_is_refused(t):
    sent = b"\x16\x03\x01\x40\x00\x01\x00\x80\x00".ljust(20000, b"a")
    envoy, ours = both(t, [sent], host="host.com:443")
    assert envoy[:2] == ours[:2] == ([], [False]), (envoy, ours)


@needs(peers.envoy_there)
def test_without_the_inspector_nobody_looks(t):
    envoy, ours = both(t, [hello("one.example")], filters="", host="host.com:443")
    assert envoy == ours, (envoy, ours)
    assert ours == ([("host.com:443", "x-sni: is")], [True], ["-"])


@needs(peers.envoy_there)
def test_exported_it_is_the_same(t):
    proxy, port = Proxy(t), t.port()

    def asked(_):
        proxy.asked.clear()
        assert exchange(port, hello("one.example"))
        return list(proxy.asked)
    words = of_lines(f"tun-encap -l {tcp(port)} -x h1:{tcp(proxy.port)} --target %REQUESTED_SERVER_NAME%:8443")
    assert on_every_side(t, [words], asked) == [("one.example:8443",)]


class TlsOrigin:
    """Answers every request with the name its client asked for."""

    def __init__(self, t):
        key, certificate = peers.certificate(t)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        self.context.sni_callback = lambda tls, name, _: setattr(tls, "asked_for", name)
        self.port = t.server(self.serve).port

    def serve(self, connection):
        with self.context.wrap_socket(connection, server_side=True) as tls:
            read_head(tls.makefile("rb"))
            body = tls.asked_for.encode()
            tls.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(body), body))


@both_ways
@needs(peers.curl_there, peers.openssl_there)
def test_curl_and_openssl_reach_the_host_they_name(t):
    origin = TlsOrigin(t)
    out = t.port()
    t.tool("tun-decap", *topology.ONE, *topology.LOG, "-l", tcp(out), "--to", tcp(origin.port))
    entry, between = t.port(), "internal:tls"
    tool = topology.run(t, f"tcp-chain -l {tcp(entry)} -t {between} --name front",
                        f"tun-encap -l {between} -x h2c:{tcp(out)} --target %REQUESTED_SERVER_NAME%:443 --name tls")
    for name in ("one.example", "two.example"):
        assert peers.curl("-k", "--connect-to", f"::{tcp(entry)}", f"https://{name}/") == name.encode()
    done = subprocess.run([peers.find("openssl"), "s_client", "-quiet", "-connect", tcp(entry), "-servername", "three.example"],
                          input=b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", capture_output=True, timeout=20 * SCALE, check=False)
    assert done.stdout.endswith(b"three.example"), done
    tool.stop()
    names = sorted(line["authority"] for line in tool.access_log() if line["listener"] == "tls")
    assert names == ["one.example:443", "three.example:443", "two.example:443"], names


def test_over_a_unix_socket_and_standard_input(t):
    proxy, path, sent = Proxy(t), os.path.join(t.tmp, "in.sock"), hello("one.example")
    where = ("-x", f"h1:{tcp(proxy.port)}", "--target", "%REQUESTED_SERVER_NAME%:443")
    t.tool("tun-encap", *topology.ONE, "-l", f"unix:{path}", *where, listens=[path])
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(path)
        sock.sendall(sent)
        assert sock.recv(len(sent), socket.MSG_WAITALL) == sent
    session = t.session("tun-encap", *topology.ONE, "-l", "-", *where)
    session.send(sent)
    assert session.read(len(sent)) == sent
    session.finish()
    session.expect(0)
    assert [asked[0] for asked in proxy.asked] == ["one.example:443"] * 2


def test_a_client_that_is_no_tls_client_is_told_why_in_the_log(t):
    proxy, port = Proxy(t), t.port()
    tool = t.tool("tun-encap", *topology.ONE, "-l", tcp(port), "-x", f"h1:{tcp(proxy.port)}", "--target", "%REQUESTED_SERVER_NAME%:443",
                  "--limit", "head-time=500")
    assert not exchange(port, b"GET / HTTP/1.1\r\n\r\n")
    assert tool.err.first(lambda line: "no TLS ClientHello came that names a server (SNI)" in line, 0, 10)
    assert not exchange(port, hello("one.example")[:50])
    assert not proxy.asked
    assert tool.counters()["tunnel_head_timeouts_total"] == 1
