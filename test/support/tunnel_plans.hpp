// SPDX-License-Identifier: Apache-2.0
// Plans of the tunnels the scenarios share: what `tun-encap --http` and `tun-decap` make of their command lines.
#pragma once
#include <string>
#include <vector>

#include "support/world.hpp"

namespace tunnel::test {

inline constexpr const char* kOrigin = "10.0.0.9:80";

inline plan::Listener route_all(plan::Listener listener, const std::string& cluster) {
  std::get<plan::HttpProxy>(listener.handler).routes.push_back({plan::Match{false, "/"}, plan::Forward{cluster}, {}});
  return listener;
}

// Every CONNECT ends at the listener, towards the cluster.
inline plan::Listener terminate_all(plan::Listener listener, const std::string& cluster) {
  std::get<plan::HttpProxy>(listener.handler).routes.push_back({plan::Match{true, "/"}, plan::Terminate{cluster}, {}});
  return listener;
}

// In the names of cases.
inline std::string version_name(plan::Http version) { return version == plan::Http::h1 ? "H1" : "H2"; }

// "tcp" (9000) and "http" (9001) in front, the first plain, the second parsing; `hops` internal listeners; "encap",
// which asks "decap" (also on 9002) for a tunnel to example.com:80 over `version`; decap connects to what it is asked
// for: example.com, *.example.net and 10.0.0.0/8, but never to denied.example.org.
inline plan::Plan tunnel_plan(plan::Http version, unsigned hops = 0, const std::string& target = "example.com:80") {
  plan::Plan plan;
  const std::string first = hops == 0 ? "encap" : "hop1";
  plan.listeners.push_back(tcp_listener("tcp", 9000, plan::TcpProxy{"in", std::nullopt}));
  plan.listeners.push_back(route_all(tcp_listener("http", 9001, plan::HttpProxy{}), "in"));
  plan.clusters.push_back(to_internal("in", first));
  for (unsigned i = 1; i <= hops; ++i) {
    const std::string name = "hop" + std::to_string(i);
    plan.listeners.push_back(internal_listener(name, plan::TcpProxy{"after-" + name, std::nullopt}));
    plan.clusters.push_back(to_internal("after-" + name, i == hops ? "encap" : "hop" + std::to_string(i + 1)));
  }
  plan.listeners.push_back(internal_listener("encap", plan::TcpProxy{"proxy", plan::Tunnel{target}}));
  plan.clusters.push_back(to_tcp("proxy", "10.0.0.2", 3128, version));
  // Whoever is nearer to the cause runs out of time first.
  for (plan::Cluster& cluster : plan.clusters) cluster.connect_timeout = plan::Milliseconds(20'000);
  plan.listeners.push_back(terminate_all(tcp_listener("decap", 9002, plan::HttpProxy{}), "out"));
  plan.clusters.push_back(to_requested("out", {{true, "example.com", 0, 65535},
                                               {true, "*.example.net", 0, 65535},
                                               {true, "10.0.0.0/8", 0, 65535},
                                               {false, "denied.example.org", 0, 65535}}));
  return plan;
}

// Joins encap to decap over the fake network and gives example.com an address.
inline void join_tunnel(World& world) {
  world.network.at("10.0.0.2:3128").serve = [&world](StreamPtr stream) { world.accept("decap", std::move(stream)); };
  world.network.name("example.com", {"10.0.0.9"});
}

}  // namespace tunnel::test
