// SPDX-License-Identifier: Apache-2.0
// Envoy's three ways to write statistics down.
#pragma once
#include <string>
#include <vector>

#include "runtime/envoy_stats.hpp"

namespace tunnel::runtime {

// "name: value", a line each.
std::string stats_as_text(const std::vector<EnvoyStat>& stats);
// {"stats":[{"name":…,"value":…}]}
std::string stats_as_json(const std::vector<EnvoyStat>& stats);
// Families with their type, those of counters first.
std::string stats_as_prometheus(const std::vector<EnvoyStat>& stats);

}  // namespace tunnel::runtime
