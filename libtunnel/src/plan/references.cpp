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

bool looks_for_name(const Listener& listener) {
  const auto* relay = std::get_if<TcpProxy>(&listener.handler);
  return relay != nullptr && relay->tls_inspector;
}

bool sets_with(const Listener& listener, Operator op) {
  return std::any_of(listener.state.begin(), listener.state.end(), [op](const State& state) {
    return connection_format_fault(state.value).empty() && has_operator(parse_connection_format(state.value), op);
  });
}

ClientPart asked_by(const Listener& listener) {
  const auto* relay = std::get_if<TcpProxy>(&listener.handler);
  const bool tunnels = relay != nullptr && relay->tunnel;
  const auto has = [&](Operator op) {
    return sets_with(listener, op) || (tunnels && has_operator(*relay->tunnel, op));
  };
  ClientPart part;
  if (has(Operator::remote_address) || has(Operator::remote_port))
    part.address = ClientPart::Address::whole;
  else if (has(Operator::remote_host))
    part.address = ClientPart::Address::host;
  part.server_name = tunnels && relay->tls_inspector && has(Operator::server_name);
  return part;
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
  const auto asks = [](const Listener& listener) { return asked_by(listener) != ClientPart{}; };
  if (std::none_of(plan.listeners.begin(), plan.listeners.end(), asks)) return parts;
  const std::set<std::string_view> pooled = pooled_clusters(plan);
  for (const Cluster& cluster : plan.clusters) {
    if (!pooled.contains(cluster.name)) continue;
    ClientPart all;
    for (const Listener* listener : behind(plan, cluster)) {
      const ClientPart part = asked_by(*listener);
      all.address = std::max(all.address, part.address);
      all.server_name = all.server_name || part.server_name;
    }
    if (all != ClientPart{}) parts[cluster.name] = all;
  }
  return parts;
}

std::set<std::string> hello_listeners(const Plan& plan) {
  std::set<std::string> names;
  if (std::none_of(plan.listeners.begin(), plan.listeners.end(), looks_for_name)) return names;
  for (const Listener& listener : plan.listeners) {
    const auto* relay = std::get_if<TcpProxy>(&listener.handler);
    if (relay == nullptr || std::holds_alternative<Internal>(listener.addresses.front())) continue;
    bool looks = relay->tls_inspector;
    for (const Cluster& cluster : plan.clusters) {
      if (looks || cluster.name != relay->cluster) continue;
      const std::vector<const Listener*> inside = behind(plan, cluster);
      looks = std::any_of(inside.begin(), inside.end(), [](const Listener* next) { return looks_for_name(*next); });
    }
    if (looks) names.insert(listener.name);
  }
  return names;
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
