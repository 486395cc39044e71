// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <vector>

#include "envoy/node.hpp"
#include "tunnel/plan.hpp"

namespace tunnel::envoy {

inline constexpr std::string_view kSetFilterState = "envoy.extensions.filters.network.set_filter_state.v3.Config";
inline constexpr std::string_view kStringFactory = "envoy.string";
inline constexpr std::string_view kHashableFactory = "envoy.hashable_string";

// The network filter set_filter_state: objects that are texts, and where a connection was going.
std::vector<plan::State> read_set_filter_state(Fields& fields);

}  // namespace tunnel::envoy
