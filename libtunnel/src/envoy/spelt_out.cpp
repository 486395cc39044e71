// SPDX-License-Identifier: Apache-2.0
#include "envoy/spelt_out.hpp"

#include <algorithm>
#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "plan/host_port.hpp"
#include "plan/limit_table.hpp"

namespace tunnel::envoy {
namespace {

using plan::Plan;

bool is_internal(const plan::Listener& listener) {
  return std::holds_alternative<plan::Internal>(listener.addresses.front());
}

void spell_address(const plan::Address& address, std::vector<plan::Address>& spelt) {
  const auto* tcp = std::get_if<plan::Tcp>(&address);
  if (tcp != nullptr && (tcp->host.empty() || tcp->host == "*")) {
    spelt.emplace_back(plan::Tcp{tcp->host.empty() ? "127.0.0.1" : "0.0.0.0", tcp->port});
    spelt.emplace_back(plan::Tcp{tcp->host.empty() ? "::1" : "::", tcp->port});
    return;
  }
  spelt.push_back(address);
  auto* const socket = std::get_if<plan::Unix>(&spelt.back());
  if (socket != nullptr && socket->path.starts_with('@')) socket->mode = plan::Unix{}.mode;
}

// The routes of domains that have the same ones, one after the other. A route of several domains may come more than
// once; what is asked of one domain never sees the routes of another.
std::vector<plan::Route> by_domains(const std::vector<plan::Route>& routes) {
  std::vector<std::string> order;
  std::map<std::string, std::vector<std::size_t>> routes_of;
  for (std::size_t number = 0; number < routes.size(); ++number) {
    std::vector<std::string> domains = routes[number].match.domains;
    if (domains.empty()) domains.emplace_back("*");
    for (const std::string& domain : domains) {
      if (!routes_of.contains(domain)) order.push_back(domain);
      if (routes_of[domain].empty() || routes_of[domain].back() != number) routes_of[domain].push_back(number);
    }
  }
  std::vector<plan::Route> grouped;
  while (!order.empty()) {
    const std::vector<std::size_t> own = routes_of.at(order.front());
    std::vector<std::string> domains;
    for (const std::string& domain : order)
      if (routes_of.at(domain) == own) domains.push_back(domain);
    std::erase_if(order, [&](const std::string& domain) { return routes_of.at(domain) == own; });
    if (domains == std::vector<std::string>{"*"}) domains.clear();
    for (const std::size_t number : own) {
      grouped.push_back(routes[number]);
      grouped.back().match.domains = domains;
    }
  }
  return grouped;
}

void sort_fields(std::vector<plan::AccessField>& fields) {
  std::sort(fields.begin(), fields.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  for (plan::AccessField& field : fields) sort_fields(field.fields);
}

void spell(plan::Listener& listener) {
  if (listener.access_log.empty()) listener.access_format = {};
  sort_fields(listener.access_format.fields);
  std::vector<plan::Address> spelt;
  for (const plan::Address& address : listener.addresses) spell_address(address, spelt);
  listener.addresses = std::move(spelt);
  if (!is_internal(listener)) listener.buffer_bytes = plan::Listener{}.buffer_bytes;
  auto* const http = std::get_if<plan::HttpProxy>(&listener.handler);
  const bool has_prefix = http != nullptr || std::holds_alternative<plan::TcpProxy>(listener.handler);
  if (!has_prefix || listener.stat_prefix == listener.name) listener.stat_prefix.clear();
  if (http == nullptr) return;
  if (http->stream_idle_timeout == listener.idle_timeout) http->stream_idle_timeout.reset();
  http->routes = by_domains(http->routes);
}

// The values of a space together; their order says nothing.
void spell(std::vector<plan::Metadata>& metadata) {
  std::sort(metadata.begin(), metadata.end(), [](const plan::Metadata& a, const plan::Metadata& b) {
    return std::tie(a.space, a.key) < std::tie(b.space, b.key);
  });
}

void spell(plan::Cluster& cluster, bool speaks_http, const Limits& limits) {
  spell(cluster.metadata);
  if (!cluster.passthrough.empty()) cluster.passes_state = true;  // one transport socket does both
  for (plan::Endpoint& endpoint : cluster.endpoints) spell(endpoint.metadata);
  for (plan::Endpoint& endpoint : cluster.endpoints)
    if (auto* const socket = std::get_if<plan::Unix>(&endpoint.address)) socket->mode = plan::Unix{}.mode;
  if (allows_all_addresses(cluster.rules)) cluster.rules = all_literals();
  if (!has_names(cluster)) cluster.family = plan::Cluster{}.family;
  if (cluster.endpoints.size() < 2) cluster.lb = plan::Cluster{}.lb;
  if (!speaks_http) {
    cluster.protocol = plan::Cluster{}.protocol;
    cluster.pool = {};
    return;
  }
  plan::Pool& pool = cluster.pool;
  if (pool.idle == plan::Milliseconds::zero()) pool.idle = limits.pool_idle;
  if (cluster.protocol == plan::Http::h1)
    pool.ping = plan::Pool{}.ping;
  else if (pool.streams == 0)
    pool.streams = static_cast<unsigned>(limits.h2_pool_streams);
}

}  // namespace

std::vector<plan::Rule> all_literals() { return {{true, "0.0.0.0/0", 0, 65535, true}, {true, "::/0", 0, 65535, true}}; }

bool allows_all_addresses(std::vector<plan::Rule> rules) {
  for (plan::Rule& rule : rules) rule.literal = true;
  return rules == all_literals();
}

std::set<std::string> spoken_to(const Plan& plan) {
  std::set<std::string> names;
  for (const plan::Listener& listener : plan.listeners) {
    if (const auto* relay = std::get_if<plan::TcpProxy>(&listener.handler); relay != nullptr && relay->tunnel)
      names.insert(relay->cluster);
    const auto* http = std::get_if<plan::HttpProxy>(&listener.handler);
    if (http == nullptr) continue;
    for (const plan::Route& route : http->routes)
      if (const auto* forward = std::get_if<plan::Forward>(&route.action)) names.insert(forward->cluster);
  }
  return names;
}

bool is_named(const plan::Endpoint& endpoint) {
  const auto* tcp = std::get_if<plan::Tcp>(&endpoint.address);
  return tcp != nullptr && !plan::is_ipv4(tcp->host) && !plan::is_ipv6(tcp->host);
}

bool has_names(const plan::Cluster& cluster) {
  return std::any_of(cluster.endpoints.begin(), cluster.endpoints.end(), &is_named);
}

Plan spelt_out(Plan plan) {
  const Limits limits = plan::limits_of(plan.process);
  std::erase_if(plan.process.limits,
                [](const plan::Limit& limit) { return limit.key == "pool-idle" || limit.key == "pool-streams"; });
  plan.process.envoy_compat = false;  // Envoy is as it is
  for (plan::Listener& listener : plan.listeners) spell(listener);
  const std::set<std::string> http = spoken_to(plan);
  for (plan::Cluster& cluster : plan.clusters) spell(cluster, http.contains(cluster.name), limits);
  return plan;
}

}  // namespace tunnel::envoy
