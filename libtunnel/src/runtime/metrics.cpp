// SPDX-License-Identifier: Apache-2.0
#include "runtime/metrics.hpp"

#include <fmt/format.h>

#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <utility>
#include <vector>

#include "base/memory.hpp"
#include "tunnel/error.hpp"

namespace tunnel::runtime {
namespace {

enum class Type : std::uint8_t { counter, gauge };

std::string_view word(Type type) { return type == Type::counter ? "counter" : "gauge"; }

class Writer {
 public:
  using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

  void begin(std::string_view name, Type type, std::string_view help) {
    name_ = name;
    fmt::format_to(std::back_inserter(text_), "# HELP {} {}.\n# TYPE {} {}\n", name, help, name, word(type));
  }
  template <class Number>
  void sample(Labels labels, Number value) {
    text_ += name_;
    char before = '{';
    for (const auto& [key, label] : labels) {
      fmt::format_to(std::back_inserter(text_), "{}{}=\"", std::exchange(before, ','), key);
      add_escaped(label);
      text_ += '"';
    }
    fmt::format_to(std::back_inserter(text_), "{}{}\n", labels.size() == 0 ? " " : "} ", value);
  }
  template <class Number>
  void single(std::string_view name, Type type, std::string_view help, const Number& value) {
    begin(name, type, help);
    sample({}, value);
  }
  std::string take() { return std::move(text_); }

