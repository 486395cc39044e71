// SPDX-License-Identifier: Apache-2.0
// Text into words, each with its place. Pipeline files and `-e` take a part of the POSIX shell's grammar (XCU section
// 2): comments, `\` continuation, the three quotings, and ${VAR}. A variable's value stays one word. What a shell would
// do beyond that (pipes, $VAR, $(...), globs) is refused or, for globs, taken literally; nothing is ever executed.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/refusal.hpp"
#include "tunnel/plan.hpp"

namespace tunnel::config {

struct Word {
  std::string text;
  plan::Place place;
};
using Words = std::vector<Word>;

// The value of a variable, or nothing if it is not set.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;
Environment process_environment();

// What main() was given, without the program's name.
Words command_line_words(const std::vector<std::string>& arguments);

// The lines of `text` that hold at least one word. `name` is what places call the text. A line that is no such line is
// left out; its first fault is noted in `faults`.
std::vector<Words> script_lines(std::string_view text, const std::string& name, const Environment& environment,
                                Faults& faults);

}  // namespace tunnel::config
