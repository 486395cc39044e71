// SPDX-License-Identifier: Apache-2.0
// What is special about a plan with a listener on standard input and output.
#pragma once
#include <vector>

#include "tunnel/plan.hpp"

namespace tunnel::plan {

// The listener that serves standard input and output, or nullptr. The process lives as long as its one connection.
const Listener* stdio_listener(const Plan& plan);

// The part of check() about it.
std::vector<Problem> check_stdio(const Plan& plan);

}  // namespace tunnel::plan
