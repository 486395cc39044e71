// SPDX-License-Identifier: Apache-2.0
// The parts of an export: each writes into the map or list that is open, and notes what it cannot write. A field that
// is new in plan.hpp does not compile in export_fields.cpp before somebody has decided about it.
#pragma once
#include <string_view>

#include "envoy/export_report.hpp"
#include "envoy/export_yaml.hpp"
#include "tunnel/plan.hpp"

namespace tunnel::envoy {

inline constexpr std::string_view kHttpOptions = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

// What can lose something, where it is written, and who it is.
struct Writing {
  Yaml& yaml;
  Report& report;
};

// address: {...} of a socket that is listened on (`mode` of a socket file counts) or connected to.
void write_address(Writing& writing, const plan::Address& address, bool listened, const plan::Place& place,
                   std::string_view who);

// An item of static_resources.listeners. The plan is spelt_out().
void write_listener(Writing& writing, const plan::Listener& listener);
// The routes and codec of an HttpConnectionManager, in its open map.
void write_http_proxy(Writing& writing, const plan::Listener& listener, const plan::HttpProxy& proxy);
// tunneling_config, in the open map of a TcpProxy.
void write_tunnel(Writing& writing, const plan::Listener& listener, const plan::Tunnel& tunnel);

// An item of static_resources.clusters. `speaks_http`: tunnels or requests go there; `ping_wait`: patience with a PING.
void write_cluster(Writing& writing, const plan::Cluster& cluster, bool speaks_http, plan::Milliseconds ping_wait);

}  // namespace tunnel::envoy
