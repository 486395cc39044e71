# SPDX-License-Identifier: Apache-2.0
"""Filter state over internal listeners, and the answer to a tunnel in the log: the same of a real Envoy and of tun-run."""
from lib import peers, wait
from lib.case import both_ways, limit, needs
from lib.exported import of_lines, on_every_side
from lib.origin import fields_of, read_head

TCP = "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"
SET = "type.googleapis.com/envoy.extensions.filters.network.set_filter_state.v3.Config"

# What each listener logs: objects of its own, then of the internal listener it is connected to.
LOGGED = ("%FILTER_STATE(own)% %FILTER_STATE(next:PLAIN)% %FILTER_STATE(all:TYPED)% %FILTER_STATE(all:PLAIN):4% "
          "%FILTER_STATE(envoy.tcp_proxy.propagate_response_headers)% %FILTER_STATE(envoy.tcp_proxy.propagate_response_headers:PLAIN)% "
          "%FILTER_STATE(none)%")
BACK = "%UPSTREAM_FILTER_STATE(envoy.tcp_proxy.propagate_response_headers:TYPED)%"


def setting(key, value, more="", factory="envoy.string"):
    return ("{object_key: %s, factory_key: %s, format_string: {text_format_source: {inline_string: '%s'}, omit_empty_values: true}, "
            "skip_if_empty: true%s}" % (key, factory, value, more))


FRONT = [setting("own", "say \"%DOWNSTREAM_LOCAL_PORT%\""), setting("next", "n %FILTER_STATE(own:PLAIN)%", ", shared_with_upstream: ONCE"),
         setting("all", "a%FILTER_STATE(none:PLAIN)%", ", shared_with_upstream: TRANSITIVE", "envoy.hashable_string"),
         setting("none", "%DOWNSTREAM_LOCAL_ADDRESS_ENDPOINT_ID%")]



TEMPLATE = """
bootstrap_extensions:
- name: internal
  typed_config: {"@type": type.googleapis.com/envoy.extensions.bootstrap.internal_listener.v3.InternalListener}
static_resources:
  listeners:
  - name: front
    address: {socket_address: {address: 127.0.0.1, port_value: PORT}}
    filter_chains:
    - filters:
      - {name: state, typed_config: {"@type": SET, on_new_connection: [FRONT]}}
      - {name: tcp, typed_config: {"@type": TCP, stat_prefix: front, cluster: to_middle, access_log: [LOG(front)]}}
  - name: middle
    internal_listener: {}
    filter_chains:
    - filters:
      - {name: tcp, typed_config: {"@type": TCP, stat_prefix: middle, cluster: to_last, access_log: [LOG(middle)]}}
  - name: last
    internal_listener: {}
    filter_chains:
    - filters:
      - {name: state, typed_config: {"@type": SET, on_new_connection: [LAST]}}
      - name: tcp
        typed_config:
          "@type": TCP
          stat_prefix: last
          cluster: proxy
          tunneling_config:
            hostname: "%FILTER_STATE(all:PLAIN)%.example:80"
            propagate_response_headers: true
            headers_to_add:
            - {header: {key: x-own, value: "%FILTER_STATE(own:PLAIN)%"}}
            - {header: {key: x-next, value: "%FILTER_STATE(next:PLAIN)%"}}
            - {header: {key: x-all, value: "%FILTER_STATE(all)%"}}
          access_log: [LOG(last)]
  clusters:
  - name: to_middle
    transport_socket: &passing
      name: internal
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.transport_sockets.internal_upstream.v3.InternalUpstreamTransport
        transport_socket: {name: raw, typed_config: {"@type": type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer}}
    load_assignment:
      cluster_name: to_middle
      endpoints: [{lb_endpoints: [{endpoint: {address: {envoy_internal_address: {server_listener_name: middle}}}}]}]
  - name: to_last
    transport_socket: *passing
    load_assignment:
      cluster_name: to_last
      endpoints: [{lb_endpoints: [{endpoint: {address: {envoy_internal_address: {server_listener_name: last}}}}]}]
  - name: proxy
    load_assignment:
      cluster_name: proxy
      endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: PROXY}}}}]}]
"""


def log_of(name, file):
    return ('{name: file, typed_config: {"@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog, path: %s, '
            'log_format: {text_format_source: {inline_string: "%s %s | %s\\n"}}}}' % (file, name, LOGGED, BACK))


def ours(t, file, port):
    return t.tool("tun-run", "--workers", "1", "--envoy", file, listens=[port])


def envoy(t, file, port):
    return t.peer("envoy", [peers.find("envoy"), "-c", file, "--disable-hot-restart", "--concurrency", "1", "-l", "error",
                            "--file-flush-interval-msec", "20", "--base-id", str(len(t.peers_))], [port])


