// SPDX-License-Identifier: Apache-2.0
// The metadata that connects to internal listeners bring along. Pure functions, safe from any thread.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "plan/formatter.hpp"
#include "tunnel/plan.hpp"

namespace tunnel::plan {

// What an internal connection was meant for, as "@orig-dst" takes it: an address and a port.
inline constexpr std::string_view kOriginalSpace = "envoy.filters.listener.original_dst";
inline constexpr std::string_view kOriginalKey = "local";

// What connects of `cluster` to `endpoint`, one of its own, bring along; refers to both. Envoy lets a space of a later
// passthrough take the place of the same of an earlier one whole.
struct Passed {
  std::vector<const Metadata*> values;
  std::size_t missing = 0;  // passthroughs that found nothing in their space
};
Passed passed_metadata(const Cluster& cluster, const Endpoint& endpoint);

// The value it then has under `space` and `key`; nullptr if none.
const Metadata* passed_value(const Cluster& cluster, const Endpoint& endpoint, std::string_view space,
                             std::string_view key);

// A clause for what is no space, key or value; "" else.
std::string metadata_fault(const Metadata& value);

// The clause for a value that is no IP:PORT, under kOriginalKey; "" else.
std::string original_fault(const Metadata& value);

// What %DYNAMIC_METADATA(SPACE:KEY)% names. The fault of an operator that names no value, or "".
std::string read_metadata_place(const FormatPart& part, std::string& space, std::string& key);

// The value as a connection has it: a number in the shortest form, which is 1e+05 for 100000, as Envoy prints it.
std::string printed(const Metadata& value);

// "SPACE.KEY=VALUE"
std::string to_string(const Metadata& value);

}  // namespace tunnel::plan
