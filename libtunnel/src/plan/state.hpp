// SPDX-License-Identifier: Apache-2.0
// Filter state as plans and formats have it: what may be set, and %FILTER_STATE(KEY)%, %FILTER_STATE(KEY:TYPED)% and
// %FILTER_STATE(KEY:PLAIN)%, which Envoy takes as JSON, the same, and as text. Pure functions, safe from any thread.
#pragma once
#include <string>
#include <string_view>

#include "plan/formatter.hpp"
#include "tunnel/plan.hpp"

namespace tunnel::plan {

// Under these a TCP proxy keeps the answer to the request for its tunnel (Envoy's propagate_response_headers).
inline constexpr std::string_view kResponseHeadersKey = "envoy.tcp_proxy.propagate_response_headers";
inline constexpr std::string_view kResponseTrailersKey = "envoy.tcp_proxy.propagate_response_trailers";

// What an internal connection was meant for, where its metadata does not say it: as "@orig-dst" takes it.
inline constexpr std::string_view kOriginalStateKey = "envoy.filters.listener.original_dst.local_ip";

// A clause for what cannot be set, or "".
std::string state_fault(const State& state);

// What the operator asks for.
struct StateName {
  std::string key;
  bool plain = false;
};
// A clause for what is no name of an object, or "" and the name.
std::string read_state_name(const FormatPart& part, StateName& name);

// The object as the operator shows it; empty: there is none, or none of that kind (fields are no plain text).
std::string state_value(const FilterState* state, std::string_view key, bool plain);

// "once:KEY=VALUE", as --state has it.
std::string to_string(const State& state);

}  // namespace tunnel::plan