class Proxy:
    """A proxy that answers CONNECT as told and ends; it keeps what it was asked."""

    def __init__(self, t, status):
        self.status, self.asked = status, []
        self.port = t.server(self.handle).port

    def handle(self, connection):
        head = read_head(connection.makefile("rb", buffering=0))
        fields = sorted(f"{name}: {value}" for name, value in fields_of(head) if name.startswith("x-") and name != "x-request-id")
        self.asked.append([head.split(b"\r\n")[0].decode(), *fields])
        connection.sendall(f'HTTP/1.1 {self.status} So\r\nX-Why: it "is"\r\nx-why: too\r\n\r\n'.encode())


def through_chain(t, run, status):
    """What the proxy is asked for, and the three lines of the log, with the port of the client's side as PORT."""
    proxy, port = Proxy(t, status), t.port()
    log = t.write("log", "")
    text = TEMPLATE.replace("PORT", str(port)).replace("PROXY", str(proxy.port)).replace("SET", SET).replace("TCP", TCP)
    text = text.replace("FRONT", ", ".join(FRONT)).replace("LAST", setting("own", "last"))
    for name in ("front", "middle", "last"):
        text = text.replace(f"LOG({name})", log_of(name, log))
    run(t, t.write("chain.yaml", text), port)
    sock = t.connect(port)
    try:
        sock.sendall(b"x")
        assert sock.recv(1) == b""
    except ConnectionResetError:
        pass
    sock.close()

    def lines():
        with open(log, encoding="utf-8") as file:
            return file.read().splitlines()

    wait.until(lambda: len(lines()) == 3, 10, "three lines of the access log")
    return proxy.asked, dict(line.replace(str(port), "PORT").split(" ", 1) for line in lines())


def expected(status):
    answer = ('{"headers":[{"key":":status","value":"%s"},{"key":"x-why","value":"it \\"is\\""},{"key":"x-why","value":"too"}]}' % status)
    asked = ["CONNECT a.example:80 HTTP/1.1", 'x-all: "a"', "x-own: last"]
    return [asked], {"front": '"say \\"PORT\\"" n say "PORT" "a" a - - - | BACK', "middle": '- n say "PORT" "a" a - - - | BACK',
                     "last": f'"last" - "a" a {answer} - - | -'}, answer


def check(t, run, back):
    """`back`: what listeners in front know of the answer the last one got."""
    for status in (200, 403):
        asked, lines = through_chain(t.scene(False), run, status)
        wanted, logged, answer = expected(status)
        assert asked == wanted, asked
        # A quote in a value is escaped here, so that it cannot look like the end of one in the format.
        lines = {name: line.replace("\\x22", '"') for name, line in lines.items()}
        assert lines == {name: line.replace("BACK", answer if back else "-") for name, line in logged.items()}, lines


def test_state_goes_along_and_the_answer_comes_back(t):
    check(t, ours, back=True)


@needs(peers.envoy_there)
def test_state_of_envoy_is_the_same_but_nothing_comes_back(t):
    check(t, envoy, back=False)


LINES = ("tcp-chain -l {port} -t internal:middle --state 'who=%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%' --state once:b=1 --name front",
         "tcp-chain -l internal:middle -t internal:last --pass-state",
         "tun-encap -l internal:last -x h1:127.0.0.1:{proxy} --target t:1 --header 'x-who: <%FILTER_STATE(who:PLAIN)%>' "
         "--header 'x-b: %FILTER_STATE(b:PLAIN)%'")


@both_ways
def test_state_of_lines(t):
    proxy, port = Proxy(t, 403), t.port()
    t.run(*[line.format(port=port, proxy=proxy.port) for line in LINES])
    sock = t.connect(port)
    try:
        assert sock.recv(1) == b""
    except ConnectionResetError:
        pass
    assert proxy.asked == [["CONNECT t:1 HTTP/1.1", "x-who: <127.0.0.1>"]], proxy.asked


@limit(60)
@needs(peers.envoy_there)
def test_state_of_lines_is_exported(t):
    port = t.port()
    proxy = Proxy(t, 403)

    def observe(scene):
        before = len(proxy.asked)
        sock = scene.connect(port)
        try:
            sock.sendall(b"x")
            assert sock.recv(1) == b""
        except ConnectionResetError:
            pass
        return proxy.asked[before:]

    seen = on_every_side(t, [of_lines(*[line.format(port=port, proxy=proxy.port) for line in LINES])], observe)
    assert seen == [["CONNECT t:1 HTTP/1.1", "x-who: <127.0.0.1>"]], seen
