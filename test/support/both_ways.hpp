// SPDX-License-Identifier: Apache-2.0
// Runs a scenario twice, with internal hops as records and as user-space pairs, and demands that nobody can tell the
// two apart: what the scenario itself saw, the access log, the counters. And in both nothing may be left open.
#pragma once
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "support/world.hpp"

namespace tunnel::test {

using Seen = std::vector<std::string>;
using Scenario = std::function<void(World&, Seen&)>;

// After a reset, how many bytes had passed which hop depends on how many of them it could hold (`no`); and when both
// ends reset at once, who is called the cause depends on whom a hop heard of first (`seen_only`).
enum class CompareBytes : std::uint8_t { no, yes, seen_only };

struct Outcome {
  Seen seen;
  std::vector<std::string> records;
  std::vector<std::string> counters;
};

inline Outcome run_once(plan::Plan plan, bool force_pairs, std::uint64_t seed, const Scenario& scenario,
                        CompareBytes bytes) {
  SCOPED_TRACE((force_pairs ? "pairs, seed " : "records, seed ") + std::to_string(seed));
  plan.process.force_pairs = force_pairs;
  Outcome outcome;
  World world(std::move(plan), seed);
  scenario(world, outcome.seen);
  world.end();
  world.network.drop_peers();
  EXPECT_EQ(world.open_gauges(), "");
  outcome.records = world.records.lines(bytes == CompareBytes::yes);
  for (std::string& line : world.counter_lines())
    if (bytes == CompareBytes::yes || line.find("bytes") == std::string::npos)
      outcome.counters.push_back(std::move(line));
  return outcome;
}

// Returns what the last run with records saw.
inline Outcome both_ways(const plan::Plan& plan, const Scenario& scenario, CompareBytes bytes = CompareBytes::yes) {
  using std::chrono::seconds;
  using std::chrono::system_clock;
  Outcome records;
  for (const std::uint64_t seed : {0U, 1U, 2U}) {
    Outcome pairs;
    // The date of an answer is the machine's, and not every second has as many bytes when it is compressed.
    for (int tries = 0; tries < 3; ++tries) {
      const auto begun = std::chrono::floor<seconds>(system_clock::now());
      records = run_once(plan, false, seed, scenario, bytes);
      pairs = run_once(plan, true, seed, scenario, bytes);
      if (std::chrono::floor<seconds>(system_clock::now()) == begun || testing::Test::HasFailure()) break;
    }
    EXPECT_EQ(records.seen, pairs.seen) << "seed " << seed;
    if (bytes != CompareBytes::seen_only) {
      EXPECT_EQ(records.records, pairs.records) << "seed " << seed;
    }
    EXPECT_EQ(records.counters, pairs.counters) << "seed " << seed;
    if (testing::Test::HasFailure()) break;
  }
  return records;
}

}  // namespace tunnel::test
