// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "envoy/node.hpp"

namespace tunnel::envoy {

// A time above 0, where Envoy takes 0 for none and this timer cannot be left out.
inline std::optional<plan::Milliseconds> read_timeout(const Value& value) {
  const std::optional<plan::Milliseconds> time = value.duration();
  if (time && *time == plan::Milliseconds::zero()) {
    value.refuse("to have no such timeout is not supported by this version; write a long one");
    return std::nullopt;
  }
  return time;
}

}  // namespace tunnel::envoy
