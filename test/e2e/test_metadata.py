# SPDX-License-Identifier: Apache-2.0
"""Metadata that travels with connects to internal listeners: the same at the origin through a real Envoy and through tun-run."""
import json
import os
import re
import urllib.request

from lib import client, peers
from lib.case import both_ways, limit, needs
from lib.exported import of_lines, on_every_side
from lib.origin import echo, read_head
from lib.program import REPO

WAYPOINT = os.path.join(REPO, "test", "envoy-samples", "waypoint_chain.yaml")

# Three listeners, two of them internal; the target and some fields of the tunnel come from metadata.
CHAIN = """
admin: {address: {socket_address: {address: 127.0.0.1, port_value: ADMIN}}}
bootstrap_extensions:
- name: internal
  typed_config: {"@type": type.googleapis.com/envoy.extensions.bootstrap.internal_listener.v3.InternalListener}
static_resources:
  listeners:
  - name: front
    address: {socket_address: {address: 127.0.0.1, port_value: PORT}}
    filter_chains:
    - filters:
      - name: tcp
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy
          stat_prefix: front
          cluster: to_middle
  - name: middle
    internal_listener: {}
    filter_chains:
    - filters:
      - name: tcp
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy
          stat_prefix: middle
          cluster: to_last
  - name: last
    internal_listener: {}
    filter_chains:
    - filters:
      - name: tcp
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy
          stat_prefix: last
          cluster: proxy
          tunneling_config:
            hostname: "%DYNAMIC_METADATA(host:name)%.example:%DYNAMIC_METADATA(host:port)%"
            headers_to_add:
            - {header: {key: x-name, value: "%DYNAMIC_METADATA(host:name)%"}}
            - {header: {key: x-cut, value: "<%DYNAMIC_METADATA(host:name):3%>"}}
            - {header: {key: x-truth, value: "%DYNAMIC_METADATA(host:truth)%"}}
            - {header: {key: x-fraction, value: "%DYNAMIC_METADATA(host:fraction)%"}}
            - {header: {key: x-large, value: "%DYNAMIC_METADATA(host:large)%"}}
            - {header: {key: x-uneven, value: "%DYNAMIC_METADATA(host:uneven)%"}}
            - {header: {key: x-larger, value: "%DYNAMIC_METADATA(host:larger)%"}}
            - {header: {key: x-hex, value: "%DYNAMIC_METADATA(host:hex)%"}}
            - {header: {key: x-quoted, value: "%DYNAMIC_METADATA(host:quoted)%"}}
            - {header: {key: x-yes, value: "%DYNAMIC_METADATA(host:sure)%"}}
            - {header: {key: x-cluster, value: "%DYNAMIC_METADATA(cluster:of)%"}}
            - {header: {key: x-both, value: "%DYNAMIC_METADATA(both:from)%|%DYNAMIC_METADATA(both:more)%"}}
            - {header: {key: x-first-hop, value: "%DYNAMIC_METADATA(first:hop)%"}}
            - {header: {key: x-local, value: "%DOWNSTREAM_LOCAL_ADDRESS%"}}
  clusters:
  - name: to_middle
    transport_socket: &passthrough
      name: internal
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.transport_sockets.internal_upstream.v3.InternalUpstreamTransport
        passthrough_metadata:
        - {name: host, kind: {host: {}}}
        - {name: first, kind: {host: {}}}
        - {name: cluster, kind: {cluster: {}}}
        - {name: both, kind: {host: {}}}
        - {name: both, kind: {cluster: {}}}
        transport_socket:
          name: raw
          typed_config: {"@type": type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer}
    load_assignment:
      cluster_name: to_middle
      endpoints:
      - lb_endpoints:
        - endpoint: {address: {envoy_internal_address: {server_listener_name: middle}}}
          metadata: {filter_metadata: {first: {hop: only}, host: {name: wrong}}}
  - name: to_last
    metadata: {filter_metadata: {cluster: {of: all}, both: {from: cluster}}}
    transport_socket: *passthrough
    load_assignment:
      cluster_name: to_last
      endpoints:
      - lb_endpoints:
        - endpoint: {address: {envoy_internal_address: {server_listener_name: last, endpoint_id: an-id}}}
          metadata:
            filter_metadata:
              host: {name: data-base, port: 5432, truth: true, fraction: 1.50, large: 2000000000, uneven: 1234567, larger: 99999999999, hex: 0x10,
                     quoted: "007", sure: yes}
              both: {from: host, more: gone}
  - name: proxy
    load_assignment:
      cluster_name: proxy
      endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: PROXY}}}}]}]
"""


