// SPDX-License-Identifier: Apache-2.0
#include "config/refusal.hpp"

#include <algorithm>
#include <tuple>

namespace tunnel::config {

void Faults::add(const Refusal& refusal) {
  const auto before = [](const Refusal& a, const Refusal& b) {
    return std::tie(a.place().line, a.place().column) < std::tie(b.place().line, b.place().column);
  };
  refusals_.insert(std::upper_bound(refusals_.begin(), refusals_.end(), refusal, before), refusal);
}

void Faults::take(Faults& other) {
  for (const Refusal& refusal : other.refusals_) add(refusal);
  other.refusals_.clear();
}

void Faults::tell(std::vector<plan::Problem>& problems, int& status) {
  for (const Refusal& refusal : refusals_) {
    problems.push_back(refusal.problem());
    if (status == 0) status = refusal.status_or(status_);
  }
  refusals_.clear();
}

}  // namespace tunnel::config