 private:
  void add_escaped(std::string_view label) {
    for (const char c : label) {
      if (c == '\\' || c == '"') text_ += '\\';
      text_ += c == '\n' ? ' ' : c;
    }
  }
  std::string text_;
  std::string_view name_;
};

struct Named {
  std::string_view name;
  const Sum* sum;
};

void write_errors(Writer& out, const std::vector<Named>& rows, std::string_view label) {
  for (const Named& row : rows)
    for (std::size_t kind = 1; kind < proxy::kErrorKinds; ++kind)
      out.sample({{label, row.name}, {"kind", to_string(static_cast<Error::Kind>(kind))}}, row.sum->errors[kind]);
}

// One family: `help` of `value` of every row.
template <class Value>
void write_each(Writer& out, const std::vector<Named>& rows, std::string_view label, std::string_view name, Type type,
                std::string_view help, Value value) {
  out.begin(name, type, help);
  for (const Named& row : rows) out.sample({{label, row.name}}, value(*row.sum));
}

void write_listeners(Writer& out, const std::vector<ListenerSum>& listeners) {
  out.begin("tunnel_listener_connections_total", Type::counter, "Connections to a listener");
  for (const ListenerSum& listener : listeners) out.sample({{"listener", listener.name}}, listener.begun);
  out.begin("tunnel_listener_connections_active", Type::gauge, "Open connections to a listener");
  for (const ListenerSum& listener : listeners) out.sample({{"listener", listener.name}}, listener.active);
  std::vector<Named> rows;
  rows.reserve(listeners.size());
  for (const ListenerSum& listener : listeners) rows.push_back({listener.name, &listener.sum});
  write_each(out, rows, "listener", "tunnel_listener_received_bytes_total", Type::counter,
             "Bytes from clients of a listener", [](const Sum& sum) { return sum.received; });
  write_each(out, rows, "listener", "tunnel_listener_sent_bytes_total", Type::counter, "Bytes to clients of a listener",
             [](const Sum& sum) { return sum.sent; });
  out.begin("tunnel_listener_errors_total", Type::counter,
            "Connections, tunnels and requests of a listener that we or the far side failed");
  write_errors(out, rows, "listener");
  write_each(out, rows, "listener", "tunnel_listener_client_errors_total", Type::counter,
             "Connections, tunnels and requests of a listener that their client failed",
             [](const Sum& sum) { return sum.client_errors; });
}

void write_clusters(Writer& out, const std::vector<ClusterSum>& clusters) {
  std::vector<Named> rows;
  rows.reserve(clusters.size());
  for (const ClusterSum& cluster : clusters) rows.push_back({cluster.name, &cluster.sum});
  write_each(out, rows, "cluster", "tunnel_cluster_uses_total", Type::counter,
             "Connections, tunnels and requests led to a cluster", [](const Sum& sum) { return sum.begun; });
  write_each(out, rows, "cluster", "tunnel_cluster_uses_active", Type::gauge,
             "Connections, tunnels and requests a cluster carries now", [](const Sum& sum) { return sum.active; });
  write_each(out, rows, "cluster", "tunnel_cluster_sent_bytes_total", Type::counter, "Bytes towards a cluster",
             [](const Sum& sum) { return sum.received; });
  write_each(out, rows, "cluster", "tunnel_cluster_received_bytes_total", Type::counter, "Bytes from a cluster",
             [](const Sum& sum) { return sum.sent; });
  out.begin("tunnel_cluster_errors_total", Type::counter,
            "Connections, tunnels and requests led to a cluster that we or the far side failed");
  write_errors(out, rows, "cluster");
}

void write_pools(Writer& out, const std::vector<ClusterSum>& clusters) {
  const auto write = [&](std::string_view name, std::string_view help, std::uint64_t ClusterSum::* value) {
    out.begin(name, Type::gauge, help);
    for (const ClusterSum& cluster : clusters)
      if (cluster.pooled) out.sample({{"cluster", cluster.name}}, cluster.*value);
  };
  write("tunnel_cluster_pool_connections", "Pooled connections to a cluster", &ClusterSum::pool_connections);
  write("tunnel_cluster_pool_exchanges", "Exchanges on pooled connections to a cluster", &ClusterSum::pool_exchanges);
}

void write_endpoints(Writer& out, const std::vector<ClusterSum>& clusters) {
  const auto write = [&](std::string_view name, Type type, std::string_view help, std::uint64_t EndpointSum::* value) {
    out.begin(name, type, help);
    for (const ClusterSum& cluster : clusters)
      for (const EndpointSum& endpoint : cluster.endpoints)
        out.sample({{"cluster", cluster.name}, {"endpoint", endpoint.name}}, endpoint.*value);
  };
  write("tunnel_cluster_endpoint_tries_total", Type::counter, "Connects to one of several endpoints of a cluster",
        &EndpointSum::tries);
  write("tunnel_cluster_endpoint_failures_total", Type::counter, "Those that failed for a fault of the endpoint",
        &EndpointSum::failures);
  write("tunnel_cluster_endpoint_aside", Type::gauge, "Workers that have the endpoint set aside", &EndpointSum::aside);
}

void write_process(Writer& out, const Figures& figures, const ProcessFacts& process) {
  const auto started = std::chrono::duration<double>(figures.started.time_since_epoch()).count();
  out.single("process_start_time_seconds", Type::gauge, "When the process started, in seconds since the epoch",
             fmt::format("{:.3f}", started));
  out.single("process_cpu_seconds_total", Type::counter, "CPU time, user and system",
             fmt::format("{:.3f}", process.cpu_seconds));
  out.single("process_resident_memory_bytes", Type::gauge, "Resident memory", process.resident_bytes);
  out.single("process_open_fds", Type::gauge, "Open descriptors", process.open_descriptors);
  out.single("process_max_fds", Type::gauge, "Descriptors the system gives", process.most_descriptors);
}

}  // namespace

std::string metrics_text(const Figures& figures, const ProcessFacts& process, bool draining) {
  Writer out;
  out.begin("tunnel_build_info", Type::gauge, "Always 1; the version is its label");
  out.sample({{"version", TUNNEL_VERSION}}, 1);
  for (std::size_t i = 0; i < kCounterCount; ++i) {
    const auto counter = static_cast<Counter>(i);
    out.single(name_of(counter), Type::counter, help_of(counter), figures.value(counter));
  }
  for (std::size_t i = 0; i < kGaugeCount; ++i) {
    const auto gauge = static_cast<Gauge>(i);
    out.single(name_of(gauge), Type::gauge, help_of(gauge), figures.value(gauge));
  }
  out.single("tunnel_workers", Type::gauge, "Worker threads", figures.workers());
  out.single("tunnel_buffer_bytes", Type::gauge, "Bytes buffers hold, see --mem-limit", memory::held());
  out.single("tunnel_window_bytes", Type::gauge, "Bytes windows of HTTP/2 streams have grown by", memory::promised());
  out.single("tunnel_draining", Type::gauge, "1 once a drain has begun", draining ? 1 : 0);
  const std::vector<ListenerSum> listeners = listener_sums(figures);
  write_listeners(out, listeners);
  const std::vector<ClusterSum> clusters = cluster_sums(figures, listeners);
  write_clusters(out, clusters);
  write_pools(out, clusters);
  write_endpoints(out, clusters);
  write_process(out, figures, process);
  return out.take();
}

}  // namespace tunnel::runtime
