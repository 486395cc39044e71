// SPDX-License-Identifier: Apache-2.0
#include "support/sim_loop.hpp"

#include <algorithm>

namespace tunnel::test {

SimLoop::SimLoop(std::uint64_t seed) : random_(seed), permute_(seed != 0) {
  // A round number of our own: nothing may depend on the machine's clock.
  set_now(TimePoint(std::chrono::hours(1000)));
}

bool SimLoop::step() {
  const std::size_t ready = ready_count();
  if (ready == 0) return false;
  return run_nth_ready(permute_ && ready > 1 ? random_() % ready : 0);
}

std::size_t SimLoop::run() {
  std::size_t steps = 0;
  while (step())
    if (++steps > kMostSteps) throw std::runtime_error("the loop does not come to rest");
  return steps;
}

void SimLoop::advance(Duration by) {
  const TimePoint until = now() + by;
  run();
  while (has_timer() && earliest() <= until) {
    set_now(std::max(now(), earliest()));
    fire_due_timers();
    run();
  }
  set_now(until);
}

bool SimLoop::run_until(const std::function<bool()>& wanted, Duration limit) {
  const TimePoint until = now() + limit;
  std::size_t steps = 0;
  while (!wanted()) {
    if (++steps > kMostSteps) throw std::runtime_error("the loop does not come to rest");
    if (step()) continue;
    if (!has_timer() || earliest() > until) return false;
    set_now(std::max(now(), earliest()));
    fire_due_timers();
  }
  return true;
}

bool SimWorld::gauges_are_zero() const {
  for (std::size_t i = 0; i < kGaugeCount; ++i)
    if (counters.value(static_cast<Gauge>(i)) != 0) return false;
  return true;
}

}  // namespace tunnel::test
