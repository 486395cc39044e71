// SPDX-License-Identifier: Apache-2.0
// The one table: kListenerRows and its sisters name every statistic and where it is taken from.
//
//   listener.ADDRESS.             connections as they are admitted, ADDRESS being the first of the listener's
//   tcp.PREFIX., http.PREFIX.     PREFIX being stat_prefix, else the listener's name
//   connection_limit.PREFIX.      of listeners with max_connections
//   cluster.NAME.                 a cluster is raw where a connection is made for each of a listener's (a tcp_proxy
//                                 without a tunnel, a CONNECT that ends here), and pooled where HTTP is spoken to it.
//                                 One that is both has no row that would mix the two.
//   listener_manager., cluster_manager., server.
//
// Bytes are told where they are the same on the wire: of tcp_proxy and of raw clusters. Envoy's other bytes are those
// of heads and frames too, which nobody counts here.
#include "runtime/envoy_stats.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <map>
#include <optional>
#include <variant>

#include "envoy/stat_prefix.hpp"
#include "plan/host_port.hpp"

namespace tunnel::runtime {
namespace {

using Kind = EnvoyStat::Kind;

struct Reading {
  std::uint64_t value = 0;
  bool used = false;
};
using Read = std::optional<Reading>;

Read counted(std::uint64_t value) { return Reading{value, value > 0}; }
// A gauge that was moved, be it back to 0.
Read held(std::uint64_t value, std::uint64_t ever) { return Reading{value, value > 0 || ever > 0}; }
Read told(std::uint64_t value) { return Reading{value, true}; }

// The second was read later, and may have moved on.
std::uint64_t less(std::uint64_t all, std::uint64_t part) { return all > part ? all - part : 0; }

template <class Source>
struct Row {
  std::string_view name;
  Kind kind;
  Read (*read)(const Source&);
};

// --- listener.ADDRESS., listener.ADDRESS.worker_N. ---
struct WorkerConnections {
  std::uint64_t begun = 0;
  std::uint64_t active = 0;
};

// Of http.PREFIX., too.
constexpr auto kConnectionRows = std::to_array<Row<ListenerSum>>({
    {"downstream_cx_total", Kind::counter, [](const ListenerSum& sum) { return counted(sum.begun); }},
    {"downstream_cx_active", Kind::gauge, [](const ListenerSum& sum) { return held(sum.active, sum.begun); }},
    {"downstream_cx_destroy", Kind::counter,
     [](const ListenerSum& sum) { return counted(less(sum.begun, sum.active)); }},
});
constexpr auto kListenerRows = std::to_array<Row<ListenerSum>>({
    {"downstream_global_cx_overflow", Kind::counter,
     [](const ListenerSum& sum) { return counted(sum.over_process_limit); }},
});
constexpr auto kWorkerRows = std::to_array<Row<WorkerConnections>>({
    {"downstream_cx_total", Kind::counter, [](const WorkerConnections& sum) { return counted(sum.begun); }},
    {"downstream_cx_active", Kind::gauge, [](const WorkerConnections& sum) { return held(sum.active, sum.begun); }},
});

// --- tcp.PREFIX. ---
constexpr auto kTcpRows = std::to_array<Row<ListenerSum>>({
    {"downstream_cx_total", Kind::counter, [](const ListenerSum& sum) { return counted(sum.begun); }},
    {"downstream_cx_rx_bytes_total", Kind::counter, [](const ListenerSum& sum) { return counted(sum.sum.received); }},
    {"downstream_cx_tx_bytes_total", Kind::counter, [](const ListenerSum& sum) { return counted(sum.sum.sent); }},
});

// --- connection_limit.PREFIX. ---
constexpr auto kLimitRows = std::to_array<Row<ListenerSum>>({
    {"limited_connections", Kind::counter, [](const ListenerSum& sum) { return counted(sum.over_own_limit); }},
});

// --- http.PREFIX., listener.ADDRESS.http.PREFIX. ---
std::uint64_t all_answered(const Sum& sum) {
  std::uint64_t all = 0;
  for (const std::uint64_t of_a_class : sum.answered) all += of_a_class;
  return all;
}
template <std::size_t Digit>
Read answered(const ListenerSum& sum) {
  return counted(sum.sum.answered[Digit]);
}
constexpr auto kAnswerRows = std::to_array<Row<ListenerSum>>({
    {"downstream_rq_1xx", Kind::counter, &answered<1>},
    {"downstream_rq_2xx", Kind::counter, &answered<2>},
    {"downstream_rq_3xx", Kind::counter, &answered<3>},
    {"downstream_rq_4xx", Kind::counter, &answered<4>},
    {"downstream_rq_5xx", Kind::counter, &answered<5>},
    {"downstream_rq_completed", Kind::counter, [](const ListenerSum& sum) { return counted(all_answered(sum.sum)); }},
});
constexpr auto kHttpRows = std::to_array<Row<ListenerSum>>({
    {"downstream_cx_http1_total", Kind::counter, [](const ListenerSum& sum) { return counted(sum.http.h1.begun); }},
    {"downstream_cx_http1_active", Kind::gauge,
     [](const ListenerSum& sum) { return held(sum.http.h1.open, sum.http.h1.begun); }},
    {"downstream_cx_http2_total", Kind::counter, [](const ListenerSum& sum) { return counted(sum.http.h2.begun); }},
    {"downstream_cx_http2_active", Kind::gauge,
     [](const ListenerSum& sum) { return held(sum.http.h2.open, sum.http.h2.begun); }},
    {"downstream_cx_upgrades_total", Kind::counter,
     [](const ListenerSum& sum) { return counted(sum.http.tunnels.begun); }},
    {"downstream_cx_upgrades_active", Kind::gauge,
     [](const ListenerSum& sum) { return held(sum.http.tunnels.open, sum.http.tunnels.begun); }},
    {"downstream_rq_total", Kind::counter, [](const ListenerSum& sum) { return counted(sum.sum.begun); }},
    {"downstream_rq_active", Kind::gauge, [](const ListenerSum& sum) { return held(sum.sum.active, sum.sum.begun); }},
    {"downstream_rq_http1_total", Kind::counter, [](const ListenerSum& sum) { return counted(sum.http.h1_begun); }},
    {"downstream_rq_http2_total", Kind::counter, [](const ListenerSum& sum) { return counted(sum.http.h2_begun); }},
    {"rq_total", Kind::counter, [](const ListenerSum& sum) { return counted(sum.http.routed); }},
    {"rq_direct_response", Kind::counter, [](const ListenerSum& sum) { return counted(sum.http.responded); }},
    {"no_route", Kind::counter, [](const ListenerSum& sum) { return counted(sum.http.unrouted); }},
});

// --- cluster.NAME. ---
struct ClusterSource {
  const plan::Cluster& plan;
  ClusterSum sum;
  bool raw = false;
  bool pooled = false;
  bool requested = false;  // by requests that are answered with a status

