// SPDX-License-Identifier: Apache-2.0
// What --check, --explain, --graph, --as-shell and --export print instead of running a Plan.
#pragma once
#include <optional>
#include <string>

#include "config/arguments.hpp"
#include "config/load.hpp"

namespace tunnel::config {

// What standard output can show, and what there is to tell about the machine.
struct Paper {
  bool colour = false;
  bool unicode = false;
  int columns = 100;
  unsigned cores = 1;
};

// Standard output as it is: colours only on a terminal and never with NO_COLOR, Unicode if the locale says UTF-8.
Paper standard_output(const Environment& environment);

// What is asked for; nothing: run the plan. Asked for two of them, or one with a wrong value, it is noted in `faults`.
std::optional<Opt> wish_of(const Arguments& arguments, Faults& faults);

// The text to print; throws Refusal for what cannot be shown. `loaded` has no problems but may be given some.
std::string show(Opt wish, const Arguments& arguments, Loaded& loaded, const Paper& paper);

}  // namespace tunnel::config
