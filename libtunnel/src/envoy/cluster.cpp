// SPDX-License-Identifier: Apache-2.0
#include "envoy/cluster.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/limits.hpp"
#include "envoy/address.hpp"
#include "envoy/extension.hpp"
#include "envoy/metadata.hpp"
#include "envoy/spelt_out.hpp"
#include "envoy/timeout.hpp"
#include "plan/host_port.hpp"

namespace tunnel::envoy {
namespace {

constexpr std::chrono::seconds kConnectTimeout{5};  // Envoy's
constexpr std::string_view kHttpOptions = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

constexpr std::uint64_t kNoLimit = 4294967295;
constexpr std::uint64_t kLeastWindow = 65536;
constexpr std::uint64_t kMostWindow = 1073741824;
constexpr std::uint64_t kMostStreams = 2147483647;

enum class Discovery : std::uint8_t { fixed, strict_dns, logical_dns, original };

class ClusterReader {
 public:
  ClusterReader(Fields& fields, plan::Cluster& cluster) : fields_(fields), cluster_(cluster) {}

  void read() {
    cluster_.place = fields_.value().place();
    cluster_.connect_timeout = kConnectTimeout;
    read_name();
    refuse_others();
    Discovery discovery = Discovery::fixed;
    if (const auto type = fields_.find("type"))
      discovery = type->choice<Discovery>({{"STATIC", Discovery::fixed},
                                           {"STRICT_DNS", Discovery::strict_dns},
                                           {"LOGICAL_DNS", Discovery::logical_dns},
                                           {"ORIGINAL_DST", Discovery::original}},
                                          {"EDS"})
                      .value_or(discovery);
    if (const auto timeout = fields_.find("connect_timeout"))
      cluster_.connect_timeout = read_timeout(*timeout).value_or(cluster_.connect_timeout);
    if (const auto most = fields_.find("per_connection_buffer_limit_bytes"))
      cluster_.read_ahead_bytes = most->number(0, kNoLimit).value_or(0);
    read_protocol();
    if (const auto breakers = fields_.find("circuit_breakers")) read_breakers(*breakers);
    if (discovery == Discovery::original) return read_original();
    fields_.refuse({"original_dst_lb_config"});
    if (const auto family = fields_.find("dns_lookup_family"))
      cluster_.family = family
                            ->choice<plan::Family>({{"AUTO", plan::Family::any},
                                                    {"ALL", plan::Family::any},
                                                    {"V4_ONLY", plan::Family::v4},
                                                    {"V6_ONLY", plan::Family::v6}},
                                                   {"V4_PREFERRED"})
                            .value_or(cluster_.family);
    if (const auto policy = fields_.find("lb_policy"))
      cluster_.lb = policy
                        ->choice<plan::Lb>({{"ROUND_ROBIN", plan::Lb::round_robin}, {"LEAST_REQUEST", plan::Lb::least}},
                                           {"RANDOM", "RING_HASH", "MAGLEV", "CLUSTER_PROVIDED"})
                        .value_or(cluster_.lb);
    if (const auto assignment = fields_.need("load_assignment")) read_assignment(*assignment, discovery);
    const auto is_internal = [](const plan::Endpoint& one) {
      return std::holds_alternative<plan::Internal>(one.address);
    };
    // Around a connection to anything else the transport socket does nothing.
    if (std::none_of(cluster_.endpoints.begin(), cluster_.endpoints.end(), is_internal)) cluster_.passes_state = false;
  }

 private:
  void read_name() {
    const auto name = fields_.need("name");
    const auto text = name ? name->text() : std::nullopt;
    if (!text) return;
    if (const std::string fault = plan::name_fault(*text); !fault.empty()) return name->refuse(fault);
    cluster_.name = *text;
  }

  void refuse_others() {
    fields_.refuse({"transport_socket_matches",
                    "alt_stat_name",
                    "cluster_type",
                    "eds_cluster_config",
                    "load_balancing_policy",
                    "health_checks",
                    "max_requests_per_connection",
                    "upstream_http_protocol_options",
                    "common_http_protocol_options",
                    "dns_refresh_rate",
                    "dns_failure_refresh_rate",
                    "respect_dns_ttl",
                    "dns_resolvers",
                    "use_tcp_for_dns_lookups",
                    "dns_resolution_config",
                    "typed_dns_resolver_config",
                    "wait_for_warm_on_init",
                    "outlier_detection",
                    "cleanup_interval",
                    "upstream_bind_config",
                    "lb_subset_config",
                    "ring_hash_lb_config",
                    "maglev_lb_config",
                    "least_request_lb_config",
                    "round_robin_lb_config",
                    "common_lb_config",
                    "protocol_selection",
                    "upstream_connection_options",
                    "close_connections_on_host_health_failure",
                    "ignore_health_on_host_removal",
                    "filters",
                    "lrs_server",
                    "lrs_report_endpoint_metrics",
                    "track_timeout_budgets",
                    "upstream_config",
                    "track_cluster_stats",
                    "preconnect_policy",
                    "connection_pool_per_downstream_connection",
                    "dns_jitter"});
    if (const auto socket = fields_.find("transport_socket")) read_transport_socket(*socket, cluster_);
    if (const auto metadata = fields_.find("metadata")) cluster_.metadata = read_metadata(*metadata);
  }

