// SPDX-License-Identifier: Apache-2.0
#include "runtime/envoy_views.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <cstdint>
#include <iterator>
#include <optional>
#include <utility>
#include <variant>

#include "base/log.hpp"
#include "plan/host_port.hpp"

namespace tunnel::runtime {
namespace {

namespace json = boost::json;

json::object socket_address(std::string_view host, std::uint16_t port) {
  json::object socket;
  socket["address"] = host;
  socket["port_value"] = port;
  json::object address;
  address["socket_address"] = std::move(socket);
  return address;
}

std::string text_of(const plan::Address& address) {
  return log::escape(plan::as_envoy_writes(plan::to_string(address)));
}

// None for what Envoy has no address for: a socket from elsewhere, standard input and output.
std::optional<json::object> json_of(const plan::Address& address) {
  if (const auto* tcp = std::get_if<plan::Tcp>(&address)) return socket_address(tcp->host, tcp->port);
  json::object inner;
  json::object outer;
  if (const auto* internal = std::get_if<plan::Internal>(&address)) {
    inner["server_listener_name"] = internal->listener;
    if (!internal->endpoint_id.empty()) inner["endpoint_id"] = internal->endpoint_id;
    outer["envoy_internal_address"] = std::move(inner);
    return outer;
  }
  const auto* local = std::get_if<plan::Unix>(&address);
  if (local == nullptr) return std::nullopt;
  inner["path"] = log::escape(local->path);
  outer["pipe"] = std::move(inner);
  return outer;
}

// Addresses of IP as they are bound, then those of other kinds.
struct Places {
  std::vector<SocketAddress> bound;
  std::vector<plan::Address> others;
};

Places places_of(const plan::Listener& listener, const BoundAddresses& bound) {
  Places places{bound(listener.name), {}};
  for (const plan::Address& address : listener.addresses) {
    if (std::holds_alternative<plan::Tcp>(address)) continue;
    if (std::holds_alternative<plan::Inherited>(address) && !places.bound.empty()) continue;  // it is one of these
    places.others.push_back(address);
  }
  return places;
}

json::object status_of(const plan::Listener& listener, const BoundAddresses& bound) {
  const Places places = places_of(listener, bound);
  json::array addresses;
  for (const SocketAddress& address : places.bound)
    addresses.emplace_back(socket_address(address.ip(), address.port()));
  for (const plan::Address& address : places.others)
    if (auto one = json_of(address)) addresses.emplace_back(std::move(*one));
  json::object status;
  status["name"] = listener.name;
  if (addresses.empty()) return status;
  status["local_address"] = std::move(addresses.front());
  addresses.erase(addresses.begin());
  if (!addresses.empty()) status["additional_local_addresses"] = std::move(addresses);
  return status;
}

// --- clusters ---

// What is known of one endpoint. Where it is the only one, it is what is known of its cluster.
struct Host {
  const plan::Address& address;
  std::uint64_t connects = 0;
  std::uint64_t failures = 0;
  bool aside = false;  // for some worker
};

std::vector<Host> hosts_of(const plan::Cluster& cluster, const ClusterSum& sum) {
  std::vector<Host> hosts;
  hosts.reserve(cluster.endpoints.size());
  for (std::size_t i = 0; i < cluster.endpoints.size(); ++i) {
    const plan::Address& address = cluster.endpoints[i].address;
    if (i < sum.endpoints.size())
      hosts.push_back({address, sum.endpoints[i].tries, sum.endpoints[i].failures, sum.endpoints[i].aside > 0});
    else
      hosts.push_back({address, sum.connects, sum.connect_failures, false});
  }
  return hosts;
}

std::string hostname_of(const plan::Address& address) {
  const auto* tcp = std::get_if<plan::Tcp>(&address);
  return tcp == nullptr || plan::is_ipv4(tcp->host) || plan::is_ipv6(tcp->host) ? "" : tcp->host;
}

template <class Tell>
void for_each_cluster(const plan::Plan& plan, const Figures& figures, const NameFilter& filter, const Tell& tell) {
  const std::vector<ClusterSum> sums = cluster_sums(figures, listener_sums(figures));
  for (const plan::Cluster& cluster : plan.clusters) {
    if (filter.passes(cluster.name)) tell(cluster, hosts_of(cluster, sum_of(cluster.name, sums)));
  }
}

// Nested, as protobuf's JSON leaves out what has its default.
json::object stat(std::string_view name, std::uint64_t value) {
  json::object one;
  if (value > 0) one["value"] = std::to_string(value);
  one["name"] = name;
  return one;
}

json::object status_of(const Host& host) {
  json::object status;
  if (auto address = json_of(host.address)) status["address"] = std::move(*address);
  status["stats"] = json::array{stat("cx_connect_fail", host.failures), stat("cx_total", host.connects)};
  json::object health;
  if (host.aside) health["failed_outlier_check"] = true;
  health["eds_health_status"] = "HEALTHY";
  status["health_status"] = std::move(health);
  status["weight"] = 1;
  if (const std::string name = hostname_of(host.address); !name.empty()) status["hostname"] = name;
  return status;
}

}  // namespace

std::string listeners_as_text(const plan::Plan& plan, const BoundAddresses& bound) {
  std::string text;
  for (const plan::Listener& listener : plan.listeners) {
    const Places places = places_of(listener, bound);
    for (const SocketAddress& address : places.bound)
      fmt::format_to(std::back_inserter(text), "{}::{}\n", listener.name, address.to_string());
    for (const plan::Address& address : places.others)
      fmt::format_to(std::back_inserter(text), "{}::{}\n", listener.name, text_of(address));
  }
  return text;
}

std::string listeners_as_json(const plan::Plan& plan, const BoundAddresses& bound) {
  json::array statuses;
  for (const plan::Listener& listener : plan.listeners) statuses.emplace_back(status_of(listener, bound));
  json::object object;
  object["listener_statuses"] = std::move(statuses);
  return json::serialize(object);
}

std::string clusters_as_text(const plan::Plan& plan, const Figures& figures, const NameFilter& filter) {
  std::string text;
  for_each_cluster(plan, figures, filter, [&](const plan::Cluster& cluster, const std::vector<Host>& hosts) {
    const auto say = [&](std::string_view what, std::string_view key, const auto& value) {
      fmt::format_to(std::back_inserter(text), "{}::{}{}::{}\n", cluster.name, what, key, value);
    };
    say("", "observability_name", cluster.name);
    say("", "added_via_api", false);
    for (const Host& host : hosts) {
      const std::string where = text_of(host.address) + "::";
      say(where, "cx_connect_fail", host.failures);
      say(where, "cx_total", host.connects);
      say(where, "hostname", hostname_of(host.address));
      say(where, "health_flags", host.aside ? "/failed_outlier_check" : "healthy");
      say(where, "weight", 1);
    }
  });
  return text;
}

std::string clusters_as_json(const plan::Plan& plan, const Figures& figures, const NameFilter& filter) {
  json::array statuses;
  for_each_cluster(plan, figures, filter, [&](const plan::Cluster& cluster, const std::vector<Host>& hosts) {
    json::object status;
    status["name"] = cluster.name;
    json::array all;
    for (const Host& host : hosts) all.emplace_back(status_of(host));
    if (!all.empty()) status["host_statuses"] = std::move(all);
    status["observability_name"] = cluster.name;
    statuses.emplace_back(std::move(status));
  });
  json::object object;
  object["cluster_statuses"] = std::move(statuses);
  return json::serialize(object);
}

std::string server_info_json(const ServerFacts& facts) {
  json::object options;
  options["concurrency"] = facts.workers;
  options["log_level"] = facts.log_level;
  options["drain_time"] = fmt::format("{}s", static_cast<double>(facts.drain.count()) / 1000);
  options["mode"] = "Serve";
  json::object node;
  node["user_agent_name"] = "tunnel";
  node["user_agent_version"] = facts.version;
  const std::string uptime = fmt::format("{}s", facts.uptime.count());
  json::object object;
  object["version"] = fmt::format("tunnel/{}", facts.version);
  object["state"] = facts.live ? "LIVE" : "DRAINING";
  object["uptime_current_epoch"] = uptime;
  object["uptime_all_epochs"] = uptime;
  object["hot_restart_version"] = "disabled";
  object["command_line_options"] = std::move(options);
  object["node"] = std::move(node);
  return json::serialize(object);
}

}  // namespace tunnel::runtime
