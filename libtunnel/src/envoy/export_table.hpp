// SPDX-License-Identifier: Apache-2.0
// The one table of what becomes of each field of a Plan in --export=envoy. The exporter asks it what to do, tun-run(5)
// shows it, and the tests hold plan.hpp, this table and the page together. Static data.
#pragma once
#include <array>
#include <cstdint>
#include <stdexcept>
#include <string_view>

namespace tunnel::envoy {

// `exports`: Envoy acts on it, and it loads again as the same. `lossy`: refused without --export=envoy,lossy, which
// leaves a comment. `fails`: Envoy has nothing for it. A field that has its default is never lossy: where Envoy has no
// field for it, Envoy's own default holds.
enum class Fate : std::uint8_t { exports, lossy, fails };

struct ExportRow {
  std::string_view field;  // "struct.member" of plan.hpp, or a whole struct
  std::string_view when;   // which values; "": all, or all the others
  Fate fate;
  std::string_view how;  // exports: Envoy's field. Else: why not, as it is told.
};

inline constexpr auto kExportTable = std::to_array<ExportRow>({
    {"process.workers", "", Fate::lossy, "Envoy's threads are given on its command line, with --concurrency"},
    {"process.drain", "", Fate::lossy, "Envoy's drain time is given on its command line, with --drain-time-s"},
    {"process.log_format", "", Fate::lossy, "Envoy writes its logs in its own formats"},
    {"process.verbosity", "", Fate::lossy, "how much Envoy logs is given on its command line, with --log-level"},
    {"process.limits", "pool-idle, pool-streams", Fate::exports, "as idle and streams of every pool"},
    {"process.limits", "", Fate::lossy, "Envoy has limits of its own"},
    {"process.memory_bytes", "", Fate::lossy,
     "Envoy limits its whole heap, by an overload manager with thresholds of its own"},
    {"process.admin", "", Fate::exports, "admin.address"},
    {"process.admin", "a bare port", Fate::lossy, "Envoy's admin server has one address: only 127.0.0.1 is kept"},
    {"process.stats", "", Fate::lossy, "Envoy shows no meter and no summary"},
    {"process.force_pairs", "", Fate::lossy, "Envoy joins all internal hops by user-space sockets"},
    {"process.envoy_compat", "", Fate::exports, "nothing need be written: Envoy does so by itself"},
    {"listener.name", "", Fate::exports, "name, names of route_config and virtual_hosts"},
    {"listener.addresses", "", Fate::exports, "address, additional_addresses; internal_listener"},
    {"listener.handler", "", Fate::exports, "filter_chains.filters"},
    {"listener.idle_timeout", "", Fate::exports,
     "tcp_proxy: idle_timeout; http_proxy: common_http_protocol_options.idle_timeout and stream_idle_timeout; none is "
     "0s"},
    {"listener.idle_timeout", "echo", Fate::lossy, "Envoy's echo has no timer"},
    {"listener.half_close_timeout", "", Fate::lossy,
     "Envoy has no such timer: half a connection lives as long as the idle timeout lets it"},
    {"listener.max_lifetime", "", Fate::exports,
     "tcp_proxy: max_downstream_connection_duration, without a drain; http_proxy: "
     "common_http_protocol_options.max_connection_duration"},
    {"listener.max_lifetime", "echo", Fate::lossy, "Envoy's echo has no timer"},
    {"listener.max_connections", "", Fate::exports, "a connection_limit filter: max_connections"},
    {"listener.buffer_bytes", "", Fate::exports,
     "buffer_size_kb of the bootstrap extension, from the internal listeners; no other has use for it"},
    {"listener.buffer_bytes", "several sizes, or a part of a KiB", Fate::lossy,
     "Envoy has one size for all internal listeners, in KiB: the largest is taken"},
    {"listener.read_ahead_bytes", "", Fate::exports,
     "per_connection_buffer_limit_bytes, of more than what is read ahead"},
    {"listener.access_log", "", Fate::exports, "access_log: StdoutAccessLog, StderrAccessLog or FileAccessLog"},
    {"listener.access_log", "echo", Fate::lossy, "Envoy's echo writes no access log"},
    {"listener.access_format", "", Fate::exports, "log_format; without one the lines are in Envoy's"},
    {"access_field.name", "", Fate::exports, "the name of a field of json_format"},
    {"access_field.text", "", Fate::exports, "its value"},
    {"access_field.fields", "", Fate::exports, "its value, an object"},
    {"access_format.text", "", Fate::exports, "text_format_source.inline_string"},
    {"access_format.fields", "", Fate::exports, "json_format; Envoy writes the fields in the order of their names"},
    {"access_format.omit_empty_values", "", Fate::exports, "omit_empty_values"},
    {"listener.state", "", Fate::exports, "a set_filter_state filter"},
    {"state.key", "", Fate::exports, "object_key, with the factory envoy.hashable_string"},
    {"state.value", "", Fate::exports, "format_string, with omit_empty_values and skip_if_empty"},
    {"state.share", "", Fate::exports, "shared_with_upstream"},
    {"listener.stat_prefix", "", Fate::exports, "stat_prefix; the listener's name where there is none"},
    {"tcp.host", "", Fate::exports, "socket_address.address; a bare port is 127.0.0.1 and ::1, * is 0.0.0.0 and ::"},
    {"tcp.port", "", Fate::exports, "socket_address.port_value"},
    {"internal.listener", "", Fate::exports, "envoy_internal_address.server_listener_name"},
    {"internal.endpoint_id", "", Fate::exports, "envoy_internal_address.endpoint_id"},
    {"internal.endpoint_id", "@authority, @endpoint, @orig-dst", Fate::fails,
     "an endpoint of Envoy has a fixed id, which cannot be taken from the connection; write it"},
    {"unix.path", "", Fate::exports, "pipe.path"},
    {"unix.mode", "", Fate::exports, "pipe.mode of a listener's file"},
    {"inherited", "", Fate::fails, "Envoy takes no listening socket from its parent; listen on HOST:PORT or unix:PATH"},
    {"stdio", "", Fate::fails, "Envoy does not serve standard input and output; listen on HOST:PORT or unix:PATH"},
    {"tcp_proxy.cluster", "", Fate::exports, "cluster"},
    {"tcp_proxy.tunnel", "", Fate::exports, "tunneling_config"},
    {"tcp_proxy.connect_attempts", "", Fate::exports, "max_connect_attempts"},
    {"tcp_proxy.tls_inspector", "", Fate::exports, "listener_filters: tls_inspector"},
    {"tunnel.target", "", Fate::exports, "hostname; @endpoint is %DOWNSTREAM_LOCAL_ADDRESS_ENDPOINT_ID%"},
    {"tunnel.target", "with operators", Fate::exports,
     "hostname as it stands; for a missing value Envoy asks for the host -, where the tunnel is refused here"},
    {"tunnel.target", "@orig-dst", Fate::exports,
     "hostname %DOWNSTREAM_LOCAL_ADDRESS% behind the filter original_dst, which lets pass who was not redirected"},
    {"tunnel.post", "", Fate::exports, "use_post"},
    {"tunnel.post_path", "", Fate::exports, "post_path"},
    {"tunnel.headers", "", Fate::exports, "headers_to_add"},
    {"tunnel.keeps_response_headers", "", Fate::exports, "propagate_response_headers"},
    {"tunnel.keeps_response_trailers", "", Fate::exports, "propagate_response_trailers"},
    {"header.name", "", Fate::exports, "header.key"},
    {"header.value", "", Fate::exports, "header.value, each % doubled; keep_empty_value"},
    {"header.format", "", Fate::exports, "header.value as it stands, with its operators"},
    {"header.secret", "", Fate::fails,
     "it came from a file, and no secret is printed; leave it out here and write it into Envoy's file"},
    {"http_proxy.codec", "", Fate::exports, "codec_type"},
    {"http_proxy.routes", "", Fate::exports, "route_config.virtual_hosts"},
    {"http_proxy.streams", "", Fate::exports, "http2_protocol_options.max_concurrent_streams"},
    {"http_proxy.stream_idle_timeout", "", Fate::exports, "stream_idle_timeout"},
    {"route.match", "", Fate::exports, "match"},
    {"route.action", "", Fate::exports, "direct_response or route"},
    {"match.connect", "", Fate::exports, "connect_matcher, and upgrade_configs: CONNECT"},
    {"match.prefix", "", Fate::exports, "prefix"},
    {"match.whole", "", Fate::exports, "path instead of prefix"},
    {"match.method", "", Fate::exports, "headers: :method, string_match.exact"},
    {"match.fields", "", Fate::exports, "headers: string_match.exact"},
    {"match.domains", "", Fate::exports, "domains of a virtual host, one for all routes that have them"},
    {"field_match.name", "", Fate::exports, "headers.name"},
    {"field_match.value", "", Fate::exports, "headers.string_match.exact"},
    {"respond.status", "", Fate::exports, "direct_response.status"},
    {"respond.body", "", Fate::exports, "direct_response.body, inline_string or inline_bytes"},
    {"forward.cluster", "", Fate::exports, "route.cluster"},
    {"forward.timeout", "", Fate::exports, "route.timeout; none is 0s"},
    {"forward.idle_timeout", "", Fate::exports, "route.idle_timeout"},
    {"terminate.cluster", "", Fate::exports, "route.cluster, with upgrade_configs.connect_config"},
    {"terminate.post", "", Fate::exports, "a second route, for :method POST, with connect_config.allow_post"},
    {"terminate.timeout", "", Fate::exports, "route.timeout; none is 0s"},
    {"terminate.idle_timeout", "", Fate::exports, "route.idle_timeout"},
    {"echo", "", Fate::exports, "the echo filter"},
    {"discard", "", Fate::fails, "Envoy has nothing that reads on and answers nothing"},
    {"custom", "", Fate::fails, "what it does is code of this program"},
    {"cluster.name", "", Fate::exports, "name"},
    {"cluster.find", "", Fate::exports, "type: STATIC; LOGICAL_DNS for one host name, STRICT_DNS for several"},
    {"cluster.find", "request, for 0.0.0.0/0 and ::/0", Fate::exports,
     "type: ORIGINAL_DST by :authority; Envoy then goes to addresses only, not to names"},
    {"cluster.find", "request", Fate::fails,
     "Envoy has no cluster for the targets of requests with rules for names and their addresses; name the places with "
     "--to"},
    {"cluster.rules", "", Fate::fails, "they are for the targets of requests, as before"},
    {"cluster.family", "", Fate::exports, "dns_lookup_family: ALL, V4_ONLY or V6_ONLY"},
    {"cluster.endpoints", "", Fate::exports, "load_assignment"},
    {"cluster.endpoints", "a host name beside internal: or unix:", Fate::fails,
     "Envoy resolves names only in a cluster in which all endpoints are HOST:PORT; write the address"},
    {"cluster.protocol", "", Fate::exports, "explicit_http_config, where HTTP is spoken"},
    {"cluster.connect_timeout", "", Fate::exports, "connect_timeout, of one connect"},
    {"cluster.lb", "", Fate::exports, "lb_policy: ROUND_ROBIN or LEAST_REQUEST"},
    {"cluster.lb", "first", Fate::lossy,
     "Envoy leaves the first endpoint after a failed connection only: priorities with outlier_detection"},
    {"cluster.max_connections", "", Fate::exports, "circuit_breakers.thresholds.max_connections; none is 4294967295"},
    {"cluster.read_ahead_bytes", "", Fate::exports, "per_connection_buffer_limit_bytes"},
    {"cluster.pool", "", Fate::exports, "HttpProtocolOptions, where HTTP is spoken"},
    {"cluster.metadata", "", Fate::exports, "metadata.filter_metadata"},
    {"cluster.passthrough", "", Fate::exports, "transport_socket: internal_upstream, around raw_buffer"},
    {"cluster.passes_state", "", Fate::exports, "transport_socket: internal_upstream; nothing comes back in Envoy"},
    {"endpoint.address", "", Fate::exports, "address"},
    {"endpoint.metadata", "", Fate::exports, "lb_endpoints.metadata.filter_metadata"},
    {"metadata.space", "", Fate::exports, "a key of filter_metadata"},
    {"metadata.key", "", Fate::exports, "a key in it"},
    {"metadata.value", "", Fate::exports, "its value"},
    {"metadata.kind", "", Fate::exports, "its value, in quotes for a text"},
    {"passthrough.space", "", Fate::exports, "passthrough_metadata.name"},
    {"passthrough.from", "", Fate::exports, "passthrough_metadata.kind"},
    {"pool.connections", "", Fate::exports, "0: circuit_breakers without a limit"},
    {"pool.connections", "a number", Fate::lossy, "Envoy counts the connections of all workers: max_connections"},
    {"pool.streams", "", Fate::exports, "max_concurrent_streams"},
    {"pool.prewarm", "", Fate::lossy, "Envoy keeps no connections up that nobody uses"},
    {"pool.ping", "", Fate::exports, "connection_keepalive.interval"},
    {"pool.idle", "", Fate::exports, "common_http_protocol_options.idle_timeout"},
    {"pool.window_bytes", "", Fate::exports, "initial_stream_window_size"},
    {"any text", "not UTF-8", Fate::fails, "Envoy's files are UTF-8; use another name"},
});

// A row that is not there does not compile.
consteval const ExportRow& row(std::string_view field, std::string_view when = "") {
  for (const ExportRow& one : kExportTable)
    if (one.field == field && one.when == when) return one;
  throw std::logic_error("no such row");
}

}  // namespace tunnel::envoy
