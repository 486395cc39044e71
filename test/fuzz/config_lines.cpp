// SPDX-License-Identifier: Apache-2.0
// Any bytes as a line of tun-run: either a plan that check() finds nothing in, or faults and an exit status for them.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "config/load.hpp"
#include "fuzz/check.hpp"

namespace tunnel {
namespace {

using fuzz::require;

void judge(const std::string& line) {
  config::Faults typed(config::kUsage);
  const config::Words words = config::command_line_words({"-e", line});
  const config::Arguments arguments =
      config::parse_arguments(config::Program::tun_run, config::Setting::alone, words, typed);
  const auto nothing_set = [](const std::string&) { return std::optional<std::string>(); };
  const config::Loaded loaded = config::load(config::Program::tun_run, arguments, nothing_set, typed);
  if (loaded.problems.empty()) {
    require(loaded.status == 0, "what is good has the status for it");
    require(plan::check(loaded.plan).empty(), "what is good passes check()");
    require(!loaded.plan.listeners.empty(), "what is good listens");
    return;
  }
  require(loaded.status == 64 || loaded.status == 66 || loaded.status == 78, "faults have a status of their own");
  for (const plan::Problem& problem : loaded.problems) require(!problem.text.empty(), "a fault says what it is");
}

}  // namespace
}  // namespace tunnel

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const tunnel::fuzz::MemoryWatch watch;
  const std::string line(reinterpret_cast<const char*>(data), size);
  const tunnel::fuzz::MemoryWatch::Guard guard(std::size_t{64} << 20);
  tunnel::judge(line);
  return 0;
}
