// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>

#include "envoy/node.hpp"

namespace tunnel::envoy {

// What an upgrade_configs says of CONNECT, the only upgrade there is here; each is absent if it says nothing.
struct Upgrade {
  std::optional<bool> enabled;
  bool terminated = false;  // connect_config: the CONNECT ends here; only in a route
  bool post = false;        // and so does a POST
};

// `in_route`: connect_config may stand there.
Upgrade read_upgrades(const Value& value, bool in_route);

}  // namespace tunnel::envoy
