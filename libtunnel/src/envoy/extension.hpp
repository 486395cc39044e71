// SPDX-License-Identifier: Apache-2.0
// Envoy's extension points: {name: ..., typed_config: {"@type": type.googleapis.com/TYPE, ...}}. The type decides who
// reads the rest; the name is free.
#pragma once
#include <functional>
#include <string_view>
#include <vector>

#include "envoy/node.hpp"

namespace tunnel::envoy {

struct Kind {
  std::string_view type;  // without type.googleapis.com/
  std::function<void(Fields&)> read;
};

// Reads a typed_config as whichever of `kinds` it is; another type is refused by its name.
void read_typed(const Value& value, const std::vector<Kind>& kinds);

// The same for the message around it.
void read_extension(const Value& value, const std::vector<Kind>& kinds);

}  // namespace tunnel::envoy