def ours(t, file, *, listens):
    return t.tool("tun-run", "--workers", "1", "--envoy", file, listens=listens)


def envoy(t, file, *, listens):
    return t.peer("envoy", [peers.find("envoy"), "-c", file, "--disable-hot-restart", "--concurrency", "1", "-l", "error",
                            "--base-id", str(len(t.peers_))], listens)


class Proxy:
    """A proxy for CONNECT that goes nowhere: every tunnel echoes, or answers requests with "hi". It keeps what it was asked."""

    def __init__(self, t, serve=echo):
        self.heads, self.serve_ = [], serve
        self.port = t.server(self.handle).port

    def handle(self, connection):
        head = read_head(connection.makefile("rb", buffering=0))
        self.heads.append(head)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        self.serve_(connection)

    def asked(self):
        """The first line and the x- fields of every request."""
        found = []
        for head in self.heads:
            lines = head.decode().splitlines()
            found.append([lines[0]] + sorted(line for line in lines if re.match("x-(?!request-id)", line)))
        return found


def answer_requests(connection):
    stream = connection.makefile("rb", buffering=0)
    while read_head(stream):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi\n")


def stat(port, name):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/stats?format=json&filter={name}", timeout=10) as answer:
        return {one["name"]: one["value"] for one in json.load(answer)["stats"] if "name" in one}


def through_chain(t, run):
    """What the proxy is asked for by two connections, and how many values were missing on the way."""
    proxy = Proxy(t)
    port, admin = t.port(), t.port()
    text = CHAIN.replace("PORT", str(port)).replace("ADMIN", str(admin)).replace("PROXY", str(proxy.port))
    running = run(t, t.write(f"chain-{run.__name__}.yaml", text), listens=[port, admin])
    for _ in range(2):
        sock = t.connect(port)
        sock.sendall(b"x")
        assert sock.recv(1) == b"x"
    if run is envoy:
        missing = sum(stat(admin, "no_metadata").values())
    else:
        missing = running.counters()["tunnel_no_metadata_total"]
    return proxy.asked(), missing


EXPECTED = ["CONNECT data-base.example:5432 HTTP/1.1", "x-both: cluster|", "x-cluster: all", "x-cut: <dat>", "x-fraction: 1.50", "x-hex: 16",
            "x-large: 2e+09", "x-larger: 99999999999", "x-local: envoy://last/an-id", "x-name: data-base", "x-quoted: 007", "x-truth: true",
            "x-uneven: 1234567", "x-yes: true"]


@both_ways
def test_metadata_reaches_target_and_fields(t):
    # Missing for each connection: to the middle cluster and both twice, to the last first.
    seen = through_chain(t, ours)
    assert seen == ([EXPECTED] * 2, 8), seen


@needs(peers.envoy_there)
def test_metadata_of_envoy_is_the_same(t):
    seen = through_chain(t, envoy)
    assert seen == ([EXPECTED] * 2, 8), seen


def through_waypoint(t, run):
    """What the next proxy is asked for when two workloads are asked for something, in one tunnel and then another."""
    proxy = Proxy(t, answer_requests)
    port = t.port()
    with open(WAYPOINT, encoding="utf-8") as file:
        text = file.read().replace("15008", str(port)).replace("15009", str(proxy.port))
    run(t, t.write(f"waypoint-{run.__name__}.yaml", text), listens=[port])
    answers = []
    for paths in (("/", "/v2/a", "/b"), ("/v2",)):
        sock = t.tunnel(port, "reviews.example:80")
        for path in paths:
            answer = client.request(sock, f"GET {path} HTTP/1.1\r\nHost: reviews.example\r\n\r\n".encode())
            answers.append((answer.status, answer.body))
    return answers, proxy.asked()


INSIDE = "envoy://connect_originate/reviews-v1"
WORKLOADS = [["CONNECT 10.0.0.1:9080 HTTP/1.1", f"x-direct-host: {INSIDE}", "x-direct-id: reviews-v1", f"x-direct: {INSIDE}", "x-generation: 7",
              "x-local-host: 10.0.0.1", "x-local-port: 9080", "x-mesh: clus", "x-workload: reviews-v1"],
             ["CONNECT 10.0.0.2:9080 HTTP/1.1", "x-workload: reviews-v2"]]


