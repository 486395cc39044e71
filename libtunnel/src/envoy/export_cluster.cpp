// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <variant>
#include <vector>

#include "envoy/export_parts.hpp"
#include "envoy/spelt_out.hpp"
#include "plan/source.hpp"

namespace tunnel::envoy {
namespace {

constexpr std::uint64_t kNoLimit = std::numeric_limits<std::uint32_t>::max();  // Envoy's own is 1024

std::string_view word_of(plan::Family family) {
  switch (family) {
    case plan::Family::any:
      break;
    case plan::Family::v4:
      return "V4_ONLY";
    case plan::Family::v6:
      return "V6_ONLY";
  }
  return "ALL";
}

class ClusterWriter {
 public:
  ClusterWriter(Writing& writing, const plan::Cluster& cluster, bool speaks_http, plan::Milliseconds ping_wait)
      : writing_(writing),
        yaml_(writing.yaml),
        cluster_(cluster),
        speaks_http_(speaks_http),
        ping_wait_(ping_wait),
        who_("cluster " + cluster.name) {}

  void run() {
    const bool asked = cluster_.find == plan::Cluster::Find::request;
    if (asked && !allows_all_addresses(cluster_.rules)) return note(row("cluster.find", "request"), "rules");
    note_mixed_names();
    yaml_.item([&] {
      yaml_.text("name", cluster_.name);
      if (asked)
        write_original_dst();
      else
        write_type();
      yaml_.time("connect_timeout", cluster_.connect_timeout);
      if (!asked) write_lb(cluster_.lb);
      if (cluster_.read_ahead_bytes > 0) yaml_.number("per_connection_buffer_limit_bytes", cluster_.read_ahead_bytes);
      write_breakers(cluster_.pool.connections);
      if (speaks_http_) write_http_options(cluster_.pool);
      if (asked) return;
      write_metadata(cluster_.metadata);
      write_transport_socket();
      yaml_.map("load_assignment", [&] {
        yaml_.text("cluster_name", cluster_.name);
        yaml_.list("endpoints", [&] { write_endpoints(cluster_.lb); });
      });
    });
  }

 private:
  void note(const ExportRow& row, const std::string& what) {
    writing_.report.note(row, cluster_.place, who_ + ", " + what);
  }

  void note_mixed_names() {
    const auto not_tcp = [](const plan::Endpoint& one) { return !std::holds_alternative<plan::Tcp>(one.address); };
    if (has_names(cluster_) && std::any_of(cluster_.endpoints.begin(), cluster_.endpoints.end(), not_tcp))
      note(row("cluster.endpoints", "a host name beside internal: or unix:"), "endpoints");
  }

  void write_original_dst() {
    yaml_.word("type", "ORIGINAL_DST");
    yaml_.word("lb_policy", "CLUSTER_PROVIDED");
    yaml_.map("original_dst_lb_config", [&] {
      yaml_.yes("use_http_header");
      yaml_.text("http_header_name", ":authority");
    });
  }

  // A single name is looked up for every connection and its addresses are tried in order, as we do.
  void write_type() {
    if (!has_names(cluster_)) return yaml_.word("type", "STATIC");
    yaml_.word("type", cluster_.endpoints.size() == 1 ? "LOGICAL_DNS" : "STRICT_DNS");
    yaml_.word("dns_lookup_family", word_of(cluster_.family));
  }

  void write_lb(plan::Lb lb) {
    switch (lb) {
      case plan::Lb::round_robin:
        return yaml_.word("lb_policy", "ROUND_ROBIN");
      case plan::Lb::least:
        return yaml_.word("lb_policy", "LEAST_REQUEST");
      case plan::Lb::first:
        break;
    }
    note(row("cluster.lb", "first"), "--lb first");
    yaml_.word("lb_policy", "ROUND_ROBIN");
    yaml_.map("common_lb_config", [&] { yaml_.map("healthy_panic_threshold", [&] { yaml_.number("value", 0); }); });
    yaml_.map("outlier_detection", [&] {
      yaml_.yes("split_external_local_origin_errors");
      yaml_.number("consecutive_local_origin_failure", 1);
      yaml_.number("enforcing_consecutive_local_origin_failure", 100);
      yaml_.number("max_ejection_percent", 100);
      yaml_.time("base_ejection_time", plan::Milliseconds(1000));
      yaml_.time("max_ejection_time", plan::Milliseconds(30000));
      yaml_.time("interval", plan::Milliseconds(1000));
    });
  }

  void write_breakers(unsigned connections) {
    if (connections > 0) note(row("pool.connections", "a number"), "conns=" + std::to_string(connections));
    yaml_.map("circuit_breakers", [&] {
      yaml_.list("thresholds", [&] {
        yaml_.item([&] {
          if (cluster_.max_connections > 0)
            yaml_.number("max_connections", cluster_.max_connections);
          else
            yaml_.number("max_connections", connections > 0 ? connections : kNoLimit);
          yaml_.number("max_pending_requests", kNoLimit);
          yaml_.number("max_requests", kNoLimit);
        });
      });
    });
  }