  // To whatever address a terminated CONNECT names; Envoy looks up no names here.
  void read_original() {
    fields_.refuse({"load_assignment", "dns_lookup_family"});
    if (const auto policy = fields_.need("lb_policy")) (void)policy->choice<bool>({{"CLUSTER_PROVIDED", true}});
    if (const auto config = fields_.need("original_dst_lb_config")) {
      read_message(*config, [&](Fields& fields) {
        fields.refuse({"metadata_key", "upstream_port_override"});
        const auto use = fields.need("use_http_header");
        if (use && !use->boolean().value_or(true)) use->refuse("only what a request names is gone to here; write true");
        const auto header = fields.need("http_header_name");
        if (header) (void)header->choice<bool>({{":authority", true}}, {"x-envoy-original-dst-host"});
      });
    }
    cluster_.find = plan::Cluster::Find::request;
    cluster_.rules = all_literals();
  }

  // Requests are limited by the streams of a connection here, and wait as long as their connect may.
  void read_breakers(const Value& value) {
    read_message(value, [&](Fields& fields) {
      fields.refuse({"per_host_thresholds"});
      const auto thresholds = fields.find("thresholds");
      if (!thresholds) return;
      const std::vector<Value> all = thresholds->items();
      if (all.size() > 1) all[1].refuse("there is one set of limits; leave out the others");
      for (const Value& one : all) {
        read_message(one, [&](Fields& limits) {
          if (const auto priority = limits.find("priority"))
            (void)priority->choice<bool>({{"DEFAULT", true}}, {"HIGH"});
          limits.refuse({"max_retries", "retry_budget", "track_remaining", "max_connection_pools"});
          for (const char* name : {"max_pending_requests", "max_requests"})
            if (const auto most = limits.find(name); most && most->number(0, kNoLimit).value_or(kNoLimit) != kNoLimit)
              most->refuse("such a limit is not supported by this version; write 4294967295 for none");
          const auto most = limits.find("max_connections");
          const std::uint64_t number = most ? most->number(1, kNoLimit).value_or(kNoLimit) : kNoLimit;
          cluster_.max_connections = number == kNoLimit ? 0 : static_cast<unsigned>(number);
        });
      }
    });
  }

  void read_protocol() {
    std::optional<Value> typed;
    if (const auto options = fields_.find("typed_extension_protocol_options")) {
      read_message(*options, [&](Fields& extensions) {
        typed = extensions.find(kHttpOptions);
        if (typed) read_typed(*typed, {{kHttpOptions, [&](Fields& inner) { read_http_options(inner); }}});
      });
    }
    // As these stood before there was explicit_http_config.
    if (!typed) return read_explicit(fields_);
    for (const char* older : {"http_protocol_options", "http2_protocol_options", "http3_protocol_options"})
      if (const auto value = fields_.find(older))
        value->refuse("HttpProtocolOptions stands here, too; leave this one out");
  }

  void read_http_options(Fields& fields) {
    fields.refuse({"upstream_http_protocol_options", "use_downstream_protocol_config", "auto_config", "http_filters",
                   "header_validation_config", "outlier_detection"});
    if (const auto common = fields.find("common_http_protocol_options")) {
      read_message(*common, [&](Fields& inner) {
        inner.refuse({"max_connection_duration", "max_headers_count", "max_stream_duration",
                      "headers_with_underscores_action", "max_requests_per_connection", "max_response_headers_kb"});
        if (const auto idle = inner.find("idle_timeout"))
          cluster_.pool.idle = read_timeout(*idle).value_or(cluster_.pool.idle);
      });
    }
    const auto chosen = fields.need("explicit_http_config");
    if (chosen) read_message(*chosen, [&](Fields& inner) { read_explicit(inner); });
  }

