// SPDX-License-Identifier: Apache-2.0
// Any bytes as lines of tun-run: either a plan that check() finds nothing in, or faults with their places and an exit
// status for them. A plan that can be exported to Envoy comes back as the same plan; one that cannot says where.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "config/load.hpp"
#include "envoy/export.hpp"
#include "envoy/load.hpp"
#include "envoy/spelt_out.hpp"
#include "fuzz/check.hpp"

namespace tunnel {
namespace {

using fuzz::require;

void judge_export(const plan::Plan& plan) {
  const envoy::Exported exported = envoy::export_plan(plan, false);
  for (const plan::Problem& problem : exported.problems)
    require(!problem.text.empty(), "what cannot be exported is said");
  if (!exported.problems.empty()) return;
  envoy::Loaded read = envoy::load(exported.text, "exported.yaml");
  require(read.problems.empty(), "what was exported loads");
  plan::Plan again;
  again.process.admin = std::move(read.admin);
  again.listeners = std::move(read.listeners);
  again.clusters = std::move(read.clusters);
  require(plan::check(again).empty(), "what was exported passes check()");
  const plan::Plan normal = envoy::spelt_out(plan);
  const plan::Plan normal_again = envoy::spelt_out(std::move(again));
  require(normal_again.listeners == normal.listeners, "the listeners exported are the same");
  require(normal_again.clusters == normal.clusters, "the clusters exported are the same");
}

void judge(const std::string& line) {
  config::Faults typed(config::kUsage);
  // Behind a newline, so that it is never an option of tun-run itself.
  const config::Words words = config::command_line_words({"-e", "\n" + line});
  const config::Arguments arguments =
      config::parse_arguments(config::Program::tun_run, config::Setting::alone, words, typed);
  const auto nothing_set = [](const std::string&) { return std::optional<std::string>(); };
  const config::Loaded loaded = config::load(config::Program::tun_run, arguments, nothing_set, typed);
  if (loaded.problems.empty()) {
    require(loaded.status == 0, "what is good has the status for it");
    require(plan::check(loaded.plan).empty(), "what is good passes check()");
    require(!loaded.plan.listeners.empty(), "what is good listens");
    judge_export(loaded.plan);
    return;
  }
  require(loaded.status == 64 || loaded.status == 66 || loaded.status == 78, "faults have a status of their own");
  for (const plan::Problem& problem : loaded.problems) {
    require(!problem.text.empty(), "a fault says what it is");
    require(!problem.place.file.empty() && problem.place.line > 0, "a fault names its place");
  }
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