  void write_http_options(const plan::Pool& pool) {
    if (pool.prewarm > 0) note(row("pool.prewarm"), "prewarm=" + std::to_string(pool.prewarm));
    yaml_.map("typed_extension_protocol_options", [&] {
      yaml_.map(kHttpOptions, [&] {
        yaml_.write_type(kHttpOptions);
        yaml_.map("common_http_protocol_options", [&] { yaml_.time("idle_timeout", pool.idle); });
        yaml_.map("explicit_http_config", [&] {
          if (cluster_.protocol == plan::Http::h1) return yaml_.empty("http_protocol_options");
          yaml_.map("http2_protocol_options", [&] {
            yaml_.number("max_concurrent_streams", pool.streams);
            if (pool.window_bytes > 0) yaml_.number("initial_stream_window_size", pool.window_bytes);
            if (pool.ping > plan::Milliseconds::zero()) write_ping(pool.ping);
          });
        });
      });
    });
  }

  void write_ping(plan::Milliseconds interval) {
    yaml_.map("connection_keepalive", [&] {
      yaml_.time("interval", interval);
      yaml_.time("timeout", ping_wait_);
    });
  }

  // In one locality; `first` gives each a priority of its own.
  void write_endpoints(plan::Lb lb) {
    const bool in_order = lb == plan::Lb::first;
    std::uint64_t priority = 0;
    auto next = cluster_.endpoints.begin();
    while (next != cluster_.endpoints.end()) {
      yaml_.item([&] {
        if (in_order) yaml_.number("priority", priority++);
        yaml_.list("lb_endpoints", [&] {
          do write_endpoint(*next++);
          while (!in_order && next != cluster_.endpoints.end());
        });
      });
    }
  }

  void write_endpoint(const plan::Endpoint& endpoint) {
    const auto* internal = std::get_if<plan::Internal>(&endpoint.address);
    if (internal != nullptr && plan::source_of(internal->endpoint_id) != plan::Source::written)
      note(row("internal.endpoint_id", "@authority, @endpoint, @orig-dst"),
           "internal:" + internal->listener + "/" + internal->endpoint_id);
    yaml_.item([&] {
      yaml_.map("endpoint", [&] { write_address(writing_, endpoint.address, false, cluster_.place, who_); });
      write_metadata(endpoint.metadata);
    });
  }

  // The values of a space stand together; the plan is spelt_out().
  void write_metadata(const std::vector<plan::Metadata>& metadata) {
    if (metadata.empty()) return;
    for (const plan::Metadata& value : metadata)
      for (const std::string* text : {&value.space, &value.key, &value.value})
        if (!writing_.report.writable(*text, cluster_.place, who_ + ", metadata")) return;
    yaml_.map("metadata", [&] {
      yaml_.map("filter_metadata", [&] {
        for (auto next = metadata.begin(); next != metadata.end();) {
          const std::string& space = next->space;
          yaml_.map(space, [&] {
            for (; next != metadata.end() && next->space == space; ++next) write_value(*next);
          });
        }
      });
    });
  }

  void write_value(const plan::Metadata& value) {
    if (value.kind == plan::Metadata::Kind::text)
      yaml_.text(value.key, value.value);
    else
      yaml_.word(value.key, value.value);
  }

  void write_transport_socket() {
    if (cluster_.passthrough.empty() && !cluster_.passes_state) return;
    yaml_.map("transport_socket", [&] {
      yaml_.typed("envoy.transport_sockets.internal_upstream",
                  "envoy.extensions.transport_sockets.internal_upstream.v3.InternalUpstreamTransport", [&] {
                    if (!cluster_.passthrough.empty())
                      yaml_.list("passthrough_metadata", [&] {
                        for (const plan::Passthrough& source : cluster_.passthrough) write_source(source);
                      });
                    yaml_.map("transport_socket", [&] {
                      yaml_.typed("envoy.transport_sockets.raw_buffer",
                                  "envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer");
                    });
                  });
    });
  }

  void write_source(const plan::Passthrough& source) {
    if (!writing_.report.writable(source.space, cluster_.place, who_ + ", passthrough")) return;
    yaml_.item([&] {
      yaml_.text("name", source.space);
      yaml_.map("kind", [&] { yaml_.empty(source.from == plan::Passthrough::From::host ? "host" : "cluster"); });
    });
  }

  Writing& writing_;
  Yaml& yaml_;
  const plan::Cluster& cluster_;
  bool speaks_http_;
  plan::Milliseconds ping_wait_;
  std::string who_;
};

}  // namespace

void write_cluster(Writing& writing, const plan::Cluster& cluster, bool speaks_http, plan::Milliseconds ping_wait) {
  ClusterWriter(writing, cluster, speaks_http, ping_wait).run();
}

}  // namespace tunnel::envoy
