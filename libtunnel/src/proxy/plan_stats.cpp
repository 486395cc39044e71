// SPDX-License-Identifier: Apache-2.0
#include "proxy/plan_stats.hpp"

#include <algorithm>
#include <set>
#include <stdexcept>
#include <utility>
#include <variant>

#include "plan/host_port.hpp"
#include "plan/references.hpp"

namespace tunnel::proxy {
namespace {

// Read by another thread, an end may be seen before its begin.
std::uint64_t difference(const Cell& begun, const Cell& ended) {
  const std::uint64_t gone = ended.value();
  const std::uint64_t come = begun.value();
  return come > gone ? come - gone : 0;
}

}  // namespace

std::uint64_t EdgeStats::active() const { return difference(begun, ended); }

std::uint64_t Span::open() const { return difference(begun, ended); }

void EdgeStats::end(const Error& error) {
  ended.add(1);
  if (!error) return;
  if (error.side == Error::Side::downstream)
    client_errors.add(1);
  else
    errors[static_cast<std::size_t>(error.kind)].add(1);
}

ListenerStats::ListenerStats(const plan::Listener& listener) : name(listener.name) {
  edges.emplace_back("");
  const auto leads_to = [this](const std::string& cluster) {
    if (edge(cluster).cluster != cluster) edges.emplace_back(cluster);
  };
  if (const auto* relay = std::get_if<plan::TcpProxy>(&listener.handler)) leads_to(relay->cluster);
  if (const auto* routed = std::get_if<plan::HttpProxy>(&listener.handler)) {
    for (const plan::Route& route : routed->routes) {
      if (const auto* forward = std::get_if<plan::Forward>(&route.action)) leads_to(forward->cluster);
      if (const auto* terminate = std::get_if<plan::Terminate>(&route.action)) leads_to(terminate->cluster);
    }
  }
}

EdgeStats& ListenerStats::edge(std::string_view cluster) {
  const auto found =
      std::find_if(edges.begin(), edges.end(), [&](const EdgeStats& edge) { return edge.cluster == cluster; });
  return found == edges.end() ? edges.front() : *found;
}

std::uint64_t ListenerStats::active() const { return difference(begun, ended); }

ClusterStats::ClusterStats(const plan::Cluster& cluster) : name(cluster.name) {
  for (const plan::Endpoint& endpoint : cluster.endpoints) endpoints.emplace_back(plan::to_string(endpoint.address));
}

PlanStats::PlanStats(const plan::Plan& plan) {
  for (const plan::Listener& listener : plan.listeners) listeners_.emplace_back(listener);
  const std::set<std::string_view> pooled = plan::pooled_clusters(plan);
  for (const plan::Cluster& cluster : plan.clusters)
    clusters_.emplace_back(cluster).pooled = pooled.contains(cluster.name);
}

ListenerStats& PlanStats::listener(std::string_view name) {
  const auto found = std::find_if(listeners_.begin(), listeners_.end(),
                                  [&](const ListenerStats& listener) { return listener.name == name; });
  if (found == listeners_.end()) throw std::out_of_range(std::string(name));
  return *found;
}

ClusterStats& PlanStats::cluster(std::string_view name) {
  const auto found = std::find_if(clusters_.begin(), clusters_.end(),
                                  [&](const ClusterStats& cluster) { return cluster.name == name; });
  if (found == clusters_.end()) throw std::out_of_range(std::string(name));
  return *found;
}

}  // namespace tunnel::proxy
