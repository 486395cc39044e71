// SPDX-License-Identifier: Apache-2.0
// How Envoy's configuration and a Plan correspond: the loader here and the exporter keep to this table, so that what is
// exported loads as the same Plan. Listeners and clusters have the same names on both sides. No code.
#pragma once

// clang-format off
//
//   Envoy                                           Plan
//   admin.address                                   Process::admin
//   listeners[].address, additional_addresses       Listener::addresses; :: with ipv4_compat: Tcp{"*", port};
//                                                     pipe {path, mode}: Unix (mode absent: 0600)
//   listeners[].internal_listener: {}               Internal{name, ""}
//   bootstrap extension InternalListener            Listener::buffer_bytes of internal listeners (absent: 1 MiB), which
//     .buffer_size_kb                                 are refused without the extension
//   listener filter original_dst, and hostname      Tunnel::target "@orig-dst"; refused apart from each other.
//     %DOWNSTREAM_LOCAL_ADDRESS%                      On an internal listener it is what metadata says under
//                                                     envoy.filters.listener.original_dst and local, or else filter
//                                                     state under envoy.filters.listener.original_dst.local_ip
//   listener filter tls_inspector                   TcpProxy::tls_inspector; with listener_filters_timeout --limit head-time.
//                                                     A name that is no host name is none, where Envoy makes
//                                                     invalid:NAME of it. Who ends before the hello does is served
//                                                     without a name. Inside it is the name whoever accepted the
//                                                     connection found, who looks for it on behalf of these
//   per_connection_buffer_limit_bytes               Listener::read_ahead_bytes, of clusters Cluster::read_ahead_bytes;
//                                                     absent, 0 and beyond kMostReadAhead: that
//   filter set_filter_state.on_new_connection[]     Listener::state. Objects are texts, hashable or not, and part of what
//                                                     keeps pooled connections apart; what Envoy would write "-" for is
//                                                     refused
//   filter connection_limit.max_connections         Listener::max_connections
//   filter tcp_proxy                                TcpProxy
//     .cluster                                        .cluster
//     .idle_timeout (absent: 1 h)                     Listener::idle_timeout; 0: none
//     .max_downstream_connection_duration             Listener::max_lifetime (absent: none)
//     .max_connect_attempts (absent: 1)               .connect_attempts, one after the other at once, as in Envoy; at most
//                                                       100. What we refuse ourselves is not asked for again
//     .tunneling_config.hostname                      Tunnel::target; %DOWNSTREAM_LOCAL_ADDRESS_ENDPOINT_ID%: "@endpoint",
//                                                       with other operators as it is; a tunnel to what then is no
//                                                       host:port is refused, where Envoy asks for it
//       .use_post, .post_path                           .post, .post_path
//       .propagate_response_headers, _trailers          .keeps_response_headers, .keeps_response_trailers; a 2xx to
//                                                       CONNECT has no framing fields (RFC 9110 section 9.3.6)
//       .headers_to_add[].header                        .headers; with operators: Header::format, and the value as it is,
//                                                       else with %% as %; keep_empty_value for an empty one
//   filter http_connection_manager                  HttpProxy
//     .codec_type AUTO, HTTP1, HTTP2                  .codec automatic, h1, h2
//     .common_http_protocol_options.idle_timeout      Listener::idle_timeout (absent: 1 h)
//       .max_connection_duration                      Listener::max_lifetime (absent: none)
//     .stream_idle_timeout                            .stream_idle_timeout; absent, or what idle_timeout is: none of
//                                                       its own, so that it is that, where Envoy takes 5 min; 0: none
//     .upgrade_configs, .http2_protocol_options       CONNECT must be enabled for a route with connect_matcher, here or
//       .allow_connect                                  in the route; allow_connect is about extended CONNECT, which is
//                                                       refused in any case
//     .http2_protocol_options.max_concurrent_streams  .streams (absent: --limit streams, 100)
//   filter echo                                     Echo
//   .access_log StdoutAccessLog, StderrAccessLog,   Listener::access_log "-", "/dev/stderr", path. Without a log_format
//     FileAccessLog                                   the lines are ours, as --log-format says
//     .log_format.text_format_source.inline_string,   Listener::access_format.text; also .text_format, and .format of a
//                                                       FileAccessLog. plan/access_format.cpp has the operators: all
//                                                       that we know the value of. What peers sent is escaped, " too
//       .json_format                                    .fields: texts and objects; also .typed_json_format
//     %RESPONSE_FLAGS%, %RESPONSE_CODE_DETAILS%       runtime/response_flags.cpp. Other than in Envoy a tunnel that ends in
//                                                       order has no DC, UPSTREAM_HOST is only what was connected to,
//                                                       UPSTREAM_TRANSPORT_FAILURE_REASON is in our words, and
//                                                       BYTES_SENT does not count the text of a refusal
//   virtual_hosts[].domains                         Match::domains of its routes; "*" alone: none
//   routes[].match.prefix, .path                    Match::prefix, and .whole
//     .connect_matcher                                .connect
//     .headers[] :method, others; exact               .method, .fields
//   routes[].direct_response                        Respond: status, body.inline_string or .inline_bytes
//   routes[].route.cluster                          Forward; with upgrade_configs[CONNECT].connect_config: Terminate
//     ...connect_config.allow_post                    Terminate::post, where :method POST is matched. A CONNECT's route
//                                                     and behind it the same for POST are one, with connect and post
//     .timeout                                        .timeout; absent it is none, where Envoy (and we with
//                                                       --envoy-compat) takes 15 s. As in Envoy it runs from the end of the request, or of what a tunnel's
//                                                       client sends. What has no answer by then is answered 504
//                                                       (http_response_timeout), what has is reset
//     .idle_timeout                                   .idle_timeout; absent: as all streams; 0: none
//   clusters[].type STATIC, STRICT_DNS, LOGICAL_DNS Find::fixed. STATIC has addresses; a name is resolved at each connect
//     ORIGINAL_DST by the header :authority           Find::request, rules allow 0.0.0.0/0 and ::/0 as Rule::literal: a
//                                                     name is refused, by 403, where Envoy answers 503
//     .dns_lookup_family AUTO and ALL, V4_ONLY, ...   .family any, v4, v6
//     .connect_timeout (absent: 5 s)                  .connect_timeout, in which a tunnel is answered, too
//     .lb_policy ROUND_ROBIN, LEAST_REQUEST           .lb round_robin, least
//     .load_assignment.endpoints[].lb_endpoints[]     .endpoints: socket_address, pipe, envoy_internal_address
//       .metadata.filter_metadata                     Endpoint::metadata
//     .metadata.filter_metadata                       Cluster::metadata; values are texts, numbers or booleans
//     .transport_socket raw_buffer                    nothing, it is in clear
//     .transport_socket internal_upstream             Cluster::passthrough: passthrough_metadata of kind host or cluster;
//                                                       the transport_socket in it is raw_buffer. Around internal
//                                                       endpoints Cluster::passes_state, too: beyond Envoy the far
//                                                       side's state comes back, see %UPSTREAM_FILTER_STATE%
//     .circuit_breakers.thresholds[].max_connections  .max_connections; 4294967295 is none; absent it is none, where
//                                                     Envoy takes 1024. As in Envoy a relay over it is refused, and a
//                                                     CONNECT that ends here is answered 503, where it waits in Envoy.
//                                                     Where HTTP is spoken each pool has as many, of each worker, and
//                                                     exchanges wait (but no longer than a connect may)
//       .max_pending_requests, .max_requests            4294967295 (none) only; absent none, too, where Envoy takes 1024
//     HttpProtocolOptions.explicit_http_config        .protocol h1 (absent: h1), h2; also as it stood in the cluster
//       .http2_protocol_options                         Pool: max_concurrent_streams = streams (absent: --limit
//                                                       pool-streams, 100), initial_stream_window_size = window_bytes,
//                                                       connection_keepalive.interval = ping (absent: 0)
//                                                       with a timeout of 1 s, as --limit ping-wait has
//       .common_http_protocol_options.idle_timeout      Pool::idle (absent: --limit pool-idle, 5 min, where Envoy takes 1 h)
//
// stat_prefix of tcp_proxy and the connection manager is Listener::stat_prefix, "" where it is the listener's name.
// Labels, in Envoy too: stat_prefix of other filters, the names of filters, loggers, routes, route configurations and
// virtual hosts, load_assignment.cluster_name. They are in no Plan.
// Listener::half_close_timeout has no field in Envoy, where a half that is open lives to the idle timeout: it keeps its
// default.
//
// clang-format on
