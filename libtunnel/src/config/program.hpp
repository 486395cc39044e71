// SPDX-License-Identifier: Apache-2.0
// What the four programs have in common: arguments in, exit status out. main() only says which program it is and hands
// in what runs a Plan, so that everything before that is tested without a socket.
#pragma once
#include <functional>
#include <iosfwd>
#include <string>
#include <vector>

#include "config/option_table.hpp"
#include "config/show.hpp"
#include "config/words.hpp"
#include "tunnel/plan.hpp"

namespace tunnel::config {

struct Surroundings {
  std::ostream& out;  // help, version, what --check and its like print
  std::ostream& err;  // one sentence a problem
  Environment environment;
  std::function<int(const plan::Plan&)> run;
  std::function<std::string()> version;
  Paper paper = {};  // what `out` is
};

// Does what the arguments (without the program's name) ask and returns the exit status for it. Throws what `run`
// throws.
int run_program(Program program, const std::vector<std::string>& arguments, const Surroundings& around);

// The same over the process's own streams and environment, for main(); an exception becomes a sentence and status 1.
int main_of(Program program, int argc, char** argv, int (*run)(const plan::Plan&), std::string (*version)());

}  // namespace tunnel::config
