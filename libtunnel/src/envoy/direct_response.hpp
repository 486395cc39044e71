// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>

#include "envoy/node.hpp"
#include "tunnel/plan.hpp"

namespace tunnel::envoy {

// envoy.config.route.v3.DirectResponseAction; a body longer than `most_body` is refused, as Envoy does.
plan::Respond read_direct_response(const Value& value, std::uint64_t most_body);

}  // namespace tunnel::envoy