  void read_explicit(Fields& fields) {
    const auto h1 = fields.find("http_protocol_options");
    const auto h2 = fields.find("http2_protocol_options");
    fields.refuse({"http3_protocol_options"});
    if (h1) read_message(*h1, [](Fields& inner) { inner.refuse({"accept_http_10", "header_key_format"}); });
    if (h1 && h2) fields.value().refuse("give one of http_protocol_options and http2_protocol_options");
    if (!h2) return;
    cluster_.protocol = plan::Http::h2;
    cluster_.pool.ping = plan::Milliseconds::zero();
    read_message(*h2, [&](Fields& inner) { read_http2(inner); });
  }

  void read_http2(Fields& fields) {
    fields.refuse({"hpack_table_size", "initial_connection_window_size", "allow_connect", "max_outbound_frames"});
    plan::Pool& pool = cluster_.pool;
    if (const auto streams = fields.find("max_concurrent_streams"))
      pool.streams = static_cast<unsigned>(streams->number(1, kMostStreams).value_or(0));
    if (const auto window = fields.find("initial_stream_window_size"))
      pool.window_bytes = window->number(kLeastWindow, kMostWindow).value_or(0);
    const auto keepalive = fields.find("connection_keepalive");
    if (!keepalive) return;
    read_message(*keepalive, [&](Fields& inner) {
      inner.refuse({"interval_jitter", "connection_idle_interval"});
      if (const auto interval = inner.need("interval")) pool.ping = read_timeout(*interval).value_or(pool.ping);
      const auto wait = inner.need("timeout");
      const auto time = wait ? wait->duration() : std::nullopt;
      if (time && *time != Limits{}.pool_ping_wait)
        wait->refuse("an answer to a PING is awaited for 1s; --limit ping-wait changes that for all clusters");
    });
  }

  void read_assignment(const Value& value, Discovery discovery) {
    read_message(value, [&](Fields& fields) {
      fields.label("cluster_name");
      fields.refuse({"policy", "named_endpoints"});
      const auto endpoints = fields.find("endpoints");
      if (!endpoints) return;
      read_messages(*endpoints, [&](Fields& locality) {
        locality.refuse({"locality", "load_balancing_weight", "priority", "proximity", "metadata"});
        if (const auto all = locality.find("lb_endpoints"))
          read_messages(*all, [&](Fields& endpoint) { read_endpoint(endpoint, discovery); });
      });
      if (cluster_.endpoints.empty()) value.refuse("an endpoint is missing, so nothing could be connected to");
      if (discovery == Discovery::logical_dns && cluster_.endpoints.size() > 1)
        value.refuse("a cluster of type LOGICAL_DNS has one endpoint; write STRICT_DNS for several");
    });
  }

  void read_endpoint(Fields& fields, Discovery discovery) {
    fields.refuse({"endpoint_name", "health_status", "load_balancing_weight"});
    std::vector<plan::Metadata> metadata;
    if (const auto own = fields.find("metadata")) metadata = read_metadata(*own);
    const auto endpoint = fields.need("endpoint");
    if (!endpoint) return;
    read_message(*endpoint, [&](Fields& inner) {
      inner.refuse({"health_check_config", "hostname", "additional_addresses"});
      const auto value = inner.need("address");
      std::optional<plan::Address> address = value ? read_endpoint_address(*value) : std::nullopt;
      if (!address) return;
      const auto* tcp = std::get_if<plan::Tcp>(&*address);
      const bool named = tcp != nullptr && !plan::is_ipv4(tcp->host) && !plan::is_ipv6(tcp->host);
      if (named && discovery == Discovery::fixed)
        value->refuse("a cluster of type STATIC has addresses in numbers; write type: STRICT_DNS for a name");
      if (tcp == nullptr && discovery != Discovery::fixed) value->refuse("only a socket_address has a name to resolve");
      cluster_.endpoints.push_back({std::move(*address), std::move(metadata)});
    });
  }

  Fields& fields_;
  plan::Cluster& cluster_;
};

}  // namespace

plan::Cluster read_cluster(const Value& value) {
  plan::Cluster cluster;
  const std::size_t faults = value.document().faults();
  read_message(value, [&](Fields& fields) { ClusterReader(fields, cluster).read(); });
  if (value.document().faults() == faults) return cluster;
  plan::Cluster stand_in;
  stand_in.name = std::move(cluster.name);
  stand_in.place = std::move(cluster.place);
  stand_in.endpoints = {{plan::Tcp{"127.0.0.1", 1}}};
  return stand_in;
}

}  // namespace tunnel::envoy
