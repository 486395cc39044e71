// SPDX-License-Identifier: Apache-2.0
// completions DIRECTORY: writes the completion files of the four programs, DIRECTORY/SHELL/FILE each. Run by the build.
#include "config/completion.hpp"

#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>
#include <utility>

int main(int argc, char** argv) {
  using namespace tunnel::config;
  if (argc != 2) {
    std::cerr << "usage: completions DIRECTORY\n";
    return 64;
  }
  for (const auto& [shell, folder] :
       {std::pair(Shell::bash, "bash"), std::pair(Shell::zsh, "zsh"), std::pair(Shell::fish, "fish")}) {
    const std::filesystem::path directory = std::filesystem::path(argv[1]) / folder;
    std::filesystem::create_directories(directory);
    for (const Program program : {Program::tun_encap, Program::tun_decap, Program::tcp_chain, Program::tun_run}) {
      std::ofstream file(directory / completion_file_name(program, shell));
      file << completion(program, shell);
      if (!file.flush()) {
        std::cerr << "completions: cannot write to " << directory.string() << '\n';
        return 1;
      }
    }
  }
  return 0;
}
