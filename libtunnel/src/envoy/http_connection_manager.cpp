// SPDX-License-Identifier: Apache-2.0
#include "envoy/http_connection_manager.hpp"

#include "envoy/access_log.hpp"
#include "envoy/extension.hpp"
#include "envoy/route.hpp"
#include "envoy/stat_prefix.hpp"
#include "envoy/timeout.hpp"
#include "envoy/upgrade.hpp"

namespace tunnel::envoy {
namespace {

// The router is what makes routes act, and nothing else may stand before it.
void read_http_filters(const Value& value) {
  const std::vector<Value> filters = value.items();
  if (filters.size() != 1) value.refuse("one filter stands here, envoy.extensions.filters.http.router.v3.Router");
  for (const Value& filter : filters) {
    read_message(filter, [&](Fields& fields) {
      fields.label("name");
      fields.refuse({"config_discovery", "is_optional", "disabled"});
      const auto config = fields.need("typed_config");
      if (!config) return;
      read_typed(*config,
                 {{"envoy.extensions.filters.http.router.v3.Router", [](Fields& router) {
                     router.refuse({"dynamic_stats", "start_child_span", "upstream_log", "suppress_envoy_headers",
                                    "strict_check_headers", "upstream_http_filters"});
                   }}});
    });
  }
}

constexpr std::uint64_t kMostStreams = 1'000'000;

// It permits extended CONNECT (RFC 8441), which no listener of ours takes; plain CONNECT needs no permission.
void read_http2_options(const Value& value, plan::HttpProxy& proxy) {
  read_message(value, [&proxy](Fields& fields) {
    if (const auto allow = fields.find("allow_connect")) (void)allow->boolean();
    if (const auto streams = fields.find("max_concurrent_streams"))
      proxy.streams = static_cast<unsigned>(streams->number(1, kMostStreams).value_or(0));
    fields.refuse({"hpack_table_size", "initial_stream_window_size", "initial_connection_window_size",
                   "max_outbound_frames", "connection_keepalive"});
  });
}

void read_http1_options(const Value& value) {
  read_message(value, [](Fields& fields) {
    fields.refuse({"allow_absolute_url", "accept_http_10", "default_host_for_http_10", "header_key_format",
                   "enable_trailers", "allow_chunked_length", "override_stream_error_on_invalid_http_message",
                   "send_fully_qualified_url", "allow_custom_methods"});
  });
}

void read_timeouts(Fields& fields, plan::Listener& listener, plan::HttpProxy& proxy) {
  if (const auto common = fields.find("common_http_protocol_options")) {
    read_message(*common, [&](Fields& options) {
      options.refuse({"max_headers_count", "max_stream_duration", "headers_with_underscores_action",
                      "max_requests_per_connection", "max_response_headers_kb"});
      if (const auto idle = options.find("idle_timeout"))
        listener.idle_timeout = idle->duration().value_or(listener.idle_timeout);
      if (const auto lifetime = options.find("max_connection_duration"))
        listener.max_lifetime = read_timeout(*lifetime).value_or(listener.max_lifetime);
    });
  }
  if (const auto stream = fields.find("stream_idle_timeout")) proxy.stream_idle_timeout = stream->duration();
  if (proxy.stream_idle_timeout == listener.idle_timeout) proxy.stream_idle_timeout.reset();
}

}  // namespace

void read_http_connection_manager(Fields& fields, plan::Listener& listener) {
  plan::HttpProxy proxy;
  read_stat_prefix(fields, listener);
  fields.refuse({"rds",
                 "scoped_routes",
                 "add_user_agent",
                 "tracing",

                 "server_name",
                 "server_header_transformation",
                 "max_request_headers_kb",
                 "request_timeout",
                 "request_headers_timeout",
                 "drain_timeout",
                 "delayed_close_timeout",
                 "use_remote_address",
                 "xff_num_trusted_hops",
                 "generate_request_id",
                 "preserve_external_request_id",
                 "forward_client_cert_details",
                 "normalize_path",
                 "merge_slashes",
                 "request_id_extension",
                 "local_reply_config",
                 "strip_matching_host_port",
                 "strip_any_host_port",
                 "access_log_options",
                 "via",
                 "skip_xff_append",
                 "http3_protocol_options",
                 "early_header_mutation_extensions",
                 "original_ip_detection_extensions",
                 "proxy_status_config"});
  if (const auto codec = fields.find("codec_type"))
    proxy.codec =
        codec
            ->choice<plan::Http>(
                {{"AUTO", plan::Http::automatic}, {"HTTP1", plan::Http::h1}, {"HTTP2", plan::Http::h2}}, {"HTTP3"})
            .value_or(plan::Http::automatic);
  const auto upgrades = fields.find("upgrade_configs");
  const Upgrade upgrade = upgrades ? read_upgrades(*upgrades, false) : Upgrade{};
  if (const auto routes = fields.need("route_config")) read_route_config(*routes, upgrade, proxy);
  if (const auto filters = fields.need("http_filters")) read_http_filters(*filters);
  if (const auto options = fields.find("http2_protocol_options")) read_http2_options(*options, proxy);
  if (const auto options = fields.find("http_protocol_options")) read_http1_options(*options);
  read_timeouts(fields, listener, proxy);
  if (const auto log = fields.find("access_log")) read_access_log(*log, listener);
  listener.handler = std::move(proxy);
}

}  // namespace tunnel::envoy
