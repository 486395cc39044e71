// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "envoy/node.hpp"
#include "tunnel/plan.hpp"

namespace tunnel::envoy {

// The tunneling_config of a tcp_proxy. `redirected`: the filter original_dst stands before it, so that the local
// address is where a connection was going.
plan::Tunnel read_tunnel(const Value& value, bool redirected);

}  // namespace tunnel::envoy
