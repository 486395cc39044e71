// SPDX-License-Identifier: Apache-2.0
// The part of check() that is about one route by itself.
#pragma once
#include <string>
#include <vector>

#include "tunnel/plan.hpp"

namespace tunnel::plan {

// What is wrong with its match and its answer, as clauses.
std::vector<std::string> route_faults(const Route& route);

}  // namespace tunnel::plan
