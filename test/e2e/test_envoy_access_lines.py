# SPDX-License-Identifier: Apache-2.0
"""Access lines with what is known of connections: metadata, our end upstream, attempts. The same of a real Envoy and of tun-run."""
import json
import re

from lib import client, peers, wait
from lib.case import needs
from lib.origin import read_head

RAW = '{name: raw, typed_config: {"@type": type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer}}'
# Two listeners lead to the origin: one over an internal listener, which is told of the endpoint, and one by HTTP.
FILE = """
bootstrap_extensions:
- name: internal
  typed_config: {"@type": type.googleapis.com/envoy.extensions.bootstrap.internal_listener.v3.InternalListener}
static_resources:
  listeners:
  - name: front
    address: {socket_address: {address: 127.0.0.1, port_value: FRONT}}
    filter_chains: [{filters: [{name: tcp, typed_config: {
      "@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy,
      stat_prefix: front, cluster: inside, access_log: [LOG]}}]}]
  - name: inner
    internal_listener: {}
    filter_chains: [{filters: [{name: tcp, typed_config: {
      "@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy,
      stat_prefix: inner, cluster: origin, access_log: [LOG]}}]}]
  - name: nowhere
    address: {socket_address: {address: 127.0.0.1, port_value: NOWHERE}}
    filter_chains: [{filters: [{name: tcp, typed_config: {
      "@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy,
      stat_prefix: nowhere, cluster: dead, max_connect_attempts: 3, access_log: [LOG]}}]}]
  - name: web
    address: {socket_address: {address: 127.0.0.1, port_value: WEB}}
    filter_chains: [{filters: [{name: http, typed_config: {
      "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager,
      stat_prefix: web, access_log: [LOG],
      http_filters: [{name: router, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}],
      route_config: {virtual_hosts: [{name: all, domains: ["*"], routes: [
        {match: {path: /direct}, direct_response: {status: 200, body: {inline_string: text}}},
        {match: {path: /dead}, route: {cluster: dead}},
        {match: {path: /inside}, route: {cluster: inside}},
        {match: {prefix: /}, route: {cluster: origin}}]}]}}}]}]
  clusters:
  - name: origin
    type: STATIC
    load_assignment: {cluster_name: origin, endpoints: [{lb_endpoints: [
      {endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: ORIGIN}}}}]}]}
  - name: dead
    type: STATIC
    load_assignment: {cluster_name: dead, endpoints: [{lb_endpoints: [
      {endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: DEAD}}}}]}]}
  - name: inside
    type: STATIC
    transport_socket: {name: inside, typed_config: {
      "@type": type.googleapis.com/envoy.extensions.transport_sockets.internal_upstream.v3.InternalUpstreamTransport,
      passthrough_metadata: [{name: a.b, kind: {host: {}}}], transport_socket: RAW}}
    load_assignment: {cluster_name: inside, endpoints: [{lb_endpoints: [{
      metadata: {filter_metadata: {a.b: {name: data, empty: "", number: 100000, truth: true, fraction: 0.5}}},
      endpoint: {address: {envoy_internal_address: {server_listener_name: inner, endpoint_id: id-7}}}}]}]}
""".replace("RAW", RAW)
LOG = """{name: file, typed_config: {"@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog,
          path: PATH, log_format: {omit_empty_values: OMIT, FORM}}}"""

