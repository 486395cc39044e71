// SPDX-License-Identifier: Apache-2.0
// A plan and what Envoy's file says of it, for every row of the table that exports.
#pragma once
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "unit/envoy/export_plans.hpp"

namespace tunnel::envoy {

using plan::Plan;

inline const std::string kListener = "static_resources.listeners.0.";
inline const std::string kFilter = kListener + "filter_chains.0.filters.0.";
inline const std::string kConfig = kFilter + "typed_config.";
inline const std::string kTunnel = kConfig + "tunneling_config.";
inline const std::string kRoutes = kConfig + "route_config.virtual_hosts.0.routes.";
inline const std::string kCluster = "static_resources.clusters.0.";
inline const std::string kEndpoint = kCluster + "load_assignment.endpoints.0.lb_endpoints.0.endpoint.address.";
inline const std::string kOptions =
    kCluster + "typed_extension_protocol_options.envoy~extensions~upstreams~http~v3~HttpProtocolOptions.";
inline const std::string kH2 = kOptions + "explicit_http_config.http2_protocol_options.";

// A row, a plan that has such a value, and what is then where; or, for rows that do not export, what is told.
struct Case {
  std::string field;
  std::string when;
  Plan plan;
  std::string path;
  std::string expected;
};

inline Plan with(Plan plan, const std::function<void(Plan&)>& change) {
  change(plan);
  return plan;
}
inline plan::Tunnel& tunnel(Plan& plan) { return *std::get<plan::TcpProxy>(plan.listeners[0].handler).tunnel; }
inline plan::Pool& pool(Plan& plan) { return plan.clusters[0].pool; }
inline Plan respond_plan(int status, const std::string& body) {
  Plan plan = http_plan({{}, plan::Respond{status, body}, {}});
  plan.clusters.clear();
  return plan;
}
inline Plan handler_plan(plan::Handler handler) {
  Plan plan;
  plan.listeners.push_back(plan::listener("in", plan::Tcp{"127.0.0.1", 1}, std::move(handler), 1));
  return plan;
}
inline Plan listening_on(plan::Address address) {
  return with(tunnel_plan(), [&](Plan& plan) { plan.listeners[0].addresses = {std::move(address)}; });
}
inline Plan leading_to(plan::Address address) {
  return with(tunnel_plan(), [&](Plan& plan) { plan.clusters[0].endpoints = {{std::move(address)}}; });
}
inline Plan at_endpoint() {
  return with(tunnel_plan(), [](Plan& plan) {
    tunnel(plan).target = "@endpoint";
    plan.listeners[0].addresses = {plan::Internal{"in", ""}};
  });
}

inline void add_listeners(std::vector<Case>& cases) {
  const Plan tunnel_of = tunnel_plan();
  const Plan compat = with(tunnel_of, [](Plan& plan) { plan.process.envoy_compat = true; });
  cases.push_back({"process.envoy_compat", "", compat, kListener + "name", "in"});
  cases.push_back({"listener.name", "", tunnel_of, kListener + "name", "in"});
  cases.push_back({"listener.stat_prefix", "", tunnel_of, kConfig + "stat_prefix", "in"});
  const Plan shared = with(tunnel_of, [](Plan& plan) { plan.listeners[0].stat_prefix = "ingress: tcp"; });
  cases.push_back({"listener.stat_prefix", "", shared, kConfig + "stat_prefix", "ingress: tcp"});
  cases.push_back({"listener.addresses", "", listening_on(plan::Tcp{"", 7}), kListener + "additional_addresses",
                   "[{address: {socket_address: {address: ::1, port_value: 7}}}]"});
  cases.push_back({"listener.addresses", "", inside_plan(), "static_resources.listeners.1.internal_listener", "{}"});
  cases.push_back({"listener.handler", "", tunnel_of, kConfig + "@type",
                   type_of("envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy")});
  const Plan impatient = with(tunnel_of, [](Plan& plan) { plan.listeners[0].idle_timeout = plan::Milliseconds(1500); });
  cases.push_back({"listener.idle_timeout", "", impatient, kConfig + "idle_timeout", "1.500s"});
  const Plan requests = with(http_plan({{}, plan::Forward{"up"}, {}}),
                             [](Plan& plan) { plan.listeners[0].idle_timeout = plan::Milliseconds(5); });
  cases.push_back({"listener.idle_timeout", "", requests, kConfig + "stream_idle_timeout", "0.005s"});
  cases.push_back(
      {"listener.idle_timeout", "", requests, kConfig + "common_http_protocol_options.idle_timeout", "0.005s"});
  const Plan stubborn =
      with(tunnel_of, [](Plan& plan) { std::get<plan::TcpProxy>(plan.listeners[0].handler).connect_attempts = 3; });
  cases.push_back({"tcp_proxy.connect_attempts", "", stubborn, kConfig + "max_connect_attempts", "3"});
  cases.push_back({"tcp_proxy.connect_attempts", "", tunnel_of, kConfig + "max_connect_attempts", "(none)"});
  const Plan by_name = with(tunnel_of, [](Plan& plan) {
    std::get<plan::TcpProxy>(plan.listeners[0].handler).tls_inspector = true;
    tunnel(plan).target = "%REQUESTED_SERVER_NAME%:443";
  });
  cases.push_back({"tcp_proxy.tls_inspector", "", by_name, kListener + "listener_filters",
                   "[{name: envoy.filters.listener.tls_inspector, typed_config: {@type: " +
                       type_of("envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector") + "}}]"});
  cases.push_back({"tcp_proxy.tls_inspector", "", tunnel_of, kListener + "listener_filters", "(none)"});
  const Plan for_ever = with(tunnel_of, [](Plan& plan) { plan.listeners[0].idle_timeout = plan::Milliseconds(0); });
  cases.push_back({"listener.idle_timeout", "", for_ever, kConfig + "idle_timeout", "0s"});
  const Plan long_streams = with(requests, [](Plan& plan) {
    std::get<plan::HttpProxy>(plan.listeners[0].handler).stream_idle_timeout = plan::Milliseconds(0);
  });
  cases.push_back({"http_proxy.stream_idle_timeout", "", long_streams, kConfig + "stream_idle_timeout", "0s"});
  const Plan young = with(tunnel_of, [](Plan& plan) { plan.listeners[0].max_lifetime = plan::Milliseconds(60000); });
  cases.push_back({"listener.max_lifetime", "", young, kConfig + "max_downstream_connection_duration", "60s"});
  const Plan young_requests = with(http_plan({{}, plan::Forward{"up"}, {}}),
                                   [](Plan& plan) { plan.listeners[0].max_lifetime = plan::Milliseconds(1); });
  cases.push_back({"listener.max_lifetime", "", young_requests,
                   kConfig + "common_http_protocol_options.max_connection_duration", "0.001s"});
  const Plan few = with(tunnel_of, [](Plan& plan) { plan.listeners[0].max_connections = 9; });
  cases.push_back({"listener.max_connections", "", few, kFilter + "typed_config",
                   "{@type: " + type_of("envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit") +
                       ", stat_prefix: in, max_connections: 9}"});
  const Plan buffer = with(inside_plan(), [](Plan& plan) { plan.listeners[1].buffer_bytes = 1U << 20U; });
  cases.push_back({"listener.buffer_bytes", "", buffer, "bootstrap_extensions.0.typed_config.buffer_size_kb", "1024"});
  const Plan narrow = with(tunnel_of, [](Plan& plan) {
    plan.listeners[0].read_ahead_bytes = 32768;
    plan.clusters[0].read_ahead_bytes = 1U << 20U;
  });
  cases.push_back({"listener.read_ahead_bytes", "", narrow, kListener + "per_connection_buffer_limit_bytes", "32768"});
  cases.push_back({"cluster.read_ahead_bytes", "", narrow, kCluster + "per_connection_buffer_limit_bytes", "1048576"});
  const Plan logging = with(tunnel_of, [](Plan& plan) { plan.listeners[0].access_log = "/log"; });
  cases.push_back({"listener.access_log", "", logging, kConfig + "access_log.0.typed_config",
                   "{@type: " + type_of("envoy.extensions.access_loggers.file.v3.FileAccessLog") + ", path: /log}"});
  const Plan printing =
      with(http_plan({{}, plan::Forward{"up"}, {}}), [](Plan& plan) { plan.listeners[0].access_log = "-"; });
  cases.push_back({"listener.access_log", "", printing, kConfig + "access_log.0.typed_config",
                   "{@type: " + type_of("envoy.extensions.access_loggers.stream.v3.StdoutAccessLog") + "}"});
  const Plan complaining = with(tunnel_of, [](Plan& plan) {
    plan.listeners[0].access_log = "/dev/stderr";
    plan.listeners[0].access_format.text = "100%% %DURATION%\n";
  });
  const std::string kLogger = kConfig + "access_log.0.typed_config";
  cases.push_back({"listener.access_log", "", complaining, kLogger + ".@type",
                   type_of("envoy.extensions.access_loggers.stream.v3.StderrAccessLog")});
  cases.push_back({"listener.access_format", "", complaining, kLogger + ".log_format",
                   "{text_format_source: {inline_string: 100%% %DURATION%\n}}"});
  cases.push_back({"access_format.text", "", complaining, kLogger + ".log_format.text_format_source.inline_string",
                   "100%% %DURATION%\n"});
  const Plan objects = with(logging, [](Plan& plan) {
    plan.listeners[0].access_format.omit_empty_values = true;
    plan.listeners[0].access_format.fields = {{"a b", "x"}, {"c", "", {{"d", "%REQ(:PATH)%"}}}};
  });
  cases.push_back(
      {"access_format.fields", "", objects, kLogger + ".log_format.json_format", "{a b: x, c: {d: %REQ(:PATH)%}}"});
  cases.push_back({"access_format.omit_empty_values", "", objects, kLogger + ".log_format.omit_empty_values", "true"});
  cases.push_back({"access_field.name", "", objects, kLogger + ".log_format.json_format.a b", "x"});
  cases.push_back({"access_field.text", "", objects, kLogger + ".log_format.json_format.c.d", "%REQ(:PATH)%"});
  cases.push_back({"access_field.fields", "", objects, kLogger + ".log_format.json_format.c", "{d: %REQ(:PATH)%}"});
  cases.push_back({"echo", "", handler_plan(plan::Echo{}), kConfig + "@type",
                   type_of("envoy.extensions.filters.network.echo.v3.Echo")});
}

inline void add_addresses(std::vector<Case>& cases) {
  cases.push_back({"tcp.host", "", listening_on(plan::Tcp{"*", 7}), kListener + "address.socket_address",
                   "{address: 0.0.0.0, port_value: 7}"});
  cases.push_back(
      {"tcp.host", "", listening_on(plan::Tcp{"::1", 7}), kListener + "address.socket_address.address", "::1"});
  cases.push_back({"tcp.port", "", tunnel_plan(), kEndpoint + "socket_address.port_value", "2"});
  cases.push_back(
      {"internal.listener", "", inside_plan(), kEndpoint + "envoy_internal_address", "{server_listener_name: mid}"});
  const Plan with_id =
      with(inside_plan(), [](Plan& plan) { plan.clusters[0].endpoints = {{plan::Internal{"mid", "a:1"}}}; });
  cases.push_back({"internal.endpoint_id", "", with_id, kEndpoint + "envoy_internal_address.endpoint_id", "a:1"});
  const std::string odd = "/run/a 'b\" \\ #\n\xc3\xa9.sock";
  cases.push_back({"unix.path", "", leading_to(plan::Unix{odd, 0600}), kEndpoint + "pipe", "{path: " + odd + "}"});
  cases.push_back(
      {"unix.mode", "", listening_on(plan::Unix{"/x", 0660}), kListener + "address.pipe", "{path: /x, mode: 432}"});
  cases.push_back({"unix.mode", "", listening_on(plan::Unix{"@x", 0600}), kListener + "address.pipe", "{path: @x}"});
  cases.push_back({"process.admin", "",
                   with(tunnel_plan(), [](Plan& plan) { plan.process.admin = plan::Tcp{"::1", 9}; }), "admin",
                   "{address: {socket_address: {address: ::1, port_value: 9}}}"});
  cases.push_back({"process.admin", "", with(tunnel_plan(), [](Plan& plan) { plan.process.admin = plan::Tcp{"*", 9}; }),
                   "admin", "{address: {socket_address: {address: ::, port_value: 9, ipv4_compat: true}}}"});
}

inline void add_tunnels(std::vector<Case>& cases) {
  const Plan tunnel_of = tunnel_plan();
  cases.push_back({"tcp_proxy.cluster", "", tunnel_of, kConfig + "cluster", "up"});
  cases.push_back({"tcp_proxy.tunnel", "", tunnel_of, kConfig + "tunneling_config", "{hostname: t:443}"});
  cases.push_back({"tunnel.target", "", tunnel_of, kTunnel + "hostname", "t:443"});
  cases.push_back({"tunnel.target", "", at_endpoint(), kTunnel + "hostname", "%DOWNSTREAM_LOCAL_ADDRESS_ENDPOINT_ID%"});
  const Plan redirected = with(tunnel_of, [](Plan& plan) { tunnel(plan).target = "@orig-dst"; });
  cases.push_back({"tunnel.target", "@orig-dst", redirected, kTunnel + "hostname", "%DOWNSTREAM_LOCAL_ADDRESS%"});
  cases.push_back({"tunnel.target", "@orig-dst", redirected, kListener + "listener_filters.0.typed_config",
                   "{@type: " + type_of("envoy.extensions.filters.listener.original_dst.v3.OriginalDst") + "}"});
  const Plan post = with(tunnel_of, [](Plan& plan) {
    tunnel(plan).post = true;
    tunnel(plan).post_path = "/p?q";
  });
  cases.push_back({"tunnel.post", "", post, kTunnel + "use_post", "true"});
  cases.push_back({"tunnel.post_path", "", post, kTunnel + "post_path", "/p?q"});
  const Plan headers = with(tunnel_of, [](Plan& plan) { tunnel(plan).headers = {{"a", "50% of 'it'"}, {"b", ""}}; });
  cases.push_back({"tunnel.headers", "", headers, kTunnel + "headers_to_add",
                   "[{header: {key: a, value: 50%% of 'it'}}, {header: {key: b, value: }, keep_empty_value: true}]"});
  const Plan format = with(
      tunnel_of, [](Plan& plan) { tunnel(plan).headers = {{"a", "port %DOWNSTREAM_LOCAL_PORT%, 50%%", false, true}}; });
  cases.push_back({"header.format", "", format, kTunnel + "headers_to_add.0",
                   "{header: {key: a, value: port %DOWNSTREAM_LOCAL_PORT%, 50%%}}"});
  cases.push_back({"header.name", "", headers, kTunnel + "headers_to_add.0.header.key", "a"});
  cases.push_back({"header.value", "", headers, kTunnel + "headers_to_add.0.header.value", "50%% of 'it'"});
}

inline void add_metadata(std::vector<Case>& cases) {
  const Plan bringing = with(inside_plan(), [](Plan& plan) {
    using Kind = plan::Metadata::Kind;
    plan.clusters[0].endpoints[0].metadata = {{"a.b", "k", "5"},
                                              {"z", "x: y", "'\xc3\xa9\""},
                                              {"a.b", "n", "-5", Kind::number},
                                              {"a.b", "t", "true", Kind::boolean}};
    plan.clusters[0].metadata = {{"c", "true", "false"}};
    plan.clusters[0].passthrough = {{"a.b", plan::Passthrough::From::host}, {"c", plan::Passthrough::From::cluster}};
  });
  const std::string host = kCluster + "load_assignment.endpoints.0.lb_endpoints.0.metadata.filter_metadata";
  cases.push_back({"endpoint.metadata", "", bringing, host + ".z", "{x: y: '\xc3\xa9\"}"});
  for (const char* field : {"metadata.space", "metadata.key", "metadata.value", "metadata.kind"})
    cases.push_back({field, "", bringing, host + ".a~b", "{k: 5, n: -5, t: true}"});
  cases.push_back({"cluster.metadata", "", bringing, kCluster + "metadata", "{filter_metadata: {c: {true: false}}}"});
  const std::string socket = kCluster + "transport_socket.typed_config.";
  cases.push_back({"cluster.passthrough", "", bringing, socket + "transport_socket.typed_config",
                   "{@type: " + type_of("envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer") + "}"});
  for (const char* field : {"passthrough.space", "passthrough.from"})
    cases.push_back({field, "", bringing, socket + "passthrough_metadata",
                     "[{name: a.b, kind: {host: {}}}, {name: c, kind: {cluster: {}}}]"});
  const Plan format = with(inside_plan(), [](Plan& plan) {
    plan.listeners[1].handler = plan::TcpProxy{"out", plan::Tunnel{"%DYNAMIC_METADATA(a:b):9%.example:80"}};
    plan.clusters.push_back(plan::cluster("out", plan::Tcp{"10.0.0.1", 2}, 4));
  });
  cases.push_back({"tunnel.target", "with operators", format,
                   "static_resources.listeners.1.filter_chains.0.filters.0.typed_config.tunneling_config.hostname",
                   "%DYNAMIC_METADATA(a:b):9%.example:80"});
}

inline void add_state(std::vector<Case>& cases) {
  const Plan setting = with(inside_plan(), [](Plan& plan) {
    plan.listeners[0].state = {{"a.b", "%DOWNSTREAM_REMOTE_ADDRESS% 100%%", StateShare::none},
                               {"c", "x", StateShare::once},
                               {"envoy.filters.listener.original_dst.local_ip", "10.0.0.1:2", StateShare::transitive}};
    plan.clusters[0].passes_state = true;
  });
  const std::string objects = kConfig + "on_new_connection";
  cases.push_back({"listener.state", "", setting, kConfig + "@type",
                   type_of("envoy.extensions.filters.network.set_filter_state.v3.Config")});
  const auto format = [](const std::string& value) {
    return "format_string: {text_format_source: {inline_string: " + value +
           "}, omit_empty_values: true}, skip_if_empty: true";
  };
  cases.push_back({"state.key", "", setting, objects + ".2",
                   "{object_key: envoy.filters.listener.original_dst.local_ip, " + format("10.0.0.1:2") +
                       ", shared_with_upstream: TRANSITIVE}"});
  cases.push_back(
      {"state.value", "", setting, objects + ".0",
       "{object_key: a.b, factory_key: envoy.hashable_string, " + format("%DOWNSTREAM_REMOTE_ADDRESS% 100%%") + "}"});
  cases.push_back({"state.share", "", setting, objects + ".1.shared_with_upstream", "ONCE"});
  cases.push_back({"cluster.passes_state", "", setting, kCluster + "transport_socket.typed_config.@type",
                   type_of("envoy.extensions.transport_sockets.internal_upstream.v3.InternalUpstreamTransport")});
  const Plan keeping = with(tunnel_plan(), [](Plan& plan) {
    tunnel(plan).keeps_response_headers = true;
    tunnel(plan).keeps_response_trailers = true;
  });
  cases.push_back({"tunnel.keeps_response_headers", "", keeping, kTunnel + "propagate_response_headers", "true"});
  cases.push_back({"tunnel.keeps_response_trailers", "", keeping, kTunnel + "propagate_response_trailers", "true"});
}

inline void add_routes(std::vector<Case>& cases) {
  const Plan forward = http_plan({{false, "/a"}, plan::Forward{"up"}, {}});
  cases.push_back({"http_proxy.codec", "", forward, kConfig + "codec_type", "AUTO"});
  for (const auto& [codec, word] : {std::pair(plan::Http::h1, "HTTP1"), std::pair(plan::Http::h2, "HTTP2")}) {
    const Plan one =
        with(forward, [&](Plan& plan) { std::get<plan::HttpProxy>(plan.listeners[0].handler).codec = codec; });
    cases.push_back({"http_proxy.codec", "", one, kConfig + "codec_type", word});
  }
  cases.push_back({"http_proxy.routes", "", forward, kConfig + "route_config.virtual_hosts.0.domains", "[*]"});
  const Plan few_streams =
      with(forward, [](Plan& plan) { std::get<plan::HttpProxy>(plan.listeners[0].handler).streams = 7; });
  cases.push_back(
      {"http_proxy.streams", "", few_streams, kConfig + "http2_protocol_options", "{max_concurrent_streams: 7}"});
  cases.push_back({"route.match", "", forward, kRoutes + "0.match", "{prefix: /a}"});
  cases.push_back({"match.prefix", "", forward, kRoutes + "0.match.prefix", "/a"});
  cases.push_back({"route.action", "", forward, kRoutes + "0.route", "{cluster: up, timeout: 0s}"});
  cases.push_back({"forward.cluster", "", forward, kRoutes + "0.route.cluster", "up"});
  const Plan timed = http_plan({{}, plan::Forward{"up", plan::Milliseconds(1500), plan::Milliseconds(0)}, {}});
  cases.push_back({"forward.timeout", "", timed, kRoutes + "0.route.timeout", "1.500s"});
  cases.push_back({"forward.idle_timeout", "", timed, kRoutes + "0.route.idle_timeout", "0s"});
  const Plan timed_end =
      http_plan({{true, "/"}, plan::Terminate{"up", true, plan::Milliseconds(2000), plan::Milliseconds(7)}, {}});
  cases.push_back({"terminate.timeout", "", timed_end, kRoutes + "0.route.timeout", "2s"});
  cases.push_back({"terminate.timeout", "", timed_end, kRoutes + "1.route.timeout", "2s"});
  cases.push_back({"terminate.idle_timeout", "", timed_end, kRoutes + "1.route.idle_timeout", "0.007s"});
  const Plan passed_on = http_plan({{true, "/"}, plan::Forward{"up"}, {}});
  cases.push_back({"match.connect", "", passed_on, kRoutes + "0",
                   "{match: {connect_matcher: {}}, route: {cluster: up, timeout: 0s}}"});
  cases.push_back({"match.connect", "", passed_on, kConfig + "upgrade_configs", "[{upgrade_type: CONNECT}]"});
  cases.push_back({"match.connect", "", passed_on, kConfig + "http2_protocol_options.allow_connect", "true"});
  const std::string ended =
      "route: {cluster: up, timeout: 0s, upgrade_configs: [{upgrade_type: CONNECT, connect_config: ";
  const Plan terminate = http_plan({{true, "/"}, plan::Terminate{"up", false}, {}});
  cases.push_back(
      {"terminate.cluster", "", terminate, kRoutes + "0", "{match: {connect_matcher: {}}, " + ended + "{}}]}}"});
  cases.push_back({"terminate.post", "", terminate, kRoutes + "1", "(none)"});
  const Plan posts = http_plan({{true, "/"}, plan::Terminate{"up", true}, {}});
  cases.push_back({"terminate.post", "", posts, kRoutes + "1",
                   "{match: {prefix: /, headers: [{name: :method, string_match: {exact: POST}}]}, " + ended +
                       "{allow_post: true}}]}}"});
  cases.push_back({"respond.status", "", respond_plan(204, ""), kRoutes + "0.direct_response", "{status: 204}"});
  cases.push_back({"respond.body", "", respond_plan(200, "a: 'b'\r\n\t"),
                   kRoutes + "0.direct_response.body.inline_string", "a: 'b'\r\n\t"});
  cases.push_back({"respond.body", "", respond_plan(200, std::string("\0\xff", 2)), kRoutes + "0.direct_response.body",
                   "{inline_bytes: AP8=}"});
  cases.push_back({"respond.body", "", respond_plan(200, std::string(5000, 'x')),
                   kConfig + "route_config.max_direct_response_body_size_bytes", "5000"});
}

inline void add_matches(std::vector<Case>& cases) {
  plan::Match match;
  match.prefix = "/a";
  match.whole = true;
  match.method = "GET";
  match.fields = {{"foo", "b a"}, {"x", ""}};
  match.domains = {"a.example", "*.b"};
  const Plan all = http_plan({match, plan::Forward{"up"}, {}});
  const std::string fields =
      "[{name: :method, string_match: {exact: GET}}, {name: foo, string_match: {exact: b a}}, "
      "{name: x, string_match: {exact: }}]";
  cases.push_back({"match.whole", "", all, kRoutes + "0.match", "{path: /a, headers: " + fields + "}"});
  cases.push_back({"match.method", "", all, kRoutes + "0.match.headers.0.name", ":method"});
  cases.push_back({"match.fields", "", all, kRoutes + "0.match.headers", fields});
  cases.push_back({"field_match.name", "", all, kRoutes + "0.match.headers.1.name", "foo"});
  cases.push_back({"field_match.value", "", all, kRoutes + "0.match.headers.1.string_match.exact", "b a"});
  const Plan hosts = with(all, [](Plan& plan) {
    auto& routes = std::get<plan::HttpProxy>(plan.listeners[0].handler).routes;
    routes.push_back({{}, plan::Respond{404, ""}, {}});
    routes.push_back({{}, plan::Respond{403, ""}, {}});
    routes.back().match.domains = {"*.b", "a.example"};
  });
  const std::string virtual_hosts = kConfig + "route_config.virtual_hosts.";
  cases.push_back({"match.domains", "", hosts, virtual_hosts + "0.domains", "[a.example, *.b]"});
  cases.push_back({"match.domains", "", hosts, virtual_hosts + "0.routes.1.direct_response.status", "403"});
  cases.push_back({"match.domains", "", hosts, virtual_hosts + "1",
                   "{name: in-2, domains: [*], routes: [{match: {prefix: /}, direct_response: {status: 404}}]}"});
  match = {};
  match.method = "POST";
  cases.push_back({"terminate.post", "", http_plan({match, plan::Terminate{"up", true}, {}}), kRoutes + "0",
                   "{match: {prefix: /, headers: [{name: :method, string_match: {exact: POST}}]}, route: {cluster: up, "
                   "timeout: 0s, upgrade_configs: [{upgrade_type: CONNECT, connect_config: {allow_post: true}}]}}"});
}

inline void add_clusters(std::vector<Case>& cases) {
  const Plan tunnel_of = tunnel_plan();
  cases.push_back({"cluster.name", "", tunnel_of, kCluster + "name", "up"});
  cases.push_back({"cluster.find", "", tunnel_of, kCluster + "type", "STATIC"});
  const Plan named = leading_to(plan::Tcp{"a.example", 2});
  cases.push_back({"cluster.find", "", named, kCluster + "type", "LOGICAL_DNS"});
  cases.push_back({"cluster.find", "", named, kCluster + "dns_lookup_family", "ALL"});
  const Plan two = with(named, [](Plan& plan) { plan.clusters[0].endpoints.push_back({plan::Tcp{"10.0.0.2", 3}}); });
  cases.push_back({"cluster.find", "", two, kCluster + "type", "STRICT_DNS"});
  cases.push_back({"cluster.endpoints", "", two,
                   kCluster + "load_assignment.endpoints.0.lb_endpoints.1.endpoint.address.socket_address.port_value",
                   "3"});
  cases.push_back({"endpoint.address", "", two, kEndpoint + "socket_address.address", "a.example"});
  cases.push_back({"cluster.protocol", "", tunnel_of, kH2 + "max_concurrent_streams", "100"});
  const Plan h1 = with(tunnel_of, [](Plan& plan) { plan.clusters[0].protocol = plan::Http::h1; });
  cases.push_back({"cluster.protocol", "", h1, kOptions + "explicit_http_config", "{http_protocol_options: {}}"});
  for (const auto& [family, word] : {std::pair(plan::Family::v4, "V4_ONLY"), std::pair(plan::Family::v6, "V6_ONLY")}) {
    const Plan one = with(named, [&](Plan& plan) { plan.clusters[0].family = family; });
    cases.push_back({"cluster.family", "", one, kCluster + "dns_lookup_family", word});
  }
  const Plan any = with(http_plan({{true, "/"}, plan::Terminate{"up", false}, {}}), [](Plan& plan) {
    plan.clusters[0].find = plan::Cluster::Find::request;
    plan.clusters[0].endpoints.clear();
    plan.clusters[0].rules = {{true, "0.0.0.0/0"}, {true, "::/0"}};
  });
  cases.push_back({"cluster.find", "request, for 0.0.0.0/0 and ::/0", any, kCluster + "type", "ORIGINAL_DST"});
  cases.push_back({"cluster.find", "request, for 0.0.0.0/0 and ::/0", any, kCluster + "load_assignment", "(none)"});
  cases.push_back({"cluster.find", "request, for 0.0.0.0/0 and ::/0", any, kCluster + "original_dst_lb_config",
                   "{use_http_header: true, http_header_name: :authority}"});
  const Plan relay =
      with(tunnel_of, [](Plan& plan) { std::get<plan::TcpProxy>(plan.listeners[0].handler).tunnel.reset(); });
  cases.push_back({"cluster.protocol", "", relay, kCluster + "typed_extension_protocol_options", "(none)"});
  const Plan quick = with(tunnel_of, [](Plan& plan) { plan.clusters[0].connect_timeout = plan::Milliseconds(250); });
  cases.push_back({"cluster.connect_timeout", "", quick, kCluster + "connect_timeout", "0.250s"});
  cases.push_back({"cluster.lb", "", two, kCluster + "lb_policy", "ROUND_ROBIN"});
  cases.push_back({"cluster.lb", "", with(two, [](Plan& plan) { plan.clusters[0].lb = plan::Lb::least; }),
                   kCluster + "lb_policy", "LEAST_REQUEST"});
}

inline void add_pools(std::vector<Case>& cases) {
  const Plan tunnel_of = tunnel_plan();
  cases.push_back({"cluster.pool", "", tunnel_of, kOptions + "@type",
                   type_of("envoy.extensions.upstreams.http.v3.HttpProtocolOptions")});
  const Plan limited = with(tunnel_of, [](Plan& plan) { plan.clusters[0].max_connections = 7; });
  cases.push_back(
      {"cluster.max_connections", "", limited, kCluster + "circuit_breakers.thresholds.0.max_connections", "7"});
  cases.push_back({"pool.connections", "", tunnel_of, kCluster + "circuit_breakers.thresholds.0",
                   "{max_connections: 4294967295, max_pending_requests: 4294967295, max_requests: 4294967295}"});
  cases.push_back({"pool.streams", "", with(tunnel_of, [](Plan& plan) { pool(plan).streams = 7; }),
                   kH2 + "max_concurrent_streams", "7"});
  cases.push_back({"pool.ping", "", tunnel_of, kH2 + "connection_keepalive", "{interval: 15s, timeout: 1s}"});
  cases.push_back({"pool.ping", "", with(tunnel_of, [](Plan& plan) { pool(plan).ping = plan::Milliseconds(0); }),
                   kH2 + "connection_keepalive", "(none)"});
  cases.push_back({"pool.idle", "", tunnel_of, kOptions + "common_http_protocol_options.idle_timeout", "300s"});
  cases.push_back({"pool.idle", "", with(tunnel_of, [](Plan& plan) { pool(plan).idle = plan::Milliseconds(2000); }),
                   kOptions + "common_http_protocol_options.idle_timeout", "2s"});
  cases.push_back({"pool.window_bytes", "", with(tunnel_of, [](Plan& plan) { pool(plan).window_bytes = 65536; }),
                   kH2 + "initial_stream_window_size", "65536"});
  const Plan limits =
      with(tunnel_of, [](Plan& plan) { plan.process.limits = {{"pool-idle", 4000}, {"pool-streams", 3}}; });
  cases.push_back({"process.limits", "pool-idle, pool-streams", limits,
                   kOptions + "common_http_protocol_options.idle_timeout", "4s"});
  cases.push_back({"process.limits", "pool-idle, pool-streams", limits, kH2 + "max_concurrent_streams", "3"});
}

inline std::vector<Case> exporting() {
  std::vector<Case> cases;
  add_listeners(cases);
  add_addresses(cases);
  add_tunnels(cases);
  add_metadata(cases);
  add_state(cases);
  add_routes(cases);
  add_matches(cases);
  add_clusters(cases);
  add_pools(cases);
  return cases;
}

}  // namespace tunnel::envoy
