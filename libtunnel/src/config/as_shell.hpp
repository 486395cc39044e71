// SPDX-License-Identifier: Apache-2.0
// --as-shell: the lines again, as a script for the shell (POSIX, XCU section 2) that runs each as a process of its own.
// What was an internal listener is a unix socket in a folder that only the user can enter and that is gone at the end.
#pragma once
#include <string>
#include <vector>

#include "config/load.hpp"

namespace tunnel::config {

// `process`: whose options of the process every program is given. What a socket cannot do for a line is a problem at
// its place, and then there is no script. `loaded` has no problems.
struct Script {
  std::string text;
  std::vector<plan::Problem> problems;
};
Script as_shell(const Loaded& loaded, const Arguments& process);

// `text` as one word of a shell.
std::string shell_word(std::string_view text);

}  // namespace tunnel::config
