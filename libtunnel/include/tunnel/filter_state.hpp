// SPDX-License-Identifier: Apache-2.0
// Objects that are kept with a connection under a key, Envoy's filter state: set by a listener, read by formats and
// logs, and brought along to internal listeners if they are shared. Plain values, never changed once a connection has
// them: whoever adds an object makes a new map.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <string>

namespace tunnel {

// How far an object goes with connects to internal listeners: nowhere, to the next one, or over all of them.
enum class StateShare : std::uint8_t { none, once, transitive };

// A text or, with `is_json`, the JSON of something that has fields.
struct StateObject {
  std::string value;
  StateShare share = StateShare::none;
  bool is_json = false;
  bool operator==(const StateObject&) const = default;
};

using FilterState = std::map<std::string, StateObject, std::less<>>;
using FilterStatePtr = std::shared_ptr<const FilterState>;  // null: empty

}  // namespace tunnel
