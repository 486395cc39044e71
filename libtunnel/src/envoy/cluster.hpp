// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "envoy/node.hpp"
#include "tunnel/plan.hpp"

namespace tunnel::envoy {

// One of static_resources.clusters. If something is wrong with it, all that is certain is its name.
plan::Cluster read_cluster(const Value& value);

}  // namespace tunnel::envoy
