// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>

#include "envoy/node.hpp"
#include "tunnel/plan.hpp"

namespace tunnel::envoy {

// envoy.config.core.v3.Address of what is listened on: a socket_address or a pipe.
std::optional<plan::Address> read_listen_address(const Value& value);

// The same of an endpoint: also an envoy_internal_address. Its host may be a name.
std::optional<plan::Address> read_endpoint_address(const Value& value);

}  // namespace tunnel::envoy
