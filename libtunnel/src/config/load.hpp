// SPDX-License-Identifier: Apache-2.0
// From the arguments of a program to a Plan that check() has judged, or to everything that is wrong with them.
#pragma once
#include <string>
#include <vector>

#include "config/arguments.hpp"
#include "config/words.hpp"
#include "tunnel/plan.hpp"

namespace tunnel::config {

// A line as it was written, for who writes it again.
struct WrittenLine {
  Program program = Program::tcp_chain;
  Arguments arguments;
  plan::Place place;
  std::string name;  // of the line in the plan
};

struct Loaded {
  plan::Plan plan;                      // runs only if `problems` is empty
  std::vector<WrittenLine> lines;       // all, if `problems` is empty; of an Envoy file there are none
  std::vector<plan::Problem> problems;  // in the order of the sources
  int status = 0;                       // the exit status for them: 64, 66 or 78
};

// Reads pipeline files, Envoy files, `respond:` bodies and the environment; opens no socket and never throws Refusal.
// `typed`: what is wrong with the words themselves; it comes first among the problems.
Loaded load(Program program, const Arguments& arguments, const Environment& environment, Faults& typed);

}  // namespace tunnel::config