  bool only_raw() const { return raw && !pooled; }
  bool only_pooled() const { return pooled && !raw; }
};

Read if_only_raw(const ClusterSource& of, std::uint64_t value) { return of.only_raw() ? counted(value) : Read(); }
Read of_version(const ClusterSource& of, plan::Http version) {
  if (!of.only_pooled()) return std::nullopt;
  return counted(of.plan.protocol == version ? of.sum.connects : 0);
}
// Envoy has them once there was one.
template <std::size_t Digit>
Read answers(const ClusterSource& of) {
  const std::uint64_t count = of.sum.sum.answered[Digit];
  return of.requested && count > 0 ? counted(count) : Read();
}
bool is_one_host(const plan::Endpoint& endpoint) {
  const auto* tcp = std::get_if<plan::Tcp>(&endpoint.address);
  return tcp == nullptr || plan::is_ipv4(tcp->host) || plan::is_ipv6(tcp->host);
}
// How many hosts a name stands for is the name server's to say.
Read hosts(const ClusterSource& of) {
  const std::vector<plan::Endpoint>& all = of.plan.endpoints;
  if (of.plan.find != plan::Cluster::Find::fixed || !std::all_of(all.begin(), all.end(), &is_one_host))
    return std::nullopt;
  return told(all.size());
}

constexpr auto kClusterRows = std::to_array<Row<ClusterSource>>({
    {"membership_total", Kind::gauge, &hosts},
    {"upstream_cx_total", Kind::counter, [](const ClusterSource& of) { return counted(of.sum.connects); }},
    {"upstream_cx_active", Kind::gauge,
     [](const ClusterSource& of) {
       if (of.raw && of.pooled) return Read();
       return held(of.pooled ? of.sum.pool_connections : of.sum.sum.active, of.sum.connects);
     }},
    {"upstream_cx_connect_fail", Kind::counter,
     [](const ClusterSource& of) { return counted(of.sum.connect_failures); }},
    {"upstream_cx_connect_timeout", Kind::counter,
     [](const ClusterSource& of) { return counted(of.sum.connect_timeouts); }},
    {"upstream_cx_http1_total", Kind::counter, [](const ClusterSource& of) { return of_version(of, plan::Http::h1); }},
    {"upstream_cx_http2_total", Kind::counter, [](const ClusterSource& of) { return of_version(of, plan::Http::h2); }},
    {"upstream_cx_rx_bytes_total", Kind::counter,
     [](const ClusterSource& of) { return if_only_raw(of, of.sum.sum.sent); }},
    {"upstream_cx_tx_bytes_total", Kind::counter,
     [](const ClusterSource& of) { return if_only_raw(of, of.sum.sum.received); }},
    {"upstream_rq_total", Kind::counter,
     [](const ClusterSource& of) {
       if (of.raw && of.pooled) return Read();
       return counted(of.pooled ? of.sum.pool_exchanges_begun : less(of.sum.connects, of.sum.connect_failures));
     }},
    {"upstream_rq_active", Kind::gauge,
     [](const ClusterSource& of) {
       return of.only_pooled() ? held(of.sum.pool_exchanges, of.sum.pool_exchanges_begun) : Read();
     }},
    {"upstream_rq_1xx", Kind::counter, &answers<1>},
    {"upstream_rq_2xx", Kind::counter, &answers<2>},
    {"upstream_rq_3xx", Kind::counter, &answers<3>},
    {"upstream_rq_4xx", Kind::counter, &answers<4>},
    {"upstream_rq_5xx", Kind::counter, &answers<5>},
    {"upstream_rq_completed", Kind::counter,
     [](const ClusterSource& of) { return of.requested ? counted(all_answered(of.sum.sum)) : Read(); }},
});

// --- listener_manager., cluster_manager., server. ---
struct ProcessSource {
  const plan::Plan& plan;
  const Figures& figures;
  const EnvoyState& state;
};

bool has_socket(const plan::Listener& listener) {
  return !std::holds_alternative<plan::Internal>(listener.addresses.front());
}

constexpr auto kProcessRows = std::to_array<Row<ProcessSource>>({
    {"listener_manager.listener_added", Kind::counter,
     [](const ProcessSource& of) { return told(of.plan.listeners.size()); }},
    {"listener_manager.total_listeners_active", Kind::gauge,
     [](const ProcessSource& of) { return told(of.plan.listeners.size()); }},
    {"listener_manager.workers_started", Kind::gauge, [](const ProcessSource&) { return told(1); }},
    // Internal listeners go on: what is connected may still need them.
    {"listener_manager.listener_stopped", Kind::counter,
     [](const ProcessSource& of) {
       const auto& all = of.plan.listeners;
       return counted(
           of.state.listening ? 0 : static_cast<std::uint64_t>(std::count_if(all.begin(), all.end(), &has_socket)));
     }},
    {"cluster_manager.cluster_added", Kind::counter,
     [](const ProcessSource& of) { return told(of.plan.clusters.size()); }},
    {"cluster_manager.active_clusters", Kind::gauge,
     [](const ProcessSource& of) { return told(of.plan.clusters.size()); }},
    {"server.concurrency", Kind::gauge, [](const ProcessSource& of) { return told(of.figures.workers()); }},
    {"server.live", Kind::gauge, [](const ProcessSource& of) { return told(of.state.live ? 1 : 0); }},
    {"server.state", Kind::gauge, [](const ProcessSource& of) { return told(of.state.live ? 0 : 1); }},
    {"server.total_connections", Kind::gauge,
     [](const ProcessSource& of) { return told(of.figures.value(Gauge::connections)); }},
    {"server.memory_physical_size", Kind::gauge, [](const ProcessSource& of) { return told(of.state.resident_bytes); }},
    {"server.uptime", Kind::gauge,
     [](const ProcessSource& of) { return told(static_cast<std::uint64_t>(of.state.uptime.count())); }},
});

// As Envoy keeps its own separators out of names; and nothing that would end a line.
std::string clean(std::string_view text) {
  std::string name(text);
  for (char& c : name)
    if (c == ':' || static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '_';
  return name;
}

class Collector {
 public:
  // A scope: "tcp.ingress.", "envoy_tcp_" and the labels that hold what the first has and the second has not.
  struct Scope {
    std::string prefix;
    std::string family;
    EnvoyStat::Labels labels{};
  };

  template <class Rows, class Source>
  void add(const Scope& scope, const Rows& rows, const Source& source) {
    for (const auto& row : rows) {
      const Read read = row.read(source);
      if (!read) continue;
      EnvoyStat stat{scope.prefix + std::string(row.name), row.kind, read->value, read->used, "", scope.labels};
      stat.family = family_of(scope.family + std::string(row.name), stat.labels);
      all_.push_back(std::move(stat));
    }
  }
  std::vector<EnvoyStat> take() {
    std::sort(all_.begin(), all_.end(), [](const EnvoyStat& a, const EnvoyStat& b) { return a.name < b.name; });
    return std::move(all_);
  }

 private:
  // "…_rq_2xx" is one of "…_rq_xx".
  static std::string family_of(std::string name, EnvoyStat::Labels& labels) {
    std::replace(name.begin(), name.end(), '.', '_');
    const std::size_t digit = name.size() - 3;
    if (!name.ends_with("xx") || name[digit] < '1' || name[digit] > '5') return name;
    labels.insert(labels.begin(), {"envoy_response_code_class", std::string(1, name[digit])});
    return name.erase(digit, 1);
  }

  std::vector<EnvoyStat> all_;
};

void add_workers(Collector& all, const Figures& figures, std::size_t index, const std::string& key) {
  for (std::size_t worker = 0; worker < figures.stats.size(); ++worker) {
    const proxy::ListenerStats& stats = figures.stats[worker]->listeners()[index];
    const std::uint64_t active = stats.active();
    const std::string number = std::to_string(worker);
    all.add({fmt::format("listener.{}.worker_{}.", key, number),
             "envoy_listener_worker_",
             {{"envoy_worker_id", number}, {"envoy_listener_address", key}}},
            kWorkerRows, WorkerConnections{stats.begun.value(), active});
  }
}

void add_up(ListenerSum& to, const ListenerSum& from) {
  to.begun += from.begun;
  to.active += from.active;
  to.over_own_limit += from.over_own_limit;
  to.http.add(from.http);
  to.sum.add(from.sum);
}

void add_listeners(Collector& all, const plan::Plan& plan, const Figures& figures,
                   const std::vector<ListenerSum>& sums) {
  std::map<std::string, ListenerSum> tcp;
  std::map<std::string, ListenerSum> http;
  std::map<std::string, ListenerSum> limited;
  for (std::size_t i = 0; i < sums.size(); ++i) {
    const plan::Listener& listener = plan.listeners[i];
    const std::string key = envoy_listener_key(listener);
    const std::string prefix = clean(envoy::stat_prefix_of(listener));
    const Collector::Scope own{fmt::format("listener.{}.", key), "envoy_listener_", {{"envoy_listener_address", key}}};
    all.add(own, kConnectionRows, sums[i]);
    all.add(own, kListenerRows, sums[i]);
    add_workers(all, figures, i, key);
    if (listener.max_connections > 0) add_up(limited[clean(listener.name)], sums[i]);
    if (std::holds_alternative<plan::TcpProxy>(listener.handler)) add_up(tcp[prefix], sums[i]);
    if (!std::holds_alternative<plan::HttpProxy>(listener.handler)) continue;
    add_up(http[prefix], sums[i]);
    all.add({fmt::format("listener.{}.http.{}.", key, prefix),
             "envoy_listener_http_",
             {{"envoy_http_conn_manager_prefix", prefix}, {"envoy_listener_address", key}}},
            kAnswerRows, sums[i]);
  }
  for (const auto& [prefix, sum] : tcp)
    all.add({"tcp." + prefix + ".", "envoy_tcp_", {{"envoy_tcp_prefix", prefix}}}, kTcpRows, sum);
  for (const auto& [prefix, sum] : limited)
    all.add(
        {"connection_limit." + prefix + ".", "envoy_connection_limit_", {{"envoy_connection_limit_prefix", prefix}}},
        kLimitRows, sum);
  for (const auto& [prefix, sum] : http) {
    const Collector::Scope scope{"http." + prefix + ".", "envoy_http_", {{"envoy_http_conn_manager_prefix", prefix}}};
    all.add(scope, kConnectionRows, sum);
    all.add(scope, kHttpRows, sum);
    all.add(scope, kAnswerRows, sum);
  }
}

void note_ways(std::vector<ClusterSource>& clusters, const plan::Listener& listener) {
  const auto note = [&](const std::string& name, bool pooled, bool requested) {
    for (ClusterSource& cluster : clusters) {
      if (cluster.plan.name != name) continue;
      (pooled ? cluster.pooled : cluster.raw) = true;
      cluster.requested = cluster.requested || requested;
    }
  };
  if (const auto* relay = std::get_if<plan::TcpProxy>(&listener.handler))
    note(relay->cluster, relay->tunnel.has_value(), false);
  if (const auto* http = std::get_if<plan::HttpProxy>(&listener.handler)) {
    for (const plan::Route& route : http->routes) {
      if (const auto* forward = std::get_if<plan::Forward>(&route.action)) note(forward->cluster, true, true);
      if (const auto* terminate = std::get_if<plan::Terminate>(&route.action)) note(terminate->cluster, false, true);
    }
  }
}

void add_clusters(Collector& all, const plan::Plan& plan, const std::vector<ClusterSum>& sums) {
  std::vector<ClusterSource> clusters;
  clusters.reserve(plan.clusters.size());
  for (const plan::Cluster& cluster : plan.clusters) clusters.push_back({cluster, sum_of(cluster.name, sums)});
  for (const plan::Listener& listener : plan.listeners) note_ways(clusters, listener);
  for (const ClusterSource& cluster : clusters) {
    const std::string name = clean(cluster.plan.name);
    all.add({"cluster." + name + ".", "envoy_cluster_", {{"envoy_cluster_name", name}}}, kClusterRows, cluster);
  }
}

}  // namespace

std::string envoy_listener_key(const plan::Listener& listener) {
  plan::Address address = listener.addresses.front();
  if (const auto* internal = std::get_if<plan::Internal>(&address)) return "envoy_internal_" + internal->listener;
  if (const auto* local = std::get_if<plan::Unix>(&address)) return clean(local->path);
  // A bare port has two addresses, an asterisk all of both kinds.
  if (auto* const tcp = std::get_if<plan::Tcp>(&address)) {
    if (tcp->host.empty()) tcp->host = "127.0.0.1";
    if (tcp->host == "*") tcp->host = "0.0.0.0";
  }
  return clean(plan::to_string(address));
}

std::vector<EnvoyStat> envoy_stats(const plan::Plan& plan, const Figures& figures, const EnvoyState& state) {
  Collector all;
  const std::vector<ListenerSum> listeners = listener_sums(figures);
  add_listeners(all, plan, figures, listeners);
  add_clusters(all, plan, cluster_sums(figures, listeners));
  all.add({"", "envoy_", {}}, kProcessRows, ProcessSource{plan, figures, state});
  return all.take();
}

}  // namespace tunnel::runtime
