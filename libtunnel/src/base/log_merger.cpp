// SPDX-License-Identifier: Apache-2.0
#include "base/log_merger.hpp"

#include "base/log.hpp"

namespace tunnel::log {

void Merger::info(const std::string& kind, const std::string& line) {
  if (!enabled(Level::info)) return;
  const auto [entry, first] = repeats_.try_emplace(kind, 0);
  if (!first) {
    ++entry->second;
    return;
  }
  write(Level::info, line);
  if (!timer_.armed()) timer_.arm_after(std::chrono::seconds(1));
}

void Merger::second_over() noexcept {
  for (const auto& [kind, count] : repeats_)
    if (count > 0) write(Level::info, fmt::format("{}: {} more within a second", kind, count));
  repeats_.clear();
}

}  // namespace tunnel::log
