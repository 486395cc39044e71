// SPDX-License-Identifier: Apache-2.0
// What every object of a worker may use: its loop, its counters, the process's limits. Outlives everything of that
// worker.
#pragma once
#include "base/counters.hpp"
#include "base/limits.hpp"
#include "tunnel/loop.hpp"

namespace tunnel {

struct Context {
  Loop& loop;
  Counters& counters;
  const Limits& limits;
};

}  // namespace tunnel
