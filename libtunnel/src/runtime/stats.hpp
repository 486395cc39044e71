// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/counters.hpp"

namespace tunnel::runtime {

// All counters and gauges, summed, as one JSON object without a newline: {"counters":{...},"gauges":{...}}.
// `extra_counters` and `extra_gauges` are the process's own.
std::string stats_json(const std::vector<const Counters*>& workers,
                       const std::map<std::string_view, std::uint64_t>& extra_counters,
                       const std::map<std::string_view, std::uint64_t>& extra_gauges);

}  // namespace tunnel::runtime
