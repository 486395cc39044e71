// SPDX-License-Identifier: Apache-2.0
// From the arguments of a program to a Plan that check() has judged, or to everything that is wrong with them.
#pragma once
#include <vector>

#include "config/arguments.hpp"
#include "config/words.hpp"
#include "tunnel/plan.hpp"

namespace tunnel::config {

struct Loaded {
  plan::Plan plan;                      // runs only if `problems` is empty
  std::vector<plan::Problem> problems;  // in the order of the sources
  int status = 0;                       // the exit status for them: 64, 66 or 78
};

// Reads pipeline files, `respond:` bodies and the environment; opens no socket and never throws Refusal.
Loaded load(Program program, const Arguments& arguments, const Environment& environment);

}  // namespace tunnel::config
