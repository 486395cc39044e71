// SPDX-License-Identifier: Apache-2.0
// Shell completions, made from the option table, the table of limits and the addresses of --help: what a shell offers
// is what the program takes. Run when the project is built; the programs themselves have no part in it.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "config/option_table.hpp"

namespace tunnel::config {

enum class Shell : std::uint8_t { bash, zsh, fish };

// What may stand as the value of an option. A word that ends in ':', '+' or '=' is the beginning of a value.
struct Values {
  std::vector<std::string> words;
  bool files = false;  // or the name of a file
};

// By what the table calls the value: words of its own ("text|logfmt|json"), a FILE, an address (the schemes --help
// shows for it), a limit; nothing for what is free text.
Values values_of(const Option& option);

// The whole completion file of a program.
std::string completion(Program program, Shell shell);
// What the shell wants the file to be called: "tun-run", "_tun-run", "tun-run.fish".
std::string completion_file_name(Program program, Shell shell);

}  // namespace tunnel::config
