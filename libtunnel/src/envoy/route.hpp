// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "envoy/node.hpp"
#include "envoy/upgrade.hpp"
#include "tunnel/plan.hpp"

namespace tunnel::envoy {

// The route_config of an HTTP connection manager, whose own upgrade_configs is `upgrade`.
void read_route_config(const Value& value, const Upgrade& upgrade, plan::HttpProxy& proxy);

}  // namespace tunnel::envoy