@both_ways
def test_waypoint_chain(t):
    seen = through_waypoint(t, ours)
    assert seen == ([(200, b"hi\n")] * 4, WORKLOADS), seen


@needs(peers.envoy_there)
def test_waypoint_chain_of_envoy(t):
    seen = through_waypoint(t, envoy)
    assert seen == ([(200, b"hi\n")] * 4, WORKLOADS), seen


@both_ways
def test_metadata_of_lines(t):
    """An address says what its connections bring along; the access log knows the client on both sides of the hop."""
    proxy = Proxy(t)
    by_metadata, by_original = t.port(), t.port()
    tool = t.run(f"tcp-chain -l {by_metadata} -t internal:out/7,meta.a.b.name=db,meta.a.b.who=me --access-log -",
                 f"tcp-chain -l {by_original} -t internal:back,meta.envoy.filters.listener.original_dst.local=10.0.0.3:5432",
                 f"tun-encap -l internal:out -x h1:127.0.0.1:{proxy.port} --target '%DYNAMIC_METADATA(a.b:name)%.example:1' "
                 "--header 'x-who: %DYNAMIC_METADATA(a.b:who)% at %DOWNSTREAM_LOCAL_ADDRESS_ENDPOINT_ID%' --header 'x-part: 100%' --access-log -",
                 f"tun-encap -l internal:back -x h1:127.0.0.1:{proxy.port} --target @orig-dst", options=("--log-format", "json"))
    clients = []
    for port in (by_metadata, by_original):
        sock = t.connect(port)
        clients.append("127.0.0.1:%d" % sock.getsockname()[1])
        sock.sendall(b"x")
        assert sock.recv(1) == b"x"
        sock.close()
    assert proxy.asked() == [["CONNECT db.example:1 HTTP/1.1", "x-part: 100%", "x-who: me at 7"], ["CONNECT 10.0.0.3:5432 HTTP/1.1"]]
    tool.stop()
    seen = {(record["listener"], record["downstream"]) for record in tool.access_log()}
    assert {client_ for _, client_ in seen} == {clients[0]} and len(seen) == 2, seen


@both_ways
def test_a_target_without_metadata_is_refused(t):
    """In words that name what was missing, to the client's connection at once."""
    proxy, port = Proxy(t), t.port()
    tool = t.run(f"tcp-chain -l {port} -t internal:out,meta.a.b=c",
                 f"tun-encap -l internal:out -x h1:127.0.0.1:{proxy.port} --target '%DYNAMIC_METADATA(a:x)%'")
    try:
        assert t.connect(port).recv(1) == b""
    except ConnectionResetError:
        pass  # even before connect() has returned
    assert not proxy.heads
    tool.stop()
    assert "of a connection to internal:out the target %DYNAMIC_METADATA(a:x)% is empty" in tool.report(), tool.report()


@limit(120)
@needs(peers.envoy_there)
def test_metadata_of_lines_is_exported(t):
    """The lines, run as what they are exported to by a real Envoy, ask for the same tunnels."""
    proxy = Proxy(t)
    by_metadata, by_original = t.port(), t.port()
    words = of_lines(f"tcp-chain -l {by_metadata} -t internal:out/7,meta.a.b.name=db,meta.a.b.number=007",
                     f"tcp-chain -l {by_original} -t internal:back,meta.envoy.filters.listener.original_dst.local=10.0.0.3:5432",
                     f"tun-encap -l internal:out -x h1:127.0.0.1:{proxy.port} --target '%DYNAMIC_METADATA(a.b:name):1%.example:1' "
                     "--header 'x-number: %DYNAMIC_METADATA(a.b:number)% at %DOWNSTREAM_LOCAL_ADDRESS_ENDPOINT_ID%, 100%%'",
                     f"tun-encap -l internal:back -x h1:127.0.0.1:{proxy.port} --target @orig-dst")

    def observe(scene):
        before = len(proxy.heads)
        for port in (by_metadata, by_original):
            sock = scene.connect(port)
            sock.sendall(b"x")
            assert sock.recv(1) == b"x"
            sock.close()
        return proxy.asked()[before:]
    seen = on_every_side(t, [words], observe)
    assert seen == [["CONNECT d.example:1 HTTP/1.1", "x-number: 007 at 7, 100%"], ["CONNECT 10.0.0.3:5432 HTTP/1.1"]], seen
