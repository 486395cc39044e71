// SPDX-License-Identifier: Apache-2.0
#include "support/world.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "plan/limit_table.hpp"
#include "stream/user_space_pair.hpp"

namespace tunnel::test {

std::vector<std::string> Records::lines(bool with_bytes) const {
  std::vector<std::string> lines;
  for (const AccessRecord& r : all) {
    std::string line = fmt::format("{} {} {} -> {} [{}] {} {}{} {} {}/{}", r.listener, r.protocol, r.downstream_remote,
                                   r.upstream, r.cluster, r.method, r.authority, r.path, r.status,
                                   to_string(r.error.kind), static_cast<int>(r.error.side));
    if (with_bytes) line += fmt::format(" {}/{}", r.bytes_received, r.bytes_sent);
    line += fmt::format(" {} ms", r.duration.count() / 1000);
    lines.push_back(std::move(line));
  }
  std::sort(lines.begin(), lines.end());
  return lines;
}

World::World(plan::Plan running, std::uint64_t seed)
    : plan(std::move(running)),
      loop(seed),
      limits(plan::limits_of(plan.process)),
      context{loop, counters, limits},
      outside{loop, outside_counters, limits},
      network(loop, outside),
      stats(plan) {
  const std::vector<plan::Problem> problems = plan::check(plan);
  if (!problems.empty()) throw std::invalid_argument(problems.front().text);
  for (const plan::Cluster& cluster : plan.clusters)
    if (cluster.max_connections > 0) shared.cluster_connections.try_emplace(cluster.name, 0);
  for (const plan::Listener& listener : plan.listeners) {
    shared.listener_connections.try_emplace(listener.name, 0);
    for (const plan::Address& address : listener.addresses)
      if (const auto* tcp = std::get_if<plan::Tcp>(&address))
        shared.own_addresses.push_back(*SocketAddress::from_literal("127.0.0.1", tcp->port));
  }
  stage = std::make_unique<proxy::Stage>(context, plan, network, records, shared, stats);
}

World::~World() {
  end();
  network.drop_peers();
  loop.run();
}

void World::accept(std::string_view name, StreamPtr stream) {
  for (std::size_t i = 0; i < plan.listeners.size(); ++i) {
    const plan::Listener& listener = plan.listeners[i];
    if (listener.name != name) continue;
    const auto* tcp = std::get_if<plan::Tcp>(&listener.addresses.front());
    const std::uint16_t port = tcp != nullptr ? tcp->port : 0;
    ConnectionInfo info;
    info.remote = *SocketAddress::from_literal("192.0.2.1", static_cast<std::uint16_t>(40000 + clients_++));
    info.local = *SocketAddress::from_literal("127.0.0.1", port);
    info.downstream = info.remote.to_string();
    info.local_name = info.local.to_string();
    stage->handler(i).accepted(std::move(stream), std::move(info));
    return;
  }
  throw std::invalid_argument(std::string(name));
}

StreamPtr World::dial(std::string_view name) {
  auto [near, far] = make_user_space_pair(outside, client_pair_bytes);
  StreamPtr accepted = std::move(far);
  if (fail_clients != nullptr) accepted = std::make_unique<FailingStream>(std::move(accepted), *fail_clients);
  accept(name, std::move(accepted));
  return std::move(near);
}

std::unique_ptr<Peer> World::client(std::string_view name, bool reading) {
  return std::make_unique<Peer>(loop, dial(name), reading);
}

void World::end() {
  if (std::exchange(ended_, true)) return;
  Started<std::size_t> drained = start(stage->drain(Duration()));
  loop.run_until([&drained] { return drained.done(); }, std::chrono::minutes(10));
  if (!drained.done()) {
    fmt::print(stderr, "connections that never end: {}, gauges: {}\n", stage->environment().connections.size(),
               open_gauges());
    std::abort();  // their coroutines hold what is destroyed next
  }
  loop.run();
}

std::string World::open_gauges() const {
  std::string text;
  for (std::size_t i = 0; i < kGaugeCount; ++i) {
    const auto gauge = static_cast<Gauge>(i);
    if (counters.value(gauge) != 0) text += fmt::format("{}={} ", name_of(gauge), counters.value(gauge));
  }
  for (const proxy::ListenerStats& listener : stats.listeners()) {
    if (listener.active() != 0) text += fmt::format("{}={} ", listener.name, listener.active());
    for (const proxy::EdgeStats& edge : listener.edges)
      if (edge.active() != 0) text += fmt::format("{}->{}={} ", listener.name, edge.cluster, edge.active());
  }
  for (const proxy::ClusterStats& cluster : stats.clusters()) {
    const http::PoolStats& pool = cluster.pool;
    if (pool.connections.value() != 0 || pool.exchanges.value() != 0)
      text += fmt::format("pool of {}={}/{} ", cluster.name, pool.connections.value(), pool.exchanges.value());
  }
  return text;
}

std::vector<std::string> World::counter_lines() const {
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < kCounterCount; ++i) {
    const auto counter = static_cast<Counter>(i);
    if (counter == Counter::internal_paused || counters.value(counter) == 0) continue;
    lines.push_back(fmt::format("{} {}", name_of(counter), counters.value(counter)));
  }
  return lines;
}

plan::Listener tcp_listener(const std::string& name, std::uint16_t port, plan::Handler handler) {
  plan::Listener listener;
  listener.name = name;
  listener.addresses = {plan::Tcp{"127.0.0.1", port}};
  listener.handler = std::move(handler);
  listener.access_log = "-";
  return listener;
}

plan::Listener internal_listener(const std::string& name, plan::Handler handler) {
  plan::Listener listener = tcp_listener(name, 0, std::move(handler));
  listener.addresses = {plan::Internal{name, ""}};
  return listener;
}

plan::Cluster to_tcp(const std::string& name, const std::string& host, std::uint16_t port, plan::Http protocol) {
  plan::Cluster cluster;
  cluster.name = name;
  cluster.endpoints = {plan::Endpoint{plan::Tcp{host, port}}};
  cluster.protocol = protocol;
  return cluster;
}

plan::Cluster to_internal(const std::string& name, const std::string& listener, plan::Http protocol) {
  plan::Cluster cluster = to_tcp(name, "", 0, protocol);
  cluster.endpoints = {plan::Endpoint{plan::Internal{listener, ""}}};
  return cluster;
}

plan::Cluster to_requested(const std::string& name, std::vector<plan::Rule> rules) {
  plan::Cluster cluster;
  cluster.name = name;
  cluster.find = plan::Cluster::Find::request;
  cluster.rules = std::move(rules);
  return cluster;
}

plan::Plan chain(unsigned hops, const std::string& host, std::uint16_t port) {
  plan::Plan plan;
  for (unsigned i = 0; i <= hops; ++i) {
    const std::string cluster = "c" + std::to_string(i);
    const plan::TcpProxy handler{cluster, std::nullopt};
    plan.listeners.push_back(i == 0 ? tcp_listener("front", 9000, handler)
                                    : internal_listener("hop" + std::to_string(i), handler));
    plan.clusters.push_back(i == hops ? to_tcp(cluster, host, port)
                                      : to_internal(cluster, "hop" + std::to_string(i + 1)));
  }
  return plan;
}

}  // namespace tunnel::test
