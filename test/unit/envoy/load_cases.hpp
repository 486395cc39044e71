// SPDX-License-Identifier: Apache-2.0
// Envoy's files in pieces, for tests of the loader.
#pragma once
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "envoy/load.hpp"

namespace tunnel::envoy {

// A listener with one filter; `more` stands beside the filter chains.
inline std::string listener_of(const std::string& filter, const std::string& more = "") {
  return "{name: in, address: {socket_address: {address: 127.0.0.1, port_value: 1}}, " + more +
         "filter_chains: [{filters: [" + filter + "]}]}";
}

inline std::string typed(const std::string& type, const std::string& fields = "") {
  return "{name: x, typed_config: {\"@type\": type.googleapis.com/" + type + (fields.empty() ? "" : ", " + fields) +
         "}}";
}

inline std::string tcp_proxy(const std::string& fields = "") {
  return typed("envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
               "stat_prefix: s, cluster: up" + (fields.empty() ? "" : ", " + fields));
}

inline std::string http(const std::string& hosts, const std::string& fields = "") {
  return typed("envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
               "stat_prefix: s, route_config: {virtual_hosts: [" + hosts + "]}, http_filters: [" +
                   typed("envoy.extensions.filters.http.router.v3.Router") + "]" +
                   (fields.empty() ? "" : ", " + fields));
}

inline std::string host_with(const std::string& routes) {
  return R"({name: h, domains: ["*"], routes: [)" + routes + "]}";
}

// `fields` stand in the one cluster, called up.
inline std::string cluster_of(const std::string& fields) { return "{name: up, " + fields + "}"; }

inline const std::string kSomewhere =
    "load_assignment: {endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 10.0.0.1, "
    "port_value: 2}}}}]}]}";

inline std::string file(const std::string& listener, const std::string& cluster = cluster_of(kSomewhere)) {
  return "static_resources:\n  listeners:\n  - " + listener + "\n  clusters:\n  - " + cluster + "\n";
}

// Every problem without its place.
inline std::string said(const std::string& text) {
  std::string all;
  for (const plan::Problem& problem : load(text, "f").problems) all += problem.text + "\n";
  return all;
}

struct Refusal {
  std::string text;
  std::string said;
};

inline void expect_refused(const std::vector<Refusal>& refusals) {
  for (const Refusal& each : refusals) EXPECT_EQ(said(each.text), each.said + "\n") << each.text;
}

}  // namespace tunnel::envoy
