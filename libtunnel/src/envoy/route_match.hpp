// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "envoy/node.hpp"
#include "tunnel/plan.hpp"

namespace tunnel::envoy {

// envoy.config.route.v3.RouteMatch.
plan::Match read_match(const Value& value);

}  // namespace tunnel::envoy
