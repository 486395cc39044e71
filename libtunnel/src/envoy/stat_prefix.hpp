// SPDX-License-Identifier: Apache-2.0
// stat_prefix of a filter: what Listener::stat_prefix is made of, and what is written for it.
#pragma once
#include <string>

#include "envoy/node.hpp"
#include "tunnel/plan.hpp"

namespace tunnel::envoy {

// Required by Envoy, and not empty. The listener's own name, which its statistics have anyway, is not kept.
inline void read_stat_prefix(Fields& fields, plan::Listener& listener) {
  const auto prefix = fields.need("stat_prefix");
  const auto text = prefix ? prefix->text() : std::nullopt;
  if (!text) return;
  if (text->empty()) return prefix->refuse("it must have a character or more");
  listener.stat_prefix = *text == listener.name ? "" : *text;
}

inline const std::string& stat_prefix_of(const plan::Listener& listener) {
  return listener.stat_prefix.empty() ? listener.name : listener.stat_prefix;
}

}  // namespace tunnel::envoy
