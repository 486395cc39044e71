// SPDX-License-Identifier: Apache-2.0
// Any bytes as an Envoy file: either a plan that can be judged, or faults that all name their place. A good plan that
// exports comes back as the same plan. 64 MiB at most.
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "envoy/export.hpp"
#include "envoy/load.hpp"
#include "envoy/spelt_out.hpp"
#include "fuzz/check.hpp"

namespace tunnel {
namespace {

using fuzz::require;

plan::Plan plan_of(envoy::Loaded loaded) {
  plan::Plan plan;
  plan.process.admin = std::move(loaded.admin);
  plan.listeners = std::move(loaded.listeners);
  plan.clusters = std::move(loaded.clusters);
  return plan;
}

void judge(const std::string& text) {
  envoy::Loaded loaded = envoy::load(text, "file.yaml");
  for (const plan::Problem& problem : loaded.problems) {
    require(problem.place.file == "file.yaml" && problem.place.line > 0, "a fault names its place");
    require(!problem.text.empty(), "a fault says what it is");
  }
  if (!loaded.problems.empty()) return;
  const plan::Plan plan = plan_of(std::move(loaded));
  if (!plan::check(plan).empty()) return;
  const envoy::Exported exported = envoy::export_plan(plan, false);
  if (!exported.problems.empty()) return;
  envoy::Loaded again = envoy::load(exported.text, "exported.yaml");
  require(again.problems.empty(), "what was exported loads");
  require(envoy::spelt_out(plan_of(std::move(again))) == envoy::spelt_out(plan), "what was exported is the same plan");
}

}  // namespace
}  // namespace tunnel

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const tunnel::fuzz::MemoryWatch watch;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const tunnel::fuzz::MemoryWatch::Guard guard(std::size_t{64} << 20);
  tunnel::judge(text);
  return 0;
}
