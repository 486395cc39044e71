// SPDX-License-Identifier: Apache-2.0
#include "plan/references.hpp"

#include <algorithm>
#include <variant>

#include "plan/connection_format.hpp"
#include "plan/source.hpp"

namespace tunnel::plan {

std::vector<std::string> clusters_of(const Listener& listener) {
  std::vector<std::string> names;
  const auto add = [&names](const std::string& name) {
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  };
  if (const auto* relay = std::get_if<TcpProxy>(&listener.handler)) add(relay->cluster);
  if (const auto* http = std::get_if<HttpProxy>(&listener.handler)) {
    for (const Route& route : http->routes) {
      if (const auto* forward = std::get_if<Forward>(&route.action)) add(forward->cluster);
      if (const auto* terminate = std::get_if<Terminate>(&route.action)) add(terminate->cluster);
    }
  }
  return names;
}

bool lets_clients_name_targets(const Plan& plan, const Listener& listener) {
  std::set<std::string> seen{listener.name};
  std::vector<const Listener*> ahead{&listener};
  const auto follow = [&](const std::string& name) {
    for (const Listener& next : plan.listeners)
      if (next.name == name && seen.insert(name).second) ahead.push_back(&next);
  };
  while (!ahead.empty()) {
    const std::vector<std::string> names = clusters_of(*ahead.back());
    ahead.pop_back();
    for (const Cluster& cluster : plan.clusters) {
      if (std::find(names.begin(), names.end(), cluster.name) == names.end()) continue;
      if (cluster.find == Cluster::Find::request) return true;
      for (const Endpoint& endpoint : cluster.endpoints)
        if (const auto* internal = std::get_if<Internal>(&endpoint.address)) follow(internal->listener);
    }
  }
  return false;
}

namespace {

ClientPart asked_in(const std::string& text) {
  if (!connection_format_fault(text).empty()) return ClientPart::nothing;
  const ConnectionFormat format = parse_connection_format(text);
  if (has_operator(format, Operator::remote_address) || has_operator(format, Operator::remote_port))
    return ClientPart::address;
  return has_operator(format, Operator::remote_host) ? ClientPart::host : ClientPart::nothing;
}

ClientPart asked_by(const Listener& listener) {
  ClientPart most = ClientPart::nothing;
  for (const State& state : listener.state) most = std::max(most, asked_in(state.value));
  const auto* relay = std::get_if<TcpProxy>(&listener.handler);
  if (relay == nullptr || !relay->tunnel) return most;
  if (target_source_of(relay->tunnel->target) == Source::format) most = asked_in(relay->tunnel->target);
  for (const Header& header : relay->tunnel->headers)
    if (header.format) most = std::max(most, asked_in(header.value));
  return most;
}

// The internal listeners a connection to `cluster` may come through, over any number of hops.
std::vector<const Listener*> behind(const Plan& plan, const Cluster& cluster) {
  std::vector<const Listener*> found;
  std::set<std::string_view> seen;
  std::vector<const Cluster*> ahead{&cluster};
  const auto enter = [&](const std::string& name) {
    for (const Listener& listener : plan.listeners) {
      if (listener.name != name || !seen.insert(listener.name).second) continue;
      found.push_back(&listener);
      const std::vector<std::string> names = clusters_of(listener);
      for (const Cluster& next : plan.clusters)
        if (std::find(names.begin(), names.end(), next.name) != names.end()) ahead.push_back(&next);
    }
  };
  while (!ahead.empty()) {
    const Cluster& next = *ahead.back();
    ahead.pop_back();
    for (const Endpoint& endpoint : next.endpoints)
      if (const auto* internal = std::get_if<Internal>(&endpoint.address)) enter(internal->listener);
  }
  return found;
}

}  // namespace

std::map<std::string_view, ClientPart> asked_of_clients(const Plan& plan) {
  std::map<std::string_view, ClientPart> parts;
  const auto asks = [](const Listener& listener) { return asked_by(listener) != ClientPart::nothing; };
  if (std::none_of(plan.listeners.begin(), plan.listeners.end(), asks)) return parts;
  const std::set<std::string_view> pooled = pooled_clusters(plan);
  for (const Cluster& cluster : plan.clusters) {
    if (!pooled.contains(cluster.name)) continue;
    ClientPart most = ClientPart::nothing;
    for (const Listener* listener : behind(plan, cluster)) most = std::max(most, asked_by(*listener));
    if (most != ClientPart::nothing) parts[cluster.name] = most;
  }
  return parts;
}

std::set<std::string_view> pooled_clusters(const Plan& plan) {
  std::set<std::string_view> names;
  for (const Listener& listener : plan.listeners) {
    if (const auto* relay = std::get_if<TcpProxy>(&listener.handler); relay != nullptr && relay->tunnel)
      names.insert(relay->cluster);
    if (const auto* http = std::get_if<HttpProxy>(&listener.handler))
      for (const Route& route : http->routes)
        if (const auto* forward = std::get_if<Forward>(&route.action)) names.insert(forward->cluster);
  }
  return names;
}

}  // namespace tunnel::plan
