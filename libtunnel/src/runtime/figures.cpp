// SPDX-License-Identifier: Apache-2.0
#include "runtime/figures.hpp"

#include <algorithm>
#include <numeric>

namespace tunnel::runtime {

std::uint64_t Figures::value(Counter counter) const {
  std::uint64_t sum = 0;
  for (const Counters* worker : counters) sum += worker->value(counter);
  if (counter == Counter::access_log_lost) sum += access_log_lost;
  if (counter == Counter::log_lost) sum += log_lost;
  return sum;
}

std::uint64_t Figures::value(Gauge gauge) const {
  std::uint64_t sum = 0;
  for (const Counters* worker : counters) sum += worker->value(gauge);
  return sum;
}

void Sum::add(const proxy::EdgeStats& edge) {
  begun += edge.begun.value();
  active += edge.active();
  received += edge.traffic.of(Direction::up);
  sent += edge.traffic.of(Direction::down);
  for (std::size_t kind = 0; kind < errors.size(); ++kind) errors[kind] += edge.errors[kind].value();
  client_errors += edge.client_errors.value();
  for (std::size_t digit = 0; digit < answered.size(); ++digit) answered[digit] += edge.answered[digit].value();
}

void Sum::add(const Sum& other) {
  begun += other.begun;
  active += other.active;
  received += other.received;
  sent += other.sent;
  for (std::size_t kind = 0; kind < errors.size(); ++kind) errors[kind] += other.errors[kind];
  client_errors += other.client_errors;
  for (std::size_t digit = 0; digit < answered.size(); ++digit) answered[digit] += other.answered[digit];
}

void HttpSum::Span::add(const proxy::Span& of) {
  open += of.open();
  begun += of.begun.value();
}

void HttpSum::add(const proxy::HttpStats& worker) {
  h1.add(worker.h1);
  h2.add(worker.h2);
  tunnels.add(worker.tunnels);
  h1_begun += worker.h1_begun.value();
  h2_begun += worker.h2_begun.value();
  routed += worker.routed.value();
  unrouted += worker.unrouted.value();
  responded += worker.responded.value();
}

void HttpSum::add(const HttpSum& other) {
  const auto add_span = [](Span& to, const Span& from) {
    to.begun += from.begun;
    to.open += from.open;
  };
  add_span(h1, other.h1);
  add_span(h2, other.h2);
  add_span(tunnels, other.tunnels);
  h1_begun += other.h1_begun;
  h2_begun += other.h2_begun;
  routed += other.routed;
  unrouted += other.unrouted;
  responded += other.responded;
}

std::uint64_t Sum::all_errors() const { return std::accumulate(errors.begin(), errors.end(), std::uint64_t{0}); }

std::vector<ListenerSum> listener_sums(const Figures& figures) {
  std::vector<ListenerSum> sums;
  for (const proxy::PlanStats* worker : figures.stats) {
    std::size_t at = 0;
    for (const proxy::ListenerStats& listener : worker->listeners()) {
      if (at == sums.size()) {
        sums.emplace_back().name = listener.name;
        for (const proxy::EdgeStats& edge : listener.edges) sums.back().edges.push_back({edge.cluster, {}});
      }
      ListenerSum& sum = sums[at++];
      sum.begun += listener.begun.value();
      sum.active += listener.active();
      sum.over_own_limit += listener.over_own_limit.value();
      sum.over_process_limit += listener.over_process_limit.value();
      sum.http.add(listener.http);
      for (std::size_t i = 0; i < sum.edges.size(); ++i) sum.edges[i].sum.add(listener.edges[i]);
    }
  }
  for (ListenerSum& listener : sums)
    for (const EdgeSum& edge : listener.edges) listener.sum.add(edge.sum);
  return sums;
}

namespace {

void add(ClusterSum& sum, const proxy::ClusterStats& worker) {
  sum.pooled = worker.pooled;
  sum.pool_connections += worker.pool.connections.value();
  sum.pool_exchanges += worker.pool.exchanges.value();
  sum.pool_exchanges_begun += worker.pool.exchanges_begun.value();
  sum.connects += worker.connects.value();
  sum.connect_failures += worker.connect_failures.value();
  sum.connect_timeouts += worker.connect_timeouts.value();
  if (worker.endpoints.size() < 2) return;
  std::size_t at = 0;
  for (const proxy::EndpointStats& endpoint : worker.endpoints) {
    if (at == sum.endpoints.size()) sum.endpoints.push_back({endpoint.name});
    EndpointSum& one = sum.endpoints[at++];
    one.tries += endpoint.tries.value();
    one.failures += endpoint.failures.value();
    one.aside += endpoint.aside.value();
  }
}

}  // namespace

std::vector<ClusterSum> cluster_sums(const Figures& figures, const std::vector<ListenerSum>& listeners) {
  std::vector<ClusterSum> clusters;
  for (const ListenerSum& listener : listeners) {
    for (const EdgeSum& edge : listener.edges) {
      if (edge.cluster.empty()) continue;
      auto found = std::find_if(clusters.begin(), clusters.end(),
                                [&](const ClusterSum& cluster) { return cluster.name == edge.cluster; });
      if (found == clusters.end()) found = clusters.insert(found, {edge.cluster});
      found->sum.add(edge.sum);
    }
  }
  for (const proxy::PlanStats* worker : figures.stats)
    for (const proxy::ClusterStats& cluster : worker->clusters())
      for (ClusterSum& sum : clusters)
        if (sum.name == cluster.name) add(sum, cluster);
  return clusters;
}

ClusterSum sum_of(const std::string& name, const std::vector<ClusterSum>& sums) {
  const auto found = std::find_if(sums.begin(), sums.end(), [&](const ClusterSum& sum) { return sum.name == name; });
  return found == sums.end() ? ClusterSum{name} : *found;
}

}  // namespace tunnel::runtime
