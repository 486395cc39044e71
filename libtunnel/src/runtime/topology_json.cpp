// SPDX-License-Identifier: Apache-2.0
#include "runtime/topology_json.hpp"

#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <set>
#include <string_view>
#include <variant>

#include "base/log.hpp"
#include "plan/match.hpp"
#include "plan/references.hpp"
#include "plan/socket_place.hpp"

namespace tunnel::runtime {
namespace {

namespace json = boost::json;

template <class... Calls>
struct Either : Calls... {
  using Calls::operator()...;
};
template <class... Calls>
Either(Calls...) -> Either<Calls...>;

std::string text_of(const plan::Address& address) {
  return std::visit(
      Either{
          [](const plan::Tcp& tcp) {
            const std::string_view host = tcp.host.empty() ? "localhost" : std::string_view(tcp.host);
            const bool bracketed = host.find(':') != std::string_view::npos;
            return bracketed ? fmt::format("[{}]:{}", host, tcp.port) : fmt::format("{}:{}", host, tcp.port);
          },
          [](const plan::Internal& internal) {
            return "internal:" + internal.listener + (internal.endpoint_id.empty() ? "" : "/" + internal.endpoint_id);
          },
          [](const plan::Unix& local) { return "unix:" + log::escape(local.path); },
          [](const plan::Inherited& handed) {
            return handed.name.empty() ? fmt::format("fd:{}", handed.fd) : "systemd:" + log::escape(handed.name);
          },
          [](const plan::Stdio&) { return std::string("standard input and output"); },
      },
      address);
}

json::object way(std::string_view what, std::string_view cluster, std::string_view does) {
  json::object object;
  object["what"] = what;
  object["cluster"] = cluster;
  object["does"] = does;
  return object;
}

json::object way_of(const plan::Route& route) {
  const plan::Match& match = route.match;
  std::string what = match == plan::Match{} ? "/" : log::escape(plan::to_string(match));
  return std::visit(
      Either{
          [&](const plan::Respond& respond) { return way(what, "", fmt::format("answer {}", respond.status)); },
          [&](const plan::Forward& forward) { return way(what, forward.cluster, "forward"); },
          [&](const plan::Terminate& terminate) {
            return way(terminate.post && match.connect ? what + ", POST" : what, terminate.cluster, "terminate");
          },
      },
      route.action);
}

// The handler's name, and its ways.
std::string_view add_ways(const plan::Handler& handler, json::array& ways) {
  if (const auto* relay = std::get_if<plan::TcpProxy>(&handler)) {
    const bool tunnels = relay->tunnel.has_value();
    ways.push_back(way(tunnels ? (relay->tunnel->post ? "POST " : "CONNECT ") + log::escape(relay->tunnel->target) : "",
                       relay->cluster, tunnels ? "" : "relay"));
    return "tcp_proxy";
  }
  if (const auto* http = std::get_if<plan::HttpProxy>(&handler)) {
    for (const plan::Route& route : http->routes) ways.push_back(way_of(route));
    return "http_proxy";
  }
  if (std::holds_alternative<plan::Custom>(handler)) return "custom";
  return std::holds_alternative<plan::Echo>(handler) ? "echo" : "discard";
}

json::object listener_of(const plan::Listener& listener) {
  json::object object;
  object["name"] = listener.name;
  json::array addresses;
  bool internal = false;
  for (const plan::Address& address : listener.addresses) {
    addresses.emplace_back(text_of(address));
    internal = internal || std::holds_alternative<plan::Internal>(address);
  }
  object["addresses"] = std::move(addresses);
  object["internal"] = internal;
  json::array ways;
  object["handler"] = add_ways(listener.handler, ways);
  object["ways"] = std::move(ways);
  return object;
}

// The listener of this plan that an endpoint leads to; empty: none.
std::string_view listener_at(const plan::Plan& plan, const plan::Address& dialled) {
  if (const auto* internal = std::get_if<plan::Internal>(&dialled)) return internal->listener;
  for (const plan::Listener& listener : plan.listeners)
    for (const plan::Address& address : listener.addresses)
      if (plan::leads_to(dialled, address)) return listener.name;
  return "";
}

json::object cluster_of(const plan::Plan& plan, const plan::Cluster& cluster, bool speaks_http) {
  json::object object;
  object["name"] = cluster.name;
  json::array endpoints;
  for (const plan::Endpoint& endpoint : cluster.endpoints) {
    json::object one;
    one["address"] = text_of(endpoint.address);
    one["listener"] = listener_at(plan, endpoint.address);
    endpoints.emplace_back(std::move(one));
  }
  object["endpoints"] = std::move(endpoints);
  object["protocol"] = !speaks_http ? "" : cluster.protocol == plan::Http::h1 ? "HTTP/1.1" : "HTTP/2";
  object["requested"] = cluster.find == plan::Cluster::Find::request;
  return object;
}

}  // namespace

std::string topology_json(const plan::Plan& plan) {
  json::array listeners;
  for (const plan::Listener& listener : plan.listeners) listeners.emplace_back(listener_of(listener));
  const std::set<std::string_view> speaks_http = plan::pooled_clusters(plan);
  json::array clusters;
  for (const plan::Cluster& cluster : plan.clusters)
    clusters.emplace_back(cluster_of(plan, cluster, speaks_http.contains(cluster.name)));
  json::object object;
  object["listeners"] = std::move(listeners);
  object["clusters"] = std::move(clusters);
  return json::serialize(object);
}

}  // namespace tunnel::runtime