VALUES = {
    "path": "%REQ(:PATH)%", "empty field": "%REQ(X-Empty)%", "local": "%UPSTREAM_LOCAL_ADDRESS%", "local host": "%UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT%",
    "local port": "%UPSTREAM_LOCAL_PORT%", "remote port": "%UPSTREAM_REMOTE_PORT%", "attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
    "id": "%DOWNSTREAM_LOCAL_ADDRESS_ENDPOINT_ID%", "our port": "%DOWNSTREAM_LOCAL_PORT%", "details": "%CONNECTION_TERMINATION_DETAILS%",
    "trailer": "%TRAILER(X-None?X-Other):3%", "flags": "%RESPONSE_FLAGS%",
    **{key: f"%DYNAMIC_METADATA(a.b:{key})%" for key in ("name", "empty", "number", "truth", "fraction", "none")},
    "name cut": "%DYNAMIC_METADATA(a.b:name):2%", "number cut": "%DYNAMIC_METADATA(a.b:number):2%", "truth cut": "%DYNAMIC_METADATA(a.b:truth):2%",
    "mixed": "%DYNAMIC_METADATA(a.b:none)%%DYNAMIC_METADATA(a.b:truth)%",
}
TEXT = "text_format_source: {inline_string: %s}" % json.dumps(" ".join(f"{key.replace(' ', '-')}=<{value}>" for key, value in VALUES.items()) + "\n")
OBJECT = "json_format: %s" % json.dumps({**VALUES, "object": {"inside": {"none": "%REQ(X-None)%"}}, "text": ""})


class Origin:
    """Answers every request, and knows from which ports it was asked."""

    def __init__(self, t):
        self.ports_, self.port = set(), t.server(self.serve).port

    def serve(self, connection):
        self.ports_.add(connection.getpeername()[1])
        stream = connection.makefile("rb")
        while read_head(stream):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi\n")

    def without_ports(self, line):
        """The line with SEEN for what we were asked from: another port stays, and is a difference."""
        return re.sub(r"\d+", lambda digits: "SEEN" if int(digits[0]) in self.ports_ else digits[0], line)


def lines_of(t, who, form, omit, texts, origin):
    path = f"{t.tmp}/{who}-{len(t.tools) + len(t.peers_)}.log"
    ports = {name: t.port() for name in ("FRONT", "NOWHERE", "WEB")}
    log = LOG.replace("PATH", path).replace("OMIT", omit).replace("FORM", form)
    text = FILE.replace("LOG", log)
    for old, new in {**ports, **texts}.items():
        text = re.sub(rf"\b{old}\b", str(new), text)
    name = t.write(f"{who}.yaml", text)
    if who == "ours":
        t.tool("tun-run", "--workers", "1", "--envoy", name, listens=list(ports.values()))
    else:
        t.peer("envoy", [peers.find("envoy"), "-c", name, "--disable-hot-restart", "--concurrency", "1", "-l", "error",
                         "--file-flush-interval-msec", "50", "--base-id", str(len(t.peers_))], list(ports.values()))
    client.get(ports["FRONT"], "/relayed", fields=("Connection: close",))
    try:
        assert t.connect(ports["NOWHERE"]).recv(1) == b""
    except ConnectionResetError:
        pass
    for path_ in ("/first", "/again", "/direct", "/dead", "/inside"):
        client.get(ports["WEB"], path_, fields=("X-Empty:", "Connection: close"))

    def lines():
        with open(path, encoding="utf-8") as file:
            return file.read().splitlines()
    # The relay inside of /inside lives on in the pool, and has no line yet.
    wait.until(lambda: len(lines()) >= 8, 10, lambda: f"8 lines of {who}, now {lines()}")
    ours = {str(port): name for name, port in ports.items()}
    return sorted(re.sub(r"\d+", lambda digits: ours.get(digits[0], digits[0]), origin.without_ports(line)) for line in lines())


@needs(peers.envoy_there)
def test_what_is_known_of_connections(t):
    for form in (TEXT, OBJECT):
        for omit in ("false", "true"):
            origin = Origin(t)
            texts = {"ORIGIN": origin.port, "DEAD": t.port()}
            ours, envoy = (lines_of(t, who, form, omit, texts, origin) for who in ("ours", "envoy"))
            assert ours == envoy, "\n".join(["we:", *ours, "Envoy:", *envoy])
            assert sum("127.0.0.1:SEEN" in line for line in envoy) == 3, envoy  # the relay inside, and two requests
