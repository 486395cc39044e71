// SPDX-License-Identifier: Apache-2.0
// check() for a plan of which a part could not be read: what is left is judged, too, so that all faults are told at
// once, but not for what that part may have held.
#pragma once
#include <cstdint>
#include <vector>

#include "tunnel/plan.hpp"

namespace tunnel::plan {

// To connect: they follow each other at once, so that more are no help against what takes a while to pass.
constexpr unsigned kMostAttempts = 100;

// `all_names`: every internal listener is there, if only as a stand-in for what it would do. `some_names`: others may
// exist, so a name nobody serves is no fault.
enum class Part : std::uint8_t { whole, all_names, some_names };

std::vector<Problem> check(const Plan& plan, Part part);

}  // namespace tunnel::plan
