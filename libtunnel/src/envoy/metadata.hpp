// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <vector>

#include "envoy/node.hpp"
#include "tunnel/plan.hpp"

namespace tunnel::envoy {

// core.v3.Metadata: filter_metadata with values that are texts, numbers or booleans.
std::vector<plan::Metadata> read_metadata(const Value& value);

// transport_socket of a cluster: none, in clear, or internal_upstream around that, which passes things on.
void read_transport_socket(const Value& value, plan::Cluster& cluster);

}  // namespace tunnel::envoy
