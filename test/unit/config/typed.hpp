// SPDX-License-Identifier: Apache-2.0
// What happens when somebody types a command: the exit status, both outputs, and the Plan that would have run.
#pragma once
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "config/program.hpp"
#include "tunnel/plan.hpp"

namespace tunnel::config {

struct Typed {
  int status = -1;
  std::string out;
  std::string err;
  std::optional<plan::Plan> ran;
};

using Variables = std::map<std::string, std::string>;

inline Typed type(Program program, const std::vector<std::string>& arguments, const Variables& variables = {}) {
  std::ostringstream out;
  std::ostringstream err;
  Typed typed;
  const auto environment = [&](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    if (found == variables.end()) return std::nullopt;
    return found->second;
  };
  const auto run = [&](const plan::Plan& plan) {
    typed.ran = plan;
    return 0;
  };
  typed.status =
      run_program(program, arguments, {out, err, environment, run, [] { return std::string("1.2.3 (test)"); }});
  typed.out = out.str();
  typed.err = err.str();
  return typed;
}

// The Plan of a command that must be good.
inline plan::Plan plan_of(Program program, const std::vector<std::string>& arguments) {
  const Typed typed = type(program, arguments);
  EXPECT_EQ(typed.status, 0) << typed.err;
  return typed.ran.value_or(plan::Plan{});
}

// What stands on standard error when a command itself is refused for `text`.
inline std::string usage_error(Program program, const std::string& text) {
  const std::string name(name_of(program));
  return name + ": " + text + " (try " + name + " --help)\n";
}

// A file in a folder of its own that is removed with it.
class TemporaryFile {
 public:
  TemporaryFile(const std::string& name, const std::string& bytes) {
    std::string pattern = (std::filesystem::temp_directory_path() / "tunnel-config-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
    path_ = (folder_ / name).string();
    std::ofstream(path_, std::ios::binary) << bytes;
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::filesystem::path folder_;
  std::string path_;
};

}  // namespace tunnel::config
