// SPDX-License-Identifier: Apache-2.0
// How long a time of a plan may be. A year fits the clock's nanoseconds with room for sums; nobody waits for longer.
#pragma once
#include <chrono>
#include <string>

#include "tunnel/plan.hpp"

namespace tunnel::plan {

constexpr Milliseconds kLongestTime = std::chrono::hours(8760);

// "" or what is wrong with it, to stand behind its name.
inline std::string time_fault(Milliseconds time, bool may_be_0) {
  if (time < Milliseconds::zero()) return "cannot be below 0";
  if (time == Milliseconds::zero() && !may_be_0) return "must be above 0";
  return time > kLongestTime ? "is at most 8760h, a year" : "";
}

}  // namespace tunnel::plan
