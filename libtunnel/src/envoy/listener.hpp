// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <optional>

#include "envoy/node.hpp"
#include "tunnel/plan.hpp"

namespace tunnel::envoy {

// What the bootstrap says about all internal listeners: their buffer, or nothing if they may not be.
using InternalBuffer = std::optional<std::size_t>;

// One of static_resources.listeners. If something is wrong with it, all that is certain is its name and how it is
// reached.
plan::Listener read_listener(const Value& value, const InternalBuffer& buffer);

}  // namespace tunnel::envoy
