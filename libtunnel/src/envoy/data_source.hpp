// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>

#include "envoy/node.hpp"

namespace tunnel::envoy {

// core.v3.DataSource: its inline_string, the one that is read here.
inline std::optional<Value> read_inline_string(const Value& source) {
  std::optional<Value> text;
  read_message(source, [&](Fields& fields) {
    fields.refuse({"filename", "inline_bytes", "environment_variable", "watched_directory"});
    text = fields.need("inline_string");
  });
  return text;
}

}  // namespace tunnel::envoy
